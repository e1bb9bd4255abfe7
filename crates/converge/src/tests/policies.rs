//! Merges, and policies at their edges.

use super::kit::{A, B, Kit, decide_by, delete, insert, update};
use crate::{Outcome, Policy, decide};

fn merge(counters: &[usize]) -> Policy {
    Policy::Merge {
        counters: counters.to_vec(),
    }
}

#[test]
fn a_merge_keeps_what_each_side_changed() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [update("child", &[1, 10], &[1, 10])]);
    kit.log(B, "a1", [update("child", &[1, 10], &[1, 10])]);
    let mut kit = Kit::new();
    kit.log(A, "a1", [update("w", &[1, 1, 1, 1], &[1, 5, 1, 7])]);
    kit.log(B, "b2", [update("w", &[1, 1, 1, 1], &[1, 1, 6, 8])]);
    kit.log(A, "b2", [update("w", &[1, 5, 1, 7], &[1, 1, 6, 8])]);
    kit.log(B, "a1", [update("w", &[1, 1, 6, 8], &[1, 5, 1, 7])]);
    assert_eq!(
        kit.decided(&merge(&[])),
        "1,5,6,8: merged column by column: u, v (changed on one side only); w (changed on both sides, the later commit's)"
    );
    assert_eq!(
        kit.decided(&merge(&[3])),
        "1,5,6,14: merged column by column: u, v (changed on one side only); w (both changes added)"
    );
}

#[test]
fn a_counter_gets_all_that_was_added_on_both_sides() {
    let mut kit = Kit::new();
    let v = |from: i32, to: i32| update("t", &[1, 1, from], &[1, 1, to]);
    kit.log(A, "a1", [v(10, 11)]);
    kit.log(A, "a3", [v(11, 14)]);
    kit.log(B, "b2", [v(10, 5)]);
    kit.log(A, "b2", [v(14, 5)]);
    kit.log(B, "a1", [v(5, 11)]);
    kit.log(B, "a3", [v(11, 14)]);
    assert!(kit.decided(&merge(&[2])).starts_with("1,1,9: "));
}

#[test]
fn a_counter_that_would_overflow_falls_back_to_the_later_commit() {
    let mut kit = Kit::new();
    let v = |from: i32, to: i32| update("t", &[1, 1, from], &[1, 1, to]);
    kit.log(A, "a1", [v(1, 2_000_000_000)]);
    kit.log(B, "b2", [v(1, 2_000_000_001)]);
    kit.log(A, "b2", [v(2_000_000_000, 2_000_000_001)]);
    kit.log(B, "a1", [v(2_000_000_001, 2_000_000_000)]);
    assert_eq!(
        kit.decided(&merge(&[2])),
        "1,1,2000000001: merged column by column: v (too large to add, the later commit's)"
    );
}

#[test]
fn a_write_against_a_merge_that_was_made_before_adds_to_it() {
    let mut kit = Kit::new();
    // A held 15 and B 11 of a counter that was 10; the repair on A makes it 16. Meanwhile B added 1.
    kit.repair(A, "a9", "b2", [update("t", &[1, 1, 15], &[1, 1, 16])]);
    kit.log(B, "b3", [update("t", &[1, 1, 11], &[1, 1, 12])]);
    kit.log(A, "b3", [update("t", &[1, 1, 16], &[1, 1, 12])]);
    kit.log(B, "a9", [update("t", &[1, 1, 12], &[1, 1, 16])]);
    assert!(kit.decided(&merge(&[2])).starts_with("1,1,17: "));
}

#[test]
fn what_cannot_be_merged_is_the_later_commits() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [update("t", &[3, 3, 3], &[3, 3, 33])]);
    kit.log(B, "b2", [delete("t", &[3, 3, 3])]);
    kit.log(A, "b2", [delete("t", &[3, 3, 33])]);
    kit.log(B, "a1", []);
    assert_eq!(
        kit.decided(&merge(&[])),
        "gone: the later commit: b, 1000 ms after a"
    );
}

#[test]
fn commits_of_the_same_moment_go_by_the_server_id() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [insert("t", &[9, 1, 1])]);
    kit.log(B, "b1", [insert("t", &[9, 2, 2])]);
    kit.log(A, "b1", [update("t", &[9, 1, 1], &[9, 2, 2])]);
    kit.log(B, "a1", [update("t", &[9, 2, 2], &[9, 1, 1])]);
    assert_eq!(
        kit.decided(&Policy::LastWriteWins),
        "9,2,2: committed at the same time: b has the greater server id (2 and 1)"
    );
    assert!(kit.decided(&Policy::FirstWriteWins).starts_with("9,2,2: "));
}

#[test]
fn where_one_time_is_known_to_the_second_all_are() {
    let mut kit = Kit::new();
    let mut a = kit.tx("a1", vec![insert("t", &[9, 1, 1])]);
    a.committed.micros = 5_900_000;
    let mut b = kit.tx("b1", vec![insert("t", &[9, 2, 2])]);
    b.committed.micros = 5_000_000;
    b.committed.exact = false;
    let mut of_a = kit.tx("b1", vec![update("t", &[9, 1, 1], &[9, 2, 2])]);
    let mut of_b = kit.tx("a1", vec![update("t", &[9, 2, 2], &[9, 1, 1])]);
    (of_a.committed, of_b.committed) = (b.committed, a.committed);
    for (log, tx) in [(A, a), (B, b), (A, of_a), (B, of_b)] {
        kit.push(log, tx, None);
    }
    assert!(
        kit.decided(&Policy::LastWriteWins)
            .starts_with("9,2,2: committed at the same time")
    );
}

#[test]
fn tables_with_different_policies_go_by_the_later_commit_and_say_so() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [delete("parent", &[1, 0])]);
    kit.log(B, "b2", [insert("child", &[9, 1])]);
    kit.log(A, "b2", []);
    kit.log(B, "a1", []);
    let policies = [Policy::Prefer(A), Policy::FirstWriteWins];
    let decision = decide(kit.episode(), &policies, [1, 2]);
    assert!(
        decision
            .rule
            .ends_with("(the tables' policies differ, so the later commit counts)")
    );
    assert_eq!(decision.chosen, Some(B));
    let manual = decide(kit.episode(), &[Policy::Prefer(A), Policy::Manual], [1, 2]);
    assert!(manual.rows.is_none());
}

#[test]
fn two_rows_with_one_unique_key_become_what_one_node_holds() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [insert("t", &[5, 77, 0])]);
    kit.log(B, "b2", [insert("t", &[4, 77, 0])]);
    kit.log(A, "b2", [update("t", &[5, 77, 0], &[4, 77, 0])]);
    kit.log(B, "a1", [update("t", &[4, 77, 0], &[5, 77, 0])]);
    let mut episode = kit.episode().clone();
    for write in &mut episode.writes {
        write.against.clear();
    }
    let decision = decide_by(&episode, &Policy::LastWriteWins);
    let rows = decision.rows.expect("a choice");
    assert!(rows.iter().all(|row| matches!(row, Outcome::AsHeld(A))));
    assert!(
        decision
            .rule
            .contains("two rows of shop.t would have the same u"),
        "{}",
        decision.rule
    );
}
