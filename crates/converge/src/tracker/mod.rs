//! Follows both logs until what they did to a row is settled.

mod api;

use std::collections::VecDeque;

use twinlog_binlog::{Gtid, Transaction};

pub use api::{Limits, Load, MEMORY_BYTES_DEFAULT, Output, RepairMark};

use crate::{Side, TableKeys, TableName};

/// Follows both logs. See the crate's documentation.
#[derive(Debug)]
pub struct Tracker {
    limits: Limits,
    outputs: VecDeque<Output>,
}

impl Tracker {
    /// A tracker that has seen nothing.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            outputs: VecDeque::new(),
        }
    }

    /// The tables of a transaction of whose keys nothing is known, or not since their definition changed: load them from
    /// the node in whose log the transaction is, and say so with [`Self::set_keys`] before the transaction is pushed.
    pub fn unknown_tables(&mut self, _tx: &Transaction) -> Vec<TableName> {
        Vec::new()
    }

    /// Says what the keys of a table are; `None` for a table that is not replicated: its rows are ignored.
    pub fn set_keys(&mut self, _table: TableName, _keys: Option<TableKeys>) {}

    /// The next transaction of a log. `origin` is the side where a client (or twinlog, then with `repair`) committed it.
    pub fn push(
        &mut self,
        _log: Side,
        _origin: Side,
        _tx: Transaction,
        _repair: Option<RepairMark>,
    ) {
    }

    /// A node has executed these transactions of its peer, although its log has nothing of them and will have nothing.
    /// Call it only when all that the node's log held when it was asked was pushed.
    pub fn passed(&mut self, _log: Side, _executed: &dyn Fn(&Gtid) -> bool) {}

    /// The next thing that the tracker has to say.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How much the tracker holds.
    #[must_use]
    pub fn load(&self) -> Load {
        let _ = self.limits;
        Load::default()
    }
}
