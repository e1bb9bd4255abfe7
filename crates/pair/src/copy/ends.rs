//! A connection to each node for what is done once: looking, marking, and saying at the end where the links start.

use twinlog_row::SESSION;
use twinlog_server::{
    conn::{Conn, Error as ConnError},
    dialect::Dialect,
    facts::{ServerFacts, author, read_dialect},
    gtid::GtidSet,
    sql::literal,
};

use super::{
    Accounts, Error,
    accounts::{self, Wanted},
    clone,
    definitions::Definitions,
    inventory::{Inventory, Kind},
    mark::{self, Made, Mark, Source},
    recipe::{self, Recipe},
    run_all,
    snapshot::{PATIENT, Snapshot},
    target,
};
use crate::{
    config::Node,
    origin::{Origin, Sameness},
    own_tables,
    site::{Login, Site},
};

/// What a node must be set to while it is copied to.
const OPENED: [&str; 2] = ["SET GLOBAL read_only = ON", "SET GLOBAL local_infile = ON"];

/// Both connections.
pub(super) struct Ends {
    source: Conn,
    target: Conn,
    dialects: [Dialect; 2],
    names: [String; 2],
}

impl Ends {
    pub(super) async fn open(site: &Site, source: &Node, target: &Node) -> Result<Self, Error> {
        let names = [source, target].map(|node| node.name.clone());
        let mut source = connect(site, source).await?;
        let mut target = connect(site, target).await?;
        let dialects = [
            read_dialect(&mut source).await?,
            read_dialect(&mut target).await?,
        ];
        // What SHOW CREATE says depends on the session.
        run_all(&mut source, [SESSION, PATIENT]).await?;
        target::writer(&mut target, dialects.each_ref()).await?;
        Ok(Self {
            source,
            target,
            dialects,
            names,
        })
    }

    /// The source's and the target's.
    pub(super) fn dialects(&self) -> [&Dialect; 2] {
        self.dialects.each_ref()
    }

    pub(super) fn target(&mut self) -> &mut Conn {
        &mut self.target
    }

    /// The source's connection and the target's.
    pub(super) fn both(&mut self) -> (&mut Conn, &mut Conn) {
        (&mut self.source, &mut self.target)
    }

    /// What the source has.
    pub(super) async fn definitions(
        &mut self,
        databases: Option<&[String]>,
    ) -> Result<Definitions, Error> {
        Definitions::read(&mut self.source, databases, &self.dialects[0]).await
    }

    /// Whether all of it can be copied to this target, asked before anything is done on either.
    pub(super) async fn check(
        &mut self,
        databases: Option<&[String]>,
        definitions: &Definitions,
    ) -> Result<(), Error> {
        self.check_source(definitions).await?;
        let (mark, made) = match mark::read(&mut self.target).await? {
            Some(mark) => (Some(mark), mark::made(&mut self.target).await?),
            None => (self.begun().await?, Made::default()),
        };
        // It could not be linked afterwards.
        let peer = ServerFacts::read(&mut self.source).await?;
        let facts = ServerFacts::read(&mut self.target).await?;
        let rebuilt = mark.as_ref().filter(|mark| mark.rebuilt);
        if rebuilt.is_none()
            && let Some(gtids) = author::lost(&facts, &peer)
        {
            return Err(Error::Known {
                target: self.names[1].clone(),
                gtids: gtids.to_string(),
            });
        }
        // A client was let in, by a restart or by privilege.
        if rebuilt.is_some_and(|mark| is_written(mark, &facts, &peer)) {
            return Err(Error::Written(self.names[1].clone()));
        }
        let present = Inventory::read(&mut self.target, databases).await?;
        let strange = present.strange(&made, &definitions.inventory);
        match strange.is_empty() {
            true => Ok(()),
            false => Err(Error::Strange(strange)),
        }
    }

    /// The part of it that is about the source.
    pub(super) async fn check_source(&mut self, definitions: &Definitions) -> Result<(), Error> {
        let obstacles = definitions
            .obstacles(&mut self.source, &mut self.target)
            .await?;
        match obstacles.is_empty() {
            true => Ok(()),
            false => Err(Error::Obstacles(obstacles)),
        }
    }

    /// Whether nothing is prepared on either: it would be neither in the snapshot nor among what is saved.
    pub(super) async fn check_prepared(&mut self) -> Result<(), Error> {
        let mut obstacles = Vec::new();
        for (conn, name) in [&mut self.source, &mut self.target]
            .into_iter()
            .zip(&self.names)
        {
            let prepared = conn.rows("XA RECOVER").await?.len();
            if prepared > 0 {
                obstacles.push(format!(
                    "{prepared} prepared transactions on {name} (XA RECOVER)"
                ));
            }
        }
        match obstacles.is_empty() {
            true => Ok(()),
            false => Err(Error::Obstacles(obstacles)),
        }
    }

