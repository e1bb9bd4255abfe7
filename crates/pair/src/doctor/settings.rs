//! The settings of one server, whether it answered or only its option file is there.
//!
//! A rule asks [`Settings::judge`] about one setting. From a server comes a value; from a file the written value, or
//! else the defaults: those of all the versions the file may be for, so that a file without a version is told what
//! holds for which.

use std::collections::BTreeMap;

use twinlog_server::{
    mycnf::{Opt, OptionFile, Options},
    version::{Flavour, Version},
};

use super::catalogue::{self, Entry, Number};

/// Options that only one flavour's servers know, for telling whose file it is.
const MARKS: &[(&str, Flavour)] = &[
    ("gtid_domain_id", Flavour::MariaDb),
    ("gtid_strict_mode", Flavour::MariaDb),
    ("slave_parallel_threads", Flavour::MariaDb),
    ("slave_parallel_mode", Flavour::MariaDb),
    ("log_basename", Flavour::MariaDb),
    ("gtid_mode", Flavour::MySql),
    ("enforce_gtid_consistency", Flavour::MySql),
    ("slave_parallel_workers", Flavour::MySql),
    ("replica_parallel_workers", Flavour::MySql),
    ("master_info_repository", Flavour::MySql),
    ("relay_log_info_repository", Flavour::MySql),
    ("log_replica_updates", Flavour::MySql),
    ("super_read_only", Flavour::MySql),
    ("mysqlx", Flavour::MySql),
];

/// One setting as it is written, or as the server says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    /// `file:line`.
    pub(super) place: Option<String>,
}

/// What a rule's question about one setting brought to light.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Of the setting with this name.
    pub(super) name: String,
    /// What, for people.
    pub(super) text: String,
    /// Where it is written.
    pub(super) place: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Server,
    /// For which flavours, and for which version if that was said.
    File(Vec<Flavour>, Option<Version>),
}

/// The settings of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<String, Value>,
    origin: Origin,
}

impl Settings {
    /// Of a server that could not be asked.
    pub fn unknown() -> Self {
        Self::of_server(&BTreeMap::new())
    }

    /// Of a server, from its global variables.
    pub fn of_server(variables: &BTreeMap<String, String>) -> Self {
        let value = |text: &String| Value {
            text: text.clone(),
            place: None,
        };
        Self {
            values: variables
                .iter()
                .map(|(name, text)| (name.clone(), value(text)))
                .collect(),
            origin: Origin::Server,
        }
    }

    /// Of an option file, for a server of this version if one is said.
    pub fn of_file(file: &OptionFile, version: Option<Version>) -> Self {
        let options = file.server_options(version);
        let values = options
            .effective()
            .into_iter()
            .map(|opt| (opt.name.clone(), value_of(opt)))
            .collect();
        let flavours =
            version.map_or_else(|| flavours(file, &options), |version| vec![version.flavour]);
        Self {
            values,
            origin: Origin::File(flavours, version),
        }
    }

    /// Sets a variable, for tests.
    #[cfg(test)]
    pub(super) fn set(&mut self, name: &str, text: &str) {
        let value = Value {
            text: text.to_owned(),
            place: None,
        };
        self.values.insert(name.to_owned(), value);
    }

    /// Removes a variable, for tests.
    #[cfg(test)]
    pub(super) fn unset(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// Whether they are a file's.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.origin, Origin::File(..))
    }

    /// Whether the server is, or the file may be for, one of this flavour.
    pub(super) fn may_be(&self, flavour: Flavour) -> bool {
        match &self.origin {
            Origin::Server => {
                (flavour == Flavour::MariaDb) == self.values.contains_key("gtid_domain_id")
            }
            Origin::File(flavours, _) => flavours.contains(&flavour),
        }
    }

    /// The value under whichever of its names it has.
    pub(super) fn get(&self, key: &str) -> Option<(&str, &Value)> {
        let entry = catalogue::entry(key);
        let names = entry.map_or_else(|| vec![key], |entry| entry.names.to_vec());
        names.into_iter().find_map(|name| {
            Some((
                self.values.get_key_value(name)?.0.as_str(),
                &self.values[name],
            ))
        })
    }

