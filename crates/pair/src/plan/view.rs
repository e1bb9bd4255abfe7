//! A plan for programs: what `twinlog plan --json` prints, field by field stable.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Action, Phase, Plan};

/// What `twinlog up` would do, in order. Nothing is missing when `steps` is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlanView {
    /// What is missing.
    pub steps: Vec<StepView>,
    /// What twinlog cannot or will not do, and what to know about it.
    pub notes: Vec<String>,
    /// Whether more may turn out to be missing once these steps are done.
    pub open: bool,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StepView {
    /// When: first all of `machine`, then `server`, then `link`.
    pub phase: PhaseView,
    /// The node it is for; null for what concerns the pair.
    pub node: Option<String>,
    /// What, in a few words.
    pub title: String,
    /// What kind of thing it does.
    pub kind: Kind,
    /// What exactly: commands, the lines of files, SQL statements. Secrets are `'***'`.
    pub lines: Vec<String>,
    /// How it is undone, or why it cannot be.
    pub undo: String,
}

/// The order of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseView {
    /// Directories, files, processes.
    Machine,
    /// Settings, accounts and tables of one server.
    Server,
    /// The links, and what both servers must be ready for.
    Link,
}

/// What kind of thing a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Makes the pair's directory.
    Found,
    /// Generates passwords.
    MakeSecrets,
    /// Makes certificates.
    MintCertificates,
    /// Makes a node's directory.
    Claim,
    /// Writes an option file.
    WriteConfig,
    /// Gets an image.
    PullImage,
    /// Makes the containers' network.
    CreateNetwork,
    /// Makes a container and its volume.
    CreateContainer,
    /// Removes a container in which no server was ever ready.
    DiscardContainer,
    /// Makes data directories.
    Initialise,
    /// Starts a server.
    Start,
    /// Waits for a server that was started before.
    Await,
    /// Stops a server and starts it again.
    Restart,
    /// Takes a node out of the pair, to make it again.
    Unmake,
    /// Copies one node's data onto the other.
    Copy,
    /// Runs statements.
    Sql,
    /// Waits for a condition.
    WaitFor,
}

impl From<&Action> for Kind {
    fn from(action: &Action) -> Self {
        match action {
            Action::Found { .. } => Self::Found,
            Action::MakeSecrets { .. } => Self::MakeSecrets,
            Action::MintCertificates { .. } => Self::MintCertificates,
            Action::Claim { .. } => Self::Claim,
            Action::WriteConfig { .. } => Self::WriteConfig,
            Action::PullImage { .. } => Self::PullImage,
            Action::CreateNetwork { .. } => Self::CreateNetwork,
            Action::CreateContainer { .. } => Self::CreateContainer,
            Action::DiscardContainer => Self::DiscardContainer,
            Action::Initialise { .. } => Self::Initialise,
            Action::Start { .. } => Self::Start,
            Action::Await { .. } => Self::Await,
            Action::Restart { .. } => Self::Restart,
            Action::Unmake { .. } => Self::Unmake,
            Action::Copy { .. } => Self::Copy,
            Action::Sql(_) => Self::Sql,
            Action::WaitFor { .. } => Self::WaitFor,
        }
    }
}

impl Plan {
    /// The plan for programs; `nodes` are the names of both nodes.
    pub fn view(&self, nodes: [&str; 2]) -> PlanView {
        let steps = self.steps.iter().map(|step| StepView {
            phase: match step.phase {
                Phase::Machine => PhaseView::Machine,
                Phase::Server => PhaseView::Server,
                Phase::Link => PhaseView::Link,
            },
            node: step
                .node
                .and_then(|index| nodes.get(index))
                .map(|&name| name.to_owned()),
            title: step.title.clone(),
            kind: (&step.action).into(),
            lines: step.action.to_string().lines().map(str::to_owned).collect(),
            undo: step.undo.clone(),
        });
        PlanView {
            steps: steps.collect(),
            notes: self.notes.clone(),
            open: self.open,
        }
    }
}
