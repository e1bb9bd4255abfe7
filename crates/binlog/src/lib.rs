//! Binary log events of MySQL and MariaDB, from bytes to transactions. No I/O.
//!
//! Bytes of one event after the other go into a [`Decoder`]; whole [`Transaction`]s come out, in one shape for both
//! flavours. Rows stay the bytes that the server sent: [`Rows::changes`] walks them without copying, and a column's
//! [`Value`] is made only when someone asks for it.

mod gtid;
mod image;
mod row_error;
mod rows;
mod table;
mod transaction;
mod value;
mod width;

pub use gtid::Gtid;
pub use image::{Image, OwnedImage, Raw, Spans};
pub use row_error::RowError;
pub use rows::{Changes, RowChange, Rows, RowsKind};
pub use table::{Column, ColumnType, Table};
pub use transaction::{Change, CommitTime, Statement, Transaction, Xa};
pub use value::{ColumnHint, Value, ValueError};
