//! The private authority of a pair: made once, then signing for its nodes.

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::RngCore;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SerialNumber, date_time_ymd,
};

use super::x509::{self, San};
use super::{CertError, NodeCertificate, NodeFiles, NodeNames, ca_cert, ca_key};
use crate::files::{FILE_PUBLIC, create_whole, replace_whole};

/// A clock that is behind by less than this still finds a fresh certificate valid.
const BACKDATED: SignedDuration = SignedDuration::from_hours(24);
/// Life of a node's certificate: ten years.
const NODE_LIFE: SignedDuration = SignedDuration::from_hours(24 * 3652);
/// Life of the authority: twice a node's, so that a node renewed late in its life gains something.
const CA_LIFE: SignedDuration = SignedDuration::from_hours(2 * 24 * 3652);
/// A node's certificate is renewed when it expires within this.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(24 * 30);
/// RFC 5280 allows 20 bytes; 16 random ones never collide.
const SERIAL_BYTES: usize = 16;
/// Longest common name X.509 allows.
const COMMON_NAME_BYTES_MAX: usize = 64;

/// The authority as it is on disk.
pub(super) struct Authority {
    der: Vec<u8>,
    not_after: Timestamp,
}

impl Authority {
    /// Reads the authority of `dir`, or makes it with the key that is there.
    pub(super) fn ensure(dir: &Path, now: Timestamp) -> Result<Self, CertError> {
        let path = ca_cert(dir);
        let der = match x509::read_der(&path)? {
            Some(der) => der,
            None => {
                write_authority(dir, now)?;
                // Read back: another process may have been first.
                x509::read_der(&path)?.ok_or_else(|| CertError::NotACertificate(path.clone()))?
            }
        };
        let not_after = x509::not_after(&path, &x509::parse(&path, &der)?)?;
        if not_after <= now {
            return Err(CertError::CaExpired {
                path,
                at: not_after,
            });
        }
        Ok(Self { der, not_after })
    }

