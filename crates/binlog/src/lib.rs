//! Binary log events of MySQL and MariaDB, from bytes to transactions. No I/O.
//!
//! Bytes of one event after the other go into a [`Decoder`]; whole [`Transaction`]s come out, in one shape for both
//! flavours. Rows stay the bytes that the server sent: [`Rows::changes`] walks them without copying, and a column's
//! [`Value`] is made only when someone asks for it.
//!
//! # What events become
//! | in the log | here |
//! | --- | --- |
//! | GTID (plain, tagged, anonymous, MariaDB's) … XID, COMMIT, XA_PREPARE | one [`Transaction`] |
//! | a statement alone after a GTID: DDL, `XA COMMIT` | one [`Transaction`] |
//! | rows of all versions, compressed or not, in payloads or not | [`Change::Rows`], one per event |
//! | any other statement, LOAD DATA in statement format | [`Change::Statement`] |
//! | ROLLBACK TO a savepoint, ROLLBACK | the rows since then are gone; statements stay, as the servers log such an end only where one of them cannot be rolled back |
//! | a partial update of JSON documents | an update of its table without rows: [`Rows::is_full`] is `false` |
//! | an empty transaction | one without changes: on MySQL a replica that skipped all of it |
//! | MariaDB's ALTER in two parts | the statement at its COMMIT; START and ROLLBACK are transactions without changes |
//! | a transaction without an end, and then a format description | dropped, and named in [`Output::Format`]: it never was |
//!
//! # Times
//! [`CommitTime`] is exact from MySQL 8.0.1 on. Before, and on MariaDB, it is the second in the GTID event's header, which
//! means the commit only in the log of the server where a client committed: a replica writes the second of the last
//! row event there. `SET timestamp` forges it.
//!
//! # What is refused
//! Everything that could change a row and is not understood, by name or number: incidents, encrypted logs, fragments of
//! rows events, types that are not known and not marked ignorable. So are bytes that are damaged: lengths are compared with what is there before anything is allocated, and checksums are verified where the log has them.

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
mod output;
mod passed_over;
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
mod walk;
mod width;
mod xid;

pub use decoder::{Decoder, Flavour};
pub use error::{Error, Fault};
pub use event_type::EventType;
pub use format::Format;
pub use gtid::Gtid;
pub use header::MAX_EVENT_BYTES;
pub use image::{Image, OwnedImage, Raw};
pub use inflate::MAX_PAYLOAD_BYTES;
pub use output::Output;
pub use row_error::RowError;
pub use rows::{Changes, RowChange, Rows, RowsKind};
pub use table::{Column, ColumnType, Table};
pub use transaction::{Change, CommitTime, Statement, Transaction, Xa};
pub use value::{ColumnHint, Value, ValueError};
pub use walk::Spans;
