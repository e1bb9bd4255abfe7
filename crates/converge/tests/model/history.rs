//! What the agent recorded, held against what the model knows.

use std::collections::HashSet;

use twinlog_converge::{Episode, Held, Policy, Side, Version};

use crate::{
    agent::Agent,
    checkpoint,
    node::Stamp,
    pair::{Flavour, Id, Pair},
    repair::pair_of,
    schema::{Change, ID, PARENT, Row, VALUES},
    wire::{self, Wire},
};

/// A promise that was not kept, in words.
pub(crate) type Violation = String;

/// A unique key with its values: table, columns, values.
pub(crate) type Key = (usize, Vec<usize>, Vec<i32>);

/// What came into the history.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    /// Values of clients: table, column, number.
    values: HashSet<(usize, usize, i32)>,
    /// Rows that a transaction left nothing of: transaction, table, primary key.
    deletes: HashSet<(Id, usize, i32)>,
    /// Why nothing was written.
    pub(crate) for_a_person: Vec<String>,
    /// Repairs that a server refused.
    pub(crate) refused: usize,
    /// Repairs of user tables, per node.
    pub(crate) repaired: [usize; 2],
}

impl History {
    /// What an episode says must be true. `known` says what a row is by all that was read, if all of it was.
    pub(crate) fn check(
        &self,
        pair: &Pair,
        wire: &Wire,
        episode: &Episode,
        known: impl Fn(Side, usize, i32) -> Option<Option<Row>>,
    ) -> Result<(), Violation> {
        for row in &episode.rows {
            let (table, id) = (wire.place(&row.table), wire::decode(&row.key)[ID]);
            let id = id.ok_or("a row without its key")?;
            for side in Side::BOTH {
                if let Held::Known(version) = &row.held[side.index()] {
                    let (says, is) = (content(version), known(side, table, id));
                    if is.is_some_and(|is| is != says) {
                        return Err(format!(
                            "row {id} of t{table} on {side:?} is said to be {says:?}, its log says {is:?}"
                        ));
                    }
                }
            }
        }
        for write in &episode.writes {
            let transaction = &pair.transactions[pair.named(&write.gtid)];
            if write.repair != transaction.repair.is_some() {
                return Err(format!(
                    "{}: a repair taken for a client's write, or the reverse",
                    write.gtid
                ));
            }
            let says = (write.origin, write.committed.micros);
            let is = match transaction.repair {
                Some(mark) => (mark.origin, mark.micros),
                None => (transaction.origin, transaction.micros),
            };
            if says != is {
                return Err(format!(
                    "{}: origin and time {says:?}, not {is:?}",
                    write.gtid
                ));
            }
        }
        for conflict in &episode.conflicts {
            let [a, b] = pair_of(pair, conflict);
            let unseen = pair.concurrent(a, b)
                || cannot_tell(pair, a, b)
                || skipped(pair, a, b)
                || covered(pair, a, b);
            if !unseen {
                return Err(format!(
                    "false alarm: one of {:?} had seen the other",
                    conflict.gtids
                ));
            }
            if touched(pair, a).is_disjoint(&touched(pair, b)) {
                return Err(format!(
                    "false alarm: {:?} have no key in common",
                    conflict.gtids
                ));
            }
            if [a, b]
                .iter()
                .all(|&id| pair.transactions[id].repair.is_some())
            {
                return Err(format!(
                    "false alarm: {:?} are both repairs",
                    conflict.gtids
                ));
            }
        }
        Ok(())
    }

    /// Writes an episode down with all its versions.
    pub(crate) fn record(&mut self, pair: &Pair, wire: &Wire, episode: &Episode) {
        let mut keep = |table: usize, row: Option<Row>| self.keep(table, row);
        for row in &episode.rows {
            let table = wire.place(&row.table);
            keep(table, row.base.as_ref().and_then(content));
            for held in &row.held {
                if let Held::Known(version) = held {
                    keep(table, content(version));
                }
            }
        }
        for write in &episode.writes {
            for (row, image) in [&write.before, &write.after].into_iter().flatten() {
                let table = wire.place(&episode.rows[*row].table);
                keep(table, Some(wire::decode(image)));
            }
        }
        for write in &episode.writes {
            let Some((row, image)) = &write.before else {
                continue;
            };
            if write.after.as_ref().is_none_or(|(after, _)| after != row) {
                let table = wire.place(&episode.rows[*row].table);
                let id = wire::decode(image)[ID].expect("a primary key");
                self.deletes.insert((pair.named(&write.gtid), table, id));
            }
        }
    }

