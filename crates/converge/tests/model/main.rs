//! Tracker and policies against a model of two nodes with asynchronous links and idempotent applying.
//!
//! The model knows what every client's write had seen, and so what must come out: equal tables, nothing lost, no false
//! alarm, no repair without cause. `TWINLOG_MODEL_CASES` says how many random cases there are; a case that breaks a
//! promise is shrunk and printed.

#![allow(
    clippy::print_stdout,
    reason = "the counts show that the model gets everywhere"
)]

mod agent;
mod case;
mod checkpoint;
mod desk;
mod exhaustive;
mod found;
mod found_sums;
mod history;
mod node;
mod pair;
mod random;
mod repair;
mod schema;
mod wire;

use std::{
    cell::RefCell,
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, TestCaseError, TestError, TestRunner},
};

use crate::{
    agent::Counts,
    case::{Case, Run},
    exhaustive::Reads,
    pair::Flavour,
};

/// As many as the menu has.
const ALL_KINDS: usize = 7;

/// Runs `share` percent of the cases that were asked for.
fn check(
    share: u32,
    strategy: impl Strategy<Value = Case>,
    also: impl Fn(&Run) -> Result<(), String>,
) {
    let asked = std::env::var("TWINLOG_MODEL_CASES")
        .ok()
        .and_then(|text| text.parse().ok());
    let cases = asked.unwrap_or(4000_u32) / 100 * share;
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200_000,
        ..Config::default()
    };
    let counts = RefCell::new(Counts::default());
    let result = TestRunner::new(config).run(&strategy, |case| {
        let run = case::run(&case).map_err(TestCaseError::fail)?;
        also(&run).map_err(TestCaseError::fail)?;
        *counts.borrow_mut() += run.agent.counts;
        Ok(())
    });
    println!("{cases} cases, {:?}", counts.borrow());
    if let Err(TestError::Fail(reason, case)) = &result {
        println!("{reason}\n{:?}", case.shape);
        for op in &case.ops {
            println!("  {op:?}");
        }
    }
    assert!(result.is_ok(), "a promise was not kept, see above");
}

#[test]
fn the_promises_hold_in_any_case() {
    check(70, random::case(), |_| Ok(()));
}

#[test]
fn the_latest_commit_wins_where_one_row_is_all() {
    check(20, random::simple(), |_| Ok(()));
}

#[test]
fn counters_keep_every_addition() {
    check(10, random::counters(), case::sums);
}

/// Goes through all interleavings of all pairs of scripts of so many transactions, every `stride`th pair of them. The
/// scripts are made of the first `kinds` transactions of the menu.
fn interleavings(lengths: [usize; 2], kinds: usize, reads: Reads, stride: usize) {
    let scripts = |length: usize| {
        let mut scripts: Vec<exhaustive::Script> = vec![Vec::new()];
        for _ in 0..length {
            let longer = scripts.iter().flat_map(|script| {
                exhaustive::menu()
                    .into_iter()
                    .take(kinds)
                    .map(|transaction| script.iter().cloned().chain([transaction]).collect())
            });
            scripts = longer.collect();
        }
        scripts
    };
    let (of_a, of_b) = (scripts(lengths[0]), scripts(lengths[1]));
    let next = AtomicUsize::new(0);
    let (searches, moments) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let search = || {
        loop {
            let at = next.fetch_add(stride, Ordering::Relaxed);
            if at >= of_a.len() * of_b.len() {
                return;
            }
            let pair = [&of_a[at / of_b.len()], &of_b[at % of_b.len()]];
            for flavour in [Flavour::MySql, Flavour::MariaDb] {
                let (shape, setup) = exhaustive::shape(flavour);
                match exhaustive::explore(&shape, &setup, pair, reads) {
                    Ok(count) => moments.fetch_add(count, Ordering::Relaxed),
                    Err(violation) => panic!("{flavour:?}, {pair:?}: {violation}"),
                };
                searches.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(search);
        }
    });
    println!(
        "{lengths:?} transactions of {kinds} kinds, read {reads:?}: {searches:?} searches, {moments:?} moments"
    );
}

/// `TWINLOG_MODEL_CASES` asks for the long run.
fn is_long() -> bool {
    std::env::var_os("TWINLOG_MODEL_CASES").is_some()
}

#[test]
fn every_interleaving_of_one_transaction_a_side() {
    interleavings([1, 1], ALL_KINDS, Reads::AtAnyTime, 1);
}

#[test]
fn every_interleaving_of_up_to_three_transactions_a_side() {
    if is_long() {
        interleavings([2, 1], ALL_KINDS, Reads::AtAnyTime, 1);
        interleavings([1, 2], ALL_KINDS, Reads::AtAnyTime, 1);
        interleavings([2, 2], ALL_KINDS, Reads::AtOnce, 1);
        interleavings([3, 3], 3, Reads::AtOnce, 1);
    } else {
        interleavings([2, 1], ALL_KINDS, Reads::AtAnyTime, 31);
        interleavings([3, 3], 3, Reads::AtOnce, 499);
    }
}
