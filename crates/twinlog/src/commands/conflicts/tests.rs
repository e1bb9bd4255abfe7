//! What people read, on wide screens and narrow ones.

use twinlog_agent::{
    conflicts::Listing,
    history::{
        Attempt, Cell, ColumnShape, Detail, Entry, Kind, RowDetail, RuledRow, Ruling, State,
        TableShape, Told, WriteDetail,
    },
};

use super::{list, prune, show};

/// 2026-07-02 13:46:40 UTC.
const NOW: u64 = 1_783_000_000_000_000;
const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562:15";
const B: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562:9";

fn columns(columns: &[(&str, &str)]) -> Vec<ColumnShape> {
    let shape = |(name, declared): &(&str, &str)| ColumnShape {
        name: (*name).into(),
        declared: (*declared).into(),
        generated: false,
    };
    columns.iter().map(shape).collect()
}

fn stock() -> TableShape {
    TableShape {
        schema: "shop".into(),
        name: "stock".into(),
        columns: columns(&[
            ("id", "int"),
            ("quantity", "int"),
            ("note", "varchar(200)"),
            ("state", "enum('in','out')"),
            ("picture", "blob"),
            ("changed", "datetime(6)"),
        ]),
        key: vec![0],
    }
}

fn stock_row(quantity: i64, note: &str, picture: usize) -> Vec<Cell> {
    vec![
        Cell::Int("1".into()),
        Cell::Int(quantity.to_string()),
        Cell::Text(note.into()),
        Cell::Enum(1),
        Cell::Hex("00ff".repeat(picture)),
        Cell::Null,
    ]
}

fn write(
    node: &str,
    gtid: &str,
    before: Option<(usize, Vec<Cell>)>,
    after: Option<(usize, Vec<Cell>)>,
    against: usize,
) -> WriteDetail {
    WriteDetail {
        node: node.into(),
        gtid: gtid.into(),
        committed_us: NOW - 3_600_000_000 + if node == "a" { 0 } else { 12_345 },
        exact: true,
        repair: false,
        before,
        after,
        retyped: false,
        against: vec![against],
    }
}

/// Both nodes changed one row: after the swap each holds the other's.
fn swapped(picture: usize) -> Entry {
    let base = stock_row(10, "new", picture);
    let (a, b) = (
        stock_row(
            9,
            "sold one\non the phone, to a customer who will come for it on Monday",
            picture,
        ),
        stock_row(7, "new", picture),
    );
    Entry {
        id: "3f2a91c0d4e5".into(),
        found_us: NOW - 3_599_000_000,
        schema_name: "shop".into(),
        table_name: "stock".into(),
        row_key: "id=1".into(),
        kind: Kind::Conflict,
        state: State::Repaired,
        policy: "last-write-wins".into(),
        rule: "the later commit: b, 12 ms after a".into(),
        chosen: Some("b".into()),
        chosen_node: Some("b".into()),
        chosen_us: Some(NOW - 3_599_987_655),
        gtid_a: Some(A.into()),
        gtid_b: Some(B.into()),
        repair_gtid: Some("3e11fa47-71ca-11e1-9e33-c80aa9429562:16".into()),
        resolved_us: Some(NOW - 3_598_900_000),
        detail: Detail {
            version: 1,
            nodes: ["a".into(), "b".into()],
            tables: vec![stock()],
            rows: vec![RowDetail {
                table: 0,
                key: vec![Cell::Int("1".into())],
                base: Told::Row(base.clone()),
                held: [Told::Row(b.clone()), Told::Row(a.clone())],
                chosen: Told::Row(b.clone()),
            }],
            writes: vec![
                write("a", A, Some((0, base.clone())), Some((0, a)), 1),
                write("b", B, Some((0, base)), Some((0, b)), 0),
            ],
            conflicts: vec![[A.into(), B.into()]],
            statements: None,
            as_held: false,
            compared: false,
            attempts: Vec::new(),
            rulings: Vec::new(),
        },
    }
}

/// Each node inserted a row that is in the other's way, and nobody has decided.
fn in_the_way() -> Entry {
    let user = |id: i64| vec![Cell::Int(id.to_string()), Cell::Text("ana".into())];
    let row = |id: i64, held: [Told; 2]| RowDetail {
        table: 0,
        key: vec![Cell::Int(id.to_string())],
        base: Told::Gone,
        held,
        chosen: Told::Unknown,
    };
    let mut entry = swapped(0);
    entry.id = "9b00c0ffee42".into();
    entry.table_name = "user".into();
    entry.row_key = "id=5".into();
    entry.state = State::Open;
    entry.policy = "manual".into();
    entry.rule = "manual: it waits for a person".into();
    (entry.chosen, entry.chosen_node, entry.chosen_us) = (None, None, None);
    (entry.repair_gtid, entry.resolved_us) = (None, None);
    entry.detail.tables = vec![TableShape {
        schema: "shop".into(),
        name: "user".into(),
        columns: columns(&[("id", "int"), ("name", "varchar(20)")]),
        key: vec![0],
    }];
    entry.detail.rows = vec![
        row(5, [Told::Gone, Told::Row(user(5))]),
        row(4, [Told::Row(user(4)), Told::Gone]),
    ];
    entry.detail.writes = vec![
        write("a", A, None, Some((0, user(5))), 1),
        write("b", B, None, Some((1, user(4))), 0),
    ];
    entry.detail.attempts = vec![Attempt {
        node: "b".into(),
        code: Some(1452),
        message: "Cannot add or update a child row: a foreign key constraint fails".into(),
    }];
    entry
}

