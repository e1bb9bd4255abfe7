//! Passwords: made, kept and read without ever being shown.
//!
//! Generated ones live one per file in a directory of mode 0700, each file of mode 0600. What others may read is
//! refused rather than used, as ssh does with keys.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rand::Rng;
use secrecy::{ExposeSecret, SecretString};

use crate::files::{DIR_PRIVATE, FILE_PRIVATE, create_private_dir, create_whole};

/// Length of a generated password. MySQL refuses replication passwords above 32 characters (error 3056).
const PASSWORD_CHARS: usize = 32;
/// Needs no quoting or escaping in SQL strings, option files, shells and URLs.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
/// A password file above this is some other file.
const SECRET_BYTES_MAX: u64 = 4096;

const GROUP_AND_OTHERS: u32 = 0o077;
const OTHERS: u32 = 0o007;
const GROUP: u32 = 0o070;

/// Why a secret cannot be had. Never holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A file or directory could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// There is no such file.
    #[error("secret {0} does not exist")]
    Missing(PathBuf),
    /// Its mode lets others in.
    #[error("{path} has mode {mode:04o}, so others than its owner may use it")]
    TooOpen {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Those it should have.
        wanted: u32,
    },
    /// The file or variable holds nothing.
    #[error("{0} is empty")]
    Empty(String),
    /// The file is larger than any password.
    #[error("{0} is larger than {SECRET_BYTES_MAX} bytes, so it is no password file")]
    TooLarge(PathBuf),
    /// The content is not one line of UTF-8.
    #[error("{0} does not hold one line of UTF-8 text")]
    NotOneLine(String),
    /// The variable is not set.
    #[error("environment variable {0} is not set")]
    Unset(String),
    /// A name that cannot be a file name here.
    #[error("{0:?} cannot name a secret")]
    Name(String),
}

impl SecretError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { path, .. } => Some(format!(
                "check owner, mode and free space of {}",
                path.display()
            )),
            Self::Missing(path) => Some(format!(
                "put the password into {} and give it mode 0600",
                path.display()
            )),
            Self::TooOpen { path, wanted, .. } => {
                Some(format!("run: chmod {wanted:o} '{}'", path.display()))
            }
            Self::Empty(place) => Some(format!("put the password into {place}")),
            Self::TooLarge(path) => Some(format!(
                "check that {} is the file you meant",
                path.display()
            )),
            Self::NotOneLine(place) => Some(format!(
                "leave nothing but the password, on one line, in {place}"
            )),
            Self::Unset(name) => Some(format!(
                "export {name}, or name a password_file in the configuration"
            )),
            Self::Name(_) => {
                Some("use letters, digits, '-', '_' and '.', not starting with '.'".into())
            }
        }
    }
}

/// A random password that satisfies the servers' password policies: 32 characters that need no quoting anywhere,
/// among them upper and lower case, a digit and one of `-_.`. About 190 bits.
#[must_use]
pub fn generate_password() -> SecretString {
    let mut rng = rand::rng();
    loop {
        let mut password = String::with_capacity(PASSWORD_CHARS);
        for _ in 0..PASSWORD_CHARS {
            password.push(char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]));
        }
        // Trying again, rather than placing one of each kind, keeps all acceptable passwords equally likely.
        if satisfies_policies(&password) {
            return SecretString::from(password);
        }
    }
}

/// One character of each kind, and no sign in front that a command line could take for an option.
fn satisfies_policies(password: &str) -> bool {
    let has = |kind: fn(&char) -> bool| password.chars().any(|c| kind(&c));
    password.starts_with(|c: char| c.is_ascii_alphanumeric())
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_digit)
        && has(char::is_ascii_punctuation)
}

/// A directory of generated secrets, one file each.
#[derive(Debug, Clone)]
pub struct SecretStore {
    dir: PathBuf,
}

impl SecretStore {
    /// The store in `dir`, which is created with the first secret.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The secret called `name`, generated if there is none. Whoever is killed here leaves none or a whole one, and
    /// all who ask at the same time get the same.
    ///
    /// # Errors
    /// As [`SecretStore::read`], but for [`SecretError::Missing`].
    pub fn get_or_create(&self, name: &str) -> Result<SecretString, SecretError> {
        match self.read(name) {
            Err(SecretError::Missing(path)) => self.create(&path).and_then(|()| self.read(name)),
            found => found,
        }
    }

