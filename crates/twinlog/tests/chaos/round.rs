//! One round on a real pair: load and faults, quiet, judgement.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tokio::time::sleep;

use crate::checker::{Case, Finding, check, settle_answers};
use crate::collect::rest;
use crate::evidence::Rest;
use crate::faults::{carry_out, heal};
use crate::ledger::Ledger;
use crate::load::{CLIENTS, Client};
use crate::pair::Pair;
use crate::plan::Round;
use crate::schema::Table;

/// `twinlog run --once` may say that something is not settled yet; it is asked again, this often.
const ONCE_TRIES: u32 = 5;
const AGAIN: Duration = Duration::from_secs(1);

/// What came of a round.
pub(crate) struct Outcome {
    /// For the next one.
    pub(crate) rest: Rest,
    pub(crate) findings: Vec<Finding>,
    /// What else is wrong, in words.
    pub(crate) troubles: Vec<String>,
    pub(crate) commits: usize,
    pub(crate) in_doubt: usize,
    /// New ones in the history.
    pub(crate) conflicts: usize,
    /// From the end of the load to the end of `twinlog run --once`.
    pub(crate) settled_in: Duration,
}

/// Runs it.
pub(crate) async fn run(
    pair: &Arc<Pair>,
    tables: &Arc<Vec<Table>>,
    round: &Round,
    before: &Rest,
) -> Outcome {
    let mut troubles = Vec::new();
    if let Some(status) = pair.start_agent().await {
        troubles.push(format!("the agent had ended with {status}"));
    }
    let mut ledger = load(pair, tables, round).await;
    let quiet = Instant::now();
    troubles.extend(settle(pair).await);
    let settled_in = quiet.elapsed();
    let after = rest(pair, tables).await;
    settle_answers(&mut ledger, tables, &after);
    let findings = check(&Case {
        tables,
        before,
        after: &after,
        ledger: &ledger,
        writers: &round.writers,
    });
    if !findings.is_empty() {
        keep(pair, tables, round, &ledger, &findings);
    }
    let known: HashSet<&String> = before.history[0].iter().map(|entry| &entry.id).collect();
    let new = |id: &String| !known.contains(id);
    Outcome {
        commits: ledger.commits.len(),
        in_doubt: ledger.in_doubt(),
        conflicts: after.history[0]
            .iter()
            .filter(|entry| new(&entry.id))
            .count(),
        rest: after,
        findings,
        troubles,
        settled_in,
    }
}

/// The clients' work, with the faults.
async fn load(pair: &Arc<Pair>, tables: &Arc<Vec<Table>>, round: &Round) -> Ledger {
    let (stop, stopped) = watch::channel(false);
    let begun = Instant::now();
    let starting = Arc::new(Mutex::new(()));
    let faults: Vec<_> = round
        .faults
        .iter()
        .map(|&fault| carry_out(pair.clone(), begun.into(), fault, starting.clone()))
        .map(tokio::spawn)
        .collect();
    let clients: Vec<_> = round
        .writers
        .iter()
        .flat_map(|&side| (0..CLIENTS).map(move |number| (side, number)))
        .map(|(side, number)| Client {
            side,
            number,
            opts: pair.client_opts(side),
            mariadb: pair.kind.is_mariadb(),
            tables: tables.clone(),
            begun,
        })
        .map(|client| tokio::spawn(client.run(round.clone(), stopped.clone())))
        .collect();
    sleep(round.load).await;
    stop.send_replace(true);
    let mut ledger = Ledger::default();
    for client in clients {
        ledger.commits.extend(client.await.unwrap());
    }
    for fault in faults {
        fault.await.unwrap();
    }
    heal(pair).await;
    ledger.commits.sort_by_key(|commit| commit.at_ms);
    ledger
}

/// Until both nodes have executed everything and the agent, if there is one, has ended every difference.
async fn settle(pair: &Pair) -> Vec<String> {
    let mut troubles = Vec::new();
    if !pair.with_agent {
        pair.drained().await;
        return troubles;
    }
    troubles.extend(pair.stop_agent().await);
    let once = pair.dir.join("once.log");
    for _ in 0..ONCE_TRIES {
        let output = pair.run(&["run", "--once"]).await;
        let mut log = fs::read_to_string(&once).unwrap_or_default();
        log.push_str(&output.stderr);
        fs::write(&once, log).unwrap();
        match output.code {
            // Something waits for a person, where the policy says so: the checker knows.
            Some(0 | 1) => return troubles,
            code => troubles.push(format!("twinlog run --once: {code:?}\n{}", output.stderr)),
        }
        sleep(AGAIN).await;
    }
    troubles
}

/// For the person who looks into it: the ledger and the findings, beside the pair.
fn keep(pair: &Pair, tables: &[Table], round: &Round, ledger: &Ledger, findings: &[Finding]) {
    let findings: String = findings
        .iter()
        .map(|finding| format!("{finding}\n"))
        .collect();
    for (name, text) in [
        ("plan", format!("{round:#?}\n")),
        ("ledger", ledger.told(tables)),
        ("findings", findings),
    ] {
        fs::write(
            pair.dir.join(format!("round-{}.{name}", round.number)),
            text,
        )
        .unwrap();
    }
}
