//! What the measurements were made on, and what processes take of it.

use std::{fs, time::Duration};

/// Clock ticks of `/proc` in a second; the same on every Linux (man 5 proc, `USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// Processors, memory, kernel, load.
pub(crate) fn describe() -> String {
    let cpus = read("/proc/cpuinfo");
    let model = field(&cpus, "model name").unwrap_or("unknown processor");
    let memory_kb = kilobytes(&read("/proc/meminfo"), "MemTotal");
    format!(
        "machine: {} × {model}, {} GB, Linux {}; load {}",
        processors(),
        memory_kb / 1_000_000,
        read("/proc/sys/kernel/osrelease").trim(),
        load()
    )
}

/// How many processors there are.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The load of the last minute.
pub(crate) fn load() -> String {
    let text = read("/proc/loadavg");
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// The processor time that all processes of this machine have taken so far.
pub(crate) fn busy_time() -> Duration {
    let stat = read("/proc/stat");
    let fields = field_line(&stat, "cpu ").unwrap_or_default();
    let ticks: Vec<u64> = fields
        .split_whitespace()
        .skip(1)
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal (man 5 proc); guest is in user already.
    let busy: u64 = [0, 1, 2, 5, 6]
        .iter()
        .filter_map(|&place| ticks.get(place))
        .sum();
    in_time(busy)
}

/// The processor time of all children that have ended and were waited for.
pub(crate) fn children_time() -> Duration {
    // `cutime` and `cstime` are fields 16 and 17.
    stat_time("/proc/self/stat", 13)
}

/// The processor time of a process so far; nothing of one that has ended.
pub(crate) fn process_time(pid: u32) -> Duration {
    // `utime` and `stime` are fields 14 and 15.
    stat_time(&format!("/proc/{pid}/stat"), 11)
}

/// The most memory that a process had resident so far, in bytes.
pub(crate) fn resident_max(pid: u32) -> u64 {
    kilobytes(&read(&format!("/proc/{pid}/status")), "VmHWM") * 1024
}

/// Two fields of a `stat` file, from a place behind the program's name on.
fn stat_time(path: &str, place: usize) -> Duration {
    let stat = read(path);
    // The program's name, in brackets, may hold spaces.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name
        .split_whitespace()
        .skip(place)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok());
    in_time(ticks.sum())
}

fn in_time(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn kilobytes(text: &str, name: &str) -> u64 {
    field(text, name)
        .and_then(|text| text.trim_end_matches("kB").trim().parse().ok())
        .unwrap_or(0)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = field_line(text, name)?.split_once(':')?;
    Some(value.trim())
}

fn field_line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find(|line| line.starts_with(name))
}
