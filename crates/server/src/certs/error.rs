//! What can go wrong with certificates.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

/// What went wrong with a pair's certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertError {
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
    /// A node's name that cannot be part of a file name here.
    #[error("node name {0:?} cannot name a certificate")]
    NodeName(String),
    /// A node without a single name or address to certify.
    #[error("node {0} has no host name or address to certify")]
    NoNames(String),
    /// Neither an IP address nor a host name.
    #[error("{san:?} of node {node} is neither an IP address nor a host name")]
    San {
        /// The node it was given for.
        node: String,
        /// The text that was given.
        san: String,
    },
    /// A key file that holds something else.
    #[error("{0} is not an RSA private key in PKCS#1 PEM form")]
    NotAKey(PathBuf),
    /// A certificate file that holds something else.
    #[error("{0} is not a certificate in PEM form")]
    NotACertificate(PathBuf),
    /// The authority is there, but not the key to sign with.
    #[error("{0} has no ca-key.pem beside it to sign with")]
    CaKeyMissing(PathBuf),
    /// The authority's key is another authority's.
    #[error("{0} and the ca-key.pem beside it do not belong together")]
    CaKeyForeign(PathBuf),
    /// The authority expired; so did everything it signed.
    #[error("certificate authority {path} expired on {at}")]
    CaExpired {
        /// Its certificate.
        path: PathBuf,
        /// When it expired.
        at: Timestamp,
    },
    /// No key could be generated.
    #[error("cannot generate an RSA key: {0}")]
    Generate(String),
    /// No certificate could be made.
    #[error("cannot make a certificate for {subject}: {source}")]
    Sign {
        /// For whom.
        subject: String,
        /// Why not.
        source: rcgen::Error,
    },
}

impl CertError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { path, .. } => Some(format!(
                "check owner, mode and free space of {}",
                path.display()
            )),
            Self::NodeName(_) => Some(
                "use letters, digits, '-', '_' and '.', not starting with '.', and not the name \"ca\""
                    .into(),
            ),
            Self::NoNames(node) | Self::San { node, .. } => Some(format!(
                "give node {node} the host name or IP address its peer connects to"
            )),
            Self::NotAKey(path) | Self::NotACertificate(path) => Some(format!(
                "restore {} from a backup, or move it away to have a new one made",
                path.display()
            )),
            Self::CaKeyMissing(ca) | Self::CaKeyForeign(ca) | Self::CaExpired { path: ca, .. } => {
                let dir = ca.parent().unwrap_or(ca);
                Some(format!(
                    "restore the authority's key, or move {} away to have a new authority and new certificates made for all nodes",
                    dir.display()
                ))
            }
            Self::Generate(_) | Self::Sign { .. } => None,
        }
    }
}
