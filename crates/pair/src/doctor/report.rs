//! What `twinlog doctor` answers: the findings that were asked for.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Finding, Severity,
    gather::{Silent, Unchecked},
};

/// Which findings are asked for.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only findings at least as bad.
    pub at_least: Option<Severity>,
    /// Only these codes; none for all.
    pub only: Vec<String>,
    /// Not these codes.
    pub ignore: Vec<String>,
}

impl Selection {
    /// Whether a finding is asked for.
    pub fn takes(&self, finding: &Finding) -> bool {
        let named = |codes: &[String]| {
            codes
                .iter()
                .any(|code| code.eq_ignore_ascii_case(finding.code))
        };
        self.at_least
            .is_none_or(|severity| finding.severity >= severity)
            && (self.only.is_empty() || named(&self.only))
            && !named(&self.ignore)
    }
}

/// The JSON document of `twinlog doctor --json`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(title = "twinlog doctor")]
pub struct Report {
    /// No finding is a warning or worse, and every server was asked.
    pub healthy: bool,
    /// How many findings are errors.
    pub errors: usize,
    /// How many are warnings.
    pub warnings: usize,
    /// How many are for information.
    pub infos: usize,
    /// The findings, the worst first.
    pub findings: Vec<Finding>,
    /// Servers that could not be asked.
    pub silent: Vec<Silent>,
    /// What could not be looked at.
    pub unchecked: Vec<Unchecked>,
}

impl Report {
    /// Of all findings, those that are asked for.
    pub fn new(
        findings: Vec<Finding>,
        selection: &Selection,
        silent: Vec<Silent>,
        unchecked: Vec<Unchecked>,
    ) -> Self {
        let findings: Vec<Finding> = findings
            .into_iter()
            .filter(|finding| selection.takes(finding))
            .collect();
        let count = |severity| {
            findings
                .iter()
                .filter(|finding| finding.severity == severity)
                .count()
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        Self {
            healthy: errors + warnings == 0 && silent.is_empty(),
            errors,
            warnings,
            infos: count(Severity::Info),
            findings,
            silent,
            unchecked,
        }
    }
}
