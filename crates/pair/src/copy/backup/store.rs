//! Where a backup is read from.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    Error, file,
    manifest::{COMPLETE, MANIFEST, Manifest},
    part::{Part, checksum},
};

/// A backup, as it lies there.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Directory,
    /// An archive, and where in it each file begins and how long it is.
    Archive(File, HashMap<String, (u64, u64)>),
}

impl Store {
    /// Opens a directory, or a tar archive.
    ///
    /// # Errors
    /// [`Error::Nowhere`], [`Error::NotWhole`] where it is none, or not all of one; what the system says.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let is_dir = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Nowhere(path.to_owned()));
            }
            there => there.map_err(file(path))?.is_dir(),
        };
        let place = match is_dir {
            true => Place::Directory,
            false => archive(path)?,
        };
        let store = Self {
            path: path.to_owned(),
            place,
        };
        match store.holds(COMPLETE) {
            true => Ok(store),
            false => Err(Error::NotWhole(path.to_owned())),
        }
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Unknown`]; what the system says.
    pub fn manifest(&self) -> Result<Manifest, Error> {
        let bytes = self.get(MANIFEST)?;
        let sum = self.get(COMPLETE)?;
        if String::from_utf8_lossy(&sum).trim_end() != checksum(&bytes) {
            return Err(Error::Damaged {
                file: MANIFEST.to_owned(),
                what: "its checksum is another".to_owned(),
            });
        }
        Manifest::read(&bytes)
    }

    /// Reads all that a manifest lists, and compares checksums.
    ///
    /// # Errors
    /// [`Error::Damaged`]; what the system says.
    pub fn check(&self, manifest: &Manifest) -> Result<(), Error> {
        for part in manifest.parts() {
            part.check(&self.get(&part.file)?)?;
        }
        Ok(())
    }

    /// A part's lines.
    pub(super) fn lines(&self, part: &Part) -> Result<Vec<u8>, Error> {
        part.unpack(&self.get(&part.file)?)
    }

    fn holds(&self, name: &str) -> bool {
        match &self.place {
            Place::Directory => self.path.join(name).is_file(),
            Place::Archive(_, files) => files.contains_key(name),
        }
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, Error> {
        let read = match &self.place {
            Place::Directory => fs::read(self.path.join(name)),
            Place::Archive(archive, files) => match files.get(name) {
                Some(&(begin, length)) => part_of(archive, begin, length),
                None => Err(io::ErrorKind::NotFound.into()),
            },
        };
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Damaged {
                file: name.to_owned(),
                what: "it is missing".to_owned(),
            }),
            read => read.map_err(file(self.path.join(name))),
        }
    }
}

/// Lists an archive's files.
fn archive(path: &Path) -> Result<Place, Error> {
    let open = || File::open(path).map_err(file(path));
    let mut files = HashMap::new();
    let listed = (|| -> io::Result<()> {
        let mut tar = tar::Archive::new(File::open(path)?);
        for entry in tar.entries_with_seek()? {
            let entry = entry?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            files.insert(name, (entry.raw_file_position(), entry.size()));
        }
        Ok(())
    })();
    match listed {
        Ok(()) => Ok(Place::Archive(open()?, files)),
        // It ends in the middle, or is something else.
        Err(_) => Err(Error::NotWhole(path.to_owned())),
    }
}

fn part_of(archive: &File, begin: u64, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut bytes = vec![0; length];
    archive.read_exact_at(&mut bytes, begin)?;
    Ok(bytes)
}
