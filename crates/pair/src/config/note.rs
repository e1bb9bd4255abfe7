//! What the user is told of a configuration made of `my.cnf` files.

use std::fmt;

/// Something the user should know about what was made of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What happened.
    pub kind: NoteKind,
    /// The nodes it is about.
    pub nodes: Vec<String>,
    /// What it is about: the option's normalised name, or a key of `twinlog.toml`.
    pub option: String,
    /// Why, and what it means.
    pub why: String,
}

/// What happened to an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// Taken over, with something to know about it.
    Kept,
    /// Said in another way.
    Changed,
    /// Not taken over.
    LeftOut,
    /// Not in the files; twinlog adds it.
    Added,
    /// Not in the files; assumed, for the user to correct.
    Assumed,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            NoteKind::Kept => "kept",
            NoteKind::Changed => "changed",
            NoteKind::LeftOut => "left out",
            NoteKind::Added => "added",
            NoteKind::Assumed => "assumed",
        };
        write!(
            f,
            "{kind}: {} ({}): {}",
            self.option,
            self.nodes.join(", "),
            self.why
        )
    }
}
