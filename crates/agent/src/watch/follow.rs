//! The tracker, with all that must be known around it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Instant,
};

use twinlog_binlog::{Change, CommitTime, Gtid, RowError, Transaction};
use twinlog_converge::{
    Episode, Limits, Output, RepairMark, Side, TableKeys, TableName, Tracker, Unended, Verdict,
};
use twinlog_server::{
    facts::{OWN_SCHEMA, author::Author},
    gtid::GtidSet,
};

use super::{
    doubt::Doubt,
    ledger::Ledger,
    scribe::{self, ReadRepair},
    touched::{Touched, Touches},
};
use crate::{
    gtids,
    history::{self, Chosen},
    settled::Settled,
};

/// A node, as the logs name it.
#[derive(Debug, Clone)]
pub(super) struct NodeName {
    /// Its name in `twinlog.toml`.
    pub(super) name: String,
    /// Its server id.
    pub(super) server_id: u32,
    /// What the GTIDs of its own transactions begin with.
    pub(super) author: Option<Author>,
}

impl NodeName {
    /// Whether it gave a transaction this name.
    pub(super) fn wrote(&self, gtid: &Gtid) -> bool {
        match (self.author, gtid) {
            (Some(Author::MySql(own)), Gtid::MySql { uuid, .. }) => own.as_bytes() == uuid,
            (
                Some(Author::MariaDb { domain, server_id }),
                Gtid::MariaDb {
                    domain: in_domain,
                    server_id: by,
                    ..
                },
            ) => (domain, server_id) == (*in_domain, *by),
            _ => false,
        }
    }
}

/// A verdict on its way to be settled.
#[derive(Debug)]
pub(super) struct Job {
    /// Its number in the ledger.
    pub(super) number: u64,
    /// What was seen.
    pub(super) verdict: Verdict,
    /// Why no policy may decide about it.
    pub(super) doubt: Option<&'static str>,
    /// Those that it takes the place of.
    pub(super) replaces: Vec<u64>,
    /// Rows of the history that one half of a repair has left open, of the repairs among its writes.
    pub(super) halves: Vec<String>,
    /// Whether another will take its place if its rows are written before it is settled.
    pub(super) kept: bool,
    /// When the transaction came that completed it.
    pub(super) seen_at: Instant,
}

/// What is not settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    /// Clients' transactions, repairs among them.
    pub(super) transactions: u64,
    /// The keys that they touched.
    pub(super) keys: u64,
    /// The memory for both.
    pub(super) memory_bytes: u64,
    /// Verdicts that are not written down.
    pub(super) verdicts_open: u64,
}

/// Feeds both logs to the tracker; knows what was read, what may be forgotten, and which rows of open verdicts were
/// written since.
#[derive(Debug)]
pub(super) struct Follow {
    nodes: [NodeName; 2],
    tracker: Tracker,
    settled: Settled,
    ledger: Ledger,
    touched: Touched,
    /// The verdicts that are not settled, with the tracker's number if it is an episode; and the other way round.
    open: BTreeMap<u64, Option<u64>>,
    job_of: HashMap<u64, u64>,
    /// Those that are repaired, while their repair was not read from both logs: what a client wrote before it came there is
    /// judged with what the repair was chosen from. With the history's id.
    repaired: BTreeMap<u64, String>,
    /// The repairs that were read as complete while verdicts are open, and from which logs.
    read: HashMap<String, [bool; 2]>,
    /// How many episodes there were.
    episodes: u64,
    doubt: Doubt,
    /// twinlog's own transactions that are in flight: to be done with them is no reason to write a checkpoint, which is
    /// one of them.
    own: HashSet<Gtid>,
    /// Repairs that were read and whose transactions the history does not name yet.
    repairs: Vec<ReadRepair>,
    /// The repairs in flight that are one half only, and their rows of the history. Whoever made them may have ended before
    /// the other half was made.
    halves: HashMap<Gtid, String>,
    /// Whether a client's transaction was done with since the last checkpoint.
    moved: bool,
}

