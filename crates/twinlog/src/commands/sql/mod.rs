//! `twinlog sql`

mod client;
mod format;

use std::{
    io::{IsTerminal, Read},
    ops::ControlFlow,
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use twinlog_pair::{
    config::{Node, Runtime},
    site::{Login, Site},
};
use twinlog_server::{
    conn::{self, Conn, Part},
    sql::identifier,
};

use self::format::{Printer, Style};
use crate::{
    failure::{Failure, INTERRUPTED, USAGE, WORLD},
    output::{tell, written},
};

/// More than any server takes in one piece (`max_allowed_packet` is at most 1 GiB, and 16 or 64 MiB by default).
const STDIN_BYTES_MAX: u64 = 1 << 30;
/// How long the `KILL` after Ctrl-C may take before the program ends without it.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Run a statement on a node, or open a client there.
///
/// Logs in as root, or as the account configured for an external node. Statements come from -e or from standard
/// input, several separated by semicolons; the first that fails ends the run. Without either, at a terminal, the
/// server's own client opens (mariadb or mysql, beside the server program or on PATH).
///
/// Results are a table at a terminal and tab-separated lines elsewhere, with NULL for no value and bytes that are no
/// text as 0x and hexadecimal digits. A text that ends in \G shows each column on a line of its own. With --json every
/// row is one object on one line: numbers as numbers (decimals as strings, which keep every digit), other values as
/// strings, NULL as null; of columns with the same name the later ones get a number behind it. What statements without
/// a result have changed is said on standard error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog sql a                                 open a client on node a
  twinlog sql a -e 'SELECT * FROM shop.stock'   run a statement
  twinlog sql b -D shop < changes.sql           run a file in database shop
  twinlog sql a --json -e 'SHOW VARIABLES'      rows as JSON, one object a line

Ctrl-C ends the statement on the server too. A refused statement gives exit code 3.")]
pub(crate) struct SqlArgs {
    /// On which node.
    node: String,
    /// The statement, or several separated by semicolons.
    #[arg(short, long, value_name = "SQL")]
    execute: Option<String>,
    /// The database that unqualified names are in.
    #[arg(short = 'D', long, value_name = "NAME")]
    database: Option<String>,
    /// Print each row as a JSON object on a line of its own.
    #[arg(long, conflicts_with = "table")]
    json: bool,
    /// Print tables even when standard output is no terminal.
    #[arg(short, long)]
    table: bool,
}

pub(crate) async fn run(site: Site, args: &SqlArgs) -> Result<ExitCode, Failure> {
    let node = super::node(&site, &args.node)?;
    let given = match &args.execute {
        Some(text) => Some(text.clone().into_bytes()),
        None if std::io::stdin().is_terminal() => None,
        None => Some(read_stdin()?),
    };
    let Some(text) = given else {
        let conn = connect(&site, node).await?;
        return client::open(&site, node, conn, args.database.as_deref()).await;
    };
    let (text, style) = style(&text, args);
    if text.trim_ascii().is_empty() {
        return Err(Failure::new(
            USAGE,
            "there is no statement to run",
            Some("give one with -e, or on standard input".into()),
        ));
    }
    let mut conn = connect(&site, node).await?;
    if let Some(database) = &args.database {
        conn.execute(&format!("USE {}", identifier(database)))
            .await?;
    }
    execute(&site, node, conn, text, style).await
}

fn read_stdin() -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = std::io::stdin()
        .take(STDIN_BYTES_MAX + 1)
        .read_to_end(&mut text);
    read.map_err(|error| {
        Failure::new(WORLD, format!("cannot read standard input: {error}"), None)
    })?;
    if text.len() as u64 > STDIN_BYTES_MAX {
        return Err(Failure::new(
            USAGE,
            "standard input holds more than 1 GiB, which no server takes in one piece",
            Some("load it with the server's own client: `twinlog dsn` tells the way in".into()),
        ));
    }
    // Editors of one system put a byte order mark in front; no server knows what to do with it.
    Ok(text
        .strip_prefix(b"\xef\xbb\xbf")
        .map(<[u8]>::to_vec)
        .unwrap_or(text))
}

