//! Which node's version of a table's rows stands, and why. No I/O.

use twinlog_converge::Side;
use twinlog_pair::config::Policy;
use twinlog_row::{Kind, TableInfo};

/// What is to become of the rows of a table that differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// Both nodes shall hold what this one holds.
    Keep {
        side: Side,
        /// By what: a policy, or somebody's word.
        why: String,
    },
    /// Nobody has said which: a person does.
    Leave(String),
}

/// Chooses: `keep` is what somebody asks for, and comes before any policy.
pub(super) fn choose(keep: Option<Side>, policy: &Policy, nodes: [&str; 2]) -> Choice {
    if let Some(side) = keep {
        return Choice::Keep {
            side,
            why: format!("--keep {}", nodes[side.index()]),
        };
    }
    let side = |name: &str| {
        let at = nodes.iter().position(|node| *node == name)?;
        Some(Side::BOTH[at])
    };
    let hint = format!("say --keep {} or --keep {}", nodes[0], nodes[1]);
    match policy {
        Policy::Prefer(name) => match side(name) {
            Some(side) => Choice::Keep {
                side,
                why: format!("policy {policy}"),
            },
            None => Choice::Leave(format!("no node is called {name}: {hint}")),
        },
        Policy::Manual => Choice::Leave(format!("policy manual: {hint}")),
        // Nothing tells when rows were written of which no log has the write.
        Policy::LastWriteWins | Policy::FirstWriteWins | Policy::Merge => Choice::Leave(format!(
            "policy {policy} goes by what was written when, and no log tells: {hint}"
        )),
    }
}

/// Why rows of a table cannot be written outside the log, as the node has it that would be written.
pub(super) fn obstacle(table: &TableInfo, node: &str) -> Option<String> {
    let name = &table.name;
    if let Some(reason) = &table.obstacle {
        return Some(format!("{name} cannot be repaired because {reason}"));
    }
    (!table.triggers.is_empty()).then(|| {
        format!(
            "{name} has triggers ({}), which would write on {node} alone",
            table.triggers.join(", ")
        )
    })
}

/// Whether rows of one definition are rows of the other.
pub(super) fn is_alike(a: &TableInfo, b: &TableInfo) -> bool {
    let key = |table: &TableInfo| table.key().ok().map(|key| key.columns.clone());
    columns(a) == columns(b) && key(a) == key(b)
}

/// What must be the same of columns: their names, which are computed, and what they hold; of lists, in which order.
fn columns(table: &TableInfo) -> Vec<(String, bool, &Kind, Option<&str>)> {
    let columns = table.columns.iter().map(|column| {
        let is_list = matches!(column.kind, Kind::Enum | Kind::Set);
        let list = is_list.then_some(column.declared.as_str());
        (
            column.name.to_lowercase(),
            column.generated,
            &column.kind,
            list,
        )
    });
    columns.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [&str; 2] = ["a", "b"];

    fn keep(side: Side, why: &str) -> Choice {
        Choice::Keep {
            side,
            why: why.to_owned(),
        }
    }

    #[test]
    fn what_somebody_says_comes_before_a_policy() {
        let policy = Policy::Prefer("a".into());
        assert_eq!(
            choose(Some(Side::B), &policy, NODES),
            keep(Side::B, "--keep b")
        );
        assert_eq!(
            choose(None, &policy, NODES),
            keep(Side::A, "policy prefer:a")
        );
    }

    #[test]
    fn what_needs_a_time_is_left() {
        for policy in [
            Policy::LastWriteWins,
            Policy::FirstWriteWins,
            Policy::Merge,
            Policy::Manual,
            Policy::Prefer("c".into()),
        ] {
            let Choice::Leave(reason) = choose(None, &policy, NODES) else {
                panic!("{policy} chose");
            };
            assert!(reason.ends_with("say --keep a or --keep b"), "{reason}");
        }
    }
}
