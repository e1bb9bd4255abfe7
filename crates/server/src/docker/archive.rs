//! Files in and out of a container, as the tar archives that the engine takes and gives.
//!
//! Secrets go in this way, into a container that was created and not started: they are in no environment variable, no
//! command line, no directory of this machine, and not in what `docker inspect` shows.
//!
//! Who may read them: the server's user, which is looked up in the image's own `/etc/passwd`. Today's entry scripts read
//! the password file as root (who may, by DAC_OVERRIDE) and older ones as that user, and the server reads its TLS key as
//! that user; so owner and 0400 suffice for all, whatever the user's number is.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret, SecretString};
use tar::{Archive, Builder, EntryType, Header};

use super::spec::{CONFIG_FILE, ContainerSpec, ROOT_PASSWORD_FILE, UPLOAD_DIR};

/// The user that the public images run the server as.
pub(super) const SERVER_USER: &str = "mysql";

const PASSWORD_MODE: u32 = 0o400;

/// Who owns a file in the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    uid: u64,
    gid: u64,
}

impl Owner {
    pub(super) const ROOT: Self = Self { uid: 0, gid: 0 };
}

/// The files of a container, to be unpacked at `/`.
pub(super) fn pack(spec: &ContainerSpec, server: Owner) -> io::Result<Vec<u8>> {
    // Without a password the file is there all the same: the variable that names it is part of every container.
    let no_password = SecretString::default();
    let password = spec.root_password.as_ref().unwrap_or(&no_password);
    let mut files = vec![
        (CONFIG_FILE, 0o644, Owner::ROOT, spec.config.as_str()),
        (
            ROOT_PASSWORD_FILE,
            PASSWORD_MODE,
            server,
            password.expose_secret(),
        ),
    ];
    for file in &spec.files {
        files.push((&file.path, file.mode, server, file.contents.expose_secret()));
    }

    let mut archive = Builder::new(Vec::new());
    for directory in directories(files.iter().map(|(path, ..)| *path)) {
        append(
            &mut archive,
            &directory,
            EntryType::Directory,
            0o755,
            Owner::ROOT,
            b"",
        )?;
    }
    for (path, mode, owner, contents) in files {
        append(
            &mut archive,
            path,
            EntryType::Regular,
            mode,
            owner,
            contents.as_bytes(),
        )?;
    }
    archive.into_inner()
}

/// One file that everyone may read, to be unpacked at the directory it is for.
pub(super) fn pack_one(name: &str, contents: &str) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    append(
        &mut archive,
        name,
        EntryType::Regular,
        0o644,
        Owner::ROOT,
        contents.as_bytes(),
    )?;
    archive.into_inner()
}

/// The directories of these files that are twinlog's to make, outermost first. Others exist by the image's contract,
/// and an entry for one of them would change its mode.
fn directories<'a>(paths: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    paths
        .flat_map(|path| Path::new(path).ancestors().skip(1))
        .filter(|directory| directory.starts_with(UPLOAD_DIR))
        .filter_map(|directory| directory.to_str().map(str::to_owned))
        .collect()
}

fn append(
    archive: &mut Builder<Vec<u8>>,
    path: &str,
    kind: EntryType,
    mode: u32,
    owner: Owner,
    contents: &[u8],
) -> io::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner.uid);
    header.set_gid(owner.gid);
    header.set_mtime(now.map_or(0, |since| since.as_secs()));
    header.set_size(contents.len() as u64);
    archive.append_data(&mut header, path.trim_start_matches('/'), contents)
}

/// The text of the one file that an archive from the engine holds.
pub(super) fn unpack_one(archive: &[u8]) -> io::Result<String> {
    let mut text = String::new();
    for entry in Archive::new(archive).entries()? {
        entry?.read_to_string(&mut text)?;
    }
    Ok(text)
}

/// The server's user by a container's `/etc/passwd`.
pub(super) fn server_user(passwd: &str) -> Option<Owner> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        // After the name, the password's place.
        let (uid, gid) = (fields.nth(1)?, fields.next()?);
        (name == SERVER_USER).then_some(())?;
        Some(Owner {
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    use uuid::Uuid;

    use super::super::names::NodeId;
    use super::super::spec::Upload;
    use super::*;

    #[test]
    fn the_servers_user_is_found_by_name() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nmysqlx:x:5:6::/:/bin/sh\nmysql:x:999:998::/var/lib/mysql:/bin/false\n";
        assert_eq!(server_user(passwd), Some(Owner { uid: 999, gid: 998 }));
        assert_eq!(server_user("root:x:0:0:root:/root:/bin/bash\n"), None);
        assert_eq!(server_user("mysql:x:many:1::/:/bin/sh\nmysql\n"), None);
    }

    #[test]
    fn secrets_are_the_servers_alone() {
        let spec = ContainerSpec {
            node: NodeId {
                pair: "shop".into(),
                pair_id: Uuid::nil(),
                node: "a".into(),
            },
            image: String::new(),
            port: 3307,
            bind_address: Ipv4Addr::LOCALHOST.into(),
            memory_bytes: None,
            cpus: None,
            config: "[mysqld]\n".into(),
            root_password: None,
            files: vec![Upload {
                path: "/etc/twinlog/tls/key.pem".into(),
                mode: 0o400,
                contents: "key".into(),
            }],
            env: BTreeMap::new(),
        };
        let packed = pack(&spec, Owner { uid: 999, gid: 998 }).expect("packing in memory works");
        let mut seen = Vec::new();
        for entry in Archive::new(packed.as_slice())
            .entries()
            .expect("it is an archive")
        {
            let entry = entry.expect("it is whole");
            let header = entry.header();
            let path = entry.path().expect("a path").display().to_string();
            let mode = header.mode().expect("a mode");
            let (uid, gid) = (
                header.uid().expect("a user"),
                header.gid().expect("a group"),
            );
            seen.push(format!("{path} {mode:o} {uid}:{gid} {}", entry.size()));
        }
        assert_eq!(
            seen,
            [
                "etc/twinlog 755 0:0 0",
                "etc/twinlog/tls 755 0:0 0",
                "etc/mysql/conf.d/twinlog.cnf 644 0:0 9",
                "etc/twinlog/root-password 400 999:998 0",
                "etc/twinlog/tls/key.pem 400 999:998 3",
            ]
        );
    }
}
