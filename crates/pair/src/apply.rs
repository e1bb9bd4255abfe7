//! Apply: carries a plan's steps out, in order, and nothing else.
//!
//! Every step can be repeated, and every step leaves either what was there or what it makes: killed anywhere, the next
//! run observes, plans what is still missing, and goes on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use twinlog_server::{
    conn::{Conn, Error as ConnError},
    docker::DockerError,
    process,
    sql::Sql,
};

use crate::{
    config::{Node, Runtime},
    container,
    copy::{
        self, Counters, Limits, Way,
        clone::{Cloning, Taken},
    },
    observe::{listens, mark},
    plan::{Action, Step},
    rebuild,
    site::{Login, Site},
};

/// How long a starting server may take as long as its process lives: crash recovery of a large one takes minutes.
const START_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// How long a stopping server may take: it writes its buffer pool out.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// How often a starting server is tried.
const POLL: Duration = Duration::from_millis(25);
/// How long a server that is still starting is let start before it is told to stop all the same.
const START_BEFORE_STOP: Duration = Duration::from_secs(60);
/// How often it is told how far a copy is.
const COPY_TOLD: Duration = Duration::from_secs(5);
/// How long a condition inside a server may take.
const CONDITION_TIMEOUT: Duration = Duration::from_secs(300);

/// What went wrong, in which step.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {cause}")]
pub struct Error {
    /// The step's title.
    pub step: String,
    /// What happened.
    pub cause: Box<Cause>,
}