    /// Whether there is an authority in `dir` and every node has a certificate of it that need not be made again.
    pub(super) fn vouches_for_all(
        dir: &Path,
        nodes: &[NodeNames],
        now: Timestamp,
    ) -> Result<bool, CertError> {
        let path = ca_cert(dir);
        let Some(der) = x509::read_der(&path)? else {
            return Ok(false);
        };
        let not_after = x509::not_after(&path, &x509::parse(&path, &der)?)?;
        let authority = Self { der, not_after };
        for node in nodes {
            let files = NodeFiles::of(dir, &node.name);
            let Some(key) = x509::read_key(&files.key)? else {
                return Ok(false);
            };
            if !authority.vouches_for(node, &files.cert, &key, now)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Leaves `node` with a certificate of this authority that is good for its names and some time to come.
    pub(super) fn ensure_node(
        &self,
        dir: &Path,
        node: &NodeNames,
        now: Timestamp,
    ) -> Result<NodeCertificate, CertError> {
        let files = NodeFiles::of(dir, &node.name);
        let key =
            x509::read_key(&files.key)?.ok_or_else(|| CertError::NotAKey(files.key.clone()))?;
        let minted = !self.vouches_for(node, &files.cert, &key, now)?;
        if minted {
            let pem = self.sign(dir, node, &key, now)?;
            replace_whole(&files.cert, pem.as_bytes(), FILE_PUBLIC)
                .map_err(|source| write_error(&files.cert, source))?;
        }
        Ok(NodeCertificate {
            name: node.name.clone(),
            files,
            minted,
        })
    }

    /// Whether the certificate in `path` is this authority's, for this key and these names, and far from its end.
    fn vouches_for(
        &self,
        node: &NodeNames,
        path: &Path,
        key: &KeyPair,
        now: Timestamp,
    ) -> Result<bool, CertError> {
        let Some(der) = x509::read_der(path)? else {
            return Ok(false);
        };
        let certificate = x509::parse(path, &der)?;
        let ca_path = ca_cert(path.parent().unwrap_or(path));
        let ca = x509::parse(&ca_path, &self.der)?;
        let not_after = x509::not_after(path, &certificate)?;
        let worth_renewing =
            not_after.duration_since(now) < RENEW_BEFORE && self.not_after > not_after;
        Ok(!worth_renewing
            && certificate.public_key().raw == key.subject_public_key_info()
            && x509::sans(&certificate) == wanted(node)
            && common_name(&certificate) == Some(subject_name(node))
            && certificate.issuer() == ca.subject()
            && certificate.verify_signature(Some(ca.public_key())).is_ok())
    }

    fn sign(
        &self,
        dir: &Path,
        node: &NodeNames,
        key: &KeyPair,
        now: Timestamp,
    ) -> Result<String, CertError> {
        let path = ca_cert(dir);
        let ca_key =
            x509::read_key(&ca_key(dir))?.ok_or_else(|| CertError::CaKeyMissing(path.clone()))?;
        if x509::parse(&path, &self.der)?.public_key().raw != ca_key.subject_public_key_info() {
            return Err(CertError::CaKeyForeign(path));
        }
        let sign = || {
            let mut params = CertificateParams::new(node.sans.clone())?;
            params.distinguished_name = named(subject_name(node));
            params.is_ca = IsCa::ExplicitNoCa;
            params.key_usages = vec![
                KeyUsagePurpose::DigitalSignature,
                // The key exchange of the oldest servers encrypts to the key.
                KeyUsagePurpose::KeyEncipherment,
            ];
            // A node is a server to its clients and a client of its peer.
            params.extended_key_usages = vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ];
            params.use_authority_key_identifier_extension = true;
            set_life(&mut params, now, (now + NODE_LIFE).min(self.not_after));
            let issuer = Issuer::from_ca_cert_der(&self.der.as_slice().into(), ca_key)?;
            params.signed_by(key, &issuer)
        };
        sign()
            .map(|certificate| certificate.pem())
            .map_err(|source| CertError::Sign {
                subject: node.name.clone(),
                source,
            })
    }
}

fn write_authority(dir: &Path, now: Timestamp) -> Result<(), CertError> {
    let path = ca_cert(dir);
    let key = x509::read_key(&ca_key(dir))?.ok_or_else(|| CertError::CaKeyMissing(path.clone()))?;
    // Random, for libraries look an issuer up by its name: two pairs' authorities must not share one.
    let name = format!("twinlog CA {:08x}", rand::rng().next_u32());
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name.clone());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_life(&mut params, now, now + CA_LIFE);
    let certificate = params.self_signed(&key).map_err(|source| CertError::Sign {
        subject: name,
        source,
    })?;
    create_whole(&path, certificate.pem().as_bytes(), FILE_PUBLIC)
        .map(|_| ())
        .map_err(|source| write_error(&path, source))
}

fn set_life(params: &mut CertificateParams, now: Timestamp, end: Timestamp) {
    let date = |at: Timestamp| {
        // A clock before 1970 is clamped there.
        let since_epoch = Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0));
        date_time_ymd(1970, 1, 1) + since_epoch
    };
    let mut serial = [0; SERIAL_BYTES];
    rand::rng().fill_bytes(&mut serial);
    // Positive, and as long as it says.
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = date(now - BACKDATED);
    params.not_after = date(end);
}

fn named(common_name: String) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// The first name or address, where it fits: old servers compare nothing else.
fn subject_name(node: &NodeNames) -> String {
    node.sans
        .first()
        .filter(|san| san.len() <= COMMON_NAME_BYTES_MAX)
        .unwrap_or(&node.name)
        .clone()
}

fn common_name(certificate: &x509_parser::certificate::X509Certificate<'_>) -> Option<String> {
    let name = certificate.subject().iter_common_name().next()?;
    name.as_str().ok().map(str::to_owned)
}

fn wanted(node: &NodeNames) -> Vec<San> {
    let mut sans: Vec<San> = node.sans.iter().filter_map(|san| San::parse(san)).collect();
    sans.sort();
    sans
}

fn write_error(path: &Path, source: std::io::Error) -> CertError {
    CertError::Io {
        action: "write",
        path: path.to_path_buf(),
        source,
    }
}
