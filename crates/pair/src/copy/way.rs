//! Which way data takes from one node to the other.

use std::fmt;

/// A way, as somebody asks for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Way {
    /// Whichever is likely to be done first, of those that these servers can.
    #[default]
    Auto,
    /// Rows and definitions, table by table: between all servers, and of what is there only what differs.
    Logical,
    /// MySQL's CLONE: the files of the whole server.
    Clone,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Logical => "logical",
            Self::Clone => "clone",
        })
    }
}
