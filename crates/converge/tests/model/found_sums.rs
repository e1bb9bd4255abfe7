//! Cases in which a counter's sum was wrong once, or repaired for ever, shrunk.

use twinlog_converge::{
    Policy,
    Side::{A, B},
};

use crate::{
    case::{self, Case, Op},
    found::{add, client, insert, shape},
    schema::COUNTER,
};

fn sums(ops: Vec<Op>) {
    let policy = Policy::Merge {
        counters: vec![COUNTER],
    };
    let case = Case {
        shape: shape(policy),
        ops,
    };
    let run = case::run(&case);
    let ended = run.and_then(|run| case::sums(&run));
    if let Err(violation) = ended {
        panic!("{violation}");
    }
}

/// Two rows that both nodes hold, and additions on both sides unseen.
fn counters() -> Vec<Op> {
    vec![
        client(A, &[insert(0, 1, [0; 3], 0), insert(0, 2, [0; 3], 0)]),
        Op::Apply(B, 1),
    ]
}

#[test]
fn an_addition_that_makes_a_counter_by_chance_what_a_merge_wants() {
    let mut ops = counters();
    ops.extend([
        client(A, &[add(1, 1)]),
        client(B, &[add(1, -1)]),
        Op::Apply(A, 1),
        Op::Apply(B, 1),
        Op::Read(A, 3),
        Op::Read(B, 3),
        client(B, &[add(1, -1)]),
    ]);
    sums(ops);
}

#[test]
fn additions_that_race_the_repairs_of_both_nodes() {
    let mut ops = counters();
    ops.extend([
        client(B, &[add(1, -1)]),
        client(A, &[add(1, 1)]),
        Op::Apply(B, 1),
        Op::Apply(A, 1),
        Op::Read(B, 3),
        Op::Read(A, 3),
        Op::Judge(3),
        client(A, &[add(1, -1)]),
        client(B, &[add(1, 1)]),
    ]);
    sums(ops);
}

#[test]
fn additions_between_verdict_and_repair_that_leave_the_counter_as_it_was() {
    let mut ops = counters();
    ops.extend([
        client(B, &[add(2, 1)]),
        Op::Read(B, 1),
        client(A, &[add(2, 3)]),
        Op::Apply(A, 1),
        Op::Apply(B, 1),
        Op::Read(B, 2),
        Op::Read(A, 3),
        client(A, &[add(2, -1)]),
        Op::Apply(B, 1),
        client(B, &[add(2, 3)]),
    ]);
    sums(ops);
}

#[test]
fn an_addition_of_which_the_copy_is_empty() {
    let mut ops = counters();
    ops.extend([
        client(A, &[add(2, -1)]),
        client(B, &[add(2, -2)]),
        Op::Apply(A, 1),
        Op::Read(A, 3),
        client(A, &[add(2, 1)]),
        Op::Apply(B, 2),
        Op::Read(B, 4),
    ]);
    sums(ops);
}

#[test]
fn an_addition_that_puts_the_counter_back_on_the_node_of_the_repair() {
    sums(vec![
        client(A, &[insert(0, 1, [0; 3], 0)]),
        Op::Apply(B, 1),
        client(B, &[add(1, -1)]),
        client(A, &[add(1, 5)]),
        Op::Apply(B, 1),
        Op::Apply(A, 1),
        Op::Read(A, 3),
        Op::Read(B, 3),
        // Its copy is 5 → 2 → 5: the repair on B finds what was judged.
        client(A, &[add(1, 3), add(1, 3)]),
        Op::Apply(B, 1),
        Op::Judge(1),
        Op::Apply(A, 1),
        Op::Judge(2),
    ]);
}
