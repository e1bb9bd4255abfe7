//! Clients that write as fast as they can on both nodes, with and without `twinlog run` beside them.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use twinlog_testbed::ServerKind;

use crate::{
    Length,
    agent::{Agent, checkpoint},
    duo::{Duo, Pair},
    load::{self, Load, Rows},
    machine,
    native::sustained,
    times::{Figures, verdict},
};

const POLICY: &str = "[conflicts]\npolicy = \"last-write-wins\"\n";
/// Goals: the agent's processor time in that of both servers, and what clients lose.
const SHARE_MAX: f64 = 0.15;
const COST_MAX: f64 = 0.05;
/// How often the agent's own account is read; it writes it every second.
const EVERY: Duration = Duration::from_millis(500);

pub(crate) fn run(kind: ServerKind, length: Length) {
    load::measure(async {
        let pair = Pair::new(kind, POLICY);
        pair.up();
        let duo = pair.duo();
        duo.prepare().await;
        let load = Load::prepare(&duo, length.pick(50_000, 5_000)).await;
        let time = length.pick(Duration::from_secs(10), Duration::from_secs(5));
        let sustained = sustained(&duo, &load, time).await.rate;
        let bench = Bench {
            pair: &pair,
            duo: &duo,
            load: &load,
            time,
        };
        println!(
            "{:14} both nodes sustain {sustained:.0} transactions/s each",
            kind.name()
        );
        bench
            .compare("as fast as it goes", length.pick(8, 2), Rows::Shared, None)
            .await;
        bench
            .compare(
                "at nine tenths of the sustained rate",
                length.pick(4, 2),
                Rows::Shared,
                Some((sustained * 0.9) as u32),
            )
            .await;
        bench.conflicts(sustained as u32 / 2).await;
    });
}

struct Bench<'a> {
    pair: &'a Pair,
    duo: &'a Duo,
    load: &'a Load,
    time: Duration,
}

/// What one turn showed.
struct Turn {
    /// Transactions per second, of both nodes' clients.
    rate: f64,
    p95_ms: f64,
    /// Processor time, in processors: of both servers, of the agent, of the whole machine.
    servers: f64,
    agent: f64,
    machine: f64,
    /// The agent's own lags in seconds.
    lag: Figures,
    memory_max: u64,
    resident_max: u64,
}

