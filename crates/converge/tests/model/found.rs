//! Cases that broke a promise once, shrunk.

use twinlog_converge::{
    Policy,
    Side::{A, B},
};

use crate::{
    case::{self, Case, FOLD_FROM, Op, Shape},
    node::{Do, Set},
    pair::Flavour,
    schema::COUNTER,
};

pub(crate) fn shape(policy: Policy) -> Shape {
    Shape {
        flavour: Flavour::MySql,
        policy,
        secondary: Vec::new(),
        child_of: None,
        skew: [0; 2],
        fold_from: FOLD_FROM,
    }
}

pub(crate) fn insert(table: u8, id: u8, keys: [u8; 3], parent: u8) -> Do {
    Do::Insert {
        table,
        id,
        keys,
        parent,
        plain: false,
    }
}

fn update(id: u8) -> Do {
    let set = Set {
        values: [false, true],
        ..Set::default()
    };
    Do::Update {
        table: 0,
        id,
        set,
        keys: [0; 3],
        parent: 0,
    }
}

/// Sets the second of the columns that may be unique.
fn set_keys(id: u8, keys: [u8; 3]) -> Do {
    let set = Set {
        keys: [false, true, false],
        ..Set::default()
    };
    Do::Update {
        table: 0,
        id,
        set,
        keys,
        parent: 0,
    }
}

pub(crate) fn add(id: u8, counter: i8) -> Do {
    let set = Set {
        counter,
        ..Set::default()
    };
    Do::Update {
        table: 0,
        id,
        set,
        keys: [0; 3],
        parent: 0,
    }
}

fn go(id: u8, to: u8) -> Do {
    Do::Move { table: 0, id, to }
}

fn delete(table: u8, id: u8) -> Do {
    Do::Delete { table, id }
}

pub(crate) fn client(side: twinlog_converge::Side, statements: &[Do]) -> Op {
    Op::Client(side, statements.to_vec())
}

fn holds(shape: Shape, ops: Vec<Op>) {
    let case = Case { shape, ops };
    if let Err(violation) = case::run(&case) {
        panic!("{violation}");
    }
}

#[test]
fn a_write_over_one_that_its_node_had_skipped() {
    holds(
        Shape {
            secondary: vec![vec![1]],
            ..shape(Policy::Manual)
        },
        vec![
            client(B, &[insert(0, 2, [2, 0, 0], 0)]),
            client(A, &[insert(0, 3, [2, 0, 0], 0)]),
            Op::Read(A, 1),
            Op::Apply(A, 1),
            Op::Apply(B, 1),
            client(A, &[go(2, 1), insert(0, 3, [0; 3], 0)]),
            Op::Read(B, 2),
            Op::Apply(B, 1),
            Op::Read(A, 1),
            client(B, &[insert(0, 1, [0; 3], 0)]),
        ],
    );
}

#[test]
fn a_row_that_was_inserted_anew_where_another_moved_away() {
    holds(
        shape(Policy::LastWriteWins),
        vec![
            client(B, &[insert(0, 3, [0; 3], 0)]),
            client(B, &[go(3, 2)]),
            client(B, &[insert(0, 3, [0; 3], 0)]),
            client(A, &[insert(0, 2, [0; 3], 0)]),
            Op::Apply(A, 3),
            Op::Read(A, 3),
            Op::Read(A, 1),
            Op::Read(B, 2),
        ],
    );
}

#[test]
fn a_later_update_is_part_of_the_verdict() {
    holds(
        shape(Policy::FirstWriteWins),
        vec![
            client(A, &[insert(0, 2, [0; 3], 0)]),
            client(B, &[insert(0, 2, [0; 3], 0)]),
            Op::Apply(A, 1),
            Op::Apply(B, 1),
            Op::Read(A, 2),
            Op::Read(B, 2),
            client(A, &[update(2)]),
            Op::Apply(B, 1),
            Op::Judge(7),
            Op::Kill(2),
        ],
    );
}

#[test]
fn what_was_judged_together_is_read_again_together() {
    holds(
        shape(Policy::LastWriteWins),
        vec![
            client(B, &[insert(0, 2, [0; 3], 0)]),
            client(A, &[insert(0, 2, [0; 3], 0)]),
            Op::Apply(B, 1),
            client(B, &[update(2)]),
            Op::Read(B, 3),
            client(B, &[update(2)]),
            Op::Apply(A, 3),
            Op::Read(A, 3),
            Op::Judge(5),
            Op::Kill(0),
        ],
    );
}

#[test]
fn a_parent_whose_key_another_row_takes_over() {
    holds(
        Shape {
            secondary: vec![vec![1]],
            child_of: Some(1),
            ..shape(Policy::LastWriteWins)
        },
        vec![
            client(B, &[insert(0, 3, [2, 0, 0], 0)]),
            Op::Apply(A, 1),
            client(A, &[insert(0, 2, [0; 3], 0)]),
            client(B, &[insert(1, 1, [0; 3], 2), go(3, 2)]),
        ],
    );
}

