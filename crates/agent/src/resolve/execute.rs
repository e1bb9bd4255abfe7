//! One repair as one transaction, a statement at a time.

use std::time::Duration;

use twinlog_converge::Side;
use twinlog_server::facts::Coordinates;

use super::{
    Content, Hand, Op, Repair, Sight, StepError, Witness,
    steps::{Step, steps, write_sql},
};
use twinlog_row::{identifier, literal, lock, run};

/// How a repair is written down, and marked in its log.
#[derive(Debug, Clone)]
pub enum Mark {
    /// By this statement, which inserts its row of the history.
    Insert(String),
    /// By changing the row that the other node has written, once that has come over the link.
    Close {
        /// What is true of the row once it has come: a condition on `twinlog.conflict`.
        arrived: String,
        /// The statement that changes it.
        sql: String,
        /// Whether it must find it unchanged.
        must: bool,
    },
    /// By this statement, which must find the row of the history as a person has seen it and change it.
    Ruled(String),
    /// By these statements on the other node, in a transaction of their own, once all is done but the commit: the repair
    /// itself is in no log.
    Apart(Vec<String>),
}

/// How a repair ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is committed.
    Committed,
    /// A row is not what was judged: someone wrote meanwhile. Nothing was written.
    Changed {
        /// Which of [`Repair::rows`].
        row: usize,
        /// What it is.
        found: Content,
    },
    /// Someone has written its rows since they were judged, whatever they are now. Nothing was written.
    Touched,
    /// The logs were not read to these places in time, which would tell. Nothing was written.
    Behind([Coordinates; 2]),
    /// The row of the history that it should change has not come yet, or is another. Nothing was written.
    NotYet,
    /// It would change rows that are not in it, of which no version would be kept. Nothing was written. Which, in words.
    Cascades(String),
    /// It cannot be done. Nothing was written. Why, in words.
    Refused(String),
}

/// What a step came to.
#[derive(Debug, PartialEq)]
pub enum Progress {
    /// There is more to do.
    More,
    /// That was the end.
    Ended(Outcome),
}

/// A repair on its way. Dropped anywhere, with its connection, nothing of it is left; or, after the last step, all.
pub struct Execution<'a> {
    hand: &'a mut Hand,
    repair: &'a Repair,
    mark: &'a Mark,
    steps: std::vec::IntoIter<Step>,
    /// Rows that the copy of the first repair has made what they shall be.
    done: Vec<bool>,
    /// How long both logs may take to be read, with the rows locked.
    patience: Duration,
    /// The other node's connection, and who reads both logs.
    eyes: Option<(&'a mut Hand, &'a mut dyn Witness)>,
}

impl std::fmt::Debug for Execution<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Execution")
            .field("repair", self.repair)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

impl<'a> Execution<'a> {
    /// A repair that is written down so.
    pub fn new(hand: &'a mut Hand, repair: &'a Repair, mark: &'a Mark) -> Self {
        Self {
            hand,
            steps: steps(repair, mark, false).into_iter(),
            done: vec![false; repair.rows.len()],
            repair,
            mark,
            patience: Duration::ZERO,
            eyes: None,
        }
    }

