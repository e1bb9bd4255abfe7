//! One agent at a time: a named lock on both nodes, held by the very connections that repair.
//!
//! A server lets go of the lock when its connection ends, together with whatever transaction it had. So while one agent
//! repairs a node no other holds that node's lock, even where a network lets each think that it is alone.
//!
//! An agent that repairs over several connections at once holds a lock with each, by number ([`lock_name`]): the next
//! agent must have them all before it repairs, so none of the last one's transactions can still be on its way.

use std::time::Duration;

use twinlog_converge::Side;
use twinlog_pair::watch_state::AGENT_LOCK;
use twinlog_server::conn::{Conn, Error, within};

use super::Hand;

/// A server that takes longer to say who holds a lock does not answer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// The name of the lock of an agent's connections with this number, on both nodes. Whoever has the first is the agent.
#[must_use]
pub fn lock_name(seat: usize) -> String {
    match seat {
        0 => AGENT_LOCK.to_owned(),
        _ => format!("{AGENT_LOCK}.{seat}"),
    }
}

/// The right to repair, and the connections to do it with.
#[derive(Debug)]
pub struct Leadership {
    lock: String,
    nodes: [String; 2],
    hands: [Hand; 2],
}

/// Why this agent may not repair.
#[derive(Debug, thiserror::Error)]
pub enum LeadershipError {
    /// Another one does.
    #[error("another agent holds the lock on {node}: {holder}")]
    Held {
        /// On which node.
        node: String,
        /// Who, as far as the server tells.
        holder: String,
    },
    /// A server or a connection.
    #[error("the lock on {node} is lost: {source}")]
    Lost {
        /// On which node.
        node: String,
        /// How.
        source: Box<Error>,
    },
    /// Someone took the lock from this connection.
    #[error("the lock on {node} is gone")]
    Gone {
        /// On which node.
        node: String,
    },
}

impl LeadershipError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Held { .. } => Some(
                "one agent per pair is enough; stop the other one first if this one shall run"
                    .into(),
            ),
            Self::Lost { source, .. } => source.hint(),
            Self::Gone { .. } => None,
        }
    }
}

impl Leadership {
    /// Takes the agent's lock on both nodes, the first one's first. `nodes` are their names.
    ///
    /// # Errors
    /// [`LeadershipError::Held`] where another has it: both connections are closed then, and nothing is held.
    pub async fn take(nodes: [String; 2], conns: [Conn; 2]) -> Result<Self, LeadershipError> {
        Self::take_seat(0, nodes, conns).await
    }

    /// Takes the lock with this number: more connections to repair with, for who has the first.
    ///
    /// # Errors
    /// As [`Leadership::take`].
    pub async fn take_seat(
        seat: usize,
        nodes: [String; 2],
        conns: [Conn; 2],
    ) -> Result<Self, LeadershipError> {
        let lock = lock_name(seat);
        let [a, b] = conns;
        let a = take(&lock, &nodes[0], a).await?;
        let b = match take(&lock, &nodes[1], b).await {
            Ok(b) => b,
            Err(error) => {
                a.conn.close().await;
                return Err(error);
            }
        };
        Ok(Self {
            lock,
            nodes,
            hands: [a, b],
        })
    }

    /// Whether both locks are still held; asking also keeps idle connections alive.
    ///
    /// # Errors
    /// [`LeadershipError::Lost`] or [`LeadershipError::Gone`]: this agent must not repair any more.
    pub async fn check(&mut self) -> Result<(), LeadershipError> {
        let sql = format!("SELECT IS_USED_LOCK('{}') = CONNECTION_ID()", self.lock);
        for (node, hand) in self.nodes.iter().zip(&mut self.hands) {
            let address = hand.conn.address().clone();
            let answer = within(CHECK_TIMEOUT, hand.conn.value(&sql)).await;
            let held = answer.unwrap_or_else(|| {
                Err(Error::Lost {
                    address,
                    reason: format!("no answer within {} s", CHECK_TIMEOUT.as_secs()),
                    sql: sql.clone(),
                })
            });
            let held = held.map_err(|source| LeadershipError::Lost {
                node: node.clone(),
                source: Box::new(source),
            })?;
            if held.as_deref() != Some("1") {
                return Err(LeadershipError::Gone { node: node.clone() });
            }
        }
        Ok(())
    }

    /// The connection that repairs a node.
    pub fn hand(&mut self, side: Side) -> &mut Hand {
        &mut self.hands[side.index()]
    }

    /// The connection that repairs a node, and the other node's.
    pub fn hands(&mut self, side: Side) -> [&mut Hand; 2] {
        let [a, b] = &mut self.hands;
        match side {
            Side::A => [a, b],
            Side::B => [b, a],
        }
    }

    /// Gives the locks back.
    pub async fn release(self) {
        for hand in self.hands {
            hand.close().await;
        }
    }
}

async fn take(lock: &str, node: &str, mut conn: Conn) -> Result<Hand, LeadershipError> {
    let lost = |source| LeadershipError::Lost {
        node: node.to_owned(),
        source: Box::new(source),
    };
    let taken = conn
        .value(&format!("SELECT GET_LOCK('{lock}', 0)"))
        .await
        .map_err(lost)?;
    if taken.as_deref() != Some("1") {
        let holder = holder(lock, &mut conn).await;
        conn.close().await;
        return Err(LeadershipError::Held {
            node: node.to_owned(),
            holder,
        });
    }
    Hand::new(conn).await.map_err(lost)
}

/// Who holds the lock, in words. What the account may not see is left out.
async fn holder(lock: &str, conn: &mut Conn) -> String {
    let sql = format!("SELECT IS_USED_LOCK('{lock}')");
    let Ok(Some(id)) = conn.value(&sql).await else {
        return "it has just let go of it".into();
    };
    let mut words = format!("connection {id}");
    let sql =
        format!("SELECT USER AS u, HOST AS h FROM information_schema.PROCESSLIST WHERE ID = {id}");
    if let Ok(Some(row)) = conn.row(&sql).await {
        let (user, host) = (
            row.get("u").unwrap_or_default(),
            row.get("h").unwrap_or_default(),
        );
        words.push_str(&format!(" of '{user}' from {host}"));
    }
    let sql = format!(
        "SELECT ATTR_VALUE FROM performance_schema.session_connect_attrs WHERE PROCESSLIST_ID = {id} AND ATTR_NAME = '_pid'"
    );
    if let Ok(Some(pid)) = conn.value(&sql).await {
        words.push_str(&format!(", process {pid} there"));
    }
    words
}
