//! Reads what a pair holds at rest.

use crate::evidence::{Content, Entry, Rest};
use crate::pair::Pair;
use crate::plan::Side;
use crate::schema::Table;
use crate::statements::row_of;

/// Both nodes, whole.
pub(crate) async fn rest(pair: &Pair, tables: &[Table]) -> Rest {
    let [a, b] = Side::BOTH;
    let (nodes, history) = (
        futures_util::future::join(content(pair, a, tables), content(pair, b, tables)),
        futures_util::future::join(history(pair, a), history(pair, b)),
    );
    let (nodes, history) = futures_util::future::join(nodes, history).await;
    Rest {
        nodes: nodes.into(),
        history: history.into(),
    }
}

async fn content(pair: &Pair, side: Side, tables: &[Table]) -> Content {
    let mut content = Vec::new();
    for table in tables {
        let columns = table.columns().join(", ");
        let sql = format!("SELECT {columns} FROM {} ORDER BY 1", table.full_name());
        content.push(
            pair.rows(side, &sql)
                .await
                .into_iter()
                .map(row_of)
                .collect(),
        );
    }
    content
}

async fn history(pair: &Pair, side: Side) -> Vec<Entry> {
    let sql = "SELECT id, table_name, state, CONCAT_WS(' | ', found_at, row_key, kind, policy, rule, chosen, \
               chosen_node, chosen_us, gtid_a, gtid_b, repair_gtid, resolved_at), detail \
               FROM twinlog.conflict ORDER BY id";
    let rows = pair.rows(side, sql).await;
    rows.into_iter()
        .map(|row| {
            let mut texts = row_of(row).into_iter().map(Option::unwrap_or_default);
            let mut next = || texts.next().unwrap_or_default();
            Entry {
                id: next(),
                table: next(),
                state: next(),
                rest: next(),
                detail: next(),
            }
        })
        .collect()
}
