//! Order: what is a conflict and what is not, whichever log is read first.

use twinlog_binlog::Xa;

use super::kit::{A, B, Flavour, Kit, delete, insert, update};
use crate::{Limits, Policy, Side, Verdict};

const LAST: Policy = Policy::LastWriteWins;

fn count(log: &mut Kit, side: Side, tx: &str, from: i32) {
    log.log(side, tx, [update("t", &[1, 1, from], &[1, 1, from + 1])]);
}

#[test]
fn a_hot_key_of_one_side_is_silent_and_retires_while_it_is_written() {
    let mut kit = Kit::new();
    for at in 1..=500 {
        count(&mut kit, A, &format!("a{at}"), at);
        if at > 5 {
            count(&mut kit, B, &format!("a{}", at - 5), at - 5);
            assert_eq!(kit.retired.len(), at as usize - 5);
        }
    }
    assert_eq!(kit.tracker.load().transactions, 5);
    assert!(kit.said.is_empty());
}

#[test]
fn writes_that_had_seen_each_other_are_no_conflict() {
    let mut kit = Kit::new();
    // The copies are read before the originals.
    count(&mut kit, B, "a1", 0);
    count(&mut kit, B, "b1", 1);
    count(&mut kit, B, "a2", 2);
    for (at, tx) in ["a1", "b1", "a2"].into_iter().enumerate() {
        count(&mut kit, A, tx, at as i32);
    }
    kit.assert_silent();
}

#[test]
fn a_hot_key_of_both_sides_is_judged_with_all_that_is_known_of_it() {
    let mut kit = Kit::new();
    let v = |from: i32, to: i32| update("t", &[1, 1, from], &[1, 1, to]);
    kit.log(A, "a1", [v(0, 10)]);
    kit.log(B, "b2", [v(0, 20)]);
    kit.log(A, "b2", [v(10, 20)]);
    kit.log(A, "a3", [v(20, 30)]);
    kit.log(B, "a1", [v(20, 10)]);
    // a3 had seen both, but what A holds is a3's: without it nothing could be repaired.
    assert!(kit.said.is_empty());
    kit.log(B, "b4", [v(10, 40)]);
    kit.log(B, "a3", [v(40, 30)]);
    assert!(kit.said.is_empty());
    kit.log(A, "b4", [v(30, 40)]);
    let told = kit.told();
    assert!(
        told.starts_with("conflicts a1|b2 a3|b4\nt 1: 1,1,0 -> 1,1,40 | 1,1,30\n"),
        "{told}"
    );
    kit.assert_empty();
}

#[test]
fn a_key_that_is_never_quiet_is_judged_at_some_time() {
    let mut kit = Kit::new();
    let v = |from: i32, to: i32| update("t", &[1, 1, from], &[1, 1, to]);
    kit.log(A, "a1", [v(0, 1)]);
    kit.log(B, "b2", [v(0, 2)]);
    kit.log(A, "b2", [v(1, 2)]);
    kit.log(B, "a1", [v(2, 1)]);
    kit.said.clear();
    kit.log(A, "a3", [v(2, 3)]);
    kit.log(B, "b4", [v(1, 4)]);
    kit.log(A, "b4", [v(3, 4)]);
    let names: Vec<String> = (5..200).map(|at| format!("a{at}")).collect();
    // Each is in A's log before the one before it is in B's.
    kit.log(A, &names[0], [v(4, 5)]);
    kit.log(B, "a3", [v(4, 3)]);
    for at in 1..names.len() {
        let value = 4 + at as i32;
        kit.log(A, &names[at], [v(value, value + 1)]);
        kit.log(B, &names[at - 1], [v(value - 1, value)]);
    }
    assert_eq!(kit.episodes().len(), 1);
    kit.log(B, names.last().unwrap(), [v(198, 199)]);
    kit.assert_empty();
}