    /// Marks the target, closes it to clients and lets it take files. Returns the mark, which a run before this one may have
    /// set, and what the target has.
    pub(super) async fn mark(
        &mut self,
        databases: Option<&[String]>,
        source: &str,
        definitions: &Definitions,
    ) -> Result<(Mark, Inventory, Made), Error> {
        let mark = self.marked(source).await?;
        clone::give_up(&mut self.source, &mut self.target).await?;
        close_to_clients(&mut self.target).await?;
        // A client may have been faster than the mark.
        let present = Inventory::read(&mut self.target, databases).await?;
        let made = mark::made(&mut self.target).await?;
        let strange = present.strange(&made, &definitions.inventory);
        if strange.is_empty() {
            return Ok((mark, present, made));
        }
        if made.is_empty() {
            close_to_files(&mut self.target, &mark).await?;
            Mark::take_back(&mut self.target).await?;
            open_to_clients(&mut self.target, &mark).await?;
        }
        Err(Error::Strange(strange))
    }

    /// The target's mark, which a run before this one may have set.
    pub(super) async fn marked(&mut self, source: &str) -> Result<Mark, Error> {
        if let Some(mark) = mark::read(&mut self.target).await? {
            return Ok(mark);
        }
        let source = Source::Node(source.to_owned());
        let mark = found(&mut self.target, source).await?;
        mark.set(&mut self.target, &Made::default()).await?;
        Ok(mark)
    }

    /// Whether a run before this one was asked to make accounts.
    pub(super) async fn asks_for_accounts(&mut self) -> Result<bool, Error> {
        Ok(match mark::read(&mut self.target).await? {
            Some(_) => accounts::is_asked(&mark::made(&mut self.target).await?),
            None => false,
        })
    }

    /// The source's accounts, where they are asked for.
    pub(super) async fn accounts(&mut self, asked: bool) -> Result<Option<Wanted>, Error> {
        match asked {
            true => Ok(Some(
                accounts::read(&mut self.source, &self.dialects[0]).await?,
            )),
            false => Ok(None),
        }
    }

    /// Gives them to the target.
    pub(super) async fn make_accounts(
        &mut self,
        wanted: Option<Wanted>,
    ) -> Result<Option<Accounts>, Error> {
        match wanted {
            Some(wanted) => Ok(Some(
                accounts::make(&mut self.target, wanted, &self.dialects[1]).await?,
            )),
            None => Ok(None),
        }
    }

    /// The mark that went with all the rest when a CLONE began.
    pub(super) async fn begun(&mut self) -> Result<Option<Mark>, ConnError> {
        clone::begun(&mut self.source, &mut self.target).await
    }

    /// Gives the target what comes after all rows.
    pub(super) async fn finish(&mut self, definitions: &Definitions) -> Result<(), Error> {
        for table in &definitions.inventory.tables {
            target::add_foreign(&mut self.target, table).await?;
        }
        let recipes = definitions.recipes.iter();
        let rest: Vec<Recipe> = recipes
            .filter(|recipe| recipe.object.kind != Kind::Sequence)
            .map(|recipe| recipe.on_peer(&self.dialects[1]))
            .collect();
        recipe::make_all(&mut self.target, &rest.iter().collect::<Vec<_>>()).await?;
        recipe::set_sequences(&mut self.source, &mut self.target, &definitions.recipes).await
    }

    /// Notes on both nodes where the links start: on the target last, which ends its being marked. Only then is it opened
    /// to clients; what else was changed for the copy is put back before, while the mark still says what it was.
    pub(super) async fn note(
        &mut self,
        site: &Site,
        nodes: [&Node; 2],
        mark: &Mark,
        snapshot: &Snapshot,
    ) -> Result<(), Error> {
        let origin = Origin {
            end: snapshot.end.clone(),
            gtids: snapshot.gtids.clone(),
            sameness: Sameness::Copied,
            secrets_id: String::new(),
        };
        self.source.execute("SET SESSION sql_log_bin = 0").await?;
        for conn in [&mut self.source, &mut self.target] {
            for sql in own_tables::create() {
                conn.execute(&sql.to_string()).await?;
            }
        }
        let [source, target] = nodes.map(|node| node.name.as_str());
        let record = origin.record(&site.pair_id, source);
        self.source.execute(&record.to_string()).await?;
        close_to_files(&mut self.target, mark).await?;
        let mark = match mark.rebuilt {
            true => &self.begin_log(mark, &snapshot.gtids).await?,
            false => mark,
        };
        mark.complete(&mut self.target, &site.pair_id, target)
            .await?;
        open_to_clients(&mut self.target, mark).await?;
        Ok(())
    }