/// The text without the client's own ending `\G`, and how to show what comes of it.
fn style<'a>(text: &'a [u8], args: &SqlArgs) -> (&'a [u8], Style) {
    let trimmed = text.trim_ascii_end();
    let upright = trimmed.strip_suffix(br"\G");
    let style = if args.json {
        Style::Json
    } else if upright.is_some() {
        Style::Upright
    } else if args.table || std::io::stdout().is_terminal() {
        Style::Table
    } else {
        Style::Tabs
    };
    (upright.unwrap_or(text), style)
}

async fn connect(site: &Site, node: &Node) -> Result<Conn, Failure> {
    let ours = site.config.runtime_of(node) != Runtime::External;
    let start = || Some(format!("`twinlog up` starts node {}", node.name));
    // Asked first for the sake of its own message.
    site.endpoint(node, Login::Admin).map_err(|error| {
        let hint = if ours { start() } else { error.hint() };
        Failure::new(WORLD, error.to_string(), hint)
    })?;
    let connected = site.connect(node, Login::Admin, site.patience()).await;
    connected.map_err(|error| match error {
        conn::Error::Unreachable { .. } if ours => Failure::new(WORLD, error.to_string(), start()),
        error => error.into(),
    })
}

async fn execute(
    site: &Site,
    node: &Node,
    mut conn: Conn,
    text: &[u8],
    style: Style,
) -> Result<ExitCode, Failure> {
    let id = conn.id();
    let mut printer = Printer::new(
        style,
        std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout().lock()),
    );
    let each = |part: Part| {
        if let Some(note) = written(printer.part(part)) {
            written(printer.flush());
            tell(&note);
        }
        ControlFlow::Continue(())
    };
    let result = tokio::select! {
        result = conn.stream(text, each) => Some(result),
        _ = tokio::signal::ctrl_c() => None,
    };
    written(printer.flush());
    match result {
        Some(Ok(())) => {
            conn.close().await;
            Ok(ExitCode::SUCCESS)
        }
        Some(Err(error)) => Err(refused(node, &error)),
        None => {
            cancel(site, node, id).await;
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

/// The server's own words, without a statement that may hold a password.
fn refused(node: &Node, error: &conn::Error) -> Failure {
    let name = &node.name;
    match error {
        conn::Error::Statement {
            code,
            state,
            message,
            ..
        } => {
            let hint = match code {
                1153 => Some(
                    "it is more than the server takes at once: raise max_allowed_packet, or use its own client"
                        .into(),
                ),
                _ => error.hint(),
            };
            Failure::new(
                WORLD,
                format!("{name}: ERROR {code} ({state}): {message}"),
                hint,
            )
        }
        conn::Error::Lost { reason, .. } => Failure::new(WORLD, format!("{name}: {reason}"), None),
        other => Failure::new(WORLD, other.to_string(), other.hint()),
    }
}

/// Ends the connection on the server: with it goes the statement it is at, its transaction, and every statement after.
async fn cancel(site: &Site, node: &Node, id: u32) {
    let kill = async {
        let mut conn = site.connect(node, Login::Admin, KILL_TIMEOUT).await?;
        conn.execute(&format!("KILL {id}")).await
    };
    match tokio::time::timeout(KILL_TIMEOUT, kill).await {
        Ok(Ok(())) => tell("interrupted: the statement was ended on the server"),
        // It had just come to its end.
        Ok(Err(error)) if error.code() == Some(1094) => tell("interrupted"),
        Ok(Err(error)) => tell(&format!(
            "interrupted, and the server may still be at work: {error}"
        )),
        Err(_) => tell("interrupted, and the server may still be at work: it did not answer"),
    }
}
