//! One watch, from its beginning to its end.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use twinlog_binlog::{RowError, Transaction};
use twinlog_converge::{Side, Verdict};
use twinlog_pair::site::{Login, Site};
use twinlog_server::{
    conn::{Conn, Error as ConnError},
    dialect::Dialect,
    gtid::GtidSet,
};

use super::{
    Error, Options, QUEUE, Summary,
    barriers::Barriers,
    clerk::Clerk,
    desk::{Answer, Desk, Found},
    follow::{Follow, Job},
    prepared::Prepared,
    recall::Recall,
    record::{self, Record},
    report::Report,
    scribe::{self, Scribe},
    sounding::{self, Sounding},
    start::{self, Begin, Ready, connect},
    tables::{Tables, is_replicated},
    target::Target,
    undescribed,
    verifier::Verifier,
};
use crate::{
    resolve::{Leadership, Pace, Settled},
    stream::{self, Item, LogReader, LogStream},
};

/// How long a link may be down while `--once` waits for it.
const LINK_PATIENCE: Duration = Duration::from_secs(10);
/// How many verdicts may wait for the desk before the logs are read no further: each keeps its rows in memory.
const OPEN_JOBS_MAX: usize = 10_000;

/// The tasks that ask the nodes.
type Sounders = JoinSet<Result<(), ConnError>>;

/// A watch at work.
pub(super) struct Watch<'a> {
    site: &'a Site,
    once: bool,
    follow: Follow,
    tables: Arc<Tables>,
    /// For reading definitions, one per node.
    definitions: [Conn; 2],
    record: Record,
    streams: [LogStream; 2],
    /// The tasks behind the streams: they end with this.
    _readers: [LogReader; 2],
    soundings: mpsc::Receiver<Sounding>,
    sounders: Sounders,
    desk: Desk,
    scribe: Scribe,
    barriers: Barriers,
    /// What each node said last, until its log has been read as far.
    heard: [Option<Sounding>; 2],
    /// What each node's appliers had executed when that was last looked at, if nothing of it can still come.
    passed: [Option<GtidSet>; 2],
    /// Whether each log was read to where it ended at some time since the beginning.
    caught_up: [bool; 2],
    /// What the last agent left unsettled: it is found again before the logs are read to their ends.
    left_open: u64,
    target: Target,
    prepared: Prepared,
    report: Report,
    verifier: Option<Verifier>,
    recall: Recall,
    links_down_since: [Option<Instant>; 2],
}

impl<'a> Watch<'a> {
    /// Opens all connections and begins to read.
    pub(super) async fn begin(
        site: &'a Site,
        options: Options,
        ready: [Ready; 2],
        begin: Begin,
        mut leaderships: Vec<Leadership>,
    ) -> Result<Self, Error> {
        let nodes = ready.each_ref().map(|node| node.name.clone());
        let names = nodes.each_ref().map(|node| node.name.clone());
        let dialects = ready.each_ref().map(|node| node.dialect);
        let left: Vec<_> = match options.from_now {
            // Who begins anew has decided about what was before.
            true => Vec::new(),
            false => ready.iter().map(|node| node.last_own.clone()).collect(),
        };
        let recall = Recall::new(nodes.clone(), dialects[0], &left);
        let tables = Arc::new(Tables::default());
        let mut report = Report::new(names, options, &begin.last);
        if let Some(leader) = leaderships.first_mut() {
            let names = nodes.each_ref().map(|node| node.name.as_str());
            report.leads(start::connections(leader, names).await?);
        }
        // Who asks for an end waits for no comparison.
        let verifier = match options.once {
            true => None,
            false => Verifier::new(site, report.state().verify.clone()),
        };
        // The first that is written down says when the next is due: a pair that rests is told nothing more.
        if let Some(verifier) = &verifier {
            report.comparisons(verifier.said());
        }
        let (soundings, sounders) = sound(site, dialects).await?;
        let clerk = |leadership, to: &mpsc::Sender<Answer>| Clerk {
            nodes: nodes.clone(),
            conflicts: site.config.conflicts.clone(),
            tables: Arc::clone(&tables),
            leadership,
            to: to.clone(),
        };
        let clerks = |to: &mpsc::Sender<Answer>| {
            let clerks = leaderships.into_iter();
            clerks.map(|leadership| clerk(leadership, to)).collect()
        };
        let desk = Desk::open(clerks, Pace::default(), QUEUE);
        let ids = nodes.each_ref().map(|node| node.server_id);
        let ([stream_a, stream_b], readers) = read_logs(site, &begin.settled, ids)?;
        Ok(Self {
            site,
            once: options.once,
            report,
            verifier,
            record: Record::new(
                [connect(site, Side::A).await?, connect(site, Side::B).await?],
                &begin.last,
            ),
            recall,
            desk,
            scribe: Scribe::begin(connect(site, scribe::NODE).await?),
            follow: Follow::new(nodes, begin.settled, options.limits),
            tables: Arc::clone(&tables),
            definitions: ready.map(|node| node.conn),
            streams: [stream_a, stream_b],
            _readers: readers,
            soundings,
            sounders,
            barriers: Barriers::default(),
            heard: [None, None],
            passed: [None, None],
            caught_up: [false; 2],
            left_open: begin.last.verdicts_open,
            target: Target::default(),
            prepared: Prepared::default(),
            links_down_since: [None, None],
        })
    }

