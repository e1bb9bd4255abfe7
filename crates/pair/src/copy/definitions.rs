//! All that the source says of what it has, at one moment. A snapshot shows rows as they were, but tables by their names of
//! now: what is defined must stand still from before it until all is read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use twinlog_server::{
    conn::{Conn, Error as ConnError},
    dialect::Dialect,
};

use super::{
    Error, ddl,
    inventory::{Inventory, Kind, Table},
    recipe::Recipe,
};

/// Definitions, and what they are known by.
#[derive(Debug)]
pub(super) struct Definitions {
    pub(super) inventory: Inventory,
    pub(super) recipes: Vec<Recipe>,
    /// The storage engine's number for each table, by its own name for it: two tables that change their names change
    /// nothing else.
    ids: BTreeMap<String, String>,
}

impl Definitions {
    /// Reads them from a node.
    pub(super) async fn read(
        conn: &mut Conn,
        databases: Option<&[String]>,
        dialect: &Dialect,
    ) -> Result<Self, Error> {
        let ids = ids(conn, dialect).await?;
        let inventory = Inventory::read(conn, databases).await?;
        let mut recipes = Vec::new();
        for object in &inventory.objects {
            recipes.push(Recipe::read(conn, object).await?);
        }
        Ok(Self {
            inventory,
            recipes,
            ids,
        })
    }

    /// Those of a backup.
    pub(super) fn saved(inventory: Inventory, recipes: Vec<Recipe>) -> Self {
        Self {
            inventory,
            recipes,
            ids: BTreeMap::new(),
        }
    }

    /// What stands in the way of copying them to a target.
    pub(super) async fn obstacles(
        &self,
        source: &mut Conn,
        target: &mut Conn,
    ) -> Result<Vec<String>, Error> {
        let mut obstacles = self.inventory.obstacles();
        obstacles.extend(self.broken_views(source).await?);
        let has_programs = self
            .recipes
            .iter()
            .any(|recipe| matches!(recipe.object.kind, Kind::Function | Kind::Trigger));
        let trust = "SELECT @@GLOBAL.log_bin_trust_function_creators";
        if has_programs && source.value(trust).await? != target.value(trust).await? {
            obstacles.push("functions and triggers (log_bin_trust_function_creators is not the same on both nodes)".to_owned());
        }
        Ok(obstacles)
    }

    /// Views that no longer are what they were made of: nobody can make them again.
    pub(super) async fn broken_views(&self, source: &mut Conn) -> Result<Vec<String>, Error> {
        let mut broken = Vec::new();
        let views = self
            .recipes
            .iter()
            .filter(|recipe| recipe.object.kind == Kind::View);
        for recipe in views {
            let name = recipe.object.sql_name();
            match source.rows(&format!("SELECT 1 FROM {name} LIMIT 0")).await {
                Err(ConnError::Statement { code, message, .. }) => {
                    broken.push(format!("view {name} (ERROR {code}: {message})"));
                }
                other => drop(other?),
            }
        }
        Ok(broken)
    }

    /// What is not defined as it was.
    pub(super) fn changed_since(&self, before: &Self) -> BTreeSet<String> {
        let mut changed = different(&before.texts(), &self.texts());
        // What came or went is seen above, if it is among what is copied.
        let renamed = before
            .ids
            .iter()
            .filter(|(name, id)| self.ids.get(*name).is_some_and(|now| now != *id));
        changed.extend(renamed.map(|(name, _)| name.replace('/', ".")));
        changed
    }

    /// How everything is defined, by what a person calls it.
    fn texts(&self) -> BTreeMap<String, String> {
        let table = |table: &Arc<Table>| {
            let parts = table.parts.indexes.iter().chain(&table.parts.foreign);
            let mut text = ddl::without_counter(&table.parts.create);
            parts.for_each(|part| text.extend(["\n", &part.definition]));
            (table.info.name.to_string(), text)
        };
        let object = |recipe: &Recipe| {
            let (kind, name) = (recipe.object.kind.word(), recipe.object.sql_name());
            let name = format!("{} {name}", kind.to_lowercase());
            (name, format!("{recipe:?}"))
        };
        let tables = self.inventory.tables.iter().map(table);
        tables.chain(self.recipes.iter().map(object)).collect()
    }
}

/// The names of what is not the same in both.
fn different(
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> BTreeSet<String> {
    let names = before.keys().chain(now.keys());
    names
        .filter(|name| before.get(*name) != now.get(*name))
        .cloned()
        .collect()
}

/// The numbers of all of users' tables.
async fn ids(conn: &mut Conn, dialect: &Dialect) -> Result<BTreeMap<String, String>, ConnError> {
    let sql = format!(
        "SELECT NAME, TABLE_ID FROM information_schema.{} WHERE NAME LIKE '%/%' AND NAME NOT LIKE 'mysql/%' \
         AND NAME NOT LIKE 'sys/%' AND NAME NOT LIKE 'twinlog/%' AND NAME NOT LIKE '%/FTS\\_%' AND NAME NOT LIKE '%/#%'",
        dialect.row().engine_tables
    );
    let rows = conn.rows(&sql).await?;
    let id = |row: &twinlog_server::conn::Row| Some((row.at(0)?.to_owned(), row.at(1)?.to_owned()));
    Ok(rows.iter().filter_map(id).collect())
}
