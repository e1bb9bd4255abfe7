//! The note of a CLONE, in a table of the source that goes over with all others.

use twinlog_server::{
    conn::{Conn, Error as ConnError},
    facts::{Coordinates, OWN_SCHEMA},
    sql::literal,
};

use crate::copy::{Mark, Source, mark, run_all};

const SCHEMA: &str = "CREATE DATABASE IF NOT EXISTS `twinlog` CHARACTER SET utf8mb4";
const NOTE: &str = "CREATE TABLE IF NOT EXISTS `twinlog`.`clone` (\
     `only_row` TINYINT NOT NULL PRIMARY KEY DEFAULT 1, `donor_uuid` VARCHAR(64) NOT NULL, `source` VARCHAR(64) NOT NULL, \
     `target` VARCHAR(64) NOT NULL, `target_uuid` VARCHAR(64) NOT NULL, `origin_file` VARCHAR(255) NOT NULL, `origin_position` BIGINT UNSIGNED NOT NULL, \
     `origin_gtids` LONGTEXT NOT NULL, `was_read_only` TINYINT NOT NULL, `rebuilt` TINYINT NOT NULL, \
     `installed` TINYINT NOT NULL, `scheduled` TINYINT NOT NULL) ENGINE=InnoDB CHARACTER SET utf8mb4 \
     COMMENT='a server with another UUID that has this was cloned from that one, and is no node yet; not replicated'";
/// After which there is none.
pub(super) const FORGET: &str = "DROP TABLE IF EXISTS `twinlog`.`clone`";
/// The row of it, for a transaction.
pub(super) const CLEAR: &str = "DELETE FROM `twinlog`.`clone`";

/// A CLONE that is begun, or whose target is not a node yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The UUID of the server it was made on.
    pub(super) donor: String,
    /// The node that becomes what the donor is.
    pub target: String,
    /// Its server's UUID, which CLONE leaves to it.
    pub target_uuid: String,
    /// The mark of that node, as it was before.
    pub mark: Mark,
    /// Whether the plugin was installed for this.
    pub(super) installed: bool,
    /// Whether the target ran events before.
    pub(super) scheduled: bool,
}

impl Note {
    /// Writes it down on the source, unlogged.
    pub(super) async fn set(&self, conn: &mut Conn) -> Result<(), ConnError> {
        let Self {
            donor,
            target,
            target_uuid,
            mark,
            installed,
            scheduled,
        } = self;
        let values = [
            literal(donor),
            literal(&mark.source.to_string()),
            literal(target),
            literal(target_uuid),
            literal(&mark.end.file),
            mark.end.position.to_string(),
            literal(&mark.gtids),
            u8::from(mark.was_read_only).to_string(),
            u8::from(mark.rebuilt).to_string(),
            u8::from(*installed).to_string(),
            u8::from(*scheduled).to_string(),
        ];
        let insert = format!(
            "REPLACE INTO `twinlog`.`clone` (`donor_uuid`, `source`, `target`, `target_uuid`, `origin_file`, `origin_position`, \
             `origin_gtids`, `was_read_only`, `rebuilt`, `installed`, `scheduled`) VALUES ({})",
            values.join(", ")
        );
        run_all(conn, [SCHEMA, NOTE, &insert]).await
    }

    /// What the server is that has come by it.
    fn arrived(self) -> Mark {
        Mark {
            // Its log has begun anew, under settings that its start has made what they were.
            rebuilt: true,
            took_files: true,
            cloned: true,
            ..self.mark
        }
    }
}

/// Reads a server's.
///
/// # Errors
/// As [`Conn::rows`], but for a server that has no such table.
pub(super) async fn read(conn: &mut Conn) -> Result<Option<Note>, ConnError> {
    let sql = "SELECT donor_uuid, source, target, target_uuid, origin_file, origin_position, origin_gtids, was_read_only, rebuilt, installed, \
         scheduled FROM `twinlog`.`clone`";
    let row = match conn.row(sql).await {
        // No such database, no such table.
        Err(ConnError::Statement {
            code: 1049 | 1146, ..
        }) => None,
        row => row?,
    };
    Ok(row.and_then(|row| {
        let text = |name| row.get(name).map(str::to_owned);
        let is = |name| row.get(name) == Some("1");
        Some(Note {
            donor: text("donor_uuid")?,
            target: text("target")?,
            target_uuid: text("target_uuid")?,
            mark: Mark {
                source: Source::Node(text("source")?),
                end: Coordinates {
                    file: text("origin_file")?,
                    position: row.number("origin_position")?,
                },
                gtids: text("origin_gtids")?,
                was_read_only: is("was_read_only"),
                took_files: true,
                rebuilt: is("rebuilt"),
                whole: false,
                cloned: false,
            },
            installed: is("installed"),
            scheduled: is("scheduled"),
        })
    }))
}

/// What a server says of copies: the mark of one that it holds half of, or the note of one that is made of it.
///
/// # Errors
/// As [`read`].
pub(crate) async fn said(conn: &mut Conn) -> Result<(Option<Mark>, Option<Note>), ConnError> {
    if let Some(mark) = mark::read(conn).await? {
        return Ok((Some(mark), None));
    }
    let Some(note) = read(conn).await? else {
        return Ok((None, None));
    };
    let uuid = conn.value("SELECT @@GLOBAL.server_uuid").await?;
    Ok(match uuid.as_deref() == Some(&note.donor) {
        true => (None, Some(note)),
        false => (Some(note.arrived()), None),
    })
}

/// The mark of half a copy that a node holds, whichever way it is made.
///
/// # Errors
/// As [`read`].
pub async fn read_mark(conn: &mut Conn) -> Result<Option<Mark>, ConnError> {
    Ok(said(conn).await?.0)
}

/// The mark of a node that a CLONE has emptied and not filled.
pub(in crate::copy) async fn begun(
    source: &mut Conn,
    target: &mut Conn,
) -> Result<Option<Mark>, ConnError> {
    let Some(note) = read(source).await? else {
        return Ok(None);
    };
    let uuid = target.value("SELECT @@GLOBAL.server_uuid").await?;
    let own = target
        .rows(&format!("SHOW DATABASES LIKE {}", literal(OWN_SCHEMA)))
        .await?;
    let is_it = uuid.as_deref() == Some(&note.target_uuid);
    Ok((is_it && own.is_empty()).then_some(note.mark))
}