impl Bench<'_> {
    /// By turns, with and without the agent; every other time in the other order, so that what changes from turn to turn
    /// (the servers' own rate falls as their files grow) falls on neither.
    async fn compare(&self, what: &str, turns: u32, rows: Rows, rate: Option<u32>) {
        let (mut without, mut with) = (Figures::default(), Figures::default());
        let (mut p95_without, mut p95_with) = (Figures::default(), Figures::default());
        let (mut share, mut agent, mut servers) =
            (Figures::default(), Figures::default(), Figures::default());
        let (mut lag, mut resident, mut machine) =
            (Figures::default(), Figures::default(), Figures::default());
        let mut account = Figures::default();
        let (mut cost, mut work) = (Figures::default(), Figures::default());
        for turn in 0..turns {
            let watched_first = turn % 2 == 1;
            let first = self.turn(rows, rate, watched_first).await;
            let second = self.turn(rows, rate, !watched_first).await;
            let (alone, watched) = match watched_first {
                true => (second, first),
                false => (first, second),
            };
            cost.push(1.0 - watched.rate / alone.rate);
            work.push((watched.machine / watched.rate) / (alone.machine / alone.rate) - 1.0);
            without.push(alone.rate);
            with.push(watched.rate);
            p95_without.push(alone.p95_ms);
            p95_with.push(watched.p95_ms);
            share.push(watched.agent / watched.servers);
            agent.push(watched.agent);
            servers.push(watched.servers);
            machine.push(watched.machine);
            lag.push(watched.lag.quantile(0.5));
            lag.push(watched.lag.max());
            resident.push(watched.resident_max as f64);
            account.push(watched.memory_max as f64);
        }
        println!(
            "{:14} {what}: clients {} /s without, {} /s with; cost {}, mean {}; 95th percentile {} and {}",
            "",
            without.show(1.0, 0, ""),
            with.show(1.0, 0, ""),
            cost.show(100.0, 1, " %"),
            cost.mean_and_error(100.0, 1, " %"),
            p95_without.show(1.0, 1, " ms"),
            p95_with.show(1.0, 1, " ms"),
        );
        println!(
            "{:14}   agent {} of {} processors, servers {}, all {:.2}; agent in servers {}; lag up to {:.0} ms; resident {}, its own account {}",
            "",
            agent.show(1.0, 3, ""),
            machine::processors(),
            servers.show(1.0, 2, ""),
            machine.median(),
            share.show(100.0, 1, " %"),
            lag.max() * 1000.0,
            resident.show(1.0 / (1 << 20) as f64, 0, " MiB"),
            account.show(1.0 / (1 << 20) as f64, 1, " MiB"),
        );
        println!(
            "{:14}   processor time of the whole machine for a transaction: {} more with, mean {}",
            "",
            work.show(100.0, 1, " %"),
            work.mean_and_error(100.0, 1, " %"),
        );
        println!(
            "{:14}   goals: cost under {:.0} %: {}; share under {:.0} %: {}",
            "",
            COST_MAX * 100.0,
            verdict(cost.mean() < COST_MAX),
            SHARE_MAX * 100.0,
            verdict(share.median() < SHARE_MAX)
        );
    }

    async fn turn(&self, rows: Rows, rate: Option<u32>, watched: bool) -> Turn {
        let agent = match watched {
            true => Some(Agent::start(self.pair, &["--from-now"]).await),
            false => None,
        };
        let pids = self.duo.nodes.each_ref().map(|node| node.pid);
        let servers = || pids.map(machine::process_time).iter().sum::<Duration>();
        let used = || {
            agent
                .as_ref()
                .map_or(Duration::ZERO, |agent| machine::process_time(agent.pid()))
        };
        let (servers_before, used_before, busy_before) = (servers(), used(), machine::busy_time());
        let started = Instant::now();
        let running = self.load.start(self.duo, rows, self.time, rate);
        let (mut lag, mut memory_max) = (Figures::default(), 0);
        let mut ended = Box::pin(running.end());
        let mut conn = self.duo.nodes[0].conn().await;
        let had = loop {
            tokio::select! {
                had = &mut ended => break had,
                () = sleep(EVERY) => {
                    if watched && let Some((state, _)) = checkpoint(&mut conn).await {
                        lag.push(state.lag_ms.values().copied().fold(0.0, f64::max) / 1000.0);
                        memory_max = memory_max.max(state.memory_bytes);
                    }
                }
            }
        };
        let wall = started.elapsed().as_secs_f64();
        let per_wall = |time: Duration| time.as_secs_f64() / wall;
        let [a, b] = had.unwrap_or_default();
        let turn = Turn {
            rate: a.rate + b.rate,
            p95_ms: a.p95_ms.max(b.p95_ms),
            servers: per_wall(servers() - servers_before),
            agent: per_wall(used() - used_before),
            machine: per_wall(machine::busy_time() - busy_before),
            lag,
            memory_max,
            resident_max: agent
                .as_ref()
                .map_or(0, |agent| machine::resident_max(agent.pid())),
        };
        self.duo.drained().await;
        if let Some(agent) = agent {
            agent.stop();
        }
        turn
    }

    /// All clients write all rows: what conflicts there are, and how soon after the load all is settled.
    async fn conflicts(&self, rate: u32) {
        let agent = Agent::start(self.pair, &["--from-now"]).await;
        let running = self.load.start(self.duo, Rows::Same, self.time, Some(rate));
        running.end().await;
        let drained = self.duo.drained().await;
        let began = Instant::now();
        let said = agent.stop();
        let once = self.pair.twinlog.run(&["run", "--once", "--json"]);
        println!(
            "{:14} all clients write all rows, {rate} transactions/s each: {} repairs while it went on; links drained after \
             {:.2} s, all settled {:.2} s later ({})",
            "",
            said.matches(": repaired after").count(),
            drained[0].max(drained[1]).as_secs_f64(),
            began.elapsed().as_secs_f64(),
            once.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
        );
    }
}
