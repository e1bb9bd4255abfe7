//! The other way: MySQL's CLONE. The files of the whole server go over, and the other server starts again with them.
//!
//! CLONE drops what the target has, the mark of a copy first of all, and what the target has afterwards is the source's, down
//! to the row that says which node it is. So the note of it ([`note`]) is written on the *source* before: until the files are
//! there it says what the target, which is empty then, is to become; once they are, it has come along in them, and says on
//! the target that it has yet to be made a node of its own ([`finish`]). It is the last thing to go there.

mod account;
mod finish;
mod note;
mod take;

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use twinlog_server::conn::{Conn, Error as ConnError, Row};

pub(crate) use finish::{finish, is_cloned};
pub(super) use note::begun;
pub(crate) use note::said;
pub use note::{Note, read_mark};
pub(super) use take::give_up;
pub(crate) use take::{Taken, take};

/// Where the server tells how far it is.
const PROGRESS: &str = "SELECT STAGE, STATE, ESTIMATE, DATA FROM performance_schema.clone_progress WHERE STATE = 'In Progress'";
/// What came of the last one.
const STATUS: &str = "SELECT STATE, PID, BINLOG_FILE, BINLOG_POSITION, GTID_EXECUTED, ERROR_NO, ERROR_MESSAGE, \
     TIMESTAMPDIFF(MICROSECOND, BEGIN_TIME, END_TIME) AS US FROM performance_schema.clone_status";
/// The server's plugin, which may be there already.
const PLUGIN: &str =
    "SELECT PLUGIN_STATUS FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'clone'";
const INSTALL: &str = "INSTALL PLUGIN clone SONAME 'mysql_clone.so'";
const UNINSTALL: &str = "UNINSTALL PLUGIN clone";
/// What is set on the target beyond its restart, and put back afterwards.
const KEPT: [&str; 2] = ["read_only", "event_scheduler"];

/// How far it is, for others to read.
#[derive(Debug, Default)]
pub(crate) struct Cloning(Mutex<String>);

impl Cloning {
    fn tell(&self, row: Option<&Row>) {
        let Some(row) = row else { return };
        let mb = |name: &str| row.number::<f64>(name).unwrap_or_default() / 1e6;
        let text = format!(
            "cloning: {}, {:.1} of {:.1} MB",
            row.get("STAGE").unwrap_or_default().to_lowercase(),
            mb("DATA"),
            mb("ESTIMATE")
        );
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

impl fmt::Display for Cloning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f.write_str(match text.as_str() {
            "" => "cloning",
            text => text,
        })
    }
}

/// Whether the plugin is there.
async fn has_plugin(conn: &mut Conn) -> Result<bool, ConnError> {
    Ok(conn.value(PLUGIN).await?.as_deref() == Some("ACTIVE"))
}

/// How much all files of tables take, which is what goes over.
///
/// # Errors
/// As [`Conn::rows`].
pub(crate) async fn file_bytes(conn: &mut Conn) -> Result<Option<u64>, ConnError> {
    let sum = "SELECT CAST(SUM(FILE_SIZE) AS UNSIGNED) FROM information_schema.INNODB_TABLESPACES WHERE SPACE_TYPE IN ('Single', 'General')";
    match conn.value(sum).await {
        Ok(bytes) => Ok(bytes.and_then(|text| text.parse().ok())),
        // Without PROCESS it is not told.
        Err(ConnError::Statement { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
