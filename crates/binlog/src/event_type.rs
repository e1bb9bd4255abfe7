//! The numbers of the events, and the names that the servers give them.

use std::fmt;

/// An event's type.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventType(pub u8);

macro_rules! event_types {
    ($($name:ident = $number:literal),* $(,)?) => {
        impl EventType {
            $(
                #[allow(missing_docs, reason = "they are the servers' own names")]
                pub const $name: Self = Self($number);
            )*

            /// The name in the servers' sources; `None` for a number that none of the supported ones has.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

// MySQL: libs/mysql/binlog/event/binlog_event.h; MariaDB: sql/log_event.h.
event_types! {
    START_EVENT_V3 = 1,
    QUERY_EVENT = 2,
    STOP_EVENT = 3,
    ROTATE_EVENT = 4,
    INTVAR_EVENT = 5,
    LOAD_EVENT = 6,
    SLAVE_EVENT = 7,
    CREATE_FILE_EVENT = 8,
    APPEND_BLOCK_EVENT = 9,
    EXEC_LOAD_EVENT = 10,
    DELETE_FILE_EVENT = 11,
    NEW_LOAD_EVENT = 12,
    RAND_EVENT = 13,
    USER_VAR_EVENT = 14,
    FORMAT_DESCRIPTION_EVENT = 15,
    XID_EVENT = 16,
    BEGIN_LOAD_QUERY_EVENT = 17,
    EXECUTE_LOAD_QUERY_EVENT = 18,
    TABLE_MAP_EVENT = 19,
    PRE_GA_WRITE_ROWS_EVENT = 20,
    PRE_GA_UPDATE_ROWS_EVENT = 21,
    PRE_GA_DELETE_ROWS_EVENT = 22,
    WRITE_ROWS_EVENT_V1 = 23,
    UPDATE_ROWS_EVENT_V1 = 24,
    DELETE_ROWS_EVENT_V1 = 25,
    INCIDENT_EVENT = 26,
    HEARTBEAT_LOG_EVENT = 27,
    IGNORABLE_LOG_EVENT = 28,
    ROWS_QUERY_LOG_EVENT = 29,
    WRITE_ROWS_EVENT = 30,
    UPDATE_ROWS_EVENT = 31,
    DELETE_ROWS_EVENT = 32,
    GTID_LOG_EVENT = 33,
    ANONYMOUS_GTID_LOG_EVENT = 34,
    PREVIOUS_GTIDS_LOG_EVENT = 35,
    TRANSACTION_CONTEXT_EVENT = 36,
    VIEW_CHANGE_EVENT = 37,
    XA_PREPARE_LOG_EVENT = 38,
    PARTIAL_UPDATE_ROWS_EVENT = 39,
    TRANSACTION_PAYLOAD_EVENT = 40,
    HEARTBEAT_LOG_EVENT_V2 = 41,
    GTID_TAGGED_LOG_EVENT = 42,
    ANNOTATE_ROWS_EVENT = 160,
    BINLOG_CHECKPOINT_EVENT = 161,
    GTID_EVENT = 162,
    GTID_LIST_EVENT = 163,
    START_ENCRYPTION_EVENT = 164,
    QUERY_COMPRESSED_EVENT = 165,
    WRITE_ROWS_COMPRESSED_EVENT_V1 = 166,
    UPDATE_ROWS_COMPRESSED_EVENT_V1 = 167,
    DELETE_ROWS_COMPRESSED_EVENT_V1 = 168,
    WRITE_ROWS_COMPRESSED_EVENT = 169,
    UPDATE_ROWS_COMPRESSED_EVENT = 170,
    DELETE_ROWS_COMPRESSED_EVENT = 171,
    PARTIAL_ROW_DATA_EVENT = 172,
}

/// The first number that MariaDB uses for its own.
const MARIADB_FIRST: u8 = 160;

impl EventType {
    /// Whether only MariaDB writes it.
    pub(crate) fn is_mariadb(self) -> bool {
        self.0 >= MARIADB_FIRST
    }

    /// Whether only MySQL writes it. MariaDB took over XA_PREPARE_LOG_EVENT, and HEARTBEAT_LOG_EVENT_V2 may come.
    pub(crate) fn is_mysql(self) -> bool {
        matches!(
            self,
            Self::GTID_LOG_EVENT
                | Self::ANONYMOUS_GTID_LOG_EVENT
                | Self::GTID_TAGGED_LOG_EVENT
                | Self::TRANSACTION_PAYLOAD_EVENT
        )
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "event of type {}", self.0),
        }
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
