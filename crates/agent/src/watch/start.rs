//! Before both logs are read: can they be followed at all, and from where.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures_util::future::try_join;
use tokio::time::sleep;
use twinlog_converge::Side;
use twinlog_pair::{
    config::Mode,
    copy,
    lost::{self, Lost},
    origin, own_tables,
    site::{Login, Site},
    watch_state::{ALL_TABLES, AgentState, LastOwn, ToVerify},
};
use twinlog_server::{
    conn::{Conn, Error as ConnError},
    dialect::Dialect,
    facts::{self, ServerFacts, Standing, author::Author},
    gtid::{self, GtidSet},
};

use super::follow::NodeName;
use crate::{
    history,
    resolve::{Leadership, LeadershipError},
};

/// How long a server may take to let the agent in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a server keeps a connection of the agent's that says nothing, in seconds: the most that servers take. Whatever
/// their `wait_timeout`, a pair that rests for a night does not lose its agent's connections.
const IDLE_S: u32 = 31_536_000;
/// How long the lock of an agent that has just ended may still be held: its server rolls a transaction back first.
const SEAT_PATIENCE: Duration = Duration::from_secs(2);
const SEAT_POLL: Duration = Duration::from_millis(50);

/// What kept the agent from watching.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A server.
    #[error(transparent)]
    Server(#[from] ConnError),
    /// A server's answer that is no GTID set.
    #[error(transparent)]
    Gtid(#[from] gtid::Error),
    /// The configuration has links without GTIDs.
    #[error("the links go by position, and without GTIDs the agent cannot tell transactions apart")]
    ByPosition,
    /// Nothing tells from where both logs must be read.
    #[error(
        "nothing tells from where both logs must be read: no agent has left a checkpoint, and when the pair was made \
         nobody wrote down where {0}'s log stood"
    )]
    NoBegin(String),
    /// The pair is not as the agent needs it.
    #[error("the agent cannot follow this pair: {}", .0.join("; "))]
    NotReady(Vec<String>),
    /// A node has lost transactions of its own.
    #[error("{}", .0.message)]
    Lost(Lost),
}

impl StartError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Server(error) => error.hint(),
            Self::Gtid(_) => None,
            Self::Lost(lost) => Some(lost.hint.clone()),
            Self::ByPosition => Some(
                "`twinlog up` makes links by GTID where [replication] says `mode = \"gtid\"`; it does not move a live link \
                 from one to the other"
                    .into(),
            ),
            Self::NoBegin(_) => Some(
                "`twinlog run --from-now` begins with what comes now, and names all tables as not compared"
                    .into(),
            ),
            Self::NotReady(_) => {
                Some("`twinlog up` makes the pair so, or says why it cannot".into())
            }
        }
    }
}

/// Where both logs are read from, and why there.
#[derive(Debug)]
pub(super) struct Begin {
    /// The transactions that need not be read.
    pub(super) settled: GtidSet,
    /// Why these, for people.
    pub(super) reason: &'static str,
    /// What the last agent said of itself.
    pub(super) last: AgentState,
}

/// A node, asked.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) name: NodeName,
    pub(super) dialect: Dialect,
    /// For reading definitions.
    pub(super) conn: Conn,
    checkpoint: Option<Left>,
    /// What the last agent had read of each node's own, as far as that has come here.
    pub(super) last_own: BTreeMap<String, LastOwn>,
    origin: Option<GtidSet>,
    standing: Standing,
    /// twinlog's own tables that are not there.
    no_tables: Vec<&'static str>,
}

/// What the last agent left on a node.
#[derive(Debug)]
struct Left {
    settled: GtidSet,
    written_us: u64,
    state: AgentState,
}

impl Ready {
    /// In words, if there are any: a twinlog that made the pair before these were needed.
    fn lacks_tables(&self) -> Option<String> {
        let all = self.no_tables.join(", ");
        (!all.is_empty()).then(|| format!("the schema twinlog has no {all}"))
    }
}

/// Logs in as the agent, for good.
pub(super) async fn connect(site: &Site, side: Side) -> Result<Conn, ConnError> {
    let node = site.nodes()[side.index()];
    let mut conn = site.connect(node, Login::Agent, CONNECT_TIMEOUT).await?;
    conn.execute(&format!("SET SESSION wait_timeout = {IDLE_S}"))
        .await?;
    Ok(conn)
}

