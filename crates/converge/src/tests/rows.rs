//! Row changes under IDEMPOTENT applying, as MySQL and MariaDB log them.

use super::kit::{A, B, Kit, delete, insert, update};
use crate::{Policy, Side};

const LAST: Policy = Policy::LastWriteWins;

#[test]
fn what_both_logs_have_alike_is_silent() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [insert("t", &[1, 1, 0])]);
    kit.log(B, "a1", [insert("t", &[1, 1, 0])]);
    kit.log(B, "b1", [update("t", &[1, 1, 0], &[1, 1, 5])]);
    kit.log(A, "b1", [update("t", &[1, 1, 0], &[1, 1, 5])]);
    kit.log(A, "a2", [delete("t", &[1, 1, 5])]);
    kit.log(B, "a2", [delete("t", &[1, 1, 5])]);
    kit.assert_silent();
    assert_eq!(kit.retired, ["a1", "b1", "a2"]);
}

#[test]
fn two_updates_that_swap_are_a_conflict_and_a_divergence() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [update("t", &[1, 1, 1], &[1, 1, 100])]);
    kit.log(B, "b2", [update("t", &[1, 1, 1], &[1, 1, 200])]);
    kit.log(A, "b2", [update("t", &[1, 1, 100], &[1, 1, 200])]);
    assert!(kit.said.is_empty());
    kit.log(B, "a1", [update("t", &[1, 1, 200], &[1, 1, 100])]);
    assert_eq!(
        kit.told(),
        "conflicts a1|b2\n\
         t 1: 1,1,1 -> 1,1,200 | 1,1,100\n\
         a1: 1,1,1 -> 1,1,100 against [1] after []\n\
         b2: 1,1,1 -> 1,1,200 against [0] after []"
    );
    assert_eq!(
        kit.decided(&LAST),
        "1,1,200: the later commit: b, 1000 ms after a"
    );
    assert_eq!(
        kit.decided(&Policy::FirstWriteWins),
        "1,1,100: the earlier commit: a, 1000 ms before b"
    );
    assert_eq!(
        kit.decided(&Policy::Prefer(Side::A)),
        "1,1,100: a is preferred"
    );
    assert_eq!(
        kit.decided(&Policy::Manual),
        "nothing: manual: it waits for a person"
    );
    kit.assert_empty();
    assert_eq!(kit.retired.len(), 2);
}

#[test]
fn an_applied_insert_that_took_the_place_of_another_by_a_unique_key() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [insert("t", &[5, 77, 0])]);
    kit.log(B, "b2", [insert("t", &[4, 77, 0])]);
    kit.log(A, "b2", [update("t", &[5, 77, 0], &[4, 77, 0])]);
    kit.log(B, "a1", [update("t", &[4, 77, 0], &[5, 77, 0])]);
    assert_eq!(
        kit.told(),
        "conflicts a1|b2\n\
         t 5: gone -> gone | 5,77,0\n\
         t 4: gone -> 4,77,0 | gone\n\
         a1: none -> 5,77,0 against [1] after []\n\
         b2: none -> 4,77,0 against [0] after []"
    );
    assert_eq!(
        kit.decided(&LAST),
        "gone 4,77,0: the later commit: b, 1000 ms after a"
    );
    assert_eq!(
        kit.decided(&Policy::Prefer(A)),
        "5,77,0 gone: a is preferred"
    );
    kit.assert_empty();
}

#[test]
fn an_update_against_a_delete_leaves_equal_nodes_and_is_told() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [update("t", &[3, 3, 3], &[3, 3, 33])]);
    kit.log(B, "b2", [delete("t", &[3, 3, 3])]);
    kit.log(A, "b2", [delete("t", &[3, 3, 33])]);
    kit.log(B, "a1", []);
    assert_eq!(
        kit.told(),
        "conflicts a1|b2\n\
         t 3: 3,3,3 -> gone | gone\n\
         a1: 3,3,3 -> 3,3,33 against [1] after []\n\
         b2: 3,3,3 -> none against [0] after []"
    );
    assert_eq!(
        kit.decided(&Policy::FirstWriteWins),
        "3,3,33: the earlier commit: a, 1000 ms before b"
    );
    assert!(kit.decided(&LAST).starts_with("gone: "));
}

