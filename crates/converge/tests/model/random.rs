//! Random cases.

use proptest::{collection::vec, prelude::*, sample::select};
use twinlog_converge::{Policy, Side};

use crate::{
    case::{Case, FOLD_FROM, Op, Shape},
    node::{Do, Set},
    pair::Flavour,
    schema::COUNTER,
};

/// Primary keys, and values of unique columns, are few: they shall meet.
const IDS: u8 = 4;
const KEY_VALUES: u8 = 3;

fn side() -> impl Strategy<Value = Side> {
    select(&Side::BOTH[..])
}

fn flavour() -> impl Strategy<Value = Flavour> {
    select(&[Flavour::MySql, Flavour::MariaDb][..])
}

pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        6 => Just(Policy::LastWriteWins),
        2 => Just(Policy::FirstWriteWins),
        2 => side().prop_map(Policy::Prefer),
        3 => Just(Policy::Merge { counters: vec![COUNTER] }),
        1 => Just(Policy::Manual),
    ]
}

/// Runs as short as there are here are folded in some cases, as thousands are in life.
fn fold_from() -> impl Strategy<Value = usize> {
    select(&[FOLD_FROM, 1][..])
}

fn shape() -> impl Strategy<Value = Shape> {
    let key = select(vec![vec![1], vec![2], vec![3], vec![1, 2], vec![2, 3]]);
    let secondary = vec(key, 0..=3).prop_map(|mut keys| {
        keys.sort();
        keys.dedup();
        keys
    });
    let child_of = prop_oneof![2 => Just(None), 1 => Just(Some(0)), 1 => Just(Some(1))];
    let skew = prop_oneof![3 => Just([0, 0]), 1 => (0..3_000_000_u64, 0..3_000_000_u64).prop_map(|(a, b)| [a, b])];
    (flavour(), policy(), secondary, child_of, skew, fold_from()).prop_map(
        |(flavour, policy, secondary, child_of, skew, fold_from)| Shape {
            flavour,
            policy,
            secondary,
            child_of,
            skew,
            fold_from,
        },
    )
}

fn statement() -> impl Strategy<Value = Do> {
    let keys = || [0..=KEY_VALUES, 0..=KEY_VALUES, 0..=KEY_VALUES];
    let set = (
        any::<[bool; 2]>(),
        any::<[bool; 3]>(),
        any::<bool>(),
        -3..=3_i8,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(values, keys, parent, counter, plain)| Set {
            values,
            keys,
            parent,
            counter,
            plain,
        });
    let values = (any::<bool>(), -3..=3_i8).prop_map(|(first, counter)| Set {
        values: [first, !first],
        counter,
        ..Set::default()
    });
    prop_oneof![
        4 => (0..2_u8, 1..=IDS, keys(), 0..=IDS, prop::bool::weighted(0.1))
            .prop_map(|(table, id, keys, parent, plain)| Do::Insert { table, id, keys, parent, plain }),
        3 => (0..2_u8, 1..=IDS, values)
            .prop_map(|(table, id, set)| Do::Update { table, id, set, keys: [0; 3], parent: 0 }),
        3 => (0..2_u8, 1..=IDS, set, keys(), 0..=IDS)
            .prop_map(|(table, id, set, keys, parent)| Do::Update { table, id, set, keys, parent }),
        1 => (0..2_u8, 1..=IDS, 1..=IDS).prop_map(|(table, id, to)| Do::Move { table, id, to }),
        2 => (0..2_u8, 1..=IDS).prop_map(|(table, id)| Do::Delete { table, id }),
    ]
}

fn op(statement: impl Strategy<Value = Do>) -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (side(), vec(statement, 1..=4)).prop_map(|(side, all)| Op::Client(side, all)),
        1 => (0..2000_u16).prop_map(Op::Wait),
        1 => (side(), any::<bool>()).prop_map(|(side, on)| Op::Link(side, on)),
        6 => (side(), 1..4_u8).prop_map(|(side, times)| Op::Apply(side, times)),
        6 => (side(), 1..6_u8).prop_map(|(side, times)| Op::Read(side, times)),
        1 => side().prop_map(Op::Ask),
        4 => (1..8_u8).prop_map(Op::Judge),
        1 => (0..6_u8).prop_map(Op::Kill),
    ]
}

/// Anything.
pub(crate) fn case() -> impl Strategy<Value = Case> {
    (shape(), vec(op(statement()), 1..40)).prop_map(|(shape, ops)| Case { shape, ops })
}

/// One table with a primary key only, a row per transaction: where the policies' outcome is simple to say.
pub(crate) fn simple() -> impl Strategy<Value = Case> {
    let set = (any::<bool>(), -3..=3_i8).prop_map(|(first, counter)| Set {
        values: [first, !first],
        counter,
        ..Set::default()
    });
    let statement = prop_oneof![
        2 => (1..=2_u8).prop_map(|id| Do::Insert { table: 0, id, keys: [0; 3], parent: 0, plain: false }),
        4 => (1..=2_u8, set).prop_map(|(id, set)| Do::Update { table: 0, id, set, keys: [0; 3], parent: 0 }),
        1 => (1..=2_u8).prop_map(|id| Do::Delete { table: 0, id }),
    ];
    (fold_from(), vec(op(statement), 1..30)).prop_map(|(fold_from, mut ops)| {
        for op in &mut ops {
            if let Op::Client(_, statements) = op {
                statements.truncate(1);
            }
        }
        let shape = Shape {
            flavour: Flavour::MySql,
            policy: Policy::LastWriteWins,
            secondary: Vec::new(),
            child_of: None,
            skew: [0; 2],
            fold_from,
        };
        Case { shape, ops }
    })
}

/// Rows that are there on both nodes, and clients that only add to their counters.
pub(crate) fn counters() -> impl Strategy<Value = Case> {
    let statement = (1..=2_u8, -3..=3_i8).prop_map(|(id, counter)| {
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
    });
    (flavour(), fold_from(), vec(op(statement), 1..30)).prop_map(|(flavour, fold_from, ops)| {
        let insert = |id| Do::Insert {
            table: 0,
            id,
            keys: [0; 3],
            parent: 0,
            plain: false,
        };
        let mut all = vec![
            Op::Client(Side::A, vec![insert(1), insert(2)]),
            Op::Apply(Side::B, 1),
        ];
        all.extend(ops);
        let shape = Shape {
            flavour,
            policy: Policy::Merge {
                counters: vec![COUNTER],
            },
            secondary: Vec::new(),
            child_of: None,
            skew: [0; 2],
            fold_from,
        };
        Case { shape, ops: all }
    })
}
