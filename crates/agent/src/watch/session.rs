//! One watch, from its beginning to its end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use twinlog_binlog::{RowError, Transaction};
use twinlog_converge::{Side, TableName};
use twinlog_pair::site::{Login, Site};
use twinlog_server::conn::{Conn, Error as ConnError};

use super::{
    CHECKPOINT_EVERY, Error, Options, QUEUE, Summary,
    barriers::Barriers,
    desk::{Answer, Desk},
    follow::{Follow, Job},
    report::Report,
    sounding::{self, Sounding},
    start::{Begin, Ready},
    tables::{Tables, is_replicated},
    target::Target,
};
use crate::stream::{self, Item, LogReader, LogStream};

/// How long a link may be down while `--once` waits for it.
const LINK_PATIENCE: Duration = Duration::from_secs(10);
/// How long a server may take to let the agent in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A watch at work.
pub(super) struct Watch<'a> {
    site: &'a Site,
    once: bool,
    follow: Follow,
    tables: Arc<Tables>,
    /// For reading definitions, one per node.
    definitions: [Conn; 2],
    /// For writing the checkpoint, one per node.
    writers: [Conn; 2],
    streams: [LogStream; 2],
    readers: [LogReader; 2],
    soundings: mpsc::Receiver<Sounding>,
    sounders: JoinSet<Result<(), ConnError>>,
    desk: Desk,
    barriers: Barriers,
    /// What each node said last, until its log has been read as far.
    heard: [Option<Sounding>; 2],
    target: Target,
    report: Report,
    links_down_since: [Option<Instant>; 2],
    written_at: Instant,
}

impl<'a> Watch<'a> {
    /// Opens all connections and begins to read.
    pub(super) async fn begin(
        site: &'a Site,
        options: Options,
        ready: [Ready; 2],
        begin: Begin,
    ) -> Result<Self, Error> {
        let names = ready.each_ref().map(|node| node.name.clone());
        let dialects = ready.each_ref().map(|node| node.dialect);
        let server_ids = names.each_ref().map(|name| name.server_id);
        let tables = Arc::new(Tables::default());
        let (streams, readers) = read_logs(site, &begin, &server_ids)?;
        let (to, soundings) = mpsc::channel(QUEUE);
        let mut sounders = JoinSet::new();
        for (side, dialect) in Side::BOTH.into_iter().zip(dialects) {
            let conn = connect(site, side).await?;
            let active = site.config.conflicts.is_active();
            sounders.spawn(sounding::sound(side, conn, dialect, active, to.clone()));
        }
        Ok(Self {
            once: options.once,
            report: Report::new(names.each_ref().map(|node| node.name.clone()), options.limits),
            desk: Desk::open(site, names.clone(), Arc::clone(&tables)).await?,
            follow: Follow::new(names, begin.settled, options.limits),
            tables,
            definitions: ready.map(|node| node.conn),
            writers: [connect(site, Side::A).await?, connect(site, Side::B).await?],
            streams,
            readers,
            soundings,
            sounders,
            barriers: Barriers::default(),
            heard: [None, None],
            target: Target::default(),
            links_down_since: [None, None],
            written_at: Instant::now(),
            site,
        })
    }

    /// Watches until told to stop, or until all is settled.
    pub(super) async fn run(&mut self, stop: &mut watch::Receiver<bool>) -> Result<Summary, Error> {
        let mut tick = tokio::time::interval(CHECKPOINT_EVERY);
        loop {
            let [a, b] = &mut self.streams;
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(self.report.summary()),
                item = a.next() => self.item(Side::A, item).await?,
                item = b.next() => self.item(Side::B, item).await?,
                answer = self.desk.next() => self.answered(answer?)?,
                Some(sounding) = self.soundings.recv() => {
                    if self.heard(sounding)? {
                        return Ok(self.report.summary());
                    }
                }
                Some(ended) = self.sounders.join_next() => ended.unwrap_or(Ok(()))?,
                _ = tick.tick() => self.maybe_checkpoint().await?,
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
                self.transaction(log, *received.transaction).await
            }
            Some(Ok(Item::Connected(connected))) => {
                self.report.connected(log, &connected);
                Ok(())
            }
            Some(Ok(Item::Position(_) | Item::Reconnecting(_))) => Ok(()),
            Some(Err(error)) => Err(error.into()),
            // It ends only when it is stopped, which only the end of the watch does.
            None => std::future::pending().await,
        }
    }

    async fn transaction(&mut self, log: Side, transaction: Transaction) -> Result<(), Error> {
        for table in self.follow.unknown_tables(&transaction) {
            let keys = if is_replicated(&self.site.config, &table) {
                let conn = &mut self.definitions[log.index()];
                self.tables.load(conn, &table).await?
            } else {
                None
            };
            self.follow.set_keys(table, keys);
        }
        let jobs = self.follow.push(log, transaction);
        self.begin_jobs(log, jobs).await
    }

    async fn begin_jobs(&mut self, log: Side, jobs: Result<Vec<Job>, RowError>) -> Result<(), Error> {
        let node = self.report.name(log);
        for job in jobs.map_err(|error| Error::Image { node, error })? {
            self.desk.take(job).await;
        }
        Ok(self.barriers.answer(&self.follow)?)
    }

    fn answered(&mut self, answer: Answer) -> Result<(), Error> {
        match answer {
            Answer::Caught(caught) => self.barriers.push(caught),
            Answer::Settled(job, settlement) => {
                self.follow.finish(job);
                self.report.settled(&settlement);
            }
        }
        Ok(self.barriers.answer(&self.follow)?)
    }

    /// A node said how far it is; whether `--once` is done by that.
    async fn heard(&mut self, sounding: Sounding) -> Result<bool, Error> {
        let log = sounding.side;
        self.link(&sounding)?;
        self.target.note(&sounding);
        self.heard[log.index()].get_or_insert(sounding);
        self.passed(log).await?;
        let settled = self.follow.settled();
        Ok(self.once && self.target.is_reached(settled, self.report.repaired())?)
    }

    /// What a node's appliers have executed without a trace in its log counts once its log was read as far as it went then.
    async fn passed(&mut self, log: Side) -> Result<(), Error> {
        let Some(heard) = &self.heard[log.index()] else {
            return Ok(());
        };
        if !self.follow.reaches(log, &heard.standing.logged)? {
            return Ok(());
        }
        let jobs = self.follow.passed(log, &heard.standing.applied);
        self.heard[log.index()] = None;
        self.begin_jobs(log, jobs).await
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

    async fn maybe_checkpoint(&mut self) -> Result<(), Error> {
        if self.follow.has_moved() && self.written_at.elapsed() >= CHECKPOINT_EVERY {
            self.write_checkpoint().await?;
        }
        Ok(())
    }

    /// Writes down what was settled.
    pub(super) async fn write_checkpoint(&mut self) -> Result<(), Error> {
        let checkpoint = self.report.checkpoint(self.follow.settled(), &self.follow.load());
        let side = self.writable();
        crate::history::write_checkpoint(&mut self.writers[side.index()], &checkpoint).await?;
        self.follow.wrote();
        self.written_at = Instant::now();
        Ok(())
    }
}
