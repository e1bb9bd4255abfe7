//! JSON's strings, numbers and literals, and the server's own values in it: decimals, dates, bytes.

use std::fmt::Write as _;

use super::{
    DOUBLE, INT16, INT32, INT64, LITERAL, OPAQUE, STRING, UINT16, UINT32, UINT64, ValueError,
    broken,
};
use crate::value::{decimal, temporal};

/// The column types (`enum_field_types`) of opaque values that are printed as more than their bytes.
pub(super) const TIMESTAMP: u8 = 7;
pub(super) const DATE: u8 = 10;
pub(super) const TIME: u8 = 11;
pub(super) const DATETIME: u8 = 12;
pub(super) const NEW_DECIMAL: u8 = 246;

/// The server prints a double with as few digits as tell it from all others, and with an exponent if the point is more
/// than so many digits from the first one (`MAX_DECPT_FOR_F_FORMAT`, DBL_DIG).
const MAX_POINT: i32 = 15;

/// After so many characters the server's base64 begins a new line.
const BASE64_LINE: usize = 76;

/// Appends a value that is neither array nor object, and returns how many bytes it took where it stands: 0 for what may
/// stand in its entry.
pub(super) fn write(text: &mut String, kind: u8, bytes: &[u8]) -> Result<usize, ValueError> {
    // Writing to a String cannot fail.
    match kind {
        LITERAL => text.push_str(literal(array::<1>(bytes)?[0])?),
        INT16 => {
            let _ = write!(text, "{}", i16::from_le_bytes(array(bytes)?));
        }
        UINT16 => {
            let _ = write!(text, "{}", u16::from_le_bytes(array(bytes)?));
        }
        INT32 => {
            let _ = write!(text, "{}", i32::from_le_bytes(array(bytes)?));
        }
        UINT32 => {
            let _ = write!(text, "{}", u32::from_le_bytes(array(bytes)?));
        }
        INT64 => {
            let _ = write!(text, "{}", i64::from_le_bytes(array(bytes)?));
            return Ok(8);
        }
        UINT64 => {
            let _ = write!(text, "{}", u64::from_le_bytes(array(bytes)?));
            return Ok(8);
        }
        DOUBLE => {
            write_double(text, f64::from_le_bytes(array(bytes)?))?;
            return Ok(8);
        }
        STRING => {
            let (string, len) = sized(bytes)?;
            write_string(text, string)?;
            return Ok(len);
        }
        OPAQUE => {
            let (&field, rest) = bytes
                .split_first()
                .ok_or_else(|| broken("it ends within an opaque value"))?;
            let (value, len) = sized(rest)?;
            write_opaque(text, field, value)?;
            return Ok(1 + len);
        }
        _ => return Err(broken("a type is not known")),
    }
    Ok(0)
}

fn literal(byte: u8) -> Result<&'static str, ValueError> {
    match byte {
        0 => Ok("null"),
        1 => Ok("true"),
        2 => Ok("false"),
        _ => Err(broken("a literal is not known")),
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], ValueError> {
    bytes
        .first_chunk()
        .copied()
        .ok_or_else(|| broken("it ends within a scalar"))
}

/// Bytes after their length, which has seven bits to a byte, the low ones first; and what both take.
pub(super) fn sized(bytes: &[u8]) -> Result<(&[u8], usize), ValueError> {
    let mut len = 0_usize;
    for (at, &byte) in bytes.iter().take(5).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let value = bytes[at + 1..]
                .get(..len)
                .ok_or_else(|| broken("a string is longer than what is there"))?;
            return Ok((value, at + 1 + len));
        }
    }
    Err(broken("a length does not end"))
}

/// Appends a string in quotes, with what must be escaped in the server's way.
pub(super) fn write_string(text: &mut String, bytes: &[u8]) -> Result<(), ValueError> {
    let string = str::from_utf8(bytes).map_err(|_| broken("a string is not UTF-8"))?;
    text.push('"');
    for char in string.chars() {
        match char {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            '\0'..='\u{1f}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(char));
            }
            _ => text.push(char),
        }
    }
    text.push('"');
    Ok(())
}

fn write_double(text: &mut String, value: f64) -> Result<(), ValueError> {
    if !value.is_finite() {
        return Err(broken("a double is not finite"));
    }
    // Rust's shortest digits are the server's: `d.ddde-n`.
    let scientific = format!("{:e}", value.abs());
    let (digits, exponent) = scientific
        .split_once('e')
        .ok_or_else(|| broken("a double has no exponent"))?;
    let exponent: i32 = exponent
        .parse()
        .map_err(|_| broken("a double has no exponent"))?;
    let digits: String = digits.chars().filter(|&it| it != '.').collect();
    // Where the point is, counted from before the first digit.
    let point = exponent + 1;
    let len = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    if value.is_sign_negative() {
        text.push('-');
    }
    if point > -MAX_POINT && (point <= MAX_POINT || len > point) {
        if point <= 0 {
            text.push_str("0.");
            text.extend((point..0).map(|_| '0'));
            text.push_str(&digits);
        } else if point >= len {
            text.push_str(&digits);
            text.extend((len..point).map(|_| '0'));
            text.push_str(".0");
        } else {
            let (whole, fraction) = digits.split_at(point.unsigned_abs() as usize);
            let _ = write!(text, "{whole}.{fraction}");
        }
    } else {
        let (first, rest) = digits.split_at(1);
        text.push_str(first);
        if !rest.is_empty() {
            let _ = write!(text, ".{rest}");
        }
        let _ = write!(text, "e{exponent}");
    }
    Ok(())
}

fn write_opaque(text: &mut String, field: u8, bytes: &[u8]) -> Result<(), ValueError> {
    match field {
        NEW_DECIMAL => {
            let (&[precision, scale], digits) = bytes
                .split_first_chunk()
                .ok_or_else(|| broken("a decimal has no precision"))?;
            let decimal = decimal::decode(u16::from(precision), u16::from(scale), digits)?;
            text.push_str(&decimal);
            return Ok(());
        }
        DATE | TIME | DATETIME | TIMESTAMP => {
            let packed = i64::from_le_bytes(
                bytes
                    .try_into()
                    .map_err(|_| broken("a date or time has not eight bytes"))?,
            );
            let string = match field {
                DATE => temporal::json_date(packed)?,
                TIME => temporal::json_time(packed)?,
                _ => temporal::json_datetime(packed)?,
            };
            let _ = write!(text, "\"{string}\"");
        }
        _ => {
            let _ = write!(text, "\"base64:type{field}:");
            write_base64(text, bytes);
            text.push('"');
        }
    }
    Ok(())
}

fn write_base64(text: &mut String, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (at, chunk) in bytes.chunks(3).enumerate() {
        if at > 0 && at * 4 % BASE64_LINE == 0 {
            text.push_str("\\n");
        }
        let mut three = [0; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let [a, b, c] = three.map(u32::from);
        let bits = a << 16 | b << 8 | c;
        for place in 0..4 {
            if place > chunk.len() {
                text.push('=');
            } else {
                let six = bits >> (18 - 6 * place) & 63;
                text.push(char::from(ALPHABET[six as usize]));
            }
        }
    }
}
