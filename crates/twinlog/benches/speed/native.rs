//! Replication alone: the rate that both nodes sustain under twinlog's settings, beside a document's.

use std::time::Duration;

use twinlog_testbed::ServerKind;

use crate::{
    Length,
    by_document::ByDocument,
    duo::{Duo, Pair},
    load::{self, Load, Rows},
    probe::Probe,
};

/// A rate is sustained when each node is never further behind the other.
const LAG_MAX_S: f64 = 1.0;
/// Halvings of the interval in which the rate is looked for.
const STEPS: u32 = 5;

pub(crate) fn run(kind: ServerKind, length: Length) {
    load::measure(async {
        let pair = Pair::new(kind, "");
        pair.up();
        let (ours, document) = (pair.duo(), ByDocument::start(kind).await);
        let theirs = document.duo();
        let mut rates = Vec::new();
        for (duo, whose) in [
            (&theirs, "the document's settings"),
            (&ours, "twinlog's settings"),
        ] {
            duo.prepare().await;
            let load = Load::prepare(duo, length.pick(50_000, 5_000)).await;
            let time = length.pick(Duration::from_secs(12), Duration::from_secs(4));
            let sustained = sustained(duo, &load, time).await;
            println!(
                "{:14} {whose:24} {:6.0} transactions/s on each node with lag under {LAG_MAX_S} s; clients alone reach {:6.0}, \
                 then {:.1} s behind",
                kind.name(),
                sustained.rate,
                sustained.unbound,
                sustained.unbound_lag_s
            );
            rates.push(sustained.rate);
        }
        println!("{:14} ratio {:.2}", "", rates[1] / rates[0]);
    });
}

/// The rate that replication keeps up with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sustained {
    /// Transactions per second on each node.
    pub(crate) rate: f64,
    /// What clients reach as fast as they can.
    pub(crate) unbound: f64,
    /// How far the nodes are behind by the end of that.
    pub(crate) unbound_lag_s: f64,
}

/// Looks for it: as fast as it goes first, then by halving.
pub(crate) async fn sustained(duo: &Duo, load: &Load, time: Duration) -> Sustained {
    // The first run warms up.
    trial(duo, load, time / 2, None).await;
    let Some((unbound, unbound_lag_s)) = trial(duo, load, time, None).await else {
        panic!("clients without a rate cannot miss it");
    };
    let mut found = Sustained {
        rate: unbound,
        unbound,
        unbound_lag_s,
    };
    if unbound_lag_s < LAG_MAX_S {
        return found;
    }
    let (mut low, mut high) = (0.0, unbound);
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        match trial(duo, load, time, Some(middle as u32)).await {
            Some((rate, lag_s)) if lag_s < LAG_MAX_S => low = rate.max(low),
            _ => high = middle,
        }
    }
    found.rate = low;
    found
}

/// Transactions per second on each node, and the greatest lag; `None` where clients could not keep the rate.
async fn trial(duo: &Duo, load: &Load, time: Duration, rate: Option<u32>) -> Option<(f64, f64)> {
    let probe = Probe::start(duo);
    let had = load.start(duo, Rows::Shared, time, rate).end().await;
    let [a_to_b, b_to_a] = probe.end().await;
    duo.drained().await;
    let [a, b] = had?;
    Some((
        f64::midpoint(a.rate, b.rate),
        a_to_b.max().max(b_to_a.max()),
    ))
}
