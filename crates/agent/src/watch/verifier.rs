//! Comparisons beside the watch: of all tables on a schedule, and of what was named soon after.
//!
//! One goes on at a time, in a task of its own over connections of its own, one stretch after the other with rests between.
//! The watch looks in once a second; it ends it with itself, and the next agent goes on with one of all tables where this one
//! was. A naming is forgotten only after a comparison that began after it, and after both nodes had executed all that the
//! other had then: the tracker, which names most things once, is told at each begin to name them again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use twinlog_pair::{
    site::Site,
    watch_state::{Comparing, Comparisons, Why},
};

use super::{
    findings::{DIFFERING_MAX, Findings, is_of, second},
    names::Names,
};
use crate::{
    schedule::{ALL, Known, Next, Ran, Wanted, rested, tried_again},
    verify::{self, Error, Limits, Options, Progress, Report},
};

/// It waits while a link is further behind.
const LAG_MAX: Duration = Duration::from_secs(10);
/// A table is left when more of its rows differ: what each holds is kept in memory until the end.
const ROWS_MAX: u64 = 1000;
/// What differed when the last agent ended is compared again after so long.
const DIFFERED_REST: SignedDuration = SignedDuration::from_mins(1);

/// Compares when it is time to.
#[derive(Debug)]
pub(super) struct Verifier {
    site: Site,
    every: SignedDuration,
    started: Timestamp,
    said: Comparisons,
    last: Option<Ran>,
    /// Whether the agent before this one had begun one of all tables, which is gone on with.
    is_cut_off: bool,
    /// Until when what was compared rests.
    rests: BTreeMap<String, Timestamp>,
    not_before: Timestamp,
    /// What was not there when it was to be compared.
    gone: BTreeSet<String>,
    /// How many came to no end, one after the other.
    failures: u32,
    /// When the comparison of all tables that is to be gone on with was begun by this agent, and the last naming then.
    begun: Option<(Timestamp, u64)>,
    running: Option<Running>,
}

/// A comparison that goes on.
#[derive(Debug)]
struct Running {
    task: JoinSet<Result<Report, Error>>,
    /// A pattern.
    of: String,
    why: Why,
    began: Timestamp,
    /// The last naming before it began.
    named: u64,
    progress: Arc<Progress>,
}

impl Verifier {
    /// `None` where nothing is to be compared. `last` is what the agent before this one said.
    pub(super) fn new(site: &Site, last: Comparisons) -> Option<Self> {
        let every = SignedDuration::try_from(site.config.agent.verify_every?).ok()?;
        let time = |text: &str| text.parse::<Timestamp>().ok();
        let started = Timestamp::now();
        let ran = last.last.as_ref().and_then(|last| {
            Some(Ran {
                began: time(&last.began_at)?,
                ended: time(&last.ended_at)?,
            })
        });
        let rest = started.checked_add(DIFFERED_REST).unwrap_or(started);
        let rests = last.differing.iter().map(|one| (one.table.clone(), rest));
        let mut verifier = Self {
            site: site.clone(),
            every,
            started,
            last: ran,
            is_cut_off: false,
            rests: rests.collect(),
            said: Comparisons {
                under_way: None,
                ..last
            },
            not_before: started,
            gone: BTreeSet::new(),
            failures: 0,
            begun: None,
            running: None,
        };
        let all = verifier.options(ALL, Why::Schedule);
        verifier.is_cut_off = verify::cut_off(site, &all).is_some();
        let known = verifier.known(&Names::default(), started);
        verifier.said.next_at = Some(second(known.all_at()));
        Some(verifier)
    }

    /// What it says of its work.
    pub(super) fn said(&self) -> &Comparisons {
        &self.said
    }

    /// Looks whether one has ended, and begins what is due. Whether one began: what cannot be followed from now on is to be
    /// named again.
    pub(super) fn look(&mut self, names: &mut Names) -> bool {
        let now = Timestamp::now();
        let mut began = false;
        if let Some(running) = &mut self.running {
            match running.task.try_join_next() {
                Some(ended) => {
                    let ended = ended.unwrap_or_else(|error| {
                        // It is aborted only with all that is known of it.
                        std::panic::resume_unwind(error.into_panic())
                    });
                    self.ended(ended, names, now);
                }
                None => self.said.under_way = Some(running.told()),
            }
        }
        let known = self.known(names, now);
        let gives_way = self.running.as_ref().is_some_and(|running| {
            running.why == Why::Schedule && known.gives_way(running.began, now)
        });
        if gives_way {
            tracing::info!("the comparison of all tables waits for tables that were named");
            self.running = None;
        }
        if self.running.is_none() {
            began = match known.next(now) {
                Next::Nothing => false,
                Next::Named(of) => self.begin(of, Why::Named, names, now),
                Next::All => self.begin(ALL.to_owned(), Why::Schedule, names, now),
            };
        }
        if self.running.is_none() {
            self.said.under_way = None;
        }
        self.said.next_at = Some(second(self.known(names, now).all_at()));
        began
    }

