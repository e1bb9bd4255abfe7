//! A new file that is there whole, or not at all.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::error::ConfigError;

/// Writes a new file, whole or not at all, and never over an existing one.
///
/// # Errors
/// [`ConfigError::Exists`], [`ConfigError::Write`].
pub fn write_new(file: &Path, text: &str) -> Result<(), ConfigError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => ConfigError::Exists {
            file: file.to_path_buf(),
        },
        _ => ConfigError::Write {
            file: file.to_path_buf(),
            source,
        },
    };
    let dir = match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    // Not a secret: readable as the user's umask allows.
    let mode = std::fs::Permissions::from_mode(0o666);
    let mut temporary = tempfile::Builder::new()
        .prefix(".twinlog-")
        .permissions(mode)
        .tempfile_in(dir)
        .map_err(failed)?;
    temporary.write_all(text.as_bytes()).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary
        .persist_noclobber(file)
        .map_err(|error| failed(error.error))?;
    Ok(())
}
