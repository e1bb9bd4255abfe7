//! The proof that a link works: something written on the source is read on the replica, and the time that took.
//!
//! Usually that is a row of `twinlog.canary`. Where a filter that twinlog did not make keeps that table from crossing
//! (the `binlog-do-db` of hand-made pairs), the row travels as a statement under a database that the filter lets pass;
//! where there is no such database yet, a rotation of the source's log must be seen by the replica's applier.

use std::time::{Duration, Instant};

use twinlog_server::{
    conn::{Conn, Error},
    dialect::Dialect,
    facts::{Coordinates, LinkFacts, OWN_SCHEMA, ServerFacts},
    sql::{identifier, literal},
};

/// How often the replica is asked at first; it doubles up to [`POLL_MAX`].
const POLL_MIN: Duration = Duration::from_millis(1);
/// How often the replica is asked at most.
const POLL_MAX: Duration = Duration::from_millis(20);
/// How often the link itself is looked at while waiting.
const LINK_POLL: Duration = Duration::from_millis(250);

/// How the proof crosses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// As a row.
    Row,
    /// As a statement, under this current database.
    Through(String),
    /// As a rotation of the log.
    Rotation,
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// It arrived, this long after its commit.
    Arrived(Duration),
    /// The link reports an error; it will not arrive.
    Broken(Box<LinkFacts>),
    /// It did not arrive in time; the link's last report, if it has one.
    Late(Option<Box<LinkFacts>>),
}

/// The way past both sides' filters.
pub fn way(source: &ServerFacts, replica: &ServerFacts) -> Way {
    let list = |text: &str| -> Vec<String> {
        text.split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect()
    };
    let rules = |name: &str| -> Vec<String> {
        let rules = replica.links.iter().flat_map(|link| &link.filters);
        rules
            .filter(|(rule, _)| rule == name)
            .flat_map(|(_, value)| list(value))
            .collect()
    };
    let own_tables = format!("{OWN_SCHEMA}.");
    let tables = [
        rules("Replicate_Do_Table"),
        rules("Replicate_Wild_Do_Table"),
    ]
    .concat();
    let tables_pass = tables.is_empty()
        || tables
            .iter()
            .any(|pattern| pattern.starts_with(&own_tables));
    let by_database: Vec<Vec<String>> = [
        source.binlog_do_db.as_deref().map(list).unwrap_or_default(),
        rules("Replicate_Do_DB"),
    ]
    .into_iter()
    .filter(|names| !names.is_empty() && !names.iter().any(|name| name == OWN_SCHEMA))
    .collect();
    if !tables_pass {
        return Way::Rotation;
    }
    if by_database.is_empty() {
        return Way::Row;
    }
    let exists = |name: &String| {
        [source, replica]
            .iter()
            .all(|server| server.schemas.iter().any(|schema| schema.name == *name))
    };
    by_database[0]
        .iter()
        .find(|name| exists(name) && by_database.iter().all(|names| names.contains(name)))
        .map_or(Way::Rotation, |name| Way::Through(name.clone()))
}

/// Sends one canary from `source` to `replica`, in this row of `twinlog.canary`, and waits for it.
///
/// # Errors
/// When a statement fails on either server.
pub async fn send(
    source: &mut Conn,
    replica: &mut Conn,
    dialects: [Dialect; 2],
    row: &str,
    way: &Way,
    limit: Duration,
) -> Result<Outcome, Error> {
    // Whoever waits for a canary must not lose it to the next one.
    let lock = literal(&format!("twinlog.{row}"));
    source
        .execute(&format!("SELECT GET_LOCK({lock}, {})", limit.as_secs()))
        .await?;
    let outcome = cross(source, replica, dialects, row, way, limit).await;
    source
        .execute(&format!("SELECT RELEASE_LOCK({lock})"))
        .await?;
    outcome
}

async fn cross(
    source: &mut Conn,
    replica: &mut Conn,
    dialects: [Dialect; 2],
    node: &str,
    way: &Way,
    limit: Duration,
) -> Result<Outcome, Error> {
    let token = uuid::Uuid::new_v4().to_string();
    let target = write(source, dialects[0], node, way, &token).await?;
    let committed = Instant::now();
    let mut pause = POLL_MIN;
    let mut link_due = LINK_POLL;
    loop {
        if arrived(replica, dialects[1], node, &token, target.as_ref()).await? {
            return Ok(Outcome::Arrived(committed.elapsed()));
        }
        if committed.elapsed() >= link_due || committed.elapsed() >= limit {
            let link = read_link(replica, dialects[1]).await?;
            match link {
                Some(link) if link.error().is_some() && !reconnecting(&link) => {
                    return Ok(Outcome::Broken(link));
                }
                link if committed.elapsed() >= limit => {
                    return Ok(match link {
                        Some(link) if link.error().is_some() => Outcome::Broken(link),
                        link => Outcome::Late(link),
                    });
                }
                _ => link_due = committed.elapsed() + LINK_POLL,
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(POLL_MAX);
    }
}

/// A receiver that still tries may yet succeed: its source may just be starting.
fn reconnecting(link: &LinkFacts) -> bool {
    link.applier_errno == 0 && link.receiver != "No"
}

/// Writes the canary; returns the log file to wait for where it is a rotation.
async fn write(
    conn: &mut Conn,
    dialect: Dialect,
    node: &str,
    way: &Way,
    token: &str,
) -> Result<Option<Coordinates>, Error> {
    let replace = format!(
        "REPLACE INTO `twinlog`.`canary` (`node`, `token`, `written_at`) VALUES ({}, {}, UTC_TIMESTAMP())",
        literal(node),
        literal(token)
    );
    match way {
        Way::Row => conn.execute(&replace).await.map(|()| None),
        Way::Through(database) => {
            conn.execute("SET SESSION binlog_format = 'STATEMENT'")
                .await?;
            conn.execute(&format!("USE {}", identifier(database)))
                .await?;
            let written = conn.execute(&replace).await;
            conn.execute("SET SESSION binlog_format = DEFAULT").await?;
            written.map(|()| None)
        }
        Way::Rotation => {
            conn.execute("FLUSH BINARY LOGS").await?;
            Ok(conn
                .row(dialect.row().binlog_status)
                .await?
                .as_ref()
                .and_then(Coordinates::of_log_end))
        }
    }
}

async fn arrived(
    conn: &mut Conn,
    dialect: Dialect,
    node: &str,
    token: &str,
    target: Option<&Coordinates>,
) -> Result<bool, Error> {
    match target {
        None => {
            let sql = format!(
                "SELECT `token` FROM `twinlog`.`canary` WHERE `node` = {}",
                literal(node)
            );
            Ok(conn.value(&sql).await?.as_deref() == Some(token))
        }
        // Files are numbered: a later one has been reached when more was rotated meanwhile.
        Some(target) => Ok(read_link(conn, dialect).await?.is_some_and(|link| {
            (link.executed.file.len(), &link.executed.file) >= (target.file.len(), &target.file)
        })),
    }
}

/// The replica's default link.
async fn read_link(conn: &mut Conn, dialect: Dialect) -> Result<Option<Box<LinkFacts>>, Error> {
    let rows = conn.rows(&dialect.show_links()).await?;
    Ok(rows
        .iter()
        .map(LinkFacts::from_row)
        .find(|link| link.channel.is_empty())
        .map(Box::new))
}
