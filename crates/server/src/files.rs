//! Files that appear whole or not at all, with the mode they are meant to have.
//!
//! Everything is written to a temporary file in the same directory, flushed to disk and then named. A process
//! killed at any point leaves the old state or the new one, and of two processes that create the same file one wins
//! and the other learns that it lost.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

/// Mode of a directory only its owner may enter.
pub const DIR_PRIVATE: u32 = 0o700;
/// Mode of a file only its owner may read.
pub const FILE_PRIVATE: u32 = 0o600;
/// Mode of a file everybody may read.
pub const FILE_PUBLIC: u32 = 0o644;

/// What the names of files begin with that are not whole yet.
const STAGED: &str = ".new-";

/// Creates `dir` and its missing parents, each with mode 0700. A directory that exists is left as it is.
pub fn create_private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(DIR_PRIVATE)
        .create(dir)
}

/// Creates `path` with `content` unless it exists, in which case nothing is touched and the answer is `false`.
pub fn create_whole(path: &Path, content: &[u8], mode: u32) -> io::Result<bool> {
    let (dir, staged) = stage(path, content, mode)?;
    match staged.persist_noclobber(path) {
        Ok(_) => sync_dir(dir).map(|()| true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

/// Puts `content` at `path`, in place of what was there.
pub fn replace_whole(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let (dir, staged) = stage(path, content, mode)?;
    staged.persist(path).map_err(|error| error.error)?;
    sync_dir(dir)
}

/// Writes `content` to an unnamed-to-be file next to `path`, flushed and with its final mode.
fn stage<'a>(path: &'a Path, content: &[u8], mode: u32) -> io::Result<(&'a Path, NamedTempFile)> {
    let dir = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Created with mode 0600; widened, if at all, only once it is written, and whatever the umask says.
    let mut staged = Builder::new().prefix(STAGED).tempfile_in(dir)?;
    staged.write_all(content)?;
    staged
        .as_file()
        .set_permissions(Permissions::from_mode(mode))?;
    staged.as_file().sync_all()?;
    Ok((dir, staged))
}

/// Whether this is the name of a file that a killed process was writing.
pub fn is_staged(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(STAGED.as_bytes())
}

/// Deletes the files in `dir` that killed processes were writing. Nobody may be writing there now.
pub fn sweep(dir: &Path) -> io::Result<()> {
    for entry in dir.read_dir()? {
        let entry = entry?;
        if is_staged(&entry.file_name()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A new name lasts through a power cut only once its directory is flushed.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_first_creator_wins_and_nothing_is_left_beside_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        assert!(create_whole(&path, b"one", FILE_PRIVATE).unwrap());
        assert!(!create_whole(&path, b"two", FILE_PRIVATE).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(mode(&path), FILE_PRIVATE);
        replace_whole(&path, b"three", FILE_PUBLIC).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(mode(&path), FILE_PUBLIC);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_process_was_writing_is_swept_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (_, staged) = stage(&dir.path().join("a"), b"half", FILE_PUBLIC).unwrap();
        let (_, path) = staged.keep().unwrap();
        assert!(is_staged(path.file_name().unwrap()));
        create_whole(&dir.path().join("b"), b"whole", FILE_PUBLIC).unwrap();
        sweep(dir.path()).unwrap();
        assert!(!path.exists() && dir.path().join("b").exists());
    }

    #[test]
    fn made_directories_are_private_and_existing_ones_untouched() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        create_private_dir(&inner).unwrap();
        assert_eq!(mode(&inner), DIR_PRIVATE);
        assert_eq!(mode(&dir.path().join("a")), DIR_PRIVATE);
        fs::set_permissions(&inner, Permissions::from_mode(0o755)).unwrap();
        create_private_dir(&inner).unwrap();
        assert_eq!(mode(&inner), 0o755);
    }
}
