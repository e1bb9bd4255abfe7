//! Statements that are longer than the server takes in one packet.
//!
//! What makes them long are literals of users' values. Those are put together in variables of the session, piece by piece,
//! and the statement names the variables: it stays one statement, of one transaction. A single value can be as long as the
//! server's limit, for a longer one no expression has.

/// The names of the variables begin so.
const VARIABLE: &str = "@twinlog";

/// A statement with its long literals in variables.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Short {
    /// The statements that fill the variables.
    pub(super) before: Vec<String>,
    /// The statement.
    pub(super) sql: String,
    /// A query that is 1 where the variables hold all of their values: one that is too long becomes NULL.
    pub(super) check: String,
    /// The statement that frees them.
    pub(super) after: String,
}

/// A literal in a statement as this program writes them: no quote or backslash is in a quoted one.
struct Literal {
    /// Where it begins, its introducer (`_utf8mb4 `) with it, and where it ends.
    from: usize,
    to: usize,
    /// Where the text between its quotes is.
    text: std::ops::Range<usize>,
    hex: bool,
}

/// The statement in pieces shorter than `limit` bytes; `None` where no literal is what makes it long.
pub(super) fn shorten(sql: &str, limit: usize) -> Option<Short> {
    // Room for what is around a piece, and an even number of digits.
    let piece = (limit / 4) & !1;
    let mut short = Short {
        before: Vec::new(),
        sql: String::new(),
        check: String::from("SELECT 1"),
        after: String::from("DO 0"),
    };
    let mut done = 0;
    let long = |literal: &Literal| literal.text.len() > piece / 4;
    for (number, literal) in literals(sql).into_iter().filter(long).enumerate() {
        let name = format!("{VARIABLE}{number}");
        let text = &sql[literal.text.clone()];
        let (open, bytes) = if literal.hex {
            ("x'", text.len() / 2)
        } else {
            ("'", text.len())
        };
        for (at, part) in text.as_bytes().chunks(piece).enumerate() {
            // Digits, or letters of ASCII.
            let part = String::from_utf8_lossy(part);
            short.before.push(if at == 0 {
                format!("SET {name} = {open}{part}'")
            } else {
                format!("SET {name} = CONCAT({name}, {open}{part}')")
            });
        }
        short.sql.push_str(&sql[done..literal.from]);
        let introducer = sql[literal.from..literal.text.start].trim_start_matches('_');
        match introducer.split_once(' ') {
            Some((charset, _)) => {
                short
                    .sql
                    .push_str(&format!("CONVERT({name} USING {charset})"));
            }
            None => short.sql.push_str(&name),
        }
        short
            .check
            .push_str(&format!(" AND IFNULL(LENGTH({name}), 0) = {bytes}"));
        short.after.push_str(&format!("; SET {name} = NULL"));
        done = literal.to;
    }
    short.sql.push_str(&sql[done..]);
    (done > 0 && short.sql.len() < limit && short.check.len() < limit).then_some(short)
}

fn literals(sql: &str) -> Vec<Literal> {
    let bytes = sql.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    let end_of = |quote: u8, from: usize| {
        let end = bytes[from..].iter().position(|&byte| byte == quote);
        end.map_or(bytes.len(), |end| from + end)
    };
    while at < bytes.len() {
        match bytes[at] {
            b'`' => at = end_of(b'`', at + 1) + 1,
            b'\'' => {
                let end = end_of(b'\'', at + 1);
                let hex = at > 0 && bytes[at - 1] == b'x';
                let start = at - usize::from(hex);
                found.push(Literal {
                    from: introducer(bytes, start),
                    to: (end + 1).min(bytes.len()),
                    text: (at + 1).min(end)..end,
                    hex,
                });
                at = end + 1;
            }
            _ => at += 1,
        }
    }
    found
}

/// Where the introducer of a literal begins that begins there, or the literal itself.
fn introducer(bytes: &[u8], literal: usize) -> usize {
    let Some(space) = literal.checked_sub(1).filter(|&at| bytes[at] == b' ') else {
        return literal;
    };
    let word = bytes[..space]
        .iter()
        .rposition(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    let word = word.map_or(0, |at| at + 1);
    if bytes.get(word) == Some(&b'_') {
        word
    } else {
        literal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_literals_are_put_together_in_variables() {
        let hex = "ab".repeat(300);
        let text = "c".repeat(300);
        let sql = format!(
            "INSERT INTO `x'y`.t (a, b, c, d) VALUES ('short', _utf8mb4 x'{hex}', x'{hex}', '{text}')"
        );
        let short = shorten(&sql, 1024).expect("it can");
        assert_eq!(
            short.sql,
            "INSERT INTO `x'y`.t (a, b, c, d) VALUES ('short', CONVERT(@twinlog0 USING utf8mb4), @twinlog1, @twinlog2)"
        );
        assert!(short.before.iter().all(|sql| sql.len() < 1024));
        assert_eq!(short.before.len(), 3 + 3 + 2);
        let parts: String = short.before[..3]
            .iter()
            .filter_map(|sql| sql.split_once("x'")?.1.split('\'').next())
            .collect();
        assert_eq!(parts, hex);
        assert!(short.check.contains("LENGTH(@twinlog0), 0) = 300"));
        assert!(short.check.contains("LENGTH(@twinlog2), 0) = 300"));
    }

    #[test]
    fn what_has_no_long_literal_stays_too_long() {
        assert_eq!(shorten(&"SELECT 1 + ".repeat(200), 1024), None);
    }
}