#[test]
fn two_deletes_are_a_conflict_without_a_divergence() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [delete("t", &[3, 3, 3])]);
    kit.log(B, "b2", [delete("t", &[3, 3, 3])]);
    kit.log(A, "b2", []);
    kit.log(B, "a1", []);
    assert!(
        kit.told()
            .starts_with("conflicts a1|b2\nt 3: 3,3,3 -> gone | gone")
    );
    assert!(kit.decided(&LAST).starts_with("gone: "));
}

#[test]
fn two_inserts_of_equal_rows_are_a_conflict_without_a_divergence() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [insert("t", &[9, 9, 9])]);
    kit.log(B, "b2", [insert("t", &[9, 9, 9])]);
    kit.log(A, "b2", []);
    kit.log(B, "a1", []);
    assert!(
        kit.told()
            .starts_with("conflicts a1|b2\nt 9: gone -> 9,9,9 | 9,9,9")
    );
}

#[test]
fn two_updates_to_the_same_values_leave_nothing_in_the_copies() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [update("t", &[1, 1, 1], &[1, 1, 2])]);
    kit.log(B, "b2", [update("t", &[1, 1, 1], &[1, 1, 2])]);
    kit.log(B, "a1", []);
    kit.log(A, "b2", []);
    assert!(
        kit.told()
            .starts_with("conflicts a1|b2\nt 1: 1,1,1 -> 1,1,2 | 1,1,2")
    );
}

#[test]
fn an_update_skipped_for_a_unique_key_is_unknown() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [update("t", &[1, 1, 0], &[1, 7, 0])]);
    kit.log(B, "b2", [update("t", &[2, 2, 0], &[2, 7, 0])]);
    kit.log(A, "b2", []);
    kit.log(B, "a1", []);
    assert_eq!(
        kit.told(),
        "conflicts a1|b2\n\
         t 1: 1,1,0 -> 1,7,0 | ?\n\
         t 2: 2,2,0 -> ? | 2,7,0\n\
         a1: 1,1,0 -> 1,7,0 against [1] after []\n\
         b2: 2,2,0 -> 2,7,0 against [0] after []"
    );
    assert!(kit.decided(&LAST).starts_with("1,1,0 2,7,0: "));
}

#[test]
fn only_the_skipped_change_of_a_transaction_is_judged() {
    let mut kit = Kit::new();
    kit.log(
        A,
        "a1",
        [
            insert("t", &[10, 10, 0]),
            update("t", &[1, 1, 0], &[1, 7, 0]),
            update("t", &[3, 3, 0], &[3, 33, 0]),
        ],
    );
    kit.log(B, "b2", [update("t", &[2, 2, 0], &[2, 7, 0])]);
    kit.log(A, "b2", []);
    kit.log(
        B,
        "a1",
        [
            insert("t", &[10, 10, 0]),
            update("t", &[3, 3, 0], &[3, 33, 0]),
        ],
    );
    let told = kit.told();
    assert!(told.contains("t 1: ") && told.contains("t 2: "), "{told}");
    assert!(!told.contains("t 10") && !told.contains("t 3"), "{told}");
    kit.assert_empty();
}

#[test]
fn a_key_move_against_an_update_loses_the_update_and_says_so() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [update("t", &[1, 1, 1], &[11, 1, 1])]);
    kit.log(B, "b2", [update("t", &[1, 1, 1], &[1, 1, 5])]);
    kit.log(A, "b2", []);
    kit.log(B, "a1", [update("t", &[1, 1, 5], &[11, 1, 1])]);
    assert_eq!(
        kit.told(),
        "conflicts a1|b2\n\
         t 1: 1,1,1 -> gone | gone\n\
         t 11: gone -> 11,1,1 | 11,1,1\n\
         a1: 1,1,1 -> 11,1,1 against [1] after []\n\
         b2: 1,1,1 -> 1,1,5 against [0] after []"
    );
    assert!(kit.decided(&LAST).starts_with("1,1,5 gone: "));
    assert!(kit.decided(&Policy::Prefer(A)).starts_with("gone 11,1,1: "));
}

