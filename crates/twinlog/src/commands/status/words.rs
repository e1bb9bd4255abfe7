//! Numbers and names as people read them.

use twinlog_pair::status::NodeStatus;

/// `3 d 4 h`, `3 h 12 min`, `12 min`, `42 s`.
pub(super) fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// `20.1 GB`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut amount = bytes as f64;
    let mut unit = 0;
    while amount >= 1000.0 && unit + 1 < UNITS.len() {
        amount /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{amount:.1} {}", UNITS[unit]),
    }
}

/// `0.214 ms`, `3.1 ms`, `1.50 s`.
pub(super) fn milliseconds(ms: f64) -> String {
    match ms.abs() {
        below if below < 1.0 => format!("{ms:.3} ms"),
        below if below < 1000.0 => format!("{ms:.1} ms"),
        _ => format!("{:.2} s", ms / 1000.0),
    }
}

/// A MySQL GTID set with the nodes' names in the place of their UUIDs, and strangers' UUIDs cut short; anything else
/// (MariaDB's GTIDs are short) only with room after its commas.
pub(super) fn gtids(text: &str, nodes: &[NodeStatus]) -> String {
    let name = |uuid: &str| {
        let known = nodes.iter().find(|node| {
            node.server
                .as_ref()
                .and_then(|server| server.server_uuid.as_deref())
                == Some(uuid)
        });
        known.map_or_else(|| format!("{}…", &uuid[..8]), |node| node.name.clone())
    };
    let item = |item: &str| match item.split_once(':') {
        Some((uuid, numbers)) if uuid.len() == 36 && uuid.is_ascii() => {
            format!("{}:{numbers}", name(uuid))
        }
        _ => item.to_owned(),
    };
    text.split(',').map(item).collect::<Vec<_>>().join(", ")
}

/// At most so many characters.
pub(super) fn shorten(text: String, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Text in lines of at most `width` characters, broken at spaces; later lines begin with `indent`.
pub(crate) fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut lines = String::new();
    let mut used = 0;
    for (index, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if index > 0 && used + 1 + length > width {
            lines.push('\n');
            lines.push_str(indent);
            used = indent.chars().count();
        } else if index > 0 {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(word);
        used += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let durations = [5, 125, 11_520, 273_600].map(duration);
        assert_eq!(durations, ["5 s", "2 min", "3 h 12 min", "3 d 4 h"]);
        let sizes = [999, 1_500, 20_100_000_000].map(bytes);
        assert_eq!(sizes, ["999 B", "1.5 kB", "20.1 GB"]);
        let lags = [0.2141, -3.12, 1500.0].map(milliseconds);
        assert_eq!(lags, ["0.214 ms", "-3.1 ms", "1.50 s"]);
    }

    #[test]
    fn strangers_uuids_are_cut_short() {
        let text =
            "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7,4e11fa47-71ca-11e1-9e33-c80aa9429562:1";
        assert_eq!(gtids(text, &[]), "3e11fa47…:1-5:7, 4e11fa47…:1");
        assert_eq!(gtids("1-1-5,2-2-7", &[]), "1-1-5, 2-2-7");
    }

    #[test]
    fn long_sentences_are_broken_at_spaces() {
        assert_eq!(wrap("one two three", 8, "  "), "one two\n  three");
        assert_eq!(wrap("", 8, ""), "");
    }
}
