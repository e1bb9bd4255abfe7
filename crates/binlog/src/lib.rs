//! Binary log events of MySQL and MariaDB, from bytes to transactions. No I/O.
//!
//! Bytes of one event after the other go into a [`Decoder`]; whole [`Transaction`]s come out, in one shape for both
//! flavours. Rows stay the bytes that the server sent: [`Rows::changes`] walks them without copying, and a column's
//! [`Value`] is made only when someone asks for it.

mod gtid;
mod rows;
mod table;
mod transaction;
mod value;

pub use gtid::Gtid;
pub use rows::{Image, OwnedImage, RowChange, Rows, RowsKind};
pub use table::{Column, ColumnType, Table};
pub use transaction::{Change, CommitTime, Statement, Transaction, Xa};
pub use value::Value;
