//! What both nodes shall hold: the policies.

mod groups;
mod legal;
mod merge;
mod number;
mod replay;

use std::cmp::Reverse;

use twinlog_binlog::{CommitTime, Value};

use crate::{Episode, Held, Side, Version, tracker::same_version};
use groups::Group;
use replay::Replayed;

/// Who wins, as the table's policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// The later commit; ties go to the greater server id.
    LastWriteWins,
    /// The earlier commit.
    FirstWriteWins,
    /// That node's writes.
    Prefer(Side),
    /// Columns changed on one side only are both kept; counters add both changes; the rest as the later commit.
    Merge {
        /// The positions of the counters' columns.
        counters: Vec<usize>,
    },
    /// Nobody: it waits for a person.
    Manual,
}

/// What was decided about an episode.
#[derive(Debug, Clone)]
pub struct Decision {
    /// What each of the episode's rows shall be, in their order; `None` when nothing shall be written.
    pub rows: Option<Vec<Outcome>>,
    /// The side whose version was chosen; `None` for a merge, or for none.
    pub chosen: Option<Side>,
    /// The rule, in words: "the later commit: b, 12 ms after a".
    pub rule: String,
}

/// What a row shall be.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// One of the versions that there are.
    Version(Version),
    /// Column by column, from both.
    Merged(Vec<Value>),
    /// No write says: what the nodes hold is not known to any log, and both must be asked.
    AsHeld(Side),
}

/// The moments of commits as all writes of an episode can be compared: where one is known to the second, all are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommitMoment {
    exact: bool,
}

impl CommitMoment {
    fn of(episode: &Episode) -> Self {
        Self {
            exact: episode.writes.iter().all(|write| write.committed.exact),
        }
    }

    fn micros(self, time: CommitTime) -> u64 {
        let second = time.micros / 1_000_000 * 1_000_000;
        if self.exact { time.micros } else { second }
    }
}

/// What both nodes shall hold after an episode. `policies` has one per row of it, by the row's table; `server_ids` break
/// ties between commits of the same moment.
///
/// Contended writes that build on each other stand or fall together. The policy orders these groups; each stands unless
/// it contends with one that stands already. The rows are what they were before, with all writes done that stand. Where
/// that breaks a unique or foreign key, or a row is of which nothing tells, both get what one of them holds.
#[must_use]
pub fn decide(episode: &Episode, policies: &[Policy], server_ids: [u32; 2]) -> Decision {
    let (policy, note) = governing(policies);
    if policy == Policy::Manual {
        return Decision::none("manual: it waits for a person");
    }
    if matches!(policy, Policy::Merge { .. })
        && episode.is_contended()
        && let Some(merged) = merge::merge(episode, policies, server_ids)
    {
        return Decision {
            rows: Some(merged.rows),
            chosen: None,
            rule: merged.rule,
        };
    }
    let groups = groups::groups(episode, &policy, server_ids);
    let mut rejected = vec![false; episode.writes.len()];
    for group in groups.iter().filter(|group| !group.accepted) {
        for &write in &group.writes {
            rejected[write] = true;
        }
    }
    let Replayed {
        versions,
        overwritten,
    } = replay::replay(episode, &rejected);
    let mut rule = rule(episode, &groups, &policy, server_ids);
    if let Some(note) = note {
        rule = format!("{rule} ({note})");
    }
    let unknown = versions.iter().any(Option::is_none);
    let reason = if unknown {
        Some("no log tells what a row was".to_owned())
    } else if overwritten {
        Some("a later write builds on one that would not stand".to_owned())
    } else {
        legal::illegal(episode, &versions)
    };
    if let Some(reason) = reason {
        return as_held(
            episode,
            &versions,
            &groups,
            &format!("{rule}; but {reason}"),
        );
    }
    let rows: Vec<Outcome> = versions
        .into_iter()
        .flatten()
        .map(Outcome::Version)
        .collect();
    let mut sides = groups
        .iter()
        .filter(|group| group.accepted)
        .map(|group| group.side);
    let first = sides.next();
    Decision {
        rows: Some(rows),
        chosen: first.filter(|first| sides.all(|side| side == *first)),
        rule,
    }
}

