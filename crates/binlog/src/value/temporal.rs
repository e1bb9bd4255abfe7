//! Dates and times.
//!
//! Since MySQL 5.6.4 (MariaDB 10.1.2) TIME, DATETIME and TIMESTAMP are stored with the high byte first and up to three
//! bytes of a fraction; columns that were never rebuilt keep the older forms, which have no fraction.

use super::{ValueError, exact, number::big_endian};

/// What the packed form of a DATETIME counts months by.
const MONTHS: u64 = 13;
const DAY_SECONDS: u64 = 86_400;

/// A DATE: 5 bits of the day, 4 of the month, 15 of the year, the low byte first.
pub(super) fn date(bytes: &[u8]) -> Result<String, ValueError> {
    let [a, b, c] = exact(bytes)?;
    let bits = u64::from(u32::from_le_bytes([a, b, c, 0]));
    date_text(bits >> 9, bits >> 5 & 15, bits & 31)
}

/// A TIME with `digits` of a fraction. All bytes together are the time plus half of their range, so that a negative one
/// borrows from its whole seconds what its fraction has.
pub(super) fn time(digits: u16, bytes: &[u8]) -> Result<String, ValueError> {
    let (whole, fraction) = split(3, digits, bytes)?;
    let fraction_bits = 8 * fraction_len(digits);
    let stored = (whole << fraction_bits | fraction).cast_signed();
    let value = stored - (0x80_0000 << fraction_bits);
    let magnitude = value.unsigned_abs();
    let text = time_text(
        magnitude >> fraction_bits,
        Fraction::stored(digits, magnitude & ((1 << fraction_bits) - 1))?,
    )?;
    Ok(if value < 0 { format!("-{text}") } else { text })
}

/// A DATETIME with `digits` of a fraction: a sign that is always set, 17 bits of year and month, then day, hour, minute
/// and second.
pub(super) fn datetime(digits: u16, bytes: &[u8]) -> Result<String, ValueError> {
    let (whole, fraction) = split(5, digits, bytes)?;
    let Some(packed) = whole.checked_sub(0x80_0000_0000) else {
        return Err(ValueError::Range {
            part: "datetime",
            value: whole,
        });
    };
    packed_datetime(packed, Fraction::stored(digits, fraction)?)
}

/// A TIMESTAMP with `digits` of a fraction: the seconds since 1970. MariaDB 11.5 and later use all 32 bits.
pub(super) fn timestamp(digits: u16, bytes: &[u8]) -> Result<String, ValueError> {
    let (seconds, fraction) = split(4, digits, bytes)?;
    timestamp_text(seconds, Fraction::stored(digits, fraction)?)
}

/// A TIME of before 5.6.4: `[-]HHHMMSS` as a number, the low byte first.
pub(super) fn old_time(bytes: &[u8]) -> Result<String, ValueError> {
    let [a, b, c] = exact(bytes)?;
    let value = i32::from_le_bytes([0, a, b, c]) >> 8;
    let number = u64::from(value.unsigned_abs());
    let text = time_text(clock_bits(number), Fraction::NONE)?;
    Ok(if value < 0 { format!("-{text}") } else { text })
}

/// A DATETIME of before 5.6.4: `YYYYMMDDHHMMSS` as a number, the low byte first.
pub(super) fn old_datetime(bytes: &[u8]) -> Result<String, ValueError> {
    let number = u64::from_le_bytes(exact(bytes)?);
    let (day, time) = (number / 1_000_000, number % 1_000_000);
    if day > 99_991_231 {
        return Err(ValueError::Range {
            part: "datetime",
            value: number,
        });
    }
    let date = date_text(day / 10_000, day / 100 % 100, day % 100)?;
    let clock = clock_text(clock_bits(time), Fraction::NONE)?;
    Ok(format!("{date} {clock}"))
}

/// A TIMESTAMP of before 5.6.4: the seconds since 1970, the low byte first.
pub(super) fn old_timestamp(bytes: &[u8]) -> Result<String, ValueError> {
    let seconds = u64::from(u32::from_le_bytes(exact(bytes)?));
    timestamp_text(seconds, Fraction::NONE)
}

/// `HHMMSS` as a number, in the bits that newer forms have.
fn clock_bits(number: u64) -> u64 {
    ((number / 10_000) << 12) | ((number / 100 % 100) << 6) | (number % 100)
}

/// What JSON holds of a TIME: 40 bits of the time and 24 of microseconds, negated as a whole.
pub(super) fn json_time(packed: i64) -> Result<String, ValueError> {
    let magnitude = packed.unsigned_abs();
    let text = time_text(magnitude >> 24, Fraction::micros(magnitude & 0xff_ffff)?)?;
    Ok(if packed < 0 { format!("-{text}") } else { text })
}

/// What JSON holds of a DATETIME or TIMESTAMP: likewise, never negative.
pub(super) fn json_datetime(packed: i64) -> Result<String, ValueError> {
    let magnitude = packed.unsigned_abs();
    packed_datetime(magnitude >> 24, Fraction::micros(magnitude & 0xff_ffff)?)
}

