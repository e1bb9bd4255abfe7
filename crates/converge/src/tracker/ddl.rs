//! Changes of definitions, which stand between the row changes before and after them.

use std::sync::Arc;

use twinlog_binlog::Statement;

use super::{
    Tracker,
    api::Output,
    statement::{Effect, effect},
    table::name_of,
    transaction::{Body, Tx, TxId},
};
use crate::{Side, TableName, Verdict};

/// A definition's change that may stand between changes in flight.
#[derive(Debug, Clone)]
pub(super) struct Ddl {
    pub(super) tx: TxId,
    scope: Scope,
    /// Whether rows may be gone afterwards.
    pub(super) wipes: bool,
    text: String,
    /// Transactions from this serial on come after it in both logs; `None` until it is settled.
    until: Option<u64>,
}

/// Tables of which a statement may have taken all rows.
#[derive(Debug, Clone)]
pub struct Wipe(Scope);

impl Wipe {
    /// Whether this is one of them.
    #[must_use]
    pub fn covers(&self, table: &TableName) -> bool {
        self.0.covers(table)
    }
}

/// What a definition's change is about.
#[derive(Debug, Clone)]
enum Scope {
    Tables(Vec<TableName>),
    Database(Arc<str>),
}

impl Scope {
    fn covers(&self, table: &TableName) -> bool {
        match self {
            Self::Tables(names) => names.contains(table),
            Self::Database(name) => *name == table.database,
        }
    }

    /// What two have in common.
    fn common(&self, other: &Self) -> Option<TableName> {
        match (self, other) {
            (Self::Tables(names), scope) => names.iter().find(|name| scope.covers(name)).cloned(),
            (Self::Database(_), Self::Tables(_)) => other.common(self),
            (Self::Database(name), Self::Database(other)) => (name == other).then(|| TableName {
                database: Arc::clone(name),
                name: "".into(),
            }),
        }
    }
}

impl Ddl {
    pub(super) fn covers(&self, table: &TableName) -> bool {
        self.scope.covers(table)
    }
}

impl Tracker {
    /// A statement of a transaction.
    pub(super) fn statement(&mut self, id: TxId, statement: &Statement) {
        let (scope, wipes) = match effect(statement) {
            Effect::Nothing => return,
            Effect::Data(table) => {
                self.note_data(id, table);
                return;
            }
            Effect::Tables {
                names,
                wipes,
                renames,
            } => {
                self.renames.extend(renames);
                (Scope::Tables(names), wipes)
            }
            Effect::Database { name, wipes } => (Scope::Database(name), wipes),
        };
        self.tables.set_stale(|table| scope.covers(table));
        if wipes {
            self.let_go_of_kept(&scope);
            self.wipes.push(Wipe(scope.clone()));
        }
        if self.ddls.iter().any(|ddl| ddl.tx == id) {
            return;
        }
        self.txs[id].holds += 1;
        self.ddls.push(Ddl {
            tx: id,
            scope,
            wipes,
            text: String::from_utf8_lossy(&statement.text).into_owned(),
            until: None,
        });
    }

    /// Tables that statements gave other names, since this was asked last: the old and the new one of each. Rows in the
    /// logs before that are under the old name.
    pub fn take_renames(&mut self) -> Vec<[TableName; 2]> {
        std::mem::take(&mut self.renames)
    }

    /// What was wiped since this was asked last: rows of verdicts that are open are not what they were.
    pub fn take_wipes(&mut self) -> Vec<Wipe> {
        std::mem::take(&mut self.wipes)
    }

    /// What was said of rows that a statement has wiped since will not be said anew.
    fn let_go_of_kept(&mut self, scope: &Scope) {
        for episode in self.kept_episodes() {
            let mut rows = self.kept_nodes(episode);
            let is_wiped = rows.any(|node| {
                let tx = &self.txs[node.tx];
                self.tables_of(tx).any(|table| scope.covers(&table))
            });
            if is_wiped {
                self.let_go_of(episode);
            }
        }
    }

