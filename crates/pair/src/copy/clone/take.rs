//! The target takes the source's files.

use std::{convert::Infallible, time::Duration};

use secrecy::ExposeSecret;
use tokio::time::{Instant, sleep};
use twinlog_server::{
    conn::{Conn, Endpoint, Error as ConnError, Row},
    facts::ServerFacts,
    sql::literal,
};

use super::{
    Cloning, INSTALL, KEPT, Note, PLUGIN, PROGRESS, STATUS, UNINSTALL,
    account::{self, Spoken},
    has_plugin,
    note::{self, FORGET},
};
use crate::{
    config::{Node, Runtime},
    copy::{
        Error, Limits, Mark, STATEMENT_MAX,
        ends::{Ends, connect},
        mark, run_all,
    },
    site::{Login, Site},
};

/// How often the server is asked how far it is.
const POLL: Duration = Duration::from_secs(1);
/// What CLONE sends in one packet (the manual's chapter on remote cloning).
const PACKET_BYTES_MIN: u64 = 2 << 20;
/// `ER_RESTART_SERVER_FAILED`: it has all, and ends, for nobody has told it that it is started again.
const NOT_SUPERVISED: u16 = 3707;
/// `ER_CLONE_DONOR`, and in its text `ER_CLONE_TOO_MANY_CONCURRENT_CLONES`: nothing was touched (seen on 9.7).
const DONOR_ERROR: u16 = 3862;
const TOO_MANY: &str = ": 3634 :";
/// For so long it is asked again: half a minute was enough, whatever the target died of.
const BUSY_MAX: Duration = Duration::from_secs(120);
/// Files of users that lie somewhere else, where the target's would come to lie, too.
const ELSEWHERE: &str = "SELECT FILE_NAME FROM information_schema.FILES WHERE FILE_TYPE = 'TABLESPACE' AND FILE_NAME LIKE '/%' LIMIT 1";
/// Something that cannot be read without a key.
const ENCRYPTED: &str = "SELECT 1 FROM DUAL WHERE EXISTS (SELECT 1 FROM information_schema.INNODB_TABLESPACES WHERE ENCRYPTION = 'Y') \
     OR @@GLOBAL.innodb_redo_log_encrypt OR @@GLOBAL.innodb_undo_log_encrypt OR @@GLOBAL.binlog_encryption";

/// What the target's server does, once it has the files or does not answer any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It ends.
    Ends,
    /// It starts again by itself, or was ended by something else.
    Gone,
}

/// Lets the target clone the source. What is there by then is looked at when its server runs again.
///
/// # Errors
/// [`Error::Unable`] where the target is as it was, and the other way would do.
pub(crate) async fn take(
    site: &Site,
    from: usize,
    limits: Limits,
    progress: &Cloning,
) -> Result<Taken, Error> {
    let [source, target] = [from, 1 - from].map(|index| site.nodes()[index]);
    let mut watcher = connect(site, target).await?;
    // One that a killed run had begun goes on without it.
    let mut waited = false;
    loop {
        match is_running(&mut watcher).await {
            Ok(true) => waited = true,
            Ok(false) => break,
            // It has ended, with all that was to come.
            Err(_) if waited => return Ok(Taken::Gone),
            Err(error) => return Err(error.into()),
        }
        if let Ok(row) = watcher.row(PROGRESS).await {
            progress.tell(row.as_ref());
        }
        sleep(POLL).await;
    }
    let mut ends = Ends::open(site, source, target).await?;
    let definitions = ends.definitions(None).await?;
    ends.check(None, &definitions).await?;
    let begun = note::read(ends.both().0).await?;
    ready(site, [source, target], &mut ends, begun.is_some()).await?;
    // The note is the mark of a node that was emptied; another one has no place there, for its directories may be left.
    let mark = match ends.begun().await? {
        Some(mark) => mark,
        None => ends.marked(&source.name).await?,
    };
    let clone = prepare(site, [source, target], &mut ends, mark, begun, limits).await;
    let clone = match clone {
        Ok(clone) => clone,
        Err(error) => return Err(give_back(&mut ends, error).await?),
    };
    let cloning = run_alone(ends.both().1, &clone);
    let done = tokio::select! {
        done = cloning => done,
        never = watch(&mut watcher, progress) => match never {},
    };
    match done {
        Ok(()) | Err(ConnError::Lost { .. }) => Ok(Taken::Gone),
        Err(error) if error.code() == Some(NOT_SUPERVISED) => Ok(Taken::Ends),
        Err(error) => Err(give_back(&mut ends, error).await?),
    }
}

