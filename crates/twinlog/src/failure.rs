//! Failures as people see them: rendered once, here, with what to do about them.

use twinlog_pair::{
    apply,
    config::ConfigError,
    plan::{Blame, Refusal},
    prove, site, up,
};
use twinlog_server::{conn, secrets::SecretError};

use crate::output::tell;

/// The honest answer is "no".
pub(crate) const NO: u8 = 1;
/// The user's mistake.
pub(crate) const USAGE: u8 = 2;
/// The world failed.
pub(crate) const WORLD: u8 = 3;
/// Ctrl-C, as shells count it: 128 and the signal's number.
pub(crate) const INTERRUPTED: u8 = 130;
/// SIGTERM, counted in the same way.
pub(crate) const TERMINATED: u8 = 143;

/// A failure: the exit code, and one or more messages with their hints.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    messages: Vec<(String, Option<String>)>,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>, hint: Option<String>) -> Self {
        Self {
            code,
            messages: vec![(message.into(), hint)],
        }
    }

    /// Several failures of one kind, each with its hint.
    pub(crate) fn several(
        code: u8,
        messages: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> Self {
        Self {
            code,
            messages: messages.into_iter().collect(),
        }
    }

    /// Writes the failure to standard error.
    pub(crate) fn print(&self) {
        for (message, hint) in &self.messages {
            tell(&format!("\x1b[1;31merror:\x1b[0m {}", indent(message)));
            if let Some(hint) = hint {
                tell(&format!("\x1b[1;36mhint:\x1b[0m {}", indent(hint)));
            }
        }
    }
}

/// Later lines stand under the first one's text.
fn indent(text: &str) -> String {
    text.trim_end().replace('\n', "\n       ")
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(USAGE, error.to_string(), error.hint())
    }
}

impl From<Vec<Refusal>> for Failure {
    fn from(refusals: Vec<Refusal>) -> Self {
        // A mistake in the configuration explains the rest, so it decides.
        let code = if refusals
            .iter()
            .any(|refusal| refusal.blame == Blame::Config)
        {
            USAGE
        } else if refusals.iter().any(|refusal| refusal.blame == Blame::World) {
            WORLD
        } else {
            NO
        };
        Self {
            code,
            messages: refusals
                .into_iter()
                .map(|refusal| (refusal.message, refusal.hint))
                .collect(),
        }
    }
}

impl From<up::Error> for Failure {
    fn from(error: up::Error) -> Self {
        let hint = error.hint();
        match error {
            up::Error::Refused(refusals) => refusals.into(),
            up::Error::Declined | up::Error::Watched { .. } => {
                Self::new(NO, error.to_string(), hint)
            }
            up::Error::Step(ref step) if step.is_unsaved() => {
                Self::new(NO, error.to_string(), hint)
            }
            _ => Self::new(WORLD, error.to_string(), hint),
        }
    }
}

impl From<site::Error> for Failure {
    fn from(error: site::Error) -> Self {
        Self::new(WORLD, error.to_string(), error.hint())
    }
}

impl From<apply::Cause> for Failure {
    fn from(cause: apply::Cause) -> Self {
        let hint = cause.hint();
        Self::new(WORLD, cause.to_string(), hint)
    }
}

impl From<prove::Error> for Failure {
    fn from(error: prove::Error) -> Self {
        Self::new(WORLD, error.to_string(), error.hint())
    }
}

impl From<conn::Error> for Failure {
    fn from(error: conn::Error) -> Self {
        Self::new(WORLD, error.to_string(), error.hint())
    }
}

impl From<SecretError> for Failure {
    fn from(error: SecretError) -> Self {
        Self::new(WORLD, error.to_string(), error.hint())
    }
}