    /// The secret called `name`.
    ///
    /// # Errors
    /// [`SecretError::Missing`] when there is none; [`SecretError::TooOpen`] when others may read it or enter the
    /// directory; [`SecretError::Empty`] and the rest when the file is not what this store writes.
    pub fn read(&self, name: &str) -> Result<SecretString, SecretError> {
        let path = self.path(name)?;
        let secret = read_file(&path, |path, mode| {
            refuse(path, mode, GROUP_AND_OTHERS, FILE_PRIVATE)
        })?;
        self.check_dir()?;
        Ok(secret)
    }

    /// Where the secret called `name` is or would be, for settings that take a file.
    ///
    /// # Errors
    /// [`SecretError::Name`].
    pub fn path(&self, name: &str) -> Result<PathBuf, SecretError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
            return Err(SecretError::Name(name.to_owned()));
        }
        Ok(self.dir.join(name))
    }

    fn create(&self, path: &Path) -> Result<(), SecretError> {
        create_private_dir(&self.dir)
            .map_err(|source| io_error("create directory", &self.dir, source))?;
        self.check_dir()?;
        let password = generate_password();
        // `false` means another process was first; its secret is the one.
        create_whole(path, password.expose_secret().as_bytes(), FILE_PRIVATE)
            .map(|_| ())
            .map_err(|source| io_error("write", path, source))
    }

    fn check_dir(&self) -> Result<(), SecretError> {
        let found =
            fs::metadata(&self.dir).map_err(|source| io_error("read", &self.dir, source))?;
        refuse(
            &self.dir,
            found.permissions().mode(),
            GROUP_AND_OTHERS,
            DIR_PRIVATE,
        )
    }
}

/// The password in a user's `password_file`: its one line, without the newline at the end.
///
/// A file everybody may read or write is refused. One that a group may use is accepted with a warning in the log:
/// root's file for a service's group is a common arrangement.
///
/// # Errors
/// [`SecretError`], never with anything of the content.
pub fn read_password_file(path: &Path) -> Result<SecretString, SecretError> {
    read_file(path, |path, mode| {
        refuse(path, mode, OTHERS, FILE_PRIVATE)?;
        if mode & GROUP != 0 {
            tracing::warn!(path = %path.display(), "password file is open to its group; mode 0600 is safer");
        }
        Ok(())
    })
}

/// The password in the environment variable called `name` (`password_env`).
///
/// # Errors
/// [`SecretError::Unset`], [`SecretError::Empty`] or [`SecretError::NotOneLine`].
pub fn read_password_env(name: &str) -> Result<SecretString, SecretError> {
    // `var_os` panics on no name at all, on '=' and on NUL, none of which a variable can have.
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(SecretError::Unset(name.to_owned()));
    }
    let place = format!("environment variable {name}");
    match env::var_os(name).map(|value| value.into_string()) {
        None => Err(SecretError::Unset(name.to_owned())),
        Some(Err(_)) => Err(SecretError::NotOneLine(place)),
        Some(Ok(value)) => one_line(value, place),
    }
}

fn read_file(
    path: &Path,
    check_mode: impl FnOnce(&Path, u32) -> Result<(), SecretError>,
) -> Result<SecretString, SecretError> {
    let mut file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => SecretError::Missing(path.to_path_buf()),
        _ => io_error("open", path, source),
    })?;
    // Of the open file, so that what is checked is what is read.
    let metadata = file
        .metadata()
        .map_err(|source| io_error("read", path, source))?;
    check_mode(path, metadata.permissions().mode() & 0o777)?;
    let mut content = Vec::with_capacity(SECRET_BYTES_MAX as usize + 1);
    file.by_ref()
        .take(SECRET_BYTES_MAX + 1)
        .read_to_end(&mut content)
        .map_err(|source| io_error("read", path, source))?;
    if content.len() as u64 > SECRET_BYTES_MAX {
        return Err(SecretError::TooLarge(path.to_path_buf()));
    }
    let place = path.display().to_string();
    match String::from_utf8(content) {
        Ok(text) => one_line(text, place),
        Err(_) => Err(SecretError::NotOneLine(place)),
    }
}

/// `text` without one trailing newline, if that leaves something, and that on one line.
fn one_line(mut text: String, place: String) -> Result<SecretString, SecretError> {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        return Err(SecretError::Empty(place));
    }
    if text.contains(['\n', '\r', '\0']) {
        return Err(SecretError::NotOneLine(place));
    }
    Ok(SecretString::from(text))
}

fn refuse(path: &Path, mode: u32, forbidden: u32, wanted: u32) -> Result<(), SecretError> {
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(SecretError::TooOpen {
        path: path.to_path_buf(),
        mode: mode & 0o777,
        wanted,
    })
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> SecretError {
    SecretError::Io {
        action,
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests;
