//! A node that has lost transactions of its own which its peer had from it, as people are told.
//!
//! Its data are an older copy's, or its log was reset. It gives the lost names again, and the peer passes over whatever
//! bears them: from then on the nodes differ in silence. So such a node is linked by nobody and followed by nobody.

use std::time::Duration;

use twinlog_server::{
    conn::{Conn, Error as ConnError},
    facts::{ServerFacts, author},
    gtid::Missing,
};

use crate::{
    observe::NodeFacts,
    site::{Login, Site},
};

/// How long a running server may take to answer before it counts as unreachable.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of a set of transactions a sentence quotes, in characters.
const GTIDS_CHARS_MAX: usize = 120;

/// What is wrong with a node, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// What was seen.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// What a node has lost, and what to do; `None` where it has lost nothing. `names` are the node's and its peer's.
pub fn of(names: [&str; 2], server: &ServerFacts, peer: &ServerFacts) -> Option<Lost> {
    let missing = author::lost(server, peer)?;
    Some(Lost {
        message: message(names, &missing),
        hint: hint(names),
    })
}

/// What was seen. `names` are the node's and its peer's.
pub fn message([node, peer]: [&str; 2], missing: &Missing) -> String {
    let mut gtids = missing.to_string();
    if let Some((end, _)) = gtids.char_indices().nth(GTIDS_CHARS_MAX) {
        gtids.replace_range(end.., "…");
    }
    format!(
        "{node} has lost transactions that {peer} has had from it: it was restored from an older copy, or its log was reset. It \
         lacks {gtids}"
    )
}

/// What to do, before clients write there.
pub fn hint([node, peer]: [&str; 2]) -> String {
    format!(
        "keep clients away from {node}: what they write there now may never reach {peer}. {peer} has the lost rows; put {node}'s \
         newer data directory back, or make {node} again from {peer}: `twinlog rebuild {node} --discard`. docs/operations.md says \
         more under \"A node that is made again\""
    )
}

/// Asks a node again that seems to have lost something: its own commits since it was first asked seem so, too, where the
/// peer was asked later.
pub(crate) async fn look_again(site: &Site, nodes: &mut [NodeFacts; 2]) {
    for index in 0..2 {
        let [Ok(a), Ok(b)] = nodes.each_ref().map(|node| node.server.as_ref()) else {
            return;
        };
        let [server, peer] = if index == 0 { [a, b] } else { [b, a] };
        if author::lost(server, peer).is_none() {
            continue;
        }
        let conn = site
            .connect(site.nodes()[index], Login::Admin, ANSWER_TIMEOUT)
            .await;
        if let (Ok(mut conn), Ok(server)) = (conn, &mut nodes[index].server) {
            // What cannot be asked again stays as it was seen.
            let _ = author::read_again(&mut conn, server).await;
            conn.close().await;
        }
    }
}

/// The same over connections that are open.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn look_again_over(
    conns: [&mut Conn; 2],
    facts: [&mut ServerFacts; 2],
) -> Result<(), ConnError> {
    let ([conn_a, conn_b], [a, b]) = (conns, facts);
    if author::lost(a, b).is_some() {
        author::read_again(conn_a, a).await?;
    }
    if author::lost(b, a).is_some() {
        author::read_again(conn_b, b).await?;
    }
    Ok(())
}