    /// Watches until told to stop, or until all is settled.
    pub(super) async fn run(&mut self, stop: &mut watch::Receiver<bool>) -> Result<Summary, Error> {
        let mut tick = tokio::time::interval(record::EVERY);
        loop {
            let reads = self.follow.open_jobs() < OPEN_JOBS_MAX || !self.barriers.is_empty();
            let [a, b] = &mut self.streams;
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(self.report.summary()),
                item = a.next(), if reads => self.item(Side::A, item).await?,
                item = b.next(), if reads => self.item(Side::B, item).await?,
                answer = self.desk.next() => self.answered(answer?)?,
                Some(sounding) = self.soundings.recv() => {
                    let conn = &mut self.definitions[sounding.side.index()];
                    self.recall.heard(&sounding, conn).await?;
                    if self.heard(sounding)? {
                        return Ok(self.report.summary());
                    }
                }
                Some(ended) = self.sounders.join_next() => ended.unwrap_or(Ok(()))?,
                _ = tick.tick() => {
                    let jobs = self.follow.sweep();
                    self.begin_jobs(Side::A, jobs)?;
                    self.look_at_comparisons();
                    self.maybe_checkpoint().await?;
                }
            }
        }
    }

    async fn item(
        &mut self,
        log: Side,
        item: Option<Result<Item, stream::Error>>,
    ) -> Result<(), Error> {
        match item {
            Some(Ok(Item::Transaction(received))) => {
                self.report.read(log, &received);
                self.recall.note(log, &received.transaction);
                self.transaction(log, *received.transaction).await
            }
            Some(Ok(Item::Connected(connected))) => {
                self.report.connected(log, &connected);
                let conn = &mut self.definitions[log.index()];
                self.recall.check(self.site, log, conn).await
            }
            Some(Ok(Item::Position(_))) => {
                self.barriers.answer(&self.streams, &self.follow);
                Ok(())
            }
            Some(Ok(Item::Reconnecting(_))) => Ok(()),
            Some(Err(error)) => Err(error.into()),
            // It ends only when it is stopped, which only the end of the watch does.
            None => std::future::pending().await,
        }
    }

    async fn transaction(&mut self, log: Side, mut transaction: Transaction) -> Result<(), Error> {
        for table in self.follow.unknown_tables(&transaction) {
            let keys = if is_replicated(&self.site.config, &table) {
                let conn = &mut self.definitions[log.index()];
                let keys = self.tables.load(conn, &table).await?;
                // One that is not there was dropped since, or has another name, which the log will tell. The keys that
                // the log itself names are followed.
                Some(keys.unwrap_or_default())
            } else {
                None
            };
            self.follow.set_keys(table, keys);
        }
        for table in undescribed::take(&mut transaction, &self.tables) {
            self.report.cannot_follow(&table, undescribed::REASON);
        }
        let jobs = self.follow.push(log, transaction);
        for names in self.follow.take_renames() {
            let texts = names.each_ref().map(ToString::to_string);
            let texts = texts.each_ref().map(String::as_str);
            self.report.names().rename(texts);
            if let Some(verifier) = &mut self.verifier {
                verifier.rename(texts);
            }
            self.tables.rename(names);
        }
        for repair in self.follow.take_repairs() {
            self.scribe.write(repair);
        }
        self.begin_jobs(log, jobs)
    }

    fn begin_jobs(&mut self, log: Side, jobs: Result<Vec<Job>, RowError>) -> Result<(), Error> {
        let node = self.report.name(log);
        let image = |error| Error::Image {
            node: node.clone(),
            error,
        };
        let mut jobs = VecDeque::from(jobs.map_err(image)?);
        while let Some(job) = jobs.pop_front() {
            match &job.verdict {
                // A statement may be about a table that the pair does not replicate: nothing asks for its keys; and
                // definitions of what is not replicated may differ.
                Verdict::ToVerify { table, .. } | Verdict::ConcurrentDdl { table, .. }
                    if !is_replicated(&self.site.config, table) =>
                {
                    jobs.extend(self.follow.finish(job.number, None).map_err(image)?);
                }
                _ => self.desk.take(job),
            }
        }
        self.barriers.answer(&self.streams, &self.follow);
        Ok(())
    }

    fn answered(&mut self, answer: Answer) -> Result<(), Error> {
        let mut jobs = Ok(Vec::new());
        match answer {
            Answer::Caught(caught) => self.barriers.push(caught),
            Answer::Settled(settlement) => {
                let repaired = match &settlement.found {
                    Found::Rows {
                        id,
                        settled: Settled::Repaired,
                        ..
                    } => Some(id.as_str()),
                    _ => None,
                };
                jobs = self.follow.finish(settlement.job, repaired);
                self.report.settled(&settlement);
            }
            Answer::Kept { job, reply } => {
                // A desk that no longer waits has no use for it.
                let _ = reply.send(self.follow.is_kept(job));
            }
        }
        self.begin_jobs(Side::A, jobs)
    }

    /// A node said how far it is. Whether `--once` is done by that.
    fn heard(&mut self, sounding: Sounding) -> Result<bool, Error> {
        let log = sounding.side;
        self.link(&sounding)?;
        self.target.note(&sounding);
        self.heard[log.index()].get_or_insert(sounding);
        self.passed(log)?;
        let names = Side::BOTH.map(|side| self.report.name(side));
        let names = names.each_ref().map(String::as_str);
        let goes_on = self.prepared.look(&self.follow.unended(), names);
        let repaired = self.report.summary().repaired;
        let (follow, streams) = (&self.follow, &self.streams);
        let is_settled = |log: Side, logged: &GtidSet| {
            let is_read = || streams[log.index()].read_up_to().has_gtids(logged);
            Ok(follow.settled().covers(logged)?
                || (goes_on && is_read() && follow.waits_only_for_prepared(logged)))
        };
        Ok(self.once && self.target.is_reached(is_settled, repaired)?)
    }

    /// What a node's appliers have executed without a trace in its log counts once its log was read as far as it went then.
    fn passed(&mut self, log: Side) -> Result<(), Error> {
        let Some(heard) = &self.heard[log.index()] else {
            return Ok(());
        };
        if !self.streams[log.index()]
            .read_up_to()
            .has_gtids(&heard.standing.logged)
        {
            return Ok(());
        }
        self.caught_up[log.index()] = true;
        let applied = &heard.standing.applied;
        // MySQL logs what its applier skips as an empty transaction: all that it executed was read with its log. On
        // MariaDB nothing is new while its appliers stand still, once the peer's log was read further than they are. To look
        // at all that is in flight ten times a second would take a processor when a link has stopped for long.
        let nothing_new = matches!(applied, GtidSet::MySql(_))
            || self.passed[log.index()].as_ref() == Some(applied);
        if nothing_new {
            self.heard[log.index()] = None;
            return Ok(());
        }
        let peer = self.streams[log.peer().index()].read_up_to();
        self.passed[log.index()] = peer.has_gtids(applied).then(|| applied.clone());
        let jobs = self.follow.passed(log, applied);
        self.heard[log.index()] = None;
        self.begin_jobs(log, jobs)
    }

    fn link(&mut self, sounding: &Sounding) -> Result<(), Error> {
        let replica = sounding.side;
        let down = self.report.link(replica, sounding.link.as_ref());
        let since = &mut self.links_down_since[replica.index()];
        match down {
            Some(reason) => {
                let since = since.get_or_insert_with(Instant::now);
                if self.once && since.elapsed() > LINK_PATIENCE {
                    return Err(Error::LinkStopped {
                        link: self.report.link_name(replica),
                        reason,
                    });
                }
            }
            None => *since = None,
        }
        Ok(())
    }

    /// Takes down what comparisons came to, and has those begun that are due.
    fn look_at_comparisons(&mut self) {
        let Some(verifier) = &mut self.verifier else {
            return;
        };
        if verifier.look(self.report.names()) {
            self.follow.name_again();
        }
        self.report.comparisons(verifier.said());
    }

    async fn maybe_checkpoint(&mut self) -> Result<(), Error> {
        self.look_at_work();
        if self
            .record
            .is_due(self.follow.has_moved(), self.report.state())
        {
            self.write_checkpoint().await?;
        }
        Ok(())
    }

    /// Writes down what was settled since it was last written down, and what was not.
    pub(super) async fn last_checkpoint(&mut self) -> Result<(), Error> {
        self.look_at_work();
        if self.follow.has_moved() || self.record.is_news(self.report.state()) {
            self.write_checkpoint().await?;
        }
        Ok(())
    }

    fn look_at_work(&mut self) {
        let mut work = self.follow.work();
        if self.caught_up != [true; 2] {
            work.verdicts_open = work.verdicts_open.max(self.left_open);
        }
        self.report.work(work);
        self.report.recalls(self.recall.to_state());
    }

    /// Writes down how far both logs are settled, and what is under way; `false` where neither node takes it for now.
    pub(super) async fn write_checkpoint(&mut self) -> Result<bool, Error> {
        self.look_at_work();
        let checkpoint = self.report.checkpoint(self.follow.settled());
        let written = self.record.write(&checkpoint, self.report.state()).await?;
        if written {
            self.follow.wrote();
        }
        Ok(written)
    }

    /// Closes all connections, and with them lets go of the locks.
    pub(super) async fn end(mut self) {
        if let Some(verifier) = self.verifier.take() {
            verifier.end().await;
        }
        self.desk.close().await;
        self.scribe.end().await;
        self.sounders.shutdown().await;
        self.record.close().await;
        for conn in self.definitions {
            conn.close().await;
        }
    }
}