#[test]
fn a_key_that_both_sides_write_without_pause_is_bounded_and_told() {
    let mut kit = Kit::new();
    let v = |from: i32, to: i32| update("t", &[1, 1, from], &[1, 1, to]);
    // Every write is met by one of the other side before it arrives there: no moment is quiet.
    for at in 1..=2_100 {
        kit.log(A, &format!("a{at}"), [v(0, at)]);
        kit.log(B, &format!("b{at}"), [v(0, -1 - at)]);
        if at > 1 {
            kit.log(A, &format!("b{}", at - 1), [v(0, -at)]);
            kit.log(B, &format!("a{}", at - 1), [v(0, at - 1)]);
        }
    }
    // Nothing was said while it went on, nor can all of it be judged.
    assert!(kit.said.is_empty());
    kit.log(A, "b2100", [v(0, -2101)]);
    kit.log(B, "a2100", [v(0, 2100)]);
    kit.assert_empty();
    let verify = |said: &Verdict| matches!(said, Verdict::ToVerify { .. });
    assert!(
        !kit.said.is_empty() && kit.said.iter().all(verify),
        "{:#?}",
        kit.said
    );
}

#[test]
fn chains_of_both_sides_stand_or_fall_as_a_whole() {
    let mut kit = Kit::new();
    let v = |from: i32, to: i32| update("t", &[1, 1, from], &[1, 1, to]);
    kit.log(A, "a1", [v(0, 1)]);
    kit.log(A, "a4", [v(1, 4)]);
    kit.log(B, "b2", [v(0, 2)]);
    kit.log(B, "b3", [v(2, 3)]);
    kit.log(A, "b2", [v(4, 2)]);
    kit.log(A, "b3", [v(2, 3)]);
    kit.log(B, "a1", [v(3, 1)]);
    kit.log(B, "a4", [v(1, 4)]);
    // Only what was overwritten unseen is told as a pair.
    assert!(
        kit.told().starts_with("conflicts a1|b3 a4|b2\n"),
        "{}",
        kit.told()
    );
    assert!(
        kit.decided(&LAST)
            .starts_with("1,1,4: the later commit: a, 1000 ms")
    );
    assert!(kit.decided(&Policy::FirstWriteWins).starts_with("1,1,4: "));
    assert!(kit.decided(&Policy::Prefer(B)).starts_with("1,1,3: "));
    kit.assert_empty();
}

#[test]
fn the_order_in_which_the_logs_are_read_does_not_change_what_is_found() {
    let v = |from: i32, to: i32| update("t", &[1, 1, from], &[1, 1, to]);
    let logs = [
        [
            ("a1", v(0, 1)),
            ("b2", v(1, 2)),
            ("a3", v(2, 3)),
            ("b4", v(3, 4)),
        ],
        [
            ("b2", v(0, 2)),
            ("a1", v(2, 1)),
            ("b4", v(1, 4)),
            ("a3", v(4, 3)),
        ],
    ];
    let mut all = std::collections::BTreeSet::new();
    // Every way to read two logs of four transactions in turns.
    for turns in (0_u32..256).filter(|turns| turns.count_ones() == 4) {
        let mut kit = Kit::new();
        let mut next = [0, 0];
        for turn in 0..8 {
            let side = if turns >> turn & 1 == 0 { A } else { B };
            let (tx, change) = logs[side.index()][next[side.index()]].clone();
            next[side.index()] += 1;
            kit.log(side, tx, [change]);
        }
        kit.assert_empty();
        // What is read late comes as a verdict of its own, or belongs to the one before.
        let conflicts = kit.episodes().into_iter().flat_map(|it| &it.conflicts);
        let found: Vec<_> = conflicts
            .map(|it| it.gtids.each_ref().map(super::kit::text))
            .collect();
        let last = super::kit::tell(kit.episodes().last().unwrap());
        let held = last.lines().nth(1).unwrap().split(" -> ").nth(1);
        all.insert((found, held.map(str::to_owned)));
    }
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(all.first().unwrap().0.len(), 2);
}