/// Looks at both nodes.
pub(super) async fn look(site: &Site) -> Result<[Ready; 2], StartError> {
    if site.config.replication.mode == Mode::Position {
        return Err(StartError::ByPosition);
    }
    let (mut a, mut b) = try_join(look_at(site, Side::A), look_at(site, Side::B)).await?;
    let conns = [&mut a.1.conn, &mut b.1.conn];
    lost::look_again_over(conns, [&mut a.0, &mut b.0]).await?;
    let mut wrong = Vec::new();
    for (_, ready) in [&mut a, &mut b] {
        if let Some(half) = copy::read_mark(&mut ready.conn).await? {
            let name = &ready.name.name;
            wrong.push(format!("{name}: it holds half a copy of {}", half.source));
        }
    }
    for (facts, ready) in [&a, &b] {
        let own = facts.membership.as_ref().and(ready.lacks_tables());
        let lacks = missing(site, facts).chain(own);
        wrong.extend(lacks.map(|what| format!("{}: {what}", ready.name.name)));
    }
    if a.1.dialect.is_mariadb() != b.1.dialect.is_mariadb() {
        wrong.push("one node is MySQL and the other MariaDB".to_owned());
    }
    if a.1.name.server_id == b.1.name.server_id {
        wrong.push("both nodes have the same server_id".to_owned());
    }
    if !wrong.is_empty() {
        return Err(StartError::NotReady(wrong));
    }
    for (node, peer) in [(&a, &b), (&b, &a)] {
        let names = [node, peer].map(|(_, ready)| ready.name.name.as_str());
        if let Some(lost) = lost::of(names, &node.0, &peer.0) {
            return Err(StartError::Lost(lost));
        }
    }
    Ok([a.1, b.1])
}

async fn look_at(site: &Site, side: Side) -> Result<(ServerFacts, Ready), StartError> {
    let mut conn = connect(site, side).await?;
    let server = ServerFacts::read(&mut conn).await?;
    let flavour = server.dialect.version().flavour;
    let own = facts::read_own_tables(&mut conn).await?;
    let (mut checkpoint, mut origin) = (None, None);
    let mut last_own = BTreeMap::new();
    let no_tables = own_tables::missing(&own);
    if no_tables.is_empty() {
        checkpoint = history::read_checkpoint(&mut conn)
            .await?
            .map(|checkpoint| {
                Ok::<_, gtid::Error>(Left {
                    settled: GtidSet::parse(flavour, &checkpoint.settled)?,
                    written_us: checkpoint.written_us,
                    // What another version wrote is no reason not to start.
                    state: serde_json::from_str(&checkpoint.detail).unwrap_or_default(),
                })
            })
            .transpose()?;
        last_own = checkpoint
            .as_ref()
            .map(|left| left.state.last_own.clone())
            .unwrap_or_default();
        origin = origin::read(&mut conn)
            .await?
            .map(|origin| GtidSet::parse(flavour, &origin.gtids))
            .transpose()?;
    }
    let ready = Ready {
        name: NodeName {
            name: site.nodes()[side.index()].name.clone(),
            server_id: server.server_id(),
            author: Author::of(&server),
        },
        dialect: server.dialect,
        standing: Standing::read(&mut conn, &server.dialect).await?,
        conn,
        checkpoint,
        last_own,
        origin,
        no_tables,
    };
    Ok((server, ready))
}

/// Takes the right to repair, with so many connections to each node.
pub(super) async fn lead(site: &Site, seats: usize) -> Result<Vec<Leadership>, super::Error> {
    let mut taken = Vec::new();
    for seat in 0..seats {
        let began = Instant::now();
        let leadership = loop {
            let names = site.nodes().map(|node| node.name.clone());
            let conns = try_join(connect(site, Side::A), connect(site, Side::B)).await?;
            match Leadership::take_seat(seat, names, conns.into()).await {
                // Whoever has the first lock is the agent: the others are of one that has ended.
                Err(LeadershipError::Held { .. })
                    if seat > 0 && began.elapsed() < SEAT_PATIENCE =>
                {
                    sleep(SEAT_POLL).await;
                }
                taken => break taken?,
            }
        };
        taken.push(leadership);
    }
    Ok(taken)
}

