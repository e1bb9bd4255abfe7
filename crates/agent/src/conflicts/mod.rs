//! What people do with the history: look at it, and decide what no policy did.
//!
//! A [`Book`] reads the history of both nodes. A person's decision is a [`Request`]; [`propose`] reads what the nodes hold
//! and says what would be written where, and [`carry_out`] writes it.
//!
//! That needs no agent and disturbs none. An agent holds its named lock so that no second agent repairs; a person's
//! decision does not take it, because it is what every other transaction is that the agent lives with: one that locks
//! its rows, compares them with what they were when the person was asked, and writes nothing where they are not. What
//! makes it a repair in the agent's eyes is the row of the history that it changes along with them. An agent never goes
//! back to a conflict that it has left open; and where it finds one again after a restart, it leaves alone what is not
//! open any more. The history's row is guarded like the others: two people who decide at a time do not both win.

mod book;
mod carry_out;
mod document;
mod error;
mod nodes;
mod others;
mod propose;
mod shown;
mod statements;
mod trial;
mod versions;
mod want;

pub use book::{Answer, Book, Found, Listing};
pub use carry_out::{Done, carry_out, leave};
pub use document::{
    Conflict, ListDocument, NodeAnswer, PlannedRow, PlannedStatement, PruneDocument,
    RulingDocument, ShowDocument, Written,
};
pub use error::{Blame, Error};
pub use nodes::Nodes;
pub use propose::{Assignment, Proposal, ProposedRow, Request, Statement, propose};
pub use shown::shown;
pub use versions::{Which, versions};

pub(crate) use {propose::told, versions::content, want::read};
