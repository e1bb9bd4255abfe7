//! From two hand-written `my.cnf` files to a configuration for the pair they describe.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::check::is_system_schema;
use super::import_rules::{Fate, fate};
use super::model::{Config, Mode, Runtime};
use super::node::Password;
use super::note::{Note, NoteKind};
use super::options::{OptionValue, Options, normalised};

/// The server's own default.
const DEFAULT_PORT: u16 = 3306;
/// Ports where both files leave the same one, so that the two can be on one machine.
const PORTS: [u16; 2] = [3307, 3308];
/// The account, until the user names another.
const USER: &str = "root";

/// One option that is in force in a server's groups of a `my.cnf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MyCnfOption {
    /// As written; `-` and `_` are the same.
    pub name: String,
    /// Without quotes; `None` for a name without `=`.
    pub value: Option<String>,
}

/// What came of two files.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// External nodes `a` and `b`. Where they are and how to enter them is not in a `my.cnf`:
    /// host, user and password are placeholders, said in the notes.
    pub config: Config,
    /// What was changed, left out or assumed, and why.
    pub notes: Vec<Note>,
}

/// Makes a configuration of the options in force in two `my.cnf` files, node `a`'s and node `b`'s.
///
/// `dir` is the absolute directory the `twinlog.toml` will be in.
#[must_use]
pub fn from_my_cnf(dir: &Path, name: &str, files: [&[MyCnfOption]; 2]) -> Imported {
    let mut config = Config::local(dir, name);
    config.server.runtime = Runtime::External;
    for node in &mut config.nodes {
        node.port = DEFAULT_PORT;
    }
    let mut import = Import {
        config,
        notes: Vec::new(),
        gtid: [None, None],
        databases: [BTreeSet::new(), BTreeSet::new()],
    };
    for (index, file) in files.into_iter().enumerate() {
        for option in file {
            import.option(index, &normalised(&option.name), option.value.as_deref());
        }
    }
    import.access(files);
    import.server_ids();
    import.auto_increment(files);
    import.mode();
    import.replicated();
    import.common_options();
    Imported {
        config: import.config,
        notes: import.notes,
    }
}

struct Import {
    config: Config,
    notes: Vec<Note>,
    /// Whether each file turns GTID on or off, if it says.
    gtid: [Option<bool>; 2],
    databases: [BTreeSet<String>; 2],
}

impl Import {
    /// Adds the node to a note already there that says the same, or makes a new one.
    fn note(&mut self, kind: NoteKind, index: usize, option: &str, why: impl Into<String>) {
        let (node, why) = (self.config.nodes[index].name.clone(), why.into());
        let same = |note: &&mut Note| note.kind == kind && note.option == option && note.why == why;
        match self.notes.iter_mut().find(same) {
            Some(note) if note.nodes.contains(&node) => {}
            Some(note) => note.nodes.push(node),
            None => self.notes.push(Note {
                kind,
                nodes: vec![node],
                option: option.to_owned(),
                why,
            }),
        }
    }

    fn note_both(&mut self, kind: NoteKind, option: &str, why: &str) {
        self.note(kind, 0, option, why);
        self.note(kind, 1, option, why);
    }

    /// A later line of the same option wins, as it does on the server; filters add up.
    fn option(&mut self, index: usize, name: &str, value: Option<&str>) {
        let typed = OptionValue::from_my_cnf(value);
        let on = matches!(typed, OptionValue::Switch(true) | OptionValue::Integer(1));
        let node = &mut self.config.nodes[index];
        match fate(name, value) {
            Fate::Keep => self.keep(index, name, typed),
            Fate::KeepWith(why) => {
                self.keep(index, name, typed);
                self.note(NoteKind::Kept, index, name, why);
            }
            Fate::LeaveOut(why) => self.note(NoteKind::LeftOut, index, name, why),
            Fate::Port => match number(value) {
                Some(port) => node.port = port,
                None => self.note(NoteKind::LeftOut, index, name, "it is not a port number"),
            },
            Fate::ServerId => node.server_id = number(value),
            Fate::DoDatabase => self.database(index, name, value.unwrap_or_default()),
            Fate::WildDoTable => match value.and_then(|value| value.strip_suffix(".%")) {
                Some(database) if !database.replace("\\_", "").contains(['_', '%']) => {
                    self.database(index, name, &database.replace("\\_", "_"));
                }
                _ => {
                    let why = "it takes part of a database, or several; `databases` takes whole ones by name";
                    self.note(NoteKind::LeftOut, index, name, why);
                }
            },
            Fate::Gtid => self.gtid_option(index, name, value, on),
            Fate::SemiSync => {
                self.config.replication.semi_sync |= on;
                let why = format!(
                    "`replication.semi_sync = {}` says it",
                    self.config.replication.semi_sync
                );
                self.note(NoteKind::Changed, index, name, why);
            }
        }
    }

    fn keep(&mut self, index: usize, name: &str, value: OptionValue) {
        let options = &mut self.config.nodes[index].options;
        let before = options.insert(name.to_owned(), value.clone());
        if before.is_some_and(|before| before != value) {
            let why = "given more than once: the last one is kept";
            self.note(NoteKind::Changed, index, name, why);
        }
    }

