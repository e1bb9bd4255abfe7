//! What one server says about itself: read, never guessed, and without changing anything.

pub mod author;
mod link;
pub mod logins;
pub mod schema;
mod standing;
mod variables;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

pub use link::LinkFacts;
pub use standing::Standing;

use crate::{
    conn::{Conn, Error, Row},
    dialect::Dialect,
    sql::literal,
    version::{self, Version},
};

/// The schemas that belong to the server itself and are never replicated by twinlog's choice.
pub const SYSTEM_SCHEMAS: [&str; 5] = [
    "mysql",
    "information_schema",
    "performance_schema",
    "sys",
    "ndbinfo",
];
/// The schema that holds twinlog's own tables.
pub const OWN_SCHEMA: &str = "twinlog";

/// A place in a server's binary log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coordinates {
    /// The log file.
    pub file: String,
    /// The byte position in it.
    pub position: u64,
}

impl Coordinates {
    /// Reads a row of `SHOW BINARY LOG STATUS`.
    pub fn of_log_end(row: &Row) -> Option<Self> {
        Some(Self {
            file: row.get("File")?.to_owned(),
            position: row.number("Position")?,
        })
    }
}

impl std::fmt::Display for Coordinates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.position)
    }
}

/// A schema that users made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Its name.
    pub name: String,
    /// How many tables and views it has.
    pub tables: u64,
}

/// What `twinlog.node` says: which node of which pair this server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The pair's id.
    pub pair_id: String,
    /// The node's name in it.
    pub node: String,
    /// What it had executed when it became that node.
    pub origin_gtids: String,
}

/// An account as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFacts {
    /// The user's name; its host is `%`.
    pub user: String,
    /// The lines of `SHOW GRANTS`, in which the server masks passwords (or `[]` where the account is missing).
    pub grants: Vec<String>,
}

/// Facts of one server at one moment.
#[derive(Debug, Clone)]
pub struct ServerFacts {
    /// Its dialect, which includes its version.
    pub dialect: Dialect,
    /// All global variables, names in lower case.
    pub variables: BTreeMap<String, String>,
    /// Selected status counters, names in lower case.
    pub counters: BTreeMap<String, String>,
    /// The server's clock less this machine's, at the middle of the question, in microseconds.
    pub clock_offset_us: i64,
    /// How exact [`ServerFacts::clock_offset_us`] is: half the time the question took, in microseconds.
    pub clock_error_us: i64,
    /// The end of its binary log; `None` when it writes none.
    pub binlog_end: Option<Coordinates>,
    /// The databases its log is restricted to (`binlog_do_db`), separated by commas; `None` or empty for all.
    pub binlog_do_db: Option<String>,
    /// The databases its log leaves out (`binlog_ignore_db`), in the same way.
    pub binlog_ignore_db: Option<String>,
    /// The binary log files it still has, oldest first.
    pub binlogs: Vec<String>,
    /// The links it has as a replica.
    pub links: Vec<LinkFacts>,
    /// Who reads its binary log: `user@host` of each.
    pub log_readers: Vec<String>,
    /// Schemas made by users, twinlog's own not among them.
    pub schemas: Vec<Schema>,
    /// Whether the schema for twinlog's own tables is there.
    pub has_own_schema: bool,
    /// Which node of which pair it is, if it was ever made one.
    pub membership: Option<Membership>,
    /// The grants of the account that asked.
    pub own_grants: Vec<String>,
}

