//! The asking: both nodes side by side, then a canary in both directions at once.

use std::{path::Path, time::Duration};

use futures_util::future::{join, try_join};
use twinlog_server::{
    conn::{Conn, Error as ConnError, within},
    facts::{self, LinkFacts, ServerFacts},
    process,
};

use super::{Answers, Crossing, Disk, NodeReport, Report, measure};
use crate::{
    config::{Node, Runtime},
    copy, lost,
    observe::Silence,
    origin, own_tables,
    site::{Login, Site},
    watch_state,
};

/// How long a server that let us in may take to answer all questions.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the second look at a link in trouble may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(1);

/// A node's answers, and two connections where it answered: one to write the canary it sends, one to look for the
/// canary it gets.
struct Asked {
    report: NodeReport,
    writer: Option<Conn>,
    reader: Option<Conn>,
}

/// Finds out all there is to know, within a few seconds whatever the servers do.
pub(super) async fn gather(site: &Site, wait: Duration) -> Report {
    let [a, b] = site.nodes();
    let (mut a, mut b) = join(ask(site, a, wait), ask(site, b, wait)).await;
    if let ([Some(reader_a), Some(reader_b)], [Ok(first), Ok(second)]) = (
        [&mut a.reader, &mut b.reader],
        [&mut a.report.server, &mut b.report.server],
    ) {
        let facts = [&mut first.facts, &mut second.facts];
        let asked = lost::look_again_over([reader_a, reader_b], facts);
        // What cannot be asked again stays as it was seen.
        let _ = within(ANSWER_TIMEOUT, asked).await;
    }
    let pair_id = site.is_founded().then(|| site.pair_id.clone());
    let id = pair_id.as_deref();
    let (a_writer, a_reader, b_writer, b_reader) = (
        a.writer.as_mut(),
        a.reader.as_mut(),
        b.writer.as_mut(),
        b.reader.as_mut(),
    );
    let reports = [&a.report, &b.report];
    let ((to_b, link_in_b), (to_a, link_in_a)) = join(
        cross(site, id, 0, reports, [a_writer, b_reader], wait),
        cross(site, id, 1, reports, [b_writer, a_reader], wait),
    )
    .await;
    renew(&mut a.report, link_in_a);
    renew(&mut b.report, link_in_b);
    let conns = [a.writer, a.reader, b.writer, b.reader];
    futures_util::future::join_all(conns.into_iter().flatten().map(Conn::close)).await;
    Report {
        asked_at: jiff::Timestamp::now(),
        pair_id,
        nodes: [a.report, b.report],
        crossings: [to_b, to_a],
    }
}

async fn ask(site: &Site, node: &Node, wait: Duration) -> Asked {
    let is_process = site.config.runtime_of(node) == Runtime::Process;
    let paths = site.paths(node);
    let running = is_process.then(|| process::find(&paths)).flatten();
    let mut report = NodeReport {
        server: Err(Silence::NotRunning),
        pid: running.map(|running| running.pid),
        disk: is_process.then(|| disk(&paths.dir)).flatten(),
    };
    let (mut writer, mut reader) = (None, None);
    if !is_process || running.is_some() {
        match ask_server(site, node, wait).await {
            Ok((answers, conns)) => {
                report.server = Ok(Box::new(answers));
                let [first, second] = conns;
                (writer, reader) = (Some(first), Some(second));
            }
            Err(error) => report.server = Err(Silence::Failed(error)),
        }
    }
    Asked {
        report,
        writer,
        reader,
    }
}

async fn ask_server(
    site: &Site,
    node: &Node,
    wait: Duration,
) -> Result<(Answers, [Conn; 2]), ConnError> {
    let (writer, mut reader) = try_join(log_in(site, node, wait), log_in(site, node, wait)).await?;
    let address = reader.address().clone();
    let answers = within(ANSWER_TIMEOUT, async {
        let facts = ServerFacts::read(&mut reader).await?;
        let (origin, no_tables, watched) = match facts.membership {
            Some(_) => (
                origin::read(&mut reader).await?,
                own_tables::missing(&facts::read_own_tables(&mut reader).await?),
                watch_state::read(&mut reader).await?,
            ),
            None => (None, Vec::new(), None),
        };
        let half_copy = copy::read_mark(&mut reader).await?;
        Ok(Answers {
            facts,
            origin,
            half_copy,
            no_tables,
            watched,
        })
    });
    match answers.await {
        Some(answers) => Ok((answers?, [writer, reader])),
        None => Err(ConnError::Lost {
            address,
            reason: format!(
                "it let us in and then gave no answer within {} s",
                ANSWER_TIMEOUT.as_secs()
            ),
            sql: "status".into(),
        }),
    }
}

/// Logs in with as little power as there is: as the agent, or as the administrator where the agent's account does not
/// exist yet, or has no connection left (servers keep one for administrators).
async fn log_in(site: &Site, node: &Node, wait: Duration) -> Result<Conn, ConnError> {
    if site.missing_secrets().contains(&"agent") {
        return site.connect(node, Login::Admin, wait).await;
    }
    match site.connect(node, Login::Agent, wait).await {
        Err(ConnError::Refused { .. }) => site.connect(node, Login::Admin, wait).await,
        result => result,
    }
}

/// Sends a canary where it can arrive. Where it did not, the link is looked at once more: what is wrong with it may
/// only show now.
async fn cross(
    site: &Site,
    pair_id: Option<&str>,
    source: usize,
    reports: [&NodeReport; 2],
    conns: [Option<&mut Conn>; 2],
    wait: Duration,
) -> (Crossing, Option<LinkFacts>) {
    let nodes = [site.nodes()[source], site.peer(source)];
    let ends = [reports[source].facts(), reports[1 - source].facts()];
    let [writer, mut reader] = conns;
    let crossing = match (measure::ready(pair_id, nodes, ends), writer, &mut reader) {
        (Ok(facts), Some(writer), Some(reader)) => {
            measure::measure(site, nodes[0], facts, [writer, reader], wait).await
        }
        (Ok(_), _, _) => Crossing::NotSent("a node does not answer".into()),
        (Err(obstacle), _, _) => Crossing::NotSent(obstacle),
    };
    let link = match (&crossing, reader, ends[1]) {
        (Crossing::Arrived(..), _, _) | (_, None, _) | (_, _, None) => None,
        (_, Some(reader), Some(replica)) => {
            within(LOOK_TIMEOUT, measure::look(reader, replica, ends[0]))
                .await
                .flatten()
        }
    };
    (crossing, link)
}

/// Puts a fresher report of a link in the place of the older one.
fn renew(node: &mut NodeReport, fresh: Option<LinkFacts>) {
    let (Ok(answers), Some(fresh)) = (&mut node.server, fresh) else {
        return;
    };
    match answers
        .facts
        .links
        .iter_mut()
        .find(|link| link.channel == fresh.channel)
    {
        Some(link) => *link = fresh,
        None => answers.facts.links.push(fresh),
    }
}

fn disk(path: &Path) -> Option<Disk> {
    let stat = nix::sys::statvfs::statvfs(path).ok()?;
    Some(Disk {
        free_bytes: stat.blocks_available() * stat.fragment_size(),
        total_bytes: stat.blocks() * stat.fragment_size(),
    })
}
