//! A backup onto both nodes of an empty pair.

use std::sync::Arc;

use futures_util::future::{join, try_join};
use twinlog_server::conn::Conn;

use super::{Error, Manifest, Store, load::Loading, node::Restoring};
use crate::{
    copy::{Counters, Limits, Mark, Source, definitions::Definitions, inventory::Inventory},
    prove,
    site::Site,
    up::{LOCK_NAME, lock_servers},
    watch_state::AGENT_LOCK,
};

/// What a restore came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// How many tables of users there are.
    pub tables: usize,
    /// How many rows each node has.
    pub rows: u64,
    /// Whether the pair had a history of conflicts, and kept it.
    pub kept_history: bool,
    /// Views and programs that could not be made, where, and why.
    pub unmade: Vec<String>,
    /// Tables of which some JSON documents are not what they were: their text does not show all that they held.
    pub changed: Vec<String>,
}

/// Restores a backup whose files were checked ([`Store::check`]) onto both nodes.
///
/// # Errors
/// What kept it from that. Both nodes stay closed and marked, unless nothing was made yet; the next restore goes on.
pub async fn restore(
    site: &Site,
    store: Store,
    manifest: Manifest,
    limits: Limits,
    counters: Arc<Counters>,
) -> Result<Restored, Error> {
    let databases = site.config.databases.as_deref();
    let outside = outside(&manifest, databases);
    if !outside.is_empty() {
        return Err(Error::Outside(outside));
    }
    let [a, b] = site.nodes();
    let Some(from) = manifest.dialect() else {
        return Err(Error::Foreign {
            of: manifest.server.clone(),
            node: a.name.clone(),
            is: "another".to_owned(),
        });
    };
    let _machine = site.lock()?;
    let mut locks = lock(site, LOCK_NAME, "another twinlog").await?;
    locks.extend(lock(site, AGENT_LOCK, "an agent (`twinlog run`)").await?);
    let mut both = [
        Restoring::open(site, a, &manifest, &from).await?,
        Restoring::open(site, b, &manifest, &from).await?,
    ];
    let loading = Loading {
        store: Arc::new(store),
        manifest: Arc::new(manifest),
        from,
        limits,
        counters,
    };
    let marks = both.each_ref().map(|node| node.mark.as_ref());
    let done = match done(&marks) {
        None => run(site, &mut both, &loading).await?,
        Some(source) if source.is_backup(&loading.manifest.id) => Done::default(),
        // Of another one only the marks are left.
        Some(source) => {
            let (node, source) = (a.name.clone(), source.to_string());
            reopen(both).await?;
            let what = vec![format!("{source}, which was restored")];
            return Err(Error::NotEmpty { node, what });
        }
    };
    reopen(both).await?;
    for conn in locks {
        conn.close().await;
    }
    Ok(Restored {
        tables: loading.manifest.tables(),
        rows: loading.manifest.rows(),
        kept_history: done.kept_history,
        unmade: done.unmade,
        changed: loading.counters.all_changed(),
    })
}

async fn reopen(both: [Restoring<'_>; 2]) -> Result<(), Error> {
    for node in both {
        node.reopen().await?;
    }
    Ok(())
}

/// What was restored, if a restore was cut off when only marks were left to be taken away: a node without one may have been
/// written to since.
fn done<'a>(marks: &[Option<&'a Mark>; 2]) -> Option<&'a Source> {
    let all = marks.iter().flatten().all(|mark| mark.whole);
    let mark = marks.iter().flatten().next()?;
    all.then_some(&mark.source)
}

/// What a restore leaves to be said.
#[derive(Debug, Default)]
struct Done {
    kept_history: bool,
    unmade: Vec<String>,
}

/// All but opening the nodes again.
async fn run(site: &Site, both: &mut [Restoring<'_>; 2], loading: &Loading) -> Result<Done, Error> {
    let manifest = &loading.manifest;
    let wanted = wanted(manifest);
    let begun = match prepare(site, both, manifest, &wanted).await {
        Ok(begun) => begun,
        Err(error) => {
            for node in both.iter() {
                // Where it cannot be, the node stays closed, and the next restore goes on.
                if let Err(error) = node.unmark().await {
                    tracing::warn!(%error, "a node stays closed");
                }
            }
            return Err(error);
        }
    };
    let tables = wanted.inventory.tables.len() * 2;
    loading.counters.expect(tables, manifest.rows() * 2);
    let [a, b] = both;
    try_join(
        loading.fill(site, a.node, &begun[0]),
        loading.fill(site, b.node, &begun[1]),
    )
    .await?;
    loading.counters.finish();
    let is_from_b = manifest.node == b.node.name;
    let mut done = Done::default();
    done.unmade
        .extend(a.finish(&wanted, manifest, is_from_b).await?);
    done.unmade
        .extend(b.finish(&wanted, manifest, !is_from_b).await?);
    for node in [a.node, b.node] {
        done.kept_history |= !loading.history(site, node).await?;
    }
    a.is_whole().await?;
    b.is_whole().await?;
    Ok(done)
}

/// Marks both nodes, and makes their tables. Returns of each whether it may hold rows already.
async fn prepare(
    site: &Site,
    both: &mut [Restoring<'_>; 2],
    manifest: &Manifest,
    wanted: &Definitions,
) -> Result<[Vec<bool>; 2], Error> {
    let databases = site.config.databases.as_deref();
    for node in both.iter_mut() {
        node.check(databases, wanted).await?;
    }
    for node in both.iter_mut() {
        node.mark(&manifest.id).await?;
    }
    // What a link had yet to bring, a DROP perhaps, it has brought when this has come.
    prove::prove(site, prove::PROOF_TIMEOUT).await?;
    let [a, b] = both;
    // Neither is left in the middle of a statement.
    let (a, b) = join(a.prepare(databases, wanted), b.prepare(databases, wanted)).await;
    Ok([a?, b?])
}

/// Databases that the pair is not to have.
fn outside(manifest: &Manifest, databases: Option<&[String]>) -> Vec<String> {
    let all = manifest.databases().into_iter();
    let is_outside =
        |name: &&str| databases.is_some_and(|wanted| !wanted.iter().any(|other| other == name));
    all.filter(is_outside).map(str::to_owned).collect()
}

/// What a backup has, as a copy's definitions: users' tables only.
fn wanted(manifest: &Manifest) -> Definitions {
    let tables = manifest.tables.iter().map(|saved| Arc::new(saved.table()));
    let recipes: Vec<_> = manifest
        .programs
        .iter()
        .map(|program| program.recipe.clone())
        .collect();
    let inventory = Inventory {
        databases: manifest.databases.clone(),
        tables: tables.filter(|table| !table.is_own()).collect(),
        objects: recipes.iter().map(|recipe| recipe.object.clone()).collect(),
    };
    Definitions::saved(inventory, recipes)
}

async fn lock(site: &Site, name: &str, what: &'static str) -> Result<Vec<Conn>, Error> {
    lock_servers(site, name)
        .await?
        .map_err(|node| Error::Busy { what, node })
}