    fn known(&self, names: &Names, now: Timestamp) -> Known {
        let not_before = |of: &String| self.rests.get(of).copied().unwrap_or(self.started);
        let named = names.patterns().into_iter().map(|(of, times)| {
            let wanted = Wanted {
                first: times.first,
                last: times.last,
                not_before: not_before(&of),
            };
            (of, wanted)
        });
        let mut wanted: BTreeMap<String, Wanted> = named.collect();
        for one in &self.said.differing {
            let seen = one.seen_at.parse().unwrap_or(now);
            wanted.entry(one.table.clone()).or_insert(Wanted {
                first: seen,
                last: seen,
                not_before: not_before(&one.table),
            });
        }
        Known {
            every: self.every,
            started: self.started,
            last: self.last,
            is_cut_off: self.is_cut_off,
            not_before: self.not_before,
            wanted,
        }
    }

    fn options(&self, of: &str, why: Why) -> Options {
        Options {
            tables: vec![of.to_owned()],
            beside: of == ALL,
            only: None,
            since: None,
            rows_max: ROWS_MAX,
            // What was compared before a naming says nothing of it.
            anew: why == Why::Named,
            limits: Limits {
                parallel: 1,
                yields: true,
                lag_max: LAG_MAX,
                load_percent: self.site.config.agent.verify_load,
                settled_first: true,
            },
        }
    }

    /// Begins; true.
    fn begin(&mut self, of: String, why: Why, names: &Names, now: Timestamp) -> bool {
        let mut options = self.options(&of, why);
        let left = verify::cut_off(&self.site, &options);
        let named = match (left, self.begun) {
            // It goes on with one of this agent.
            (Some(left), Some((began, named))) if left >= began => named,
            (Some(_), _) => 0,
            (None, _) => names.count(),
        };
        if of == ALL && left.is_none() {
            self.begun = Some((now, named));
            options.anew = true;
        }
        match why {
            Why::Schedule if left.is_some() => {
                tracing::info!("comparing all tables of both nodes, from where that was cut off")
            }
            Why::Schedule => tracing::info!("comparing all tables of both nodes: it is time"),
            Why::Named => {
                tracing::info!("comparing {of} on both nodes: whether it is equal is not known")
            }
        }
        let progress = Arc::new(Progress::default());
        let mut task = JoinSet::new();
        let (site, seen) = (self.site.clone(), Arc::clone(&progress));
        task.spawn(async move { verify::verify(&site, &options, seen).await });
        let running = Running {
            task,
            of,
            why,
            began: left.unwrap_or(now),
            named,
            progress,
        };
        self.said.under_way = Some(running.told());
        self.running = Some(running);
        true
    }

    /// Takes down what one came to, and forgets the names of what is equal.
    fn ended(&mut self, result: Result<Report, Error>, names: &mut Names, now: Timestamp) {
        let Some(running) = self.running.take() else {
            return;
        };
        let ran = Ran {
            began: running.began,
            ended: now,
        };
        let result = match result {
            // There is none at all; or not the second time, and a rename would have been read from the logs since the first.
            Err(Error::NoTable(_))
                if running.of == ALL || !self.gone.insert(running.of.clone()) =>
            {
                Ok(Findings::default())
            }
            Ok(report) => Ok(Findings::of(&running.of, &report, now)),
            Err(error) => Err(error),
        };
        let findings = match result {
            Ok(findings) => findings,
            Err(error) => {
                self.failed(&running.of, ran, &error);
                return;
            }
        };
        self.gone.remove(&running.of);
        self.failures = 0;
        self.said.failed = None;
        findings.tell(&running.of, ran);
        self.rests.retain(|_, until| *until > now);
        let rest = rested(ran, findings.differing.is_empty());
        self.rests.insert(running.of.clone(), rest);
        for one in &findings.differing {
            self.rests
                .entry(one.table.clone())
                .or_insert_with(|| rested(ran, false));
        }
        self.said
            .differing
            .retain(|one| !is_of(&running.of, &one.table));
        self.said
            .differing
            .extend(findings.differing.iter().cloned());
        self.said.differing.truncate(DIFFERING_MAX);
        if running.of == ALL {
            (self.begun, self.is_cut_off) = (None, false);
            self.last = Some(ran);
            self.said.last = Some(findings.compared(ran));
        }
        for table in names.clear(running.named, |named| findings.shows(&running.of, named)) {
            tracing::info!("{table} is equal on both nodes: it is named no more");
        }
    }

    fn failed(&mut self, of: &str, ran: Ran, error: &Error) {
        if let Error::NoTable(_) = error {
            tracing::info!(
                "{of} is not there, and looked for once more later: it may have another name"
            );
            self.rests.insert(of.to_owned(), rested(ran, false));
            return;
        }
        self.failures += 1;
        let again = tried_again(ran.ended, self.failures);
        if of == ALL {
            self.not_before = again;
        }
        self.rests.insert(of.to_owned(), again);
        tracing::warn!("the comparison of {of} came to no end: {error}; it is tried again later");
        self.said.failed = Some(error.to_string());
    }

    /// A table has another name.
    pub(super) fn rename(&mut self, [old, new]: [&str; 2]) {
        for one in &mut self.said.differing {
            if one.table == old {
                new.clone_into(&mut one.table);
            }
        }
    }

    /// Ends what goes on.
    pub(super) async fn end(self) {
        if let Some(mut running) = self.running {
            running.task.shutdown().await;
        }
    }
}

impl Running {
    fn told(&self) -> Comparing {
        let seen = self.progress.seen();
        Comparing {
            began_at: second(self.began),
            why: self.why,
            of: self.of.clone(),
            tables: seen.tables_all,
            tables_done: seen.tables,
            rows_estimated: seen.rows_estimated,
            rows_done: seen.rows,
            differing_rows: seen.found,
        }
    }
}
