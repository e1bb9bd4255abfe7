//! Which policy chooses for which row, by `twinlog.toml`.

use twinlog_converge::{Episode, Policy, Side, TableName};
use twinlog_pair::config::{self, Conflicts};

use super::follow::NodeName;
use crate::resolve::Tables;
use twinlog_row::TableInfo;

/// Each row's policy, and the name of the first one's.
pub(super) fn policies(
    conflicts: &Conflicts,
    nodes: &[NodeName; 2],
    episode: &Episode,
    tables: &Tables,
) -> (Vec<Policy>, String) {
    let of = |table: &TableName| conflicts.policy_of(&table.database, &table.name);
    let policies = episode.rows.iter().map(|row| {
        let (policy, counters) = of(&row.table);
        let table = tables.get(&row.table).map(|info| &**info);
        row_policy(policy, counters, nodes, table)
    });
    let name = episode.rows.first().map(|row| of(&row.table).0.to_string());
    (policies.collect(), name.unwrap_or_default())
}

fn row_policy(
    policy: &config::Policy,
    counters: &[String],
    nodes: &[NodeName; 2],
    table: Option<&TableInfo>,
) -> Policy {
    match policy {
        config::Policy::LastWriteWins => Policy::LastWriteWins,
        config::Policy::FirstWriteWins => Policy::FirstWriteWins,
        config::Policy::Prefer(name) => {
            let is_a = nodes[Side::A.index()].name == *name;
            Policy::Prefer(if is_a { Side::A } else { Side::B })
        }
        config::Policy::Merge => {
            let position = |counter: &String| {
                let columns = &table?.columns;
                // A column's name is the same in any case, on all servers.
                let counter = counter.to_lowercase();
                columns
                    .iter()
                    .position(|column| column.name.to_lowercase() == counter)
            };
            Policy::Merge {
                counters: counters.iter().filter_map(position).collect(),
            }
        }
        config::Policy::Manual => Policy::Manual,
    }
}