    /// Lets the target's log begin anew, after all that the source had executed at the snapshot. The next agent begins
    /// there, too: what the last one remembers is in no log any more. A proof's row that one node lacks would never come.
    async fn begin_log(&mut self, mark: &Mark, gtids: &str) -> Result<Mark, Error> {
        self.target
            .execute(self.dialects[1].row().reset_log)
            .await?;
        // MariaDB counts on from what its log says, and MySQL from what it has executed.
        let names: &[&str] = match self.dialects[1].is_mariadb() {
            true => &["gtid_slave_pos", "gtid_binlog_state"],
            false => &["gtid_purged"],
        };
        for name in names.iter().filter(|_| !gtids.is_empty()) {
            let sql = format!("SET GLOBAL {name} = {}", literal(gtids));
            self.target.execute(&sql).await?;
        }
        if self.dialects[0].is_mariadb() {
            self.follow_from(gtids).await?;
        }
        for conn in [&mut self.source, &mut self.target] {
            let forget =
                ["checkpoint", "canary"].map(|table| format!("DELETE FROM `twinlog`.`{table}`"));
            run_all(conn, forget.iter().map(String::as_str)).await?;
        }
        let now = found(&mut self.target, mark.source.clone()).await?;
        let mark = Mark {
            end: now.end,
            gtids: now.gtids,
            ..mark.clone()
        };
        mark.renew(&mut self.target).await?;
        Ok(mark)
    }

    /// Where the source's link into the target's new log begins: the log has nothing before. The source's own transactions
    /// are part of such a place, and its clients write on; in strict mode MariaDB takes no place before its own log's end.
    async fn follow_from(&mut self, gtids: &str) -> Result<(), ConnError> {
        let strict = self
            .source
            .value("SELECT @@GLOBAL.gtid_strict_mode")
            .await?;
        let place = format!("SET GLOBAL gtid_slave_pos = {}", literal(gtids));
        if strict.as_deref() != Some("1") {
            return self.source.execute(&place).await;
        }
        self.source
            .execute("SET GLOBAL gtid_strict_mode = OFF")
            .await?;
        let placed = self.source.execute(&place).await;
        self.source
            .execute("SET GLOBAL gtid_strict_mode = ON")
            .await?;
        placed
    }

    pub(super) async fn close(self) {
        self.source.close().await;
        self.target.close().await;
    }
}

/// Makes all that a node has half a copy of its peer, to be gone on with. It stays closed to clients until `up` opens it.
///
/// # Errors
/// Where it cannot be read or written.
pub(crate) async fn give_up(
    conn: &mut Conn,
    databases: Option<&[String]>,
    source: &str,
) -> Result<(), Error> {
    run_all(conn, [SESSION, PATIENT, "SET SESSION sql_log_bin = 0"]).await?;
    let made = Inventory::read(conn, databases).await?.as_made();
    let mark = Mark {
        was_read_only: true,
        rebuilt: true,
        ..found(conn, Source::Node(source.to_owned())).await?
    };
    mark.set(conn, &made).await?;
    Ok(())
}

/// Whether the log of a marked node has what was not in it then, and did not come from its peer: a log that begins anew has.
fn is_written(mark: &Mark, node: &ServerFacts, peer: &ServerFacts) -> bool {
    let set = |text: &str| GtidSet::parse(node.dialect.flavour(), text).ok();
    let known = || set(&mark.gtids)?.merge(&set(peer.logged())?).ok();
    let is_known = || known()?.covers(&set(node.logged())?).ok();
    node.has_gtids() && is_known() == Some(false)
}

/// Closes a node to clients, and lets it take files.
pub(super) async fn close_to_clients(conn: &mut Conn) -> Result<(), ConnError> {
    run_all(conn, OPENED).await
}

/// Lets a node take files only if it did before.
pub(super) async fn close_to_files(conn: &mut Conn, mark: &Mark) -> Result<(), ConnError> {
    match mark.took_files {
        true => Ok(()),
        false => conn.execute("SET GLOBAL local_infile = OFF").await,
    }
}

/// Opens a node to clients, unless it was closed before.
pub(super) async fn open_to_clients(conn: &mut Conn, mark: &Mark) -> Result<(), ConnError> {
    match mark.was_read_only {
        true => Ok(()),
        false => conn.execute("SET GLOBAL read_only = OFF").await,
    }
}

/// The mark of a node as it is.
pub(super) async fn found(conn: &mut Conn, source: Source) -> Result<Mark, Error> {
    let facts = ServerFacts::read(conn).await?;
    let Some(end) = facts.binlog_end.clone() else {
        return Err(Error::NoLog(conn.address().to_string()));
    };
    Ok(Mark {
        source,
        end,
        gtids: facts.logged().replace('\n', ""),
        was_read_only: facts.is_on("read_only"),
        took_files: facts.is_on("local_infile"),
        rebuilt: false,
        whole: false,
        cloned: false,
    })
}

/// A connection as whoever may do everything.
pub(super) async fn connect(site: &Site, node: &Node) -> Result<Conn, ConnError> {
    site.connect(node, Login::Admin, site.patience()).await
}
