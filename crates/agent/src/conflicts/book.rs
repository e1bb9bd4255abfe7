//! The history as both nodes have it.
//!
//! It is replicated, so both have the same, but for what a link has not delivered yet. Where they differ, an entry that
//! is closed on one node counts as closed: entries are never opened again but by a person.

use std::{collections::HashMap, time::Duration};

use futures_util::future::join;
use twinlog_pair::{
    config::Node,
    site::{Login, Site},
};
use twinlog_server::conn::{self, Conn};

use super::Error;
use crate::history::{self, Entry, Filter, HistoryError, State};

/// How long a server may take to let us in.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What differs after this time is not merely on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(300);

/// What a node answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its name.
    pub node: String,
    /// Why it did not.
    pub error: Option<String>,
}

/// The history, open for reading.
#[derive(Debug)]
pub struct Book {
    answers: [Answer; 2],
    conns: [Option<Conn>; 2],
}

/// A part of the history.
#[derive(Debug)]
pub struct Listing {
    /// The entries, the newest first.
    pub entries: Vec<Entry>,
    /// How many there are without the filter's limit.
    pub total: u64,
    /// How many of those are open.
    pub open: u64,
    /// How the nodes' histories differ, in words.
    pub differ: Option<String>,
}

/// An entry.
#[derive(Debug)]
pub struct Found {
    /// It.
    pub entry: Entry,
    /// How the nodes' histories differ in it, in words.
    pub differ: Option<String>,
    /// On which node it was read.
    pub place: usize,
}

impl Book {
    /// Opens the history on both nodes, or on the one that answers.
    ///
    /// # Errors
    /// Why the first node does not answer, when neither does.
    pub async fn open(site: &Site) -> Result<Self, Error> {
        let [a, b] = site.nodes();
        let (a, b) = join(open(site, a), open(site, b)).await;
        let names = site.nodes().map(|node| node.name.clone());
        let errors = [&a, &b].map(|opened| opened.as_ref().err().map(ToString::to_string));
        let (a, b) = match (a, b) {
            (Err(error), Err(_)) => return Err(error.into()),
            (a, b) => (a.ok(), b.ok()),
        };
        let [first, second] = names;
        let [first_error, second_error] = errors;
        Ok(Self {
            answers: [
                Answer {
                    node: first,
                    error: first_error,
                },
                Answer {
                    node: second,
                    error: second_error,
                },
            ],
            conns: [a, b],
        })
    }

    /// Which nodes answered.
    pub fn answers(&self) -> &[Answer; 2] {
        &self.answers
    }

    /// The first node's connection that answers, and its place.
    pub fn first(&mut self) -> Option<(usize, &mut Conn)> {
        let mut conns = self.conns.iter_mut().enumerate();
        conns.find_map(|(at, conn)| Some((at, conn.as_mut()?)))
    }

    /// A node's connection.
    pub(super) fn conn(&mut self, place: usize) -> Option<&mut Conn> {
        self.conns.get_mut(place)?.as_mut()
    }

    /// The entries that a filter lets through, of both nodes.
    ///
    /// # Errors
    /// What a node says that answers.
    pub async fn list(&mut self, filter: &Filter) -> Result<Listing, Error> {
        let listing = self.list_once(filter).await?;
        if listing.differ.is_none() {
            return Ok(listing);
        }
        tokio::time::sleep(ON_ITS_WAY).await;
        self.list_once(filter).await
    }

    async fn list_once(&mut self, filter: &Filter) -> Result<Listing, Error> {
        let mut pages = Vec::new();
        let (mut total, mut open) = (0, 0);
        for conn in self.conns.iter_mut().flatten() {
            let (all, open_here) = history::total(conn, filter).await?;
            pages.push((history::list(conn, filter).await?, all));
            total = total.max(all);
            open = open.max(open_here);
        }
        let differ = match pages.as_slice() {
            [(a, all_a), (b, all_b)] => self.difference(a, *all_a, b, *all_b),
            _ => None,
        };
        let mut entries = Vec::new();
        for (page, _) in pages {
            merge(&mut entries, page);
        }
        entries.sort_by(|a, b| (b.found_us, &a.id).cmp(&(a.found_us, &b.id)));
        entries.truncate(filter.limit.unwrap_or(history::LIST_LIMIT_DEFAULT) as usize);
        Ok(Listing {
            entries,
            total,
            open,
            differ,
        })
    }