/// Where the writes that stand make no rows that a server would take: both nodes get what one of them holds. It is the one
/// that agrees most with what was wanted, else where the first group was committed; rather not one whose applier left a row
/// that refers to nothing, as MySQL 9.7's can. Where both have such rows, those go.
fn as_held(
    episode: &Episode,
    wanted: &[Option<Version>],
    groups: &[Group],
    rule: &str,
) -> Decision {
    let held = Side::BOTH.map(|side| -> Vec<Option<Version>> {
        let rows = episode.rows.iter().map(|row| &row.held[side.index()]);
        rows.map(|held| match held {
            Held::Known(version) => Some(version.clone()),
            Held::Unknown => None,
        })
        .collect()
    });
    let agrees = |side: Side| {
        let rows = held[side.index()].iter().zip(wanted);
        rows.filter(|rows| match rows {
            (Some(held), Some(wanted)) => same_version(held, wanted) == Some(true),
            _ => false,
        })
        .count()
    };
    let first = groups.first().map_or(Side::A, |group| group.side);
    let mut sides = [first, first.peer()];
    sides.sort_by_key(|&side| Reverse(agrees(side)));
    let legal = |side: &Side| legal::illegal(episode, &held[side.index()]).is_none();
    let whole = sides.into_iter().find(legal);
    let side = whole.unwrap_or(sides[0]);
    let mut rule = format!("{rule}, so both get what {} holds", name(side));
    let mut rows = vec![Outcome::AsHeld(side); episode.rows.len()];
    if whole.is_none() {
        rule.push_str(", without rows that refer to none");
        let left = legal::without_orphans(episode, held[side.index()].clone());
        for (row, version) in rows.iter_mut().zip(left) {
            if let Some(version) = version {
                *row = Outcome::Version(version);
            }
        }
    }
    Decision {
        rows: Some(rows),
        chosen: Some(side),
        rule,
    }
}

fn name(side: Side) -> &'static str {
    match side {
        Side::A => "a",
        Side::B => "b",
    }
}

impl Decision {
    fn none(rule: &str) -> Self {
        Self {
            rows: None,
            chosen: None,
            rule: rule.to_owned(),
        }
    }
}

/// The policy of all rows, and what must be said of it.
fn governing(policies: &[Policy]) -> (Policy, Option<&'static str>) {
    use std::mem::discriminant;
    if policies.contains(&Policy::Manual) {
        return (Policy::Manual, None);
    }
    let first = policies.first().cloned().unwrap_or(Policy::LastWriteWins);
    let alike = |policy: &Policy| match (policy, &first) {
        (Policy::Prefer(side), Policy::Prefer(other)) => side == other,
        (policy, first) => discriminant(policy) == discriminant(first),
    };
    if policies.iter().all(alike) {
        return (first, None);
    }
    let note = "the tables' policies differ, so the later commit counts";
    (Policy::LastWriteWins, Some(note))
}

/// Why the groups that stand do, in words.
fn rule(episode: &Episode, groups: &[Group], policy: &Policy, server_ids: [u32; 2]) -> String {
    let winner = groups.iter().find(|group| !group.against.is_empty());
    let loser = winner.and_then(|winner| {
        let against = winner.against.iter().map(|&other| &groups[other]);
        against.max_by_key(|group| (group.client, group.last))
    });
    let (Some(winner), Some(loser)) = (winner, loser) else {
        return match episode.writes.last() {
            Some(last) if !episode.is_contended() => {
                format!("no write contends: as {} was told", name(last.origin))
            }
            _ => "no client's write contends".to_owned(),
        };
    };
    let (side, other) = (name(winner.side), name(loser.side));
    if winner.client && !loser.client {
        return format!("a client's write on {side} goes before a repair");
    }
    let server = |side: Side| server_ids[side.index()];
    match policy {
        Policy::Prefer(preferred) if *preferred == winner.side => format!("{side} is preferred"),
        Policy::FirstWriteWins if winner.first != loser.first => format!(
            "the earlier commit: {side}, {} before {other}",
            duration(loser.first.saturating_sub(winner.first))
        ),
        _ if *policy != Policy::FirstWriteWins && winner.last != loser.last => format!(
            "the later commit: {side}, {} after {other}",
            duration(winner.last.saturating_sub(loser.last))
        ),
        _ => format!(
            "committed at the same time: {side} has the greater server id ({} and {})",
            server(winner.side),
            server(loser.side)
        ),
    }
}

/// A duration as a person would say it.
fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{} s", micros / 1_000_000),
    }
}