/// What can go wrong in a step.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// A file, a secret, a certificate, a process.
    #[error(transparent)]
    Site(#[from] crate::site::Error),
    /// A statement.
    #[error(transparent)]
    Sql(#[from] ConnError),
    /// The docker engine.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// A dialect that twinlog does not know.
    #[error(transparent)]
    Unsupported(#[from] twinlog_server::dialect::Unsupported),
    /// A copy that is not whole.
    #[error(transparent)]
    Copy(#[from] copy::Error),
    /// A node that is not to be made again yet.
    #[error(transparent)]
    Rebuild(#[from] rebuild::Error),
    /// What a node alone has is not saved.
    #[error(transparent)]
    Unsaved(#[from] Unsaved),
    /// Something was waited for in vain.
    #[error("{what} still is not so after {} s", after.as_secs())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// For how long.
        after: Duration,
    },
}

impl From<process::Error> for Cause {
    fn from(error: process::Error) -> Self {
        Self::Site(error.into())
    }
}

impl From<twinlog_server::secrets::SecretError> for Cause {
    fn from(error: twinlog_server::secrets::SecretError) -> Self {
        Self::Site(error.into())
    }
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        self.cause.hint()
    }

    /// Whether nothing failed, but somebody has to decide.
    pub fn is_unsaved(&self) -> bool {
        matches!(*self.cause, Cause::Unsaved(_))
    }
}

impl Cause {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Site(error) => error.hint(),
            Self::Sql(error) => error.hint(),
            Self::Docker(error) => error.hint(),
            Self::Unsupported(error) => error.hint(),
            Self::Copy(error) => error.hint(),
            Self::Rebuild(error) => error.hint(),
            Self::Unsaved(unsaved) => unsaved.hint.clone(),
            Self::TimedOut { .. } => {
                Some("run the same command again: it goes on where it stopped".into())
            }
        }
    }
}

/// What a node alone has could not be saved: it stays as it is.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Unsaved {
    /// Why.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Hears of each step as it begins and ends.
pub trait Progress: Sync {
    /// A step begins.
    fn begin(&self, step: &Step);
    /// A step is done.
    fn end(&self, step: &Step, took: Duration);
    /// Something that is no step takes a while: called after a second, and then every ten.
    fn waiting(&self, what: &str, so_far: Duration);
    /// What came of a step that moved data.
    fn moved(&self, _what: &str) {}
    /// How hard the nodes are driven where data is copied.
    fn copy_limits(&self) -> Limits {
        Limits::default()
    }
    /// Saves what a node alone has, before it is made again; returns in words what that was.
    fn save<'a>(&'a self, site: &'a Site, node: usize) -> BoxFuture<'a, Result<String, Unsaved>> {
        let unsaved = Unsaved {
            message: format!("nobody saves what {} alone has", site.nodes()[node].name),
            hint: None,
        };
        Box::pin(std::future::ready(Err(unsaved)))
    }
}

/// Awaits `work`, telling `progress` when it takes long.
pub async fn patiently<T>(progress: &dyn Progress, what: &str, work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let mut work = std::pin::pin!(work);
    let mut due = Duration::from_secs(1);
    loop {
        match tokio::time::timeout_at((started + due).into(), &mut work).await {
            Ok(result) => return result,
            Err(_) => progress.waiting(what, started.elapsed()),
        }
        due += Duration::from_secs(10);
    }
}

/// Carries out steps: those of one node in order, those of different nodes side by side, those of the pair alone.
///
/// # Errors
/// The first step that fails; a step running beside it is finished first.
pub async fn apply(site: &mut Site, steps: &[Step], progress: &dyn Progress) -> Result<(), Error> {
    // By itself in its round, and the one step that changes what is known of the pair: its id.
    if let [step] = steps
        && matches!(step.action, Action::Found { .. })
    {
        return found(site, step, progress);
    }
    let site = &*site;
    let is_minting = |step: &Step| matches!(step.action, Action::MintCertificates { .. });
    let Some(minting) = steps.iter().position(is_minting) else {
        return in_order(site, steps, progress).await;
    };
    // Making keys takes a good part of a second of one core; data directories are made meanwhile, without them.
    let (before, rest) = steps.split_at(minting);
    let beside = rest[1..]
        .iter()
        .take_while(|step| !needs_certificates(step))
        .count();
    in_order(site, before, progress).await?;
    let (minted, others) = futures_util::future::join(
        run(site, &rest[0], progress),
        in_order(site, &rest[1..=beside], progress),
    )
    .await;
    minted.and(others)?;
    in_order(site, &rest[beside + 1..], progress).await
}

/// Whether a step starts or tells a server to load what is minted.
fn needs_certificates(step: &Step) -> bool {
    !matches!(
        step.action,
        Action::Claim { .. }
            | Action::WriteConfig { .. }
            | Action::Initialise { .. }
            | Action::CreateNetwork { .. }
            | Action::PullImage { .. }
    )
}

fn found(site: &mut Site, step: &Step, progress: &dyn Progress) -> Result<(), Error> {
    progress.begin(step);
    let started = Instant::now();
    site.found().map_err(|cause| Error {
        step: step.title.clone(),
        cause: Box::new(cause.into()),
    })?;
    progress.end(step, started.elapsed());
    Ok(())
}

async fn in_order(site: &Site, steps: &[Step], progress: &dyn Progress) -> Result<(), Error> {
    let mut rest = steps;
    while let Some(first) = rest.first() {
        let together = rest.iter().take_while(|step| step.node.is_some()).count();
        if together == 0 {
            run(site, first, progress).await?;
            rest = &rest[1..];
            continue;
        }
        let (now, later) = rest.split_at(together);
        let lane = |index: usize| async move {
            for step in now.iter().filter(|step| step.node == Some(index)) {
                run(site, step, progress).await?;
            }
            Ok(())
        };
        let (a, b) = futures_util::future::join(lane(0), lane(1)).await;
        a.and(b)?;
        rest = later;
    }
    Ok(())
}

async fn run(site: &Site, step: &Step, progress: &dyn Progress) -> Result<(), Error> {
    progress.begin(step);
    let started = Instant::now();
    act(site, step, progress).await.map_err(|cause| Error {
        step: step.title.clone(),
        cause: Box::new(cause),
    })?;
    progress.end(step, started.elapsed());
    Ok(())
}

async fn act(site: &Site, step: &Step, progress: &dyn Progress) -> Result<(), Cause> {
    let node = step.node.map(|index| site.nodes()[index]);
    match (&step.action, node) {
        // `apply` founds the pair itself, because that may change the pair's id.
        (Action::Found { .. }, _) => Ok(()),
        (Action::MakeSecrets { .. }, _) => Ok(site.make_secrets()?),
        (Action::MintCertificates { .. }, _) => Ok(blocking(site, Site::mint_certificates).await?),
        (Action::CreateNetwork { .. }, _) => container::create_network(site).await,
        (Action::Claim { .. }, Some(node)) => Ok(process::claim(
            &site.paths(node),
            &mark(site, node),
            site.run_as()?.as_ref(),
        )?),
        (Action::WriteConfig { path, text }, _) => Ok(site.write_config(path, text)?),
        (
            Action::Initialise {
                nodes, statements, ..
            },
            _,
        ) => initialise(site, nodes, statements).await,
        (Action::Start { .. }, Some(node)) => start(site, node).await,
        (Action::PullImage { .. }, Some(node)) => container::pull(site, node).await,
        (Action::CreateContainer { config, .. }, Some(node)) => {
            container::create(site, node, config).await
        }
        (Action::DiscardContainer, Some(node)) => container::discard(site, node).await,
        (Action::Await { .. }, Some(node)) => {
            // Not our child: how it ended is not known.
            wait_for_answer(site, node, || Some("it has ended".into())).await
        }
        (Action::Restart { node }, _) => {
            let node = site.nodes()[*node];
            stop(site, node).await?;
            start(site, node).await
        }
        (Action::Copy { from, clones, .. }, _) => copy_data(site, *from, *clones, progress).await,
        (Action::Unmake { node, .. }, _) => unmake(site, *node, progress).await,
        (Action::Sql(statements), Some(node)) => sql(site, node, statements).await,
        (Action::WaitFor { sql, value }, Some(node)) => wait_for(site, node, sql, value).await,
        (
            Action::Claim { .. }
            | Action::Start { .. }
            | Action::PullImage { .. }
            | Action::CreateContainer { .. }
            | Action::DiscardContainer
            | Action::Await { .. }
            | Action::Sql(_)
            | Action::WaitFor { .. },
            None,
        ) => {
            unreachable!("the planner gives these steps a node")
        }
    }
}

/// Runs file work that takes a while off the thread that serves connections.
async fn blocking<T: Send + 'static>(
    site: &Site,
    work: impl FnOnce(&Site) -> T + Send + 'static,
) -> T {
    let site = site.clone();
    match tokio::task::spawn_blocking(move || work(&site)).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

async fn initialise(site: &Site, nodes: &[usize], statements: &[Sql]) -> Result<(), Cause> {
    let lines: String = expose(site, statements)?;
    let nodes = nodes.to_vec();
    blocking(site, move |site| {
        let first = site.nodes()[nodes[0]];
        let binary = process::Binary::find(&site.binary_name(first))?;
        let dialect = twinlog_server::dialect::Dialect::of(&binary.version)?;
        let paths: Vec<_> = nodes
            .iter()
            .map(|&index| site.paths(site.nodes()[index]))
            .collect();
        let paths: Vec<_> = paths.iter().collect();
        Ok(process::initialise(
            &binary,
            dialect,
            &paths,
            site.run_as()?.as_ref(),
            &lines.into(),
        )?)
    })
    .await
}

/// The statements one a line, as a bootstrapping server reads them.
fn expose(site: &Site, statements: &[Sql]) -> Result<String, Cause> {
    use secrecy::ExposeSecret;
    let mut lines = String::new();
    for statement in statements {
        lines += statement.expose(|name| site.secret(name))?.expose_secret();
        lines += ";\n";
    }
    Ok(lines)
}

/// Starts a node's server and waits until it lets twinlog in.
///
/// # Errors
/// [`process::Error::StartFailed`] with its log's last lines when it ends instead.
pub async fn start(site: &Site, node: &Node) -> Result<(), Cause> {
    if site.config.runtime_of(node) == Runtime::Docker {
        return container::start(site, node).await;
    }
    let paths = site.paths(node);
    let binary = process::Binary::find(&site.binary_name(node))?;
    let mut child = process::start(&binary, &paths, site.run_as()?.as_ref())?;
    wait_for_answer(site, node, || {
        child
            .try_wait()
            .ok()
            .flatten()
            .map(|status| status.to_string())
    })
    .await
}

/// Waits until a node's server lets twinlog in; `ended` tells how it ended, if it did.
async fn wait_for_answer(
    site: &Site,
    node: &Node,
    mut ended: impl FnMut() -> Option<String>,
) -> Result<(), Cause> {
    let paths = site.paths(node);
    let started = Instant::now();
    loop {
        match site
            .connect(node, Login::Admin, Duration::from_secs(5))
            .await
        {
            Ok(conn) => {
                conn.close().await;
                return Ok(());
            }
            // It is up, and lets nobody in: waiting would not help.
            Err(error @ ConnError::Refused { code: 1045, .. }) => return Err(error.into()),
            Err(_) => {}
        }
        // Another twinlog's server may have won the race for the data directory; then ours ends and theirs is found.
        if let Some(status) = ended()
            && process::find(&paths).is_none()
        {
            return Err(process::start_failure(&paths, status).into());
        }
        if started.elapsed() > START_TIMEOUT {
            let status = format!("no answer after {} s", START_TIMEOUT.as_secs());
            return Err(process::start_failure(&paths, status).into());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Stops a node's server cleanly; nothing to do when it does not run. Returns whether it ran.
///
/// # Errors
/// [`process::Error::StopTimeout`].
pub async fn stop(site: &Site, node: &Node) -> Result<bool, Cause> {
    if site.config.runtime_of(node) == Runtime::Docker {
        return container::stop(site, node).await;
    }
    let paths = site.paths(node);
    let found = Instant::now();
    // A MariaDB told to stop while it starts may hang for good (seen on 10.11.19, in `init_slave`): let it start first.
    while process::find(&paths).is_some()
        && !listens(site, node)
        && found.elapsed() < START_BEFORE_STOP
    {
        tokio::time::sleep(POLL).await;
    }
    match process::stop(&paths)? {
        Some(running) => {
            process::wait_until_gone(&paths, running, STOP_TIMEOUT).await?;
            Ok(true)
        }
        None => Ok(false),
    }
}

async fn sql(site: &Site, node: &Node, statements: &[Sql]) -> Result<(), Cause> {
    let mut conn = site.connect(node, Login::Admin, site.patience()).await?;
    for statement in statements {
        let exposed = statement.expose(|name| site.secret(name))?;
        conn.execute_secret(&exposed, &statement.to_string())
            .await?;
    }
    conn.close().await;
    Ok(())
}

/// Takes a node out of the pair, once what it alone has is saved. Killed before it is marked, it is a node of the pair still.
async fn unmake(site: &Site, node: usize, progress: &dyn Progress) -> Result<(), Cause> {
    copy::check(site, 1 - node).await?;
    let closing = rebuild::close(site, node);
    let closed = patiently(progress, "waiting for what it wrote last", closing).await?;
    let saving = progress.save(site, node);
    match patiently(progress, "saving what it alone has", saving).await {
        Ok(saved) => progress.moved(&saved),
        Err(unsaved) => {
            rebuild::reopen(site, node, closed).await?;
            return Err(unsaved.into());
        }
    }
    rebuild::part(site, node).await?;
    Ok(rebuild::mark(site, node).await?)
}

/// Copies a node's data onto the other. What CLONE has brought is not given up for the other way.
async fn copy_data(
    site: &Site,
    from: usize,
    clones: bool,
    progress: &dyn Progress,
) -> Result<(), Cause> {
    let is_there = copy::clone::is_cloned(site, 1 - from).await?;
    if is_there || clones && clone_data(site, from, progress).await? {
        let finishing = copy::clone::finish(site, from);
        let cloned = patiently(progress, "making it a node of its own", finishing).await?;
        progress.moved(&cloned.to_string());
        return Ok(());
    }
    copy_rows(site, from, progress).await
}

/// Clones a node onto the other, which runs again afterwards. `false` where it has to go the other way.
async fn clone_data(site: &Site, from: usize, progress: &dyn Progress) -> Result<bool, Cause> {
    let limits = progress.copy_limits();
    let told = Cloning::default();
    let taking = copy::clone::take(site, from, limits, &told);
    let taken = match telling(progress, &told, taking).await {
        Err(error @ copy::Error::Unable(_)) if limits.way == Way::Auto => {
            progress.moved(&format!("{error}; rows are copied instead"));
            return Ok(false);
        }
        taken => taken?,
    };
    let target = site.nodes()[1 - from];
    match site.config.runtime_of(target) {
        Runtime::External if taken == Taken::Ends => {
            return Err(copy::Error::Ended(target.name.clone()).into());
        }
        Runtime::External => wait_for_answer(site, target, || None).await?,
        Runtime::Process | Runtime::Docker => {
            stop(site, target).await?;
            start(site, target).await?;
        }
    }
    match copy::clone::is_cloned(site, 1 - from).await? {
        true => Ok(true),
        false => Err(copy::Error::Broken(target.name.clone()).into()),
    }
}

/// Awaits `work`, and tells how far it is.
async fn telling<T>(
    progress: &dyn Progress,
    told: &dyn std::fmt::Display,
    work: impl Future<Output = T>,
) -> T {
    let began = Instant::now();
    let mut work = std::pin::pin!(work);
    loop {
        match tokio::time::timeout(COPY_TOLD, &mut work).await {
            Ok(done) => return done,
            Err(_) => progress.waiting(&told.to_string(), began.elapsed()),
        }
    }
}

/// Copies a node's rows onto the other, and tells how far it is.
async fn copy_rows(site: &Site, from: usize, progress: &dyn Progress) -> Result<(), Cause> {
    let limits = progress.copy_limits();
    let counters = Arc::new(Counters::new(limits.rate_max));
    let copying = copy::copy(site, from, limits, Arc::clone(&counters));
    let copied = telling(progress, &*counters, copying).await?;
    progress.moved(&copied.to_string());
    Ok(())
}

async fn wait_for(site: &Site, node: &Node, sql: &str, value: &str) -> Result<(), Cause> {
    let mut conn: Conn = site.connect(node, Login::Admin, site.patience()).await?;
    let started = Instant::now();
    loop {
        let row = conn.row(sql).await?.unwrap_or_default();
        if row.at(1) == Some(value) {
            conn.close().await;
            return Ok(());
        }
        if started.elapsed() > CONDITION_TIMEOUT {
            return Err(Cause::TimedOut {
                what: format!("{sql} = {value}"),
                after: CONDITION_TIMEOUT,
            });
        }
        tokio::time::sleep(POLL).await;
    }
}
