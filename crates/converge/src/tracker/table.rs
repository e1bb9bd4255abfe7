//! What is known of the tables, and how their rows become keys.

use std::{collections::HashMap, sync::Arc};

use twinlog_binlog::{Image, RowChange, RowError, Spans, Table};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use super::key::{KeyHash, Kind};
use crate::{TableKeys, TableName, UniqueKey};

/// A table's place in [`Tables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TableId(pub(super) u32);

/// One table.
#[derive(Debug, Clone)]
pub(super) struct TableInfo {
    pub(super) name: TableName,
    keys: Knowledge,
    /// Its definition changed since its keys were said.
    stale: bool,
    /// How images of each layout become keys.
    plans: Vec<(u64, Arc<Plan>)>,
    /// Rows of transactions that were seen before this one are not followed: they were forgotten.
    pub(super) since: u64,
    /// That it must be verified was said for all transactions before this one.
    pub(super) said: u64,
}

#[derive(Debug, Clone)]
enum Knowledge {
    None,
    Ignored,
    Keys(Arc<TableKeys>),
}

/// How a table's images become keys.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The table's keys, as far as they fit its images.
    pub(super) keys: Arc<TableKeys>,
    unique: Vec<KeyPlan>,
    foreign: Vec<KeyPlan>,
}

#[derive(Debug, Clone)]
struct KeyPlan {
    /// The table that has the key.
    table: TableId,
    /// A hash of that table and the key's columns there.
    seed: u64,
    columns: Box<[usize]>,
}

/// A key that a change touches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Touched {
    pub(super) key: KeyHash,
    pub(super) table: TableId,
    pub(super) kind: Kind,
}

/// Memory that walks over rows use again and again.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    before: Spans,
    after: Spans,
    bytes: Vec<u8>,
}

impl KeyPlan {
    fn new(
        table: TableId,
        parent: &TableName,
        columns: &[usize],
        parent_columns: &[usize],
    ) -> Self {
        // A reference and the key that it refers to must give the same hash: the columns go in the order that they have
        // in the table with the key.
        let mut pairs: Vec<_> = parent_columns.iter().copied().zip(columns).collect();
        pairs.sort_unstable();
        let mut text = Vec::new();
        for part in [&parent.database, &parent.name] {
            text.extend_from_slice(part.as_bytes());
            text.push(0);
        }
        for (column, _) in &pairs {
            text.extend_from_slice(&(*column as u64).to_le_bytes());
        }
        Self {
            table,
            seed: xxh3_64(&text),
            columns: pairs.into_iter().map(|(_, &column)| column).collect(),
        }
    }

    /// The key of an image; `None` where a column is NULL.
    #[inline]
    fn hash(&self, image: &Image<'_>, spans: &Spans, buffer: &mut Vec<u8>) -> Option<KeyHash> {
        if let [column] = *self.columns {
            let bytes = spans.get(image, column).bytes()?;
            return Some(KeyHash::new(xxh3_128_with_seed(bytes, self.seed)));
        }
        buffer.clear();
        for &column in &self.columns {
            let bytes = spans.get(image, column).bytes()?;
            buffer.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            buffer.extend_from_slice(bytes);
        }
        Some(KeyHash::new(xxh3_128_with_seed(buffer, self.seed)))
    }

    fn equal(&self, one: (&Image<'_>, &Spans), other: (&Image<'_>, &Spans)) -> bool {
        self.columns
            .iter()
            .all(|&column| one.1.get(one.0, column) == other.1.get(other.0, column))
    }
}

impl Plan {
    /// Whether rows can be told apart.
    pub(super) fn names_rows(&self) -> bool {
        !self.unique.is_empty()
    }

    /// The key that names the row of an image.
    pub(super) fn row_key(
        &self,
        image: &Image<'_>,
        scratch: &mut Scratch,
    ) -> Result<Option<KeyHash>, RowError> {
        image.locate(&mut scratch.before)?;
        let first = self.unique.first();
        Ok(first.and_then(|key| key.hash(image, &scratch.before, &mut scratch.bytes)))
    }

    /// All keys that a change touches. Returns whether its images have the keys that name their rows.
    #[inline]
    pub(super) fn touched(
        &self,
        change: &RowChange<'_>,
        scratch: &mut Scratch,
        mut touch: impl FnMut(Touched),
    ) -> Result<bool, RowError> {
        let mut named = true;
        let Scratch {
            before: spans_before,
            after: spans_after,
            bytes,
        } = scratch;
        if let Some(image) = &change.before {
            image.locate(spans_before)?;
        }
        if let Some(image) = &change.after {
            image.locate(spans_after)?;
        }
        let before = change.before.as_ref().map(|image| (image, &*spans_before));
        let after = change.after.as_ref().map(|image| (image, &*spans_after));
        for (plans, changed, kept) in [
            (&self.unique, Kind::Existence, Kind::Update),
            (&self.foreign, Kind::Reference, Kind::Reference),
        ] {
            for (place, plan) in plans.iter().enumerate() {
                let same = match (before, after) {
                    (Some(before), Some(after)) => plan.equal(before, after),
                    _ => false,
                };
                let kind = if same { kept } else { changed };
                let images = [before, after];
                for (image, spans) in images.into_iter().skip(usize::from(same)).flatten() {
                    let Some(key) = plan.hash(image, spans, bytes) else {
                        named &= place > 0 || changed == Kind::Reference;
                        continue;
                    };
                    touch(Touched {
                        key,
                        table: plan.table,
                        kind,
                    });
                }
            }
        }
        Ok(named)
    }
}

/// All tables that were seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    infos: Vec<TableInfo>,
    by_name: HashMap<TableName, TableId>,
    /// The table that was looked up last: rows come in runs.
    last: Option<(Arc<Table>, TableId, Option<Arc<Plan>>)>,
}

