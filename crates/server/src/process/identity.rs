//! Whose directory is this, and as whom does its server run?

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Error, Paths, io};
use crate::files;

/// What `node.json` says: whose directory it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeMark {
    /// The pair's name, for people.
    pub pair: String,
    /// The pair's id, made once and never changed.
    pub pair_id: String,
    /// The node's name.
    pub node: String,
}

/// To whom a node's directory belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// It does not exist, or is empty.
    Nobody,
    /// twinlog made it for this node.
    Marked(NodeMark),
    /// Something is in it that twinlog did not put there.
    Stranger,
}

const MARK: &str = "node.json";

/// Reads to whom a node's directory belongs.
///
/// # Errors
/// [`Error::Io`] when it cannot be read.
pub fn owner(paths: &Paths) -> Result<Owner, Error> {
    let mark = paths.dir.join(MARK);
    match fs::read_to_string(&mark) {
        Ok(text) => Ok(serde_json::from_str(&text).map_or(Owner::Stranger, Owner::Marked)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            match fs::read_dir(&paths.dir) {
                // A claim that was killed leaves an unfinished mark.
                Ok(entries) => Ok(
                    if entries
                        .flatten()
                        .all(|entry| files::is_staged(&entry.file_name()))
                    {
                        Owner::Nobody
                    } else {
                        Owner::Stranger
                    },
                ),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Owner::Nobody),
                Err(error) => Err(io("read", &paths.dir)(error)),
            }
        }
        Err(error) => Err(io("read", &mark)(error)),
    }
}

/// Makes a node's directory and marks it, before anything else is put there.
///
/// # Errors
/// [`Error::Foreign`], [`Error::OtherPair`], [`Error::Unreachable`] or [`Error::Io`].
pub fn claim(paths: &Paths, mark: &NodeMark, run_as: Option<&RunAs>) -> Result<(), Error> {
    match owner(paths)? {
        Owner::Marked(found) if found == *mark => {}
        Owner::Marked(found) => {
            let NodeMark {
                pair,
                pair_id,
                node,
            } = found;
            return Err(Error::OtherPair {
                dir: paths.dir.clone(),
                pair,
                pair_id,
                node,
            });
        }
        Owner::Stranger => {
            return Err(Error::Foreign {
                dir: paths.dir.clone(),
            });
        }
        Owner::Nobody => {
            fs::create_dir_all(&paths.dir).map_err(io("create", &paths.dir))?;
            files::sweep(&paths.dir).map_err(io("clear", &paths.dir))?;
            let path = paths.dir.join(MARK);
            let text = serde_json::to_string_pretty(mark).unwrap_or_default();
            files::create_whole(&path, text.as_bytes(), files::FILE_PUBLIC)
                .map_err(io("write", &path))?;
        }
    }
    make_directories(paths, run_as)?;
    run_as.map_or(Ok(()), |run_as| run_as.can_reach(&paths.dir))
}

/// Makes what a node's server expects to find, where it is not there: a claim may have been killed half-way, and
/// what is below the system's temporary directory does not outlive a reboot.
pub(super) fn make_directories(paths: &Paths, run_as: Option<&RunAs>) -> Result<(), Error> {
    let socket_dir = paths
        .socket()
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default();
    for (dir, mode) in [
        (socket_dir, 0o755),
        (paths.dir.clone(), 0o750),
        (paths.files(), 0o750),
        (paths.tmp(), 0o750),
    ] {
        fs::create_dir_all(&dir).map_err(io("create", &dir))?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(mode))
            .map_err(io("set the mode of", &dir))?;
        give(&dir, run_as)?;
    }
    Ok(())
}

/// Deletes a node's directory, its mark last: killed in between, what is left still says whose it is.
///
/// # Errors
/// [`Error::Io`].
pub fn delete(paths: &Paths) -> Result<(), Error> {
    for entry in fs::read_dir(&paths.dir).map_err(io("read", &paths.dir))? {
        let entry = entry.map_err(io("read", &paths.dir))?;
        let path = entry.path();
        if entry.file_name() == MARK {
            continue;
        }
        let is_dir = entry.file_type().map_err(io("read", &path))?.is_dir();
        if is_dir {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        }
        .map_err(io("delete", &path))?;
    }
    fs::remove_dir_all(&paths.dir).map_err(io("delete", &paths.dir))
}

