//! Logs that tell only a part: statements' texts, and images without all columns.

use bytes::Bytes;
use twinlog_binlog::{Change, Rows, RowsKind, Transaction};

use super::kit::{A, B, Flavour, Kit, delete, insert, statement, table, update};
use crate::{Limits, Output, Side, Verdict};

/// `UPDATE t SET v = after WHERE id = …` as `binlog_row_image = MINIMAL` logs it.
fn minimal_update(id: i32, after: i32) -> Change {
    let mut data = vec![0xfe];
    data.extend(id.to_le_bytes());
    data.push(0xfe);
    data.extend(after.to_le_bytes());
    Change::Rows(Rows {
        table: table("t", 3),
        kind: RowsKind::Update,
        present: Bytes::from_static(&[0b001]),
        present_after: Bytes::from_static(&[0b100]),
        data: data.into(),
    })
}

/// That `t` must be verified is all that was said.
#[track_caller]
fn only_to_verify(kit: &Kit) {
    let tables: Vec<String> = kit
        .said
        .iter()
        .map(|verdict| match verdict {
            Verdict::ToVerify { table, .. } => table.to_string(),
            other => panic!("{other:#?}"),
        })
        .collect();
    assert_eq!(tables, ["shop.t"]);
    kit.assert_empty();
}

fn both_orders(mut log: impl FnMut(&mut Kit, Side)) {
    for order in [[A, B], [B, A]] {
        let mut kit = Kit::new();
        for side in order {
            log(&mut kit, side);
        }
        only_to_verify(&kit);
    }
}

#[test]
fn a_statement_whose_copy_is_rows_is_no_difference() {
    for text in [
        "UPDATE t SET v = v + 100 WHERE id = 1",
        "UPDATE shop.t SET v = 101 WHERE id = 1",
        "CALL p()",
        "UPDATE t JOIN parent ON t.id = parent.id SET t.v = 101",
    ] {
        both_orders(|kit, side| match side {
            A => kit.log(A, "a1", [statement(text)]),
            B => kit.log(B, "a1", [update("t", &[1, 1, 1], &[1, 1, 101])]),
        });
    }
}

#[test]
fn a_statement_that_deletes_and_inserts_is_no_difference() {
    both_orders(|kit, side| match side {
        A => {
            kit.log(A, "a1", [statement("DELETE FROM t WHERE id = 5")]);
            kit.log(A, "a2", [statement("INSERT INTO t VALUES (7, 7, 7)")]);
        }
        B => {
            kit.log(B, "a1", [delete("t", &[5, 5, 5])]);
            kit.log(B, "a2", [insert("t", &[7, 7, 7])]);
        }
    });
}

#[test]
fn an_image_without_all_columns_is_no_difference() {
    both_orders(|kit, side| match side {
        A => kit.log(A, "a1", [minimal_update(1, 100)]),
        B => kit.log(B, "a1", [update("t", &[1, 1, 1], &[1, 1, 100])]),
    });
}

#[test]
fn what_was_in_flight_beside_it_is_not_judged() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [update("t", &[1, 1, 1], &[1, 1, 2])]);
    kit.log(A, "a2", [minimal_update(1, 100)]);
    kit.log(B, "b1", [update("t", &[1, 1, 1], &[1, 1, 7])]);
    kit.log(B, "a1", [update("t", &[1, 1, 7], &[1, 1, 2])]);
    kit.log(B, "a2", [update("t", &[1, 1, 2], &[1, 1, 100])]);
    kit.log(A, "b1", [update("t", &[1, 1, 100], &[1, 1, 7])]);
    let conflicts = kit.episodes().len();
    assert_eq!(conflicts, 0, "{:#?}", kit.said);
    // What comes after it is followed again.
    kit.log(A, "a3", [update("t", &[2, 2, 2], &[2, 2, 3])]);
    kit.log(B, "b2", [update("t", &[2, 2, 2], &[2, 2, 4])]);
    kit.log(B, "a3", [update("t", &[2, 2, 4], &[2, 2, 3])]);
    kit.log(A, "b2", [update("t", &[2, 2, 3], &[2, 2, 4])]);
    assert_eq!(kit.episodes().len(), 1);
}

