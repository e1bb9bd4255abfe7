//! Binary log events of MySQL and MariaDB, from bytes to transactions. No I/O.
//!
//! Bytes of one event after the other go into a [`Decoder`]; whole [`Transaction`]s come out, in one shape for both
//! flavours. Rows stay the bytes that the server sent: [`Rows::changes`] walks them without copying, and a column's
//! [`Value`] is made only when someone asks for it.

mod column_metadata;
mod cursor;
mod decoder;
mod error;
mod event_type;
mod format;
mod group;
mod gtid;
mod gtid_event;
mod header;
mod image;
mod inflate;
mod query;
mod row_error;
mod rows;
mod rows_event;
mod stream_event;
mod table;
mod table_map;
mod tables;
mod transaction;
mod value;
mod width;
mod xid;

pub use decoder::{Decoder, Flavour, Output};
pub use error::{Error, Fault};
pub use event_type::EventType;
pub use format::Format;
pub use gtid::Gtid;
pub use header::MAX_EVENT_BYTES;
pub use image::{Image, OwnedImage, Raw, Spans};
pub use inflate::MAX_PAYLOAD_BYTES;
pub use row_error::RowError;
pub use rows::{Changes, RowChange, Rows, RowsKind};
pub use table::{Column, ColumnType, Table};
pub use transaction::{Change, CommitTime, Statement, Transaction, Xa};
pub use value::{ColumnHint, Value, ValueError};