#[test]
fn a_repair_yields_to_what_a_client_wrote_meanwhile() {
    let mut kit = Kit::new();
    kit.repair(A, "a9", "b2", [update("t", &[1, 1, 5], &[1, 1, 20])]);
    kit.log(B, "b3", [update("t", &[1, 1, 20], &[1, 1, 30])]);
    kit.log(A, "b3", [update("t", &[1, 1, 20], &[1, 1, 30])]);
    kit.log(B, "a9", [update("t", &[1, 1, 30], &[1, 1, 20])]);
    let told = kit.told();
    assert!(
        told.contains("a9: 1,1,5 -> 1,1,20 repair of B against [1]"),
        "{told}"
    );
    assert_eq!(
        kit.decided(&LAST),
        "1,1,30: a client's write on b goes before a repair"
    );
    assert!(kit.decided(&Policy::Prefer(A)).starts_with("1,1,30: "));
    kit.assert_empty();
}

#[test]
fn a_transaction_that_mariadb_did_not_log_is_passed_by_the_next_of_its_domain() {
    let mut kit = Kit::with(Flavour::MariaDb, Limits::default());
    kit.log(A, "a1", [delete("t", &[3, 3, 3])]);
    kit.log(B, "b2", [delete("t", &[3, 3, 3])]);
    kit.log(B, "b3", [insert("t", &[8, 8, 8])]);
    kit.log(A, "b3", [insert("t", &[8, 8, 8])]);
    assert!(kit.said.is_empty());
    kit.log(A, "a2", [insert("t", &[7, 7, 7])]);
    kit.log(B, "a2", [insert("t", &[7, 7, 7])]);
    assert!(
        kit.told()
            .starts_with("conflicts a1|b2\nt 3: 3,3,3 -> gone | gone")
    );
    kit.assert_empty();
}

#[test]
fn a_log_that_is_read_ahead_shows_what_was_passed_before_the_original_is_seen() {
    let mut kit = Kit::with(Flavour::MariaDb, Limits::default());
    kit.log(A, "a1", [delete("t", &[3, 3, 3])]);
    kit.log(A, "b3", [insert("t", &[8, 8, 8])]);
    kit.log(A, "a2", [insert("t", &[3, 3, 4])]);
    kit.log(B, "b2", [delete("t", &[3, 3, 3])]);
    kit.log(B, "b3", [insert("t", &[8, 8, 8])]);
    kit.passed(B, "a1");
    // a2 came after the place where b2 was passed: only a1 had not seen it.
    kit.log(B, "a2", [insert("t", &[3, 3, 4])]);
    let told = kit.told();
    assert!(told.starts_with("conflicts a1|b2\n"), "{told}");
    assert!(told.contains("a2: none -> 3,3,4 against []"), "{told}");
    kit.assert_empty();
}

#[test]
fn a_node_that_says_what_it_executed_settles_what_its_log_lacks() {
    let mut kit = Kit::with(Flavour::MariaDb, Limits::default());
    kit.log(A, "a1", [update("t", &[1, 1, 1], &[1, 1, 2])]);
    kit.log(B, "b2", [update("t", &[1, 1, 1], &[1, 1, 2])]);
    kit.passed(A, "b2");
    kit.passed(B, "a1");
    assert!(
        kit.told()
            .starts_with("conflicts a1|b2\nt 1: 1,1,1 -> 1,1,2 | 1,1,2")
    );
    kit.assert_empty();
}

#[test]
fn what_a_restart_sees_again_gives_the_same_verdicts() {
    let run = |from: usize| {
        let mut kit = Kit::new();
        let v = |from: i32, to: i32| update("t", &[1, 1, from], &[1, 1, to]);
        let logs = [
            [
                ("a1", v(0, 1)),
                ("a2", v(1, 2)),
                ("b3", v(2, 3)),
                ("a4", v(3, 4)),
            ],
            [
                ("a1", v(0, 1)),
                ("b3", v(1, 3)),
                ("a2", v(3, 2)),
                ("a4", v(2, 4)),
            ],
        ];
        for side in Side::BOTH {
            for (tx, change) in &logs[side.index()][from..] {
                kit.log(side, tx, [change.clone()]);
            }
        }
        kit.assert_empty();
        kit.told()
    };
    assert_eq!(run(0), run(1));
    assert!(run(0).starts_with("conflicts a2|b3\nt 1: 1,1,1 -> 1,1,4 | 1,1,4"));
}

