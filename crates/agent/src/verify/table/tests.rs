use twinlog_converge::TableName;

use super::*;
use twinlog_row::{ColumnInfo, Kind, UniqueIndex};

fn table(columns: &[(&str, &str, Kind, bool)], key: &[usize]) -> Table {
    let column = |(name, declared, kind, nullable): &(&str, &str, Kind, bool)| ColumnInfo {
        name: (*name).to_owned(),
        kind: kind.clone(),
        declared: (*declared).to_owned(),
        generated: false,
        nullable: *nullable,
    };
    let index = UniqueIndex {
        name: "PRIMARY".to_owned(),
        columns: key.to_vec(),
        prefix: false,
        nullable: false,
    };
    let info = TableInfo {
        name: TableName {
            database: "shop".into(),
            name: "or`ders".into(),
        },
        columns: columns.iter().map(column).collect(),
        unique: if key.is_empty() {
            Vec::new()
        } else {
            vec![index]
        },
        opaque: Vec::new(),
        foreign: Vec::new(),
        referring: Vec::new(),
        triggers: Vec::new(),
        obstacle: None,
    };
    Table::new(info, Size::default(), Hash::Narrow, None)
}

fn int() -> Kind {
    Kind::Int {
        bytes: 4,
        unsigned: false,
    }
}

fn text() -> Kind {
    Kind::Text {
        charset: "utf8mb4".to_owned(),
    }
}

/// A stretch of a key of several columns is one range of each column's values, not a comparison of rows: servers use
/// the index for the first only.
#[test]
fn a_stretch_is_asked_for_by_the_keys_index() {
    let table = table(
        &[
            ("a", "int", int(), false),
            ("b", "varchar(9)", text(), false),
            ("n", "int", int(), true),
        ],
        &[0, 1],
    );
    let key = |a: i64, b: &str| vec![Value::Int(a), Value::Bytes(b.into())];
    let span = Span {
        after: Some(key(1, "x")),
        upto: Some(key(2, "")),
    };
    insta::assert_snapshot!(table.digests_sql(&span).unwrap());
    insta::assert_snapshot!(table.nth_sql(&Span::default(), 5000).unwrap());
}

/// What may hold the separator has its length beside it; what may be longer than a server joins is hashed before.
#[test]
fn no_two_rows_have_one_text() {
    let table = table(
        &[
            ("id", "int", int(), false),
            ("c", "char(9)", text(), true),
            ("long", "longtext", text(), true),
            ("d", "varbinary(9)", Kind::Bytes, false),
        ],
        &[],
    );
    insta::assert_snapshot!(table.sum_sql(&Span::default()).unwrap());
}

#[test]
fn a_tally_knows_the_last_piece_and_when_it_is_enough() {
    let tally = Tally::default();
    tally.begin(false);
    tally.begin(true);
    assert!(!tally.end([5, 4]));
    assert!(tally.end([1, 1]));
    assert_eq!(tally.rows(), [6, 5]);
    tally.found(2);
    tally.found(2);
    assert!(!tally.is_given_up());
    tally.found(2);
    assert!(tally.is_given_up());
}
