//! How far each node is behind the other, while something else goes on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use mysql_async::prelude::Queryable;
use tokio::{task::JoinHandle, time::sleep};

use crate::{duo::Duo, times::Figures};

const EVERY: Duration = Duration::from_millis(100);

/// Writes a growing number on each node and looks how old the one is that its peer has.
pub(crate) struct Probe {
    stop: Arc<AtomicBool>,
    tasks: [JoinHandle<Figures>; 2],
}

impl Probe {
    pub(crate) fn start(duo: &Duo) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = [0, 1].map(|side| tokio::spawn(follow(duo.clone(), side, Arc::clone(&stop))));
        Self { stop, tasks }
    }

    /// The lags in seconds of both directions, from a to b first.
    pub(crate) async fn end(self) -> [Figures; 2] {
        self.stop.store(true, Ordering::Relaxed);
        let [a, b] = self.tasks;
        [a.await.unwrap(), b.await.unwrap()]
    }
}

async fn follow(duo: Duo, side: usize, stop: Arc<AtomicBool>) -> Figures {
    let mut lags = Figures::default();
    let mut from = duo.nodes[side].conn().await;
    let mut to = duo.nodes[1 - side].conn().await;
    let get = format!("SELECT number FROM test.probe WHERE side = {side}");
    from.query_drop("USE test").await.unwrap();
    let first: u64 = from.query_first(&get).await.unwrap().unwrap();
    let mut written = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let set = format!("UPDATE test.probe SET number = number + 1 WHERE side = {side}");
        from.query_drop(set).await.unwrap();
        written.push(Instant::now());
        sleep(EVERY).await;
        let seen: u64 = to.query_first(&get).await.unwrap().unwrap();
        // What is not there yet is as late as the oldest of it.
        let missing = usize::try_from(seen.saturating_sub(first)).unwrap();
        let lag = written
            .get(missing)
            .map_or(0.0, |at| at.elapsed().as_secs_f64());
        lags.push(lag);
    }
    lags
}
