//! `twinlog conflicts list`

use std::process::ExitCode;

use clap::Args;
use twinlog_agent::{
    conflicts::{Book, ListDocument, Listing},
    history::{Entry, Filter, Kind, LIST_LIMIT_DEFAULT, State},
};
use twinlog_pair::{config::Policy, site::Site};

use super::when;
use crate::{
    cli::Format,
    failure::Failure,
    output::{print, print_json},
    screen::{
        grid::{BOLD, CYAN, Cell, DIM, GREEN, Grid, PLAIN, RED, cut},
        width,
    },
};

/// Less of a row's table and key says nothing.
const WHERE_MIN: usize = 16;
/// Less of a reason says nothing.
const WHY_MIN: usize = 12;

/// List what was found, the newest first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog conflicts list                          the newest 100
  twinlog conflicts list --state open             what waits for you
  twinlog conflicts list --table 'shop.*' --since 2h
                                                  of these tables, found in the last two hours
  twinlog conflicts list --since '2026-07-01 08:00' --until 2026-07-02
                                                  found in between; times are UTC
  twinlog conflicts list --json                   one JSON document (docs/schema/conflicts-list.json)

Exit codes: 0 listed, also where there are none; 3 neither node could be asked. Whether all is well
is what `twinlog status` answers.")]
pub(super) struct ListArgs {
    /// Only of tables like this: `database.table`, with * for anything and ? for one character.
    #[arg(long, value_name = "PATTERN")]
    table: Option<String>,
    /// Only found since then: a time in UTC, or so long ago (30m, 2h, 1d).
    #[arg(long, value_name = "WHEN", value_parser = when::moment)]
    since: Option<u64>,
    /// Only found before then.
    #[arg(long, value_name = "WHEN", value_parser = when::moment)]
    until: Option<u64>,
    /// Only in this state; may be repeated, or a list with commas.
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = state)]
    state: Vec<State>,
    /// Only by this policy, as twinlog.toml spells it.
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    policy: Option<String>,
    /// Only of this kind: conflict, divergence or ddl.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<Kind>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = LIST_LIMIT_DEFAULT, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    format: Format,
}

fn state(text: &str) -> Result<State, String> {
    let found = State::ALL.into_iter().find(|state| state.word() == text);
    found.ok_or_else(|| format!("one of {}", State::ALL.map(State::word).join(", ")))
}

fn policy(text: &str) -> Result<String, String> {
    match Policy::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(format!("one of {}", Policy::WORDS.join(", "))),
    }
}

fn kind(text: &str) -> Result<Kind, String> {
    let found = Kind::ALL.into_iter().find(|kind| kind.word() == text);
    found.ok_or_else(|| format!("one of {}", Kind::ALL.map(Kind::word).join(", ")))
}

impl ListArgs {
    fn is_filtered(&self) -> bool {
        self.table.is_some()
            || self.since.is_some()
            || self.until.is_some()
            || !self.state.is_empty()
            || self.policy.is_some()
            || self.kind.is_some()
    }
}

pub(super) async fn run(site: &Site, args: &ListArgs) -> Result<ExitCode, Failure> {
    let filter = Filter {
        table: args.table.clone(),
        since_us: args.since,
        until_us: args.until,
        states: args.state.clone(),
        policy: args.policy.clone(),
        kind: args.kind,
        limit: Some(args.limit),
    };
    let mut book = Book::open(site).await?;
    let listing = book.list(&filter).await?;
    if args.format.json {
        print_json(&ListDocument::new(
            &site.config.name,
            book.answers(),
            &listing,
        ));
    } else {
        print(&text(
            &listing,
            args.is_filtered(),
            super::now_us(),
            width(),
        ));
        super::warn(book.answers(), listing.differ.as_deref());
    }
    book.close().await;
    Ok(ExitCode::SUCCESS)
}

