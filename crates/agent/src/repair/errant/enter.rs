//! What goes into the peer's history.

use std::{collections::HashSet, sync::Arc};

use twinlog_binlog::Value;
use twinlog_converge::{Side, TableName};
use twinlog_row::{RowError, TableInfo};

use super::{Errant, SaveError};
use crate::{
    history::{self, Attempt, Cell, Filter, insert_sql},
    repair::{
        Error,
        bench::{Bench, now_us},
        choose::is_alike,
        entry::entry,
        work::is_equal,
    },
};

impl Errant<'_> {
    pub(super) async fn known_table(
        &mut self,
        bench: &mut Bench,
        name: &TableName,
    ) -> Result<[Option<Arc<TableInfo>>; 2], SaveError> {
        if let Some(known) = self.tables.get(name) {
            return Ok(known.clone());
        }
        let mut known = [None, None];
        for (at, side) in [self.side, self.side.peer()].into_iter().enumerate() {
            known[at] = match TableInfo::load(bench.hands.conn(side), name).await {
                Ok(info) => Some(Arc::new(info)),
                Err(RowError::NoTable { .. }) => None,
                Err(error) => return Err(Error::from(error).into()),
            };
        }
        self.tables.insert(name.clone(), known.clone());
        Ok(known)
    }

    /// Enters the rows that differ in the history, for a person.
    pub(super) async fn enter(&mut self, bench: &mut Bench, name: &str) -> Result<(), SaveError> {
        let peer = self.side.peer();
        let message = format!(
            "only {name} had executed it when it was made again from {}",
            bench.names[peer.index()]
        );
        for ((table, key), content) in std::mem::take(&mut self.rows) {
            let both = self.known_table(bench, &table).await?;
            let key: Option<Vec<Value>> = serde_json::from_str::<Vec<Cell>>(&key)
                .ok()
                .and_then(|key| key.iter().map(Cell::value).collect());
            let ([Some(info), Some(theirs)], Some(key)) = (both, key) else {
                self.saved.unentered += 1;
                continue;
            };
            if !is_alike(&info, &theirs) {
                self.saved.unentered += 1;
                continue;
            }
            let mut row = bench.judge(&info, &key, peer).await?;
            // What the node holds by now may be its peer's, over a link that still runs: what it wrote is what was lost.
            row.held[self.side.index()] = Some(content);
            if is_equal(&row) {
                continue;
            }
            let asked = (&bench.names.clone(), self.by);
            let conflicts = &self.site.config.conflicts;
            let mut drafts = [entry(
                &[row],
                (peer, "a rebuild"),
                asked,
                conflicts,
                now_us(),
            )];
            drafts[0].rule = format!("{message}, as {} asked", self.by);
            // No comparison found it: both hold what the peer does from now on, and that is no end of it.
            drafts[0].detail.compared = false;
            bench.identify(&mut drafts).await?;
            let [draft] = drafts;
            let attempt = Attempt {
                node: name.to_owned(),
                code: None,
                message: message.clone(),
            };
            match bench.leave_open(draft, peer, attempt).await? {
                true => self.saved.entries += 1,
                false => self.saved.unentered += 1,
            }
        }
        Ok(())
    }

    /// Gives the peer what the history of the node alone has: the node's becomes what the peer's is.
    pub(super) async fn hand_over(&mut self, bench: &mut Bench) -> Result<(), SaveError> {
        let all = Filter {
            limit: Some(u32::MAX),
            ..Filter::default()
        };
        let read = async |bench: &mut Bench, side: Side| {
            let entries = history::list(bench.book.hand(side).conn(), &all).await;
            entries.map_err(|error| SaveError::Repair(error.into()))
        };
        let known = read(bench, self.side.peer()).await?;
        let known: HashSet<&str> = known.iter().map(|entry| entry.id.as_str()).collect();
        for entry in read(bench, self.side).await? {
            if !known.contains(entry.id.as_str()) {
                let hand = bench.book.hand(self.side.peer());
                let written = hand.write(&insert_sql(&entry)).await;
                written.map_err(|error| SaveError::History(entry.id.clone(), error.to_string()))?;
            }
        }
        Ok(())
    }
}
