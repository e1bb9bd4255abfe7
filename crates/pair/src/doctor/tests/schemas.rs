//! Faults of tables, triggers and events.

use twinlog_server::facts::schema::{Event, ForeignKey, Trigger};

use super::{
    Case,
    baseline::{key, live, mariadb, mysql, set, table, table_of_b},
};
use crate::{
    config::{Policy, TablePolicy},
    doctor::{Scene, Severity, examine},
};

pub(super) const CASES: &[Case] = &[
    Case("TL301", mysql, |s| {
        table_of_b(s).keys.remove(0);
    }),
    Case("TL302", mysql, |s| table_of_b(s).engine = "MyISAM".into()),
    Case("TL303", mysql, |s| {
        live(s, 0)
            .schema
            .as_mut()
            .expect("read")
            .tables
            .push(table("more"));
    }),
    Case("TL304", mysql, |s| {
        table_of_b(s).columns[1].kind = "varchar(100)".into()
    }),
    Case("TL304", mysql, |s| table_of_b(s).columns[1].nullable = true),
    Case("TL304", mysql, |s| table_of_b(s).columns.swap(0, 1)),
    Case("TL304", mysql, |s| {
        table_of_b(s).columns.pop();
    }),
    Case("TL305", mysql, |s| {
        table_of_b(s).keys.push(key("u", true, &["name"]))
    }),
    Case("TL306", mysql, |s| {
        table_of_b(s).keys.pop();
    }),
    Case("TL307", mariadb, |s| {
        set(s, 1, "innodb_native_foreign_keys", "ON");
        cascade(s);
    }),
    Case("TL308", mysql, |s| events(s, ["ENABLED", "ENABLED"])),
    Case("TL309", mysql, |s| triggers(s, ["x", "x"])),
    Case("TL310", mysql, |s| triggers(s, ["x", "y"])),
    Case("TL310", mysql, |s| {
        triggers(s, ["x", "x"]);
        live(s, 0).schema.as_mut().expect("read").triggers.clear();
    }),
    Case("TL311", mysql, |s| {
        table_of_b(s).auto_increment = Some(2_000_000_000)
    }),
    Case("TL312", mysql, |s| {
        let table = table_of_b(s);
        table.keys[0] = key("u", true, &["name"]);
        table.keys[0].nullable = true;
    }),
    Case("TL313", mysql, |s| policy(s, "shop.stok", &[])),
    Case("TL313", mysql, |s| {
        policy(s, "shop.*", &[]);
        policy(s, "shop.info", &[]);
    }),
    Case("TL314", mysql, |s| policy(s, "shop.info", &["quantity"])),
    Case("TL314", mysql, |s| policy(s, "shop.*", &["id", "name"])),
    Case("TL315", mysql, |s| {
        s.config.as_mut().expect("a pair").databases = Some(vec!["shop".into()]);
        cascade(s);
        table_of_b(s).foreign_keys[0].parent_schema = "other".into();
    }),
    Case("TL316", mariadb, |s| {
        table_of_b(s).columns[1].kind = "datetime(3) /* mariadb-5.3 */".into()
    }),
    Case("TL317", mariadb, |s| table_of_b(s).is_versioned = true),
    Case("TL318", mariadb, |s| {
        let schema = live(s, 1).schema.as_mut().expect("read");
        schema.sequences.push("shop.numbers".into());
    }),
];

fn policy(scene: &mut Scene, pattern: &str, counters: &[&str]) {
    let config = scene.config.as_mut().expect("a pair");
    config.conflicts.tables.push(TablePolicy {
        pattern: pattern.into(),
        policy: Policy::Merge,
        counters: counters.iter().map(|&name| name.to_owned()).collect(),
    });
}

fn cascade(scene: &mut Scene) {
    table_of_b(scene).foreign_keys.push(ForeignKey {
        name: "fk".into(),
        parent_schema: "shop".into(),
        parent: "log".into(),
        on_update: "RESTRICT".into(),
        on_delete: "SET NULL".into(),
    });
}

