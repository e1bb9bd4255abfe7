//! What the rules look at: two servers as they answered, or option files by themselves.

use std::path::PathBuf;

use jiff::{Timestamp, civil::Date};
use twinlog_server::{
    facts::{AccountFacts, LinkFacts, ServerFacts, logins::Login, schema::SchemaFacts},
    mycnf::{OptionFile, Options},
    version::Version,
};

use super::Settings;
use crate::config::{Config, Mode, Node, Policy};

/// Everything the rules look at.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The two nodes in the order of `twinlog.toml`, or the option files in the order given.
    pub subjects: Vec<Subject>,
    /// What `twinlog.toml` says; `None` for option files.
    pub config: Option<Config>,
    /// Whether `up` has made the pair.
    pub founded: bool,
    /// The day.
    pub today: Date,
}

/// A node or an option file.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The node's name or the file's path.
    pub name: String,
    /// Its version, where it is known.
    pub version: Option<Version>,
    /// Its settings.
    pub settings: Settings,
    /// The options of its file, where that is at hand.
    pub options: Option<Options>,
    /// What servers read in the file otherwise than it looks.
    pub warnings: Vec<String>,
    /// What the server answered; `None` for a file and for a server that did not.
    pub live: Option<Live>,
    /// The certificates it is configured with and when they expire; `None` where one cannot be read.
    pub certificates: Vec<(PathBuf, Option<Timestamp>)>,
    /// Free bytes where its data is, on this machine.
    pub disk_free_bytes: Option<u64>,
}

/// A server's answers.
#[derive(Debug, Clone)]
pub struct Live {
    /// What it says of itself.
    pub facts: ServerFacts,
    /// What it had executed after both servers' facts were read: holds all that the peer's facts can have from it.
    pub executed_later: String,
    /// Its tables; `None` where the account may not see them.
    pub schema: Option<SchemaFacts>,
    /// Its accounts; `None` where the account may not see them.
    pub logins: Option<Vec<Login>>,
    /// twinlog's own accounts.
    pub accounts: Vec<AccountFacts>,
}

impl Scene {
    /// Option files by themselves, for servers of this version if one is said.
    pub fn of_files(files: &[OptionFile], version: Option<Version>, today: Date) -> Self {
        let subject = |file: &OptionFile| Subject {
            name: file.path.display().to_string(),
            version,
            settings: Settings::of_file(file, version),
            options: Some(file.server_options(version)),
            warnings: file.warnings.iter().map(ToString::to_string).collect(),
            live: None,
            certificates: Vec::new(),
            disk_free_bytes: None,
        };
        Self {
            subjects: files.iter().map(subject).collect(),
            config: None,
            founded: false,
            today,
        }
    }

    /// The two subjects, where there are two.
    pub(super) fn both(&self) -> Option<[&Subject; 2]> {
        match self.subjects.as_slice() {
            [a, b] => Some([a, b]),
            _ => None,
        }
    }

    /// Both servers, where both answered.
    pub(super) fn both_live(&self) -> Option<[(&Subject, &Live); 2]> {
        let [a, b] = self.both()?;
        Some([(a, a.live.as_ref()?), (b, b.live.as_ref()?)])
    }

    /// The servers that answered, each with its place among the nodes.
    pub(super) fn live(&self) -> impl Iterator<Item = (usize, &Subject, &Live)> {
        self.subjects
            .iter()
            .enumerate()
            .filter_map(|(index, subject)| Some((index, subject, subject.live.as_ref()?)))
    }

    /// A server's peer, where that answered too.
    pub(super) fn peer(&self, index: usize) -> Option<(&Subject, &Live)> {
        let peer = self.subjects.get(1_usize.checked_sub(index)?)?;
        Some((peer, peer.live.as_ref()?))
    }

    /// What `twinlog.toml` says of a node.
    pub(super) fn node(&self, index: usize) -> Option<(&Config, &Node)> {
        let config = self.config.as_ref()?;
        Some((config, config.nodes.get(index)?))
    }

    /// The databases that are replicated; `None` for all.
    pub(super) fn databases(&self) -> Option<&[String]> {
        self.config.as_ref()?.databases.as_deref()
    }

    /// Whether twinlog is to repair what conflicts leave behind.
    pub(super) fn repairs(&self) -> bool {
        self.config.as_ref().is_some_and(|config| {
            config.conflicts.is_active() && config.replication.mode == Mode::Gtid
        })
    }

    /// Whether twinlog is to repair conflicts in that table.
    pub(super) fn repairs_table(&self, database: &str, table: &str) -> bool {
        let config = self.config.as_ref().filter(|_| self.repairs());
        config.is_some_and(|config| {
            let (policy, _) = config.conflicts.policy_of(database, table);
            *policy != Policy::Manual
        })
    }

    /// The link of node `index` from its peer.
    pub(super) fn link(&self, index: usize) -> Option<&LinkFacts> {
        let live = self.subjects.get(index)?.live.as_ref()?;
        live.facts
            .links
            .iter()
            .find(|link| self.is_from_peer(index, link))
    }

    /// Whether a link of node `index` comes from its peer: by the id it has learnt, else by address.
    pub(super) fn is_from_peer(&self, index: usize, link: &LinkFacts) -> bool {
        let by_id = self
            .peer(index)
            .zip(link.source_server_id)
            .map(|((_, peer), id)| peer.facts.server_id() == id);
        by_id.unwrap_or_else(|| {
            self.node(1_usize.saturating_sub(index))
                .is_some_and(|(_, peer)| {
                    let host = peer.replication_host.as_ref().unwrap_or(&peer.host);
                    let port = peer.replication_port.unwrap_or(peer.port);
                    link.source_host == *host && link.source_port == port
                })
        })
    }
}
