//! What two nodes have beside tables, held against each other: databases, views, routines, triggers, events, sequences, and
//! accounts with their grants.
//!
//! It is read with the account that `twinlog up` uses, or, where there is none, with twinlog's own: that one is not shown all.
//! What a node does not show is named, and not taken for something that is not there.

mod accounts;
mod programs;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join;
use twinlog_server::{
    conn::{Conn, Error},
    facts::read_dialect,
};

use crate::site::{Login, Site};

/// So long is waited where a definition is being changed: whoever asked can ask again.
const PATIENT: &str = "SET SESSION lock_wait_timeout = 5";

/// Something, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// `view shop.v`, `account 'x'@'%'`, or all of a kind: `accounts`.
    pub at: String,
    /// In words; never a password, nor a hash of one.
    pub said: String,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    /// What is not the same on both nodes.
    pub differences: Vec<Remark>,
    /// What could not be compared, because a node does not show it.
    pub unseen: Vec<Remark>,
}

/// One thing that a node has. It may hold the hash of a password, so there is no `Debug`.
struct Thing {
    /// What all of its kind are called.
    kind: &'static str,
    parts: Vec<Part>,
}

/// What of a thing is to be the same.
#[derive(PartialEq)]
struct Part {
    /// What is said where it is not.
    said: &'static str,
    text: String,
    /// Whether a line of the text may be shown.
    shown: bool,
}

/// What a node has, by what people call it.
#[derive(Default)]
struct Has {
    things: BTreeMap<String, Thing>,
    /// What it does not show, by its name or its kind, and why.
    unseen: BTreeMap<String, String>,
}

/// Compares what both nodes have. Accounts only where all databases are replicated: a link that carries some of them carries no
/// accounts.
///
/// # Errors
/// Where a node does not answer.
pub async fn compare(site: &Site) -> Result<Beside, Error> {
    let (a, b) = try_join(read(site, 0), read(site, 1)).await?;
    let names = site.nodes().map(|node| node.name.as_str());
    Ok(held_against(names, [a, b]))
}

async fn read(site: &Site, index: usize) -> Result<Has, Error> {
    let node = site.nodes()[index];
    let mut conn = match site.connect(node, Login::Admin, site.patience()).await {
        Ok(conn) => conn,
        // It may have been for `up` alone.
        Err(_) => site.connect(node, Login::Agent, site.patience()).await?,
    };
    conn.execute(PATIENT).await?;
    let dialect = read_dialect(&mut conn).await?;
    let databases = site.config.databases.as_deref();
    let mut has = Has::default();
    programs::read(&mut conn, databases, &mut has).await?;
    if databases.is_none() {
        let operators = site.config.nodes.iter();
        let operators: Vec<&str> = operators.filter_map(|node| node.user.as_deref()).collect();
        accounts::read(&mut conn, &dialect, &operators, &mut has).await?;
    }
    conn.close().await;
    Ok(has)
}