fn definitions() -> Entry {
    let mut entry = swapped(0);
    entry.id = "0dd1e5000000".into();
    entry.kind = Kind::Ddl;
    entry.state = State::Open;
    entry.policy = String::new();
    entry.row_key = String::new();
    entry.rule = "no policy chooses between definitions".into();
    (entry.chosen, entry.chosen_node, entry.chosen_us) = (None, None, None);
    (entry.repair_gtid, entry.resolved_us) = (None, None);
    (entry.detail.rows, entry.detail.writes) = (Vec::new(), Vec::new());
    entry.detail.statements = Some([
        "ALTER TABLE stock ADD COLUMN shelf INT".into(),
        "ALTER TABLE stock ADD COLUMN shelf VARCHAR(10) NOT NULL DEFAULT ''".into(),
    ]);
    entry
}

/// Deleted on one node, and by a person's decision there again.
fn deleted() -> Entry {
    let mut entry = swapped(0);
    let row = &mut entry.detail.rows[0];
    row.held = [Told::Gone, Told::Gone];
    let (base, b) = (row.base.clone(), row.chosen.clone());
    entry.detail.writes[1].after = None;
    row.chosen = base.clone();
    entry.chosen = Some("base".into());
    (entry.chosen_node, entry.chosen_us, entry.repair_gtid) = (None, None, None);
    entry.rule = "ana@db1 decided: restore what it was before".into();
    entry.detail.rulings = vec![Ruling {
        at_us: NOW - 60_000_000,
        by: "ana@db1".into(),
        what: "restore what it was before".into(),
        instead_of: "repaired: the later commit: b, 12 ms after a".into(),
        rows: vec![RuledRow {
            row: 0,
            found: [Told::Gone, b],
            wanted: base,
        }],
    }];
    entry
}

fn plain(text: &str) -> String {
    let mut out = Vec::new();
    let mut stream = anstream::StripStream::new(&mut out);
    std::io::Write::write_all(&mut stream, text.as_bytes()).expect("a vector takes all");
    String::from_utf8(out).expect("what was text is text")
}

#[track_caller]
fn assert_fits(text: &str, width: usize) {
    for line in text.lines() {
        let wide = unicode_width::UnicodeWidthStr::width(line);
        // GTIDs and commands are not broken.
        let whole = line.contains("twinlog conflicts") || line.contains("71ca-11e1");
        assert!(wide <= width || whole, "{wide} > {width}: {line}");
    }
}

fn shown(entry: &Entry, full: bool, width: usize) -> String {
    let look = show::Look {
        full,
        now: NOW,
        width,
    };
    let text = plain(&show::text(entry, &look));
    if !full {
        assert_fits(&text, width);
    }
    text
}

#[test]
fn a_swap_is_shown_side_by_side() {
    insta::assert_snapshot!("show_swap_100", shown(&swapped(2), false, 100));
    insta::assert_snapshot!("show_swap_80", shown(&swapped(2), false, 80));
    insta::assert_snapshot!("show_swap_40", shown(&swapped(2), false, 40));
    insta::assert_snapshot!("show_swap_full", shown(&swapped(20), true, 100));
}

#[test]
fn rows_in_each_others_way_are_shown_together() {
    insta::assert_snapshot!("show_in_the_way", shown(&in_the_way(), false, 100));
}

#[test]
fn definitions_are_shown_as_statements() {
    insta::assert_snapshot!("show_definitions", shown(&definitions(), false, 80));
}

#[test]
fn a_deletion_and_a_decision_are_shown() {
    insta::assert_snapshot!("show_deleted", shown(&deleted(), false, 100));
}

#[test]
fn colours_say_nothing_that_marks_do_not() {
    let look = show::Look {
        full: false,
        now: NOW,
        width: 100,
    };
    let text = show::text(&swapped(2), &look);
    for (coloured, marked) in [
        ("\x1b[1;33m9 *", "* changed there"),
        ("\x1b[1;31m9 !", "! not what was chosen"),
    ] {
        assert!(text.contains(coloured), "{text}");
        assert!(text.contains(marked), "{text}");
    }
}

#[test]
fn the_list_fits_the_screen() {
    let listing = Listing {
        entries: vec![in_the_way(), definitions(), swapped(0)],
        total: 1234,
        open: 2,
        differ: None,
    };
    for width in [60, 80, 120] {
        let text = plain(&list::text(&listing, false, NOW, width));
        assert_fits(&text, width);
        insta::assert_snapshot!(format!("list_{width}"), text);
    }
    let none = Listing {
        entries: Vec::new(),
        total: 0,
        open: 0,
        differ: None,
    };
    assert_eq!(list::text(&none, true, NOW, 80), "no conflict is like that");
    assert!(list::text(&none, false, NOW, 80).starts_with("no conflicts"));
}

#[test]
fn what_was_pruned_is_said() {
    assert_eq!(
        prune::text(NOW, 3, 1, Some(3)),
        "forgot 3 conflicts found before 2026-07-02 13:46:40 UTC\n1 that is as old is open, and stays"
    );
    assert_eq!(
        prune::text(NOW, 0, 0, None),
        "nothing to forget: no settled conflict was found before 2026-07-02 13:46:40 UTC"
    );
    assert_eq!(
        prune::text(NOW, 1, 0, None),
        "forgot nothing: 1 conflict found before 2026-07-02 13:46:40 UTC could be"
    );
}