impl Tables {
    pub(super) fn id(&mut self, name: &TableName) -> TableId {
        if let Some(&id) = self.by_name.get(name) {
            return id;
        }
        let id = TableId(self.infos.len() as u32);
        self.infos.push(TableInfo {
            name: name.clone(),
            keys: Knowledge::None,
            stale: false,
            plans: Vec::new(),
            since: 0,
            said: 0,
        });
        self.by_name.insert(name.clone(), id);
        id
    }

    pub(super) fn get(&self, id: TableId) -> &TableInfo {
        &self.infos[id.0 as usize]
    }

    pub(super) fn get_mut(&mut self, id: TableId) -> &mut TableInfo {
        &mut self.infos[id.0 as usize]
    }

    /// As if of no table it had been said yet that it must be verified.
    pub(super) fn say_again(&mut self) {
        for info in &mut self.infos {
            info.said = 0;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &TableInfo> {
        self.infos.iter()
    }

    /// Whether the table's rows count: it is not known to be left out of replication.
    pub(super) fn is_followed(&self, id: TableId) -> bool {
        !matches!(self.get(id).keys, Knowledge::Ignored)
    }

    /// The tables whose rows count.
    pub(super) fn followed(&self) -> impl Iterator<Item = (TableId, &TableName)> {
        let infos = self.infos.iter().enumerate();
        let infos = infos.filter(|(_, info)| matches!(info.keys, Knowledge::Keys(_)));
        infos.map(|(at, info)| (TableId(at as u32), &info.name))
    }

    /// Whether the table's keys must be asked for before this image of it can be followed.
    pub(super) fn must_ask(&mut self, table: &Table) -> bool {
        let id = self.id(&name_of(table));
        let info = self.get(id);
        match info.keys {
            Knowledge::None => true,
            Knowledge::Ignored => info.stale,
            Knowledge::Keys(_) => {
                let new = info.plans.iter().all(|(layout, _)| *layout != table.layout);
                info.stale || (new && !info.plans.is_empty())
            }
        }
    }

    pub(super) fn set_keys(&mut self, name: &TableName, keys: Option<TableKeys>) {
        let id = self.id(name);
        let info = self.get_mut(id);
        info.keys = keys.map_or(Knowledge::Ignored, |keys| Knowledge::Keys(Arc::new(keys)));
        info.stale = false;
        info.plans.clear();
        self.last = None;
    }

    /// The table's definition changed.
    pub(super) fn set_stale(&mut self, affected: impl Fn(&TableName) -> bool) {
        for info in &mut self.infos {
            info.stale |= affected(&info.name);
        }
        self.last = None;
    }

    /// The table of some rows, and how they become keys; `None` for a table that is ignored.
    #[inline]
    pub(super) fn plan(&mut self, table: &Arc<Table>) -> (TableId, Option<Arc<Plan>>) {
        if let Some((last, id, plan)) = &self.last
            && Arc::ptr_eq(last, table)
        {
            return (*id, plan.clone());
        }
        let id = self.id(&name_of(table));
        let plan = self.find_plan(id, table);
        self.last = Some((Arc::clone(table), id, plan.clone()));
        (id, plan)
    }

    fn find_plan(&mut self, id: TableId, table: &Table) -> Option<Arc<Plan>> {
        let info = self.get(id);
        if let Some((_, plan)) = info
            .plans
            .iter()
            .find(|(layout, _)| *layout == table.layout)
        {
            return Some(Arc::clone(plan));
        }
        let keys = match &info.keys {
            Knowledge::Ignored => return None,
            Knowledge::Keys(keys) => fitting(keys, table),
            Knowledge::None => fitting(&Arc::default(), table),
        };
        let plan = Arc::new(self.make_plan(id, keys));
        let info = self.get_mut(id);
        // A plan without the keys of `set_keys` is made anew once they are known.
        info.plans.push((table.layout, Arc::clone(&plan)));
        Some(plan)
    }

    fn make_plan(&mut self, id: TableId, keys: Arc<TableKeys>) -> Plan {
        let name = self.get(id).name.clone();
        let unique = keys
            .unique
            .iter()
            .map(|key| KeyPlan::new(id, &name, &key.columns, &key.columns))
            .collect();
        let foreign = keys
            .foreign
            .iter()
            .map(|key| {
                let parent = self.id(&key.parent);
                KeyPlan::new(parent, &key.parent, &key.columns, &key.parent_columns)
            })
            .collect();
        Plan {
            keys,
            unique,
            foreign,
        }
    }
}

/// The keys that can be those of the images of a table. What was said of a table can be of another moment than the
/// image: what the log itself says of the primary key counts.
fn fitting(keys: &Arc<TableKeys>, table: &Table) -> Arc<TableKeys> {
    let columns = table.columns.len();
    let first = keys.unique.first().map(|key| key.columns.as_slice());
    let by_log = table.primary_key.as_slice();
    let fits = |positions: &[usize]| positions.iter().all(|&column| column < columns);
    let agree = by_log.is_empty() || first == Some(by_log);
    if agree
        && keys.unique.iter().all(|key| fits(&key.columns))
        && keys.foreign.iter().all(|key| fits(&key.columns))
    {
        return Arc::clone(keys);
    }
    let mut own = TableKeys::default();
    if !by_log.is_empty() {
        own.unique.push(UniqueKey {
            name: "PRIMARY".into(),
            columns: by_log.to_vec(),
        });
    }
    Arc::new(own)
}

pub(super) fn name_of(table: &Table) -> TableName {
    TableName {
        database: Arc::clone(&table.database),
        name: Arc::clone(&table.name),
    }
}
