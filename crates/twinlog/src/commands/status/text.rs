//! One screen for people: the nodes side by side, the links side by side, and below what is wrong.

use comfy_table::{
    Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Row, Table, Width, presets,
};
use twinlog_pair::status::{
    CanaryOutcome, LinkReport, LinkState, LinkStatus, MeasuredBy, Mode, NodeStatus, Role, Runtime,
    ServerStatus, Status, Writes,
};

use super::{agent, words};

/// The width of the column of labels, in characters, its padding included.
const LABEL_WIDTH: u16 = 15;
/// How much of a GTID set is shown, in characters; `--json` has all of it.
const GTIDS_CHARS_MAX: usize = 80;
const BOLD: &str = "\x1b[1m";
const GREEN: &str = "\x1b[1;32m";
const RED: &str = "\x1b[1;31m";
const CYAN: &str = "\x1b[36m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// What a value means to its reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Plain,
    Good,
    Bad,
    Faint,
}

type Value = (String, Mood);

/// Draws a status, `width` characters wide; with colours, which the caller takes out where they are not wanted.
pub(super) fn render(status: &Status, width: u16) -> String {
    let headline = if status.healthy {
        format!("{GREEN}healthy{PLAIN}")
    } else {
        format!("{RED}not healthy{PLAIN}")
    };
    let mode = match status.mode {
        Mode::Gtid => "gtid",
        Mode::Position => "position",
    };
    let writes = match status.writes {
        Writes::Both => "clients write on both nodes",
        Writes::One => "clients write on one node",
    };
    let mut parts = vec![
        format!(
            "{BOLD}{}{PLAIN}: {headline}, {mode} mode, {writes}",
            status.name
        ),
        nodes(&status.nodes, width),
        links(&status.links, &status.nodes, width),
    ];
    let width = usize::from(width);
    let lines = agent::lines(status);
    if !lines.is_empty() {
        let lines: Vec<String> = lines
            .iter()
            .map(|(label, text)| labelled(label, text, width))
            .collect();
        parts.push(lines.join("\n"));
    }
    for problem in &status.problems {
        let message = words::wrap(&problem.message, width - 2, "  ");
        let hint = problem.hint.as_deref().map_or(String::new(), |hint| {
            format!(
                "\n  {CYAN}→{PLAIN} {}",
                words::wrap(hint, width - 4, "    ")
            )
        });
        parts.push(format!("{RED}✗{PLAIN} {message}{hint}"));
    }
    for note in &status.notes {
        parts.push(format!(
            "{CYAN}·{PLAIN} {}",
            words::wrap(note, width - 2, "  ")
        ));
    }
    parts.join("\n\n")
}

/// A line under the tables, with its label where theirs are.
fn labelled(label: &str, text: &str, width: usize) -> String {
    let column = usize::from(LABEL_WIDTH);
    let indent = format!("\n{:column$}", "");
    let text = words::wrap(text, width - column, "").replace('\n', &indent);
    format!("{DIM}{label:column$}{PLAIN}{text}")
}

fn nodes(nodes: &[NodeStatus], width: u16) -> String {
    let server = |value: fn(&ServerStatus) -> Value| {
        nodes
            .iter()
            .map(|node| node.server.as_ref().map(value))
            .collect()
    };
    let executed = nodes.iter().map(|node| {
        let executed = node.server.as_ref()?.executed.as_deref()?;
        Some((gtid_text(executed, nodes), Mood::Plain))
    });
    let rows: Vec<(&str, Vec<Option<Value>>)> = vec![
        (
            "address",
            nodes
                .iter()
                .map(|node| Some(plain(node.address.clone())))
                .collect(),
        ),
        (
            "server",
            nodes.iter().map(|node| Some(version(node))).collect(),
        ),
        (
            "runtime",
            nodes.iter().map(|node| Some(runtime(node))).collect(),
        ),
        ("role", server(role)),
        (
            "up for",
            server(|server| plain(words::duration(server.uptime_s))),
        ),
        (
            "server id",
            server(|server| plain(server.server_id.to_string())),
        ),
        (
            "connections",
            server(|server| {
                plain(format!(
                    "{} of {}",
                    server.connections, server.connections_max
                ))
            }),
        ),
        ("disk left", nodes.iter().map(disk).collect()),
        ("clock", server(clock)),
        ("has executed", executed.collect()),
        ("errant", server(errant)),
    ];
    let heads = nodes.iter().map(|node| node.name.clone()).collect();
    table(heads, rows, width)
}

