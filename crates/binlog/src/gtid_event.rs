//! The events that begin a transaction and name it.

use std::sync::Arc;

use bytes::Bytes;

use crate::{EventType, Fault, Gtid, Xa, cursor::Cursor, xid};

/// What the event says of the transaction that it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) gtid: Option<Gtid>,
    /// When its origin committed it; `None` where only the header's second is known.
    pub(crate) original_us: Option<u64>,
    /// When this log's server committed it.
    pub(crate) logged_us: Option<u64>,
    pub(crate) form: Form,
    /// MariaDB says it with the GTID; MySQL in the statement.
    pub(crate) xa: Option<Xa>,
    pub(crate) alter: Option<Alter>,
}

/// How the transaction goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// MySQL does not say: BEGIN, XA START, or the one statement that it is.
    Undecided,
    /// One statement.
    Standalone,
    /// Changes until its end, with or without BEGIN.
    Transaction,
}

/// A part of an ALTER TABLE that MariaDB logs in two (`binlog_alter_two_phase`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alter {
    /// It began, and nothing changed yet.
    Start,
    /// It is done.
    Commit,
    /// It never was.
    Rollback,
}

/// Before MySQL 5.7 the event ends after the number.
const LOGICAL_TIMESTAMPS: u8 = 2;
/// Set in the time of the commit here where another one follows, of the origin (`ENCODED_COMMIT_TIMESTAMP_LENGTH` bits).
const ORIGINAL_FOLLOWS: u64 = 1 << 55;
/// The lengths of a time of commit.
const COMMIT_TIME_LEN: usize = 7;

/// GTID_LOG_EVENT and ANONYMOUS_GTID_LOG_EVENT.
pub(crate) fn mysql(event: EventType, body: &Bytes) -> Result<Begin, Fault> {
    let mut it = Cursor::new(body);
    it.u8("flags")?;
    let mut uuid = [0; 16];
    uuid.copy_from_slice(it.take(16, "UUID")?);
    let sequence = it.u64("sequence number")?;
    let (mut original_us, mut logged_us) = (None, None);
    if it.left() > 0 && it.u8("logical timestamps")? == LOGICAL_TIMESTAMPS {
        it.take(16, "logical timestamps")?;
        if it.left() >= COMMIT_TIME_LEN {
            let immediate = it.uint(COMMIT_TIME_LEN, "time of commit")?;
            let original = if immediate & ORIGINAL_FOLLOWS == 0 {
                immediate
            } else {
                it.uint(COMMIT_TIME_LEN, "time of the original commit")?
            };
            (original_us, logged_us) = times(immediate & !ORIGINAL_FOLLOWS, original);
        }
    }
    let gtid = Gtid::MySql {
        uuid,
        tag: None,
        sequence,
    };
    Ok(Begin {
        gtid: (event == EventType::GTID_LOG_EVENT).then_some(gtid),
        original_us,
        logged_us,
        form: Form::Undecided,
        xa: None,
        alter: None,
    })
}

/// Zero stands for a time that is not known: transactions that come from a server before 8.0.1.
fn times(immediate: u64, original: u64) -> (Option<u64>, Option<u64>) {
    let known = |time| Some(time).filter(|&time| time != 0);
    (known(original), known(immediate))
}

/// GTID_TAGGED_LOG_EVENT: a message of MySQL's serialization library (`libs/mysql/serialization/readme.md`), with the fields
/// of `Gtid_event::define_fields`.
pub(crate) fn tagged(body: &Bytes) -> Result<Begin, Fault> {
    const VERSION: u64 = 1;
    const LAST_KNOWN_FIELD: u64 = 11;

    let mut it = Cursor::new(body);
    if it.varlen("serialization version")? != VERSION {
        return Err(Fault::Malformed("the serialization's version is not 1"));
    }
    let len = it.varlen("message length")?;
    let needed = it.varlen("last needed field")?;
    if needed > LAST_KNOWN_FIELD + 1 {
        return Err(Fault::Malformed(
            "a field that must be understood is not known",
        ));
    }
    let end = usize::try_from(len).unwrap_or(usize::MAX);
    if end > body.len() {
        return Err(Fault::Truncated("message"));
    }
    let (mut uuid, mut sequence, mut tag) = (None, None, None);
    let (mut immediate, mut original) = (0, None);
    while it.position() < end {
        // Fields come in the order of their numbers, and do not say how long they are.
        match it.varlen("field number")? {
            1 => uuid = Some(serialized_uuid(&mut it)?),
            2 => sequence = Some(it.varlen_signed("sequence number")?),
            3 => tag = serialized_tag(&mut it)?,
            6 => immediate = it.varlen("time of commit")?,
            7 => original = Some(it.varlen("time of the original commit")?),
            4 | 5 => drop(it.varlen_signed("logical timestamps")?),
            0 | 8..=LAST_KNOWN_FIELD => drop(it.varlen("field")?),
            _ => break,
        }
    }
    let (original_us, logged_us) = times(immediate, original.unwrap_or(immediate));
    let uuid = uuid.ok_or(Fault::Truncated("UUID"))?;
    let sequence = sequence
        .and_then(|it| u64::try_from(it).ok())
        .ok_or(Fault::Malformed(
            "the sequence number is missing or negative",
        ))?;
    Ok(Begin {
        gtid: Some(Gtid::MySql {
            uuid,
            tag,
            sequence,
        }),
        original_us,
        logged_us,
        form: Form::Undecided,
        xa: None,
        alter: None,
    })
}