impl ServerFacts {
    /// Reads everything. Needs an account that may read global variables and replication status.
    ///
    /// # Errors
    /// The first statement that fails, and [`Error::Lost`] for a server whose version is unknown to twinlog.
    pub async fn read(conn: &mut Conn) -> Result<Self, Error> {
        let dialect = read_dialect(conn).await?;
        let row = dialect.row();
        let variables = variables::read(conn).await?;
        let counters = variables::pairs(
            conn.rows(
                "SHOW GLOBAL STATUS WHERE Variable_name IN ('Uptime', 'Threads_connected', 'Threads_running', \
                 'Rpl_semi_sync_master_status', 'Rpl_semi_sync_source_status', 'Ssl_server_not_after')",
            )
            .await?,
        );
        let (clock_offset_us, clock_error_us) = read_clock(conn).await?;
        let log = conn.row(row.binlog_status).await?;
        let filter = |column: &str| {
            let list = log.as_ref().and_then(|row| row.get(column));
            list.map(str::to_owned)
        };
        let (binlog_do_db, binlog_ignore_db) = (filter("Binlog_Do_DB"), filter("Binlog_Ignore_DB"));
        let binlog_end = log.as_ref().and_then(Coordinates::of_log_end);
        let binlogs = match &binlog_end {
            Some(_) => conn
                .rows("SHOW BINARY LOGS")
                .await?
                .iter()
                .filter_map(|row| row.at(0).map(str::to_owned))
                .collect(),
            None => Vec::new(),
        };
        let links = conn
            .rows(&dialect.show_links())
            .await?
            .iter()
            .map(LinkFacts::from_row)
            .collect();
        let readers = conn
            .rows("SELECT USER, HOST FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'")
            .await?;
        let log_readers = readers
            .iter()
            .map(|row| {
                format!(
                    "{}@{}",
                    row.at(0).unwrap_or_default(),
                    row.at(1).unwrap_or_default()
                )
            })
            .collect();
        Ok(Self {
            dialect,
            variables,
            counters,
            clock_offset_us,
            clock_error_us,
            binlog_end,
            binlog_do_db,
            binlog_ignore_db,
            binlogs,
            links,
            log_readers,
            schemas: read_schemas(conn).await?,
            has_own_schema: !conn
                .rows(&format!("SHOW DATABASES LIKE {}", literal(OWN_SCHEMA)))
                .await?
                .is_empty(),
            membership: read_membership(conn).await?,
            own_grants: conn
                .rows("SHOW GRANTS")
                .await?
                .iter()
                .filter_map(|row| row.at(0).map(str::to_owned))
                .collect(),
        })
    }

    /// What a server will say that is yet to be made: these variables, an empty log, no data and no links.
    pub fn foreseen(dialect: Dialect, variables: BTreeMap<String, String>) -> Self {
        Self {
            dialect,
            variables,
            counters: BTreeMap::new(),
            clock_offset_us: 0,
            clock_error_us: 0,
            // Where every binary log begins.
            binlog_end: Some(Coordinates {
                file: "binlog.000001".into(),
                position: 4,
            }),
            binlog_do_db: None,
            binlog_ignore_db: None,
            binlogs: Vec::new(),
            links: Vec::new(),
            log_readers: Vec::new(),
            schemas: Vec::new(),
            has_own_schema: false,
            membership: None,
            own_grants: Vec::new(),
        }
    }

    /// The server's version.
    pub fn version(&self) -> &Version {
        self.dialect.version()
    }

    /// A global variable by twinlog's key for it; `None` where this version has no such variable.
    pub fn variable(&self, key: &str) -> Option<&str> {
        let name = self.dialect.variable(key)?.name;
        self.named(name)
    }

    /// A global variable by the server's own name.
    pub fn named(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Whether a boolean variable, by the server's own name, is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.named(name).is_some_and(|value| {
            matches!(
                value.to_ascii_uppercase().as_str(),
                "ON" | "1" | "YES" | "TRUE"
            )
        })
    }

    /// Its server id.
    pub fn server_id(&self) -> u32 {
        self.named("server_id")
            .and_then(|value| value.parse().ok())
            .unwrap_or(0)
    }

    /// Its UUID; MariaDB has none.
    pub fn server_uuid(&self) -> Option<&str> {
        self.named("server_uuid")
    }

    /// Whether changes get GTIDs. MariaDB's always do.
    pub fn has_gtids(&self) -> bool {
        self.dialect.is_mariadb() || self.named("gtid_mode") == Some("ON")
    }

    /// What it has executed: MySQL's GTID set, or MariaDB's position in each domain, its own included.
    pub fn executed(&self) -> &str {
        self.gtids(["gtid_current_pos", "gtid_executed"])
    }

    /// What is in its binary log: MySQL's executed set (its log starts after [`ServerFacts::purged`]), or MariaDB's
    /// last logged position.
    pub fn logged(&self) -> &str {
        self.named(Self::logged_variable(&self.dialect))
            .unwrap_or_default()
    }

    /// The variable that says so.
    pub fn logged_variable(dialect: &Dialect) -> &'static str {
        match dialect.is_mariadb() {
            true => "gtid_binlog_pos",
            false => "gtid_executed",
        }
    }

    /// What it has executed but no longer has in its binary log (MySQL).
    pub fn purged(&self) -> &str {
        self.gtids(["", "gtid_purged"])
    }

    fn gtids(&self, [mariadb, mysql]: [&str; 2]) -> &str {
        self.named(if self.dialect.is_mariadb() {
            mariadb
        } else {
            mysql
        })
        .unwrap_or_default()
    }

    /// Whether clients could have put data here.
    pub fn has_user_data(&self) -> bool {
        self.schemas.iter().any(|schema| schema.tables > 0)
    }
}

