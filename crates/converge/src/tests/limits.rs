//! Memory: what is kept, and what is said of what is not.

use super::kit::{A, B, Flavour, Kit, insert, name, update};
use crate::{Limits, Verdict};

fn kit(memory_bytes: usize) -> Kit {
    let mut kit = Kit::with(Flavour::MySql, Limits { memory_bytes });
    kit.event_bytes = 500;
    kit
}

fn row(at: i32) -> [i32; 3] {
    [at, at, 0]
}

#[test]
fn images_go_first_and_equal_copies_are_silent_all_the_same() {
    let mut kit = kit(900_000);
    for at in 1..=1000 {
        kit.log(A, &format!("a{at}"), [insert("t", &row(at))]);
    }
    let load = kit.tracker.load();
    assert!(load.without_images > 100, "{load:?}");
    assert!(
        load.memory_bytes <= 900_000 && load.forgotten.is_empty(),
        "{load:?}"
    );
    for at in 1..=1000 {
        kit.log(B, &format!("a{at}"), [insert("t", &row(at))]);
    }
    kit.assert_silent();
}

#[test]
fn a_conflict_without_images_sends_its_table_to_be_verified() {
    let mut kit = kit(900_000);
    for at in 1..=1000 {
        kit.log(A, &format!("a{at}"), [insert("t", &row(at))]);
    }
    kit.log(B, "b1", [insert("t", &[1, 1, 5])]);
    kit.log(B, "a1", [update("t", &[1, 1, 5], &[1, 1, 0])]);
    kit.log(A, "b1", [update("t", &[1, 1, 0], &[1, 1, 5])]);
    let [Verdict::ToVerify { table, reason }, ..] = &kit.said[..] else {
        panic!("{:?}", kit.said);
    };
    assert_eq!(*table, name("t"));
    assert!(reason.starts_with("the images of "), "{reason}");
    for at in 2..=1000 {
        kit.log(B, &format!("a{at}"), [insert("t", &row(at))]);
    }
    kit.assert_empty();
}

#[test]
fn then_tables_go_and_are_named() {
    let mut kit = kit(300_000);
    for at in 1..=2000 {
        let row = if at % 10 == 0 {
            insert("parent", &[at, 0])
        } else {
            insert("t", &row(at))
        };
        kit.log(A, &format!("a{at}"), [row]);
    }
    let load = kit.tracker.load();
    assert!(load.forgotten.contains(&name("t")), "{load:?}");
    let Verdict::ToVerify { table, reason } = &kit.said[0] else {
        panic!("{:?}", kit.said);
    };
    assert_eq!(*table, name("t"));
    assert!(
        reason.contains("more than the limit of 300000 bytes"),
        "{reason}"
    );
    for at in 1..=2000 {
        let row = if at % 10 == 0 {
            insert("parent", &[at, 0])
        } else {
            insert("t", &row(at))
        };
        kit.log(B, &format!("a{at}"), [row]);
        assert!(kit.tracker.load().memory_bytes <= 300_000);
    }
    kit.assert_empty();
    assert_eq!(kit.retired.len(), 2000);
    assert!(kit.tracker.load().forgotten.is_empty());
    assert!(
        kit.said
            .iter()
            .all(|said| matches!(said, Verdict::ToVerify { .. }))
    );
    // What comes afterwards is followed again.
    let said = kit.said.len();
    kit.log(A, "a3000", [insert("t", &[1, 1, 1])]);
    kit.log(B, "a3000", []);
    assert!(matches!(kit.said[said..], [Verdict::Episode(_)]));
}

#[test]
fn too_many_changes_of_one_key_send_its_table_to_be_verified() {
    let mut kit = Kit::new();
    let count = 2100;
    let v = |from: i32, to: i32| update("t", &[1, 1, from], &[1, 1, to]);
    for at in 1..=count {
        kit.log(A, &format!("a{at}"), [v(at - 1, at)]);
        kit.log(B, &format!("b{at}"), [v(at - 1, at + 5000)]);
    }
    for at in 1..=count {
        kit.log(B, &format!("a{at}"), [v(at, at)]);
        kit.log(A, &format!("b{at}"), [v(at, at + 5000)]);
    }
    assert!(matches!(&kit.said[0], Verdict::ToVerify { table, .. } if *table == name("t")));
    // What came after the cut is followed again.
    let contended = kit.episodes().iter().map(|one| one.writes.len()).max();
    assert!(contended.unwrap_or_default() < 2048);
    kit.assert_empty();
}
