//! Between a verdict and its repair: what is written then is judged with it.

use super::kit::{A, B, Kit, decide_by, insert, tell, tell_decision, update};
use crate::{Policy, Tracker};

fn v(from: i32, to: i32) -> twinlog_binlog::Change {
    update("t", &[1, 1, from], &[1, 1, to])
}

fn counter() -> Policy {
    Policy::Merge { counters: vec![2] }
}

fn keeping() -> Kit {
    let mut kit = Kit::new();
    let tracker = std::mem::replace(&mut kit.tracker, Tracker::new(crate::Limits::default()));
    kit.tracker = tracker.keeping();
    kit
}

/// A adds 1, B adds 2, neither having seen the other: A holds 12, B holds 11.
fn swapped() -> Kit {
    let mut kit = keeping();
    kit.log(A, "a1", [v(10, 11)]);
    kit.log(B, "b1", [v(10, 12)]);
    kit.log(A, "b1", [v(11, 12)]);
    kit.log(B, "a1", [v(12, 11)]);
    assert_eq!(kit.episodes().len(), 1);
    assert!(kit.retired.is_empty());
    kit
}

#[test]
fn a_later_addition_is_merged_with_those_that_wait_for_their_repair() {
    let mut kit = swapped();
    assert!(
        kit.decided(&counter()).contains("1,1,13"),
        "{}",
        kit.decided(&counter())
    );
    kit.log(A, "a2", [v(12, 15)]);
    assert!(kit.tracker.is_kept(1));
    kit.log(B, "a2", [v(11, 15)]);
    let episodes = kit.episodes();
    let [_, last] = episodes[..] else {
        panic!("{} episodes", episodes.len())
    };
    let told = tell_decision(&decide_by(last, &counter()));
    assert!(told.contains("1,1,16"), "{told}\n{}", tell(last));
    assert_eq!(kit.tracker.replaced_by(2), [1]);
    assert!(!kit.tracker.is_kept(1) && kit.tracker.is_kept(2));
}

#[test]
fn what_is_resolved_is_let_go_and_later_writes_are_ordinary() {
    let mut kit = swapped();
    kit.tracker.resolved(1);
    kit.repair(A, "a2", "b1", [v(12, 13)]);
    kit.repair(B, "a2", "b1", [v(11, 13)]);
    let said = kit.said.len();
    kit.log(B, "b2", [v(13, 14)]);
    kit.log(A, "b2", [v(13, 14)]);
    assert_eq!(kit.said.len(), said);
    for episode in 1..=said as u64 {
        kit.tracker.resolved(episode);
    }
    kit.log(A, "a3", [insert("t", &[2, 2, 0])]);
    kit.log(B, "a3", [insert("t", &[2, 2, 0])]);
    kit.assert_empty();
}

#[test]
fn one_that_is_replaced_cannot_be_resolved_any_more() {
    let mut kit = swapped();
    kit.log(A, "a2", [v(12, 15)]);
    kit.log(B, "a2", [v(11, 15)]);
    kit.tracker.resolved(1);
    assert!(kit.retired.is_empty() && kit.tracker.is_kept(2));
    kit.tracker.resolved(2);
    kit.log(A, "a3", [insert("t", &[2, 2, 0])]);
    kit.log(B, "a3", [insert("t", &[2, 2, 0])]);
    kit.assert_empty();
}

#[test]
fn without_keeping_nothing_stays() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [v(10, 11)]);
    kit.log(B, "b1", [v(10, 12)]);
    kit.log(A, "b1", [v(11, 12)]);
    kit.log(B, "a1", [v(12, 11)]);
    assert_eq!(kit.episodes().len(), 1);
    assert!(!kit.tracker.is_kept(1));
    kit.assert_empty();
}

#[test]
fn a_skipped_write_that_another_covers_is_told_of() {
    let mut kit = Kit::new();
    // B skips a1's insert, and its client, who never saw that row, inserts another.
    kit.log(A, "a1", [insert("t", &[1, 1, 10])]);
    kit.log(B, "a1", []);
    kit.log(B, "b1", [insert("t", &[1, 1, 20])]);
    kit.log(A, "b1", [update("t", &[1, 1, 10], &[1, 1, 20])]);
    let told = kit
        .episodes()
        .iter()
        .map(|episode| tell(episode))
        .collect::<String>();
    assert!(told.contains("1,1,10"), "{told}");
}

#[test]
fn an_addition_that_a_repair_was_chosen_without_is_added_to_it() {
    let mut kit = swapped();
    // B holds 11 already: its log has nothing of it, and the repair's guard finds what was judged.
    kit.log(A, "a2", [v(12, 11)]);
    kit.repair_of(B, "b2", "b1", Some(&["a1", "b1"]), [v(11, 13)]);
    kit.log(B, "a2", []);
    kit.log(A, "b2", [v(11, 13)]);
    let episodes = kit.episodes();
    let last = episodes.last().unwrap();
    let told = tell_decision(&decide_by(last, &counter()));
    assert!(told.contains("1,1,12"), "{told}\n{}", tell(last));
    assert!(!last.repaired);
}

#[test]
fn what_a_repair_was_chosen_from_is_not_repaired_again() {
    let mut kit = swapped();
    kit.repair_of(A, "a2", "b1", Some(&["a1", "b1"]), [v(12, 13)]);
    kit.log(B, "b2", [v(11, 12)]);
    kit.repair_of(B, "a2", "b1", Some(&["a1", "b1"]), [v(12, 13)]);
    kit.log(A, "b2", [v(13, 12)]);
    let told = tell_decision(&decide_by(kit.episodes()[1], &counter()));
    assert!(told.contains("1,1,14"), "{told}");
}

#[test]
fn an_episode_that_is_seen_with_its_repair_says_so() {
    let mut kit = swapped();
    let judged = Some(&["a1", "b1"][..]);
    kit.repair_of(A, "a2", "b1", judged, [v(12, 13)]);
    kit.repair_of(B, "a2", "b1", judged, [v(11, 13)]);
    let [first, second] = kit.episodes()[..] else {
        panic!("{} episodes", kit.episodes().len())
    };
    assert!(!first.repaired && second.repaired);

    // Whoever reads all of it for the first time hears nothing.
    let mut kit = Kit::new();
    kit.deaf = true;
    kit.log(A, "a1", [v(10, 11)]);
    kit.log(A, "b1", [v(11, 12)]);
    kit.repair_of(A, "a2", "b1", judged, [v(12, 13)]);
    kit.log(B, "b1", [v(10, 12)]);
    kit.log(B, "a1", [v(12, 11)]);
    kit.deaf = false;
    kit.repair_of(B, "a2", "b1", judged, [v(11, 13)]);
    assert!(kit.episodes().is_empty());
    kit.assert_empty();
}
