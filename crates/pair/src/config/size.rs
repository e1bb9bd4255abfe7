//! Sizes in bytes, as docker writes them.

const UNITS: [(&str, u64); 3] = [("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)];

/// Reads `512m`, `2g`, `2GiB`, `1048576`; a unit is a power of 1024.
pub(super) fn parse(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text[digits.len()..].trim_start();
    let factor = match unit {
        "" | "b" => 1,
        _ => UNITS
            .iter()
            .find(|(name, _)| {
                unit == *name || unit == format!("{name}b") || unit == format!("{name}ib")
            })
            .map(|(_, factor)| *factor)?,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// The shortest form that [`parse`] reads back to the same number.
pub(super) fn format(bytes: u64) -> String {
    UNITS
        .iter()
        .find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor))
        .map_or_else(
            || bytes.to_string(),
            |(unit, factor)| format!("{}{unit}", bytes / factor),
        )
}