fn plain(text: String) -> Value {
    (text, Mood::Plain)
}

fn version(node: &NodeStatus) -> Value {
    match &node.server {
        Some(server) => plain(format!("{} {}", server.flavour, server.version)),
        None => ("does not answer".into(), Mood::Bad),
    }
}

fn runtime(node: &NodeStatus) -> Value {
    match (node.runtime, node.pid) {
        (Runtime::Process, Some(pid)) => plain(format!("process {pid}")),
        (Runtime::Process, None) => ("process, not running".into(), Mood::Bad),
        (Runtime::Docker, _) => plain("docker".into()),
        (Runtime::External, _) => plain("external".into()),
    }
}

fn role(server: &ServerStatus) -> Value {
    let role = match server.role {
        Role::Writer => "writer",
        Role::Standby => "standby, read-only",
        Role::Both if server.read_only => return ("read-only".into(), Mood::Bad),
        Role::Both => "writer, like its peer",
    };
    plain(role.into())
}

fn disk(node: &NodeStatus) -> Option<Value> {
    let disk = node.disk?;
    Some(plain(format!(
        "{} of {}",
        words::bytes(disk.free_bytes),
        words::bytes(disk.total_bytes)
    )))
}

fn clock(server: &ServerStatus) -> Value {
    let sign = if server.clock_offset_ms >= 0.0 {
        "+"
    } else {
        ""
    };
    plain(format!(
        "{sign}{}",
        words::milliseconds(server.clock_offset_ms)
    ))
}

fn errant(server: &ServerStatus) -> Value {
    match &server.errant {
        None => ("cannot be told".into(), Mood::Faint),
        Some(errant) if errant.count == 0 => plain("none".into()),
        Some(errant) => match errant.missing_on_peer {
            Some(0) => plain(format!("{}, on its peer too", errant.count)),
            Some(_) => (format!("{}, not on its peer", errant.count), Mood::Bad),
            None => (errant.count.to_string(), Mood::Bad),
        },
    }
}

fn gtid_text(text: &str, nodes: &[NodeStatus]) -> String {
    if text.is_empty() {
        return "nothing".into();
    }
    words::shorten(words::gtids(text, nodes), GTIDS_CHARS_MAX)
}

fn links(links: &[LinkStatus], nodes: &[NodeStatus], width: u16) -> String {
    let report = |value: fn(&LinkReport) -> Option<Value>| {
        links
            .iter()
            .map(|link| link.report.as_ref().and_then(value))
            .collect()
    };
    let missing = links
        .iter()
        .map(|link| missing(link.report.as_ref()?, nodes));
    let rows: Vec<(&str, Vec<Option<Value>>)> = vec![
        ("link", links.iter().map(|link| Some(state(link))).collect()),
        ("lag", links.iter().map(|link| Some(lag(link))).collect()),
        ("missing", missing.collect()),
        ("from", report(from)),
        (
            "read",
            report(|report| Some(plain(report.read.to_string()))),
        ),
        (
            "executed",
            report(|report| Some(plain(report.executed.to_string()))),
        ),
        ("server says", report(behind)),
        (
            "delay",
            report(|report| (report.delay_s > 0).then(|| plain(format!("{} s", report.delay_s)))),
        ),
        ("filters", report(filters)),
    ];
    let heads = links
        .iter()
        .map(|link| format!("{} → {}", link.source, link.replica))
        .collect();
    table(heads, rows, width)
}

