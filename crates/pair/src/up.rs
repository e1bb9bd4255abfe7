//! `up`: observe, plan, apply, until nothing is missing; then prove it.

use std::time::Duration;

use twinlog_server::conn::{Conn, Error as ConnError};

use crate::{
    apply::{self, Progress, patiently},
    config::Runtime,
    observe::{PairFacts, observe},
    plan::{Action, Phase, Plan, Refusal, Step, plan},
    prove::{self, Proven},
    site::{self, Login, Site},
    watch_state::AGENT_LOCK,
};

/// A pair is up after three rounds (processes, servers, links) and a link that must stand still takes two more; what
/// is still missing after this many is something that does not stay done.
const ROUNDS_MAX: usize = 10;
/// The server-side lock that keeps twinlogs on different machines apart.
pub(crate) const LOCK_NAME: &str = "twinlog.up";

/// What the caller shows and asks.
pub trait Ui: Progress {
    /// Shows a plan before it is carried out; `false` stops here. `asks` where a server of someone else's changes.
    fn approve(&self, plan: &Plan, asks: bool) -> bool;
}

/// What `up` did.
#[derive(Debug)]
pub struct Done {
    /// How many steps were carried out; 0 for a pair that lacked nothing.
    pub steps: usize,
    /// Whether data was copied from one node to the other.
    pub copied: bool,
    /// Notes of the last plan.
    pub notes: Vec<String>,
    /// Both links, proven.
    pub proofs: Vec<Proven>,
}

/// Why there is no proven pair.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no plan.
    #[error("{}", .0.iter().map(|refusal| refusal.message.clone()).collect::<Vec<_>>().join("\n"))]
    Refused(Vec<Refusal>),
    /// The user said no.
    #[error("nothing was changed")]
    Declined,
    /// The pair's own files.
    #[error(transparent)]
    Site(#[from] site::Error),
    /// A step failed.
    #[error(transparent)]
    Step(#[from] apply::Error),
    /// Another twinlog, on whatever machine, is changing this pair.
    #[error("another twinlog is changing this pair: it holds a lock on {node}")]
    Busy {
        /// The node whose lock it holds.
        node: String,
    },
    /// An agent follows both logs, one of which is to begin anew.
    #[error("an agent follows this pair: it holds a lock on {node}")]
    Watched {
        /// The node whose lock it holds.
        node: String,
    },
    /// A server broke off while the lock was taken.
    #[error(transparent)]
    Sql(#[from] ConnError),
    /// Steps were carried out, and are missing again.
    #[error("after {ROUNDS_MAX} rounds there still is something to do: {}", .0.steps.iter().map(|step| step.title.as_str()).collect::<Vec<_>>().join("; "))]
    Unsettled(Plan),
    /// A link is not proven.
    #[error(transparent)]
    Unproven(#[from] prove::Error),
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refusals) => {
                let hints: Vec<String> = refusals.iter().filter_map(|refusal| refusal.hint.clone()).collect();
                (!hints.is_empty()).then(|| hints.join("\n"))
            }
            Self::Declined => None,
            Self::Site(error) => error.hint(),
            Self::Step(error) => error.hint(),
            Self::Busy { node } => Some(format!("wait for it to end; `SELECT IS_USED_LOCK('{LOCK_NAME}')` on {node} tells its connection")),
            Self::Watched { .. } => Some("stop `twinlog run`, wherever it runs, and start it again afterwards".into()),
            Self::Sql(error) => error.hint(),
            Self::Unsettled(_) => Some("something undoes what twinlog does: a SET GLOBAL of someone else's, or an option in conflict".into()),
            Self::Unproven(error) => error.hint(),
        }
    }
}

/// Makes the pair what `twinlog.toml` says, and proves it.
///
/// # Errors
/// Everything that kept it from that; whatever was done stays done, and the next run goes on from there.
pub async fn up(site: &mut Site, ui: &dyn Ui) -> Result<Done, Error> {
    run(site, ui, None).await
}

/// Makes a node again from its peer, whatever it has, and then the pair whole as [`up`] does. [`Ui::save`](Progress::save)
/// is asked to save what the node alone has. Cut off, [`up`] goes on with it.
///
/// # Errors
/// As those of [`up`]; [`Error::Watched`] where an agent follows the pair.
pub async fn rebuild(site: &mut Site, node: usize, ui: &dyn Ui) -> Result<Done, Error> {
    run(site, ui, Some(node)).await
}

