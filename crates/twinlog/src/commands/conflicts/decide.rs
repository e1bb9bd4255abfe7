//! `twinlog conflicts resolve` and `restore`

use std::process::ExitCode;

use clap::{ArgGroup, Args};
use nix::unistd::{Uid, User, gethostname};
use twinlog_agent::conflicts::{
    Assignment, Book, Found, Nodes, Proposal, Request, RulingDocument, Which, carry_out, leave,
    propose,
};
use twinlog_agent::history::State;
use twinlog_converge::Side;
use twinlog_pair::site::Site;

use super::plan;
use crate::{
    cli::Format,
    failure::{Failure, NO, USAGE},
    output::{ask, print, print_json, tell},
    screen::width,
};

/// Settle an open conflict by your own decision.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("wish").required(true).multiple(true).args(["keep", "set", "leave"]), after_help = "\
Examples:
  twinlog conflicts resolve 3f2a --keep a         both nodes shall hold what was written on a
  twinlog conflicts resolve 3f2a --keep a --set quantity=7
                                                  the same, but for one column
  twinlog conflicts resolve 3f2a --set note=NULL  on top of what both nodes hold
  twinlog conflicts resolve 3f2a --keep b --yes   do not ask: for scripts
  twinlog conflicts resolve 3f2a --leave          close it, the rows stay as they are

It shows what each node holds, what both shall hold and what is written where, and asks. Then it
locks the rows, compares them with what it has shown, and writes nothing if they are others. Newer
writes are never overwritten by it: `restore` does that. It works with an agent running and without
one; both nodes must answer.

--set takes a value as the server does: 7, 1.50, any text; NULL, or 'NULL' in quotes for that text;
0x00ff for bytes; the members' names for ENUM and SET; UTC for TIMESTAMP.

Exit codes: 0 done, or only shown (--dry-run, --json without --yes); 1 declined, closed already, or
the rows were written since; 2 your mistake; 3 a server failed.")]
pub(super) struct ResolveArgs {
    /// Its id, or the first digits of it.
    #[arg(value_name = "ID")]
    id: String,
    /// Both nodes shall hold what was written on this node.
    #[arg(long, value_name = "NODE")]
    keep: Option<String>,
    /// Set a column on top of that; may be repeated. NULL is NULL.
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = assignment)]
    set: Vec<Typed>,
    /// Which row --set is for, where there are several: `show` numbers them.
    #[arg(long, value_name = "N", requires = "set", value_parser = clap::value_parser!(u32).range(1..))]
    row: Option<u32>,
    /// Write no row, only close it.
    #[arg(long, conflicts_with_all = ["keep", "set"])]
    leave: bool,
    #[command(flatten)]
    how: How,
}

/// Bring back a version that was overwritten, whatever has become of the conflict.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog conflicts restore 3f2a --version b      what was written on b
  twinlog conflicts restore 3f2a --version base   what it was before both wrote
  twinlog conflicts restore 3f2a --version b --dry-run
                                                  only show what would be written

