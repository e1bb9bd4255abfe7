//! Reading certificates and keys back from their files.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use jiff::Timestamp;
use rcgen::KeyPair;
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey;
use secrecy::{ExposeSecret, SecretString};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer;

use super::CertError;

/// A name a certificate vouches for, comparable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum San {
    Ip(IpAddr),
    Host(String),
}

impl San {
    /// `None` when `text` is neither an address nor made of a host name's characters.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(ip) = text.parse() {
            return Some(Self::Ip(ip));
        }
        let of_label = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let is_label = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(of_label);
        (text.len() <= 253 && text.split('.').all(is_label))
            .then(|| Self::Host(text.to_ascii_lowercase()))
    }

    fn from_general_name(name: &GeneralName<'_>) -> Option<Self> {
        match name {
            GeneralName::DNSName(host) => Some(Self::Host(host.to_ascii_lowercase())),
            GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
                .map(IpAddr::from)
                .or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from))
                .ok()
                .map(Self::Ip),
            _ => None,
        }
    }
}

/// Content of a text file; `None` when there is none.
fn read(path: &Path) -> Result<Option<String>, CertError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CertError::Io {
            action: "read",
            path: path.to_path_buf(),
            source,
        }),
    }
}

/// DER of the first certificate in `path`; `None` when there is no such file.
pub(super) fn read_der(path: &Path) -> Result<Option<Vec<u8>>, CertError> {
    let Some(text) = read(path)? else {
        return Ok(None);
    };
    match parse_x509_pem(text.as_bytes()) {
        Ok((_, pem)) if pem.label == "CERTIFICATE" => Ok(Some(pem.contents)),
        _ => Err(CertError::NotACertificate(path.to_path_buf())),
    }
}

/// The certificate that `der`, read from `path`, encodes.
pub(super) fn parse<'a>(path: &Path, der: &'a [u8]) -> Result<X509Certificate<'a>, CertError> {
    X509Certificate::from_der(der)
        .map(|(_, certificate)| certificate)
        .map_err(|_| CertError::NotACertificate(path.to_path_buf()))
}

/// End of its validity.
pub(super) fn not_after(
    path: &Path,
    certificate: &X509Certificate<'_>,
) -> Result<Timestamp, CertError> {
    Timestamp::from_second(certificate.validity().not_after.timestamp())
        .map_err(|_| CertError::NotACertificate(path.to_path_buf()))
}

/// Names and addresses it vouches for, sorted. Kinds of names that twinlog never writes are left out.
pub(super) fn sans(certificate: &X509Certificate<'_>) -> Vec<San> {
    let mut sans: Vec<San> = match certificate.subject_alternative_name() {
        Ok(Some(names)) => names
            .value
            .general_names
            .iter()
            .filter_map(San::from_general_name)
            .collect(),
        _ => Vec::new(),
    };
    sans.sort();
    sans
}

/// The key in `path`, ready to sign; `None` when there is no such file.
pub(super) fn read_key(path: &Path) -> Result<Option<KeyPair>, CertError> {
    let Some(pem) = read(path)?.map(SecretString::from) else {
        return Ok(None);
    };
    // `ring` signs with PKCS#8 keys, old servers read PKCS#1 files.
    let pkcs8 = RsaPrivateKey::from_pkcs1_pem(pem.expose_secret())
        .ok()
        .and_then(|key| key.to_pkcs8_der().ok());
    pkcs8
        .and_then(|der| KeyPair::try_from(der.as_bytes()).ok())
        .map(Some)
        .ok_or_else(|| CertError::NotAKey(path.to_path_buf()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_and_host_names_are_told_apart() {
        assert_eq!(
            San::parse("127.0.0.1"),
            Some(San::Ip("127.0.0.1".parse().unwrap()))
        );
        assert_eq!(San::parse("::1"), Some(San::Ip("::1".parse().unwrap())));
        assert_eq!(San::parse("DB-1.x"), Some(San::Host("db-1.x".into())));
        for bad in ["", "a..b", "a b", "*.x", "http://x", "ü", ".x"] {
            assert_eq!(San::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let path = Path::new("x");
            if let Ok(certificate) = parse(path, &bytes) {
                let _ = (not_after(path, &certificate), sans(&certificate));
            }
        }
    }
}
