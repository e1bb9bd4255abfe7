//! Random two-sided load on real pairs while links, network, agent and servers fail; then a checker that knows every
//! confirmed write judges what is left.
//!
//! `make chaos SECONDS=… SEED=… SERVER=…` says for how long, from which seed and on which server (`mysql97`, `mysql56`,
//! `mariadb1011`, `mariadb118`, or several with commas). Rounds follow each other on one pair: load with faults, quiet,
//! `twinlog run --once`, judgement. The plan of a seed is always the same; what happens at the same moment is not, so
//! that a failing seed may need several runs to fail again. `TWINLOG_KEEP=1` keeps what it failed on.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]
#![expect(clippy::print_stdout, reason = "how far it is")]

mod checker;
mod collect;
mod evidence;
mod faults;
mod ledger;
mod load;
mod pair;
mod plan;
mod proxy;
mod round;
mod schema;
mod selftest;
mod statements;
mod transactions;

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use twinlog_testbed::ServerKind;

use crate::checker::{Broken, Finding};
use crate::pair::Pair;

/// What `make test` runs: on each flavour, from a seed of its own.
const SHORT: [(ServerKind, u64); 2] = [(ServerKind::MySql97, 1), (ServerKind::MariaDb1011, 2)];
const SHORT_SECONDS: u64 = 20;
/// Of each kind of finding, so many are printed; all are in the kept directory.
const SHOWN: usize = 3;

/// What is to be run.
struct Task {
    kind: ServerKind,
    seed: u64,
    seconds: u64,
    with_agent: bool,
}

fn main() -> ExitCode {
    // Of the test runner's flags none is for us; a name that is not ours asks for other tests.
    let names: Vec<String> = env::args().skip(1).collect();
    if names.iter().any(|name| name == "--list") || names.iter().any(|name| is_another(name)) {
        return ExitCode::SUCCESS;
    }
    plan::self_test();
    selftest::run();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut code = ExitCode::SUCCESS;
    for task in tasks() {
        if !runtime.block_on(run(&task)) {
            println!("\nreplay: {}", task.command());
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn is_another(name: &str) -> bool {
    !name.starts_with('-') && !"chaos".contains(name)
}

fn tasks() -> Vec<Task> {
    let text = |name: &str| env::var(name).ok().filter(|text| !text.is_empty());
    let number = |name: &str| {
        text(name).map(|text| {
            let number = text.parse::<u64>();
            number.unwrap_or_else(|_| panic!("{name} is not a number: {text}"))
        })
    };
    let with_agent = text("CHAOS_AGENT").as_deref() != Some("off");
    let (seconds, seed, servers) = (
        number("CHAOS_SECONDS"),
        number("CHAOS_SEED"),
        text("CHAOS_SERVER"),
    );
    let chosen: Vec<(ServerKind, u64)> = match servers {
        Some(names) => names.split(',').map(|name| (server(name), 1)).collect(),
        None => SHORT.to_vec(),
    };
    chosen
        .into_iter()
        .map(|(kind, own)| Task {
            kind,
            seed: seed.unwrap_or(own),
            seconds: seconds.unwrap_or(SHORT_SECONDS),
            with_agent,
        })
        .collect()
}

fn short(kind: ServerKind) -> String {
    kind.name().replace(['-', '.'], "")
}

fn server(name: &str) -> ServerKind {
    let found = ServerKind::ALL
        .into_iter()
        .find(|&kind| short(kind) == name);
    found.unwrap_or_else(|| {
        let names = ServerKind::ALL.map(short);
        panic!("no server is called '{name}': {}", names.join(", "))
    })
}

impl Task {
    fn command(&self) -> String {
        format!(
            "TWINLOG_KEEP=1 make chaos SECONDS={} SEED={} SERVER={}{}",
            self.seconds,
            self.seed,
            short(self.kind),
            if self.with_agent { "" } else { " AGENT=off" }
        )
    }
}

/// Whether all was as it should be: with the agent no finding, without it the findings that are bound to be there.
async fn run(task: &Task) -> bool {
    println!(
        "chaos on {}, seed {}, {} s{}",
        task.kind,
        task.seed,
        task.seconds,
        if task.with_agent {
            ""
        } else {
            ", without the agent"
        }
    );
    let pair = Arc::new(Pair::start(task.kind, task.with_agent).await);
    let tables = Arc::new(schema::tables());
    let mut before = collect::rest(&pair, &tables).await;
    let (begun, load) = (Instant::now(), Duration::from_secs(task.seconds));
    let mut totals = [0; 4];
    for round in plan::rounds(task.seed) {
        if begun.elapsed() >= load {
            break;
        }
        let outcome = round::run(&pair, &tables, &round, &before).await;
        println!(
            "round {:>3}, {:4}: {:>5} commits ({} in doubt), {:>4} conflicts, settled in {:.1} s; {} findings",
            round.number,
            if round.writers.len() == 2 {
                "both"
            } else {
                round.writers[0].name()
            },
            outcome.commits,
            outcome.in_doubt,
            outcome.conflicts,
            outcome.settled_in.as_secs_f64(),
            outcome.findings.len()
        );
        for trouble in &outcome.troubles {
            println!("  {trouble}");
        }
        totals[0] += 1;
        totals[1] += outcome.commits;
        totals[2] += outcome.conflicts;
        totals[3] += outcome.in_doubt;
        if !outcome.findings.is_empty() || !outcome.troubles.is_empty() {
            show(&outcome.findings);
            return !task.with_agent && is_bound_to_be(&outcome.findings);
        }
        before = outcome.rest;
    }
    let [rounds, commits, conflicts, doubts] = totals;
    println!(
        "chaos on {}, seed {}: {rounds} rounds, {commits} commits ({doubts} in doubt), {conflicts} conflicts, nothing amiss",
        task.kind, task.seed
    );
    task.with_agent
}

/// What native replication alone does to such a load.
fn is_bound_to_be(findings: &[Finding]) -> bool {
    [Broken::Diverged, Broken::Lost]
        .iter()
        .all(|broken| findings.iter().any(|finding| finding.broken == *broken))
}

fn show(findings: &[Finding]) {
    let mut kinds: BTreeMap<Broken, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        kinds.entry(finding.broken).or_default().push(finding);
    }
    for (broken, findings) in kinds {
        println!("  {broken:?}: {}", findings.len());
        for finding in findings.iter().take(SHOWN) {
            println!("    {}", finding.text);
        }
    }
}