    fn database(&mut self, index: usize, name: &str, value: &str) {
        if value.contains(',') {
            let why = "the server reads a list with commas as one name, which filters everything out; \
                       taken as the list it was meant to be";
            self.note(NoteKind::Changed, index, name, why);
        }
        for database in value
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            if is_system_schema(database) {
                let why = format!("{database} is a system schema: each server keeps its own");
                self.note(NoteKind::LeftOut, index, name, why);
            } else {
                self.databases[index].insert(database.to_owned());
            }
        }
        let why = match name {
            "binlog_do_db" => {
                "it logs by the default database and loses cross-database statements; `databases` \
                 filters on the replica instead (`replication.filter = \"binlog-do-db\"` for the old form)"
            }
            "replicate_do_db" => {
                "it filters by the default database and loses cross-database statements; `databases` \
                 is rendered as replicate_wild_do_table"
            }
            _ => "`databases` says it",
        };
        self.note(NoteKind::Changed, index, name, why);
    }

    fn gtid_option(&mut self, index: usize, name: &str, value: Option<&str>, on: bool) {
        match name.trim_start_matches("loose_") {
            "gtid_mode" => self.gtid[index] = Some(on),
            // MariaDB always has GTIDs: who sets these uses them.
            "gtid_domain_id" | "gtid_strict_mode" => self.gtid[index] = Some(true),
            _ => {}
        }
        let why = if name.ends_with("gtid_domain_id") && value.is_some() {
            "twinlog gives each node a domain of its own"
        } else {
            "`replication.mode` says it"
        };
        self.note(NoteKind::Changed, index, name, why);
    }

    /// Where the servers are and how twinlog gets in.
    fn access(&mut self, files: [&[MyCnfOption]; 2]) {
        let given = files.map(|file| file.iter().any(|option| normalised(&option.name) == "port"));
        let same = self.config.nodes[0].port == self.config.nodes[1].port;
        for (index, port) in PORTS.into_iter().enumerate() {
            if same {
                self.config.nodes[index].port = port;
            }
            if same || !given[index] {
                let why = format!(
                    "port {} of 127.0.0.1; correct `host` and `port`",
                    self.config.nodes[index].port
                );
                self.note(NoteKind::Assumed, index, "port", why);
            }
            let node = &mut self.config.nodes[index];
            let variable = format!("TWINLOG_{}_PASSWORD", node.name.to_ascii_uppercase());
            let why = format!(
                "{USER}, its password in the environment variable {variable}; correct `user` and `password_env`"
            );
            node.user = Some(USER.to_owned());
            node.password = Some(Password::Env(variable));
            self.note(NoteKind::Assumed, index, "user", why);
        }
    }

    fn server_ids(&mut self) {
        let ids = [
            self.config.nodes[0].server_id,
            self.config.nodes[1].server_id,
        ];
        if ids[0].is_some() && ids[0] == ids[1] {
            for node in &mut self.config.nodes {
                node.server_id = None;
            }
            let why =
                "both files give the same: each server would drop the other's events as its own";
            self.note_both(NoteKind::LeftOut, "server_id", why);
            return;
        }
        for (index, id) in ids.into_iter().enumerate() {
            if id.is_none_or(|id| id == 0) {
                self.config.nodes[index].server_id = None;
                self.note(
                    NoteKind::Added,
                    index,
                    "server_id",
                    "a server without one can be no source: twinlog chooses one",
                );
            }
        }
    }

    fn auto_increment(&mut self, files: [&[MyCnfOption]; 2]) {
        for name in ["auto_increment_increment", "auto_increment_offset"] {
            for (index, file) in files.into_iter().enumerate() {
                if !file.iter().any(|option| normalised(&option.name) == name) {
                    let why = "absent or commented out: two inserts at once would get the same id; \
                               twinlog sets increment 2 and offsets 1 and 2";
                    self.note(NoteKind::Added, index, name, why);
                }
            }
        }
    }

    fn mode(&mut self) {
        if self.gtid == [Some(true), Some(true)] {
            return;
        }
        self.config.replication.mode = Mode::Position;
        let why = if self.gtid.contains(&Some(true)) {
            "only one of the files turns GTIDs on: \"position\"; turn them on in both for \"gtid\""
        } else {
            "the files do not turn GTIDs on: \"position\"; \"gtid\" is safer where the servers have it"
        };
        self.note_both(NoteKind::Assumed, "replication.mode", why);
    }

    fn replicated(&mut self) {
        let [one, two] = std::mem::take(&mut self.databases);
        let all: Vec<String> = one.union(&two).cloned().collect();
        if one != two {
            let why = "the files name different databases: what is written in one of them alone would \
                       not arrive; all of them are replicated both ways";
            self.note_both(NoteKind::Changed, "databases", why);
        }
        self.config.databases = (!all.is_empty()).then_some(all);
    }

    /// What both nodes have alike goes into `[server.options]`.
    fn common_options(&mut self) {
        let [one, two] = &mut self.config.nodes[..] else {
            return;
        };
        let (common, first): (Options, BTreeMap<_, _>) = std::mem::take(&mut one.options)
            .into_iter()
            .partition(|(name, value)| two.options.get(name) == Some(value));
        two.options.retain(|name, _| !common.contains_key(name));
        one.options = first;
        let differing: BTreeSet<String> = one
            .options
            .keys()
            .chain(two.options.keys())
            .cloned()
            .collect();
        self.config.server.options = common;
        for name in differing {
            self.note_both(
                NoteKind::Kept,
                &name,
                "the nodes differ in it: kept per node; equal is safer",
            );
        }
    }
}

fn number<T: std::str::FromStr>(value: Option<&str>) -> Option<T> {
    value?.parse().ok()
}
