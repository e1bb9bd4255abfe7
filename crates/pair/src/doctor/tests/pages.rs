//! The page that is made of the rules, and the report.

use std::{fs, path::Path};

use super::baseline::{mysql, set};
use crate::doctor::{
    Severity, examine, page,
    report::{Report, Selection},
    rule, rules,
};

#[test]
fn the_page_lists_every_rule() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/doctor.md");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::create_dir_all(path.parent().expect("it has one")).expect("docs can be made");
        fs::write(&path, page::page()).expect("docs can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page::page(),
        "docs/doctor.md is out of date: run this test with UPDATE_SCHEMAS=1"
    );
    for rule in rules() {
        assert!(
            kept.contains(&format!("\n### {}: {}\n", rule.code, rule.title)),
            "{}",
            rule.code
        );
    }
}

#[test]
fn a_rule_is_found_by_its_code() {
    let explained = rule("tl301").expect("there").explain();
    assert!(
        explained.starts_with("TL301 (error, schemas)\n"),
        "{explained}"
    );
    assert!(rule("TL999").is_none());
}

#[test]
fn a_report_holds_what_was_asked_for() {
    let mut scene = mysql();
    set(&mut scene, 0, "sync_binlog", "0");
    set(&mut scene, 0, "binlog_format", "MIXED");
    set(&mut scene, 0, "character_set_server", "utf8");
    set(&mut scene, 1, "character_set_server", "utf8");
    let report = |selection: Selection| {
        let report = Report::new(examine(&scene), &selection, Vec::new(), Vec::new());
        (report.errors, report.warnings, report.infos, report.healthy)
    };
    assert_eq!(report(Selection::default()), (1, 1, 2, false));
    let only = Selection {
        only: vec!["tl056".into()],
        ..Selection::default()
    };
    assert_eq!(report(only), (0, 0, 2, true));
    let ignore = Selection {
        ignore: vec!["TL011".into(), "TL056".into()],
        ..Selection::default()
    };
    assert_eq!(report(ignore), (0, 1, 0, false));
    let errors = Selection {
        at_least: Some(Severity::Error),
        ..Selection::default()
    };
    assert_eq!(report(errors), (1, 0, 0, false));
}
