//! Ends what makes the two nodes differ: an episode and what was decided about it become one guarded transaction.
//!
//! [`Judged`] decodes an episode; [`plan`] says, without any I/O, which rows of which node must be locked, what they must
//! hold for the repair to be right, and which statements then make them what was chosen; an [`Execution`] carries a plan
//! out step by step. [`settle`] is all of that with retries and the history.
//!
//! A repair writes on one node and replicates to the other like any transaction. Only where each node lacks something
//! that the other has are there two, one per node: the second waits until the first's row of the history has come to its
//! node, and closes it: inserted on both, the two rows would overwrite each other. Under `IDEMPOTENT` applying (which `up` sets for a pair with an active policy) the copy of a
//! repair overwrites what is in its way; under `STRICT` a repair that inserts or deletes a row which the peer has or lacks
//! already would stop the link.

mod execute;
mod hand;
mod identity;
mod in_the_way;
mod judged;
mod leadership;
mod long;
mod order;
mod pace;
mod plan;
mod record;
mod settle;
mod steps;
mod tries;
mod witness;

pub use execute::{Execution, Mark, Outcome, Progress};
pub use hand::{Hand, StepError};
pub(crate) use identity::id_of;
pub(crate) use in_the_way::BECAUSE_OF_OTHERS;
pub use in_the_way::{Place, in_the_way, related};
pub use judged::{Content, Judged, JudgedRow, Tables};
pub use leadership::{Leadership, LeadershipError, lock_name};
pub use pace::Pace;
pub use plan::{Guard, How, Op, OpKind, Plan, Repair, plan};
pub use record::{Draft, concurrent_ddl, draft};
pub(crate) use record::{key_text, shape};
pub(crate) use settle::ARRIVAL_TIMEOUT;
pub use settle::{ResolveError, Settled, leave_open, settle, supersede};
pub use steps::Step;
pub(crate) use tries::{Tried, is_passing, try_repair};
pub use witness::{Sight, Watched, Witness};
