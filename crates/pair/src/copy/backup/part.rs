//! Rows in parts: lines as `LOAD DATA` takes them, compressed. No file here.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::Error;
use crate::copy::field;

/// Of so many bytes or a row more. Each connection that reads holds one, and compressed once more.
const PART_BYTES: usize = 8 << 20;
/// zstd's own default: faster than rows come.
const LEVEL: i32 = 3;

/// A part of a table, as the manifest has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Part {
    /// Its file, within the backup.
    pub(super) file: String,
    pub(super) rows: u64,
    /// How long its lines are.
    pub(super) bytes: u64,
    /// How long its file is.
    pub(super) stored_bytes: u64,
    /// The file's, see [`checksum`].
    pub(super) checksum: String,
}

impl Part {
    /// Whether this is what its file held.
    pub(super) fn check(&self, stored: &[u8]) -> Result<(), Error> {
        match checksum(stored) == self.checksum {
            true => Ok(()),
            false => Err(self.damaged("it is not what was written: its checksum is another")),
        }
    }

    /// Its lines.
    pub(super) fn unpack(&self, stored: &[u8]) -> Result<Vec<u8>, Error> {
        self.check(stored)?;
        let length = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        zstd::bulk::decompress(stored, length).map_err(|error| self.damaged(&error.to_string()))
    }

    fn damaged(&self, what: &str) -> Error {
        Error::Damaged {
            file: self.file.clone(),
            what: what.to_owned(),
        }
    }
}

/// XXH3 of 128 bits, in hexadecimal digits: it tells damage, not malice.
pub(super) fn checksum(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}

/// How many rows there are, and the sum of their lines' hashes: the same in whatever order they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    pub(super) rows: u64,
    hashes: u128,
}

impl Sum {
    fn add_line(&mut self, line: &[u8]) {
        self.rows += 1;
        self.hashes = self.hashes.wrapping_add(xxh3_128(line));
    }

    pub(super) fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.hashes = self.hashes.wrapping_add(other.hashes);
    }

    /// As the manifest has it.
    pub(super) fn digits(&self) -> String {
        format!("{:032x}", self.hashes)
    }
}

/// What the rows of a table, or of a part of it, add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sums {
    pub(super) all: Sum,
    /// With no more of JSON documents than what they are. Where there are none, nothing.
    pub(super) plain: Sum,
}

impl Sums {
    pub(super) fn add(&mut self, other: Self) {
        self.all.add(other.all);
        self.plain.add(other.plain);
    }
}

/// Whether a document is an object, an array, a text, a number or a word.
fn kind_of_document(text: &[u8]) -> Vec<u8> {
    match text.first() {
        Some(byte) if byte.is_ascii_digit() || *byte == b'-' => b"0".to_vec(),
        first => first.copied().into_iter().collect(),
    }
}

/// Rows as lines, until they are a part.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) text: Vec<u8>,
    pub(super) sums: Sums,
    /// The columns that are documents: their text is read as another one where a number was exact.
    documents: Vec<usize>,
    /// A row with no more of them than what they are.
    rest: Vec<u8>,
}

impl Lines {
    /// None yet, of a table of which these columns are documents.
    pub(super) fn new(documents: &[usize]) -> Self {
        Self {
            documents: documents.to_vec(),
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, row: &[Option<Vec<u8>>]) {
        let begin = self.text.len();
        field::push_row(&mut self.text, row);
        self.sums.all.add_line(&self.text[begin..]);
        if self.documents.is_empty() {
            return;
        }
        let values = row.iter().enumerate();
        let plain = values.map(|(at, value)| match self.documents.contains(&at) {
            true => value.as_deref().map(kind_of_document),
            false => value.clone(),
        });
        let plain: Vec<_> = plain.collect();
        self.rest.clear();
        field::push_row(&mut self.rest, &plain);
        self.sums.plain.add_line(&self.rest);
    }

    /// Whether they are long enough to be a part.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= PART_BYTES
    }

    /// Forgets them, but not what they add up to.
    pub(super) fn forget(&mut self) {
        self.text.clear();
    }

    /// What is written of them.
    pub(super) fn pack(&self) -> std::io::Result<Vec<u8>> {
        zstd::bulk::compress(&self.text, LEVEL)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(lines: &Lines, stored: &[u8]) -> Part {
        Part {
            file: "rows/1".into(),
            rows: lines.sums.all.rows,
            bytes: lines.text.len() as u64,
            stored_bytes: stored.len() as u64,
            checksum: checksum(stored),
        }
    }

    type Row = Vec<Option<Vec<u8>>>;

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..6));
        prop::collection::vec(prop::collection::vec(value, 1..4), 0..8)
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(rows in rows()) {
            let mut lines = Lines::default();
            rows.iter().for_each(|row| lines.push(row));
            let stored = lines.pack().expect("memory");
            prop_assert_eq!(part(&lines, &stored).unpack(&stored).expect("whole"), lines.text);
        }

        #[test]
        fn any_bit_that_turned_is_seen(rows in rows(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let mut lines = Lines::default();
            rows.iter().for_each(|row| lines.push(row));
            let mut stored = lines.pack().expect("memory");
            let part = part(&lines, &stored);
            let at = at.index(stored.len());
            stored[at] ^= 1_u8 << bit;
            prop_assert!(part.unpack(&stored).is_err());
        }

        #[test]
        fn a_sum_does_not_go_by_order(mut rows in rows(), cut in any::<prop::sample::Index>()) {
            let sum = |rows: &[Row]| {
                let mut lines = Lines::default();
                rows.iter().for_each(|row| lines.push(row));
                lines.sums.all
            };
            let all = sum(&rows);
            rows.reverse();
            let (left, right) = rows.split_at(cut.index(rows.len() + 1));
            let mut both = sum(left);
            both.add(sum(right));
            prop_assert_eq!(all, both);
        }
    }

    #[test]
    fn a_row_twice_is_not_a_row_less_and_another_more() {
        let sum = |rows: &[&str]| {
            let mut lines = Lines::default();
            let rows = rows.iter().map(|row| vec![Some(row.as_bytes().to_vec())]);
            rows.for_each(|row| lines.push(&row));
            lines.sums.all
        };
        assert_ne!(sum(&["a", "a", "b"]), sum(&["a", "b", "b"]));
        assert_ne!(sum(&["a", "a"]), sum(&[]));
    }

    #[test]
    fn documents_are_counted_apart() {
        let sums = |document: &str, other: &str| {
            let mut lines = Lines::new(&[0]);
            lines.push(&[document, other].map(|text| Some(text.as_bytes().to_vec())));
            lines.sums
        };
        let (exact, read) = (sums("1.10", "x"), sums("1.1", "x"));
        assert_ne!(exact.all, read.all);
        assert_eq!(exact.plain, read.plain);
        assert_ne!(exact.plain, sums("1.10", "y").plain);
        assert_ne!(exact.plain, sums("[1.10]", "x").plain);
    }
}