    /// Writes a version of a row down.
    pub(crate) fn keep(&mut self, table: usize, row: Option<Row>) {
        for column in VALUES {
            if let Some(number) = row.and_then(|row| row[column]) {
                self.values.insert((table, column, number));
            }
        }
    }

    /// Notes a repair.
    pub(crate) fn repaired(
        &mut self,
        pair: &Pair,
        side: Side,
        changes: &[Change],
    ) -> Result<(), Violation> {
        self.repaired[side.index()] += changes.len();
        let total: usize = self.repaired.iter().sum();
        // Every client's change can be overwritten once by each repair that it raced; more is ping-pong.
        let changes: usize = pair
            .transactions
            .iter()
            .map(|transaction| transaction.stamps.len())
            .sum();
        let limit = 20 + 8 * changes;
        if total > limit {
            return Err(format!(
                "{total} rows repaired after {changes} clients' changes: ping-pong"
            ));
        }
        Ok(())
    }
}

fn content(version: &Version) -> Option<Row> {
    match version {
        Version::Row(image) => Some(wire::decode(image)),
        Version::Gone => None,
    }
}

/// The keys that a transaction touched, on either node, those that it refers to included.
fn touched(pair: &Pair, id: Id) -> HashSet<Key> {
    let transaction = &pair.transactions[id];
    let logs = transaction
        .logged
        .iter()
        .flatten()
        .flat_map(|changes| changes.iter());
    let mut keys = HashSet::new();
    for change in logs.chain(transaction.changes.iter()) {
        let table = &pair.schema[change.table];
        for row in [change.before, change.after].into_iter().flatten() {
            for (index, columns) in table.unique.iter().enumerate() {
                if let Some(key) = table.key(index, &row) {
                    keys.insert((change.table, columns.clone(), key));
                }
            }
            if let (Some((parent, column)), Some(value)) = (table.foreign, row[PARENT]) {
                keys.insert((parent, vec![column], vec![value]));
            }
        }
    }
    keys
}

/// MariaDB's log does not tell when a transaction was executed that was skipped as a whole: it may be taken to have
/// come as late as the next of its origin.
fn cannot_tell(pair: &Pair, a: Id, b: Id) -> bool {
    let late = |skipped: Id, on: Side, other: Id| {
        let transaction = &pair.transactions[skipped];
        if pair.flavour != Flavour::MariaDb || transaction.logged[on.index()].is_some() {
            return false;
        }
        let next = pair.by_origin[transaction.origin.index()]
            .iter()
            .copied()
            .find(|&id| id > skipped && pair.transactions[id].logged[on.index()].is_some());
        let place = |id: Id| pair.transactions[id].place[on.index()].unwrap_or(usize::MAX);
        place(other) < next.map_or(usize::MAX, place)
            && pair.transactions[other].place[transaction.origin.index()]
                > transaction.place[transaction.origin.index()]
    };
    late(a, Side::B, b) || late(b, Side::A, a)
}

/// Whether one of them came later, but on a node that had skipped a part of the other: its client had not seen that.
fn skipped(pair: &Pair, a: Id, b: Id) -> bool {
    let over = |earlier: Id, later: Id| {
        let (earlier, later) = (&pair.transactions[earlier], &pair.transactions[later]);
        let on = later.origin.index();
        let copy = earlier.logged[on].as_deref().unwrap_or_default();
        let left = |change: &Change| {
            let key = |row: Option<Row>| row.and_then(|row| row[ID]);
            let name = change.after.or(change.before);
            (change.table, key(name), change.after)
        };
        earlier.place[on] < later.place[on]
            && !earlier.changes.iter().map(left).eq(copy.iter().map(left))
    };
    over(a, b) || over(b, a)
}

/// Whether one of them is a repair that was chosen without the other.
fn covered(pair: &Pair, a: Id, b: Id) -> bool {
    let without = |repair: Id, other: Id| {
        let repair = &pair.transactions[repair];
        repair.repair.is_some() && !repair.judged.contains(&wire::gtid(pair, other))
    };
    without(a, b) || without(b, a)
}

