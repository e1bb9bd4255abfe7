//! What the measurements were made on.

use std::{fs, time::Duration};

/// Clock ticks of `/proc` in a second; the same on every Linux (man 5 proc, `USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// Processors, memory, kernel, load.
pub(crate) fn describe() -> String {
    let cpus = read("/proc/cpuinfo");
    let model = field(&cpus, "model name").unwrap_or("unknown processor");
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let memory_kb: u64 = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.trim_end_matches("kB").trim().parse().ok())
        .unwrap_or(0);
    format!(
        "machine: {count} × {model}, {} GB, Linux {}; load {}",
        memory_kb / 1_000_000,
        read("/proc/sys/kernel/osrelease").trim(),
        load()
    )
}

/// The load of the last minute.
pub(crate) fn load() -> String {
    let text = read("/proc/loadavg");
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// The processor time of all children that have ended and were waited for.
pub(crate) fn children_time() -> Duration {
    let stat = read("/proc/self/stat");
    // The program's name, in brackets, may hold spaces; `cutime` and `cstime` are fields 16 and 17.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(13)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}
