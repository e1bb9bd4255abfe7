//! The transaction that is being read.

use std::{mem::size_of, sync::Arc};

use bytes::Bytes;

use crate::{
    Change, CommitTime, Fault, Gtid, Rows, Statement, Transaction, Xa,
    gtid_event::{Alter, Begin, Form},
    header::Header,
    query::{self, Control, Query},
};

/// The events of one transaction so far.
#[derive(Debug)]
pub(crate) struct Group {
    transaction: Transaction,
    form: Form,
    alter: Option<Alter>,
    /// The savepoints set, each with the number of changes before it.
    savepoints: Vec<(String, usize)>,
}

/// Whether an event ended its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    No,
    Yes,
}

impl Group {
    /// As the GTID event says.
    pub(crate) fn new(begin: Begin, header: &Header, file: Arc<str>, start: u64) -> Self {
        let committed = begin.original_us.map_or(
            CommitTime {
                micros: header.micros(),
                exact: false,
            },
            |micros| CommitTime {
                micros,
                exact: true,
            },
        );
        Self {
            transaction: Transaction {
                gtid: begin.gtid,
                server_id: header.server_id,
                committed,
                logged_us: begin.logged_us,
                changes: Vec::new(),
                xa: begin.xa,
                file,
                start,
                end: start,
                size_bytes: size_of::<Transaction>(),
            },
            form: begin.form,
            alter: begin.alter,
            savepoints: Vec::new(),
        }
    }

    /// In a log without GTIDs (MySQL before 5.7, `gtid_mode=OFF`): a statement begins it.
    pub(crate) fn without_gtid(header: &Header, file: Arc<str>, start: u64) -> Self {
        let begin = Begin {
            gtid: None,
            original_us: None,
            logged_us: None,
            form: Form::Undecided,
            xa: None,
            alter: None,
        };
        Self::new(begin, header, file, start)
    }

    /// How a person finds it.
    pub(crate) fn name(&self) -> String {
        match &self.transaction.gtid {
            Some(gtid) => gtid.to_string(),
            None => format!("the transaction at {}", self.transaction.start),
        }
    }

    /// Its name.
    pub(crate) fn into_gtid(self) -> Option<Gtid> {
        self.transaction.gtid
    }

    /// The bytes that it keeps in memory so far.
    pub(crate) fn size_bytes(&self) -> usize {
        self.transaction.size_bytes
    }

    /// Rows of an event that keeps `kept_bytes` in memory.
    pub(crate) fn rows(&mut self, rows: Rows, kept_bytes: usize) -> Result<(), Fault> {
        if self.form != Form::Transaction {
            return Err(Fault::OutsideTransaction);
        }
        self.push(Change::Rows(rows), kept_bytes);
        Ok(())
    }

    /// Rows that went with those that they referred to, of a table that nothing describes, in this database as far as is
    /// known: told as a statement that does not name what it changes.
    pub(crate) fn undescribed(&mut self, database: Arc<str>) -> Result<(), Fault> {
        if self.form != Form::Transaction {
            return Err(Fault::OutsideTransaction);
        }
        let statement = Statement {
            database,
            text: Bytes::from_static(Statement::UNDESCRIBED),
            error_code: 0,
        };
        self.push(Change::Statement(statement), Statement::UNDESCRIBED.len());
        Ok(())
    }

    fn push(&mut self, change: Change, kept_bytes: usize) {
        self.transaction.size_bytes += size_of::<Change>() + kept_bytes;
        self.transaction.changes.push(change);
    }

    /// A statement, which may be one that the server wrote to steer the transaction.
    pub(crate) fn statement(&mut self, query: Query<'_>) -> Result<Ends, Fault> {
        match (query::control(&query.text), self.form) {
            (Control::Begin | Control::XaStart, Form::Undecided) => {
                self.form = Form::Transaction;
                Ok(Ends::No)
            }
            // MariaDB's GTID event is the BEGIN: where one comes all the same, it says nothing new.
            (Control::Begin | Control::XaStart | Control::XaEnd, Form::Transaction) => Ok(Ends::No),
            (Control::Commit, Form::Undecided | Form::Transaction) => Ok(Ends::Yes),
            (Control::Rollback, Form::Undecided | Form::Transaction) => {
                self.rolled_back_to(0);
                Ok(Ends::Yes)
            }
            (Control::Savepoint(name), Form::Transaction) => {
                self.savepoints.retain(|it| it.0 != name);
                self.savepoints.push((name, self.transaction.changes.len()));
                Ok(Ends::No)
            }
            (Control::RollbackTo(name), Form::Transaction) => {
                let at = self.savepoints.iter().position(|it| it.0 == name);
                let at = at.ok_or(Fault::NoSavepoint(name))?;
                let changes = self.savepoints[at].1;
                self.savepoints.truncate(at + 1);
                self.rolled_back_to(changes);
                Ok(Ends::No)
            }
            (Control::XaCommit(xid), Form::Undecided | Form::Standalone) => {
                self.transaction.xa = Some(Xa::Commit(Bytes::copy_from_slice(xid)));
                Ok(Ends::Yes)
            }
            (Control::XaRollback(xid), Form::Undecided | Form::Standalone) => {
                self.transaction.xa = Some(Xa::Rollback(Bytes::copy_from_slice(xid)));
                Ok(Ends::Yes)
            }
            (_, form) => {
                // Of an ALTER TABLE in two parts, the second one is what changes the table.
                if !matches!(self.alter, Some(Alter::Start | Alter::Rollback)) {
                    let kept = query.text.len();
                    self.push(Change::Statement(query.into_statement()), kept);
                }
                Ok(match form {
                    Form::Transaction => Ends::No,
                    Form::Undecided | Form::Standalone => Ends::Yes,
                })
            }
        }
    }

    /// Rows after the first `keep` changes never were. Statements are kept: the servers write what was rolled back only
    /// where a statement changed something that cannot be (a table without transactions), and rows of such tables are in a
    /// transaction of their own.
    fn rolled_back_to(&mut self, keep: usize) {
        let mut at = 0;
        self.transaction.changes.retain(|change| {
            at += 1;
            at <= keep || matches!(change, Change::Statement(_))
        });
    }

    /// XA_PREPARE_LOG_EVENT ended it: `None` for a commit in one phase.
    pub(crate) fn prepared(&mut self, xa: Option<Xa>) {
        self.transaction.xa = xa;
    }

    /// The whole transaction, which ends at `end`.
    pub(crate) fn finish(mut self, end: u64) -> Transaction {
        self.transaction.end = end;
        self.transaction
    }
}
