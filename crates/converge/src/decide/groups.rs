//! Writes that stand or fall together, and which of them stand.

use std::collections::BTreeSet;

use crate::{CommitMoment, Episode, Policy, Side};

/// Contended writes of one side that build on each other.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) writes: Vec<usize>,
    /// The groups that it contends with.
    pub(super) against: BTreeSet<usize>,
    /// Where it was committed; where its version came from if it is a repair.
    pub(super) side: Side,
    /// Whether a client has a part in it.
    pub(super) client: bool,
    /// The first and the last of its clients' commits (of the repairs, if it has no client).
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) accepted: bool,
}

/// The contended writes, in groups, and which of them stand. The order is that of [`order`].
pub(super) fn groups(episode: &Episode, policy: &Policy, server_ids: [u32; 2]) -> Vec<Group> {
    let mut groups = connect(episode);
    order(&mut groups, policy, server_ids);
    let mut group_of = vec![None; episode.writes.len()];
    for (at, group) in groups.iter().enumerate() {
        for &write in &group.writes {
            group_of[write] = Some(at);
        }
    }
    for (at, group) in groups.iter_mut().enumerate() {
        let against = group.writes.iter().flat_map(|&write| {
            let against = episode.writes[write].against.iter();
            against.filter_map(|&other| group_of.get(other).copied().flatten())
        });
        group.against = against.filter(|&other| other != at).collect();
    }
    for at in 0..groups.len() {
        groups[at].accepted = !groups[at]
            .against
            .iter()
            .any(|&other| groups[other].accepted);
    }
    groups
}

/// Puts contended writes that build on each other together.
fn connect(episode: &Episode) -> Vec<Group> {
    let writes = &episode.writes;
    let contended = |write: usize| writes.get(write).is_some_and(|w| !w.against.is_empty());
    let mut neighbours = vec![Vec::new(); writes.len()];
    for (at, write) in writes.iter().enumerate() {
        for &earlier in &write.after_writes {
            if contended(at) && contended(earlier) {
                neighbours[at].push(earlier);
                neighbours[earlier].push(at);
            }
        }
    }
    let moment = CommitMoment::of(episode);
    let mut seen = vec![false; writes.len()];
    let mut groups = Vec::new();
    for start in (0..writes.len()).filter(|&write| contended(write)) {
        let mut members = Vec::new();
        let mut open = vec![start];
        while let Some(write) = open.pop() {
            if !std::mem::replace(&mut seen[write], true) {
                members.push(write);
                open.extend(&neighbours[write]);
            }
        }
        members.sort_unstable();
        let client = members.iter().any(|&write| !writes[write].repair);
        let counted = || {
            let own = members.iter().map(|&write| &writes[write]);
            own.filter(move |write| write.repair != client)
        };
        let times = || counted().map(|write| moment.micros(write.committed));
        let (Some(first), Some(last), Some(one)) = (times().min(), times().max(), counted().next())
        else {
            continue;
        };
        groups.push(Group {
            side: one.origin,
            client,
            first,
            last,
            against: BTreeSet::new(),
            accepted: false,
            writes: members,
        });
    }
    groups
}

/// Those that a policy takes first come first.
fn order(groups: &mut [Group], policy: &Policy, server_ids: [u32; 2]) {
    use std::cmp::Reverse;
    groups.sort_by_key(|group| {
        let by_policy = match policy {
            Policy::FirstWriteWins => (0, group.first),
            Policy::Prefer(side) => (u64::from(group.side != *side), u64::MAX - group.last),
            Policy::LastWriteWins | Policy::Merge { .. } | Policy::Manual => {
                (0, u64::MAX - group.last)
            }
        };
        // A repair yields to whatever a client wrote meanwhile.
        (
            Reverse(group.client),
            by_policy,
            Reverse(server_ids[group.side.index()]),
            group.writes.first().copied(),
        )
    });
}
