//! Integers and what is stored as one: YEAR, BIT, ENUM, SET.

use super::{Value, ValueError, exact};
use crate::ColumnType;

/// What YEAR's byte counts from. 0 is the zero year.
const FIRST_YEAR: u64 = 1900;

/// TINYINT to BIGINT: two's complement, the low byte first.
pub(super) fn integer(kind: ColumnType, unsigned: bool, bytes: &[u8]) -> Result<Value, ValueError> {
    let expected = match kind {
        ColumnType::Tiny => 1,
        ColumnType::Short => 2,
        ColumnType::Int24 => 3,
        ColumnType::Long => 4,
        _ => 8,
    };
    if bytes.len() != expected {
        return Err(ValueError::Length {
            expected,
            got: bytes.len(),
        });
    }
    let value = little_endian(bytes)?;
    if unsigned {
        return Ok(Value::UInt(value));
    }
    let above = 64 - 8 * expected;
    Ok(Value::Int((value << above).cast_signed() >> above))
}

pub(super) fn year(bytes: &[u8]) -> Result<Value, ValueError> {
    let [year] = exact(bytes)?;
    Ok(Value::UInt(match year {
        0 => 0,
        _ => FIRST_YEAR + u64::from(year),
    }))
}

pub(super) fn member(bytes: &[u8]) -> Result<u16, ValueError> {
    match *bytes {
        [low] => Ok(u16::from(low)),
        _ => exact(bytes).map(u16::from_le_bytes),
    }
}

/// Up to eight bytes, the low one first.
pub(super) fn little_endian(bytes: &[u8]) -> Result<u64, ValueError> {
    fits(bytes)?;
    Ok(bytes
        .iter()
        .rev()
        .fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// Up to eight bytes, the high one first.
pub(super) fn big_endian(bytes: &[u8]) -> Result<u64, ValueError> {
    fits(bytes)?;
    Ok(bytes
        .iter()
        .fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

fn fits(bytes: &[u8]) -> Result<(), ValueError> {
    match bytes.len() {
        1..=8 => Ok(()),
        got => Err(ValueError::Length { expected: 8, got }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_three_bytes_keep_their_sign() {
        let int24 = |unsigned, bytes: &[u8]| integer(ColumnType::Int24, unsigned, bytes).unwrap();
        assert_eq!(int24(false, &[0xff, 0xff, 0xff]), Value::Int(-1));
        assert_eq!(int24(false, &[0, 0, 0x80]), Value::Int(-8_388_608));
        assert_eq!(int24(true, &[0, 0, 0x80]), Value::UInt(8_388_608));
    }

    #[test]
    fn the_zero_year_is_not_1900() {
        assert_eq!(year(&[0]).unwrap(), Value::UInt(0));
        assert_eq!(year(&[255]).unwrap(), Value::UInt(2155));
    }
}