    /// The text of a value that is written or said.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.get(key).map(|(_, value)| value.text.as_str())
    }

    /// The value that is in force where there is just one it can be: written, or every default the same.
    pub(super) fn in_force(&self, key: &str) -> Option<String> {
        if let Some(text) = self.text(key) {
            return Some(text.to_owned());
        }
        let mut defaults: Vec<&str> = self
            .defaults(key)
            .into_iter()
            .filter_map(|(_, value)| value)
            .collect();
        defaults.dedup();
        match defaults[..] {
            [one] => Some(one.to_owned()),
            _ => None,
        }
    }

    /// [`Settings::in_force`] as a number.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        number(&self.in_force(key)?)
    }

    /// [`Settings::in_force`] as a switch; off where it is unknown.
    pub(super) fn is_on(&self, key: &str) -> bool {
        self.in_force(key).is_some_and(|text| on(&text))
    }

    /// Whether the setting has, or may by default have, a value that is `bad`.
    pub(super) fn judge(&self, key: &str, bad: impl Fn(&str) -> bool) -> Option<Seen> {
        if let Some((name, value)) = self.get(key) {
            return bad(&value.text).then(|| Seen {
                name: name.to_owned(),
                text: said(name, &value.text),
                place: value.place.clone(),
            });
        }
        let Origin::File(..) = self.origin else {
            return None;
        };
        let name = catalogue::entry(key)
            .and_then(|entry| entry.names.last())
            .map_or(key, |name| *name);
        let mut by_value: Vec<(&str, Vec<String>)> = Vec::new();
        for (span, value) in self.defaults(key) {
            let Some(value) = value.filter(|value| bad(value)) else {
                continue;
            };
            match by_value.iter_mut().find(|(of, _)| *of == value) {
                Some((_, spans)) => spans.push(span),
                None => by_value.push((value, vec![span])),
            }
        }
        let defaults: Vec<String> = by_value
            .into_iter()
            .map(|(value, spans)| format!("{} in {}", shown(value), spans.join(" and in ")))
            .collect();
        (!defaults.is_empty()).then(|| Seen {
            text: format!("{name} is not set; its default is {}", defaults.join(", ")),
            name: name.to_owned(),
            place: None,
        })
    }

    /// The defaults that may hold, each with the versions it is for.
    fn defaults(&self, key: &str) -> Vec<(String, Option<&'static str>)> {
        let (Origin::File(flavours, version), Some(entry)) = (&self.origin, catalogue::entry(key))
        else {
            return Vec::new();
        };
        if let Some(version) = version {
            let number = (version.major, version.minor, version.patch);
            let value = catalogue::default_of(entry, version.flavour, number);
            return vec![(version.to_string(), value)];
        }
        // Who may run either flavour most likely runs MySQL, and is not told of what only MariaDB has.
        let only_mariadb = !entry
            .defaults
            .iter()
            .any(|(flavour, _, value)| *flavour == Flavour::MySql && value.is_some());
        if only_mariadb && flavours.len() > 1 {
            return Vec::new();
        }
        flavours
            .iter()
            .flat_map(|flavour| spans(entry, *flavour))
            .collect()
    }
}

/// Whether a switch's value means on.
pub(super) fn on(text: &str) -> bool {
    matches!(
        text.to_ascii_uppercase().as_str(),
        "ON" | "1" | "YES" | "TRUE"
    )
}

/// A value as a whole number; a fraction is cut off.
pub(super) fn number(text: &str) -> Option<u64> {
    let whole = text.split('.').next().unwrap_or(text);
    whole.parse().ok().or_else(|| {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let shift = match unit.to_ascii_lowercase().as_str() {
            "k" => 10,
            "m" => 20,
            "g" => 30,
            _ => return None,
        };
        digits.parse::<u64>().ok()?.checked_mul(1 << shift)
    })
}

/// `name = value`, for people.
pub(super) fn said(name: &str, value: &str) -> String {
    if value.is_empty() {
        format!("{name} is empty")
    } else {
        format!("{name} = {value}")
    }
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "empty" } else { value }
}

