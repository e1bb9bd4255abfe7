//! Logging in.

use bytes::{Buf, BufMut};
use mysql_common::packets::AuthPlugin;
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use twinlog_server::conn::Endpoint;

use super::{
    END, ERROR, Error, Wire,
    packet::{HEADER_BYTES, ServerError},
    tls,
};

/// What this client can do (names and numbers of the protocol): passwords as every version since 4.1 takes them, plugins
/// to log in with, attributes that `performance_schema` shows.
const CAPABILITIES: u32 =
    LONG_PASSWORD | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH | CONNECT_ATTRS;
const LONG_PASSWORD: u32 = 1;
const PROTOCOL_41: u32 = 1 << 9;
const TLS: u32 = 1 << 11;
const TRANSACTIONS: u32 = 1 << 13;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTH: u32 = 1 << 19;
const CONNECT_ATTRS: u32 = 1 << 20;

/// What `performance_schema.session_connect_attrs` shows of this connection.
const PROGRAM_NAME: (&str, &str) = ("program_name", "twinlog");
const PROTOCOL_VERSION: u8 = 10;
/// More than any login needs: a switch of plugins, a key, the server's consent.
const LOGIN_PACKETS_MAX: usize = 8;
/// utf8mb4_general_ci, which every version has.
const COLLATION: u8 = 45;
/// The length of the random text in a greeting.
const NONCE_BYTES: usize = 20;
const OK: u8 = 0;
const MORE: u8 = 1;
/// `caching_sha2_password`: the server knows the password from before.
const SHA2_KNOWN: u8 = 3;
/// `caching_sha2_password`: the server wants the password itself.
const SHA2_FULL: u8 = 4;
/// `caching_sha2_password`: what asks for the server's public key.
const SHA2_ASK_KEY: u8 = 2;

/// What a server says first.
pub(super) struct Greeting {
    capabilities: u32,
    nonce: Vec<u8>,
    plugin: AuthPlugin<'static>,
}

impl Greeting {
    /// Reads it, and not one byte more: what follows may be TLS.
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Self, Error> {
        let mut header = [0; HEADER_BYTES];
        stream.read_exact(&mut header).await?;
        let mut packet = vec![0; usize::from(u16::from_le_bytes([header[0], header[1]]))];
        stream.read_exact(&mut packet).await?;
        if packet.first() == Some(&ERROR) {
            return Err(Error::Server(ServerError::parse(&packet)));
        }
        Self::parse(&packet).ok_or(Error::Protocol("the greeting cannot be read"))
    }

    fn parse(mut packet: &[u8]) -> Option<Self> {
        if packet.try_get_u8().ok()? != PROTOCOL_VERSION {
            return None;
        }
        take_text(&mut packet);
        packet.try_get_u32_le().ok()?;
        let (first, mut rest) = packet.split_at_checked(8)?;
        rest = rest.get(1..)?;
        let low = rest.try_get_u16_le().ok()?;
        // Collation and status.
        rest = rest.get(3..)?;
        let high = rest.try_get_u16_le().ok()?;
        // The nonce's length, and ten bytes without a use here.
        rest = rest.get(11..)?;
        let (second, mut rest) = rest.split_at_checked(13)?;
        let mut nonce = [first, second].concat();
        nonce.truncate(NONCE_BYTES);
        Some(Self {
            capabilities: u32::from(low) | u32::from(high) << 16,
            nonce,
            plugin: AuthPlugin::from_bytes(take_text(&mut rest)).into_owned(),
        })
    }

    /// Makes the connection secret before anything else is said.
    pub(super) async fn secure(
        &self,
        mut stream: TcpStream,
        host: &str,
        connector: &TlsConnector,
    ) -> Result<TlsStream<TcpStream>, Error> {
        if self.capabilities & TLS == 0 {
            return Err(Error::NoTls);
        }
        let mut request = vec![0; HEADER_BYTES];
        put_client(&mut request, CAPABILITIES & self.capabilities | TLS);
        // The first packet after the greeting.
        request[0] = (request.len() - HEADER_BYTES) as u8;
        request[3] = 1;
        stream.write_all(&request).await?;
        tls::secure(stream, host, connector).await
    }
}

/// How a connection is protected.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Privacy {
    /// By TLS.
    Tls,
    /// It does not leave this machine.
    Local,
    /// Not at all.
    None,
}