fn state(link: &LinkStatus) -> Value {
    let stopped = |report: &LinkReport| match (report.receiver.as_str(), report.applier) {
        ("No", false) => "stopped",
        ("No", true) => "receiver stopped",
        _ => "applier stopped",
    };
    match link.state {
        LinkState::Running => ("running".into(), Mood::Good),
        LinkState::Connecting => ("connecting".into(), Mood::Bad),
        LinkState::Stopped => (
            link.report.as_ref().map_or("stopped", stopped).into(),
            Mood::Bad,
        ),
        LinkState::Missing => ("none".into(), Mood::Bad),
        LinkState::Unknown => ("not known".into(), Mood::Bad),
    }
}

fn lag(link: &LinkStatus) -> Value {
    match (link.canary.outcome, link.lag_ms) {
        (CanaryOutcome::Arrived, Some(lag)) => {
            let by = match link.canary.measured_by {
                Some(MeasuredBy::Position) => ", by position",
                _ => "",
            };
            (format!("{}{by}", words::milliseconds(lag)), Mood::Good)
        }
        (CanaryOutcome::Late, _) => (link.canary.detail.clone().unwrap_or_default(), Mood::Bad),
        _ => ("not measured".into(), Mood::Faint),
    }
}

fn missing(report: &LinkReport, nodes: &[NodeStatus]) -> Option<Value> {
    let missing = report.missing.as_ref()?;
    Some(match missing.count {
        0 => plain("nothing".into()),
        1 => plain(format!(
            "1 transaction: {}",
            gtid_text(&missing.gtids, nodes)
        )),
        count => plain(format!(
            "{count} transactions: {}",
            gtid_text(&missing.gtids, nodes)
        )),
    })
}

fn from(report: &LinkReport) -> Option<Value> {
    let tls = match (report.tls, report.tls_verified) {
        (true, true) => "TLS, verified",
        (true, false) => "TLS",
        (false, _) => "no TLS",
    };
    let channel = match report.channel.as_str() {
        "" => String::new(),
        channel => format!(", channel '{channel}'"),
    };
    Some(plain(format!("{}, {tls}{channel}", report.source_address)))
}

fn behind(report: &LinkReport) -> Option<Value> {
    Some(match report.seconds_behind {
        Some(seconds) => plain(format!("{seconds} s behind")),
        None => ("cannot tell its lag".into(), Mood::Faint),
    })
}

fn filters(report: &LinkReport) -> Option<Value> {
    let rules = report.filters.iter();
    let rules: Vec<String> = rules
        .map(|filter| format!("{}: {}", filter.rule, filter.value))
        .collect();
    (!rules.is_empty()).then(|| plain(rules.join("; ")))
}

/// Labels and one column for each head; rows without any value are left out.
fn table(heads: Vec<String>, rows: Vec<(&str, Vec<Option<Value>>)>, width: u16) -> String {
    let column = width.saturating_sub(LABEL_WIDTH) / 2;
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .enforce_styling()
        .style_text_only();
    let heads = heads
        .into_iter()
        .map(|head| Cell::new(head).add_attribute(Attribute::Bold));
    table.add_row(Row::from(std::iter::once(Cell::new("")).chain(heads)));
    for (label, values) in rows {
        if values.iter().all(Option::is_none) {
            continue;
        }
        let label = Cell::new(label).add_attribute(Attribute::Dim);
        let values = values
            .into_iter()
            .map(|value| cell(value.unwrap_or_else(|| ("–".into(), Mood::Faint))));
        table.add_row(Row::from(std::iter::once(label).chain(values)));
    }
    let widths = [LABEL_WIDTH, column, column];
    table.set_constraints(widths.map(|width| ColumnConstraint::Absolute(Width::Fixed(width))));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

fn cell((text, mood): Value) -> Cell {
    let cell = Cell::new(text);
    match mood {
        Mood::Plain => cell,
        Mood::Good => cell.fg(Color::Green),
        Mood::Bad => cell.fg(Color::Red),
        Mood::Faint => cell.add_attribute(Attribute::Dim),
    }
}

#[cfg(test)]
mod tests;