fn value_of(opt: &Opt) -> Value {
    let text = match (&opt.value, opt.switched) {
        (None, _) => "ON".to_owned(),
        (Some(value), true) => if value == "1" { "ON" } else { "OFF" }.to_owned(),
        // A value names the log's files: any, even `0`, means that there is one.
        (Some(_), false) if opt.name == "log_bin" => "ON".to_owned(),
        _ if opt.is_secret() => "***".to_owned(),
        (Some(value), false) => value.clone(),
    };
    let file = opt.file.file_name().unwrap_or(opt.file.as_os_str());
    Value {
        text,
        place: Some(format!("{}:{}", file.to_string_lossy(), opt.line)),
    }
}

/// For which servers a file is, from its options and groups; both flavours where nothing tells.
fn flavours(file: &OptionFile, options: &Options) -> Vec<Flavour> {
    let group = file
        .options
        .iter()
        .any(|opt| opt.group.to_ascii_lowercase().starts_with("mariadb"));
    let marked = |flavour: Flavour| {
        MARKS
            .iter()
            .any(|(name, of)| *of == flavour && options.get(name).is_some())
    };
    match (group || marked(Flavour::MariaDb), marked(Flavour::MySql)) {
        (true, false) => vec![Flavour::MariaDb],
        (false, true) => vec![Flavour::MySql],
        _ => vec![Flavour::MySql, Flavour::MariaDb],
    }
}

/// An entry's defaults for one flavour, each with the versions it is for.
fn spans(entry: &Entry, flavour: Flavour) -> Vec<(String, Option<&'static str>)> {
    let of: Vec<(Number, Option<&'static str>)> = entry
        .defaults
        .iter()
        .filter(|(of, ..)| *of == flavour)
        .map(|(_, from, value)| (*from, *value))
        .collect();
    let name = |(major, minor, patch): Number| format!("{major}.{minor}.{patch}");
    of.iter()
        .enumerate()
        .map(|(at, (from, value))| {
            let span = match (at, of.get(at + 1)) {
                (0, None) => flavour.to_string(),
                (0, Some((until, _))) => format!("{flavour} before {}", name(*until)),
                (_, None) => format!("{flavour} {} and newer", name(*from)),
                (_, Some((until, _))) => {
                    format!("{flavour} {} to before {}", name(*from), name(*until))
                }
            };
            (span, *value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn file(text: &str) -> OptionFile {
        OptionFile::parse(Path::new("/etc/my.cnf"), text).expect("an option file")
    }

    fn settings(text: &str, version: Option<&str>) -> Settings {
        let version = version.map(|text| Version::parse(text, "").expect("a version"));
        Settings::of_file(&file(text), version)
    }

    #[test]
    fn a_written_value_counts_with_its_place() {
        let settings = settings(
            "[mysqld]\nsync-binlog = 100\nlog-slave-updates\nskip-log-bin\n",
            None,
        );
        let seen = settings.judge("sync_binlog", |v| v != "1").expect("bad");
        assert_eq!(seen.text, "sync_binlog = 100");
        assert_eq!(seen.place.as_deref(), Some("my.cnf:2"));
        assert!(settings.is_on("log_replica_updates"));
        assert!(settings.judge("log_bin", |v| !on(v)).is_some());
    }

    #[test]
    fn an_unwritten_one_is_told_by_version() {
        let text = |version| {
            settings("[mysqld]\n", version)
                .judge("sync_binlog", |v| v != "1")
                .map(|seen| seen.text)
        };
        assert_eq!(
            text(None).as_deref(),
            Some("sync_binlog is not set; its default is 0 in MySQL before 5.7.7 and in MariaDB")
        );
        assert_eq!(text(Some("5.7.44")), None);
        assert_eq!(
            text(Some("10.11.6-MariaDB")).as_deref(),
            Some("sync_binlog is not set; its default is 0 in MariaDB 10.11.6")
        );
    }

    #[test]
    fn what_only_mariadb_has_is_told_only_for_its_files() {
        let domain = |text| settings(text, None).judge("gtid_domain_id", |v| v == "0");
        assert_eq!(domain("[mysqld]\n"), None);
        assert!(domain("[mariadb]\nport = 1\n").is_some());
        assert!(domain("[mysqld]\ngtid_strict_mode = 1\n").is_some());
    }

    #[test]
    fn numbers_with_and_without_units() {
        assert_eq!(number("16M"), Some(16 << 20));
        assert_eq!(number("0.000000"), Some(0));
        assert_eq!((number("x"), number(""), number("é")), (None, None, None));
    }
}