/// The connections that hold the agent's lock, by the node's name.
pub(super) async fn connections(
    leader: &mut Leadership,
    names: [&str; 2],
) -> Result<BTreeMap<String, u64>, LeadershipError> {
    let mut connections = BTreeMap::new();
    for (side, name) in Side::BOTH.into_iter().zip(names) {
        let id = leader
            .hand(side)
            .conn()
            .value("SELECT CONNECTION_ID()")
            .await;
        let id = id.map_err(|source| LeadershipError::Lost {
            node: name.to_owned(),
            source: Box::new(source),
        })?;
        let id = id.and_then(|id| id.parse().ok()).unwrap_or_default();
        connections.insert(name.to_owned(), id);
    }
    Ok(connections)
}

/// What a node lacks for its log to be followed.
fn missing<'a>(site: &'a Site, server: &'a ServerFacts) -> impl Iterator<Item = String> + 'a {
    let member = match &server.membership {
        Some(member) if member.pair_id == site.pair_id => None,
        Some(_) => Some("it is a node of another pair".to_owned()),
        None => Some("it is no node of a twinlog pair yet".to_owned()),
    };
    let log = server
        .binlog_end
        .is_none()
        .then(|| "it writes no binary log".to_owned());
    let gtids = (!server.has_gtids()).then(|| {
        "its transactions have no GTIDs, without which they cannot be told apart".to_owned()
    });
    let wanted = [
        ("binlog_format", "ROW"),
        ("binlog_row_image", "FULL"),
        ("log_replica_updates", "ON"),
    ];
    let settings = wanted.into_iter().filter_map(|(key, value)| {
        let name = server.dialect.variable(key)?.name;
        let actual = server.named(name)?;
        (!actual.eq_ignore_ascii_case(value)).then(|| format!("{name} is {actual}, not {value}"))
    });
    let partial = server
        .variable("binlog_row_value_options")
        .filter(|value| !value.is_empty())
        .map(|value| format!("binlog_row_value_options is {value}: rows are logged in part only"));
    [member, log, gtids, partial]
        .into_iter()
        .flatten()
        .chain(settings)
}

/// From where both logs must be read so that nothing is missed.
pub(super) fn from(nodes: &[Ready; 2]) -> Result<Begin, StartError> {
    let [a, b] = nodes;
    // A checkpoint is replicated: one node may have an older one, which is as good but further back.
    let checkpoint = match (&a.checkpoint, &b.checkpoint) {
        (Some(a), Some(b)) => Some(if a.settled.covers(&b.settled)? { a } else { b }),
        (one, other) => one.as_ref().or(other.as_ref()),
    };
    if let Some(checkpoint) = checkpoint {
        return Ok(Begin {
            settled: checkpoint.settled.clone(),
            reason: "where the last agent was",
            last: last(nodes),
        });
    }
    let no_begin = |node: &Ready| StartError::NoBegin(node.name.name.clone());
    let origin_a = a.origin.as_ref().ok_or_else(|| no_begin(a))?;
    let origin_b = b.origin.as_ref().ok_or_else(|| no_begin(b))?;
    Ok(Begin {
        settled: origin_a.merge(origin_b)?,
        reason: "where both logs stood when the pair was made: no agent has left a checkpoint yet",
        last: AgentState::default(),
    })
}

/// From what both nodes have executed by now: what went before is not looked at, and may differ anywhere.
pub(super) fn now(nodes: &[Ready; 2]) -> Result<Begin, StartError> {
    let [a, b] = nodes
        .each_ref()
        .map(|node| node.standing.applied.merge(&node.standing.logged));
    let passed_over = ToVerify {
        table: ALL_TABLES.to_owned(),
        reason: format!(
            "`twinlog run --from-now` passed over what was not compared by {}",
            jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC")
        ),
    };
    Ok(Begin {
        settled: a?.common(&b?)?,
        reason: "what both nodes have executed by now",
        last: AgentState {
            to_verify: vec![passed_over],
            verify: last(nodes).verify,
            ..AgentState::default()
        },
    })
}

/// What the last agent said of itself: the later of what it left on both nodes.
fn last(nodes: &[Ready; 2]) -> AgentState {
    let left = nodes.iter().filter_map(|node| node.checkpoint.as_ref());
    let latest = left.max_by_key(|left| left.written_us);
    latest.map(|left| left.state.clone()).unwrap_or_default()
}
