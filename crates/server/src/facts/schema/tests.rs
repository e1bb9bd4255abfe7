//! Rows become tables.

use super::*;

fn row(values: &[Option<&str>]) -> Row {
    Row::from_columns(values.iter().map(|value| ("c", *value)))
}

#[test]
fn rows_in_any_order_become_tables_in_order() {
    let mut tables = TableMap::default();
    tables.list(vec![
        row(&[Some("s"), Some("b"), Some("MyISAM"), None]),
        row(&[Some("s"), Some("a"), Some("InnoDB"), Some("7")]),
    ]);
    let column = |place, name, extra| {
        row(&[
            Some("s"),
            Some("a"),
            Some(place),
            Some(name),
            Some("int"),
            Some("NO"),
            None,
            Some(extra),
            None,
        ])
    };
    tables.columns(vec![
        column("2", "v", ""),
        column("1", "id", "auto_increment"),
    ]);
    let part = |key, place, name, length| {
        row(&[
            Some("s"),
            Some("a"),
            Some(key),
            Some(place),
            Some("0"),
            Some(name),
            length,
            None,
        ])
    };
    tables.keys(vec![
        part("u", "2", "v", Some("10")),
        part("u", "1", "id", None),
        part("PRIMARY", "1", "id", None),
        row(&[
            Some("s"),
            Some("a view"),
            Some("k"),
            Some("1"),
            Some("1"),
            Some("x"),
            None,
            None,
        ]),
    ]);
    tables.foreign_keys(vec![row(&[
        Some("s"),
        Some("b"),
        Some("fk"),
        Some("a"),
        Some("RESTRICT"),
        Some("CASCADE"),
    ])]);
    let tables = tables.finish();
    let names: Vec<String> = tables.iter().map(Table::full_name).collect();
    assert_eq!(names, ["s.a", "s.b"]);
    let a = &tables[0];
    assert_eq!(
        a.primary_key().map(|key| key.columns.clone()),
        Some(vec!["id".to_owned()])
    );
    assert_eq!(a.keys[1].columns, ["id", "v(10)"]);
    assert_eq!(
        a.auto_increment_column().map(|column| column.name.as_str()),
        Some("id")
    );
    assert_eq!(
        (a.auto_increment, tables[1].auto_increment),
        (Some(7), None)
    );
    assert_eq!(tables[1].foreign_keys[0].on_delete, "CASCADE");
    let facts = SchemaFacts {
        tables,
        ..SchemaFacts::default()
    };
    assert!(facts.table("s", "b").is_some() && facts.table("s", "c").is_none());
}

#[test]
fn who_sees_everything() {
    let grants = |text: &str| vec![format!("GRANT {text} ON *.* TO `x`@`%`")];
    assert!(sees_all_schemas(&grants("ALL PRIVILEGES")));
    assert!(sees_all_schemas(&grants(
        "PROCESS, REFERENCES, TRIGGER, EVENT"
    )));
    assert!(!sees_all_schemas(&grants("SELECT, PROCESS")));
    assert!(!sees_all_schemas(&[
        "GRANT ALL PRIVILEGES ON `a`.* TO `x`@`%`".to_owned()
    ]));
}

#[test]
fn schemas_are_chosen_or_excluded() {
    assert_eq!(condition("S", Some(&["a'b".to_owned()])), "S IN ('a''b')");
    assert!(condition("S", None).starts_with("S NOT IN ('mysql', "));
}
