//! Definitions that change, and statements in the log.

use super::kit::{A, B, Kit, delete, insert, keys, name, statement, update};
use crate::{Policy, Verdict};

fn verify(kit: &Kit) -> Vec<String> {
    let told = |verdict: &Verdict| match verdict {
        Verdict::ToVerify { table, reason } => Some(format!("{table}: {reason}")),
        _ => None,
    };
    kit.said.iter().filter_map(told).collect()
}

#[test]
fn a_definition_that_changes_in_order_is_silent() {
    let mut kit = Kit::new();
    for log in [A, B] {
        kit.log(log, "a1", [insert("t", &[1, 1, 1])]);
        kit.log(log, "a2", [statement("ALTER TABLE t ADD COLUMN w INT")]);
        kit.tracker.set_keys(name("t"), keys("t"));
        kit.log(log, "a3", [insert("t", &[2, 2, 2, 2])]);
    }
    kit.assert_silent();
    // What was in flight beside a definition must be seen again with it after a restart.
    assert_eq!(kit.retired, ["a1", "a3", "a2"]);
}

#[test]
fn the_keys_are_asked_for_again_after_a_definition_changed() {
    let mut kit = Kit::new();
    let tx = kit.tx("a2", vec![insert("t", &[1, 1, 1])]);
    assert!(kit.tracker.unknown_tables(&tx).is_empty());
    kit.log(A, "a1", [statement("CREATE INDEX i ON t (v)")]);
    assert_eq!(kit.tracker.unknown_tables(&tx), [name("t")]);
    kit.tracker.set_keys(name("t"), keys("t"));
    assert!(kit.tracker.unknown_tables(&tx).is_empty());
    let tx = kit.tx("a2", vec![insert("new", &[1, 1, 1])]);
    assert_eq!(kit.tracker.unknown_tables(&tx), [name("new")]);
    kit.tracker.set_keys(name("new"), None);
    assert!(kit.tracker.unknown_tables(&tx).is_empty());
}

#[test]
fn a_row_written_beside_a_new_column_must_be_read() {
    let mut kit = Kit::new();
    kit.log(
        A,
        "a1",
        [statement("ALTER TABLE t ADD COLUMN w INT DEFAULT 7")],
    );
    kit.log(B, "b2", [insert("t", &[9, 9, 9])]);
    kit.log(A, "b2", [insert("t", &[9, 9, 9, 7])]);
    assert!(kit.said.is_empty());
    kit.log(
        B,
        "a1",
        [statement("ALTER TABLE t ADD COLUMN w INT DEFAULT 7")],
    );
    assert!(
        kit.told().starts_with("conflicts \nt 9: gone -> ? | ?"),
        "{}",
        kit.told()
    );
    kit.assert_empty();
}

#[test]
fn a_truncate_beside_an_insert_is_a_conflict() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [statement("TRUNCATE t")]);
    kit.log(B, "b2", [insert("t", &[9, 9, 9])]);
    kit.log(A, "b2", [insert("t", &[9, 9, 9])]);
    kit.log(B, "a1", [statement("truncate table `t`")]);
    assert_eq!(
        kit.told(),
        "conflicts a1|b2\n\
         t 9: gone -> 9,9,9 | ?\n\
         b2: none -> 9,9,9 against [1] after []\n\
         a1: 9,9,9 -> none against [0] after []"
    );
    assert!(
        kit.decided(&Policy::LastWriteWins)
            .starts_with("9,9,9: the later commit: b")
    );
    assert!(kit.decided(&Policy::Prefer(A)).starts_with("gone: "));
    kit.assert_empty();
}

#[test]
fn definitions_changed_on_both_sides_are_told() {
    let mut kit = Kit::new();
    let (a, b) = (
        "CREATE TABLE IF NOT EXISTS x (a INT)",
        "CREATE TABLE IF NOT EXISTS x (b INT)",
    );
    kit.log(A, "a1", [statement(a)]);
    kit.log(B, "b2", [statement(b)]);
    kit.log(A, "b2", [statement(b)]);
    kit.log(B, "a1", [statement(a)]);
    let [
        Verdict::ConcurrentDdl {
            table, statements, ..
        },
    ] = &kit.said[..]
    else {
        panic!("{:?}", kit.said);
    };
    assert_eq!(
        (table, &statements[..]),
        (&name("x"), &[a.to_owned(), b.to_owned()][..])
    );
    kit.assert_empty();
}

#[test]
fn definitions_changed_one_after_the_other_are_silent() {
    let mut kit = Kit::new();
    for log in [A, B] {
        kit.log(log, "a1", [statement("ALTER TABLE t ADD COLUMN x INT")]);
        kit.log(log, "b2", [statement("ALTER TABLE t DROP COLUMN x")]);
    }
    kit.assert_silent();
}

