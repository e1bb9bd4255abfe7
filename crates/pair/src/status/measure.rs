//! The measuring of one link: what was written on the source must be read on the replica.

use std::time::{Duration, Instant};

use twinlog_server::{
    conn::{Conn, Error as ConnError, within},
    dialect::Dialect,
    facts::{Coordinates, LinkFacts, ServerFacts, author},
    sql::literal,
};

use super::{Crossing, MeasuredBy};
use crate::{
    canary::{self, Outcome, Way},
    config::Node,
    site::{Login, Site},
};

/// How long after the canary's own limit its statements may hang (a commit that waits for a semi-synchronous
/// replica, a write that waits for a lock).
const GRACE: Duration = Duration::from_millis(500);
/// How often a replica's position is asked for.
const POLL: Duration = Duration::from_millis(20);

/// The facts of both ends, or why a canary could not arrive (or must not be written): then none is sent.
pub(super) fn ready<'a>(
    pair_id: Option<&str>,
    nodes: [&Node; 2],
    ends: [Option<&'a ServerFacts>; 2],
) -> Result<[&'a ServerFacts; 2], String> {
    let [source, replica] = [&nodes[0].name, &nodes[1].name];
    let facts = match ends {
        [Some(first), Some(second)] => [first, second],
        [None, _] => return Err(format!("{source} does not answer")),
        [_, None] => return Err(format!("{replica} does not answer")),
    };
    for (facts, name) in facts.into_iter().zip([source, replica]) {
        if belonging(facts, pair_id, name) != Belonging::Ours {
            return Err(format!("{name} is not a node of this pair"));
        }
    }
    // A canary would take the name of a lost transaction, and hide the loss.
    if author::lost(facts[0], facts[1]).is_some() {
        return Err(format!("{source} has lost transactions of its own"));
    }
    if facts[0].binlog_end.is_none() {
        return Err(format!("{source} writes no binary log"));
    }
    match link_from(&facts[1].links, Some(facts[0])) {
        None => Err(format!("{replica} has no link")),
        Some(link) if link.is_stopped() => Err("the link is stopped".into()),
        Some(_) => Ok(facts),
    }
}

/// Whose node a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belonging {
    /// This pair's, under this name.
    Ours,
    /// No pair's yet.
    Nobody,
    /// Another pair's, or this pair's under another name.
    Other,
}

/// Whose node a server is; `pair_id` is `None` where this machine does not know the pair's id.
pub(super) fn belonging(facts: &ServerFacts, pair_id: Option<&str>, name: &str) -> Belonging {
    match &facts.membership {
        None => Belonging::Nobody,
        Some(found)
            if found.node == name && pair_id.is_none_or(|pair_id| found.pair_id == pair_id) =>
        {
            Belonging::Ours
        }
        Some(_) => Belonging::Other,
    }
}

/// The replica's link from the source: the one that was connected to it, otherwise the default one.
pub(super) fn link_from<'a>(
    links: &'a [LinkFacts],
    source: Option<&ServerFacts>,
) -> Option<&'a LinkFacts> {
    let id = source.map(ServerFacts::server_id);
    links
        .iter()
        .find(|link| id.is_some() && link.source_server_id == id)
        .or_else(|| links.iter().find(|link| link.channel.is_empty()))
}

/// Measures a link whose ends both answered.
pub(super) async fn measure(
    site: &Site,
    source: &Node,
    facts: [&ServerFacts; 2],
    conns: [&mut Conn; 2],
    wait: Duration,
) -> Crossing {
    let way = canary::way(facts[0], facts[1]);
    let address = conns[0].address().clone();
    let limit = wait + GRACE;
    let job = Job {
        site,
        source,
        dialects: [facts[0].dialect, facts[1].dialect],
        wait,
    };
    match within(limit, job.run(&way, conns)).await {
        Some(Ok(crossing)) => crossing,
        Some(Err(error)) => Crossing::Failed(error),
        None => Crossing::Failed(ConnError::Lost {
            address,
            reason: format!("no answer within {:.1} s", limit.as_secs_f64()),
            sql: "REPLACE INTO `twinlog`.`canary` …".into(),
        }),
    }
}

/// The measuring of one link.
struct Job<'a> {
    site: &'a Site,
    source: &'a Node,
    dialects: [Dialect; 2],
    wait: Duration,
}

