//! Which way a node's data takes to the other, and why.

use twinlog_server::facts::ServerFacts;

use super::{Blame, Refusal, Server, adopt::has_data, links::offers_tls};
use crate::{config::Runtime, copy::Way, observe::PairFacts, site::Site};

/// From so many bytes of tables on CLONE is done sooner than a copy of rows. The end and the start of the server and what else
/// it has to take over cost 8 s (MySQL 9.7 on two cores: 72 MiB in 6.2 s by rows and 8.4 s by CLONE, 289 MiB in 24.7 and 10.2 s).
const CLONE_BYTES_MIN: u64 = 128 << 20;
/// What both servers must have alike for one to start with the other's files.
const ALIKE: [&str; 6] = [
    "version_compile_os",
    "version_compile_machine",
    "innodb_page_size",
    "innodb_data_file_path",
    "innodb_undo_directory",
    "lower_case_table_names",
];

/// A way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// Whether CLONE is it.
    pub(super) clones: bool,
    /// Why.
    pub(super) why: String,
}

/// Chooses by what the servers are and what somebody asks for.
pub(super) fn choose(
    site: &Site,
    facts: &PairFacts,
    servers: [&Server; 2],
    from: usize,
) -> Result<Choice, Refusal> {
    let half = facts.nodes[1 - from].half_copy.as_ref();
    if half.is_some_and(|mark| mark.cloned) {
        return Ok(Choice {
            clones: true,
            why: "all is there by CLONE already".into(),
        });
    }
    if facts.is_emptied(1 - from) {
        let empty = &facts.nodes[1 - from].name;
        return match facts.way {
            Way::Auto | Way::Clone => Ok(Choice {
                clones: true,
                why: format!("one was cut off when it had emptied {empty}"),
            }),
            Way::Logical => Err(Refusal::new(
                Blame::Config,
                format!(
                    "a CLONE was cut off when it had emptied {empty}, and has left directories in which no table can be made"
                ),
                "leave `--way logical` away: CLONE goes on with it; or move that node's data directory away, and make it again",
            )),
        };
    }
    let hindrance = hindrance(site, facts, servers, from);
    match (facts.way, hindrance) {
        (Way::Logical, _) => Ok(Choice {
            clones: false,
            why: "asked for".into(),
        }),
        (Way::Clone, None) => Ok(Choice {
            clones: true,
            why: "asked for".into(),
        }),
        (Way::Clone, Some(why)) => Err(Refusal::new(
            Blame::Config,
            format!("CLONE is not for these servers: {why}"),
            "`--way logical` copies table by table, between all servers",
        )),
        (Way::Auto, Some(why)) => Ok(Choice {
            clones: false,
            why: format!("not by CLONE: {why}"),
        }),
        (Way::Auto, None) => Ok(weigh(site, facts, servers, from)),
    }
}

/// Why CLONE cannot be it.
fn hindrance(site: &Site, facts: &PairFacts, servers: [&Server; 2], from: usize) -> Option<String> {
    let [source, target] = [from, 1 - from].map(|index| &servers[index].facts);
    let [name, empty] = [from, 1 - from].map(|index| facts.nodes[index].name.as_str());
    for server in [source, target] {
        if !server.dialect.row().clone {
            return Some(format!("{} has none", server.version()));
        }
    }
    if source.version() != target.version() {
        let versions = [source, target].map(ServerFacts::version);
        return Some(format!(
            "it takes the same version on both, and these are {} and {}",
            versions[0], versions[1]
        ));
    }
    if site.config.databases.is_some() {
        return Some("it copies all of a server, and `databases` restricts the pair".into());
    }
    let runs_in = |runtime| {
        site.nodes()
            .iter()
            .any(|node| site.config.runtime_of(node) == runtime)
    };
    if runs_in(Runtime::Docker) {
        return Some("it ends the server, and with it its container".into());
    }
    let differs = |name: &&&str| {
        let both = [source, target].map(|server| server.named(name));
        matches!(both, [Some(left), Some(right)] if left != right)
    };
    if let Some(name) = ALIKE.iter().find(differs) {
        return Some(format!("{name} differs"));
    }
    if !offers_tls(source) {
        return Some(format!(
            "{name} offers no TLS, and all would cross in the clear"
        ));
    }
    if [source, target]
        .iter()
        .any(|server| server.named("performance_schema") == Some("OFF"))
    {
        return Some("without performance_schema nobody learns what came of it".into());
    }
    let is_apart = facts.rebuild.is_some() || facts.nodes[1 - from].half_copy.is_some();
    if !is_apart && !target.log_readers.is_empty() {
        return Some(format!(
            "{} reads the log of {empty}, which begins anew",
            target.log_readers.join(", ")
        ));
    }
    None
}

/// Which of both is likely to be done first.
fn weigh(site: &Site, facts: &PairFacts, servers: [&Server; 2], from: usize) -> Choice {
    let [name, empty] = [from, 1 - from].map(|index| facts.nodes[index].name.as_str());
    let rows = |why: String| Choice {
        clones: false,
        why: format!("not by CLONE: {why}"),
    };
    let is_ours = |node: &&crate::config::Node| site.config.runtime_of(node) == Runtime::Process;
    if !site.nodes().iter().all(is_ours) {
        return rows(format!(
            "it ends the server of {empty}, which twinlog may not be able to start again; `twinlog copy --way clone` does it all the same"
        ));
    }
    if has_data(site, &servers[1 - from].facts) {
        return rows(format!(
            "{empty} has data, of which only what differs is copied"
        ));
    }
    let (least, Some(bytes)) = (CLONE_BYTES_MIN >> 20, facts.nodes[from].file_bytes) else {
        return rows(format!("how much {name} has is not known"));
    };
    let size = bytes >> 20;
    match bytes >= CLONE_BYTES_MIN {
        true => Choice {
            clones: true,
            why: format!(
                "the tables of {name} take {size} MiB, and from {least} MiB on that is sooner done"
            ),
        },
        false => rows(format!(
            "the tables of {name} take {size} MiB; it ends and starts a server, which pays from {least} MiB on"
        )),
    }
}
