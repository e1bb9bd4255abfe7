//! A repair's row of the history.

use twinlog_converge::{Side, TableName};
use twinlog_pair::config::Conflicts;

use crate::{
    conflicts::told,
    history::{DETAIL_VERSION, Detail, Entry, Kind, RowDetail, State, Told, cells},
    resolve::{Content, JudgedRow, id_of, key_text, shape},
};

/// Writes rows down that are repaired together, open still and without an id. `by` is who asked for it.
pub(super) fn entry(
    rows: &[JudgedRow],
    (kept, why): (Side, &str),
    (nodes, by): (&[String; 2], &str),
    conflicts: &Conflicts,
    now_us: u64,
) -> Entry {
    let mut tables: Vec<TableName> = Vec::new();
    let mut shapes = Vec::new();
    let mut details = Vec::new();
    for row in rows {
        let name = &row.table.name;
        let at = tables.iter().position(|other| other == name);
        let at = at.unwrap_or_else(|| {
            tables.push(name.clone());
            shapes.push(shape(&row.table));
            tables.len() - 1
        });
        let told = |content: &Option<Content>| content.as_ref().map_or(Told::Unknown, told);
        details.push(RowDetail {
            table: at,
            key: cells(&row.key),
            base: Told::Unknown,
            held: row.held.each_ref().map(told),
            chosen: told(&row.chosen),
        });
    }
    let first = rows.first();
    let name = first.map(|row| row.table.name.clone());
    let (schema_name, table_name) = name
        .map(|name| (name.database.to_string(), name.name.to_string()))
        .unwrap_or_default();
    let policy = conflicts.policy_of(&schema_name, &table_name).0.to_string();
    let node = nodes[kept.index()].clone();
    Entry {
        id: String::new(),
        found_us: now_us,
        schema_name,
        table_name,
        row_key: first
            .map(|row| key_text(&row.table, &cells(&row.key)))
            .unwrap_or_default(),
        kind: Kind::Divergence,
        state: State::Open,
        policy,
        rule: format!("by {why}, as {by} asked; a comparison of both nodes found it"),
        chosen: Some(node.clone()),
        chosen_node: Some(node),
        chosen_us: None,
        gtid_a: None,
        gtid_b: None,
        repair_gtid: None,
        resolved_us: None,
        detail: Detail {
            version: DETAIL_VERSION,
            nodes: nodes.clone(),
            tables: shapes,
            rows: details,
            as_held: true,
            compared: true,
            ..Detail::default()
        },
    }
}

/// The id of what was found: whoever finds the same again, before it is repaired, means the same entry. `again` tells it
/// from those of the same that are settled.
pub(super) fn id(detail: &Detail, again: u32) -> String {
    let rows = detail.rows.iter().map(|row| {
        // Cells have no map in them, and serialise.
        let known = serde_json::to_string(&(&row.key, &row.held)).unwrap_or_default();
        format!("compared {} {known}", detail.table_name(row))
    });
    let again = (again > 0).then(|| format!("again {again}"));
    id_of(rows.chain(again).collect())
}
