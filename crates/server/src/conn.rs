//! A connection to one server, with a deadline on everything.
//!
//! twinlog reads server state as text (the text protocol), because the columns of `SHOW …` differ by version and a
//! name with a text is what every version has. A statement that passed its deadline, or whose future was dropped,
//! leaves unread rows in the stream, so such a connection is closed and never used again.

mod bulk;
mod stream;
mod turn;

use std::{fmt, future::Future, path::PathBuf, time::Duration};

use mysql_async::{OptsBuilder, SslOpts, prelude::Queryable};
use secrecy::{ExposeSecret, SecretString};

use crate::secrets::SecretError;
pub use bulk::{Loaded, Rows};
pub use stream::{Column, Kind, Part};
use turn::Turn;
pub use turn::end_all;

/// How long a TCP or socket connection, with its handshake, may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an ordinary statement may take. Reading a large information schema is the slowest of them.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(60);

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A unix socket on this machine.
    Socket(PathBuf),
    /// A host name or address, and a port.
    Tcp(String, u16),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// What protects a TCP connection of twinlog's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientTls {
    /// No TLS: unix sockets, and loopback where nobody else can listen.
    Off,
    /// TLS; the certificate must be signed by this authority (and name the host) when one is given.
    Required {
        /// A PEM file, or `None` to accept any certificate (protects from reading along, not from an impostor).
        ca: Option<PathBuf>,
    },
}

/// Everything needed to connect.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Where.
    pub address: Address,
    /// As whom.
    pub user: String,
    /// With what; `None` for an account without a password.
    pub password: Option<SecretString>,
    /// Protected how.
    pub tls: ClientTls,
}

/// A statement that did not work, or a server that was not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server cannot be reached at all.
    #[error("cannot connect to {address} as '{user}': {reason}")]
    Unreachable {
        /// Where.
        address: Address,
        /// As whom.
        user: String,
        /// The operating system's or the driver's words.
        reason: String,
    },
    /// There is no password to connect with.
    #[error("cannot log in to {address}: {error}")]
    Secret {
        /// Where.
        address: Address,
        /// Why.
        error: SecretError,
    },
    /// The server answered the connection attempt with an error.
    #[error("{address} refuses '{user}': ERROR {code} ({state}): {message}")]
    Refused {
        /// Where.
        address: Address,
        /// As whom.
        user: String,
        /// The server's error number.
        code: u16,
        /// Its SQLSTATE.
        state: String,
        /// Its message.
        message: String,
    },
    /// The server answered a statement with an error.
    #[error("{address}: ERROR {code} ({state}): {message} [{sql}]")]
    Statement {
        /// Where.
        address: Address,
        /// The server's error number.
        code: u16,
        /// Its SQLSTATE.
        state: String,
        /// Its message.
        message: String,
        /// The statement, secrets masked.
        sql: String,
    },
    /// The connection broke or a deadline passed during a statement.
    #[error("{address}: {reason} [{sql}]")]
    Lost {
        /// Where.
        address: Address,
        /// What happened.
        reason: String,
        /// The statement, secrets masked.
        sql: String,
    },
}

impl Error {
    /// The server's error number, where it gave one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } | Self::Statement { code, .. } => Some(*code),
            Self::Unreachable { .. } | Self::Secret { .. } | Self::Lost { .. } => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Secret { error, .. } => return error.hint(),
            Self::Unreachable { reason, .. } if reason.contains("HandshakeFailure") || reason.contains("TLS") => {
                "the server offers no TLS that twinlog accepts (1.2 or newer): set `tls = \"off\"` for this node if the \
                 network between is trusted"
                    .into()
            }
            // So that nobody learns which accounts there are, MySQL asks for a proof of a kind that it picks itself.
            Self::Unreachable { reason, .. } if reason.contains("authentication plugin") => {
                "there may be no such account: `twinlog up` makes twinlog's own".into()
            }
            Self::Unreachable { .. } => "is the server running, and are host and port right?".into(),
            Self::Refused { code: 1045, .. } => "check user and password (password_file or password_env)".into(),
            Self::Refused { code: 1130, .. } => {
                "the server does not let this user in from this host: check the host part of the account".into()
            }
            Self::Refused { code: 1040, .. } => "all connections are taken: raise max_connections or free some".into(),
            Self::Statement { code: 1044 | 1142 | 1227 | 1370, .. } => {
                "the account lacks a privilege: `twinlog doctor` lists what it needs on this version".into()
            }
            Self::Statement { code: 1290 | 1836, .. } => "the server is read-only".into(),
            Self::Statement { code: 1021 | 1114 | 3, .. } => "the server's disk is full: free some space first".into(),
            _ => return None,
        })
    }
}