impl Follow {
    /// Both logs are read from `start` on.
    pub(super) fn new(nodes: [NodeName; 2], start: GtidSet, limits: Limits) -> Self {
        Self {
            doubt: Doubt::new(nodes.clone()),
            nodes,
            tracker: Tracker::new(limits).keeping(),
            settled: Settled::new(start),
            ledger: Ledger::default(),
            touched: Touched::default(),
            open: BTreeMap::new(),
            job_of: HashMap::new(),
            repaired: BTreeMap::new(),
            read: HashMap::new(),
            episodes: 0,
            own: HashSet::new(),
            repairs: Vec::new(),
            halves: HashMap::new(),
            moved: false,
        }
    }

    /// The tables of which the keys must be said with [`Follow::set_keys`] before the transaction can be pushed.
    pub(super) fn unknown_tables(&mut self, transaction: &Transaction) -> Vec<TableName> {
        self.tracker.unknown_tables(transaction)
    }

    /// Says what the keys of a table are; `None` for a table that is not replicated.
    pub(super) fn set_keys(&mut self, table: TableName, keys: Option<TableKeys>) {
        self.tracker.set_keys(table, keys);
    }

    /// Tables that got other names, since this was asked last.
    pub(super) fn take_renames(&mut self) -> Vec<[TableName; 2]> {
        self.tracker.take_renames()
    }

    /// The next transaction of a log; what comes of it.
    pub(super) fn push(
        &mut self,
        log: Side,
        transaction: Transaction,
    ) -> Result<Vec<Job>, RowError> {
        if let Some(gtid) = &transaction.gtid {
            self.settled.seen(gtid);
            if !touches_users(&transaction) {
                self.own.insert(gtid.clone());
            }
        }
        let origin = self.doubt.origin(log, &transaction);
        let repair = history_row(&transaction)?;
        let come = self.note_repair(log, repair.as_ref());
        self.name_repair(log, &transaction, repair.as_ref());
        let repair = repair.filter(|_| touches_users(&transaction));
        if let (Some(half), Some(gtid)) = (
            repair.as_ref().filter(|half| !half.repaired),
            &transaction.gtid,
        ) {
            self.halves.insert(gtid.clone(), half.id.clone());
        }
        self.touched.note(
            &transaction,
            repair.as_ref().map(|chosen| chosen.id.as_str()),
        )?;
        let repair = repair.map(|chosen| self.repair_mark(origin, &transaction, &chosen));
        self.tracker.push(log, origin, transaction, repair);
        for wipe in self.tracker.take_wipes() {
            self.touched.wipe(&wipe);
        }
        let mut jobs = self.drain()?;
        if let Some(id) = come {
            let done = self.repaired.iter().find(|(_, other)| **other == id);
            if let Some((&job, _)) = done {
                self.let_go_of(job);
                jobs.extend(self.drain()?);
            }
        }
        Ok(jobs)
    }

    /// A repair's row of the history was read; its id where that is complete in both logs by now.
    fn note_repair(&mut self, log: Side, chosen: Option<&Chosen>) -> Option<String> {
        let chosen = chosen.filter(|chosen| chosen.repaired && !self.open.is_empty())?;
        let logs = self.read.entry(chosen.id.clone()).or_default();
        logs[log.index()] = true;
        (*logs == [true; 2]).then(|| chosen.id.clone())
    }

    /// A node's appliers have executed these, although its log may have nothing of them.
    pub(super) fn passed(&mut self, log: Side, applied: &GtidSet) -> Result<Vec<Job>, RowError> {
        self.tracker.passed(log, &|gtid| gtids::has(applied, gtid));
        self.drain()
    }

