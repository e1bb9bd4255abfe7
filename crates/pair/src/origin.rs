//! Where each node's log stood when the pair was made.
//!
//! The links of a new pair must start at the very place at which both nodes were seen to hold the same data.
//! That place is written into each node, outside its binary log, *before* the first link is made: into a node that
//! twinlog makes while it is initialised, so that nobody can have written before. Killed anywhere after, twinlog finds
//! it there again, and what clients wrote in the meantime is neither lost nor applied twice.

use twinlog_server::{
    conn::{Conn, Error},
    facts::Coordinates,
    sql::{Sql, literal},
};

/// The position of the first event of every binary log file.
const LOG_BEGIN: u64 = 4;

/// What the two nodes held at their origins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// Neither had tables of users.
    Empty,
    /// Both had the same rows, compared.
    Equal,
    /// One was copied to the other, as it was at its origin.
    Copied,
    /// They were linked already, by someone else: nothing was compared.
    Linked,
    /// Whatever it was, both links have been made from there: it is no place to start from any more.
    Settled,
}

impl Sameness {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Empty, "empty"),
        (Self::Equal, "equal"),
        (Self::Copied, "copied"),
        (Self::Linked, "linked"),
        (Self::Settled, "settled"),
    ];

    fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(sameness, _)| *sameness == self)
            .map_or("", |(_, word)| word)
    }
}

/// A node's own log at the moment it became a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The end of its binary log.
    pub end: Coordinates,
    /// What it had executed, as its GTIDs.
    pub gtids: String,
    /// What the pair held then.
    pub sameness: Sameness,
    /// Which set of passwords its accounts were made with.
    pub secrets_id: String,
}

impl Origin {
    /// That of a node that twinlog is about to make: before its first change, in a log that has no name yet.
    pub fn of_birth() -> Self {
        Self {
            end: Coordinates::default(),
            gtids: String::new(),
            sameness: Sameness::Empty,
            secrets_id: String::new(),
        }
    }

    /// The same, with the log's name filled in: `binlogs` are those that the server has, oldest first.
    #[must_use]
    pub fn in_log(mut self, binlogs: &[String]) -> Self {
        if let (true, Some(first)) = (self.end.file.is_empty(), binlogs.first()) {
            self.end = Coordinates {
                file: first.clone(),
                position: LOG_BEGIN,
            };
        }
        self
    }

    /// The statement that records it.
    pub fn record(&self, pair_id: &str, node: &str) -> Sql {
        let Self {
            end,
            gtids,
            sameness,
            secrets_id,
        } = self;
        let values = [
            literal(pair_id),
            literal(node),
            literal(&end.file),
            end.position.to_string(),
            literal(gtids),
            literal(sameness.word()),
            literal(secrets_id),
        ];
        Sql::new(format!(
            "REPLACE INTO `twinlog`.`node` (`pair_id`, `node`, `origin_file`, `origin_position`, `origin_gtids`, \
             `sameness`, `secrets_id`) VALUES ({})",
            values.join(", ")
        ))
    }
}

/// The statement after which the origin is no place to start a link from.
pub fn settle() -> Sql {
    Sql::new(format!(
        "UPDATE `twinlog`.`node` SET `sameness` = {}",
        literal(Sameness::Settled.word())
    ))
}

/// Reads a node's record; `None` when it has none.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn read(conn: &mut Conn) -> Result<Option<Origin>, Error> {
    let row = conn
        .row("SELECT origin_file, origin_position, origin_gtids, sameness, secrets_id FROM `twinlog`.`node`")
        .await?;
    Ok(row.and_then(|row| {
        let word = row.get("sameness")?;
        let (sameness, _) = Sameness::ALL
            .into_iter()
            .find(|(_, known)| *known == word)?;
        Some(Origin {
            end: Coordinates {
                file: row.get("origin_file")?.to_owned(),
                position: row.number("origin_position")?,
            },
            gtids: row.get("origin_gtids")?.to_owned(),
            sameness,
            secrets_id: row.get("secrets_id")?.to_owned(),
        })
    }))
}