/// One row as text: column name and value, `None` for NULL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row(Vec<(String, Option<String>)>);

impl Row {
    /// A row from its columns, for tests of code that reads rows.
    pub fn from_columns<N: Into<String>, V: Into<String>>(
        columns: impl IntoIterator<Item = (N, Option<V>)>,
    ) -> Self {
        Self(
            columns
                .into_iter()
                .map(|(name, value)| (name.into(), value.map(Into::into)))
                .collect(),
        )
    }

    /// The value of a column by name, whatever its case; `None` when absent or NULL.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(column, _)| column.eq_ignore_ascii_case(name))
            .and_then(|(_, value)| value.as_deref())
    }

    /// The first of several names that the row has, for columns that were renamed between versions.
    pub fn any(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// A column as a number.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// The value in the given place, counted from 0.
    pub fn at(&self, index: usize) -> Option<&str> {
        self.0.get(index).and_then(|(_, value)| value.as_deref())
    }

    /// All columns in the server's order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
    }
}

/// One result set: its column names, also when it has no row, and what a statement changed.
#[derive(Debug, Clone, Default)]
pub struct ResultSet {
    /// The names of the columns; empty for a statement that returns none.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
    /// Rows changed, for a statement that returns no columns.
    pub affected: u64,
}

/// An open connection.
pub struct Conn {
    inner: mysql_async::Conn,
    address: Address,
    turn: Turn,
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Conn({})", self.address)
    }
}