/// What JSON holds of a DATE: a DATETIME at midnight.
pub(super) fn json_date(packed: i64) -> Result<String, ValueError> {
    let ymd = packed.unsigned_abs() >> 24 >> 17;
    date_text((ymd >> 5) / MONTHS, (ymd >> 5) % MONTHS, ymd & 31)
}

/// The bytes of the whole seconds and those of the fraction, as numbers.
fn split(whole: usize, digits: u16, bytes: &[u8]) -> Result<(u64, u64), ValueError> {
    if digits > 6 {
        return Err(ValueError::Metadata { meta: digits });
    }
    let expected = whole + fraction_len(digits);
    if bytes.len() != expected {
        return Err(ValueError::Length {
            expected,
            got: bytes.len(),
        });
    }
    let (seconds, fraction) = bytes.split_at(whole);
    let fraction = match fraction {
        [] => 0,
        _ => big_endian(fraction)?,
    };
    Ok((big_endian(seconds)?, fraction))
}

fn fraction_len(digits: u16) -> usize {
    usize::from(digits.div_ceil(2))
}

/// A fraction of a second, to be printed with so many digits.
#[derive(Clone, Copy)]
struct Fraction {
    digits: u16,
    micros: u64,
}

impl Fraction {
    const NONE: Self = Self {
        digits: 0,
        micros: 0,
    };

    /// As a column of `digits` stores it: in hundredths, ten thousandths or millionths.
    fn stored(digits: u16, stored: u64) -> Result<Self, ValueError> {
        let unit = match fraction_len(digits) {
            0 => 0,
            1 => 10_000,
            2 => 100,
            _ => 1,
        };
        let micros = Self::micros(stored.saturating_mul(unit))?.micros;
        Ok(Self { digits, micros })
    }

    fn micros(micros: u64) -> Result<Self, ValueError> {
        check("microsecond", micros, 999_999)?;
        Ok(Self { digits: 6, micros })
    }

    fn append(self, mut text: String) -> String {
        if self.digits > 0 {
            let all = format!(".{:06}", self.micros);
            text.push_str(&all[..=usize::from(self.digits)]);
        }
        text
    }
}

fn check(part: &'static str, value: u64, most: u64) -> Result<(), ValueError> {
    if value > most {
        return Err(ValueError::Range { part, value });
    }
    Ok(())
}

/// Not every such day is in the calendar: SQL modes allow `2020-00-00` and `2020-02-31`.
fn date_text(year: u64, month: u64, day: u64) -> Result<String, ValueError> {
    check("year", year, 9999)?;
    check("month", month, 12)?;
    check("day", day, 31)?;
    Ok(format!("{year:04}-{month:02}-{day:02}"))
}

/// From 10 or more bits of hours, 6 of minutes, 6 of seconds.
fn time_text(packed: u64, fraction: Fraction) -> Result<String, ValueError> {
    let (hour, minute, second) = (packed >> 12, packed >> 6 & 63, packed & 63);
    check("hour", hour, 838)?;
    check("minute", minute, 59)?;
    check("second", second, 59)?;
    Ok(fraction.append(format!("{hour:02}:{minute:02}:{second:02}")))
}

/// A time of the day.
fn clock_text(packed: u64, fraction: Fraction) -> Result<String, ValueError> {
    check("hour", packed >> 12, 23)?;
    time_text(packed, fraction)
}

fn packed_datetime(packed: u64, fraction: Fraction) -> Result<String, ValueError> {
    let ymd = packed >> 17;
    let date = date_text((ymd >> 5) / MONTHS, (ymd >> 5) % MONTHS, ymd & 31)?;
    Ok(format!(
        "{date} {}",
        clock_text(packed & 0x1_ffff, fraction)?
    ))
}

fn timestamp_text(seconds: u64, fraction: Fraction) -> Result<String, ValueError> {
    if seconds == 0 && fraction.micros == 0 {
        return Ok(fraction.append("0000-00-00 00:00:00".to_owned()));
    }
    let (year, month, day) = civil(seconds / DAY_SECONDS);
    let clock = seconds % DAY_SECONDS;
    Ok(fraction.append(format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        clock / 3600,
        clock / 60 % 60,
        clock % 60
    )))
}

/// Year, month and day of a count of days since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_time_borrows_its_fraction_from_the_seconds() {
        assert_eq!(time(0, &[0x7f, 0xff, 0xff]).unwrap(), "-00:00:01");
        assert_eq!(time(2, &[0x7f, 0xff, 0xff, 0xff]).unwrap(), "-00:00:00.01");
        assert_eq!(time(2, &[0x7f, 0xff, 0xff, 0x9d]).unwrap(), "-00:00:00.99");
        assert_eq!(time(2, &[0x7f, 0xff, 0xfe, 0xff]).unwrap(), "-00:00:01.01");
    }

    #[test]
    fn days_since_1970_are_days_of_the_calendar() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(11_017), (2000, 3, 1));
        assert_eq!(civil(49_710), (2106, 2, 7));
    }

    #[test]
    fn refuses_what_no_clock_shows() {
        assert!(time(0, &[0x80, 0x00, 0x3c]).is_err());
        assert!(old_datetime(&u64::MAX.to_le_bytes()).is_err());
        assert!(timestamp(2, &[0, 0, 0, 1, 100]).is_err());
    }
}
