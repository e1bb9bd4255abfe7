//! What a document's text does not tell: where it has values of the server's own types.

use std::fmt::Write as _;

use super::{
    OPAQUE, UINT16, UINT32, UINT64,
    scalar::{DATE, DATETIME, NEW_DECIMAL, TIME, TIMESTAMP, sized},
};

/// The most digits of a DECIMAL after the point.
const MAX_SCALE: usize = 30;

/// The parts of a document that text cannot hold.
#[derive(Default)]
pub(super) struct Parts {
    /// Where the reader is: a JSON path without the `$`, and how long it was at each level above.
    path: String,
    lengths: Vec<usize>,
    /// Paths and SQL expressions.
    found: Vec<(String, String)>,
}

impl Parts {
    /// Goes into an element: the one named by `key`, a quoted string, or number `at` where that is empty.
    pub(super) fn enter(&mut self, at: usize, key: &str) {
        self.lengths.push(self.path.len());
        // Writing to a String cannot fail.
        let _ = match key {
            "" => write!(self.path, "[{at}]"),
            _ => write!(self.path, ".{key}"),
        };
    }

    /// Goes back out of the last element.
    pub(super) fn leave(&mut self) {
        self.path.truncate(self.lengths.pop().unwrap_or_default());
    }

    /// Takes note of a scalar whose text is `text`, if that is not all of it.
    pub(super) fn scalar(&mut self, kind: u8, bytes: &[u8], text: &str) {
        let sql = match kind {
            OPAQUE => opaque(bytes, text),
            // From text, what fits is signed.
            UINT16 | UINT32 | UINT64 if text.parse::<i64>().is_ok() => {
                Some(format!("CAST({text} AS UNSIGNED)"))
            }
            _ => None,
        };
        self.found.extend(sql.map(|sql| (self.path.clone(), sql)));
    }

    pub(super) fn expression(self, text: &str) -> Option<String> {
        if self.found.is_empty() {
            return None;
        }
        let mut sql = format!("JSON_SET(CAST({} AS JSON)", utf8(text));
        for (path, value) in self.found {
            let _ = write!(sql, ", {}, {value}", utf8(&format!("${path}")));
        }
        sql.push(')');
        Some(sql)
    }
}

/// `text` is what the server prints: a number, or a quoted string without anything to escape.
fn opaque(bytes: &[u8], text: &str) -> Option<String> {
    let (&field, rest) = bytes.split_first()?;
    let (value, _) = sized(rest).ok()?;
    let string = text.trim_matches('"');
    Some(match field {
        NEW_DECIMAL => {
            let (whole, fraction) = string.split_once('.').unwrap_or((string, ""));
            let scale = fraction.len().min(MAX_SCALE);
            let precision = whole.trim_start_matches('-').len() + scale;
            format!("CAST('{string}' AS DECIMAL({precision},{scale}))")
        }
        DATE => format!("CAST('{string}' AS DATE)"),
        TIME => format!("CAST('{string}' AS TIME(6))"),
        DATETIME | TIMESTAMP => format!("CAST('{string}' AS DATETIME(6))"),
        _ => hex(value),
    })
}

/// A text as a literal that no session's settings change.
fn utf8(text: &str) -> String {
    format!("_utf8mb4 {}", hex(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    let mut sql = String::with_capacity(bytes.len() * 2 + 3);
    sql.push_str("x'");
    for byte in bytes {
        let _ = write!(sql, "{byte:02x}");
    }
    sql.push('\'');
    sql
}

#[cfg(test)]
mod tests {
    use super::{super::expression, *};

    /// As MySQL 9.7 logged `JSON_OBJECT('t', TIME'10:11:12', 'y', CAST(2020 AS YEAR))`.
    const TIME_AND_YEAR: &[u8] = &[
        0x00, 0x02, 0x00, 0x1e, 0x00, 0x12, 0x00, 0x01, 0x00, 0x13, 0x00, 0x01, 0x00, 0x0f, 0x14,
        0x00, 0x06, 0xe4, 0x07, 0x74, 0x79, 0x0b, 0x08, 0x00, 0x00, 0x00, 0xcc, 0xa2, 0x00, 0x00,
        0x00,
    ];

    #[test]
    fn types_that_text_loses_are_set_by_path() {
        let text = super::super::text(TIME_AND_YEAR).unwrap();
        assert_eq!(text, r#"{"t": "10:11:12.000000", "y": 2020}"#);
        let expected = format!(
            "JSON_SET(CAST({} AS JSON), {}, CAST('10:11:12.000000' AS TIME(6)), {}, CAST(2020 AS UNSIGNED))",
            utf8(&text),
            utf8(r#"$."t""#),
            utf8(r#"$."y""#),
        );
        assert_eq!(expression(TIME_AND_YEAR).unwrap(), Some(expected));
    }

    #[test]
    fn text_is_enough_for_what_came_from_text() {
        assert_eq!(expression(&[5, 1, 0]).unwrap(), None);
        assert_eq!(expression(b"\x0c\x03abc").unwrap(), None);
        assert_eq!(expression(&[]).unwrap(), None);
    }

    #[test]
    fn a_scalar_is_at_the_root() {
        let document = [OPAQUE, NEW_DECIMAL, 4, 3, 2, 0x81, 0x0a];
        assert_eq!(
            expression(&document).unwrap().unwrap(),
            "JSON_SET(CAST(_utf8mb4 x'312e3130' AS JSON), _utf8mb4 x'24', CAST('1.10' AS DECIMAL(3,2)))"
        );
    }
}
