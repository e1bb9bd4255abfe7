//! The target, which is the source's twin by now, is made a node of its own.

use std::{fmt, time::Duration};

use twinlog_server::{
    conn::{Conn, Error as ConnError, Row},
    facts::{Coordinates, ServerFacts},
    sql::{identifier, literal},
};

use super::{
    INSTALL, STATUS, UNINSTALL, account, has_plugin,
    note::{self, CLEAR, FORGET},
    take::put_back,
};
use crate::{
    copy::{
        Error,
        ends::{Ends, connect},
        run_all,
        target::SESSION_OF_COPY,
    },
    origin::{Origin, Sameness},
    own_tables,
    site::Site,
};

/// What came over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cloned {
    /// How many bytes.
    pub(crate) bytes: u64,
    /// How long that took.
    pub(crate) took: Duration,
}

impl fmt::Display for Cloned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cloned {:.1} MB in {:.1} s; clients were not held up",
            self.bytes as f64 / 1e6,
            self.took.as_secs_f64()
        )
    }
}

/// Whether a node has come by CLONE and has yet to be made a node of its own.
///
/// # Errors
/// Where it cannot be asked.
pub(crate) async fn is_cloned(site: &Site, node: usize) -> Result<bool, Error> {
    let mut conn = connect(site, site.nodes()[node]).await?;
    let mark = note::read_mark(&mut conn).await?;
    conn.close().await;
    Ok(mark.is_some_and(|mark| mark.cloned))
}

/// Makes it one, and notes on both nodes where the links are to start: on the target last, which ends its being marked.
///
/// # Errors
/// Where it is not: the next run goes on.
pub(crate) async fn finish(site: &Site, from: usize) -> Result<Cloned, Error> {
    let [source, target] = [from, 1 - from].map(|index| site.nodes()[index]);
    let mut ends = Ends::open(site, source, target).await?;
    let disabled = ends.dialects()[1].row().disable_event;
    let (from, to) = ends.both();
    let Some(note) = note::read(to).await? else {
        return Err(Error::Broken(target.name.clone()));
    };
    from.execute("SET SESSION sql_log_bin = 0").await?;
    if !has_plugin(to).await? {
        to.execute(INSTALL).await?;
    }
    let status = to.row(STATUS).await?.unwrap_or_default();
    let cloned = Cloned {
        bytes: to
            .value("SELECT SUM(DATA) FROM performance_schema.clone_progress")
            .await?
            .and_then(|text| text.parse().ok())
            .unwrap_or_default(),
        took: Duration::from_micros(status.number("US").unwrap_or_default()),
    };
    let Some(origin) = origin(&status) else {
        return Err(Error::Broken(target.name.clone()));
    };
    disable_events(to, disabled).await?;
    for conn in [&mut *from, &mut *to] {
        for sql in own_tables::create() {
            conn.execute(&sql.to_string()).await?;
        }
        // The next agent begins at the origins; a proof's row that one node lacks would never come.
        let forget =
            ["checkpoint", "canary"].map(|table| format!("DELETE FROM `twinlog`.`{table}`"));
        run_all(conn, forget.iter().map(String::as_str)).await?;
    }
    let record = origin.record(&site.pair_id, &source.name).to_string();
    run_all(from, [record.as_str(), account::DROP]).await?;
    if note.installed && has_plugin(from).await? {
        from.execute(UNINSTALL).await?;
    }
    from.execute(FORGET).await?;

    to.execute(account::DROP).await?;
    put_back(to, &note).await?;
    if note.installed {
        to.execute(UNINSTALL).await?;
    }
    // The log has nothing from before.
    let facts = ServerFacts::read(to).await?;
    let own = Origin {
        end: Coordinates::default(),
        ..origin
    };
    let own = own.in_log(&facts.binlogs);
    let record = own.record(&site.pair_id, &target.name).to_string();
    let all = ["START TRANSACTION", &record, CLEAR, "COMMIT", FORGET];
    run_all(to, all).await?;
    if !note.mark.was_read_only {
        to.execute("SET GLOBAL read_only = OFF").await?;
    }
    ends.close().await;
    Ok(cloned)
}

/// Where the source's log stood when its files were taken.
fn origin(status: &Row) -> Option<Origin> {
    (status.get("STATE") == Some("Completed")).then_some(())?;
    Some(Origin {
        end: Coordinates {
            file: status.get("BINLOG_FILE")?.to_owned(),
            position: status.number("BINLOG_POSITION")?,
        },
        gtids: status
            .get("GTID_EXECUTED")
            .unwrap_or_default()
            .replace('\n', ""),
        sameness: Sameness::Copied,
        secrets_id: String::new(),
    })
}

/// As replication makes events: they run on the node that they were made on. What else ALTER would set is what it is.
async fn disable_events(conn: &mut Conn, disabled: &str) -> Result<(), ConnError> {
    let events = conn
        .rows(
            "SELECT EVENT_SCHEMA, EVENT_NAME, DEFINER, SQL_MODE, TIME_ZONE, COLLATION_CONNECTION FROM information_schema.EVENTS \
             WHERE STATUS = 'ENABLED'",
        )
        .await?;
    for event in &events {
        let [schema, name, definer, mode, zone, collation] =
            [0, 1, 2, 3, 4, 5].map(|at| event.at(at).unwrap_or_default());
        let (user, host) = definer.rsplit_once('@').unwrap_or((definer, "%"));
        let session = format!(
            "SET SESSION sql_mode = {}, SESSION time_zone = {}, SESSION collation_connection = {}",
            literal(mode),
            literal(zone),
            literal(collation)
        );
        let alter = format!(
            "ALTER DEFINER = {}@{} EVENT {}.{} {disabled}",
            literal(user),
            literal(host),
            identifier(schema),
            identifier(name)
        );
        run_all(conn, [session.as_str(), &alter]).await?;
    }
    run_all(conn, SESSION_OF_COPY).await
}
