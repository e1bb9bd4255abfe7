//! TLS for the connection, as an [`Endpoint`](twinlog_server::conn::Endpoint) asks for it.

use std::{path::Path, sync::Arc};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{self, CryptoProvider},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    },
};
use twinlog_server::conn::ClientTls;

use super::Error;

/// What makes a connection secret; `None` where none is asked for.
pub(super) async fn connector(tls: &ClientTls) -> Result<Option<TlsConnector>, Error> {
    let ClientTls::Required { ca } = tls else {
        return Ok(None);
    };
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Certificate(error.to_string()))?;
    let config = match ca {
        Some(ca) => builder
            .with_root_certificates(roots(ca).await?)
            .with_no_client_auth(),
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
            .with_no_client_auth(),
    };
    Ok(Some(TlsConnector::from(Arc::new(config))))
}

/// Makes a connection secret and checks who is at its other end.
pub(super) async fn secure(
    stream: TcpStream,
    host: &str,
    connector: &TlsConnector,
) -> Result<TlsStream<TcpStream>, Error> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Error::Certificate(format!("{host} cannot be the name in a certificate")))?;
    connector.connect(name, stream).await.map_err(|error| {
        let cause = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match cause {
            // What it was, or the server's own word that the two do not get along.
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_)) => {
                Error::Certificate(error.to_string())
            }
            Some(rustls::Error::PeerIncompatible(_)) => Error::NoTls,
            _ => Error::Io(error),
        }
    })
}

async fn roots(ca: &Path) -> Result<RootCertStore, Error> {
    let unusable = |reason: String| Error::Certificate(format!("{}: {reason}", ca.display()));
    let pem = tokio::fs::read(ca)
        .await
        .map_err(|error| unusable(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("no certificate is in it".into()));
    }
    Ok(roots)
}

/// Takes any certificate: what [`ClientTls::Required`] without an authority stands for.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls12_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls13_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