/// A table, and a line on what to do.
pub(super) fn text(listing: &Listing, filtered: bool, now: u64, width: usize) -> String {
    if listing.total == 0 {
        return if filtered {
            "no conflict is like that".into()
        } else {
            "no conflicts: no row was written on both nodes unseen, as far as an agent has looked"
                .into()
        };
    }
    let entries = &listing.entries;
    let place = |entry: &Entry| format!("{} {}", table(entry), rows(entry));
    let column = |text: &dyn Fn(&Entry) -> usize, least: usize| {
        entries.iter().map(text).max().unwrap_or(0).max(least)
    };
    let state = column(&|entry| state_words(entry).chars().count(), 5);
    let chosen = column(&|entry| chosen(entry).chars().count(), 6).min(14);
    let found = column(&|entry| when::brief(entry.found_us, now).len(), 11);
    // All columns but those two, with two spaces between each.
    let room = width.saturating_sub(12 + found + state + chosen + 8);
    let natural = column(
        &|entry| unicode_width::UnicodeWidthStr::width(&*place(entry)),
        3,
    );
    let reasons = room >= WHERE_MIN + WHY_MIN + 2;
    let most = if reasons { (room - 2) / 2 } else { room };
    let wide = natural.min(most.max(WHERE_MIN));
    let why = room.saturating_sub(wide + 2);
    let mut lines = Vec::new();
    for entry in entries {
        let mut cells = vec![
            fixed(&when::brief(entry.found_us, now), found, ""),
            fixed(&place(entry), wide, ""),
            fixed(&state_words(entry), state, colour(entry.state)),
            fixed(&chosen_text(entry), chosen, ""),
        ];
        if reasons {
            cells.push(fixed(&reason(entry), why, DIM));
        }
        lines.push((Cell::styled(&entry.id, BOLD), cells));
    }
    let mut heads: Vec<Cell> = ["found (UTC)", "row", "state", "chosen"]
        .map(|head| Cell::styled(head, DIM))
        .into();
    if reasons {
        heads.push(Cell::styled("why", DIM));
    }
    let grid = Grid {
        heads,
        lines,
        whole: false,
    };
    format!("{}\n\n{}", grid.draw(width).text, summary(listing))
}

/// No wider than its column.
fn fixed(text: &str, width: usize, style: &'static str) -> Cell {
    Cell::styled(cut(text, width), style)
}

fn table(entry: &Entry) -> String {
    match entry.table_name.as_str() {
        "" => entry.schema_name.clone(),
        table => format!("{}.{table}", entry.schema_name),
    }
}

fn rows(entry: &Entry) -> String {
    match entry.detail.rows.len() {
        0 => String::new(),
        1 => entry.row_key.clone(),
        rows => format!("{} +{}", entry.row_key, rows - 1),
    }
}

fn state_words(entry: &Entry) -> String {
    match entry.kind {
        Kind::Conflict => entry.state.to_string(),
        Kind::Divergence | Kind::Ddl => format!("{}, {}", entry.state, entry.kind),
    }
}

fn chosen(entry: &Entry) -> &str {
    entry.chosen.as_deref().unwrap_or("–")
}

fn chosen_text(entry: &Entry) -> String {
    chosen(entry).to_owned()
}

/// Of an open one what keeps it open, of any other why it was chosen so.
fn reason(entry: &Entry) -> String {
    match (entry.state, entry.detail.attempts.last()) {
        (State::Open, Some(attempt)) => format!("{}: {}", attempt.node, attempt.message),
        _ => entry.rule.clone(),
    }
}

/// The colour of a state.
pub(super) fn colour(state: State) -> &'static str {
    match state {
        State::Open => RED,
        State::Repaired => GREEN,
        State::Equal | State::Superseded | State::Kept => "",
    }
}

fn summary(listing: &Listing) -> String {
    let shown = listing.entries.len() as u64;
    let count = match listing.total {
        1 => "1 conflict".to_owned(),
        total => format!("{total} conflicts"),
    };
    let newest = if shown < listing.total {
        format!("{count}, the newest {shown} shown (--limit)")
    } else {
        count
    };
    if listing.open == 0 {
        return format!("{newest}; none is open");
    }
    let first = listing
        .entries
        .iter()
        .find(|entry| entry.state == State::Open);
    let id = first.map_or("ID", |entry| entry.id.as_str());
    format!(
        "{newest}; {RED}{} open{PLAIN}\n{CYAN}→{PLAIN} `twinlog conflicts show {id}` says how to settle it",
        listing.open
    )
}
