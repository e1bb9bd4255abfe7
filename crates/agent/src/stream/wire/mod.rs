//! The connection that a log is read through: MySQL's protocol, as far as a replica speaks it.
//!
//! The driver that twinlog uses elsewhere can read a log too, but hands out parsed events: to get the server's bytes
//! back from it each event is copied four times, it knows no GTID sets with tags, and decompresses what it need not. Here a
//! packet goes from the buffer that the socket was read into to memory of its own, once, and a great one not even
//! that. For 763 MB of 200-byte rows in events of 8 KiB that took 0.26 s of processor time against the driver's 0.43 s,
//! and with decoding 0.34 s; the server, which reads its file meanwhile, takes 0.8 s.
//!
//! A `Wire` whose future was dropped, or that gave an error, is of no further use.

mod handshake;
mod packet;
mod query;
mod tls;

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};
use twinlog_server::conn::{Address, Endpoint};

use handshake::{Greeting, Privacy};
pub(super) use packet::ServerError;
use packet::{CHUNK_BYTES_MAX, HEADER_BYTES, Packets};

/// How much is asked of the socket at once. Greater reads are no faster, and a buffer of this size stays in the cache.
const READ_BYTES: usize = 128 * 1024;

const COM_QUERY: u8 = 0x03;
const ERROR: u8 = 0xff;
const END: u8 = 0xfe;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why a connection was not made, or broke.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The network, or the server's end.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The server said no.
    #[error("{0}")]
    Server(ServerError),
    /// The server's certificate is not to be trusted, or the authority to check it against cannot be read.
    #[error("{0}")]
    Certificate(String),
    /// It asks for a way to log in that twinlog does not know.
    #[error("the server asks to log in with {0}, which twinlog does not know")]
    Plugin(String),
    /// TLS is asked for, and the server has none.
    #[error("the server offers no TLS")]
    NoTls,
    /// What came is not the protocol.
    #[error("the server does not speak as expected: {0}")]
    Protocol(&'static str),
}

/// One event of the log, or its end.
pub(super) enum Dump {
    /// The bytes of one event.
    Event(Bytes),
    /// The server closes the stream in order.
    End,
}

/// A connection that was let in.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
    packets: Packets,
}

impl Wire {
    /// Connects and logs in. It has no deadline of its own.
    pub(super) async fn connect(endpoint: &Endpoint) -> Result<Self, Error> {
        let (greeting, privacy, stream): (_, _, Box<dyn Stream>) = match &endpoint.address {
            Address::Socket(path) => {
                let mut stream = UnixStream::connect(path).await?;
                let greeting = Greeting::read(&mut stream).await?;
                (greeting, Privacy::Local, Box::new(stream))
            }
            Address::Tcp(host, port) => {
                let mut stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                let greeting = Greeting::read(&mut stream).await?;
                match tls::connector(&endpoint.tls).await? {
                    None => (greeting, Privacy::None, Box::new(stream)),
                    Some(connector) => {
                        let stream = greeting.secure(stream, host, &connector).await?;
                        (greeting, Privacy::Tls, Box::new(stream))
                    }
                }
            }
        };
        let mut wire = Self::new(stream);
        wire.log_in(greeting, endpoint, privacy).await?;
        Ok(wire)
    }

    fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            buffer: BytesMut::with_capacity(READ_BYTES),
            packets: Packets::default(),
        }
    }

    /// Begins a command and waits until it is sent.
    pub(super) async fn command(&mut self, command: &[u8]) -> Result<(), Error> {
        self.packets.begin_command();
        self.send(command).await
    }

    /// Runs a statement that returns no rows.
    pub(super) async fn execute(&mut self, sql: &str) -> Result<(), Error> {
        self.rows(sql).await.map(drop)
    }

    /// The rows of a statement, as text.
    pub(super) async fn rows(&mut self, sql: &str) -> Result<Vec<query::Row>, Error> {
        self.command(&[&[COM_QUERY], sql.as_bytes()].concat())
            .await?;
        query::read(self).await
    }

    /// The server's OK to a command.
    pub(super) async fn ok(&mut self) -> Result<(), Error> {
        self.packet().await.map(drop)
    }

    /// An event that is in memory already; `None` when more must be read first ([`Wire::fill`]).
    pub(super) fn event(&mut self) -> Result<Option<Dump>, Error> {
        let Some(packet) = self.packets.take(&mut self.buffer)? else {
            return Ok(None);
        };
        match packet.first() {
            Some(0) => Ok(Some(Dump::Event(packet.slice(1..)))),
            Some(&END) => Ok(Some(Dump::End)),
            Some(&ERROR) => Err(Error::Server(ServerError::parse(&packet))),
            _ => Err(Error::Protocol(
                "a packet of the log is neither event, error nor end",
            )),
        }
    }

    /// Reads some bytes from the network, and waits until there are some; says how many.
    pub(super) async fn fill(&mut self) -> Result<usize, Error> {
        self.buffer
            .reserve(self.packets.missing(&self.buffer).max(READ_BYTES));
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            bytes => Ok(bytes),
        }
    }

    /// The next packet, errors of the server taken out.
    async fn packet(&mut self) -> Result<Bytes, Error> {
        loop {
            if let Some(packet) = self.packets.take(&mut self.buffer)? {
                return match packet.first() {
                    Some(&ERROR) => Err(Error::Server(ServerError::parse(&packet))),
                    Some(_) => Ok(packet),
                    None => Err(Error::Protocol("an empty packet")),
                };
            }
            self.fill().await?;
        }
    }

    /// Sends one packet.
    async fn send(&mut self, payload: &[u8]) -> Result<(), Error> {
        let mut out = BytesMut::with_capacity(payload.len() + HEADER_BYTES);
        for chunk in payload.chunks(CHUNK_BYTES_MAX) {
            out.put_u32_le(self.packets.header(chunk.len()));
            out.put_slice(chunk);
        }
        // A packet that fills its last chunk is ended by an empty one; and an empty packet is one empty chunk.
        if payload.len().is_multiple_of(CHUNK_BYTES_MAX) {
            out.put_u32_le(self.packets.header(0));
        }
        self.stream.write_all(&out).await?;
        self.stream.flush().await?;
        Ok(())
    }
}