    /// As [`Execution::new`], with someone who knows whether the rows were written since they were judged, and how long that
    /// may take.
    pub fn watched(
        [hand, peer]: [&'a mut Hand; 2],
        repair: &'a Repair,
        mark: &'a Mark,
        witness: &'a mut dyn Witness,
        patience: Duration,
    ) -> Self {
        Self {
            hand,
            steps: steps(repair, mark, true).into_iter(),
            done: vec![false; repair.rows.len()],
            repair,
            mark,
            patience,
            eyes: Some((peer, witness)),
        }
    }

    /// The step that comes next.
    pub fn next_step(&self) -> Option<&Step> {
        self.steps.as_slice().first()
    }

    /// Makes one step. After [`Progress::Ended`] with anything but a commit the transaction is rolled back; after an
    /// error the caller must do so.
    ///
    /// # Errors
    /// What the server says to the step's statement.
    pub async fn step(&mut self) -> Result<Progress, StepError> {
        let Some(step) = self.steps.next() else {
            return Ok(Progress::Ended(Outcome::Committed));
        };
        let ended = match step {
            Step::Arrival => self.arrival().await?,
            Step::Begin => {
                self.hand.write("START TRANSACTION").await?;
                None
            }
            Step::Lock(row) => self.lock(row).await?,
            Step::Look => self.look().await?,
            Step::Cascades(Op { row, .. }, _) | Step::Write(Op { row, .. }) | Step::Verify(row)
                if self.done[row] =>
            {
                None
            }
            Step::Cascades(op, reference) => self.cascades(op, reference).await?,
            Step::Checks(on) => {
                let sql = format!("SET SESSION foreign_key_checks = {}", u8::from(on));
                self.hand.write(&sql).await?;
                None
            }
            Step::Write(op) => {
                let sql = write_sql(&self.repair.rows[op.row], op.kind)?;
                self.hand.write(&sql).await?;
                None
            }
            Step::Verify(row) => self.verify(row).await?,
            Step::History => self.write_history().await?,
            Step::Commit => {
                self.hand.write("COMMIT").await?;
                return Ok(Progress::Ended(Outcome::Committed));
            }
        };
        match ended {
            None => Ok(Progress::More),
            Some(outcome) => {
                self.hand.rollback().await?;
                Ok(Progress::Ended(outcome))
            }
        }
    }

    async fn lock(&mut self, row: usize) -> Result<Option<Outcome>, StepError> {
        let guard = &self.repair.rows[row];
        let found = Content::from(lock(&mut self.hand.conn, &guard.table, &guard.key).await?);
        let as_expected = found.same(&guard.table, &guard.expect.clone().into());
        if !as_expected && self.repair.second {
            self.done[row] = found.same(&guard.table, &guard.want.clone().into());
        }
        let as_expected = as_expected || self.done[row];
        Ok((!as_expected).then_some(Outcome::Changed { row, found }))
    }

    async fn look(&mut self) -> Result<Option<Outcome>, StepError> {
        let Some((peer, witness)) = &mut self.eyes else {
            return Ok(None);
        };
        // In this order: what this node has executed of the other's, the other has logged before.
        let here = self.hand.log_end().await?;
        let there = peer.log_end().await?;
        let ends = match self.repair.side {
            Side::A => [here, there],
            Side::B => [there, here],
        };
        let seen = witness.look(ends.clone(), self.patience).await;
        Ok(match seen {
            Sight::Untouched => None,
            Sight::Touched => Some(Outcome::Touched),
            Sight::Behind => Some(Outcome::Behind(ends)),
        })
    }

    async fn cascades(&mut self, op: Op, reference: usize) -> Result<Option<Outcome>, StepError> {
        let guard = &self.repair.rows[op.row];
        let reference = &guard.table.referring[reference];
        let Some(row) = &guard.expect else {
            return Ok(None);
        };
        let mut terms = Vec::new();
        for (name, &at) in reference.child_columns.iter().zip(&reference.columns) {
            let value = literal(&guard.table, at, &row[at])?;
            terms.push(format!("{} = {value}", identifier(name)));
        }
        let sql = format!(
            "SELECT 1 FROM {}.{} WHERE {} LIMIT 1 FOR UPDATE",
            identifier(&reference.child.database),
            identifier(&reference.child.name),
            terms.join(" AND ")
        );
        let rows = run(&mut self.hand.conn, &sql).await?;
        Ok((!rows.is_empty()).then(|| {
            Outcome::Cascades(format!(
                "rows of {} refer to a row of {} that would go or change its key, and would go or change with it",
                reference.child, guard.table.name
            ))
        }))
    }

    async fn verify(&mut self, row: usize) -> Result<Option<Outcome>, StepError> {
        let guard = &self.repair.rows[row];
        let found = Content::from(lock(&mut self.hand.conn, &guard.table, &guard.key).await?);
        let as_wanted = found.same(&guard.table, &guard.want.clone().into());
        Ok((!as_wanted).then(|| {
            Outcome::Refused(format!(
                "the server stores a row of {} otherwise than it was written (a trigger, or another definition there?)",
                guard.table.name
            ))
        }))
    }

    async fn arrival(&mut self) -> Result<Option<Outcome>, StepError> {
        let Mark::Close { arrived, .. } = self.mark else {
            return Ok(None);
        };
        let sql = format!("SELECT 1 FROM `twinlog`.`conflict` WHERE {arrived}");
        let rows = run(&mut self.hand.conn, &sql).await?;
        Ok(rows.is_empty().then_some(Outcome::NotYet))
    }

    async fn write_history(&mut self) -> Result<Option<Outcome>, StepError> {
        let sql = match self.mark {
            Mark::Insert(sql) | Mark::Close { sql, .. } | Mark::Ruled(sql) => sql,
            Mark::Apart(statements) => return self.write_apart(statements).await,
        };
        self.hand.write(sql).await?;
        if !matches!(self.mark, Mark::Ruled(_) | Mark::Close { must: true, .. }) {
            return Ok(None);
        }
        let changed = run(&mut self.hand.conn, "SELECT ROW_COUNT() > 0").await?;
        let changed = changed
            .first()
            .is_some_and(|row| row.first() == Some(&Some(b"1".to_vec())));
        Ok((!changed).then_some(Outcome::NotYet))
    }

    async fn write_apart(&mut self, statements: &[String]) -> Result<Option<Outcome>, StepError> {
        let Some((peer, _)) = &mut self.eyes else {
            return Ok(None);
        };
        peer.write("START TRANSACTION").await?;
        for sql in statements {
            if let Err(error) = peer.write(sql).await {
                // Where that fails, too, this error is why.
                let _ = peer.rollback().await;
                return Err(error);
            }
        }
        peer.write("COMMIT").await?;
        Ok(None)
    }
}
