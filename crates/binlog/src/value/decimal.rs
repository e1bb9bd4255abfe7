//! DECIMAL: nine digits in four bytes, the high byte first, on each side of the point; all bits inverted if negative, and
//! the first one of all inverted once more, so that the bytes sort as the numbers do.

use super::ValueError;
use crate::width::{DIGITS_PER_WORD, DIGITS_TO_BYTES, decimal_len};

/// The digits, with `scale` of them after the point and no leading zero but one before it.
pub(super) fn decode(precision: u16, scale: u16, bytes: &[u8]) -> Result<String, ValueError> {
    let metadata = ValueError::Metadata {
        meta: precision | scale << 8,
    };
    let expected = usize::from(decimal_len(precision, scale).ok_or(metadata)?);
    let (Some(&first), true) = (bytes.first(), bytes.len() == expected) else {
        return Err(ValueError::Length {
            expected,
            got: bytes.len(),
        });
    };
    let negative = first & 0x80 == 0;
    let mut rest = Groups {
        bytes,
        flip: if negative { 0xff } else { 0 },
        first: 0x80,
    };
    let mut text = String::with_capacity(usize::from(precision) + 3);
    let whole = precision - scale;
    rest.write(whole % DIGITS_PER_WORD, &mut text)?;
    for _ in 0..whole / DIGITS_PER_WORD {
        rest.write(DIGITS_PER_WORD, &mut text)?;
    }
    let significant = text.trim_start_matches('0').len();
    text.drain(..text.len() - significant);
    if text.is_empty() {
        text.push('0');
    }
    if scale > 0 {
        text.push('.');
        for _ in 0..scale / DIGITS_PER_WORD {
            rest.write(DIGITS_PER_WORD, &mut text)?;
        }
        rest.write(scale % DIGITS_PER_WORD, &mut text)?;
    }
    if negative && text.bytes().any(|digit| matches!(digit, b'1'..=b'9')) {
        text.insert(0, '-');
    }
    Ok(text)
}

struct Groups<'a> {
    bytes: &'a [u8],
    flip: u8,
    /// What the next byte is inverted with as well.
    first: u8,
}

impl Groups<'_> {
    fn write(&mut self, digits: u16, text: &mut String) -> Result<(), ValueError> {
        let len = usize::from(DIGITS_TO_BYTES[usize::from(digits)]);
        // The caller has checked the length of all groups together.
        let (group, rest) = self.bytes.split_at(len.min(self.bytes.len()));
        self.bytes = rest;
        let mut value = 0;
        for byte in group {
            value = value << 8 | u32::from(byte ^ self.flip ^ self.first);
            self.first = 0;
        }
        if value >= 10_u32.pow(u32::from(digits)) {
            return Err(ValueError::Digits {
                group: value,
                digits,
            });
        }
        if digits > 0 {
            let width = usize::from(digits);
            text.push_str(&format!("{value:0width$}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manuals_example_has_its_digits() {
        // 1234567890.1234 as DECIMAL(14,4), from the manual of decimal2bin.
        let bytes = [0x81, 0x0D, 0xFB, 0x38, 0xD2, 0x04, 0xD2];
        assert_eq!(decode(14, 4, &bytes).unwrap(), "1234567890.1234");
        let negative = bytes.map(|byte| byte ^ 0xff);
        assert_eq!(decode(14, 4, &negative).unwrap(), "-1234567890.1234");
    }

    #[test]
    fn zero_has_no_sign() {
        assert_eq!(decode(3, 2, &[0x80, 0]).unwrap(), "0.00");
        assert_eq!(decode(3, 2, &[0x7f, 0xff]).unwrap(), "0.00");
        assert_eq!(decode(2, 2, &[0x80 ^ 5]).unwrap(), "0.05");
    }

    #[test]
    fn refuses_a_group_that_is_no_group_of_digits() {
        assert!(matches!(
            decode(2, 0, &[0x80 ^ 100]),
            Err(ValueError::Digits { group: 100, .. })
        ));
    }
}
