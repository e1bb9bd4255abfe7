//! A node is made again from its peer: first it is taken out of the pair. What it alone has is saved, and then all that it
//! has counts as half a copy, which [`crate::copy`] goes on with.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use twinlog_server::{
    conn::{Conn, Error as ConnError},
    dialect::Account,
    facts::ServerFacts,
    sql::literal,
};

use crate::{
    config::Mode,
    copy,
    plan::missing_on,
    site::{Login, Site},
};

/// What the node has written last is on its way to the peer: for so long it is waited for.
const CATCH_UP: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// Why a node could not be taken out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A node did not answer as asked.
    #[error(transparent)]
    Server(#[from] ConnError),
    /// The node could not be marked.
    #[error(transparent)]
    Copy(#[from] copy::Error),
    /// Its log is to begin anew, and somebody reads it.
    #[error(
        "{node} has other replicas than its peer, which could not follow it any more: {followers}"
    )]
    Followed {
        /// The node.
        node: String,
        /// Who reads its log.
        followers: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Server(error) => error.hint(),
            Self::Copy(error) => error.hint(),
            Self::Followed { .. } => Some(
                "stop and remove their links first; afterwards they must be made again from a node of the pair".into(),
            ),
        }
    }
}

/// What [`close`] has changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closed {
    was_open: bool,
    /// No privilege lets twinlog write where this is on.
    was_super: bool,
    link_ran: bool,
}

/// Closes the node to clients, lets its peer have what is on its way to it, and stops the link that brings it.
///
/// # Errors
/// Nothing is changed where somebody else follows the node.
pub(crate) async fn close(site: &Site, node: usize) -> Result<Closed, Error> {
    let mut both = Both::connect(site, node).await?;
    let peer = ServerFacts::read(&mut both.peer).await?;
    let followers = followers(&mut both.node, &peer).await?;
    if !followers.is_empty() {
        return Err(Error::Followed {
            node: site.nodes()[node].name.clone(),
            followers: followers.join(", "),
        });
    }
    let server = ServerFacts::read(&mut both.node).await?;
    let closed = Closed {
        was_open: !server.is_on("read_only"),
        was_super: server.is_on("super_read_only"),
        link_ran: peer.links.iter().any(|link| !link.is_stopped()),
    };
    both.node.execute("SET GLOBAL read_only = ON").await?;
    if closed.was_super {
        both.node
            .execute("SET GLOBAL super_read_only = OFF")
            .await?;
    }
    let began = Instant::now();
    while began.elapsed() < CATCH_UP && both.is_on_its_way(site).await? {
        sleep(POLL).await;
    }
    if closed.link_ran {
        both.peer.execute(&peer.dialect.stop_link()).await?;
    }
    both.end().await;
    Ok(closed)
}

/// Makes that undone: the node is not made again.
///
/// # Errors
/// As [`Conn::execute`].
pub(crate) async fn reopen(site: &Site, node: usize, closed: Closed) -> Result<(), Error> {
    let mut both = Both::connect(site, node).await?;
    if closed.was_open {
        both.node.execute("SET GLOBAL read_only = OFF").await?;
    }
    if closed.was_super {
        both.node.execute("SET GLOBAL super_read_only = ON").await?;
    }
    if closed.link_ran {
        let dialect = ServerFacts::read(&mut both.peer).await?.dialect;
        both.peer.execute(&dialect.start_link()).await?;
    }
    both.end().await;
    Ok(())
}

/// Takes both links away.
///
/// # Errors
/// As [`Conn::execute`].
pub(crate) async fn part(site: &Site, node: usize) -> Result<(), Error> {
    let mut both = Both::connect(site, node).await?;
    for conn in [&mut both.node, &mut both.peer] {
        let server = ServerFacts::read(conn).await?;
        // The planner has seen that there is none of anybody else's.
        if !server.links.is_empty() {
            conn.execute(&server.dialect.stop_link()).await?;
            conn.execute(&server.dialect.remove_link()).await?;
        }
    }
    both.end().await;
    Ok(())
}

/// Marks all that the node has as half a copy of its peer.
///
/// # Errors
/// As those of [`copy`].
pub(crate) async fn mark(site: &Site, node: usize) -> Result<(), Error> {
    let nodes = site.nodes();
    let mut conn = site
        .connect(nodes[node], Login::Admin, site.patience())
        .await?;
    let databases = site.config.databases.as_deref();
    copy::give_up(&mut conn, databases, &nodes[1 - node].name).await?;
    conn.close().await;
    Ok(())
}

/// Who reads a node's log beside its peer and the agent.
async fn followers(conn: &mut Conn, peer: &ServerFacts) -> Result<Vec<String>, ConnError> {
    let own = Account::ALL.map(|account| literal(account.user()));
    // A pair made by hand has accounts of its own.
    let links = peer.links.iter().map(|link| literal(&link.source_user));
    let own = own.into_iter().chain(links).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT CONCAT(USER, '@', HOST) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%' AND USER NOT IN ({own})"
    );
    let rows = conn.rows(&sql).await?;
    Ok(rows
        .iter()
        .filter_map(|row| row.at(0).map(str::to_owned))
        .collect())
}

/// Both nodes: the one that is made again, and its peer.
struct Both {
    node: Conn,
    peer: Conn,
}

impl Both {
    async fn connect(site: &Site, node: usize) -> Result<Self, ConnError> {
        let nodes = site.nodes();
        let connect = |index: usize| site.connect(nodes[index], Login::Admin, site.patience());
        Ok(Self {
            node: connect(node).await?,
            peer: connect(1 - node).await?,
        })
    }

    async fn end(self) {
        self.node.close().await;
        self.peer.close().await;
    }

    /// Whether the peer's link runs and still has something to bring of the node's.
    async fn is_on_its_way(&mut self, site: &Site) -> Result<bool, ConnError> {
        let node = ServerFacts::read(&mut self.node).await?;
        let peer = ServerFacts::read(&mut self.peer).await?;
        let [link] = peer.links.as_slice() else {
            return Ok(false);
        };
        if link.is_stopped() || link.receiver != "Yes" {
            return Ok(false);
        }
        Ok(match site.config.replication.mode {
            Mode::Gtid => missing_on(&peer, &node).is_ok_and(|gtids| !gtids.is_empty()),
            Mode::Position => Some(&link.executed) != node.binlog_end.as_ref(),
        })
    }
}
