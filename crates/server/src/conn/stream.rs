//! Statements of the user's: results row by row as they come, values as the server sent them, and no deadline.

use std::ops::ControlFlow;

use mysql_async::{
    Value,
    consts::{ColumnFlags, ColumnType},
    prelude::Queryable,
};

use super::{Conn, Error, innermost};

/// The number of the character set "none: these are bytes".
const BINARY: u16 = 63;

/// One column of a result set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Integer,
    /// Binary fractions.
    Float,
    /// Decimal numbers, exact.
    Decimal,
    /// Text in UTF-8, dates and times among it.
    Text,
    /// Bytes that are no text.
    Binary,
}

impl Kind {
    /// Whether the values are numbers.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Float | Self::Decimal)
    }
}

/// What comes back, in this order: for each statement with a result set `Columns`, its `Row`s and `End`, for each
/// other one `Done`.
#[derive(Debug)]
pub enum Part {
    /// A result set begins.
    Columns(Vec<Column>),
    /// One of its rows; `None` for NULL.
    Row(Vec<Option<Vec<u8>>>),
    /// It is whole.
    End,
    /// A statement without a result set is done.
    Done {
        /// Rows inserted, changed or deleted.
        affected: u64,
        /// How many warnings it left.
        warnings: u16,
    },
}

impl Conn {
    /// The server's number for this connection, as `KILL` takes it.
    pub fn id(&self) -> u32 {
        self.inner.id()
    }

    /// Runs a text of one or more statements and hands on what comes back, however long it takes. The text is in no
    /// error and no log: it may hold a password. A `Break` leaves the rest unread and the connection unusable.
    ///
    /// # Errors
    /// [`Error::Statement`] with the server's own code for the first statement that fails (those after it were not
    /// run), or [`Error::Lost`].
    pub async fn stream(
        &mut self,
        sql: &[u8],
        mut each: impl FnMut(Part) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let address = self.address.clone();
        let lost = |reason: String| Error::Lost {
            address: address.clone(),
            reason,
            sql: "your statement".into(),
        };
        self.begin("your statement").await?;
        let read = read(&mut self.inner, sql, &mut each).await;
        self.turn.stand().await;
        match read {
            Ok(ControlFlow::Continue(())) => {
                self.turn.end();
                Ok(())
            }
            Ok(ControlFlow::Break(())) => Ok(()),
            Err(mysql_async::Error::Server(error)) => {
                self.turn.end();
                Err(Error::Statement {
                    address: address.clone(),
                    code: error.code,
                    state: error.state,
                    message: error.message,
                    sql: "your statement".into(),
                })
            }
            Err(error) => Err(lost(innermost(&error))),
        }
    }
}

async fn read(
    conn: &mut mysql_async::Conn,
    sql: &[u8],
    each: &mut impl FnMut(Part) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, mysql_async::Error> {
    const STOP: Result<ControlFlow<()>, mysql_async::Error> = Ok(ControlFlow::Break(()));
    let mut result = conn.query_iter(sql).await?;
    while let Some(columns) = result.columns() {
        let columns: Vec<Column> = columns.iter().map(column).collect();
        let table = !columns.is_empty();
        let first = if table {
            Part::Columns(columns)
        } else {
            Part::Done {
                affected: result.affected_rows(),
                warnings: result.warnings(),
            }
        };
        if each(first).is_break() {
            return STOP;
        }
        // The call that finds the end of a result set also moves on to the next, so an error may be the next
        // statement's: what came of this set is ended either way, and the error said after it.
        let end = loop {
            match result.next().await {
                Ok(Some(row)) => {
                    let values = row.unwrap().into_iter().map(value).collect();
                    if each(Part::Row(values)).is_break() {
                        return STOP;
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if table && each(Part::End).is_break() {
            return STOP;
        }
        end?;
    }
    // Where the next statement was refused, the driver keeps that error for whoever asks on.
    result.drop_result().await?;
    Ok(ControlFlow::Continue(()))
}

fn column(column: &mysql_async::Column) -> Column {
    use ColumnType::*;
    let bytes = column.character_set() == BINARY;
    let kind = match column.column_type() {
        MYSQL_TYPE_TINY | MYSQL_TYPE_SHORT | MYSQL_TYPE_INT24 | MYSQL_TYPE_LONG
        | MYSQL_TYPE_LONGLONG => Kind::Integer,
        MYSQL_TYPE_FLOAT | MYSQL_TYPE_DOUBLE => Kind::Float,
        MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => Kind::Decimal,
        MYSQL_TYPE_BIT | MYSQL_TYPE_GEOMETRY | MYSQL_TYPE_VECTOR => Kind::Binary,
        MYSQL_TYPE_TINY_BLOB
        | MYSQL_TYPE_MEDIUM_BLOB
        | MYSQL_TYPE_LONG_BLOB
        | MYSQL_TYPE_BLOB
        | MYSQL_TYPE_VARCHAR
        | MYSQL_TYPE_VAR_STRING
        | MYSQL_TYPE_STRING
            if bytes =>
        {
            Kind::Binary
        }
        _ => Kind::Text,
    };
    // Its zeros in front are part of it.
    let kind = if column.flags().contains(ColumnFlags::ZEROFILL_FLAG) {
        Kind::Text
    } else {
        kind
    };
    Column {
        name: column.name_str().into_owned(),
        kind,
    }
}

/// As the server sent it.
pub(super) fn value(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(bytes),
        other => Some(other.as_sql(true).into_bytes()),
    }
}
