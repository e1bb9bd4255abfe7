//! What an error says about: a server, a table's definition, or only the rows at hand.

use twinlog_server::conn::Error as ConnError;

use super::Error;
use crate::resolve::ResolveError;
use twinlog_row::RowError;

/// Lock wait, deadlock, and MariaDB's ER_CHECKREAD: someone else has the rows. ER_OPTION_PREVENTS_STATEMENT and
/// ER_READ_ONLY_MODE: the node is read-only for everyone, for now.
const BUSY: [u16; 5] = [1205, 1213, 1020, 1290, 1836];
/// ER_BAD_FIELD_ERROR, ER_NO_SUCH_TABLE, ER_BAD_DB_ERROR, ER_TABLE_DEF_CHANGED, ER_BAD_TABLE_ERROR.
const DEFINITION: [u16; 5] = [1054, 1146, 1049, 1412, 1051];

/// How far an error reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A server, or the way to it: nothing can be done there.
    Node,
    /// It will pass.
    Busy,
    /// A definition is not what was known of it.
    Definition,
    /// These rows cannot be read or written as they are.
    Rows,
}

/// How far this one reaches.
pub(super) fn trouble(error: &Error) -> Trouble {
    let row = match error {
        Error::Server(error) | Error::Resolve(ResolveError::Server(error)) => {
            return of_server(error);
        }
        Error::Row(row) | Error::Resolve(ResolveError::Row(row)) => row,
        _ => return Trouble::Node,
    };
    match row {
        RowError::Server(error) => of_server(error),
        RowError::NoTable { .. } | RowError::Shape { .. } => Trouble::Definition,
        RowError::Image(_)
        | RowError::WrongValue { .. }
        | RowError::Unreadable { .. }
        | RowError::OtherDefinition { .. }
        | RowError::NoKey { .. } => Trouble::Rows,
    }
}

/// Whether a server does not let it be done now, and may later.
pub(super) fn is_busy(error: &ConnError) -> bool {
    of_server(error) == Trouble::Busy
}

fn of_server(error: &ConnError) -> Trouble {
    match error.code() {
        Some(code) if BUSY.contains(&code) => Trouble::Busy,
        Some(code) if DEFINITION.contains(&code) => Trouble::Definition,
        _ => Trouble::Node,
    }
}