#[test]
fn two_key_moves_of_one_row_diverge_with_nothing_logged() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [update("t", &[1, 1, 1], &[11, 1, 1])]);
    kit.log(B, "b2", [update("t", &[1, 1, 1], &[12, 1, 1])]);
    kit.log(A, "b2", []);
    kit.log(B, "a1", []);
    assert_eq!(
        kit.told(),
        "conflicts a1|b2\n\
         t 1: 1,1,1 -> gone | gone\n\
         t 11: gone -> 11,1,1 | ?\n\
         t 12: gone -> ? | 12,1,1\n\
         a1: 1,1,1 -> 11,1,1 against [1] after []\n\
         b2: 1,1,1 -> 12,1,1 against [0] after []"
    );
    assert!(kit.decided(&LAST).starts_with("gone gone 12,1,1: "));
}

#[test]
fn a_key_move_against_an_insert_of_the_new_key() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [update("t", &[1, 1, 1], &[11, 1, 1])]);
    kit.log(B, "b2", [insert("t", &[11, 2, 2])]);
    kit.log(A, "b2", [update("t", &[11, 1, 1], &[11, 2, 2])]);
    kit.log(B, "a1", []);
    let told = kit.told();
    assert!(told.contains("t 1: 1,1,1 -> gone | ?"), "{told}");
    assert!(told.contains("t 11: gone -> 11,2,2 | ?"), "{told}");
    assert!(kit.decided(&LAST).starts_with("1,1,1 11,2,2: "));
    assert!(kit.decided(&Policy::Prefer(A)).starts_with("gone 11,1,1: "));
}

#[test]
fn one_insert_that_removed_two_rows() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [insert("t", &[3, 3, 30])]);
    kit.log(B, "b2", [insert("t", &[4, 30, 0]), insert("t", &[3, 5, 3])]);
    kit.log(
        A,
        "b2",
        [
            insert("t", &[4, 30, 0]),
            update("t", &[3, 3, 30], &[3, 5, 3]),
        ],
    );
    kit.log(B, "a1", [update("t", &[3, 5, 3], &[3, 3, 30])]);
    let told = kit.told();
    assert!(told.contains("t 3: gone -> 3,5,3 | 3,3,30"), "{told}");
    // What has no key in common with the conflict stays out of it.
    assert!(!told.contains("t 4"), "{told}");
}

#[test]
fn a_delete_that_a_skipped_insert_left_behind() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [insert("t", &[5, 7, 70])]);
    kit.log(B, "b2", [insert("t", &[4, 7, 80])]);
    // The applier removed row 5 for its unique key, then gave the insert up.
    kit.log(A, "b2", [delete("t", &[5, 7, 70])]);
    kit.log(B, "a1", [update("t", &[4, 7, 80], &[5, 7, 70])]);
    let told = kit.told();
    assert!(told.contains("t 5: gone -> gone | 5,7,70"), "{told}");
    assert!(told.contains("t 4: gone -> ? | gone"), "{told}");
    assert!(kit.decided(&LAST).starts_with("gone 4,7,80: "));
}

#[test]
fn a_row_that_only_one_node_lost_is_a_divergence_without_a_conflict() {
    let mut kit = Kit::new();
    // Someone deleted the row on B with sql_log_bin = 0.
    kit.log(A, "a1", [update("t", &[1, 1, 1], &[1, 1, 2])]);
    kit.log(B, "a1", []);
    assert_eq!(
        kit.told(),
        "conflicts \n\
         t 1: 1,1,1 -> 1,1,2 | ?\n\
         a1: 1,1,1 -> 1,1,2 against [] after []"
    );
    assert_eq!(
        kit.decided(&LAST),
        "1,1,2: no write contends: as a was told"
    );
    kit.assert_empty();
}

#[test]
fn keys_that_the_collation_holds_equal_are_tied_by_what_the_applier_did() {
    // u = 7 and u = 8 stand for 'a' and 'A'.
    let mut kit = Kit::new();
    kit.log(A, "a1", [insert("t", &[1, 7, 0])]);
    kit.log(B, "b2", [insert("t", &[2, 8, 0])]);
    kit.log(B, "a1", [update("t", &[2, 8, 0], &[1, 7, 0])]);
    assert!(kit.said.is_empty());
    kit.log(A, "b2", [update("t", &[1, 7, 0], &[2, 8, 0])]);
    let told = kit.told();
    assert!(told.starts_with("conflicts a1|b2"), "{told}");
    assert!(told.contains("a1: none -> 1,7,0 against [1]"), "{told}");
    assert!(kit.decided(&LAST).starts_with("gone 2,8,0: "), "{told}");
    kit.assert_empty();
}