#[test]
fn what_is_prepared_counts_where_it_is_committed() {
    let mut kit = Kit::new();
    let xid = || bytes::Bytes::from_static(b"X'31',X'',1");
    let own = || update("t", &[1, 1, 0], &[1, 1, 1]);
    kit.xa(A, "a1", Xa::Prepare(xid()), vec![own()]);
    kit.xa(B, "a1", Xa::Prepare(xid()), vec![own()]);
    // Both nodes have the PREPARE, but a start from a checkpoint must see it again.
    assert!(kit.retired.is_empty());
    kit.log(B, "b2", [insert("t", &[2, 2, 2])]);
    kit.log(A, "b2", [insert("t", &[2, 2, 2])]);
    kit.xa(A, "a3", Xa::Commit(xid()), vec![]);
    kit.log(A, "a4", [update("t", &[1, 1, 1], &[1, 1, 9])]);
    kit.xa(B, "a3", Xa::Commit(xid()), vec![]);
    kit.log(B, "a4", [update("t", &[1, 1, 1], &[1, 1, 9])]);
    assert_eq!(kit.retired, ["b2", "a1", "a3", "a4"]);
    kit.assert_silent();
}

/// A checkpoint of MariaDB's is a position: what comes between a PREPARE and its end waits for both.
#[test]
fn what_is_prepared_on_mariadb_goes_with_its_end() {
    for end in [Xa::Commit, Xa::Rollback] {
        let mut kit = Kit::with(Flavour::MariaDb, Limits::default());
        let xid = || bytes::Bytes::from_static(b"X'31',X'',1");
        for log in [A, B] {
            kit.xa(
                log,
                "a1",
                Xa::Prepare(xid()),
                vec![update("t", &[1, 1, 0], &[1, 1, 1])],
            );
            kit.log(log, "a2", [insert("t", &[2, 2, 2])]);
        }
        assert!(kit.retired.is_empty());
        for log in [A, B] {
            kit.xa(log, "a3", end(xid()), vec![]);
        }
        assert_eq!(kit.retired, ["a1", "a2", "a3"]);
        kit.log(A, "a4", [insert("t", &[3, 3, 3])]);
        kit.log(B, "a4", [insert("t", &[3, 3, 3])]);
        assert_eq!(kit.retired.len(), 4);
        kit.assert_silent();
    }
}

#[test]
fn a_prepared_write_against_another_is_a_conflict_of_its_commit() {
    let mut kit = Kit::new();
    let xid = || bytes::Bytes::from_static(b"X'31',X'',1");
    kit.xa(
        A,
        "a1",
        Xa::Prepare(xid()),
        vec![update("t", &[1, 1, 0], &[1, 1, 1])],
    );
    kit.log(B, "b2", [update("t", &[1, 1, 0], &[1, 1, 2])]);
    kit.xa(
        B,
        "a1",
        Xa::Prepare(xid()),
        vec![update("t", &[1, 1, 2], &[1, 1, 1])],
    );
    kit.xa(A, "a3", Xa::Commit(xid()), vec![]);
    kit.log(A, "b2", [update("t", &[1, 1, 1], &[1, 1, 2])]);
    kit.xa(B, "a3", Xa::Commit(xid()), vec![]);
    assert!(
        kit.told().starts_with("conflicts a3|b2\n"),
        "{}",
        kit.told()
    );
    kit.assert_empty();
}

#[test]
fn what_is_rolled_back_after_its_prepare_never_was() {
    let mut kit = Kit::new();
    let xid = || bytes::Bytes::from_static(b"X'31',X'',1");
    for log in [A, B] {
        kit.xa(log, "a1", Xa::Prepare(xid()), vec![insert("t", &[1, 1, 1])]);
        kit.xa(log, "a2", Xa::Rollback(xid()), vec![]);
    }
    kit.assert_silent();
    assert_eq!(kit.retired, ["a1", "a2"]);
}

#[test]
fn a_transaction_that_comes_again_after_a_reconnect_is_ignored() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [insert("t", &[1, 1, 1])]);
    kit.log(A, "a1", [insert("t", &[1, 1, 1])]);
    kit.log(B, "a1", [insert("t", &[1, 1, 1])]);
    kit.assert_silent();
}