/// Each byte is a number of variable length of its own.
fn serialized_uuid(it: &mut Cursor<'_>) -> Result<[u8; 16], Fault> {
    let mut uuid = [0; 16];
    for byte in &mut uuid {
        *byte = u8::try_from(it.varlen("UUID")?)
            .map_err(|_| Fault::Malformed("a byte of the UUID is over 255"))?;
    }
    Ok(uuid)
}

fn serialized_tag(it: &mut Cursor<'_>) -> Result<Option<Arc<str>>, Fault> {
    /// `TAG_MAX_LENGTH`.
    const MAX_TAG_LEN: u64 = 32;
    let len = it.varlen("tag")?;
    if len > MAX_TAG_LEN {
        return Err(Fault::Malformed("the tag is longer than 32 characters"));
    }
    let tag = std::str::from_utf8(it.take(len as usize, "tag")?)
        .map_err(|_| Fault::Malformed("the tag is no text"))?;
    Ok(Some(tag).filter(|it| !it.is_empty()).map(Into::into))
}

const STANDALONE: u8 = 0x01;
const GROUP_COMMIT_ID: u8 = 0x02;
const PREPARED_XA: u8 = 0x40;
const COMPLETED_XA: u8 = 0x80;

const START_ALTER: u8 = 0x02;
const COMMIT_ALTER: u8 = 0x04;
const ROLLBACK_ALTER: u8 = 0x08;

/// MariaDB's GTID_EVENT (`Gtid_log_event` in sql/log_event.h).
pub(crate) fn mariadb(server_id: u32, body: &Bytes) -> Result<Begin, Fault> {
    let mut it = Cursor::new(body);
    let sequence = it.u64("sequence number")?;
    let domain = it.u32("domain")?;
    let flags = it.u8("flags")?;
    if flags & GROUP_COMMIT_ID != 0 {
        it.u64("group commit")?;
    }
    let xa = if flags & (PREPARED_XA | COMPLETED_XA) != 0 {
        let format = it.u32("XID")?;
        let global = usize::from(it.u8("XID")?);
        let branch = usize::from(it.u8("XID")?);
        let (global, branch) = (it.take(global, "XID")?, it.take(branch, "XID")?);
        // Whether completed means committed is in the statement.
        (flags & PREPARED_XA != 0).then(|| Xa::Prepare(xid::text(format, global, branch)))
    } else {
        None
    };
    // Without more flags the rest is zeros, or missing.
    let more = if it.left() > 0 {
        it.u8("more flags")?
    } else {
        0
    };
    let alter = match more {
        _ if more & START_ALTER != 0 => Some(Alter::Start),
        _ if more & COMMIT_ALTER != 0 => Some(Alter::Commit),
        _ if more & ROLLBACK_ALTER != 0 => Some(Alter::Rollback),
        _ => None,
    };
    Ok(Begin {
        gtid: Some(Gtid::MariaDb {
            domain,
            server_id,
            sequence,
        }),
        original_us: None,
        logged_us: None,
        form: if flags & STANDALONE != 0 {
            Form::Standalone
        } else {
            Form::Transaction
        },
        xa,
        alter,
    })
}

/// MariaDB's GTID_LIST_EVENT: the last of each domain and server before this file.
pub(crate) fn mariadb_list(body: &Bytes) -> Result<Vec<Gtid>, Fault> {
    /// The other bits are flags.
    const COUNT: u32 = 0x0fff_ffff;
    const ENTRY_LEN: usize = 16;
    let mut it = Cursor::new(body);
    let count = (it.u32("count")? & COUNT) as usize;
    if count > it.left() / ENTRY_LEN {
        return Err(Fault::Truncated("list"));
    }
    (0..count)
        .map(|_| {
            Ok(Gtid::MariaDb {
                domain: it.u32("domain")?,
                server_id: it.u32("server")?,
                sequence: it.u64("sequence number")?,
            })
        })
        .collect()
}
