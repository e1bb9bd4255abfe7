//! Plans against a server in memory that checks every unique and foreign key after every statement.

use std::collections::BTreeMap;

use proptest::prelude::*;
use twinlog_converge::{ForeignKey, TableName};

use super::*;
use crate::resolve::Content;
use twinlog_row::{ColumnInfo, Kind, Reference, UniqueIndex};

fn name(table: &str) -> TableName {
    TableName {
        database: "d".into(),
        name: table.into(),
    }
}

/// `id`, and two columns of which `unique` are unique.
fn table(
    table: &str,
    unique: &[usize],
    foreign: Vec<ForeignKey>,
    referring: Vec<Reference>,
) -> Arc<TableInfo> {
    let column = |name: &str| ColumnInfo {
        name: name.to_owned(),
        kind: Kind::Int {
            bytes: 4,
            unsigned: false,
        },
        declared: "int".to_owned(),
        generated: false,
        nullable: true,
    };
    let index = |at: &usize| UniqueIndex {
        name: format!("u{at}"),
        columns: vec![*at],
        prefix: false,
        nullable: *at > 0,
    };
    Arc::new(TableInfo {
        name: name(table),
        columns: ["id", "u", "v"].map(column).to_vec(),
        unique: std::iter::once(&0).chain(unique).map(index).collect(),
        opaque: Vec::new(),
        foreign,
        referring,
        triggers: Vec::new(),
        obstacle: None,
    })
}

type Cells = [Option<i64>; 3];
type Rows = BTreeMap<(bool, i64), Cells>;

/// A child `c` whose `v` refers to the `id` of a parent `p`.
fn family() -> [Arc<TableInfo>; 2] {
    let foreign = ForeignKey {
        columns: vec![2],
        parent: name("p"),
        parent_columns: vec![0],
    };
    let reference = Reference {
        child: name("c"),
        child_columns: vec!["v".to_owned()],
        columns: vec![0],
        deletes_cascade: false,
        updates_cascade: false,
    };
    [
        table("p", &[1, 2], Vec::new(), vec![reference]),
        table("c", &[1], vec![foreign], Vec::new()),
    ]
}

fn values(cells: &Cells) -> Row {
    cells
        .iter()
        .map(|cell| cell.map_or(Value::Null, Value::Int))
        .collect()
}

fn legal(rows: &Rows) -> Result<(), String> {
    for (a_key, a) in rows {
        for (b_key, b) in rows.range(a_key..).skip(1) {
            if a_key.0 != b_key.0 {
                continue;
            }
            let last = if a_key.0 { 1 } else { 2 };
            for at in 1..=last {
                if a[at].is_some() && a[at] == b[at] {
                    return Err(format!("rows {a:?} and {b:?} have the same column {at}"));
                }
            }
        }
        if a_key.0
            && let Some(parent) = a[2]
            && !rows.contains_key(&(false, parent))
        {
            return Err(format!("row {a:?} has no parent"));
        }
    }
    Ok(())
}

/// Up to six rows in each table, made legal.
fn states() -> impl Strategy<Value = Rows> {
    let cell = || proptest::option::weighted(0.8, 0..4i64);
    proptest::collection::btree_map((any::<bool>(), 0..5i64), (cell(), cell()), 0..9).prop_map(
        |rows| {
            let mut state = Rows::new();
            for ((child, id), (u, v)) in rows {
                state.insert((child, id), [Some(id), u, v]);
                if legal(&state).is_err() {
                    state.remove(&(child, id));
                }
            }
            state
        },
    )
}

/// The repair of a node that holds `from` while its peer holds `peer`, to what was chosen.
fn planned(from: &Rows, peer: &Rows, to: &Rows, how: How) -> Plan {
    let [parents, children] = family();
    let mut keys: Vec<_> = from
        .keys()
        .chain(peer.keys())
        .chain(to.keys())
        .copied()
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let content = |rows: &Rows, key| rows.get(key).map(values).into();
    let rows = keys.iter().map(|key| {
        let table = if key.0 { &children } else { &parents };
        let held: [Content; 2] = [content(from, key), content(peer, key)];
        JudgedRow::new(
            Arc::clone(table),
            vec![Value::Int(key.1)],
            held,
            content(to, key),
        )
    });
    let judged = Judged {
        aged: false,
        rows: rows.collect(),
        decided: true,
    };
    plan(&judged, how)
}

