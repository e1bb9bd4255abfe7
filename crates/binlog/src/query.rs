//! QUERY_EVENT and its kin: statements as text, and those that the servers write to say where transactions begin and end.

use bytes::Bytes;

use crate::{Fault, Statement, cursor::Cursor, inflate};

/// The fixed part since MySQL 5.0.
const POST_HEADER_LEN: usize = 13;

/// A statement, before it is known whether it changes anything.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    database: &'a [u8],
    pub(crate) text: Bytes,
    error_code: u16,
}

impl Query<'_> {
    /// As it is kept.
    pub(crate) fn into_statement(self) -> Statement {
        Statement {
            database: String::from_utf8_lossy(self.database).into(),
            text: self.text,
            error_code: self.error_code,
        }
    }
}

/// From a whole body.
pub(crate) fn parse(
    body: &Bytes,
    post_header_len: usize,
    compressed: bool,
) -> Result<Query<'_>, Fault> {
    let mut it = Cursor::new(body);
    it.u32("thread")?;
    it.u32("duration")?;
    let database_len = usize::from(it.u8("database length")?);
    let error_code = it.u16("error code")?;
    let variables_len = usize::from(it.u16("length of the variables")?);
    // EXECUTE_LOAD_QUERY_EVENT has more, about the file.
    let more = post_header_len
        .checked_sub(POST_HEADER_LEN)
        .ok_or(Fault::Malformed("the log is one of a server before 5.0"))?;
    it.take(more, "fixed part")?;
    it.take(variables_len, "variables")?;
    let database = it.take(database_len, "database")?;
    it.u8("database")?;
    let text = it.rest();
    Ok(Query {
        database,
        text: if compressed {
            inflate::mariadb(&text)?
        } else {
            text
        },
        error_code,
    })
}

/// What a statement means for the transaction that it is in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Control<'a> {
    Begin,
    Commit,
    Rollback,
    /// The name, without quotes.
    Savepoint(String),
    RollbackTo(String),
    XaStart,
    XaEnd,
    /// With the XID's text.
    XaCommit(&'a [u8]),
    XaRollback(&'a [u8]),
    /// It changes something.
    Change,
}

/// Transaction control is written by the servers themselves, always in these words.
pub(crate) fn control(text: &[u8]) -> Control<'_> {
    match text {
        b"BEGIN" => return Control::Begin,
        b"COMMIT" => return Control::Commit,
        b"ROLLBACK" => return Control::Rollback,
        _ => {}
    }
    // Nearly all statements end here.
    if !matches!(text.first(), Some(b'S' | b'R' | b'X')) {
        return Control::Change;
    }
    let after = |words: &str| text.strip_prefix(words.as_bytes());
    if let Some(name) = after("SAVEPOINT ") {
        Control::Savepoint(unquoted(name))
    } else if let Some(name) = after("ROLLBACK TO ") {
        Control::RollbackTo(unquoted(name.strip_prefix(b"SAVEPOINT ").unwrap_or(name)))
    } else if after("XA START ").is_some() {
        Control::XaStart
    } else if after("XA END ").is_some() {
        Control::XaEnd
    } else if let Some(xid) = after("XA COMMIT ") {
        Control::XaCommit(xid)
    } else if let Some(xid) = after("XA ROLLBACK ") {
        Control::XaRollback(xid)
    } else {
        Control::Change
    }
}

/// An identifier without its quotes, in lower case: names of savepoints are compared without regard to it.
fn unquoted(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let inner = ['`', '"'].into_iter().find_map(|quote| {
        let inner = name.strip_prefix(quote)?.strip_suffix(quote)?;
        Some(inner.replace(&format!("{quote}{quote}"), &quote.to_string()))
    });
    inner.unwrap_or_else(|| name.into_owned()).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_servers() {
        assert_eq!(control(b"BEGIN"), Control::Begin);
        assert_eq!(control(b"begin"), Control::Change);
        assert_eq!(control(b"COMMIT"), Control::Commit);
        assert_eq!(
            control(b"SAVEPOINT `S ``1`"),
            Control::Savepoint("s `1".into())
        );
        assert_eq!(
            control(b"ROLLBACK TO `s1`"),
            Control::RollbackTo("s1".into())
        );
        assert_eq!(
            control(b"XA COMMIT X'61',X'',1"),
            Control::XaCommit(b"X'61',X'',1")
        );
        assert_eq!(control(b"REPLACE INTO t VALUES (1)"), Control::Change);
        assert_eq!(control(b""), Control::Change);
    }
}