/// Runs the statement. A source whose target has died in the middle takes it to be at it for some time, and serves one at a time.
async fn run_alone(conn: &mut Conn, clone: &Spoken) -> Result<(), ConnError> {
    let began = Instant::now();
    loop {
        let done = conn
            .result_sets(clone.said.expose_secret(), &clone.shown, STATEMENT_MAX)
            .await;
        let is_busy = |error: &ConnError| {
            let text = error.to_string();
            error.code() == Some(DONOR_ERROR) && text.contains(TOO_MANY)
        };
        match done {
            Err(error) if is_busy(&error) && began.elapsed() < BUSY_MAX => sleep(POLL).await,
            done => return done.map(drop),
        }
    }
}

/// Whether the server is at it; one without the plugin has no such table.
async fn is_running(conn: &mut Conn) -> Result<bool, ConnError> {
    // Cut off by the server's end it is said to be in progress for ever, by nobody.
    let is_at_it =
        |row: Row| row.get("STATE") == Some("In Progress") && row.get("PID") != Some("0");
    match conn.row(STATUS).await {
        Ok(row) => Ok(row.is_some_and(is_at_it)),
        Err(ConnError::Statement { code: 1146, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Looks how far it is until somebody stops it.
async fn watch(conn: &mut Conn, progress: &Cloning) -> Infallible {
    loop {
        sleep(POLL).await;
        // The other connection says what there is to say of an end.
        if let Ok(row) = conn.row(PROGRESS).await {
            progress.tell(row.as_ref());
        }
    }
}

/// What only the servers can tell of what CLONE needs.
async fn ready(
    site: &Site,
    [source, target]: [&Node; 2],
    ends: &mut Ends,
    is_begun: bool,
) -> Result<(), Error> {
    let names = [&source.name, &target.name];
    if !logs_in(site, [source, target]).await? {
        return Err(Error::Unable(format!(
            "all accounts of {0} would be those of {1}, and on {1} twinlog cannot log in as it does on {0}",
            names[1], names[0]
        )));
    }
    if let Err(Error::Obstacles(prepared)) = ends.check_prepared().await {
        return Err(Error::Unable(prepared.join("; ")));
    }
    let (from, to) = ends.both();
    if let Some(file) = from.value(ELSEWHERE).await? {
        return Err(Error::Unable(format!(
            "{} has files outside of its data directory: {file}",
            names[0]
        )));
    }
    // CLONE empties the target before it finds that it has no key for what comes.
    if from.value(ENCRYPTED).await?.is_some() {
        return Err(Error::Unable(format!(
            "{} has encrypted tables or logs, and CLONE does not ask first whether {} has their key",
            names[0], names[1]
        )));
    }
    for (conn, name) in [&mut *from, &mut *to].into_iter().zip(names) {
        let packet = conn.value("SELECT @@GLOBAL.max_allowed_packet").await?;
        let packet: u64 = packet
            .and_then(|text| text.parse().ok())
            .unwrap_or_default();
        if packet < PACKET_BYTES_MIN {
            return Err(Error::Unable(format!(
                "max_allowed_packet is {packet} on {name}, and CLONE sends {PACKET_BYTES_MIN} bytes"
            )));
        }
    }
    let names = KEPT.map(literal).join(", ");
    let persisted = to
        .value(&format!(
            "SELECT GROUP_CONCAT(VARIABLE_NAME) FROM performance_schema.persisted_variables WHERE VARIABLE_NAME IN ({names})"
        ))
        .await?;
    match persisted {
        // By the run that had begun it.
        Some(persisted) if !is_begun => Err(Error::Unable(format!(
            "{persisted} is persisted on {}, where CLONE needs it for itself",
            target.name
        ))),
        _ => Ok(()),
    }
}

/// Whether twinlog gets into the source as it gets into the target: that is how it must get into the target afterwards.
async fn logs_in(site: &Site, [source, target]: [&Node; 2]) -> Result<bool, Error> {
    let endpoint = |node: &Node| {
        site.endpoint(node, Login::Admin)
            .map_err(|error| ConnError::Secret {
                address: twinlog_server::conn::Address::Tcp(node.host.clone(), node.port),
                error,
            })
    };
    let (there, own) = (endpoint(source)?, endpoint(target)?);
    let endpoint = Endpoint {
        user: own.user,
        password: own.password,
        ..there
    };
    // A server that answers, as this one did, says no in more than one way.
    let Ok(conn) = Conn::open(&endpoint).await else {
        return Ok(false);
    };
    conn.close().await;
    Ok(true)
}

/// Notes what is about to happen, and makes both nodes ready for it; the mark is on the target already.
async fn prepare(
    site: &Site,
    [source, target]: [&Node; 2],
    ends: &mut Ends,
    mark: Mark,
    begun: Option<Note>,
    limits: Limits,
) -> Result<Spoken, ConnError> {
    let (from, to) = ends.both();
    let facts = ServerFacts::read(to).await?;
    let donor = from.value("SELECT @@GLOBAL.server_uuid").await?;
    from.execute("SET SESSION sql_log_bin = 0").await?;
    let had_plugin = from.value(PLUGIN).await?.is_some() || to.value(PLUGIN).await?.is_some();
    let note = Note {
        donor: donor.unwrap_or_default(),
        target: target.name.clone(),
        target_uuid: facts.server_uuid().unwrap_or_default().to_owned(),
        mark,
        installed: begun.as_ref().map_or(!had_plugin, |note| note.installed),
        scheduled: begun.map_or(facts.is_on("event_scheduler"), |note| note.scheduled),
    };
    note.set(from).await?;
    for conn in [&mut *from, &mut *to] {
        if !has_plugin(conn).await? {
            conn.execute(INSTALL).await?;
        }
    }
    let (host, port) = (site.host_for_peer(source), site.port_for_peer(source));
    let clone = account::make(from, (&host, port)).await?;
    // Beyond its restart: nobody writes there before it is a node, and no event runs on both.
    to.execute("SET PERSIST read_only = ON").await?;
    if facts.is_on("event_scheduler") {
        to.execute("SET PERSIST event_scheduler = OFF").await?;
    }
    let donors = literal(&format!("{host}:{port}"));
    to.execute(&format!("SET GLOBAL clone_valid_donor_list = {donors}"))
        .await?;
    if let Some(ca) = authority(site, [source, target]) {
        to.execute(&format!("SET GLOBAL clone_ssl_ca = {}", literal(&ca)))
            .await?;
    }
    if let Some(rate) = limits.rate_max {
        let mib = (rate >> 20).max(1);
        to.execute(&format!("SET GLOBAL clone_max_data_bandwidth = {mib}"))
            .await?;
    }
    Ok(clone)
}

/// By whom the source's certificate is signed, as the target's server sees the file: where both are twinlog's. The links check
/// it in the same way.
fn authority(site: &Site, nodes: [&Node; 2]) -> Option<String> {
    let is_ours = |node: &Node| site.config.runtime_of(node) != Runtime::External;
    let index = site
        .nodes()
        .iter()
        .position(|node| node.name == nodes[1].name)?;
    nodes
        .into_iter()
        .all(is_ours)
        .then(|| site.ca_for_replica(index))
}

/// Makes undone what was changed for it, where the target still has what it had. What it says then is that the other way
/// would do.
async fn give_back(ends: &mut Ends, error: ConnError) -> Result<Error, ConnError> {
    let ConnError::Statement { code, message, .. } = &error else {
        return Ok(error.into());
    };
    let why = format!("the server says: ERROR {code}: {message}");
    let (from, to) = ends.both();
    if mark::read(to).await?.is_none() {
        return Ok(error.into());
    }
    let Some(note) = note::read(from).await? else {
        return Ok(error.into());
    };
    undo(from, to, &note).await?;
    Ok(Error::Unable(why))
}

async fn undo(from: &mut Conn, to: &mut Conn, note: &Note) -> Result<(), ConnError> {
    put_back(to, note).await?;
    for conn in [&mut *from, &mut *to] {
        if note.installed && has_plugin(conn).await? {
            conn.execute(UNINSTALL).await?;
        }
    }
    run_all(from, [account::DROP, FORGET]).await
}

/// The target is to be copied to the other way, and still has its mark: what was begun is given up.
pub(in crate::copy) async fn give_up(from: &mut Conn, to: &mut Conn) -> Result<(), ConnError> {
    let Some(note) = note::read(from).await? else {
        return Ok(());
    };
    while is_running(to).await? {
        sleep(POLL).await;
    }
    from.execute("SET SESSION sql_log_bin = 0").await?;
    undo(from, to, &note).await
}

/// Puts back what the target was set to beyond its restart; it stays closed to clients.
pub(super) async fn put_back(conn: &mut Conn, note: &Note) -> Result<(), ConnError> {
    for name in KEPT {
        conn.execute(&format!("RESET PERSIST IF EXISTS {name}"))
            .await?;
    }
    match note.scheduled {
        true => conn.execute("SET GLOBAL event_scheduler = ON").await,
        false => Ok(()),
    }
}