    fn drain(&mut self) -> Result<Vec<Job>, RowError> {
        let mut jobs = Vec::new();
        while let Some(output) = self.tracker.next_output() {
            match output {
                Output::Retired(gtid) => {
                    self.moved |= !self.own.remove(&gtid);
                    self.doubt.retired(&gtid);
                    self.halves.remove(&gtid);
                    self.ledger.retired(gtid);
                }
                Output::Verdict(verdict) => {
                    let number = self.ledger.begin();
                    self.watch(number, &verdict)?;
                    let (episode, replaces, is_done) = match &verdict {
                        Verdict::Episode(episode) => self.replaced(number, episode),
                        _ => (None, Vec::new(), false),
                    };
                    self.open.insert(number, episode);
                    if is_done {
                        self.let_go_of(number);
                        continue;
                    }
                    jobs.push(Job {
                        number,
                        doubt: self.doubt.of(&verdict),
                        halves: self.halves_of(&verdict),
                        verdict,
                        replaces,
                        kept: episode.is_some_and(|episode| self.tracker.is_kept(episode)),
                        seen_at: Instant::now(),
                    });
                }
            }
        }
        self.ledger.advance(&mut self.settled);
        Ok(jobs)
    }

    /// The number of the episode that was just said; the open verdicts that it takes the place of, which are done; whether
    /// it says nothing but that their repair has come.
    fn replaced(&mut self, job: u64, episode: &Episode) -> (Option<u64>, Vec<u64>, bool) {
        self.episodes += 1;
        let old = self.tracker.replaced_by(self.episodes);
        let old: Vec<u64> = old
            .iter()
            .filter_map(|old| self.job_of.remove(old))
            .collect();
        let mut is_done = episode.repaired && !old.is_empty();
        for &old in &old {
            is_done &= self.repaired.remove(&old).is_some();
            self.open.remove(&old);
            self.touched.forget(old);
            self.ledger.finish(old);
        }
        for row in self.tracker.written_since(self.episodes) {
            self.touched.touch(job, row);
        }
        self.job_of.insert(self.episodes, job);
        (Some(self.episodes), old, is_done)
    }