/// Carries a repair out, as a server would: every statement that is checked must leave what is legal.
fn carry_out(state: &mut Rows, repair: &Repair) -> Result<(), TestCaseError> {
    for op in &repair.ops {
        let guard = &repair.rows[op.row];
        let Value::Int(id) = guard.key[0] else {
            return Err(TestCaseError::fail("a key is a number"));
        };
        let key = (&*guard.table.name.name == "c", id);
        let cells = |row: &Row| -> Vec<Option<i64>> {
            let cell = |value: &Value| {
                if let Value::Int(n) = value {
                    Some(*n)
                } else {
                    None
                }
            };
            row.iter().map(cell).collect()
        };
        match (op.kind, &guard.want) {
            (OpKind::Delete, _) => {
                prop_assert!(state.remove(&key).is_some());
            }
            (OpKind::Insert, Some(row)) => {
                let row = cells(row).try_into().expect("three columns");
                prop_assert!(state.insert(key, row).is_none(), "{key:?} is there");
            }
            (OpKind::Update, Some(row)) => {
                let row = cells(row).try_into().expect("three columns");
                prop_assert!(state.insert(key, row).is_some(), "{key:?} is not there");
            }
            (_, None) => return Err(TestCaseError::fail("nothing to write")),
        }
        if op.checks
            && let Err(reason) = legal(state)
        {
            // A parent that will come back is missing while it is gone.
            prop_assert!(
                reason.contains("no parent") && comes_back(repair, op, state),
                "{reason} after {op:?}"
            );
        }
    }
    Ok(())
}

fn comes_back(repair: &Repair, op: &Op, state: &Rows) -> bool {
    let at = repair
        .ops
        .iter()
        .position(|other| other == op)
        .expect("it is one of them");
    let mut later = state.clone();
    for op in &repair.ops[at + 1..] {
        let guard = &repair.rows[op.row];
        if let (OpKind::Insert, Value::Int(id)) = (op.kind, &guard.key[0]) {
            later.insert(
                (&*guard.table.name.name == "c", *id),
                [Some(*id), None, None],
            );
        }
    }
    legal(&later).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_legal_state_becomes_any_other(from in states(), to in states(), rebuilt: bool) {
        let how = if rebuilt { How::Rebuilt } else { How::InPlace };
        match planned(&from, &to, &to, how) {
            Plan::Nothing => prop_assert_eq!(from, to),
            Plan::Repair { first, second: None } => {
                prop_assert_eq!(first.side, Side::A);
                let mut state = from.clone();
                carry_out(&mut state, &first)?;
                prop_assert_eq!(state, to);
            }
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        }
    }

    #[test]
    fn what_each_node_lacks_is_written_there(a in states(), b in states(), to in states()) {
        match planned(&a, &b, &to, How::InPlace) {
            Plan::Nothing => prop_assert!(a == to && b == to),
            Plan::Repair { first, second } => {
                // Every row that is wrong on a node is written there, or comes with the other node's repair.
                for (side, state) in [(Side::A, &a), (Side::B, &b)] {
                    let own = [Some(&first), second.as_ref()].into_iter().flatten().find(|repair| repair.side == side);
                    for key in state.keys().chain(to.keys()).filter(|key| state.get(key) != to.get(key)) {
                        let named = |repair: &Repair| repair.rows.iter().any(|guard| guard.key[0] == Value::Int(key.1)
                            && (&*guard.table.name.name == "c") == key.0);
                        prop_assert!(own.is_some_and(named) || named(&first), "{key:?} on {side:?}");
                    }
                }
            }
            Plan::Person(reason) => return Err(TestCaseError::fail(reason)),
        }
    }
}

#[test]
fn two_rows_swap_by_going_and_coming_back() {
    let state = |rows: [(i64, i64); 2]| -> Rows {
        rows.into_iter()
            .map(|(id, u)| ((false, id), [Some(id), Some(u), None]))
            .collect()
    };
    let (from, to) = (state([(1, 1), (2, 2)]), state([(1, 2), (2, 1)]));
    let Plan::Repair {
        first,
        second: None,
    } = planned(&from, &to, &to, How::InPlace)
    else {
        panic!("there is something to do");
    };
    let told: Vec<_> = first
        .ops
        .iter()
        .map(|op| (op.row, op.kind, op.checks))
        .collect();
    // The children that refer to them neither forbid it nor go with them.
    assert_eq!(
        told,
        [
            (0, OpKind::Delete, false),
            (1, OpKind::Delete, false),
            (0, OpKind::Insert, true),
            (1, OpKind::Insert, true)
        ]
    );
}

#[test]
fn what_is_not_known_is_left_to_a_person() {
    let [parents, _] = family();
    let mut row = JudgedRow::new(
        parents,
        vec![Value::Int(1)],
        [Content::Gone, Content::Gone],
        Content::Gone,
    );
    row.held[1] = None;
    let mut judged = Judged {
        aged: false,
        rows: vec![row],
        decided: true,
    };
    assert!(matches!(plan(&judged, How::InPlace), Plan::Person(_)));
    judged.tell(0, Side::B, Content::Gone);
    assert!(matches!(plan(&judged, How::InPlace), Plan::Nothing));
    judged.tell(0, Side::B, Content::Row(values(&[Some(1), None, None])));
    judged.decided = false;
    assert!(
        matches!(plan(&judged, How::InPlace), Plan::Person(reason) if reason == "nothing was chosen")
    );
}
