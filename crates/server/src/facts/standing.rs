//! How far a server is: what it has executed and what its binary log holds.

use crate::{
    conn::{Conn, Error},
    dialect::Dialect,
    gtid::GtidSet,
    version::Flavour,
};

/// How far a server is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What its appliers have executed, also what they found nothing to do for. Read before `logged`: whatever of it
    /// was logged is in `logged` too. On MySQL the two are one set.
    pub applied: GtidSet,
    /// What its binary log goes up to.
    pub logged: GtidSet,
}

impl Standing {
    /// Asks the server.
    ///
    /// # Errors
    /// As [`Conn::rows`]; [`Error::Lost`] for an answer that is no GTID set.
    pub async fn read(conn: &mut Conn, dialect: &Dialect) -> Result<Self, Error> {
        if dialect.is_mariadb() {
            Ok(Self {
                applied: set(conn, Flavour::MariaDb, "SELECT @@GLOBAL.gtid_slave_pos").await?,
                logged: set(conn, Flavour::MariaDb, "SELECT @@GLOBAL.gtid_binlog_pos").await?,
            })
        } else {
            let executed = set(conn, Flavour::MySql, "SELECT @@GLOBAL.gtid_executed").await?;
            Ok(Self {
                applied: executed.clone(),
                logged: executed,
            })
        }
    }
}

async fn set(conn: &mut Conn, flavour: Flavour, sql: &str) -> Result<GtidSet, Error> {
    let text = conn.value(sql).await?.unwrap_or_default();
    GtidSet::parse(flavour, &text).map_err(|error| Error::Lost {
        address: conn.address().clone(),
        reason: error.to_string(),
        sql: sql.to_owned(),
    })
}
