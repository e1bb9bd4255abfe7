//! Times between things that happen again and again, as people write them.

use std::time::Duration;

const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

/// Reads `7d`, `12h`, `30m`, `90s`.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (unit, seconds) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number = text.strip_suffix(unit)?.trim_end();
    let all = number.parse::<u64>().ok()?.checked_mul(*seconds)?;
    (all > 0).then(|| Duration::from_secs(all))
}

/// The shortest form that [`parse`] reads back to the same, of whole seconds.
pub(super) fn format(period: Duration) -> String {
    let seconds = period.as_secs();
    let fits = UNITS.iter().find(|(_, unit)| seconds.is_multiple_of(*unit));
    fits.map_or_else(
        || format!("{seconds}s"),
        |(name, unit)| format!("{}{name}", seconds / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_as_they_are_written() {
        for (text, seconds) in [("7d", 604_800), ("36h", 129_600), ("90s", 90), ("5m", 300)] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
            assert_eq!(format(Duration::from_secs(seconds)), text);
        }
        assert_eq!(format(Duration::from_secs(86_400)), "1d");
        assert_eq!(parse(" 2 d "), Some(Duration::from_secs(172_800)));
        for wrong in [
            "",
            "d",
            "7",
            "0d",
            "-1d",
            "1.5h",
            "7 weeks",
            "99999999999999999999d",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
