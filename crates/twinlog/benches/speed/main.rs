//! How fast twinlog is, beside what does the same work today.
//!
//! What is compared is measured by turns in the same minutes, because a machine's speed changes more from minute to
//! minute than what is compared here. It reports; it does not fail.
//!
//! `cargo bench -p twinlog --bench speed -- [PART…] [--short]`; without a part, all.

#![expect(clippy::print_stdout, reason = "the report")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails says where")]

mod agent;
mod by_document;
mod by_hand;
mod copied;
mod decode;
mod duo;
mod load;
mod machine;
mod native;
mod probe;
mod reader;
mod repairs;
mod stopped;
mod times;
mod up;
mod verified;
mod watched;

use twinlog_testbed::ServerKind;

/// The servers that everything is measured on.
const KINDS: [ServerKind; 2] = [ServerKind::MySql97, ServerKind::MariaDb1011];

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// Enough for figures that can be told to others.
    Full,
    /// Enough to see that it works, and roughly how fast.
    Short,
}

impl Length {
    /// One of two.
    fn pick<T>(self, full: T, short: T) -> T {
        match self {
            Self::Full => full,
            Self::Short => short,
        }
    }
}

/// What can be measured: its name, what it is, how.
type Part = (&'static str, &'static str, fn(ServerKind, Length));

const PARTS: [Part; 9] = [
    ("up", "a proven pair beside one server by hand", up::up),
    ("status", "twinlog status", up::status),
    (
        "decode",
        "a log of 2 million row changes, decoded and tracked",
        decode::run,
    ),
    (
        "watch",
        "what the watcher costs clients and servers that write as fast as they can",
        watched::run,
    ),
    (
        "repair",
        "from a conflict's second commit to its repair",
        repairs::run,
    ),
    (
        "stopped",
        "a link that stood still under load, and caught up",
        stopped::run,
    ),
    (
        "verify",
        "both nodes compared, at rest and beside clients",
        verified::run,
    ),
    ("copy", "one server's data onto an empty one", copied::run),
    (
        "native",
        "replication under twinlog's settings beside a document's",
        native::run,
    ),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == reader::ARG) {
        return reader::run(&args[1..]);
    }
    // Cargo adds `--bench`.
    let (flags, named): (Vec<&String>, Vec<&String>) =
        args.iter().partition(|arg| arg.starts_with('-'));
    let length = if flags.iter().any(|flag| *flag == "--short") {
        Length::Short
    } else {
        Length::Full
    };
    // A server's name narrows it too.
    let (kinds, named): (Vec<&String>, Vec<&String>) = named
        .into_iter()
        .partition(|name| KINDS.iter().any(|kind| kind.name() == name.as_str()));
    if let Some(unknown) = named
        .iter()
        .find(|name| PARTS.iter().all(|part| part.0 != name.as_str()))
    {
        println!("there is no part {unknown}; there are:");
        for (name, what, _) in PARTS {
            println!("  {name:8} {what}");
        }
        return;
    }
    println!("{}", machine::describe());
    println!("medians, with the smallest and the greatest in brackets");
    for (name, what, measure) in PARTS {
        if !named.is_empty() && named.iter().all(|wanted| *wanted != name) {
            continue;
        }
        println!("\n{name}: {what}");
        for kind in KINDS {
            if kinds.is_empty() || kinds.iter().any(|wanted| *wanted == kind.name()) {
                measure(kind, length);
            }
        }
        println!("load: {}", machine::load());
    }
}
