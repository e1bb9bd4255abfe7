//! How hard the nodes are asked: clients and links go first.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Error,
    hands::{Hands, Moment, number},
    progress::Progress,
};

/// How often the nodes are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// More rest than this many times its work helps nobody.
const REST_MAX: u32 = 20;

/// What keeps a comparison from being in the way.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How many stretches are hashed at once on each node.
    pub parallel: usize,
    /// Whether to rest the longer, the more statements of others run.
    pub yields: bool,
    /// It waits while a link is further behind than this.
    pub lag_max: Duration,
    /// The share of its time, in percent, that it has the servers work at most.
    pub load_percent: u8,
    /// Whether it begins only when both nodes have executed what the other had before: nothing of what was committed until
    /// then is left to change a row that was compared.
    pub settled_first: bool,
}

impl Limits {
    /// How long to rest after so much work, while so many statements of others run.
    pub(super) fn rest(&self, took: Duration, others: u32) -> Duration {
        let load = u32::from(self.load_percent.clamp(1, 100));
        (took * others).max(took * (100 - load) / load)
    }
}

/// Looks at both nodes from time to time, and waits while they are behind each other.
#[derive(Debug)]
pub(super) struct Pace {
    limits: Limits,
    looked: Option<Instant>,
    /// What the nodes had executed when it was asked whether the links pass it.
    awaited: Option<(Instant, Moment)>,
}

impl Pace {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            looked: None,
            awaited: None,
        }
    }

    /// Looks, if that is due, and returns once the nodes are near enough to each other.
    pub(super) async fn wait(
        &mut self,
        hands: &mut Hands,
        progress: &Progress,
    ) -> Result<(), Error> {
        if self.looked.is_some_and(|looked| looked.elapsed() < EVERY) {
            return Ok(());
        }
        progress.busy(self.others(hands).await?);
        self.look_at_links(hands, progress).await?;
        self.looked = Some(Instant::now());
        Ok(())
    }

    /// How many statements of others run on the busier node.
    async fn others(&self, hands: &mut Hands) -> Result<u32, Error> {
        if !self.limits.yields {
            return Ok(0);
        }
        let sql = "SHOW GLOBAL STATUS LIKE 'Threads_running'";
        let [a, b] = hands.both(sql).await?.map(|rows| number(rows.first(), 1));
        // The question itself, and what is hashed.
        let own = 1 + self.limits.parallel as u64;
        let others = a.max(b).saturating_sub(own).min(REST_MAX.into());
        Ok(others as u32)
    }

    /// Waits where what the nodes had long ago has not passed both links.
    async fn look_at_links(&mut self, hands: &mut Hands, progress: &Progress) -> Result<(), Error> {
        if let Some((since, moment)) = &self.awaited
            && hands.missing(moment).await? > 0
        {
            if since.elapsed() < self.limits.lag_max {
                return Ok(());
            }
            progress.waits_for_links(true);
            hands.wait(moment).await?;
            hands.catch_up().await?;
            progress.waits_for_links(false);
        }
        self.awaited = Some((Instant::now(), hands.now().await?));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_for_clients_and_for_its_share() {
        let limits = |load_percent| Limits {
            parallel: 1,
            yields: true,
            lag_max: Duration::ZERO,
            load_percent,
            settled_first: false,
        };
        let took = Duration::from_millis(100);
        let rests = |load, others| limits(load).rest(took, others).as_millis();
        assert_eq!([rests(100, 0), rests(100, 2)], [0, 200]);
        assert_eq!([rests(25, 0), rests(25, 2), rests(25, 5)], [300, 300, 500]);
        assert_eq!(rests(0, 0), 9900);
    }
}
