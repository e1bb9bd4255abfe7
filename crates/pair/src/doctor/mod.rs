//! Doctor: rules over facts. What a server, a link, an account, a table or an option file is held against, each rule
//! with a code that never changes its meaning.
//!
//! [`examine`] is pure: the same [`Scene`] gives the same findings. Facts come from [`gather`] (two servers) or from
//! [`Scene::of_files`] (option files by themselves); a rule does not know which, where the subject is the same.

mod accounts;
mod catalogue;
mod conflicts;
mod files;
mod filters;
pub mod gather;
mod gtids;
mod lifetimes;
mod links;
pub mod page;
mod removed;
pub mod report;
mod scene;
mod schemas;
mod servers;
mod settings;
mod tables;

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

pub use scene::{Live, Scene, Subject};
pub use settings::Settings;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// It hurts when something else goes wrong, such as a crash, an outage or a fail-over.
    Warning,
    /// In ordinary use the pair does not work, or loses data, or its nodes come to differ.
    Error,
}

impl Severity {
    /// All, the worst first.
    pub const ALL: [Self; 3] = [Self::Error, Self::Warning, Self::Info];

    /// Its name in text and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// A server's settings, and those of two servers together.
    Servers,
    /// The links between the nodes, and others.
    Links,
    /// Who may log in, and certificates.
    Accounts,
    /// Tables, triggers and events.
    Schemas,
    /// What only an option file can have wrong.
    Files,
}

impl Area {
    /// All, in the order of their codes.
    pub const ALL: [Self; 5] = [
        Self::Servers,
        Self::Links,
        Self::Accounts,
        Self::Schemas,
        Self::Files,
    ];

    /// A heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Servers => "Servers",
            Self::Links => "Links",
            Self::Accounts => "Accounts and certificates",
            Self::Schemas => "Schemas",
            Self::Files => "Option files",
        }
    }
}

/// One rule.
pub struct Rule {
    /// `TL` and three digits; never used for anything else.
    pub code: &'static str,
    /// How bad what it finds is.
    pub severity: Severity,
    /// What it finds, in a few words.
    pub title: &'static str,
    /// Why that hurts.
    pub why: &'static str,
    /// What to do about it.
    pub advice: &'static str,
    check: fn(&Scene) -> Vec<Hit>,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rule({})", self.code)
    }
}

impl Rule {
    /// What it is about: the hundreds of its code.
    pub fn area(&self) -> Area {
        match self.code.as_bytes().get(2) {
            Some(b'1') => Area::Links,
            Some(b'2') => Area::Accounts,
            Some(b'3') => Area::Schemas,
            Some(b'4') => Area::Files,
            _ => Area::Servers,
        }
    }

    /// Everything about it, as `--explain` shows it.
    pub fn explain(&self) -> String {
        format!(
            "{} ({}, {})\n{}\n\nWhy it hurts\n{}\n\nWhat to do\n{}\n",
            self.code,
            self.severity,
            self.area().title().to_lowercase(),
            self.title,
            self.why,
            self.advice
        )
    }
}

/// Something found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// The rule's code, stable for ever.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What the rule finds, in a few words.
    pub title: &'static str,
    /// The nodes it was seen on, or the option files it was seen in.
    pub nodes: Vec<String>,
    /// Where there: a variable, a table, an account, `file:line`.
    pub place: Option<String>,
    /// What was seen.
    pub seen: String,
    /// Why that hurts.
    pub why: &'static str,
    /// What to do about it.
    pub advice: String,
}

/// What a rule's check has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hit {
    nodes: Vec<String>,
    place: Option<String>,
    seen: String,
    advice: Option<String>,
    /// Where it is worse than the rule says in general.
    severity: Option<Severity>,
}

impl Hit {
    fn on(subject: &Subject, seen: impl Into<String>) -> Self {
        Self {
            nodes: vec![subject.name.clone()],
            place: None,
            seen: seen.into(),
            advice: None,
            severity: None,
        }
    }

    fn both([a, b]: [&Subject; 2], seen: impl Into<String>) -> Self {
        Self {
            nodes: vec![a.name.clone(), b.name.clone()],
            place: None,
            seen: seen.into(),
            advice: None,
            severity: None,
        }
    }

    fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    fn severe(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// Says what to do better than the rule's general advice can.
    fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

const TABLES: [&[Rule]; 14] = [
    servers::identity::RULES,
    servers::log::RULES,
    servers::durability::RULES,
    servers::applier::RULES,
    servers::alike::RULES,
    servers::machine::RULES,
    links::RULES,
    filters::RULES,
    gtids::RULES,
    accounts::RULES,
    schemas::RULES,
    tables::RULES,
    conflicts::RULES,
    files::RULES,
];

/// Every rule, ordered by code.
pub fn rules() -> Vec<&'static Rule> {
    let mut all: Vec<&Rule> = TABLES.into_iter().flatten().collect();
    all.sort_by_key(|rule| rule.code);
    all
}

/// The rule of that code, whatever its case.
pub fn rule(code: &str) -> Option<&'static Rule> {
    rules()
        .into_iter()
        .find(|rule| rule.code.eq_ignore_ascii_case(code))
}

/// All findings of all rules: the worst first, then by code.
pub fn examine(scene: &Scene) -> Vec<Finding> {
    let mut findings: Vec<Finding> = rules()
        .into_iter()
        .flat_map(|rule| {
            (rule.check)(scene)
                .into_iter()
                .map(|hit| finding(rule, hit))
        })
        .collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

fn finding(rule: &'static Rule, hit: Hit) -> Finding {
    Finding {
        code: rule.code,
        severity: hit.severity.unwrap_or(rule.severity),
        title: rule.title,
        nodes: hit.nodes,
        place: hit.place,
        seen: hit.seen,
        why: rule.why,
        advice: hit.advice.unwrap_or_else(|| rule.advice.to_owned()),
    }
}

#[cfg(test)]
mod tests;
