//! What a checkpoint must hold.

use std::collections::HashMap;

use twinlog_converge::Side;

use crate::{
    agent::Agent,
    history::{Key, Violation},
    pair::{Id, Pair},
    schema::PARENT,
    wire,
};

/// A checkpoint has no transaction without all earlier ones, in either log, that touched one of its keys there. (What the
/// copy in the other log will touch nobody knows before it is there.)
pub(crate) fn closed(pair: &Pair, agent: &Agent) -> Result<(), Violation> {
    let keys: Vec<_> = (0..pair.transactions.len())
        .map(|id| Side::BOTH.map(|log| touched(pair, id, log)))
        .collect();
    let mut last = agent.checkpoints.first();
    for checkpoint in &agent.checkpoints {
        let known = last.filter(|last| last.is_subset(checkpoint));
        let new = checkpoint
            .iter()
            .filter(|id| known.is_none_or(|known| !known.contains(id)));
        for &id in new {
            let place = pair.transactions[id].place;
            let open = (0..pair.transactions.len()).find(|other| {
                let theirs = pair.transactions[*other].place;
                let earlier = |side: usize| matches!((theirs[side], place[side]), (Some(other), Some(own)) if other < own);
                let shares = |side: usize| {
                    let theirs = &keys[*other][side];
                    keys[id].iter().any(|own| contend(theirs, own))
                };
                !checkpoint.contains(other)
                    && (0..2).any(|side| earlier(side) && shares(side))
            });
            if let Some(open) = open {
                return Err(format!(
                    "a checkpoint has {} without {}",
                    wire::gtid(pair, id),
                    wire::gtid(pair, open)
                ));
            }
        }
        last = Some(checkpoint);
    }
    Ok(())
}

/// What a transaction does with a key: refers to it, changes its row, makes it appear or go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Touch {
    Reference,
    Update,
    Existence,
}

fn contend(one: &HashMap<Key, Touch>, other: &HashMap<Key, Touch>) -> bool {
    one.iter().any(|(key, one)| {
        other.get(key).is_some_and(|other| {
            let (one, other) = (one.min(other), one.max(other));
            *one != Touch::Reference || *other == Touch::Existence
        })
    })
}

/// The keys that a transaction touched, as a log has it.
fn touched(pair: &Pair, id: Id, log: Side) -> HashMap<Key, Touch> {
    let mut keys: HashMap<Key, Touch> = HashMap::new();
    let changes = pair.transactions[id].logged[log.index()].as_deref();
    for change in changes.unwrap_or_default() {
        let table = &pair.schema[change.table];
        let rows = [change.before, change.after];
        for row in rows.into_iter().flatten() {
            for (index, columns) in table.unique.iter().enumerate() {
                let Some(values) = table.key(index, &row) else {
                    continue;
                };
                let has = |row: Option<_>| {
                    row.and_then(|row| table.key(index, &row)).as_ref() == Some(&values)
                };
                let stays = rows.into_iter().all(has);
                let touch = if stays {
                    Touch::Update
                } else {
                    Touch::Existence
                };
                let old = keys.entry((change.table, columns.clone(), values));
                let old = old.or_insert(touch);
                *old = (*old).max(touch);
            }
            if let (Some((parent, column)), Some(value)) = (table.foreign, row[PARENT]) {
                keys.entry((parent, vec![column], vec![value]))
                    .or_insert(Touch::Reference);
            }
        }
    }
    keys
}
