//! Events that change no row, and those that cannot be used.

use crate::{EventType, Fault, header::Header};

/// Whether an event without an effect on any row may be passed over.
pub(crate) fn may_be(header: &Header) -> Result<(), Fault> {
    type T = EventType;
    match header.event {
        // Texts of statements whose rows follow, and the values that statements after them use.
        T::ROWS_QUERY_LOG_EVENT
        | T::ANNOTATE_ROWS_EVENT
        | T::IGNORABLE_LOG_EVENT
        | T::INTVAR_EVENT
        | T::RAND_EVENT
        | T::USER_VAR_EVENT
        // The file of a LOAD DATA: its statement follows.
        | T::BEGIN_LOAD_QUERY_EVENT
        | T::APPEND_BLOCK_EVENT
        | T::DELETE_FILE_EVENT
        // Where the log stands, for the server itself and for group replication.
        | T::PREVIOUS_GTIDS_LOG_EVENT
        | T::BINLOG_CHECKPOINT_EVENT
        | T::TRANSACTION_CONTEXT_EVENT
        | T::VIEW_CHANGE_EVENT => Ok(()),
        T::START_ENCRYPTION_EVENT => Err(Fault::Unsupported {
            why: "the events that follow are encrypted",
            hint: "read the log from the server as a replica does: it decrypts what it sends",
        }),
        T::PARTIAL_ROW_DATA_EVENT => Err(Fault::Unsupported {
            why: "the event has a part of a rows event that is too large for one",
            hint: "raise binlog_row_event_fragment_threshold on this server, and change fewer rows at once",
        }),
        _ if header.is_ignorable() => Ok(()),
        event if event.name().is_some() => Err(Fault::Unsupported {
            why: "only servers that are not supported write such events",
            hint: "use MySQL from 5.6, or MariaDB from 10.0",
        }),
        _ => Err(Fault::Unknown),
    }
}