impl Has {
    /// What came of asking for something: it is noted as unseen where the server refuses, and left out where it is gone.
    fn seen<T>(
        &mut self,
        at: &str,
        gone: &[u16],
        asked: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match asked {
            Ok(seen) => Ok(Some(seen)),
            Err(Error::Statement { code, .. }) if gone.contains(&code) => Ok(None),
            Err(Error::Statement { code, message, .. }) => {
                let why = format!("ERROR {code}: {message}");
                self.unseen.insert(at.to_owned(), why);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn held_against(names: [&str; 2], nodes: [Has; 2]) -> Beside {
    let mut beside = Beside::default();
    let [a, b] = &nodes;
    for (has, node) in nodes.iter().zip(names) {
        beside
            .unseen
            .extend(has.unseen.iter().map(|(at, why)| Remark {
                at: at.clone(),
                said: format!("{node} does not show what to compare: {why}"),
            }));
    }
    let all: BTreeSet<&String> = a.things.keys().chain(b.things.keys()).collect();
    for at in all {
        let [of_a, of_b] = [a.things.get(at), b.things.get(at)];
        let is_unseen = |name: &str| nodes.iter().any(|has| has.unseen.contains_key(name));
        let kind = of_a.or(of_b).map_or("", |thing| thing.kind);
        if is_unseen(at) || is_unseen(kind) {
            continue;
        }
        let said = match (of_a, of_b) {
            (Some(a), Some(b)) => differing(names, [a, b]),
            (Some(_), None) => Some(format!("{} lacks it", names[1])),
            (None, _) => Some(format!("{} lacks it", names[0])),
        };
        beside.differences.extend(said.map(|said| Remark {
            at: at.clone(),
            said,
        }));
    }
    beside
}

/// What of a thing is not the same, in words.
fn differing(names: [&str; 2], [a, b]: [&Thing; 2]) -> Option<String> {
    let pairs = a.parts.iter().zip(&b.parts);
    let said = pairs.filter(|(a, b)| a != b).map(|(a, b)| {
        let line = a.shown.then(|| lonely_line(names, [&a.text, &b.text]));
        match line.flatten() {
            Some(line) => format!("{}: {line}", a.said),
            None => a.said.to_owned(),
        }
    });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// The first line that one of two texts has and the other has not.
fn lonely_line(names: [&str; 2], texts: [&str; 2]) -> Option<String> {
    let alone = |here: usize| {
        let there: BTreeSet<&str> = texts[1 - here].lines().collect();
        let line = texts[here].lines().find(|line| !there.contains(line))?;
        Some(format!("{} alone has {line}", names[here]))
    };
    alone(0).or_else(|| alone(1))
}

/// The rows of a statement, as their first columns.
async fn lines(conn: &mut Conn, sql: &str) -> Result<Vec<String>, Error> {
    let rows = conn.rows(sql).await?;
    let first = rows.iter().filter_map(|row| row.at(0).map(str::to_owned));
    Ok(first.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(kind: &'static str, parts: &[(&'static str, &str, bool)]) -> Thing {
        let part = |&(said, text, shown): &(&'static str, &str, bool)| Part {
            said,
            text: text.to_owned(),
            shown,
        };
        Thing {
            kind,
            parts: parts.iter().map(part).collect(),
        }
    }

    fn has(things: Vec<(&str, Thing)>, unseen: &[(&str, &str)]) -> Has {
        let own = |(at, why): &(&str, &str)| ((*at).to_owned(), (*why).to_owned());
        Has {
            things: things
                .into_iter()
                .map(|(at, thing)| (at.to_owned(), thing))
                .collect(),
            unseen: unseen.iter().map(own).collect(),
        }
    }

    #[test]
    fn what_is_not_the_same_is_named_and_what_is_not_shown_is_not_taken_for_missing() {
        let view = |text: &'static str| thing("views", &[("defined differently", text, false)]);
        let account = |grants: &'static str, password: &'static str| {
            let parts = [
                ("grants differ", grants, true),
                ("passwords differ", password, false),
            ];
            thing("accounts", &parts)
        };
        let a = vec![
            ("view s.v", view("1")),
            ("view s.w", view("1")),
            ("view s.x", view("1")),
            ("function s.f", thing("routines", &[])),
            ("account 'x'@'%'", account("G1\nG2", "*A")),
            ("account 'y'@'%'", account("G1", "*B")),
        ];
        let b = vec![
            ("view s.v", view("2")),
            ("view s.x", view("2")),
            ("account 'x'@'%'", account("G1", "*C")),
            ("account 'y'@'%'", account("G1", "*B")),
        ];
        let unseen = [("view s.x", "ERROR 1142"), ("routines", "no SELECT")];
        let beside = held_against(["a", "b"], [has(a, &[]), has(b, &unseen)]);
        let told = |remarks: &[Remark]| -> Vec<String> {
            let told = |one: &Remark| format!("{}: {}", one.at, one.said);
            remarks.iter().map(told).collect()
        };
        assert_eq!(
            told(&beside.differences),
            [
                "account 'x'@'%': grants differ: a alone has G2; passwords differ",
                "view s.v: defined differently",
                "view s.w: b lacks it"
            ]
        );
        assert_eq!(
            told(&beside.unseen),
            [
                "routines: b does not show what to compare: no SELECT",
                "view s.x: b does not show what to compare: ERROR 1142"
            ]
        );
    }
}