#[test]
fn a_null_in_a_unique_key_ties_nothing() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [insert("t", &[1, -1, 0])]);
    kit.log(B, "b2", [insert("t", &[2, -1, 0])]);
    kit.log(A, "b2", [insert("t", &[2, -1, 0])]);
    kit.log(B, "a1", [insert("t", &[1, -1, 0])]);
    kit.assert_silent();
}

#[test]
fn a_parent_deleted_against_a_child_inserted() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [delete("parent", &[1, 0])]);
    kit.log(B, "b2", [insert("child", &[9, 1])]);
    kit.log(A, "b2", []);
    kit.log(B, "a1", []);
    assert_eq!(
        kit.told(),
        "conflicts a1|b2\n\
         parent 1: 1,0 -> gone | ?\n\
         child 9: gone -> ? | 9,1\n\
         a1: 1,0 -> none against [1] after []\n\
         b2: none -> 9,1 against [0] after []"
    );
    assert!(kit.decided(&LAST).starts_with("1,0 9,1: "));
    assert!(kit.decided(&Policy::Prefer(A)).starts_with("gone gone: "));
}

#[test]
fn children_of_one_parent_do_not_contend() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [insert("child", &[1, 1])]);
    kit.log(B, "b2", [insert("child", &[2, 1])]);
    kit.log(A, "a3", [update("parent", &[1, 0], &[1, 5])]);
    kit.log(A, "b2", [insert("child", &[2, 1])]);
    kit.log(B, "a1", [insert("child", &[1, 1])]);
    kit.log(B, "a3", [update("parent", &[1, 0], &[1, 5])]);
    kit.assert_silent();
}

#[test]
fn a_child_goes_with_the_parent_that_loses() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [insert("parent", &[1, 10])]);
    kit.log(A, "a2", [insert("child", &[7, 1])]);
    kit.log(B, "b3", [insert("parent", &[1, 20])]);
    kit.log(A, "b3", [update("parent", &[1, 10], &[1, 20])]);
    kit.log(B, "a1", [update("parent", &[1, 20], &[1, 10])]);
    assert!(kit.said.is_empty());
    kit.log(B, "a2", [insert("child", &[7, 1])]);
    let told = kit.told();
    assert!(
        told.contains("a2: none -> 7,1 against [2] after [0]"),
        "{told}"
    );
    assert!(kit.decided(&LAST).starts_with("1,20 gone: "), "{told}");
    assert!(kit.decided(&Policy::Prefer(A)).starts_with("1,10 7,1: "));
}

#[test]
fn what_was_written_under_the_moved_key_goes_with_the_move() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [update("t", &[1, 1, 1], &[11, 1, 1])]);
    kit.log(A, "a2", [update("t", &[11, 1, 1], &[11, 1, 9])]);
    kit.log(B, "b3", [update("t", &[1, 1, 1], &[1, 1, 5])]);
    kit.log(A, "b3", []);
    kit.log(B, "a1", [update("t", &[1, 1, 5], &[11, 1, 1])]);
    kit.log(B, "a2", [update("t", &[11, 1, 1], &[11, 1, 9])]);
    assert!(kit.decided(&LAST).starts_with("1,1,5 gone: "));
    assert!(kit.decided(&Policy::Prefer(A)).starts_with("gone 11,1,9: "));
    kit.assert_empty();
}

#[test]
fn several_changes_of_a_row_in_one_transaction() {
    let mut kit = Kit::new();
    let own = || {
        [
            insert("t", &[5, 5, 1]),
            update("t", &[5, 5, 1], &[5, 5, 2]),
            delete("t", &[5, 5, 2]),
        ]
    };
    kit.log(A, "a1", own());
    kit.log(B, "b2", [insert("t", &[5, 6, 0])]);
    kit.log(A, "b2", [insert("t", &[5, 6, 0])]);
    let [insert_5, update_5, delete_5] = own();
    let removal = delete("t", &[5, 6, 0]);
    kit.log(B, "a1", [removal, insert_5, update_5, delete_5]);
    let told = kit.told();
    assert!(told.contains("t 5: "), "{told}");
    assert!(told.contains("-> 5,6,0 | gone"), "{told}");
    assert!(kit.decided(&LAST).starts_with("5,6,0: "), "{told}");
}