impl Wire {
    /// Answers the greeting and goes on until the server lets this client in.
    pub(super) async fn log_in(
        &mut self,
        greeting: Greeting,
        endpoint: &Endpoint,
        privacy: Privacy,
    ) -> Result<(), Error> {
        let tls = if privacy == Privacy::Tls { TLS } else { 0 };
        let capabilities = CAPABILITIES & greeting.capabilities | tls;
        self.packets
            .go_on_at(if privacy == Privacy::Tls { 2 } else { 1 });
        let password = endpoint.password.as_ref().map(SecretString::expose_secret);
        let mut plugin = match greeting.plugin {
            AuthPlugin::CachingSha2Password => AuthPlugin::CachingSha2Password,
            // Whatever else the server prefers, it asks for by a switch if this account needs it.
            _ => AuthPlugin::MysqlNativePassword,
        };
        let mut nonce = greeting.nonce;
        let proof = prove(&plugin, password, &nonce);
        let response = response(capabilities, &endpoint.user, &plugin, &proof);
        self.send(&response).await?;
        for _ in 0..LOGIN_PACKETS_MAX {
            let packet = self.packet().await?;
            match (packet[0], packet.get(1)) {
                (OK, _) => return Ok(()),
                (END, _) => {
                    let mut rest = &packet[1..];
                    plugin = known(take_text(&mut rest))?;
                    nonce = rest.strip_suffix(&[0]).unwrap_or(rest).to_vec();
                    self.send(&prove(&plugin, password, &nonce)).await?;
                }
                (MORE, Some(&SHA2_KNOWN)) => {}
                (MORE, Some(&SHA2_FULL)) => {
                    self.send_password(password.unwrap_or_default(), &nonce, privacy)
                        .await?;
                }
                _ => return Err(Error::Protocol("an unknown packet during login")),
            }
        }
        Err(Error::Protocol("a login without end"))
    }

    /// The password itself, for a server that has forgotten it: encrypted with the server's key where others could read
    /// along.
    async fn send_password(
        &mut self,
        password: &str,
        nonce: &[u8],
        privacy: Privacy,
    ) -> Result<(), Error> {
        let mut text = [password.as_bytes(), &[0]].concat();
        if privacy == Privacy::None {
            self.send(&[SHA2_ASK_KEY]).await?;
            let packet = self.packet().await?;
            let Some(key) = packet.strip_prefix(&[MORE]).filter(|_| !nonce.is_empty()) else {
                return Err(Error::Protocol("no public key where one was asked for"));
            };
            for (byte, random) in text.iter_mut().zip(nonce.iter().cycle()) {
                *byte ^= random;
            }
            text = mysql_common::crypto::encrypt(&text, key);
        }
        self.send(&text).await
    }
}

/// What proves to the server that this client knows the password, without showing it.
fn prove(plugin: &AuthPlugin<'_>, password: Option<&str>, nonce: &[u8]) -> Vec<u8> {
    let data = plugin.gen_data(password, nonce);
    data.map_or_else(Vec::new, |data| data.to_vec())
}

/// The plugins that this client logs in with.
fn known(name: &[u8]) -> Result<AuthPlugin<'static>, Error> {
    match AuthPlugin::from_bytes(name) {
        plugin @ (AuthPlugin::CachingSha2Password
        | AuthPlugin::MysqlNativePassword
        | AuthPlugin::Ed25519) => Ok(plugin.into_owned()),
        _ => Err(Error::Plugin(String::from_utf8_lossy(name).into_owned())),
    }
}

fn response(capabilities: u32, user: &str, plugin: &AuthPlugin<'_>, proof: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    put_client(&mut packet, capabilities);
    packet.put_slice(user.as_bytes());
    packet.put_u8(0);
    // The longest, of ed25519, has 64 bytes.
    packet.put_u8(proof.len() as u8);
    packet.put_slice(proof);
    if capabilities & PLUGIN_AUTH != 0 {
        packet.put_slice(plugin.as_bytes());
        packet.put_u8(0);
    }
    if capabilities & CONNECT_ATTRS != 0 {
        let (name, value) = PROGRAM_NAME;
        packet.put_u8((name.len() + value.len() + 2) as u8);
        for text in [name, value] {
            packet.put_u8(text.len() as u8);
            packet.put_slice(text.as_bytes());
        }
    }
    packet
}

/// What this client can do, as it says before TLS and again when it logs in.
fn put_client(packet: &mut Vec<u8>, capabilities: u32) {
    packet.put_u32_le(capabilities);
    packet.put_u32_le(1 << 30);
    packet.put_u8(COLLATION);
    packet.put_bytes(0, 23);
}

/// A text up to its zero byte, or to the end.
fn take_text<'a>(packet: &mut &'a [u8]) -> &'a [u8] {
    let end = packet.iter().position(|&byte| byte == 0);
    let (text, rest) = packet.split_at(end.unwrap_or(packet.len()));
    *packet = rest.get(1..).unwrap_or_default();
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_greeting() {
        let mut packet =
            b"\x0a9.7.4-2\0\x08\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15".to_vec();
        packet.extend([0; 10]);
        packet.extend(b"ijklmnopqrst\0caching_sha2_password\0");
        let greeting = Greeting::parse(&packet).expect("whole");
        assert_eq!(greeting.nonce, b"abcdefghijklmnopqrst");
        assert_eq!(greeting.plugin, AuthPlugin::CachingSha2Password);
        assert_ne!(greeting.capabilities & TLS, 0);
        for len in 0..packet.len() - 24 {
            assert!(Greeting::parse(&packet[..len]).is_none(), "{len}");
        }
    }

    #[test]
    fn a_clear_text_login_is_refused() {
        assert!(matches!(
            known(b"mysql_clear_password"),
            Err(Error::Plugin(_))
        ));
        assert!(matches!(
            known(b"mysql_old_password"),
            Err(Error::Plugin(_))
        ));
    }

    proptest! {
        #[test]
        fn no_greeting_panics(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            Greeting::parse(&bytes);
        }
    }
}
