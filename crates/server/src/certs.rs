//! A pair's private certificate authority and one certificate per node.
//!
//! One form that every supported server loads, found by trying MySQL 5.6.24 and 9.7.4, MariaDB 10.11.19 and 11.8.6:
//! RSA 2048 keys in PKCS#1 PEM, SHA-256 signatures, and the peer's address both as common name and among the
//! alternative names. MySQL 5.6 (yaSSL) decides: given an EC key or PKCS#8 it starts all the same, with
//! `have_ssl=DISABLED`, and as a replica it compares the common name only. The others match alternative names,
//! addresses included. 5.6 speaks TLS 1.0 at most: servers of its kind use these certificates among themselves,
//! rustls cannot connect to them.
//!
//! The `rsa` crate only generates keys here; every signature is made by `ring`, so the known timing weakness of that
//! crate's private-key operations is out of reach.
//!
//! Files of one directory: `ca.pem`, `ca-key.pem`, and for each node `<node>-cert.pem` and `<node>-key.pem`. A key is
//! written before the certificate that names it and is never replaced, so whoever is killed in between leaves
//! nothing that the next call does not complete.

mod authority;
mod error;
mod x509;

use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use jiff::Timestamp;
use rsa::RsaPrivateKey;
use rsa::pkcs1::{EncodeRsaPrivateKey, LineEnding};

use crate::files::{FILE_PRIVATE, create_private_dir, create_whole};
use authority::Authority;
pub use error::CertError;
use x509::San;

/// Accepted by the oldest server and by the newest.
const KEY_BITS: usize = 2048;

/// A node and what its certificate must vouch for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeNames {
    /// Names the files: `<name>-cert.pem` and `<name>-key.pem`.
    pub name: String,
    /// Host names and IP addresses its peer and twinlog connect to. The first becomes the subject's common name,
    /// which is all that servers of the yaSSL era compare.
    pub sans: Vec<String>,
}

/// The three files a node's server needs (`ssl_ca`, `ssl_cert`, `ssl_key`). A server that runs as another user must
/// be given the right to read them by the caller: they are made for the calling user, the key with mode 0600.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFiles {
    /// Certificate of the authority, mode 0644.
    pub ca: PathBuf,
    /// Certificate of the node, mode 0644.
    pub cert: PathBuf,
    /// Private key of the node, mode 0600.
    pub key: PathBuf,
}

impl NodeFiles {
    /// The files of `node` in `dir`, whether they exist or not.
    #[must_use]
    pub fn of(dir: &Path, node: &str) -> Self {
        Self {
            ca: ca_cert(dir),
            cert: dir.join(format!("{node}-cert.pem")),
            key: dir.join(format!("{node}-key.pem")),
        }
    }

    /// All of them, for whoever copies or hands them over.
    #[must_use]
    pub fn all(&self) -> [&Path; 3] {
        [&self.ca, &self.cert, &self.key]
    }
}

/// A node's certificate as [`ensure`] leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCertificate {
    /// The node.
    pub name: String,
    /// Where its files are.
    pub files: NodeFiles,
    /// This call made the certificate: a running server has to load it anew (`ALTER INSTANCE RELOAD TLS` on MySQL
    /// 8.0.16 and later, `FLUSH SSL` on MariaDB 10.4 and later, a restart on older ones).
    pub minted: bool,
}

/// Makes whatever is missing in `dir` of the authority, the nodes' keys and their certificates.
///
/// What is there is kept, with one exception: a node's certificate is made again, for the same key and by the same
/// authority, when it vouches for other names than wanted, comes from another authority, or expires within 30 days.
/// The authority's key is read only when something must be signed, so it may be kept elsewhere in between.
///
/// # Errors
/// [`CertError`]; what was made before the error is whole and used by the next call.
pub fn ensure(dir: &Path, nodes: &[NodeNames]) -> Result<Vec<NodeCertificate>, CertError> {
    ensure_at(dir, nodes, Timestamp::now())
}

/// Whether [`ensure`] would make anything: something is missing, for other names, or about to expire.
#[must_use]
pub fn is_due(dir: &Path, nodes: &[NodeNames]) -> bool {
    !nodes.is_empty() && !Authority::vouches_for_all(dir, nodes, Timestamp::now()).unwrap_or(false)
}

/// When the (first) certificate in `path` expires.
///
/// # Errors
/// [`CertError::Io`] or [`CertError::NotACertificate`].
pub fn expiry(path: &Path) -> Result<Timestamp, CertError> {
    let der = x509::read_der(path)?.ok_or_else(|| CertError::Io {
        action: "read",
        path: path.to_path_buf(),
        source: io::ErrorKind::NotFound.into(),
    })?;
    x509::parse(path, &der).and_then(|certificate| x509::not_after(path, &certificate))
}

fn ensure_at(
    dir: &Path,
    nodes: &[NodeNames],
    now: Timestamp,
) -> Result<Vec<NodeCertificate>, CertError> {
    for node in nodes {
        check_names(node)?;
    }
    create_private_dir(dir).map_err(|source| CertError::Io {
        action: "create directory",
        path: dir.to_path_buf(),
        source,
    })?;
    generate_missing_keys(dir, nodes)?;
    let authority = Authority::ensure(dir, now)?;
    nodes
        .iter()
        .map(|node| authority.ensure_node(dir, node, now))
        .collect()
}

fn check_names(node: &NodeNames) -> Result<(), CertError> {
    let name = &node.name;
    let of_file_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || name == "ca" || !name.chars().all(of_file_name) {
        return Err(CertError::NodeName(name.clone()));
    }
    if node.sans.is_empty() {
        return Err(CertError::NoNames(name.clone()));
    }
    match node.sans.iter().find(|san| San::parse(san).is_none()) {
        Some(san) => Err(CertError::San {
            node: name.clone(),
            san: san.clone(),
        }),
        None => Ok(()),
    }
}

/// Generates, each on its own thread, the keys that are not there yet.
fn generate_missing_keys(dir: &Path, nodes: &[NodeNames]) -> Result<(), CertError> {
    let mut paths: Vec<PathBuf> = nodes
        .iter()
        .map(|node| NodeFiles::of(dir, &node.name).key)
        .collect();
    if !ca_cert(dir).exists() {
        paths.push(ca_key(dir));
    }
    paths.retain(|path| !path.exists());
    thread::scope(|scope| {
        let generators: Vec<_> = paths
            .iter()
            .map(|path| scope.spawn(|| generate_key(path)))
            .collect();
        generators.into_iter().try_for_each(|generator| {
            generator
                .join()
                .unwrap_or_else(|_| Err(CertError::Generate("the generator panicked".into())))
        })
    })
}

fn generate_key(path: &Path) -> Result<(), CertError> {
    let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, KEY_BITS)
        .map_err(|error| CertError::Generate(error.to_string()))?;
    let pem = key
        .to_pkcs1_pem(LineEnding::LF)
        .map_err(|error| CertError::Generate(error.to_string()))?;
    // Another process may have been first: then its key is the node's.
    create_whole(path, pem.as_bytes(), FILE_PRIVATE)
        .map(|_| ())
        .map_err(|source| CertError::Io {
            action: "write",
            path: path.to_path_buf(),
            source,
        })
}

fn ca_cert(dir: &Path) -> PathBuf {
    dir.join("ca.pem")
}

fn ca_key(dir: &Path) -> PathBuf {
    dir.join("ca-key.pem")
}

#[cfg(test)]
mod tests;