fn events(scene: &mut Scene, statuses: [&str; 2]) {
    for (index, status) in statuses.into_iter().enumerate() {
        let event = Event {
            schema: "shop".into(),
            name: "nightly".into(),
            status: status.into(),
        };
        live(scene, index)
            .schema
            .as_mut()
            .expect("read")
            .events
            .push(event);
    }
}

fn triggers(scene: &mut Scene, statements: [&str; 2]) {
    for (index, statement) in statements.into_iter().enumerate() {
        let trigger = Trigger {
            schema: "shop".into(),
            name: "t".into(),
            table: "info".into(),
            when: "BEFORE INSERT".into(),
            statement: statement.into(),
        };
        live(scene, index)
            .schema
            .as_mut()
            .expect("read")
            .triggers
            .push(trigger);
    }
}

#[test]
fn an_event_that_sleeps_on_the_replica_is_as_it_should_be() {
    let mut scene = mysql();
    events(&mut scene, ["ENABLED", "REPLICA_SIDE_DISABLED"]);
    assert_eq!(examine(&scene), []);
}

#[test]
fn newer_mysql_logs_what_a_foreign_key_does() {
    let mut scene = mysql();
    cascade(&mut scene);
    assert_eq!(examine(&scene), []);
}

#[test]
fn the_same_column_written_by_two_versions_is_the_same() {
    let mut scene = mysql();
    let column = &mut table_of_b(&mut scene).columns[0];
    column.kind = "int".into();
    let column = &mut table_of_b(&mut scene).columns[1];
    column.default = Some("NULL".into());
    assert_eq!(examine(&scene), []);
}

#[test]
fn what_is_the_same_on_both_nodes_is_said_once() {
    let mut scene = mysql();
    for index in 0..2 {
        live(&mut scene, index)
            .schema
            .as_mut()
            .expect("read")
            .tables[0]
            .engine = "MEMORY".into();
    }
    let findings = examine(&scene);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].nodes, ["a", "b"]);
    assert_eq!(findings[0].place.as_deref(), Some("shop.info"));
}

#[test]
fn ten_thousand_tables_are_no_trouble() {
    let mut scene = mysql();
    for index in 0..2 {
        let tables = &mut live(&mut scene, index)
            .schema
            .as_mut()
            .expect("read")
            .tables;
        *tables = (0..10_000)
            .map(|number| table(&format!("t{number:05}")))
            .collect();
        tables
            .iter_mut()
            .for_each(|table| table.engine = "MyISAM".into());
    }
    assert_eq!(examine(&scene).len(), 10_000);
}

#[test]
fn policies_that_fit_the_tables_are_no_finding() {
    let mut scene = mysql();
    policy(&mut scene, "shop.info", &["ID"]);
    assert_eq!(examine(&scene), []);
    // Before there are tables nothing can be said of them.
    for index in 0..2 {
        live(&mut scene, index)
            .schema
            .as_mut()
            .expect("read")
            .tables
            .clear();
    }
    policy(&mut scene, "other.*", &[]);
    assert_eq!(examine(&scene), []);
}

#[test]
fn a_unique_key_without_nulls_names_rows_as_well() {
    let mut scene = mysql();
    for index in 0..2 {
        let schema = live(&mut scene, index).schema.as_mut().expect("read");
        schema.tables[0].keys[0].name = "u".into();
    }
    assert_eq!(examine(&scene), []);
}

#[test]
fn triggers_are_a_warning_where_a_policy_repairs() {
    let severity = |change: fn(&mut Scene)| {
        let mut scene = mysql();
        triggers(&mut scene, ["x", "x"]);
        change(&mut scene);
        let found = examine(&scene);
        let of = found.iter().find(|finding| finding.code == "TL309");
        of.map(|finding| finding.severity)
    };
    assert_eq!(severity(|_| {}), Some(Severity::Warning));
    assert_eq!(
        severity(|scene| {
            scene.config.as_mut().expect("a pair").conflicts.policy = Policy::Manual;
        }),
        Some(Severity::Info)
    );
}