/// The promises, once all is quiet.
pub(crate) fn verify(pair: &Pair, agent: &Agent, policy: &Policy) -> Result<(), Violation> {
    let [a, b] = [&pair.nodes[0].state, &pair.nodes[1].state];
    if let Some(reason) = agent.history.for_a_person.first() {
        return Err(format!("left to a person: {reason}"));
    }
    if *policy != Policy::Manual && a != b {
        return Err(format!(
            "the nodes differ:\n  A {:?}\n  B {:?}",
            a.tables, b.tables
        ));
    }
    if *policy == Policy::Manual && agent.counts.repairs > 0 {
        return Err("a repair under the policy manual".into());
    }
    if agent.kept() > 0 {
        return Err(format!(
            "all is settled, but {} transactions and keys are kept",
            agent.kept()
        ));
    }
    if !two_sided(pair) && (agent.counts.episodes > 0 || agent.counts.repairs > 0) {
        return Err("a verdict though no key was written on both sides unseen".into());
    }
    for id in 0..pair.transactions.len() {
        lost(pair, agent, id)?;
    }
    checkpoint::closed(pair, agent)
}

/// Whether any key was written on both sides unseen.
fn two_sided(pair: &Pair) -> bool {
    let clients = |side: Side| {
        let ids = pair.by_origin[side.index()].iter().copied();
        ids.filter(|&id| pair.transactions[id].repair.is_none())
    };
    let of_b: Vec<_> = clients(Side::B).map(|id| (id, touched(pair, id))).collect();
    clients(Side::A).any(|a| {
        let keys = touched(pair, a);
        of_b.iter()
            .any(|(b, other)| pair.concurrent(a, *b) && !keys.is_disjoint(other))
    })
}

/// Whether something that a client wrote is neither in the tables, nor in the history, nor overwritten by a client that
/// had seen it.
fn lost(pair: &Pair, agent: &Agent, id: Id) -> Result<(), Violation> {
    let transaction = &pair.transactions[id];
    for (at, (change, stamp)) in transaction
        .changes
        .iter()
        .zip(&transaction.stamps)
        .enumerate()
    {
        let table = change.table;
        for (column, _) in VALUES
            .into_iter()
            .zip(stamp.columns)
            .filter(|(_, wrote)| *wrote)
        {
            let has = |row: &Row| row[column] == Some(stamp.number);
            let stands = pair
                .nodes
                .iter()
                .all(|node| node.state.tables[table].values().any(has));
            let recorded = agent
                .history
                .values
                .contains(&(table, column, stamp.number));
            let overwritten = clients_changes(pair).any(|(_, _, later)| {
                later.table == table
                    && later.before.is_some_and(|row| has(&row))
                    && later.after.is_none_or(|row| !has(&row))
            });
            if !stands && !recorded && !overwritten {
                let Stamp { number, .. } = stamp;
                return Err(format!(
                    "lost: {number} in column {column} of t{table}, by {}",
                    wire::gtid(pair, id)
                ));
            }
        }
        let gone = change.before.and_then(|row| row[ID]);
        let moved = change.after.and_then(|row| row[ID]) != gone;
        if let Some(key) = gone.filter(|_| moved) {
            let stands = pair
                .nodes
                .iter()
                .any(|node| node.state.row(table, key).is_some());
            let recorded = agent.history.deletes.contains(&(id, table, key));
            let again = clients_changes(pair).any(|(other, place, later)| {
                later.table == table
                    && later.after.is_some_and(|row| row[ID] == Some(key))
                    && ((other == id && place > at) || pair.had_seen(other, id))
            });
            if stands && !recorded && !again {
                return Err(format!(
                    "lost: the end of row {key} of t{table}, by {}",
                    wire::gtid(pair, id)
                ));
            }
        }
    }
    Ok(())
}

/// Every client's change as it was on its origin: transaction, place in it, change.
fn clients_changes(pair: &Pair) -> impl Iterator<Item = (Id, usize, &Change)> {
    pair.transactions
        .iter()
        .enumerate()
        .filter(|(_, it)| it.repair.is_none())
        .flat_map(|(id, transaction)| {
            transaction
                .changes
                .iter()
                .enumerate()
                .map(move |(at, change)| (id, at, change))
        })
}