impl Conn {
    /// Connects and authenticates within [`CONNECT_TIMEOUT`].
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::Refused`].
    pub async fn open(endpoint: &Endpoint) -> Result<Self, Error> {
        Self::open_within(endpoint, CONNECT_TIMEOUT).await
    }

    /// [`Conn::open`] with a deadline of the caller's.
    ///
    /// # Errors
    /// As [`Conn::open`].
    pub async fn open_within(endpoint: &Endpoint, limit: Duration) -> Result<Self, Error> {
        let unreachable = |reason: String| Error::Unreachable {
            address: endpoint.address.clone(),
            user: endpoint.user.clone(),
            reason,
        };
        match tokio::time::timeout(limit, mysql_async::Conn::new(options(endpoint))).await {
            Ok(Ok(inner)) => Ok(Self {
                turn: Turn::new(endpoint, inner.id()),
                inner,
                address: endpoint.address.clone(),
            }),
            Ok(Err(mysql_async::Error::Server(error))) => Err(Error::Refused {
                address: endpoint.address.clone(),
                user: endpoint.user.clone(),
                code: error.code,
                state: error.state,
                message: error.message,
            }),
            Ok(Err(error)) => Err(unreachable(innermost(&error))),
            Err(_) => Err(unreachable(format!(
                "no answer within {} s",
                limit.as_secs_f32()
            ))),
        }
    }

    /// Where this connection leads.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// From now on the server goes on with no statement of this connection that nobody waits for any more: it is ended there
    /// when the connection is dropped in the middle of it, and by [`end_all`].
    pub fn end_when_dropped(&mut self) {
        self.turn.end_when_dropped();
    }

    /// All rows of one statement.
    ///
    /// # Errors
    /// [`Error::Statement`] with the server's own code, or [`Error::Lost`].
    pub async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, Error> {
        Ok(self
            .result_sets(sql, sql, QUERY_TIMEOUT)
            .await?
            .into_iter()
            .next()
            .unwrap_or_default()
            .rows)
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`Conn::rows`].
    pub async fn row(&mut self, sql: &str) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql).await?.into_iter().next())
    }

    /// The first column of the first row.
    ///
    /// # Errors
    /// As [`Conn::rows`].
    pub async fn value(&mut self, sql: &str) -> Result<Option<String>, Error> {
        Ok(self
            .row(sql)
            .await?
            .and_then(|row| row.at(0).map(str::to_owned)))
    }

    /// Runs a statement for its effect.
    ///
    /// # Errors
    /// As [`Conn::rows`].
    pub async fn execute(&mut self, sql: &str) -> Result<(), Error> {
        self.result_sets(sql, sql, QUERY_TIMEOUT).await.map(drop)
    }

    /// Sets a variable that not every version has; without it, nothing is set.
    ///
    /// # Errors
    /// As [`Conn::execute`].
    pub async fn set_if_known(&mut self, sql: &str) -> Result<(), Error> {
        match self.execute(sql).await {
            // ER_UNKNOWN_SYSTEM_VARIABLE
            Err(Error::Statement { code: 1193, .. }) => Ok(()),
            set => set,
        }
    }

    /// Runs a statement that contains a secret; `shown` is what errors and logs say instead.
    ///
    /// # Errors
    /// As [`Conn::rows`].
    pub async fn execute_secret(&mut self, sql: &SecretString, shown: &str) -> Result<(), Error> {
        self.result_sets(sql.expose_secret(), shown, QUERY_TIMEOUT)
            .await
            .map(drop)
    }

    /// Every result set of a text that may hold several statements.
    ///
    /// # Errors
    /// As [`Conn::rows`]; a dead-line of `limit` for all of it.
    pub async fn result_sets(
        &mut self,
        sql: &str,
        shown: &str,
        limit: Duration,
    ) -> Result<Vec<ResultSet>, Error> {
        let address = self.address.clone();
        let lost = |reason: String| Error::Lost {
            address: address.clone(),
            reason,
            sql: shown.to_owned(),
        };
        self.begin(shown).await?;
        tracing::debug!(%address, sql = shown, "statement");
        let read = tokio::time::timeout(limit, read_all(&mut self.inner, sql)).await;
        self.turn.stand().await;
        match read {
            Ok(Ok(sets)) => {
                self.turn.end();
                Ok(sets)
            }
            Ok(Err(mysql_async::Error::Server(error))) => {
                self.turn.end();
                Err(Error::Statement {
                    address,
                    code: error.code,
                    state: error.state,
                    // 9.x repeats parts of the statement in syntax errors: a secret would be among them.
                    message: if sql == shown {
                        error.message
                    } else {
                        mask(&error.message, sql, shown)
                    },
                    sql: shown.to_owned(),
                })
            }
            Ok(Err(error)) => Err(lost(innermost(&error))),
            Err(_) => Err(lost(format!("no answer within {} s", limit.as_secs()))),
        }
    }

    /// A statement begins: until it is done, the connection is of no use for another.
    async fn begin(&mut self, shown: &str) -> Result<(), Error> {
        if self.turn.is_under_way() {
            return Err(Error::Lost {
                address: self.address.clone(),
                reason: "connection closed after an unfinished statement".into(),
                sql: shown.to_owned(),
            });
        }
        self.turn.begin().await;
        Ok(())
    }

    /// Says good-bye. Errors are of no interest: the connection is gone either way.
    pub async fn close(self) {
        if !self.turn.is_under_way() {
            let _ = tokio::time::timeout(Duration::from_secs(1), self.inner.disconnect()).await;
        }
    }
}

/// A message about a statement with a secret, for people: whatever the server quoted from the statement is left out.
fn mask(message: &str, sql: &str, shown: &str) -> String {
    match message.split_once(" near '") {
        Some((head, _)) if sql != shown => {
            format!("{head} (text withheld: the statement has a secret)")
        }
        _ => message.to_owned(),
    }
}

async fn read_all(
    conn: &mut mysql_async::Conn,
    sql: &str,
) -> Result<Vec<ResultSet>, mysql_async::Error> {
    let mut result = conn.query_iter(sql).await?;
    let mut sets = Vec::new();
    while let Some(columns) = result.columns() {
        let columns: Vec<String> = columns
            .iter()
            .map(|column| column.name_str().into_owned())
            .collect();
        let affected = result.affected_rows();
        let rows = result
            .collect::<mysql_async::Row>()
            .await?
            .into_iter()
            .map(|row| text_row(&columns, row))
            .collect();
        sets.push(ResultSet {
            columns,
            rows,
            affected,
        });
    }
    // Where the next statement was refused, the driver keeps that error for whoever asks on.
    result.drop_result().await?;
    Ok(sets)
}

fn text_row(columns: &[String], row: mysql_async::Row) -> Row {
    let values = row.unwrap().into_iter().map(|value| match value {
        mysql_async::Value::NULL => None,
        mysql_async::Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true)),
    });
    Row(columns.iter().cloned().zip(values).collect())
}

fn options(endpoint: &Endpoint) -> OptsBuilder {
    let builder = OptsBuilder::default()
        .user(Some(endpoint.user.clone()))
        .pass(endpoint.password.as_ref().map(|password| password.expose_secret().to_owned()))
        // A server on loopback would otherwise be left for the socket it names, which may be in another container.
        .prefer_socket(false)
        .tcp_nodelay(true)
        // 4.0 and older hash: no server that twinlog supports needs it, and it gives the password away.
        .secure_auth(true)
        .stmt_cache_size(0)
        .connect_attribute("program_name", "twinlog")
        // Who is told that someone holds a lock can be told which process that is.
        .connect_attribute("_pid", std::process::id().to_string());
    let builder = match &endpoint.address {
        Address::Socket(path) => builder.socket(Some(path.to_string_lossy())),
        Address::Tcp(host, port) => builder.ip_or_hostname(host.clone()).tcp_port(*port),
    };
    match (&endpoint.tls, &endpoint.address) {
        (ClientTls::Off, _) | (_, Address::Socket(_)) => builder,
        (ClientTls::Required { ca: Some(ca) }, _) => builder.ssl_opts(
            SslOpts::default()
                .with_root_certs(vec![ca.clone().into()])
                .with_disable_built_in_roots(true),
        ),
        (ClientTls::Required { ca: None }, _) => {
            builder.ssl_opts(SslOpts::default().with_danger_accept_invalid_certs(true))
        }
    }
}

/// The last link of an error's chain: the operating system's words rather than the driver's wrapping.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Runs `future`, or gives up after `limit` with `None`.
pub async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, future).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_by_any_of_its_names() {
        let row = Row::from_columns([
            ("Replica_IO_Running", Some("Yes")),
            ("Last_IO_Errno", Some("0")),
            ("x", None),
        ]);
        assert_eq!(
            row.any(&["Slave_IO_Running", "replica_io_running"]),
            Some("Yes")
        );
        assert_eq!(row.number::<u16>("Last_IO_Errno"), Some(0));
        assert_eq!(row.get("x"), None);
    }

    #[test]
    fn an_endpoint_does_not_show_its_password() {
        let endpoint = Endpoint {
            address: Address::Tcp("::1".into(), 3306),
            user: "root".into(),
            password: Some("hunter2".into()),
            tls: ClientTls::Off,
        };
        assert!(!format!("{endpoint:?}").contains("hunter2"));
        assert_eq!(endpoint.address.to_string(), "[::1]:3306");
    }

    #[test]
    fn a_syntax_error_does_not_repeat_a_secret() {
        let message = "You have an error … to use near 'hunter2' at line 1";
        assert_eq!(
            mask(message, "SELECT 'hunter2'", "SELECT '***'"),
            "You have an error … to use (text withheld: the statement has a secret)"
        );
    }
}
