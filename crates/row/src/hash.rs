//! What a server computes of rows, so that equal rows give equal values on both nodes, and others do not.
//!
//! CRC32 summed up with XOR, as is usual for this, misses what people do most: CRC32 is affine, so the same change in two
//! rows, or in any even number of them, changes the sum by nothing (seen: `(1, 'open'), (2, 'open')` set to `'done'`).

use twinlog_server::dialect::Dialect;

use crate::{ColumnInfo, Kind, TableInfo, identifier, select_expression};

/// Where one argument of a CONCAT_WS is binary, servers join the bytes of all others as they are: whatever character sets and
/// collations these have, none is converted, nothing is refused (ERROR 1271), nothing is copied once more. A literal would
/// not do: it yields to the columns' character set.
const SEPARATOR: &str = "CAST('#' AS BINARY)";

/// How rows are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256 of each row, joined by XOR of all its bits: a difference is missed once in 2^256.
    Wide,
    /// 64 bits of SHA-1 of each row, joined by XOR as a number, for servers that join no more: a difference is missed once in 2^64.
    Narrow,
}

impl Hash {
    /// The strongest that both servers have.
    pub fn of(dialects: [&Dialect; 2]) -> Self {
        if dialects.iter().all(|dialect| dialect.row().wide_bit_xor) {
            Self::Wide
        } else {
            Self::Narrow
        }
    }

    /// One row's hash, as text.
    pub fn row(self, table: &TableInfo) -> String {
        self.of_text(&self.row_text(table))
    }

    fn of_text(self, text: &str) -> String {
        match self {
            Self::Wide => format!("SHA2({text}, 256)"),
            // A 5.6 built without SSL gives NULL for SHA2.
            Self::Narrow => format!("SHA1({text})"),
        }
    }

    /// All rows' hashes in one value, whatever their order. Where rows may be equal (`unique` is not set), XOR would lose
    /// every second one.
    pub fn sum(self, table: &TableInfo, unique: bool) -> String {
        let row = self.row(table);
        match self {
            Self::Wide if unique => format!("HEX(BIT_XOR(UNHEX({row})))"),
            Self::Narrow if unique => format!("BIT_XOR({})", number(&row)),
            Self::Wide | Self::Narrow => format!("SUM({})", number(&row)),
        }
    }

    /// All that a row stores, in a text that no other row has: which columns are NULL, which CONCAT_WS leaves out; the lengths of
    /// those values that may hold the separator themselves, but for the last, which ends where the text does.
    fn row_text(self, table: &TableInfo) -> String {
        let stored: Vec<&ColumnInfo> = table.stored().map(|at| &table.columns[at]).collect();
        let nulls: Vec<String> = stored
            .iter()
            .filter(|column| column.nullable)
            .map(|column| format!("ISNULL({})", identifier(&column.name)))
            .collect();
        let mut parts = Vec::new();
        if !nulls.is_empty() {
            parts.push(format!("CONCAT({})", nulls.join(", ")));
        }
        let mut texts = Vec::new();
        for column in stored {
            let value = stored_bytes(column);
            if is_long(&column.declared) {
                parts.push(self.of_text(&value));
            } else if is_free(&column.kind) {
                texts.push(value);
            } else {
                parts.push(value);
            }
        }
        let measured = texts.iter().rev().skip(1).rev();
        parts.extend(measured.map(|text| format!("LENGTH({text})")));
        parts.extend(texts);
        format!("CONCAT_WS({SEPARATOR}, {})", parts.join(", "))
    }
}

/// An expression for a column's value beside [`SEPARATOR`], or alone in a hash function: what it stores, to the byte.
///
/// Texts and bytes are their own: a conversion copies each, for as much time again as the hash takes.
fn stored_bytes(column: &ColumnInfo) -> String {
    match column.kind {
        Kind::Bytes if column.is_vector() => select_expression(column),
        Kind::Text { .. } | Kind::Padded { .. } | Kind::Bytes => identifier(&column.name),
        _ => select_expression(column),
    }
}

/// The first 64 bits of a hash in hexadecimal. SUM of such numbers is exact: DECIMAL.
fn number(hash: &str) -> String {
    format!("CAST(CONV(LEFT({hash}, 16), 16, 10) AS UNSIGNED)")
}

/// Whether its values may be longer than a text that a server joins (`max_allowed_packet`): it gives NULL for one that is.
fn is_long(declared: &str) -> bool {
    let kind = declared.to_ascii_lowercase();
    [
        "text", "blob", "json", "geom", "point", "line", "polygon", "multi",
    ]
    .iter()
    .any(|word| {
        kind.split([' ', '('])
            .next()
            .is_some_and(|name| name.contains(word))
    })
}

/// Whether its values may hold any bytes.
fn is_free(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Text { .. }
            | Kind::Padded { .. }
            | Kind::Bytes
            | Kind::Json
            | Kind::Geometry
            | Kind::Unknown(_)
    )
}
