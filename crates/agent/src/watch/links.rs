//! A link that stopped, and what may be done about it.

use std::time::{Duration, Instant};

use twinlog_server::{
    conn::{Conn, Error},
    dialect::Dialect,
    facts::{Coordinates, LinkFacts},
};

/// A duplicate key, a missing row, a missing parent, a parent that still has children: what a write of the other node
/// leaves for the applier when neither had seen the other (errors of all versions, tried on MySQL 5.6 and 9.7 and on
/// MariaDB 10.11).
const CONFLICTS: [u32; 4] = [1062, 1032, 1451, 1452];
/// A row lock that a client held for too long, and a deadlock: nothing is wrong with the change.
const LOCKS: [u32; 2] = [1205, 1213];
/// How long one transaction may take to pass before the applier's mode is put back all the same.
const PASS_TIMEOUT: Duration = Duration::from_secs(10);
const PASS_POLL: Duration = Duration::from_millis(20);

/// What is to be done about a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cure {
    /// It runs, or somebody stopped it: theirs to start.
    Nothing,
    /// Start it again.
    Start,
    /// Let the change at which it stopped pass as a forgiving applier lets it. Both logs then show what became of it, and
    /// the verdict goes by the table's policy, as for every other conflict.
    Pass,
    /// A person must look.
    Leave,
}

/// What is to be done, where conflicts are (or are not) ended by a policy.
pub(super) fn cure(link: &LinkFacts, policy_is_active: bool) -> Cure {
    if link.applier || link.applier_errno == 0 {
        Cure::Nothing
    } else if LOCKS.contains(&link.applier_errno) {
        Cure::Start
    } else if CONFLICTS.contains(&link.applier_errno) && policy_is_active {
        Cure::Pass
    } else {
        Cure::Leave
    }
}

/// Starts the applier, for [`Cure::Pass`] in a mode that goes on past conflicts, and puts the mode back afterwards.
///
/// # Errors
/// As [`Conn::rows`]. Killed in the middle, the server keeps the forgiving mode until it restarts or the next `up`: every
/// conflict that it then goes past is in both logs.
pub(super) async fn start(
    conn: &mut Conn,
    dialect: &Dialect,
    link: &LinkFacts,
    cure: Cure,
) -> Result<(), Error> {
    let mode = match cure {
        Cure::Pass => dialect.variable("replica_exec_mode"),
        _ => None,
    };
    let Some(mode) = mode else {
        return conn.execute(&dialect.start_link()).await;
    };
    let before = conn
        .value(&format!("SELECT @@GLOBAL.{}", mode.name))
        .await?
        .unwrap_or_default();
    let set = |value: &str| format!("SET GLOBAL {} = '{value}'", mode.name);
    conn.execute(&set("IDEMPOTENT")).await?;
    conn.execute(&dialect.start_link()).await?;
    let passed = wait_for_progress(conn, dialect, &link.executed).await;
    if before.eq_ignore_ascii_case("STRICT") {
        conn.execute(&set("STRICT")).await?;
    }
    passed
}

async fn wait_for_progress(
    conn: &mut Conn,
    dialect: &Dialect,
    stood: &Coordinates,
) -> Result<(), Error> {
    let began = Instant::now();
    while began.elapsed() < PASS_TIMEOUT {
        let links = conn.rows(&dialect.show_links()).await?;
        let now = links.first().map(LinkFacts::from_row);
        if now.is_none_or(|link| link.executed != *stood) {
            break;
        }
        tokio::time::sleep(PASS_POLL).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(errno: u32) -> LinkFacts {
        LinkFacts {
            applier_errno: errno,
            ..LinkFacts::default()
        }
    }

    #[test]
    fn a_conflict_passes_only_where_a_policy_ends_it() {
        for errno in CONFLICTS {
            assert_eq!(cure(&stopped(errno), true), Cure::Pass);
            assert_eq!(cure(&stopped(errno), false), Cure::Leave);
        }
    }

    #[test]
    fn a_lock_is_no_reason_to_stay_stopped() {
        assert_eq!(cure(&stopped(1205), false), Cure::Start);
    }

    #[test]
    fn what_a_person_stopped_a_person_starts() {
        assert_eq!(cure(&stopped(0), true), Cure::Nothing);
    }

    #[test]
    fn a_missing_table_needs_a_person() {
        assert_eq!(cure(&stopped(1146), true), Cure::Leave);
    }
}
