//! A repair as a row of steps.

use super::{Guard, Mark, Op, OpKind, Repair};
use twinlog_row::{RowError, assignments, locate};

/// A statement of a repair, or a few that are one thought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Looks whether the row of the history that is to be closed has come over the link: before anything is locked.
    Arrival,
    /// Begins the transaction.
    Begin,
    /// Locks a row and compares it with what it must be.
    Lock(usize),
    /// Looks whether anyone has written the rows since they were judged.
    Look,
    /// Looks for rows that a statement would change by a cascade, of which no version would be kept.
    Cascades(Op, usize),
    /// Says whether foreign keys are checked.
    Checks(bool),
    /// Writes.
    Write(Op),
    /// Reads a row again and compares it with what it shall be.
    Verify(usize),
    /// Writes the row of the history.
    History,
    /// Commits.
    Commit,
}

/// All steps of a repair. Rows are locked in the order of their tables and keys, as every other repair does it.
pub(super) fn steps(repair: &Repair, mark: &Mark, watched: bool) -> Vec<Step> {
    let mut steps = match mark {
        Mark::Insert(_) | Mark::Ruled(_) | Mark::Apart(_) => vec![Step::Begin],
        Mark::Close { .. } => vec![Step::Arrival, Step::Begin],
    };
    let mut rows: Vec<usize> = (0..repair.rows.len()).collect();
    rows.sort_by_cached_key(|&row| {
        let guard = &repair.rows[row];
        (guard.table.name.clone(), format!("{:?}", guard.key))
    });
    steps.extend(rows.iter().map(|&row| Step::Lock(row)));
    // What is in no log must not be overtaken: the look is the last thing, when all that is written is locked as well.
    let looks_last = matches!(mark, Mark::Apart(_));
    steps.extend((watched && !looks_last).then_some(Step::Look));
    let mut checks = true;
    for op in &repair.ops {
        if op.checks != checks {
            checks = op.checks;
            steps.push(Step::Checks(checks));
        }
        if checks {
            let cascading = cascading(&repair.rows[op.row], op.kind);
            steps.extend(cascading.map(|reference| Step::Cascades(*op, reference)));
        }
        steps.push(Step::Write(*op));
    }
    if !checks {
        steps.push(Step::Checks(true));
    }
    // The others are locked, and were what they shall be.
    let written = rows
        .iter()
        .filter(|&&row| repair.ops.iter().any(|op| op.row == row));
    steps.extend(written.map(|&row| Step::Verify(row)));
    steps.extend((watched && looks_last).then_some(Step::Look));
    steps.extend([Step::History, Step::Commit]);
    steps
}

/// The references to the row that the statement would follow into other tables.
fn cascading(guard: &Guard, kind: OpKind) -> impl Iterator<Item = usize> + '_ {
    let moves = |columns: &[usize]| {
        let value =
            |row: &Option<Vec<_>>, at: usize| row.as_ref().and_then(|row| row.get(at).cloned());
        columns
            .iter()
            .any(|&at| value(&guard.expect, at) != value(&guard.want, at))
    };
    let references = guard.table.referring.iter().enumerate();
    references
        .filter(move |(_, reference)| match kind {
            OpKind::Delete => reference.deletes_cascade,
            OpKind::Update => reference.updates_cascade && moves(&reference.columns),
            OpKind::Insert => false,
        })
        .map(|(at, _)| at)
}

pub(super) fn write_sql(guard: &Guard, kind: OpKind) -> Result<String, RowError> {
    let table = &guard.table;
    let name = table.sql_name();
    let values = |row: &Option<Vec<_>>| match row {
        Some(row) => assignments(table, row, &guard.documents),
        None => Ok(Vec::new()),
    };
    Ok(match kind {
        OpKind::Delete => format!(
            "DELETE FROM {name} WHERE {} LIMIT 1",
            locate(table, &guard.key)?
        ),
        OpKind::Insert => {
            let (names, values): (Vec<_>, Vec<_>) = values(&guard.want)?.into_iter().unzip();
            format!(
                "INSERT INTO {name} ({}) VALUES ({})",
                names.join(", "),
                values.join(", ")
            )
        }
        OpKind::Update => {
            let terms = values(&guard.want)?;
            let terms: Vec<String> = terms
                .into_iter()
                .map(|(name, value)| format!("{name} = {value}"))
                .collect();
            format!(
                "UPDATE {name} SET {} WHERE {} LIMIT 1",
                terms.join(", "),
                locate(table, &guard.key)?
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use twinlog_converge::Side;

    use super::*;

    #[test]
    fn what_is_in_no_log_is_looked_at_last() {
        let repair = Repair {
            side: Side::A,
            rows: Vec::new(),
            ops: Vec::new(),
            second: false,
        };
        let of = |mark: &Mark| steps(&repair, mark, true);
        assert_eq!(
            of(&Mark::Apart(Vec::new())),
            [Step::Begin, Step::Look, Step::History, Step::Commit]
        );
        assert_eq!(of(&Mark::Insert(String::new()))[1], Step::Look);
    }
}
