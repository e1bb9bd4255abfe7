//! Every rule fires where it should and is silent where all is well.

mod baseline;
mod files;
mod links;
mod pages;
mod schemas;
mod servers;

use std::collections::BTreeSet;

use super::*;

/// A fault: the rule that must see it, the healthy scene it is put into, and how.
struct Case(&'static str, fn() -> Scene, fn(&mut Scene));

fn cases() -> Vec<&'static Case> {
    [servers::CASES, links::CASES, schemas::CASES, files::CASES]
        .into_iter()
        .flatten()
        .collect()
}

fn codes(scene: &Scene) -> BTreeSet<&'static str> {
    examine(scene).iter().map(|finding| finding.code).collect()
}

#[test]
fn all_is_well_where_all_is_well() {
    for scene in baseline::all() {
        assert_eq!(examine(&scene), [], "{:?}", scene.subjects[0].version);
    }
}

#[test]
fn each_fault_is_seen_and_only_where_it_is() {
    for Case(code, healthy, fault) in cases() {
        let mut scene = healthy();
        assert!(!codes(&scene).contains(code), "{code} without its fault");
        fault(&mut scene);
        let findings = examine(&scene);
        let found: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.code == *code)
            .collect();
        assert!(!found.is_empty(), "{code} is not seen: {findings:#?}");
        for finding in found {
            assert!(
                !finding.seen.is_empty() && !finding.nodes.is_empty(),
                "{finding:?}"
            );
        }
    }
}

#[test]
fn every_rule_has_a_fault_that_shows_it() {
    let tried: BTreeSet<&str> = cases().iter().map(|Case(code, ..)| *code).collect();
    let all: BTreeSet<&str> = rules().iter().map(|rule| rule.code).collect();
    assert_eq!(tried, all);
}

#[test]
fn codes_are_unique_and_texts_whole() {
    let mut seen = BTreeSet::new();
    for rule in rules() {
        assert!(seen.insert(rule.code), "{} is there twice", rule.code);
        let number = rule.code.strip_prefix("TL").map(str::parse::<u16>);
        assert!(matches!(number, Some(Ok(1..=499))), "{}", rule.code);
        for text in [rule.why, rule.advice] {
            assert!(
                text.ends_with(['.', ')']) && !text.contains("  "),
                "{}: {text}",
                rule.code
            );
        }
        assert!(!rule.title.ends_with('.'), "{}", rule.code);
    }
    assert!(seen.len() >= 40, "{} rules", seen.len());
}

#[test]
fn the_worst_comes_first() {
    let mut scene = baseline::mysql();
    baseline::set(&mut scene, 0, "sync_binlog", "0");
    baseline::set(&mut scene, 0, "binlog_format", "MIXED");
    let severities: Vec<Severity> = examine(&scene)
        .iter()
        .map(|finding| finding.severity)
        .collect();
    assert_eq!(severities, [Severity::Error, Severity::Warning]);
}
