//! Carries out a round's faults, and heals them.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use nix::sys::signal::{Signal, kill};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use crate::pair::Pair;
use crate::plan::{Fault, Side, What};
use crate::proxy::Network;
use crate::schema::tables;

/// How often a statement or `up` that met another fault is tried again.
const TRIES: u32 = 40;
const AGAIN: Duration = Duration::from_millis(250);

/// The agent's account.
const AGENT: &str = "twinlog";

/// Carries out one fault, from its moment to its end.
pub(crate) async fn carry_out(
    pair: Arc<Pair>,
    begun: Instant,
    fault: Fault,
    starting: Arc<Mutex<()>>,
) {
    sleep_until(begun + fault.at).await;
    let Fault { lasts, what, .. } = fault;
    let replica = pair.replica();
    // What it meets may be broken already: then there is nothing more to break.
    match what {
        What::LinkStopped(side) => {
            let _ = pair.root(side, &[format!("STOP {replica}")]).await;
            sleep(lasts).await;
            start_link(&pair, side).await;
        }
        What::ApplierStopped(side) => {
            let _ = pair
                .root(side, &[format!("STOP {replica} SQL_THREAD")])
                .await;
            sleep(lasts).await;
            start_link(&pair, side).await;
        }
        What::NetworkCut(side) | What::NetworkStalled(side) => {
            let proxy = &pair.proxies[1 - side.index()];
            proxy.set(if matches!(what, What::NetworkCut(_)) {
                Network::Cut
            } else {
                Network::Stalled
            });
            sleep(lasts).await;
            proxy.set(Network::Open);
        }
        What::AgentKilled => {
            pair.kill_agent().await;
            sleep(lasts).await;
            pair.start_agent().await;
        }
        What::AgentCutOff(side) => cut_off(&pair, side).await,
        What::ServerKilled(side) => {
            if let Some(pid) = pair.server(side) {
                let _ = kill(pid, Signal::SIGKILL);
            }
            sleep(lasts).await;
            // One `up` at a time: they take the pair's lock.
            let _one = starting.lock().await;
            up(&pair).await;
        }
        What::RowsLocked(side) => lock_rows(&pair, side, lasts).await,
        What::LogRotated(side) => {
            let _ = pair.root(side, &["FLUSH BINARY LOGS".to_owned()]).await;
        }
    }
}

/// Everything as it should be: networks, servers, links.
pub(crate) async fn heal(pair: &Pair) {
    for proxy in &pair.proxies {
        proxy.set(Network::Open);
    }
    up(pair).await;
    for side in Side::BOTH {
        start_link(pair, side).await;
    }
}

async fn start_link(pair: &Pair, side: Side) {
    let start = format!("START {}", pair.replica());
    for _ in 0..TRIES {
        if pair.root(side, std::slice::from_ref(&start)).await.is_ok() {
            return;
        }
        sleep(AGAIN).await;
    }
}

/// `twinlog up`, again while another fault keeps it from its proof.
async fn up(pair: &Pair) {
    let mut last = None;
    for _ in 0..TRIES {
        let output = pair.run(&["up"]).await;
        if output.code == Some(0) {
            return;
        }
        last = Some(output);
        sleep(AGAIN).await;
    }
    if let Some(output) = last {
        output.expect_code(0);
    }
}

async fn cut_off(pair: &Pair, side: Side) {
    let Ok(mut conn) = pair.conn(side).await else {
        return;
    };
    let find = format!("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{AGENT}'");
    let ids: Vec<u64> = conn.query(find).await.unwrap_or_default();
    for id in ids {
        // It may be gone.
        let _ = conn.query_drop(format!("KILL {id}")).await;
    }
    let _ = conn.disconnect().await;
}

async fn lock_rows(pair: &Pair, side: Side, lasts: Duration) {
    let Ok(mut conn) = pair.conn(side).await else {
        return;
    };
    if conn.query_drop("BEGIN").await.is_ok() {
        for table in tables().iter().step_by(3) {
            let sql = format!(
                "SELECT * FROM {} WHERE id <= 4 FOR UPDATE",
                table.full_name()
            );
            // Another client may be faster.
            let _ = conn.query_drop(sql).await;
        }
        sleep(lasts).await;
    }
    let _ = conn.query_drop("ROLLBACK").await;
    let _ = conn.disconnect().await;
}
