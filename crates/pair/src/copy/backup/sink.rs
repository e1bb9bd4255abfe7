//! Where a backup is written to.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use twinlog_server::files::{FILE_PRIVATE, create_private_dir, create_whole};

use super::{Error, file, manifest::COMPLETE};

/// A directory, or a tar archive.
pub enum Sink {
    /// Each file is there whole or not at all.
    Directory(PathBuf),
    /// One file behind the other.
    Archive {
        /// What it is called in messages.
        name: PathBuf,
        /// The archive.
        tar: Mutex<tar::Builder<Box<dyn Write + Send>>>,
    },
}

impl Sink {
    /// A directory, which is made.
    ///
    /// # Errors
    /// [`Error::Occupied`] where something is in it; what the system says.
    pub fn directory(path: &Path) -> Result<Self, Error> {
        create_private_dir(path).map_err(file(path))?;
        let mut there = fs::read_dir(path).map_err(file(path))?;
        match there.next() {
            Some(_) => Err(Error::Occupied(path.to_owned())),
            None => Ok(Self::Directory(path.to_owned())),
        }
    }

    /// A tar archive.
    pub fn archive(name: &Path, to: impl Write + Send + 'static) -> Self {
        Self::Archive {
            name: name.to_owned(),
            tar: Mutex::new(tar::Builder::new(Box::new(to))),
        }
    }

    /// Writes a file.
    pub(super) fn put(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        match self {
            Self::Directory(root) => {
                let path = root.join(name);
                let dir = path.parent().unwrap_or(root);
                let created = create_private_dir(dir)
                    .and_then(|()| create_whole(&path, content, FILE_PRIVATE));
                match created.map_err(file(&path))? {
                    true => Ok(()),
                    // Somebody else writes here, too.
                    false => Err(Error::Occupied(path)),
                }
            }
            Self::Archive { name: path, tar } => {
                let mut tar = tar.lock().unwrap_or_else(PoisonError::into_inner);
                append(&mut tar, name, content).map_err(file(path))
            }
        }
    }

    /// Says that all is there.
    pub(super) fn complete(&self, checksum: &str) -> Result<(), Error> {
        self.put(COMPLETE, format!("{checksum}\n").as_bytes())?;
        match self {
            Self::Directory(_) => Ok(()),
            Self::Archive { name, tar } => {
                let mut tar = tar.lock().unwrap_or_else(PoisonError::into_inner);
                let ended = tar.finish().and_then(|()| tar.get_mut().flush());
                ended.map_err(file(name))
            }
        }
    }
}

fn append(
    tar: &mut tar::Builder<Box<dyn Write + Send>>,
    name: &str,
    content: &[u8],
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(FILE_PRIVATE);
    header.set_mtime(u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0));
    tar.append_data(&mut header, name, content)
}