/// Whoever compares the table must hear of what it may have missed.
#[test]
fn what_cannot_be_followed_is_said_once_and_again_when_the_table_is_compared() {
    let mut kit = Kit::new();
    let log = |kit: &mut Kit, name: &str| {
        kit.log(A, name, [minimal_update(1, 5)]);
        kit.log(B, name, [minimal_update(1, 5)]);
        kit.said.len()
    };
    assert_eq!(log(&mut kit, "a1"), 1);
    assert_eq!(log(&mut kit, "a2"), 1);
    kit.tracker.say_again();
    assert_eq!(log(&mut kit, "a3"), 2);
    assert_eq!(log(&mut kit, "a4"), 2);
}

/// As `a1`, by the clock of another commit.
fn at_another_time(kit: &Kit, changes: Vec<Change>) -> Transaction {
    let committed = kit.tx("a2", vec![]).committed;
    Transaction {
        committed,
        ..kit.tx("a1", changes)
    }
}

#[test]
fn two_transactions_of_one_name_are_not_compared() {
    both_orders(|kit, side| match side {
        A => kit.log(A, "a1", [insert("t", &[1, 1, 1])]),
        B => {
            let other = at_another_time(kit, vec![insert("t", &[2, 2, 2])]);
            kit.push(B, other, None);
        }
    });
}

#[test]
fn an_empty_one_in_its_place_passes_it_over() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [insert("t", &[1, 1, 1])]);
    let other = at_another_time(&kit, vec![]);
    kit.push(B, other, None);
    assert!(
        matches!(&kit.said[..], [Verdict::Episode(_)]),
        "{:#?}",
        kit.said
    );
}

#[test]
fn the_same_twice_is_no_difference() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [insert("t", &[1, 1, 1])]);
    let other = at_another_time(&kit, vec![insert("t", &[1, 1, 1])]);
    kit.push(B, other, None);
    assert!(kit.said.is_empty(), "{:#?}", kit.said);
    kit.assert_empty();
}

/// What a kit says, in order: `t?` for a table to be verified, `!` for a transaction that is done with.
fn in_order(kit: &mut Kit) -> Vec<String> {
    let outputs = std::iter::from_fn(|| kit.tracker.next_output());
    let said = outputs.map(|output| match output {
        Output::Verdict(Verdict::ToVerify { table, .. }) => format!("{}?", table.name),
        Output::Verdict(other) => panic!("{other:#?}"),
        Output::Retired(_) => "!".to_owned(),
    });
    said.collect()
}

/// An agent that ends between the two must come upon them again.
#[test]
fn its_table_is_named_before_it_is_done_with() {
    let mut kit = Kit::new();
    kit.deaf = true;
    kit.log(A, "a1", [insert("t", &[1, 1, 1])]);
    let other = at_another_time(&kit, vec![insert("t", &[2, 2, 2])]);
    kit.push(B, other, None);
    assert_eq!(in_order(&mut kit), ["t?", "!"]);
}

#[test]
fn all_its_tables_are_named_before_it_is_done_with() {
    let mut kit = Kit::new();
    kit.deaf = true;
    let row = || insert("t", &[1, 1, 1]);
    kit.log(B, "a1", [row()]);
    kit.log(A, "a1", [row(), statement("UPDATE parent SET n = 1")]);
    assert_eq!(in_order(&mut kit), ["t?", "parent?", "!"]);
}

/// On the other node nothing was left of it: that is where they differ.
#[test]
fn a_statement_that_the_other_log_has_nothing_of_names_what_it_may_have_changed() {
    let mut kit = Kit::with(Flavour::MariaDb, Limits::default());
    kit.log(
        A,
        "a1",
        [statement(
            "UPDATE t JOIN parent ON t.id = parent.id SET t.v = 101",
        )],
    );
    kit.deaf = true;
    kit.passed(B, "a1");
    let said = in_order(&mut kit);
    assert_eq!(said.last().map(String::as_str), Some("!"), "{said:?}");
    assert!(said.contains(&"t?".to_owned()), "{said:?}");
}

#[test]
fn so_does_one_that_there_is_no_memory_to_wait_for() {
    let mut kit = Kit::with(
        Flavour::MySql,
        Limits {
            memory_bytes: 20_000,
        },
    );
    for at in 1..=1000 {
        kit.log(A, &format!("a{at}"), [statement("CALL p()")]);
    }
    let named = kit.said.iter().map(|said| match said {
        Verdict::ToVerify { table, .. } => table.name.to_string(),
        other => panic!("{other:#?}"),
    });
    let named: Vec<String> = named.collect();
    assert!(named.contains(&"t".to_owned()), "{named:?}");
    assert!(!kit.retired.is_empty());
}