/// Hands a path to the user that the server runs as.
pub(super) fn give(path: &Path, run_as: Option<&RunAs>) -> Result<(), Error> {
    run_as.map_or(Ok(()), |run_as| {
        chown(path, Some(run_as.uid), Some(run_as.gid)).map_err(io("change the owner of", path))
    })
}

/// The ordinary user that a server runs as when twinlog is called by root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunAs {
    /// The user's name.
    pub name: String,
    /// Its id.
    pub uid: u32,
    /// Its main group.
    pub gid: u32,
}

impl RunAs {
    /// The user to drop to: `None` when twinlog is not root and runs servers as itself; otherwise the configured
    /// user, or `mysql`.
    ///
    /// # Errors
    /// [`Error::NoUser`].
    pub fn choose(configured: Option<&str>) -> Result<Option<Self>, Error> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(None);
        }
        Self::named(configured.unwrap_or("mysql")).map(Some)
    }

    /// A user by name.
    ///
    /// # Errors
    /// [`Error::NoUser`].
    pub fn named(name: &str) -> Result<Self, Error> {
        let user = nix::unistd::User::from_name(name).ok().flatten();
        let user = user.ok_or_else(|| Error::NoUser {
            name: name.to_owned(),
        })?;
        Ok(Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        })
    }

    /// Checks that this user can walk to `path`: every folder above it lets it through.
    ///
    /// # Errors
    /// [`Error::Unreachable`] with the folder that does not.
    pub fn can_reach(&self, path: &Path) -> Result<(), Error> {
        if self.uid == 0 {
            return Ok(());
        }
        let closed = path.ancestors().skip(1).find(|dir| !self.may_enter(dir));
        closed.map_or(Ok(()), |closed| {
            Err(Error::Unreachable {
                user: self.name.clone(),
                path: path.to_owned(),
                closed: closed.to_owned(),
            })
        })
    }

    fn may_enter(&self, dir: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let Ok(meta) = fs::metadata(if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        }) else {
            return true; // It does not exist yet; twinlog makes it enterable.
        };
        let bit = match (meta.uid() == self.uid, meta.gid() == self.gid) {
            (true, _) => 0o100,
            (_, true) => 0o010,
            _ => 0o001,
        };
        meta.mode() & bit != 0
    }
}

/// Hands files of one directory to another user and lets it walk there: certificates that twinlog minted as root.
///
/// # Errors
/// [`Error::Io`].
pub fn give_files(dir: &Path, files: &[PathBuf], run_as: Option<&RunAs>) -> Result<(), Error> {
    if run_as.is_some() {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o711))
            .map_err(io("set the mode of", dir))?;
    }
    files.iter().try_for_each(|file| give(file, run_as))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(pair_id: &str) -> NodeMark {
        NodeMark {
            pair: "shop".into(),
            pair_id: pair_id.into(),
            node: "a".into(),
        }
    }

    #[test]
    fn a_directory_is_claimed_once_and_by_one_pair() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::new(dir.path().join("a"));
        assert_eq!(owner(&paths).expect("readable"), Owner::Nobody);
        claim(&paths, &mark("1"), None).expect("free");
        claim(&paths, &mark("1"), None).expect("ours already");
        assert!(matches!(
            claim(&paths, &mark("2"), None),
            Err(Error::OtherPair { .. })
        ));
    }

    #[test]
    fn a_directory_with_a_strangers_file_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::new(dir.path());
        fs::write(dir.path().join("ibdata1"), "precious").expect("written");
        assert!(matches!(
            claim(&paths, &mark("1"), None),
            Err(Error::Foreign { .. })
        ));
        assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 1);
    }

    #[test]
    fn a_closed_folder_on_the_way_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).expect("mode");
        let nobody = RunAs {
            name: "nobody".into(),
            uid: 65534,
            gid: 65534,
        };
        let error = nobody
            .can_reach(&dir.path().join("x/y"))
            .expect_err("closed");
        assert!(matches!(error, Error::Unreachable { closed, .. } if closed == dir.path()));
    }
}
