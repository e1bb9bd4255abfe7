//! One row, and those that keep it from being what it shall be.

use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
};

use twinlog_converge::{Side, TableName};
use twinlog_row::TableInfo;

use super::{
    Error,
    bench::Came,
    plan::Known,
    work::{WRITTEN_SINCE, Work, is_equal},
};
use crate::{
    history::cells,
    resolve::{self, BECAUSE_OF_OTHERS, Judged, JudgedRow, Place, Tables, Tried},
    verify::{Outcome, TableResult},
};

/// So often a row is looked at that clients write, or that others are in the way of.
const LOOKS_MAX: u32 = 10;

impl Work<'_> {
    /// Repairs a row; or leaves it, and says why.
    pub(super) async fn alone(&mut self, at: usize) -> Result<(), Error> {
        let Some((known, kept)) = self.known(at) else {
            return Ok(());
        };
        let table = Arc::clone(&known.infos[kept.peer().index()]);
        let mut places: Vec<Place> = vec![(table, self.plan.suspects[at].key.clone())];
        let mut reason = String::new();
        for _ in 0..LOOKS_MAX {
            let mut rows = Vec::new();
            for (table, key) in &places {
                rows.push(self.bench.judge(table, key, kept).await?);
            }
            if is_equal(&rows[0]) {
                self.found_equal(at);
                return Ok(());
            }
            if !self.is_as_shown(at, &rows[0], kept.peer()) {
                reason = WRITTEN_SINCE.to_owned();
                self.bench.hands.catch_up().await?;
                continue;
            }
            let entry = self.entry(&rows, &known, kept).await?;
            let tried = match self
                .bench
                .attempt(rows.clone(), kept, std::slice::from_ref(&entry))
                .await?
            {
                Came::Done => {
                    self.note_taken_in(&places, &entry.id);
                    self.repaired(at, entry.id);
                    return Ok(());
                }
                Came::Equal => continue,
                Came::Not(tried) => tried,
            };
            match tried {
                Tried::Busy(why) => reason = format!("clients hold it, or a link is behind: {why}"),
                Tried::Changed(_) | Tried::Touched => {
                    reason = "clients wrote it whenever it was looked at".to_owned();
                }
                tried if is_because_of_others(&tried) => {
                    let refused = tried.reason();
                    match self.in_the_way(&places, rows.clone(), kept).await? {
                        Ok(more) if !more.is_empty() => {
                            places.extend(more);
                            reason = refused.1;
                            continue;
                        }
                        Ok(_) => return self.open(at, &rows, (&known, kept), refused).await,
                        Err(why) => {
                            let message = format!("{}; {why}", refused.1);
                            let refused = (refused.0, message);
                            return self.open(at, &rows, (&known, kept), refused).await;
                        }
                    }
                }
                tried => return self.open(at, &rows, (&known, kept), tried.reason()).await,
            }
            self.bench.hands.catch_up().await?;
        }
        self.leave(at, reason);
        Ok(())
    }

    /// Remembers which rows were repaired along with another.
    fn note_taken_in(&mut self, places: &[Place], id: &str) {
        for (table, key) in &places[1..] {
            if let Some(suspect) = self.plan.suspect(&table.name, key) {
                let name = crate::verify::name_of(suspect);
                self.taken_in.insert(name, id.to_owned());
            }
        }
    }

    /// The rows that are not among these and keep them from being what they shall be; or why they must not be taken in.
    async fn in_the_way(
        &mut self,
        places: &[Place],
        rows: Vec<JudgedRow>,
        kept: Side,
    ) -> Result<Result<Vec<Place>, String>, Error> {
        let judged = Judged {
            rows,
            decided: true,
            aged: false,
        };
        let loser = kept.peer();
        let mut tables: Tables = HashMap::<TableName, Arc<TableInfo>>::new();
        let own = judged.rows.iter().map(|row| row.table.name.clone());
        for name in own.chain(resolve::related(&judged)) {
            if let hash_map::Entry::Vacant(place) = tables.entry(name.clone()) {
                let known = self.load(&name).await?;
                place.insert(Arc::clone(&known.infos[loser.index()]));
            }
        }
        let [a, b] = &mut self.bench.silent;
        let hands = match loser {
            Side::A => [a, b],
            Side::B => [b, a],
        };
        let mut more: Vec<Place> = Vec::new();
        for place in resolve::in_the_way(hands, &judged, loser, &tables).await? {
            let is_it = |other: &Place| other.0.name == place.0.name && other.1 == place.1;
            if !places.iter().chain(&more).any(is_it) {
                more.push(place);
            }
        }
        for place in &more {
            if let Some(why) = self.may_not_take(place, kept).await? {
                return Ok(Err(why));
            }
        }
        Ok(Ok(more))
    }

    /// Why a row must not be repaired along with others, which become as that node has them.
    async fn may_not_take(
        &mut self,
        (table, key): &Place,
        kept: Side,
    ) -> Result<Option<String>, Error> {
        let (name, text) = (&table.name, table.name.to_string());
        let mut compared = self.plan.document.compared.tables.iter();
        let is_known =
            |table: &TableResult| table.table == text && table.outcome != Outcome::Unknown;
        if !compared.any(is_known) {
            return Ok(Some(format!(
                "a row of {name} is in the way, which was not compared (--tables)"
            )));
        }
        if self.plan.some_rows && self.plan.suspect(name, key).is_none() {
            return Ok(Some(format!(
                "a row of {name} is in the way, which was not compared (--where)"
            )));
        }
        if let Some(id) = self.plan.conflicts.get(&(text, cells(key))) {
            return Ok(Some(format!(
                "a row of {name} is in the way, of which conflict {id} is open"
            )));
        }
        let known = self.load(name).await?;
        if known.kept() != Some(kept) {
            return Ok(Some(format!(
                "a row of {name} is in the way, of which {} is not said to be right",
                self.bench.names[kept.index()]
            )));
        }
        Ok(known.obstacle(kept, &self.bench.names))
    }

    async fn load(&mut self, name: &TableName) -> Result<Known, Error> {
        if let Some(known) = self.plan.tables.get(name) {
            return Ok(known.clone());
        }
        let hands = &mut self.bench.hands;
        let known = Known::load(self.site, hands, name, self.plan.keep).await?;
        self.plan.tables.insert(name.clone(), known.clone());
        Ok(known)
    }
}

/// Whether other rows are why the server refused.
fn is_because_of_others(tried: &Tried) -> bool {
    match tried {
        Tried::Cascades(_) => true,
        Tried::Refused { code, .. } => code.is_some_and(|code| BECAUSE_OF_OTHERS.contains(&code)),
        _ => false,
    }
}