/// Asks both nodes how far they are, from now on.
async fn sound(
    site: &Site,
    dialects: [Dialect; 2],
) -> Result<(mpsc::Receiver<Sounding>, Sounders), ConnError> {
    let (to, soundings) = mpsc::channel(QUEUE);
    let mut sounders = JoinSet::new();
    let policy_is_active = site.config.conflicts.is_active();
    for (side, dialect) in Side::BOTH.into_iter().zip(dialects) {
        let conn = connect(site, side).await?;
        sounders.spawn(sounding::sound(
            side,
            conn,
            dialect,
            policy_is_active,
            to.clone(),
        ));
    }
    Ok((soundings, sounders))
}

fn read_logs(
    site: &Site,
    settled: &GtidSet,
    server_ids: [u32; 2],
) -> Result<([LogStream; 2], [LogReader; 2]), Error> {
    let [a, b] = site.nodes();
    let open = |node| -> Result<_, Error> {
        let endpoint = site.endpoint(node, Login::Agent)?;
        Ok(LogReader::spawn(stream::Options::new(
            endpoint,
            settled.clone(),
            server_ids.to_vec(),
        )))
    };
    let ((stream_a, reader_a), (stream_b, reader_b)) = (open(a)?, open(b)?);
    Ok(([stream_a, stream_b], [reader_a, reader_b]))
}