/// Reads which dialect the server at the other end speaks.
///
/// # Errors
/// As [`Conn::rows`]; [`Error::Lost`] naming a version that twinlog does not know.
pub async fn read_dialect(conn: &mut Conn) -> Result<Dialect, Error> {
    const SQL: &str = "SELECT VERSION(), @@version_comment";
    let row = conn.row(SQL).await?.unwrap_or_default();
    let (number, comment) = (row.at(0).unwrap_or_default(), row.at(1).unwrap_or_default());
    let lost = |reason: String| Error::Lost {
        address: conn.address().clone(),
        reason,
        sql: SQL.into(),
    };
    let version =
        Version::parse(number, comment).map_err(|error: version::Error| lost(error.to_string()))?;
    Dialect::of(&version).map_err(|error| {
        lost(format!(
            "{error}: twinlog pairs MySQL 5.6 to 9.x and MariaDB 10.5 and newer"
        ))
    })
}

/// The accounts of these names at host `%`, with their grants.
///
/// # Errors
/// As [`Conn::rows`], except that a missing account is not an error.
pub async fn read_accounts(conn: &mut Conn, users: &[&str]) -> Result<Vec<AccountFacts>, Error> {
    let mut accounts = Vec::new();
    for user in users {
        match conn
            .rows(&format!("SHOW GRANTS FOR {}@'%'", literal(user)))
            .await
        {
            Ok(rows) => accounts.push(AccountFacts {
                user: (*user).to_owned(),
                grants: rows
                    .iter()
                    .filter_map(|row| row.at(0).map(str::to_owned))
                    .collect(),
            }),
            // ER_NONEXISTING_GRANT: no such account.
            Err(Error::Statement { code: 1141, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(accounts)
}

/// The tables in twinlog's own schema, as far as the account may see them.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn read_own_tables(conn: &mut Conn) -> Result<Vec<String>, Error> {
    let sql = format!(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} ORDER BY TABLE_NAME",
        literal(OWN_SCHEMA)
    );
    let rows = conn.rows(&sql).await?;
    Ok(rows
        .iter()
        .filter_map(|row| row.at(0).map(str::to_owned))
        .collect())
}

async fn read_clock(conn: &mut Conn) -> Result<(i64, i64), Error> {
    let asked = Instant::now();
    let here = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let there = conn
        .value("SELECT UNIX_TIMESTAMP(SYSDATE(6))")
        .await?
        .unwrap_or_default();
    let half = asked.elapsed() / 2;
    let there = Duration::try_from_secs_f64(there.parse().unwrap_or_default()).unwrap_or_default();
    Ok((micros(there) - micros(here + half), micros(half)))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

async fn read_schemas(conn: &mut Conn) -> Result<Vec<Schema>, Error> {
    let system: Vec<String> = SYSTEM_SCHEMAS
        .iter()
        .chain([&OWN_SCHEMA])
        .map(|name| literal(name))
        .collect();
    let sql = format!(
        "SELECT s.SCHEMA_NAME, COUNT(t.TABLE_NAME) FROM information_schema.SCHEMATA s \
         LEFT JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME \
         WHERE s.SCHEMA_NAME NOT IN ({}) GROUP BY s.SCHEMA_NAME ORDER BY s.SCHEMA_NAME",
        system.join(", ")
    );
    let rows = conn.rows(&sql).await?;
    let schema = |row: &Row| {
        Some(Schema {
            name: row.at(0)?.to_owned(),
            tables: row.at(1)?.parse().ok()?,
        })
    };
    Ok(rows.iter().filter_map(schema).collect())
}

async fn read_membership(conn: &mut Conn) -> Result<Option<Membership>, Error> {
    match conn
        .row("SELECT pair_id, node, origin_gtids FROM twinlog.node")
        .await
    {
        Ok(row) => Ok(row.and_then(|row| {
            Some(Membership {
                pair_id: row.get("pair_id")?.to_owned(),
                node: row.get("node")?.to_owned(),
                origin_gtids: row.get("origin_gtids")?.to_owned(),
            })
        })),
        // Unknown database, no such table, or no privilege to know: never made a node, as far as can be seen.
        Err(Error::Statement {
            code: 1049 | 1146 | 1044 | 1142,
            ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}