#[test]
fn a_child_and_its_parent_deleted_unseen() {
    holds(
        Shape {
            child_of: Some(0),
            ..shape(Policy::LastWriteWins)
        },
        vec![
            client(B, &[insert(0, 4, [0; 3], 0), insert(1, 1, [0; 3], 4)]),
            client(A, &[insert(1, 1, [0; 3], 0)]),
            Op::Apply(A, 1),
            Op::Apply(B, 1),
            client(A, &[delete(1, 1)]),
            client(B, &[delete(0, 4)]),
        ],
    );
}

#[test]
fn a_child_of_the_row_that_loses_a_unique_key() {
    holds(
        Shape {
            secondary: vec![vec![2]],
            child_of: Some(0),
            ..shape(Policy::FirstWriteWins)
        },
        vec![
            client(A, &[insert(0, 1, [0, 3, 0], 0)]),
            client(B, &[insert(0, 3, [0, 3, 0], 0)]),
            Op::Apply(A, 1),
            client(A, &[update(3)]),
            Op::Apply(B, 2),
            Op::Read(A, 3),
            Op::Read(B, 3),
            client(A, &[insert(1, 1, [0; 3], 3)]),
        ],
    );
}

#[test]
fn an_applier_that_leaves_a_child_without_its_parent() {
    holds(
        Shape {
            secondary: vec![vec![2]],
            child_of: Some(0),
            ..shape(Policy::Prefer(A))
        },
        vec![
            client(B, &[insert(0, 2, [0; 3], 0), insert(1, 1, [0; 3], 2)]),
            client(B, &[insert(0, 4, [0, 3, 0], 0), insert(1, 2, [0; 3], 4)]),
            client(A, &[insert(0, 2, [0, 3, 0], 0)]),
        ],
    );
}

#[test]
fn a_row_inserted_where_a_rejected_move_had_made_room() {
    holds(
        Shape {
            secondary: vec![vec![1]],
            child_of: Some(1),
            skew: [0, 2],
            ..shape(Policy::FirstWriteWins)
        },
        vec![
            client(A, &[insert(0, 2, [3, 0, 0], 0)]),
            Op::Apply(B, 1),
            client(B, &[go(2, 1)]),
            client(A, &[add(2, -1), insert(1, 1, [0; 3], 3)]),
            Op::Apply(A, 1),
            client(A, &[insert(0, 2, [0; 3], 0)]),
        ],
    );
}

#[test]
fn a_checkpoint_with_a_part_of_what_was_judged_together() {
    holds(
        shape(Policy::LastWriteWins),
        vec![
            client(B, &[insert(0, 2, [0; 3], 0)]),
            client(A, &[insert(0, 2, [0; 3], 0)]),
            Op::Apply(B, 1),
            client(B, &[delete(0, 2)]),
            Op::Read(B, 1),
            Op::Apply(A, 2),
            Op::Read(B, 2),
            Op::Read(A, 3),
            Op::Judge(3),
            Op::Kill(2),
        ],
    );
}

#[test]
fn a_row_inserted_after_its_end_which_would_not_stand() {
    holds(
        shape(Policy::LastWriteWins),
        vec![
            client(A, &[insert(0, 2, [0; 3], 0)]),
            Op::Apply(B, 1),
            client(B, &[delete(0, 2)]),
            client(A, &[update(2)]),
            Op::Apply(A, 1),
            client(A, &[insert(0, 2, [0; 3], 0)]),
            Op::Apply(B, 3),
            client(B, &[delete(0, 2)]),
            client(A, &[update(2)]),
        ],
    );
}

#[test]
fn a_later_end_is_no_part_of_an_earlier_one() {
    holds(
        shape(Policy::LastWriteWins),
        vec![
            client(B, &[insert(0, 1, [0; 3], 0)]),
            client(B, &[update(1)]),
            Op::Apply(A, 1),
            client(A, &[delete(0, 1)]),
            Op::Apply(B, 1),
            client(B, &[insert(0, 1, [0; 3], 0)]),
            Op::Apply(A, 2),
            client(A, &[delete(0, 1)]),
            client(B, &[update(1)]),
        ],
    );
}

#[test]
fn two_rows_of_the_same_transactions_of_which_one_was_repaired() {
    holds(
        Shape {
            secondary: vec![vec![2]],
            ..shape(Policy::Merge {
                counters: vec![COUNTER],
            })
        },
        vec![
            client(B, &[insert(0, 2, [0, 1, 0], 0), insert(0, 4, [0; 3], 0)]),
            client(A, &[insert(0, 2, [0; 3], 0), insert(0, 4, [0, 2, 0], 0)]),
            client(B, &[delete(0, 2)]),
            Op::Apply(A, 2),
            Op::Apply(B, 1),
            Op::Read(B, 3),
            Op::Read(A, 3),
            Op::Judge(1),
            client(A, &[set_keys(4, [0, 1, 0])]),
        ],
    );
}
