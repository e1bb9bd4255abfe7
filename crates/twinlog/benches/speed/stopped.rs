//! A link that stood still while both nodes were written, and runs again.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use tokio::time::sleep;
use twinlog_server::{gtid::GtidSet, version::Flavour};
use twinlog_testbed::ServerKind;

use crate::{
    Length,
    agent::{Agent, checkpoint},
    duo::{Duo, Pair},
    load::{self, Load, Rows},
    machine,
    native::sustained,
    probe::Probe,
    times::verdict,
};

const POLICY: &str = "[conflicts]\npolicy = \"last-write-wins\"\n";
/// For how many seconds the link stands still; 600 for the real thing.
const SECONDS_VARIABLE: &str = "STOPPED_SECONDS";
const MIB: u64 = 1 << 20;
/// The agent's default limit.
const LIMIT: u64 = 256 * MIB;
/// Beside what it keeps an agent has connections, code, and what it has read and not looked at yet.
const BESIDE: u64 = 64 * MIB;
const EVERY: Duration = Duration::from_millis(500);
const SETTLE_MAX: Duration = Duration::from_secs(900);
/// Where the pair's clients stand while a link does, in the rate that both nodes sustain: a backlog that can be worked off.
const LOAD_PERCENT: u32 = 50;

pub(crate) fn run(kind: ServerKind, length: Length) {
    let asked = std::env::var(SECONDS_VARIABLE)
        .ok()
        .and_then(|text| text.parse().ok());
    let time = Duration::from_secs(asked.unwrap_or(length.pick(60, 10)));
    load::measure(async {
        let pair = Pair::new(kind, POLICY);
        pair.up();
        let duo = pair.duo();
        duo.prepare().await;
        let load = Load::prepare(&duo, length.pick(50_000, 5_000)).await;
        let sustained = sustained(&duo, &load, Duration::from_secs(8)).await.rate as u32;
        let rate = sustained * LOAD_PERCENT / 100;
        // The servers by themselves, then with the agent.
        let alone = stand(&duo, &load, rate, time, None).await;
        let agent = Agent::start(&pair, &["--from-now"]).await;
        let watched = stand(&duo, &load, rate, time, Some(&agent)).await;
        println!(
            "{:14} {} s at {rate} transactions/s on each node; then b catches up in {:.1} s alone, {:.1} s watched",
            kind.name(),
            time.as_secs(),
            alone.caught_up.as_secs_f64(),
            watched.caught_up.as_secs_f64()
        );
        println!(
            "{:14}   the agent has settled all {:.1} s after that (it says so every second); its account up to {} MiB, resident up \
             to {} MiB, limit {} MiB: {}; processor {:.1} s of {:.1} s standing still, {:.1} s catching up; last lag {:.0} ms",
            "",
            watched
                .settled
                .saturating_sub(watched.caught_up)
                .as_secs_f64(),
            watched.memory_max / MIB,
            watched.resident_max / MIB,
            LIMIT / MIB,
            verdict(watched.memory_max <= LIMIT && watched.resident_max <= LIMIT + BESIDE),
            watched.used_standing.as_secs_f64(),
            time.as_secs_f64(),
            watched.used_catching.as_secs_f64(),
            watched.lag_ms
        );
        let said = agent.stop();
        for line in said.lines().filter(|line| line.contains("WARN")) {
            println!("{:14}   agent: {line}", "");
        }
    });
}

/// What was seen of a link that stood still.
#[derive(Debug, Default)]
struct Stood {
    /// From its start until b had all of a's.
    caught_up: Duration,
    /// From its start until the agent's checkpoint had all.
    settled: Duration,
    memory_max: u64,
    resident_max: u64,
    used_standing: Duration,
    used_catching: Duration,
    lag_ms: f64,
}

async fn stand(duo: &Duo, load: &Load, rate: u32, time: Duration, agent: Option<&Agent>) -> Stood {
    let replica = &duo.nodes[1];
    let (stop, start) = if duo.kind.is_mariadb() {
        ("STOP SLAVE", "START SLAVE")
    } else {
        ("STOP REPLICA", "START REPLICA")
    };
    let used = || agent.map_or(Duration::ZERO, |agent| machine::process_time(agent.pid()));
    let mut stood = Stood::default();
    let mut conn = duo.nodes[0].conn().await;
    let before = used();
    replica.exec(&[stop]).await;
    let mut ended = Box::pin(load.start(duo, Rows::Shared, time, Some(rate)).end());
    loop {
        tokio::select! {
            _ = &mut ended => break,
            () = sleep(EVERY) => stood.note(agent, checkpoint(&mut conn).await),
        }
    }
    stood.used_standing = used().saturating_sub(before);
    let before = used();
    let started = Instant::now();
    replica.exec(&[start]).await;
    // The agent writes a checkpoint only after clients have written something.
    let probe = Probe::start(duo);
    let mut drained = Box::pin(duo.drained());
    loop {
        tokio::select! {
            [a_to_b, _] = &mut drained => {
                stood.caught_up = a_to_b;
                break;
            }
            () = sleep(EVERY) => stood.note(agent, checkpoint(&mut conn).await),
        }
    }
    if agent.is_some() {
        let target = executed(duo).await;
        while !stood.has_settled(agent, duo, &mut conn, &target).await {
            assert!(started.elapsed() < SETTLE_MAX, "the agent does not settle");
            sleep(EVERY).await;
        }
        stood.settled = started.elapsed();
    }
    stood.used_catching = used().saturating_sub(before);
    probe.end().await;
    stood
}

impl Stood {
    fn note(
        &mut self,
        agent: Option<&Agent>,
        checkpoint: Option<(twinlog_pair::watch_state::AgentState, String)>,
    ) {
        let Some(agent) = agent else { return };
        self.resident_max = machine::resident_max(agent.pid());
        if let Some((state, _)) = checkpoint {
            self.memory_max = self.memory_max.max(state.memory_bytes);
            self.lag_ms = state.lag_ms.values().copied().fold(0.0, f64::max);
        }
    }

    async fn has_settled(
        &mut self,
        agent: Option<&Agent>,
        duo: &Duo,
        conn: &mut mysql_async::Conn,
        target: &[GtidSet; 2],
    ) -> bool {
        let now = checkpoint(conn).await;
        let settled = now
            .as_ref()
            .map(|(_, settled)| GtidSet::parse(flavour(duo), settled).unwrap());
        self.note(agent, now);
        settled.is_some_and(|settled| target.iter().all(|logged| settled.covers(logged).unwrap()))
    }
}

fn flavour(duo: &Duo) -> Flavour {
    if duo.kind.is_mariadb() {
        Flavour::MariaDb
    } else {
        Flavour::MySql
    }
}

/// What each node's log holds.
async fn executed(duo: &Duo) -> [GtidSet; 2] {
    let sql = if duo.kind.is_mariadb() {
        "SELECT @@gtid_binlog_pos"
    } else {
        "SELECT @@gtid_executed"
    };
    let of = async |node: &crate::duo::Node| {
        let text: String = node.conn().await.query_first(sql).await.unwrap().unwrap();
        GtidSet::parse(flavour(duo), &text).unwrap()
    };
    let [a, b] = &duo.nodes;
    [of(a).await, of(b).await]
}