    fn halves_of(&self, verdict: &Verdict) -> Vec<String> {
        let Verdict::Episode(episode) = verdict else {
            return Vec::new();
        };
        let repairs = episode.writes.iter().filter(|write| write.repair);
        let mut ids: Vec<String> = repairs
            .filter_map(|write| self.halves.get(&write.gtid).cloned())
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// Whether another verdict will take the place of this one.
    pub(super) fn is_kept(&self, job: u64) -> bool {
        match self.open.get(&job) {
            Some(Some(episode)) => self.tracker.is_kept(*episode),
            Some(None) => false,
            // It did already.
            None => true,
        }
    }

    fn watch(&mut self, job: u64, verdict: &Verdict) -> Result<(), RowError> {
        let Verdict::Episode(episode) = verdict else {
            return Ok(());
        };
        for (place, row) in episode.rows.iter().enumerate() {
            if let Some(key) = row.keys.unique.first() {
                self.touched
                    .watch(job, place, &row.table, &key.columns, row.key.as_image())?;
            }
        }
        Ok(())
    }

    /// The repairs that were read since this was asked last, of those that the history does not name.
    pub(super) fn take_repairs(&mut self) -> Vec<ReadRepair> {
        std::mem::take(&mut self.repairs)
    }

    /// What of a verdict's rows was written since it was given, but by the repair with that id; `None` where another has taken its place.
    pub(super) fn touched(&self, job: u64, own: Option<&str>) -> Option<Touches> {
        let open = self.open.contains_key(&job);
        open.then(|| self.touched.of(job, own))
    }

    /// The verdict of that number is written down, or needs no writing; what comes of it. `repaired` is the history's id
    /// where it took a repair.
    pub(super) fn finish(
        &mut self,
        job: u64,
        repaired: Option<&str>,
    ) -> Result<Vec<Job>, RowError> {
        let waits = |id: &&str| {
            let has_come = self.read.get(*id) == Some(&[true; 2]);
            self.open.contains_key(&job) && self.is_kept(job) && !has_come
        };
        match repaired.filter(waits) {
            Some(id) => {
                self.touched.forget(job);
                self.repaired.insert(job, id.to_owned());
            }
            None => self.let_go_of(job),
        }
        self.drain()
    }

    /// Tables are being compared: what cannot be followed from now on is named again.
    pub(super) fn name_again(&mut self) {
        self.tracker.say_again();
    }

    /// Lets those go that are repaired and that the tracker holds no longer: their tables were wiped, or are to be compared.
    pub(super) fn sweep(&mut self) -> Result<Vec<Job>, RowError> {
        let gone = self.repaired.keys().filter(|job| !self.is_kept(**job));
        for job in gone.copied().collect::<Vec<_>>() {
            self.let_go_of(job);
        }
        self.drain()
    }

    fn let_go_of(&mut self, job: u64) {
        self.repaired.remove(&job);
        // One that was replaced meanwhile was finished then.
        if let Some(episode) = self.open.remove(&job) {
            self.touched.forget(job);
            self.ledger.finish(job);
            if let Some(episode) = episode {
                self.job_of.remove(&episode);
                self.tracker.resolved(episode);
            }
        }
        if self.open.is_empty() {
            self.read.clear();
        }
    }

    /// What both nodes have prepared, and nobody has ended.
    pub(super) fn unended(&self) -> Vec<Unended> {
        self.tracker.unended().collect()
    }

    /// Whether of these transactions, all of which were read, none waits for anything but the end of what is prepared.
    pub(super) fn waits_only_for_prepared(&self, logged: &GtidSet) -> bool {
        self.open.is_empty() && !self.tracker.not_done().any(|gtid| gtids::has(logged, gtid))
    }

    /// Where both logs could be read from without missing anything.
    pub(super) fn settled(&self) -> &GtidSet {
        self.settled.set()
    }

    /// Whether there is something to write a checkpoint for.
    pub(super) fn has_moved(&self) -> bool {
        self.moved
    }

    /// The checkpoint was written.
    pub(super) fn wrote(&mut self) {
        self.moved = false;
    }

    /// Verdicts that are not written down yet.
    pub(super) fn open_jobs(&self) -> usize {
        self.ledger.jobs()
    }

    /// What is under way.
    pub(super) fn work(&self) -> Work {
        let load = self.tracker.load();
        Work {
            transactions: load.transactions.saturating_sub(self.own.len()) as u64,
            keys: load.keys as u64,
            memory_bytes: load.memory_bytes as u64,
            verdicts_open: self.open_jobs() as u64,
        }
    }

    /// A repair's transaction is to be written down. Wherever it was made: once it is in the log of the node where that is
    /// done, its row of the history is there too. Of the rows that it wrote nothing may be left in a copy.
    fn name_repair(&mut self, log: Side, transaction: &Transaction, chosen: Option<&Chosen>) {
        let chosen = chosen.filter(|chosen| chosen.repaired && !chosen.named);
        if let (Some(chosen), Some(gtid), scribe::NODE) = (chosen, &transaction.gtid, log) {
            self.repairs.push(ReadRepair {
                id: chosen.id.clone(),
                gtid: gtid.clone(),
            });
        }
    }

    /// What the tracker must know of a repair.
    fn repair_mark(&self, origin: Side, transaction: &Transaction, chosen: &Chosen) -> RepairMark {
        let side = |name: &str| {
            Side::BOTH
                .into_iter()
                .find(|side| self.nodes[side.index()].name == name)
        };
        RepairMark {
            origin: chosen.node.as_deref().and_then(side).unwrap_or(origin),
            committed: chosen
                .micros
                .map_or(transaction.committed, |micros| CommitTime {
                    micros,
                    exact: transaction.committed.exact,
                }),
            judged: chosen.judged.clone(),
        }
    }
}

/// What it writes into the history.
fn history_row(transaction: &Transaction) -> Result<Option<Chosen>, RowError> {
    let rows = transaction
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Rows(rows) if history::is_history(&rows.table) => Some(rows),
            _ => None,
        });
    for rows in rows {
        if let Some(row) = rows.changes().next().transpose()?.and_then(|row| row.after) {
            return history::chosen(row).map(Some);
        }
    }
    Ok(None)
}

/// Whether it changes anything but twinlog's own tables.
fn touches_users(transaction: &Transaction) -> bool {
    transaction.changes.iter().any(|change| match change {
        Change::Rows(rows) => &*rows.table.database != OWN_SCHEMA,
        Change::Statement(_) => true,
    })
}