#[test]
fn other_tables_do_not_wait_for_a_definition() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [statement("ALTER TABLE t ADD COLUMN w INT")]);
    for log in [A, B] {
        kit.log(log, "b2", [insert("parent", &[1, 1])]);
    }
    assert_eq!(kit.retired, ["b2"]);
    for log in [A, B] {
        kit.log(log, "b3", [insert("t", &[1, 1, 1])]);
    }
    assert_eq!(kit.retired, ["b2"]);
}

#[test]
fn rows_changed_by_a_statement_must_be_verified() {
    let mut kit = Kit::new();
    for log in [A, B] {
        kit.log(log, "a1", [statement("INSERT INTO t VALUES (1, 1, 1)")]);
    }
    let [said] = &verify(&kit)[..] else {
        panic!("{:#?}", kit.said);
    };
    assert!(said.starts_with(
        "shop.t: its rows were changed by a statement that is in the log as its text"
    ));
}

#[test]
fn a_table_without_a_key_is_told_once() {
    let mut kit = Kit::new();
    kit.tracker
        .set_keys(name("child"), Some(crate::TableKeys::default()));
    let keyless = |row: &[i32]| {
        let mut change = insert("child", row);
        if let twinlog_binlog::Change::Rows(rows) = &mut change {
            let columns = rows.table.columns.clone();
            let table =
                twinlog_binlog::Table::new(1, "shop".into(), "child".into(), columns, vec![]);
            rows.table = table.into();
        }
        change
    };
    for tx in ["a1", "a2"] {
        for log in [A, B] {
            kit.log(log, tx, [keyless(&[1, 1])]);
        }
    }
    assert_eq!(
        verify(&kit),
        ["shop.child: it has no key that tells its rows apart"]
    );
    kit.assert_empty();
}

#[test]
fn without_a_word_on_its_keys_a_table_goes_by_its_primary_key_in_the_log() {
    let mut kit = Kit::new();
    kit.log(A, "a1", [update("new", &[1, 1], &[1, 2])]);
    kit.log(B, "b2", [update("new", &[1, 1], &[1, 3])]);
    kit.log(A, "b2", [update("new", &[1, 2], &[1, 3])]);
    kit.log(B, "a1", [update("new", &[1, 3], &[1, 2])]);
    assert!(kit.told().starts_with("conflicts a1|b2"));
}

#[test]
fn rows_of_a_table_that_is_not_replicated_are_ignored() {
    let mut kit = Kit::new();
    kit.tracker.set_keys(name("t"), None);
    kit.log(A, "a1", [delete("t", &[1, 1, 1])]);
    kit.log(B, "a1", []);
    kit.assert_silent();
    assert_eq!(kit.retired, ["a1"]);
}

#[test]
fn rows_that_a_statement_wipes_before_they_are_judged_were_written_since() {
    for keeps in [false, true] {
        let mut kit = Kit::new();
        if keeps {
            kit.tracker = kit.tracker.clone().keeping();
        }
        kit.log(A, "a1", [update("t", &[1, 1, 1], &[1, 1, 2])]);
        kit.log(B, "b1", [update("t", &[1, 1, 1], &[1, 1, 3])]);
        // What is settled is judged when it is asked for: here with all that the logs have.
        let late = [
            (B, kit.tx("a1", vec![update("t", &[1, 1, 3], &[1, 1, 2])])),
            (A, kit.tx("a2", vec![statement("TRUNCATE t")])),
            (A, kit.tx("b1", vec![update("t", &[1, 1, 2], &[1, 1, 3])])),
            (B, kit.tx("a2", vec![statement("TRUNCATE t")])),
        ];
        let [b1, wipe, a1, copy] = late;
        for (log, tx) in [b1, a1, wipe, copy] {
            let origin = if tx.server_id == 1 { A } else { B };
            kit.tracker.push(log, origin, tx, None);
        }
        kit.listen();
        assert_eq!(kit.episodes().len(), 1);
        assert!(!kit.tracker.is_kept(1));
        assert_eq!(
            kit.tracker.written_since(1),
            if keeps { vec![0] } else { vec![] }
        );
        let wipes = kit.tracker.take_wipes();
        assert!(
            wipes
                .iter()
                .all(|wipe| wipe.covers(&name("t")) && !wipe.covers(&name("parent")))
        );
        assert_eq!(wipes.len(), 2);
    }
}

#[test]
fn what_is_kept_of_rows_that_a_statement_wipes_is_let_go_of() {
    let mut kit = Kit::new();
    kit.tracker = kit.tracker.clone().keeping();
    kit.log(A, "a1", [update("t", &[1, 1, 1], &[1, 1, 2])]);
    kit.log(B, "b1", [update("t", &[1, 1, 1], &[1, 1, 3])]);
    kit.log(B, "a1", [update("t", &[1, 1, 3], &[1, 1, 2])]);
    kit.log(A, "b1", [update("t", &[1, 1, 2], &[1, 1, 3])]);
    assert!(kit.tracker.is_kept(1));
    kit.log(A, "a2", [statement("DROP TABLE t")]);
    assert!(!kit.tracker.is_kept(1));
}