impl Job<'_> {
    async fn run(
        &self,
        way: &Way,
        [writer, reader]: [&mut Conn; 2],
    ) -> Result<Crossing, ConnError> {
        match way {
            // A status changes nothing, so it rotates no log.
            Way::Rotation => self.by_position(writer, reader).await,
            // The agent may neither choose the format nor use that database.
            Way::Through(_) => self.as_administrator(way, reader).await,
            Way::Row => match self.by_row(way, writer, reader).await {
                Err(error) if is_read_only(&error) => {
                    match self.as_administrator(way, reader).await {
                        // Closed to everybody (super_read_only).
                        Err(error) if is_read_only(&error) => {
                            self.by_position(writer, reader).await
                        }
                        result => result,
                    }
                }
                result => result,
            },
        }
    }

    async fn as_administrator(&self, way: &Way, reader: &mut Conn) -> Result<Crossing, ConnError> {
        let mut writer = self
            .site
            .connect(self.source, Login::Admin, self.wait)
            .await?;
        let crossing = self.by_row(way, &mut writer, reader).await;
        writer.close().await;
        crossing
    }

    async fn by_row(
        &self,
        way: &Way,
        writer: &mut Conn,
        reader: &mut Conn,
    ) -> Result<Crossing, ConnError> {
        // Not the row of `up`, which would have to wait for us.
        let row = format!("{} status", self.source.name);
        let outcome = canary::send(writer, reader, self.dialects, &row, way, self.wait).await;
        let by = match way {
            Way::Through(_) => MeasuredBy::Statement,
            Way::Row | Way::Rotation => MeasuredBy::Row,
        };
        Ok(match outcome? {
            Outcome::Arrived(took) => Crossing::Arrived(took, by),
            Outcome::Broken(_) | Outcome::Late(_) => Crossing::Late(self.wait, by),
        })
    }

    /// Waits until the replica has executed what is in the source's log now.
    async fn by_position(
        &self,
        writer: &mut Conn,
        reader: &mut Conn,
    ) -> Result<Crossing, ConnError> {
        let [source, replica] = self.dialects;
        let end = writer.row(source.row().binlog_status).await?;
        let Some(end) = end.as_ref().and_then(Coordinates::of_log_end) else {
            return Ok(Crossing::NotSent(format!(
                "{} writes no binary log",
                self.source.name
            )));
        };
        let asked = Instant::now();
        loop {
            let links = read_links(reader, replica).await?;
            let arrived = |link: &LinkFacts| link.is_running() && reaches(&link.executed, &end);
            if link_from(&links, None).is_some_and(arrived) {
                return Ok(Crossing::Arrived(asked.elapsed(), MeasuredBy::Position));
            }
            if asked.elapsed() >= self.wait {
                return Ok(Crossing::Late(self.wait, MeasuredBy::Position));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Read-only, for this account.
fn is_read_only(error: &ConnError) -> bool {
    matches!(
        error,
        ConnError::Statement {
            code: 1290 | 1836,
            ..
        }
    )
}

/// Log files are numbered; once the number has outgrown its zeros the longer name is the later one.
fn reaches(place: &Coordinates, end: &Coordinates) -> bool {
    let order = |place: &Coordinates| (place.file.len(), place.file.clone(), place.position);
    order(place) >= order(end)
}

/// What the replica says of its link from the source now, with the applier's real message.
pub(super) async fn look(
    conn: &mut Conn,
    replica: &ServerFacts,
    source: Option<&ServerFacts>,
) -> Option<LinkFacts> {
    let links = read_links(conn, replica.dialect).await.ok()?;
    let mut link = link_from(&links, source)?.clone();
    if let Some((code, message)) = worker_error(conn, replica.dialect, &link).await {
        (link.applier_errno, link.applier_error) = (code, message);
    }
    Some(link)
}

async fn read_links(conn: &mut Conn, dialect: Dialect) -> Result<Vec<LinkFacts>, ConnError> {
    let rows = conn.rows(&dialect.show_links()).await?;
    Ok(rows.iter().map(LinkFacts::from_row).collect())
}

/// The error of the worker that stopped the applier: with several workers the applier itself only says that one failed,
/// and where to look.
async fn worker_error(
    conn: &mut Conn,
    dialect: Dialect,
    link: &LinkFacts,
) -> Option<(u32, String)> {
    let told = link.applier_errno != 0 && link.applier_error.contains("orker");
    if !told
        || !dialect
            .row()
            .grants
            .agent_reads
            .contains(&"performance_schema")
    {
        return None;
    }
    let sql = format!(
        "SELECT LAST_ERROR_NUMBER, LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_worker \
         WHERE CHANNEL_NAME = {} AND LAST_ERROR_NUMBER <> 0 ORDER BY LAST_ERROR_TIMESTAMP DESC LIMIT 1",
        literal(&link.channel)
    );
    let row = conn.row(&sql).await.ok()??;
    Some((
        row.number("LAST_ERROR_NUMBER")?,
        row.get("LAST_ERROR_MESSAGE")?.to_owned(),
    ))
}
