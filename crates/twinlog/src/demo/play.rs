//! The servers' part: what is shown as typed is what is sent, and what is shown as read was read.

use std::time::{Duration, Instant};

use twinlog_agent::{
    history::{self, Entry, Filter},
    run,
    watch::{Options, Summary},
};
use twinlog_pair::{
    prove,
    site::{Login, Site},
};
use twinlog_server::{
    conn::{self, Conn, QUERY_TIMEOUT, ResultSet, Row},
    dialect::Dialect,
    facts::{LinkFacts, read_dialect},
};

use super::{Stop, stage::Stage};
use crate::failure::{Failure, WORLD};

/// How long a change may take to its peer. On one machine it takes milliseconds; a loaded one may take seconds.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);
/// How often the peer is asked.
const POLL: Duration = Duration::from_millis(1);

/// Both nodes of the pair, a session open on each.
pub(crate) struct Play<'a> {
    pub(crate) stage: Stage,
    site: &'a Site,
    sessions: [Conn; 2],
    dialects: [Dialect; 2],
}

impl<'a> Play<'a> {
    /// Opens the sessions.
    pub(crate) async fn open(site: &'a Site, stage: Stage) -> Result<Self, Stop> {
        let [a, b] = site.nodes();
        let mut sessions = [
            site.connect(a, Login::Admin, site.patience()).await?,
            site.connect(b, Login::Admin, site.patience()).await?,
        ];
        let dialects = [
            read_dialect(&mut sessions[0]).await?,
            read_dialect(&mut sessions[1]).await?,
        ];
        Ok(Self {
            stage,
            site,
            sessions,
            dialects,
        })
    }

    /// Ends the sessions.
    pub(crate) async fn close(self) {
        for session in self.sessions {
            session.close().await;
        }
    }

    /// A node's name.
    pub(crate) fn name(&self, node: usize) -> &'a str {
        &self.site.nodes()[node].name
    }

    /// The dialect of a node.
    pub(crate) fn dialect(&self, node: usize) -> Dialect {
        self.dialects[node]
    }

    /// Shows a statement and runs it.
    pub(crate) async fn run(&mut self, node: usize, sql: &str) -> Result<(), Stop> {
        self.stage.typed(self.name(node), sql)?;
        Ok(self.sessions[node].execute(sql).await?)
    }

    /// Shows a statement for each node side by side and runs them, on `a` first.
    pub(crate) async fn run_both(&mut self, sql: [&str; 2]) -> Result<(), Stop> {
        self.stage.typed_both([self.name(0), self.name(1)], sql)?;
        for (session, sql) in self.sessions.iter_mut().zip(sql) {
            session.execute(sql).await?;
        }
        Ok(())
    }

    /// What a query returns, silently.
    pub(crate) async fn read(&mut self, node: usize, sql: &str) -> Result<ResultSet, conn::Error> {
        let session = &mut self.sessions[node];
        let sets = session.result_sets(sql, sql, QUERY_TIMEOUT).await?;
        Ok(sets.into_iter().next().unwrap_or_default())
    }

    /// Shows a query and, once it returns `rows` rows, its result with the time that took since `written`.
    pub(crate) async fn read_when(
        &mut self,
        node: usize,
        sql: &str,
        rows: usize,
        written: Instant,
    ) -> Result<(), Stop> {
        self.stage.typed(self.name(node), sql)?;
        let set = self
            .wait_for(node, sql, |set| set.rows.len() == rows)
            .await?;
        let took_ms = written.elapsed().as_secs_f64() * 1000.0;
        self.stage.table(
            &format!("\x1b[2mread {took_ms:.1} ms after the last write\x1b[0m"),
            &set,
        )?;
        self.stage.gap()
    }

    /// What a query returns as soon as that is `right`.
    pub(crate) async fn wait_for(
        &mut self,
        node: usize,
        sql: &str,
        right: impl Fn(&ResultSet) -> bool,
    ) -> Result<ResultSet, Stop> {
        let started = Instant::now();
        loop {
            match self.read(node, sql).await {
                Ok(set) if right(&set) => return Ok(set),
                // Unknown database, no such table: that too has yet to arrive.
                Ok(_)
                | Err(conn::Error::Statement {
                    code: 1049 | 1146, ..
                }) => {}
                Err(error) => return Err(error.into()),
            }
            if started.elapsed() > ARRIVAL_MAX {
                self.prove().await?; // a link's own error says more
                return Err(self.unexpected(node, sql));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn unexpected(&self, node: usize, sql: &str) -> Stop {
        let message = format!(
            "{}: after {} s `{sql}` still does not return what was written on the other node",
            self.name(node),
            ARRIVAL_MAX.as_secs()
        );
        Failure::new(WORLD, message, None).into()
    }

    /// Waits until each node has applied all that the other one did before: a canary written now arrives last.
    pub(crate) async fn prove(&self) -> Result<(), Stop> {
        prove::prove(self.site, ARRIVAL_MAX).await?;
        Ok(())
    }

    /// What `twinlog run --once` does.
    pub(crate) async fn settle(&self) -> Result<Summary, Stop> {
        let options = Options {
            once: true,
            ..Options::default()
        };
        // Nobody asks it to stop: a signal ends the whole demonstration.
        let (_never, stop) = tokio::sync::watch::channel(false);
        Ok(run::run(self.site, options, stop).await?)
    }

    /// The one conflict that was found.
    pub(crate) async fn conflict(&mut self) -> Result<Entry, Stop> {
        let found = history::list(&mut self.sessions[0], &Filter::default()).await;
        let found = found.map_err(|error| Failure::new(WORLD, error.to_string(), error.hint()))?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| Failure::new(WORLD, "no conflict was written down on a", None).into())
    }

    /// What each replica says of its link, as a table. Waits for a lag that is known and none.
    pub(crate) async fn links(&mut self) -> Result<ResultSet, Stop> {
        let mut set = ResultSet {
            columns: [
                "link",
                "receiver runs",
                "applier runs",
                "seconds behind",
                "last error",
            ]
            .map(Into::into)
            .to_vec(),
            ..ResultSet::default()
        };
        for replica in [1, 0] {
            let sql = self.dialects[replica].show_links();
            let link = |set: &ResultSet| set.rows.first().map(LinkFacts::from_row);
            let idle =
                |set: &ResultSet| link(set).is_some_and(|link| link.seconds_behind == Some(0));
            let shown = self.wait_for(replica, &sql, idle).await?;
            let Some(link) = link(&shown) else {
                return Err(self.unexpected(replica, &sql));
            };
            let name = format!("{} → {}", self.name(1 - replica), self.name(replica));
            let applier = if link.applier { "Yes" } else { "No" };
            let error = link
                .error()
                .map_or("none".into(), |(code, text)| format!("{code}: {text}"));
            let behind = link
                .seconds_behind
                .map_or("unknown".into(), |s| s.to_string());
            set.rows.push(Row::from_columns([
                ("link", Some(name)),
                ("receiver", Some(link.receiver)),
                ("applier", Some(applier.into())),
                ("behind", Some(behind)),
                ("error", Some(error)),
            ]));
        }
        Ok(set)
    }
}