    fn difference(&self, a: &[Entry], all_a: u64, b: &[Entry], all_b: u64) -> Option<String> {
        let [first, second] = self.answers.each_ref().map(|answer| &answer.node);
        if all_a != all_b {
            return Some(format!(
                "{first} knows of {all_a} of these, {second} of {all_b}: a link has not delivered the rest"
            ));
        }
        let other: HashMap<&str, &Entry> =
            b.iter().map(|entry| (entry.id.as_str(), entry)).collect();
        let unlike = a
            .iter()
            .filter(|entry| {
                other
                    .get(entry.id.as_str())
                    .is_none_or(|other| !alike(entry, other))
            })
            .count();
        (unlike > 0).then(|| {
            format!(
                "{first} and {second} do not say the same of {unlike} of these: a link has not delivered all changes"
            )
        })
    }

    /// The entry with this id, or the only one whose id begins so.
    ///
    /// # Errors
    /// [`HistoryError::NoSuch`] where neither node has one, [`HistoryError::Ambiguous`].
    pub async fn find(&mut self, id: &str) -> Result<Found, Error> {
        let found = self.find_once(id).await?;
        if found.differ.is_none() {
            return Ok(found);
        }
        tokio::time::sleep(ON_ITS_WAY).await;
        self.find_once(id).await
    }

    async fn find_once(&mut self, id: &str) -> Result<Found, Error> {
        let mut found: Vec<(usize, Entry)> = Vec::new();
        let mut missing = None;
        for (place, conn) in self.conns.iter_mut().enumerate() {
            let Some(conn) = conn else { continue };
            match history::find(conn, id).await {
                Ok(entry) => found.push((place, entry)),
                Err(HistoryError::NoSuch { .. }) => missing = Some(place),
                Err(error) => return Err(error.into()),
            }
        }
        let name = |place: usize| &self.answers[place].node;
        let differ = match (found.as_slice(), missing) {
            ([(place, _)], Some(without)) => Some(format!(
                "only {} knows of it: the link to {} has not delivered it yet",
                name(*place),
                name(without)
            )),
            ([(_, a), (_, b)], _) if a.id != b.id => {
                return Err(HistoryError::Ambiguous {
                    id: id.to_owned(),
                    count: 2,
                }
                .into());
            }
            ([(_, a), (_, b)], _) if !alike(a, b) => Some(format!(
                "{} says that it is {}, {} says {}: a link has not delivered the change",
                name(0),
                a.state,
                name(1),
                b.state
            )),
            _ => None,
        };
        let closed = found
            .iter()
            .position(|(_, entry)| entry.state != State::Open)
            .unwrap_or(0);
        if found.is_empty() {
            return Err(HistoryError::NoSuch { id: id.to_owned() }.into());
        }
        let (place, entry) = found.swap_remove(closed);
        Ok(Found {
            entry,
            differ,
            place,
        })
    }

    /// Closes the connections.
    pub async fn close(self) {
        for conn in self.conns.into_iter().flatten() {
            conn.close().await;
        }
    }
}

async fn open(site: &Site, node: &Node) -> Result<Conn, conn::Error> {
    site.connect(node, Login::Agent, CONNECT_TIMEOUT).await
}

/// Whether two nodes say the same of an entry.
fn alike(a: &Entry, b: &Entry) -> bool {
    a.state == b.state && a.resolved_us == b.resolved_us && a.rule == b.rule && a.detail == b.detail
}

/// Adds what another node knows.
fn merge(entries: &mut Vec<Entry>, page: Vec<Entry>) {
    let mut known: HashMap<String, usize> = entries
        .iter()
        .enumerate()
        .map(|(at, entry)| (entry.id.clone(), at))
        .collect();
    for entry in page {
        match known.get(&entry.id) {
            Some(&at) => {
                if entries[at].state == State::Open && entry.state != State::Open {
                    entries[at] = entry;
                }
            }
            None => {
                known.insert(entry.id.clone(), entries.len());
                entries.push(entry);
            }
        }
    }
}