async fn run(site: &mut Site, ui: &dyn Ui, mut rebuild: Option<usize>) -> Result<Done, Error> {
    let mut machine_lock = None;
    let mut server_locks: Vec<Conn> = Vec::new();
    let (mut steps, mut copied) = (0, false);
    let external = site
        .nodes()
        .iter()
        .any(|node| site.config.runtime_of(node) == Runtime::External);
    let mut approved: Option<Plan> = None;
    for _ in 0..ROUNDS_MAX {
        if machine_lock.is_none() && site.is_founded() {
            machine_lock = Some(site.lock()?);
        }
        let mut facts = patiently(ui, "looking at both nodes", observe(site)).await;
        // What it had was given up by the run before.
        rebuild = rebuild.filter(|&node| !facts.is_cloned(node));
        facts.rebuild = rebuild;
        let limits = ui.copy_limits();
        (facts.way, facts.accounts) = (limits.way, limits.accounts);
        let plan = plan(site, &facts).map_err(Error::Refused)?;
        if plan.steps.is_empty() {
            for conn in server_locks {
                conn.close().await; // Merely dropped, it would leave a warning in the server's log.
            }
            let proofs = patiently(
                ui,
                "waiting for what was written on one node to be read on the other",
                prove::prove(site, prove::PROOF_TIMEOUT),
            )
            .await?;
            return Ok(Done {
                steps,
                copied,
                notes: plan.notes,
                proofs,
            });
        }
        // What was shown as part of an earlier plan need not be asked again.
        let new = approved.as_ref().is_none_or(|shown| {
            plan.steps
                .iter()
                .any(|step| !shown.steps.iter().any(|known| known.title == step.title))
        });
        let unmakes = |step: &Step| matches!(step.action, Action::Unmake { .. });
        if new && !ui.approve(&plan, external || plan.steps.iter().any(unmakes)) {
            return Err(Error::Declined);
        }
        let round = plan.next_round();
        if server_locks.is_empty() && round.iter().any(|step| step.phase > Phase::Machine) {
            server_locks = lock_servers(site, LOCK_NAME)
                .await?
                .map_err(|node| Error::Busy { node })?;
            if (0..2).any(|node| rebuild == Some(node) || is_unmade(&facts, node)) {
                let watch_locks = lock_servers(site, AGENT_LOCK).await?;
                server_locks.extend(watch_locks.map_err(|node| Error::Watched { node })?);
            }
            // The plan is from before the lock, and whoever held it may have changed what it stands on.
            approved = Some(plan);
            continue;
        }
        apply::apply(site, round, ui).await?;
        steps += round.len();
        if round.iter().any(unmakes) {
            rebuild = None;
        }
        copied |= round
            .iter()
            .any(|step| matches!(step.action, Action::Copy { .. }));
        if round.iter().any(|step| step.phase == Phase::Machine) {
            // A server that was restarted has forgotten the lock.
            server_locks.clear();
        }
        approved = Some(plan);
    }
    Err(Error::Unsettled(approved.unwrap_or_default()))
}

/// Whether a node is taken out of the pair already.
fn is_unmade(facts: &PairFacts, node: usize) -> bool {
    let mark = facts.nodes[node].half_copy.as_ref();
    mark.is_some_and(|mark| mark.rebuilt)
}

/// Takes a lock on both servers; it lasts as long as the connections. Or says on which node somebody else has it.
pub(crate) async fn lock_servers(
    site: &Site,
    lock: &str,
) -> Result<Result<Vec<Conn>, String>, ConnError> {
    let mut held = Vec::new();
    for node in site.nodes() {
        let mut conn = site
            .connect(node, Login::Admin, Duration::from_secs(5))
            .await?;
        // A copy takes hours, in which nothing is said on this connection.
        conn.execute("SET SESSION wait_timeout = 604800").await?;
        let got = conn.value(&format!("SELECT GET_LOCK('{lock}', 0)")).await?;
        if got.as_deref() != Some("1") {
            return Ok(Err(node.name.clone()));
        }
        held.push(conn);
    }
    Ok(Ok(held))
}