    /// Whether a statement has wiped the rows of a table after one of these transactions, which had seen them.
    pub(super) fn is_wiped_after(&self, table: &TableName, members: &[TxId]) -> bool {
        let mut wipes = self
            .ddls
            .iter()
            .filter(|ddl| ddl.wipes && ddl.covers(table));
        wipes.any(|ddl| {
            let wipe = &self.txs[ddl.tx];
            let mut members = members.iter().map(|&member| &self.txs[member]);
            let is_later = |tx: &Tx| Side::BOTH.into_iter().any(|log| tx.before(wipe, log));
            members.clone().all(|tx| !tx.inverted(wipe)) && members.any(is_later)
        })
    }

    /// The definition's change that must be settled before a settled transaction is looked at: one that is in a log
    /// already, and does not come after the transaction there.
    pub(super) fn waits_for_ddl(&self, id: TxId) -> Option<TxId> {
        let tx = &self.txs[id];
        self.ddls
            .iter()
            .filter(|ddl| ddl.until.is_none() && ddl.tx != id)
            .filter(|ddl| {
                let change = &self.txs[ddl.tx];
                change.before(tx, Side::A) || change.before(tx, Side::B)
            })
            .find(|ddl| self.tables_of(tx).any(|table| ddl.covers(&table)))
            .map(|ddl| ddl.tx)
    }

    /// Whether a definition's change had not seen a transaction that changes its rows, nor the transaction it.
    pub(super) fn is_beside_ddl(&self, tx: &Tx) -> bool {
        self.ddls.iter().any(|ddl| {
            self.txs[ddl.tx].inverted(tx) && self.tables_of(tx).any(|table| ddl.covers(&table))
        })
    }

    pub(super) fn tables_of<'a>(&'a self, tx: &'a Tx) -> impl Iterator<Item = TableName> + 'a {
        let forgotten = tx.bodies.iter().flat_map(|body| match body {
            Body::Forgotten(_, tables) => &tables[..],
            _ => &[],
        });
        Side::BOTH
            .into_iter()
            .flat_map(|log| tx.rows(log))
            .map(|rows| name_of(&rows.table))
            .chain(forgotten.map(|&table| self.tables.get(table).name.clone()))
    }

    /// A transaction is settled: if it changed a definition, was that changed on the other side too?
    pub(super) fn settle_ddl(&mut self, id: TxId) {
        let Some(at) = self.ddls.iter().position(|ddl| ddl.tx == id) else {
            return;
        };
        self.ddls[at].until = Some(self.serial);
        let (new, tx) = (&self.ddls[at], &self.txs[id]);
        let mut found = Vec::new();
        for other in self.ddls.iter().filter(|ddl| ddl.until.is_some()) {
            let peer = &self.txs[other.tx];
            if peer.origin == tx.origin || !peer.inverted(tx) {
                continue;
            }
            let Some(table) = new.scope.common(&other.scope) else {
                continue;
            };
            let mut pair = [(tx, new), (peer, other)];
            if tx.origin == Side::B {
                pair.reverse();
            }
            found.push(Verdict::ConcurrentDdl {
                table,
                gtids: pair.map(|(tx, _)| tx.gtid.clone()),
                statements: pair.map(|(_, ddl)| ddl.text.clone()),
            });
        }
        self.outputs.extend(found.into_iter().map(Output::Verdict));
    }

    /// Lets those go that stand between nothing any more: all that was in flight when they were settled is judged.
    pub(super) fn end_ddls(&mut self) {
        let open = |&&(serial, id): &&(u64, TxId)| {
            let tx = self.txs.get(id).filter(|tx| tx.serial == serial);
            tx.is_some_and(|tx| !tx.settled() || tx.live > 0)
        };
        let first = self.ages.iter().find(open);
        let first = first.map_or(self.serial, |&(serial, _)| serial);
        let mut ended = Vec::new();
        self.ddls.retain(|ddl| {
            let over = ddl.until.is_some_and(|until| until <= first);
            if over {
                ended.push(ddl.tx);
            }
            !over
        });
        for id in ended {
            self.txs[id].holds -= 1;
            self.try_retire(id);
        }
    }
}
