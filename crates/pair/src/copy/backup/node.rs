//! A node that a backup is restored to: closed and marked before anything is made on it, opened when all is there.

use twinlog_row::SESSION;
use twinlog_server::{
    conn::{Conn, Error as ConnError},
    dialect::Dialect,
    facts::ServerFacts,
};

use super::{Error, Manifest};
use crate::{
    config::Node,
    copy::{
        Mark, Source,
        definitions::Definitions,
        ends::{close_to_clients, close_to_files, connect, found, open_to_clients},
        inventory::{Inventory, Kind},
        mark::{self, Made},
        read_mark,
        recipe::{self, Recipe},
        run_all, target,
    },
    site::Site,
};

/// A node, and its mark.
pub(super) struct Restoring<'a> {
    site: &'a Site,
    pub(super) node: &'a Node,
    conn: Conn,
    dialect: Dialect,
    pub(super) mark: Option<Mark>,
}

impl<'a> Restoring<'a> {
    /// Looks at it; nothing is changed.
    ///
    /// # Errors
    /// [`Error::NoPair`], [`Error::Foreign`].
    pub(super) async fn open(
        site: &'a Site,
        node: &'a Node,
        manifest: &Manifest,
        from: &Dialect,
    ) -> Result<Self, Error> {
        let mut conn = connect(site, node).await?;
        let facts = ServerFacts::read(&mut conn).await?;
        let is_ours = facts.membership.as_ref().is_some_and(|membership| {
            membership.pair_id == site.pair_id && membership.node == node.name
        });
        if !is_ours || facts.links.is_empty() {
            return Err(Error::NoPair(node.name.clone()));
        }
        if facts.dialect.flavour() != from.flavour() {
            return Err(Error::Foreign {
                of: manifest.server.clone(),
                node: node.name.clone(),
                is: facts.version().to_string(),
            });
        }
        if facts.is_on("super_read_only") {
            return Err(Error::Sealed(node.name.clone()));
        }
        run_all(&mut conn, [SESSION]).await?;
        target::writer(&mut conn, [from, &facts.dialect]).await?;
        let mark = read_mark(&mut conn).await?;
        Ok(Self {
            site,
            node,
            conn,
            dialect: facts.dialect,
            mark,
        })
    }

    /// Whether it has nothing but what a restore has made; and that.
    ///
    /// # Errors
    /// [`Error::NotEmpty`].
    pub(super) async fn check(
        &mut self,
        databases: Option<&[String]>,
        wanted: &Definitions,
    ) -> Result<(Inventory, Made), Error> {
        let made = match &self.mark {
            None => Made::default(),
            Some(Mark {
                source: Source::Backup(_),
                ..
            }) => {
                let made = mark::made(&mut self.conn).await?;
                let is_closed = self.conn.value("SELECT @@GLOBAL.read_only").await?;
                if !made.is_empty() && is_closed.as_deref() != Some("1") {
                    return Err(Error::WasOpen(self.node.name.clone()));
                }
                made
            }
            Some(mark) => {
                return Err(self.not_empty(vec![format!("half a copy of {}", mark.source)]));
            }
        };
        let present = Inventory::read(&mut self.conn, databases).await?;
        let strange = present.strange(&made, &wanted.inventory);
        match strange.is_empty() {
            true => Ok((present, made)),
            false => Err(self.not_empty(strange)),
        }
    }

    fn not_empty(&self, what: Vec<String>) -> Error {
        Error::NotEmpty {
            node: self.node.name.clone(),
            what,
        }
    }

    /// Marks it, and closes it to clients.
    pub(super) async fn mark(&mut self, id: &str) -> Result<(), Error> {
        let source = Source::Backup(id.to_owned());
        let (mark, made) = match &self.mark {
            None => (found(&mut self.conn, source).await?, Made::default()),
            Some(mark) => {
                let mark = Mark {
                    source,
                    whole: false,
                    ..mark.clone()
                };
                (mark, mark::made(&mut self.conn).await?)
            }
        };
        mark.set(&mut self.conn, &made).await?;
        close_to_clients(&mut self.conn).await?;
        self.mark = Some(mark);
        Ok(())
    }

    /// Takes that back where nothing was made since. Over a connection of its own: what went wrong may have been the other.
    ///
    /// # Errors
    /// As [`Conn::execute`]: the node stays closed and marked.
    pub(super) async fn unmark(&self) -> Result<(), Error> {
        let mut conn = connect(self.site, self.node).await?;
        conn.execute("SET SESSION sql_log_bin = 0").await?;
        if let Some(mark) = read_mark(&mut conn).await?
            && mark::made(&mut conn).await?.is_empty()
        {
            close_to_files(&mut conn, &mark).await?;
            open_to_clients(&mut conn, &mark).await?;
            Mark::take_back(&mut conn).await?;
        }
        conn.close().await;
        Ok(())
    }

    /// Makes databases and tables. Returns of each table whether it may hold rows already.
    pub(super) async fn prepare(
        &mut self,
        databases: Option<&[String]>,
        wanted: &Definitions,
    ) -> Result<Vec<bool>, Error> {
        // A client may have been faster than the mark.
        let (present, made) = self.check(databases, wanted).await?;
        Ok(target::prepare(&mut self.conn, wanted, &present, &made).await?)
    }

    /// Makes what comes after all rows. On the peer of the node that the backup is from, the other one's events run. Returns
    /// what cannot be made here, and why: an account that it belongs to may be missing.
    pub(super) async fn finish(
        &mut self,
        wanted: &Definitions,
        manifest: &Manifest,
        is_peer: bool,
    ) -> Result<Vec<String>, Error> {
        for table in &wanted.inventory.tables {
            target::add_foreign(&mut self.conn, table).await?;
        }
        let recipes = wanted.recipes.iter();
        let recipes = recipes.filter(|recipe| recipe.object.kind != Kind::Sequence);
        let recipes: Vec<Recipe> = recipes
            .map(|recipe| match is_peer {
                true => recipe.on_peer(&self.dialect),
                false => recipe.clone(),
            })
            .collect();
        let recipes: Vec<&Recipe> = recipes.iter().collect();
        let unmade = recipe::make_what_can_be(&mut self.conn, &recipes).await?;
        for program in &manifest.programs {
            if let Some(next) = &program.next {
                recipe::set_sequence(&mut self.conn, &program.recipe.object, next).await?;
            }
        }
        let said = |(recipe, error): &(&Recipe, ConnError)| {
            let object = &recipe.object;
            let why = match error {
                ConnError::Statement { code, message, .. } => format!("ERROR {code}: {message}"),
                error => error.to_string(),
            };
            let (kind, node) = (object.kind.word().to_lowercase(), &self.node.name);
            format!("{kind} {} on {node}: {why}", object.sql_name())
        };
        Ok(unmade.iter().map(said).collect())
    }

    /// Notes that all is there, and was compared.
    pub(super) async fn is_whole(&mut self) -> Result<(), Error> {
        Ok(Mark::is_whole(&mut self.conn).await?)
    }

    /// Opens it to clients, and takes the mark away.
    pub(super) async fn reopen(mut self) -> Result<(), Error> {
        if let Some(mark) = &self.mark {
            close_to_files(&mut self.conn, mark).await?;
            open_to_clients(&mut self.conn, mark).await?;
            Mark::take_back(&mut self.conn).await?;
        }
        self.conn.close().await;
        Ok(())
    }
}
