//! Times as people say them and as they read them.

use jiff::{
    SpanRelativeTo, Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

/// How long, in microseconds: `2h`, `1d`, `90d`.
pub(super) fn age(text: &str) -> Result<u64, String> {
    let span: Option<jiff::Span> = text.trim().parse().ok();
    let micros = span
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok())
        .and_then(|duration| u64::try_from(duration.as_micros()).ok());
    micros.ok_or_else(|| "a duration such as 30m, 2h, 1d or 90d".into())
}

/// A moment in microseconds since 1970: so long ago, or a time in UTC unless it says otherwise.
pub(crate) fn moment(text: &str) -> Result<u64, String> {
    if let Ok(age) = age(text) {
        return Ok(super::now_us().saturating_sub(age));
    }
    let text = text.trim();
    let utc = |time: DateTime| {
        let zoned = time.to_zoned(TimeZone::UTC).ok()?;
        Some(zoned.timestamp())
    };
    let time = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| utc(text.parse::<DateTime>().ok()?))
        .or_else(|| {
            utc(text
                .parse::<Date>()
                .ok()?
                .to_datetime(jiff::civil::Time::midnight()))
        });
    time.and_then(|time| u64::try_from(time.as_microsecond()).ok())
        .ok_or_else(|| {
            "a time such as 2026-07-01, '2026-07-01 12:00' (UTC), or so long ago: 30m, 2h, 1d"
                .into()
        })
}

fn timestamp(micros: u64) -> Timestamp {
    let time = i64::try_from(micros).ok();
    time.and_then(|micros| Timestamp::from_microsecond(micros).ok())
        .unwrap_or(Timestamp::MAX)
}

/// `2026-07-01 12:00:05 UTC`.
pub(super) fn second(micros: u64) -> String {
    timestamp(micros)
        .strftime("%Y-%m-%d %H:%M:%S UTC")
        .to_string()
}

/// `2026-07-01 12:00:05.123456`; without the fraction where only the second is known.
pub(super) fn exactly(micros: u64, exact: bool) -> String {
    let format = if exact {
        "%Y-%m-%d %H:%M:%S%.6f"
    } else {
        "%Y-%m-%d %H:%M:%S"
    };
    timestamp(micros).strftime(format).to_string()
}

/// For a list: the year only where it is another than now.
pub(super) fn brief(micros: u64, now: u64) -> String {
    let (time, now) = (timestamp(micros), timestamp(now));
    let year = |time: Timestamp| time.to_zoned(TimeZone::UTC).year();
    if year(time) == year(now) {
        time.strftime("%m-%d %H:%M:%S").to_string()
    } else {
        time.strftime("%Y-%m-%d").to_string()
    }
}

/// `3 h ago`.
pub(super) fn ago(micros: u64, now: u64) -> String {
    match now.saturating_sub(micros) / 1_000_000 {
        below @ 0..=119 => format!("{below} s ago"),
        below @ 120..=7199 => format!("{} min ago", below / 60),
        below @ 7200..=172_799 => format!("{} h ago", below / 3600),
        more => format!("{} d ago", more / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_times_are_understood() {
        assert_eq!(age("2h"), Ok(7_200_000_000));
        assert_eq!(age("90d"), Ok(90 * 86_400_000_000));
        assert_eq!(age("1d12h"), Ok(36 * 3_600_000_000));
        for wrong in ["", "2", "soon", "-2h", "1mo"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
        for (text, micros) in [
            ("1970-01-02", 86_400_000_000),
            ("1970-01-01 00:01", 60_000_000),
            ("1970-01-01T00:00:01", 1_000_000),
            ("1970-01-01T01:00:00+01:00", 0),
        ] {
            assert_eq!(moment(text), Ok(micros), "{text}");
        }
        assert!(moment("yesterday").is_err());
        let before = super::super::now_us();
        let hour = moment("1h").unwrap_or_default() + 3_600_000_000;
        assert!((before..before + 1_000_000).contains(&hour), "{hour}");
    }

    #[test]
    fn times_are_short_where_they_can_be() {
        let now = 1_783_000_000_000_000;
        assert_eq!(brief(now, now), "07-02 13:46:40");
        assert_eq!(brief(1_000_000, now), "1970-01-01");
        assert_eq!(ago(now - 7_200_000_000, now), "2 h ago");
        assert_eq!(ago(now + 1, now), "0 s ago");
        assert_eq!(exactly(1_000_001, true), "1970-01-01 00:00:01.000001");
        assert_eq!(exactly(1_000_001, false), "1970-01-01 00:00:01");
    }
}