It overwrites what the rows hold now, also where clients have written them since: the plan shows
that, and the history keeps it. Otherwise it is as `resolve`.
Exit codes: 0 done, or only shown; 1 declined, or not possible; 2 your mistake; 3 a server failed.")]
pub(super) struct RestoreArgs {
    /// Its id, or the first digits of it.
    #[arg(value_name = "ID")]
    id: String,
    /// Which: a node's name for what was written there, or `base` for what it was before.
    #[arg(long, value_name = "NODE|base")]
    version: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct How {
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Only show what would be done.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Show every column and every value, whatever its length.
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    format: Format,
}

impl How {
    /// Whether it is to be done; asks if need be. `None` where it was only to be shown.
    fn is_agreed(&self, question: &str) -> Option<bool> {
        if self.yes {
            return Some(true);
        }
        (!self.dry_run && !self.format.json).then(|| ask(question))
    }
}

/// `column=value`, as it was typed.
#[derive(Debug, Clone)]
struct Typed {
    column: String,
    value: Option<String>,
}

fn assignment(text: &str) -> Result<Typed, String> {
    let (column, value) = text
        .split_once('=')
        .filter(|(column, _)| !column.trim().is_empty())
        .ok_or("a column, an equals sign and a value, such as quantity=7")?;
    let quoted = value
        .strip_prefix('\'')
        .and_then(|value| value.strip_suffix('\''));
    Ok(Typed {
        column: column.trim().to_owned(),
        value: match (value, quoted) {
            (_, Some(text)) => Some(text.replace("''", "'")),
            ("NULL", None) => None,
            (text, None) => Some(text.to_owned()),
        },
    })
}

pub(super) async fn resolve(site: &Site, args: &ResolveArgs) -> Result<ExitCode, Failure> {
    let keep = args
        .keep
        .as_deref()
        .map(|name| side(site, name))
        .transpose()?;
    let (mut book, found) = open(site, &args.id).await?;
    if args.leave {
        let code = leave_it(site, &mut book, &found, &args.how).await;
        book.close().await;
        return code;
    }
    book.close().await;
    let set = args.set.iter().map(|typed| Assignment {
        row: args.row.map(|row| row as usize),
        column: typed.column.clone(),
        value: typed.value.clone(),
    });
    let request = Request::Resolve {
        keep,
        set: set.collect(),
    };
    decide(site, &found, &request, &args.how).await
}

pub(super) async fn restore(site: &Site, args: &RestoreArgs) -> Result<ExitCode, Failure> {
    // A node may be called so: then its version is meant, and the other has no name.
    let which = match (site.config.node(&args.version), args.version.as_str()) {
        (None, "base") => Which::Base,
        (_, name) => Which::Of(side(site, name)?),
    };
    let (book, found) = open(site, &args.id).await?;
    book.close().await;
    decide(site, &found, &Request::Restore(which), &args.how).await
}

pub(crate) fn side(site: &Site, name: &str) -> Result<Side, Failure> {
    let nodes = site.nodes().map(|node| node.name.as_str());
    let at = nodes.iter().position(|node| *node == name);
    at.map(|at| Side::BOTH[at]).ok_or_else(|| {
        let [a, b] = nodes;
        Failure::new(
            USAGE,
            format!("no node is called '{name}'"),
            Some(format!("the nodes of this pair are {a} and {b}")),
        )
    })
}

async fn open(site: &Site, id: &str) -> Result<(Book, Found), Failure> {
    let mut book = Book::open(site).await?;
    let found = book.find(id).await?;
    super::warn(book.answers(), found.differ.as_deref());
    Ok((book, found))
}

async fn leave_it(
    site: &Site,
    book: &mut Book,
    found: &Found,
    how: &How,
) -> Result<ExitCode, Failure> {
    let entry = &found.entry;
    let question = format!("Close {} and leave the rows as they are?", entry.id);
    let agreed = how.is_agreed(&question);
    let done = match agreed {
        Some(true) => Some(leave(book, found, &person(), super::now_us()).await?),
        _ => None,
    };
    if how.format.json {
        print_json(&RulingDocument::left(
            &site.config.name,
            entry,
            done.as_ref(),
        ));
    } else if done.is_some() {
        print(&format!("{}: closed, the rows stay as they are", entry.id));
    } else {
        tell(&format!("{}: it is {} still", entry.id, entry.state));
    }
    Ok(exit_code(agreed))
}

async fn decide(
    site: &Site,
    found: &Found,
    request: &Request,
    how: &How,
) -> Result<ExitCode, Failure> {
    let mut nodes = Nodes::open(site).await?;
    let proposal = propose(&mut nodes, &found.entry.id, found.place, request).await?;
    if !how.format.json {
        let text = plan::text(&proposal, how.full, width());
        // It is what is asked for where nothing is done.
        if how.dry_run {
            print(&text)
        } else {
            tell(&text)
        }
    }
    let agreed = if proposal.is_nothing() && proposal.entry.state != State::Open {
        // There is nothing to agree to.
        Some(true)
    } else {
        how.is_agreed(&question(&proposal))
    };
    let done = match agreed {
        Some(true) => Some(carry_out(&mut nodes, &proposal, &person(), super::now_us()).await?),
        _ => None,
    };
    nodes.close().await;
    if how.format.json {
        print_json(&RulingDocument::new(
            &site.config.name,
            &proposal,
            done.as_ref(),
        ));
    } else if let Some(done) = &done {
        print(&plan::done(&proposal, done));
    }
    Ok(exit_code(agreed))
}

fn question(proposal: &Proposal) -> String {
    if proposal.is_nothing() {
        format!("Close {} as it is?", proposal.entry.id)
    } else {
        "Write this?".into()
    }
}

fn exit_code(agreed: Option<bool>) -> ExitCode {
    match agreed {
        Some(false) => ExitCode::from(NO),
        Some(true) | None => ExitCode::SUCCESS,
    }
}

/// Who decides, as the system knows them: `ana@db1`.
pub(crate) fn person() -> String {
    let user = std::env::var("SUDO_USER")
        .ok()
        .filter(|name| !name.is_empty())
        .or_else(|| {
            User::from_uid(Uid::effective())
                .ok()
                .flatten()
                .map(|user| user.name)
        })
        .unwrap_or_else(|| format!("user {}", Uid::effective()));
    let host = gethostname().ok();
    let host = host.as_deref().and_then(|host| host.to_str());
    match host {
        Some(host) => format!("{user}@{host}"),
        None => user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_taken_as_typed() {
        for (text, column, value) in [
            ("a=1", "a", Some("1")),
            ("a=NULL", "a", None),
            ("a='NULL'", "a", Some("NULL")),
            ("a='it''s'", "a", Some("it's")),
            ("a=x=y", "a", Some("x=y")),
            ("a=", "a", Some("")),
            ("a=null", "a", Some("null")),
        ] {
            let typed = assignment(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                (typed.column.as_str(), typed.value.as_deref()),
                (column, value)
            );
        }
        assert!(assignment("a").is_err());
        assert!(assignment("=1").is_err());
    }
}
