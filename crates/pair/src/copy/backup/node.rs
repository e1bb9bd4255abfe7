//! A node that a backup is restored to: closed and marked before anything is made on it, opened when all is there.

use twinlog_server::{conn::Conn, dialect::Dialect, facts::ServerFacts};

use super::{Error, Manifest};
use crate::{
    config::Node,
    copy::{
        Mark, Source,
        definitions::Definitions,
        ends::{close_to_clients, close_to_files, connect, found, open_to_clients},
        inventory::{Inventory, Kind},
        mark::{self, Made},
        recipe::{self, Recipe},
        run_all, target,
    },
    site::Site,
};
use twinlog_row::SESSION;

/// A node, and its mark.
pub(super) struct Restoring<'a> {
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
        site: &Site,
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
        run_all(&mut conn, [SESSION]).await?;
        target::writer(&mut conn, [from, &facts.dialect]).await?;
        let mark = crate::copy::read_mark(&mut conn).await?;
        Ok(Self {
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
            }) => mark::made(&mut self.conn).await?,
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

    /// Takes that back where nothing was made since.
    pub(super) async fn unmark(&mut self) -> Result<(), Error> {
        let Some(mark) = &self.mark else {
            return Ok(());
        };
        if mark::made(&mut self.conn).await?.is_empty() {
            close_to_files(&mut self.conn, mark).await?;
            open_to_clients(&mut self.conn, mark).await?;
            Mark::take_back(&mut self.conn).await?;
        }
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

    /// Makes what comes after all rows. On the peer of the node that the backup is from, the other one's events run.
    pub(super) async fn finish(
        &mut self,
        wanted: &Definitions,
        manifest: &Manifest,
        is_peer: bool,
    ) -> Result<(), Error> {
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
        recipe::make_all(&mut self.conn, &recipes.iter().collect::<Vec<_>>()).await?;
        for program in &manifest.programs {
            if let Some(next) = &program.next {
                recipe::set_sequence(&mut self.conn, &program.recipe.object, next).await?;
            }
        }
        Ok(())
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
