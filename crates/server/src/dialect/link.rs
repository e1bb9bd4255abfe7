//! The statements of a link, in each dialect.

use super::Dialect;
use crate::{
    facts::Coordinates,
    sql::{Sql, literal},
};

/// Seconds between a replica's attempts to reach its source.
pub const CONNECT_RETRY_S: u32 = 2;
/// How many attempts before a replica gives up: none. MySQL 9's own default is 10, so an outage of ten minutes would
/// end replication for good. 0 means "for ever" on all versions.
pub const RETRY_COUNT: u32 = 0;
/// Seconds between a source's signs of life while it has nothing to send; five of them fit in the replica's
/// time-out, so that a dead connection is noticed within it.
pub const HEARTBEAT_S: u32 = 2;

/// From where a link starts to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkStart {
    /// By GTID, from what the replica has executed (`gtid_slave_pos` on MariaDB).
    Gtid,
    /// From this place of the source's log.
    Position(Coordinates),
}

/// How a link is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkTls {
    /// Not at all.
    Off,
    /// Encrypted; with `ca` (a path on the replica's machine) the source's certificate is checked against it.
    On {
        /// The authority's certificate file, as the replica's server sees it.
        ca: Option<String>,
    },
}

/// The source a replica is pointed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSource {
    /// The source's host, as the replica sees it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The replication account.
    pub user: String,
    /// The name of the secret that holds its password.
    pub password: String,
    /// Protection.
    pub tls: LinkTls,
    /// From where.
    pub start: LinkStart,
}

impl Dialect {
    /// The statement that points a (stopped) replica at its source.
    pub fn change_source(&self, source: &LinkSource) -> Sql {
        let prefix = self.row().source_prefix;
        let mut sql = Sql::new(format!(
            "{} {prefix}HOST={}, {prefix}PORT={}, {prefix}USER={}, {prefix}PASSWORD=",
            self.row().change_source,
            literal(&source.host),
            source.port,
            literal(&source.user),
        ))
        .secret(&source.password);
        let mut add = |text: String| sql = std::mem::take(&mut sql).text(format!(", {text}"));
        add(format!("{prefix}CONNECT_RETRY={CONNECT_RETRY_S}"));
        add(format!("{prefix}HEARTBEAT_PERIOD={HEARTBEAT_S}"));
        if self.row().retry_count {
            add(format!("{prefix}RETRY_COUNT={RETRY_COUNT}"));
        }
        match &source.tls {
            LinkTls::Off => {
                add(format!("{prefix}SSL=0"));
                if self.row().get_public_key {
                    add(format!("GET_{prefix}PUBLIC_KEY=1"));
                }
            }
            // The authority is the pair's own and signs nothing but the pair's two certificates, so whoever shows one
            // of them is a node of the pair under whatever name it was reached: host names are not compared.
            LinkTls::On { ca } => {
                add(format!("{prefix}SSL=1"));
                add(format!(
                    "{prefix}SSL_CA={}",
                    literal(ca.as_deref().unwrap_or_default())
                ));
                // Every option is spelled out: what an earlier link had set would stay, even after RESET … ALL.
                add(format!(
                    "{prefix}SSL_CERT='', {prefix}SSL_KEY='', {prefix}SSL_VERIFY_SERVER_CERT=0"
                ));
            }
        }
        match (&source.start, self.is_mariadb()) {
            (LinkStart::Gtid, true) => add("MASTER_USE_GTID=slave_pos".into()),
            (LinkStart::Gtid, false) => add(format!("{prefix}AUTO_POSITION=1")),
            (LinkStart::Position(at), mariadb) => {
                add(format!(
                    "{prefix}LOG_FILE={}, {prefix}LOG_POS={}",
                    literal(&at.file),
                    at.position
                ));
                add(if mariadb {
                    "MASTER_USE_GTID=no".into()
                } else {
                    format!("{prefix}AUTO_POSITION=0")
                });
            }
        }
        sql
    }

    /// The statement that gives a (stopped) link another password and leaves its place as it is.
    pub fn change_password(&self, password: &str) -> Sql {
        let row = self.row();
        Sql::new(format!(
            "{} {}PASSWORD=",
            row.change_source, row.source_prefix
        ))
        .secret(password)
    }

    /// Starts the link.
    pub fn start_link(&self) -> String {
        format!("START {}", self.row().replica)
    }

    /// Stops the link; harmless when it does not run.
    pub fn stop_link(&self) -> String {
        format!("STOP {}", self.row().replica)
    }

    /// Takes a stopped link away, with all that was known of its source.
    pub fn remove_link(&self) -> String {
        format!("RESET {} ALL", self.row().replica)
    }

    /// Shows every link of a replica, one row each.
    pub fn show_links(&self) -> String {
        if self.is_mariadb() {
            // Without ALL only the default connection is shown.
            "SHOW ALL SLAVES STATUS".into()
        } else {
            format!("SHOW {} STATUS", self.row().replica)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::{Flavour, Version};

    fn dialect(flavour: Flavour, (major, minor, patch): (u16, u16, u16)) -> Dialect {
        Dialect::of(&Version {
            flavour,
            major,
            minor,
            patch,
        })
        .expect("supported")
    }

    fn source(start: LinkStart, tls: LinkTls) -> LinkSource {
        LinkSource {
            host: "db2".into(),
            port: 3308,
            user: "twinlog_repl".into(),
            password: "replication".into(),
            tls,
            start,
        }
    }

    #[test]
    fn each_dialect_says_it_its_own_way() {
        let ca = LinkTls::On {
            ca: Some("/tls/ca.pem".into()),
        };
        let at = LinkStart::Position(Coordinates {
            file: "binlog.000003".into(),
            position: 154,
        });
        let said: Vec<String> = [
            (Flavour::MySql, (5, 6, 24), at.clone(), LinkTls::Off),
            (Flavour::MySql, (5, 7, 44), LinkStart::Gtid, ca.clone()),
            (Flavour::MySql, (8, 0, 22), LinkStart::Gtid, LinkTls::Off),
            (Flavour::MySql, (9, 7, 4), at, ca.clone()),
            (Flavour::MariaDb, (10, 11, 6), LinkStart::Gtid, ca.clone()),
            (Flavour::MariaDb, (11, 8, 6), LinkStart::Gtid, ca),
        ]
        .into_iter()
        .map(|(flavour, version, start, tls)| {
            dialect(flavour, version)
                .change_source(&source(start, tls))
                .to_string()
        })
        .collect();
        insta::assert_snapshot!(said.join("\n"));
    }
}
