//! Exact sums of integers and decimals.

use twinlog_binlog::{Column, ColumnType, Value};

/// An integer or a decimal: its digits as an integer, and how many of them come after the point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    negative: bool,
    /// Base 10, the lowest first, without zeros at the end.
    digits: Vec<u8>,
    scale: usize,
}

impl Number {
    /// `None` for a value that is no exact number.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(int) => Self::parse(&int.to_string()),
            Value::UInt(int) => Self::parse(&int.to_string()),
            Value::Decimal(text) => Self::parse(text),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = whole.bytes().chain(fraction.bytes()).rev();
        let digits: Option<Vec<u8>> = digits
            .map(|digit| digit.is_ascii_digit().then(|| digit - b'0'))
            .collect();
        Some(
            Self {
                negative,
                digits: digits?,
                scale: fraction.len(),
            }
            .trimmed(),
        )
    }

    fn trimmed(mut self) -> Self {
        while self.digits.last() == Some(&0) {
            self.digits.pop();
        }
        self.negative &= !self.digits.is_empty();
        self
    }

    /// The sum; `None` where the numbers of decimals differ.
    pub(super) fn add(&self, other: &Self) -> Option<Self> {
        if self.scale != other.scale {
            return None;
        }
        let (digits, negative) = if self.negative == other.negative {
            (sum(&self.digits, &other.digits), self.negative)
        } else if less(&self.digits, &other.digits) {
            (difference(&other.digits, &self.digits), other.negative)
        } else {
            (difference(&self.digits, &other.digits), self.negative)
        };
        let scale = self.scale;
        Some(
            Self {
                negative,
                digits,
                scale,
            }
            .trimmed(),
        )
    }

    pub(super) fn subtract(&self, other: &Self) -> Option<Self> {
        let negated = Self {
            negative: !other.negative,
            ..other.clone()
        };
        self.add(&negated.trimmed())
    }

    /// The value of a column, of the kind of `like`; `None` where the column cannot hold it.
    pub(super) fn to_value(&self, column: &Column, like: &Value) -> Option<Value> {
        match like {
            Value::Int(_) => {
                let value: i64 = self.to_string().parse().ok()?;
                let bits = bits(column.kind)?;
                let fits =
                    bits == 64 || (-(1_i64 << (bits - 1))..1_i64 << (bits - 1)).contains(&value);
                fits.then_some(Value::Int(value))
            }
            Value::UInt(_) => {
                let value: u64 = self.to_string().parse().ok()?;
                let bits = bits(column.kind)?;
                (bits == 64 || value < 1_u64 << bits).then_some(Value::UInt(value))
            }
            Value::Decimal(_) => {
                let precision = usize::from(column.meta & 0xff);
                let unsigned = column.unsigned == Some(true);
                let fits = self.digits.len() <= precision && !(unsigned && self.negative);
                fits.then(|| Value::Decimal(self.to_string()))
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        for at in (0..self.digits.len().max(self.scale + 1)).rev() {
            let digit = self.digits.get(at).copied().unwrap_or_default();
            write!(f, "{digit}")?;
            if at == self.scale && at > 0 {
                f.write_str(".")?;
            }
        }
        Ok(())
    }
}

fn bits(kind: ColumnType) -> Option<u32> {
    match kind {
        ColumnType::Tiny => Some(8),
        ColumnType::Short => Some(16),
        ColumnType::Int24 => Some(24),
        ColumnType::Long => Some(32),
        ColumnType::LongLong => Some(64),
        _ => None,
    }
}

fn digit(digits: &[u8], at: usize) -> u8 {
    digits.get(at).copied().unwrap_or_default()
}

fn less(one: &[u8], other: &[u8]) -> bool {
    let order = one.len().cmp(&other.len());
    order
        .then_with(|| one.iter().rev().cmp(other.iter().rev()))
        .is_lt()
}

fn sum(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let mut digits = Vec::new();
    for at in 0..=one.len().max(other.len()) {
        let sum = digit(one, at) + digit(other, at) + carry;
        digits.push(sum % 10);
        carry = sum / 10;
    }
    digits
}

/// `one - other`, where that is not less than nothing.
fn difference(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut digits = Vec::new();
    for at in 0..one.len() {
        let (from, take) = (digit(one, at), digit(other, at) + borrow);
        borrow = u8::from(take > from);
        digits.push(from + borrow * 10 - take);
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn adds_and_subtracts_exactly() {
        for (a, b, sum, difference) in [
            ("1", "2", "3", "-1"),
            ("-5", "3", "-2", "-8"),
            ("0", "0", "0", "0"),
            ("999", "1", "1000", "998"),
            (
                "18446744073709551615",
                "1",
                "18446744073709551616",
                "18446744073709551614",
            ),
            ("0.05", "-0.07", "-0.02", "0.12"),
            ("-12.340", "12.340", "0.000", "-24.680"),
            (
                "99999999999999999999999999999999999.999999999999999999999999999999",
                "0.000000000000000000000000000001",
                "100000000000000000000000000000000000.000000000000000000000000000000",
                "99999999999999999999999999999999999.999999999999999999999999999998",
            ),
        ] {
            assert_eq!(number(a).add(&number(b)).unwrap().to_string(), sum);
            let result = number(a).subtract(&number(b)).unwrap();
            assert_eq!(result.to_string(), difference);
        }
        assert_eq!(number("1.0").add(&number("1")), None);
    }

    #[test]
    fn a_column_takes_what_it_can_hold() {
        let column = |kind, meta, unsigned| Column {
            kind,
            meta,
            nullable: false,
            unsigned: Some(unsigned),
            collation: None,
            name: None,
            members: Vec::new(),
        };
        let tiny = column(ColumnType::Tiny, 0, false);
        let like = Value::Int(0);
        assert_eq!(
            number("-128").to_value(&tiny, &like),
            Some(Value::Int(-128))
        );
        assert_eq!(number("128").to_value(&tiny, &like), None);
        let tiny = column(ColumnType::Tiny, 0, true);
        let like = Value::UInt(0);
        assert_eq!(number("255").to_value(&tiny, &like), Some(Value::UInt(255)));
        assert_eq!(number("256").to_value(&tiny, &like), None);
        assert_eq!(number("-1").to_value(&tiny, &like), None);
        let big = column(ColumnType::LongLong, 0, true);
        let max = Value::UInt(u64::MAX);
        assert_eq!(
            number(&u64::MAX.to_string()).to_value(&big, &like),
            Some(max)
        );
        // DECIMAL(4,2): the precision is in the low byte.
        let decimal = column(ColumnType::Decimal, 0x0204, false);
        let like = Value::Decimal("0.00".into());
        let max = Some(Value::Decimal("99.99".into()));
        assert_eq!(number("99.99").to_value(&decimal, &like), max);
        assert_eq!(number("100.00").to_value(&decimal, &like), None);
    }
}
