//! Cases that broke a promise once, shrunk.

use twinlog_converge::{
    Policy,
    Side::{A, B},
};

use crate::{
    case::{self, Case, Op, Shape},
    node::{Do, Set},
    pair::Flavour,
    schema::COUNTER,
};

fn shape(policy: Policy) -> Shape {
    Shape {
        flavour: Flavour::MySql,
        policy,
        secondary: Vec::new(),
        child_of: None,
        skew: [0; 2],
    }
}

fn insert(table: u8, id: u8, keys: [u8; 3], parent: u8) -> Do {
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

fn add(id: u8, counter: i8) -> Do {
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

fn client(side: twinlog_converge::Side, statements: &[Do]) -> Op {
    Op::Client(side, statements.to_vec())
}

fn holds(shape: Shape, ops: Vec<Op>) {
    let case = Case { shape, ops };
    if let Err(violation) = case::run(&case) {
        panic!("{violation}");
    }
}

fn sums(ops: Vec<Op>) {
    let policy = Policy::Merge {
        counters: vec![COUNTER],
    };
    let case = Case {
        shape: shape(policy),
        ops,
    };
    let run = case::run(&case);
    let ended = run.and_then(|run| case::sums(&run).map_err(|it| format!("{it}\n{}", run.pair)));
    if let Err(violation) = ended {
        panic!("{violation}");
    }
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
