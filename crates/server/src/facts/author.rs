//! Who gives a server's transactions their GTIDs, and which of them it has lost.

use uuid::Uuid;

use super::{ServerFacts, Standing};
use crate::{
    conn::{Conn, Error},
    dialect::Dialect,
    gtid::{GtidSet, MariaDbGtid, MariaDbPosition, MariaDbState, Missing, MySqlSet},
    version::Flavour,
};

/// What the GTIDs of a server's own transactions begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// Its UUID.
    MySql(Uuid),
    /// Its domain and its id.
    MariaDb {
        /// `gtid_domain_id`.
        domain: u32,
        /// `server_id`.
        server_id: u32,
    },
}

impl Author {
    /// A server's; `None` where it names none.
    pub fn of(server: &ServerFacts) -> Option<Self> {
        if !server.dialect.is_mariadb() {
            return server.server_uuid()?.parse().ok().map(Self::MySql);
        }
        Some(Self::MariaDb {
            domain: server.named("gtid_domain_id")?.parse().ok()?,
            server_id: server.server_id(),
        })
    }

    /// What of its own transactions a peer has executed and the server itself has not; `None` for nothing. The server
    /// must have been asked after the peer, or what it commits in between seems to be lost.
    pub fn lost(&self, server: &Standing, peer: &Standing) -> Option<Missing> {
        let seen = [&peer.logged, &peer.applied].map(|set| self.written(set));
        let [logged, applied] = seen;
        // Where its appliers are says nothing on MariaDB: they step over what bears the server's own id.
        let own = match (self, &server.logged) {
            (Self::MariaDb { domain, .. }, GtidSet::MariaDb(position)) => {
                GtidSet::MariaDb(position.only_domain(*domain))
            }
            (_, set) => set.clone(),
        };
        missing(&logged.merge(&applied).ok()?, &own)
    }

    /// What of a set is by this server. Of a MariaDB position a mark of another server in its domain hides its own.
    fn written(&self, set: &GtidSet) -> GtidSet {
        match (self, set) {
            (Self::MySql(uuid), GtidSet::MySql(set)) => GtidSet::MySql(set.only_from(*uuid)),
            (Self::MariaDb { domain, server_id }, GtidSet::MariaDb(position)) => {
                let mut own = MariaDbPosition::default();
                if let Some(mark) = position
                    .mark(*domain)
                    .filter(|mark| mark.server == *server_id)
                {
                    own.set(mark);
                }
                GtidSet::MariaDb(own)
            }
            (_, set) => set.clone(),
        }
    }

    /// What a server had before, with what it has of its own now: as `gtid_executed` or `gtid_binlog_state` say it.
    fn renewed(&self, before: &str, now: &str) -> Option<String> {
        match self {
            Self::MySql(uuid) => {
                let (before, now): (MySqlSet, MySqlSet) = (before.parse().ok()?, now.parse().ok()?);
                Some(before.union(&now.only_from(*uuid)).to_string())
            }
            Self::MariaDb { domain, server_id } => {
                let is_own = |text: &&str| {
                    let gtid = text.parse::<MariaDbGtid>();
                    gtid.is_ok_and(|gtid| (gtid.domain, gtid.server) == (*domain, *server_id))
                };
                let own = now.split(',').find(is_own);
                let others = before.split(',').filter(|text| !is_own(text));
                let marks = own.into_iter().chain(others);
                Some(
                    marks
                        .filter(|text| !text.is_empty())
                        .collect::<Vec<_>>()
                        .join(","),
                )
            }
        }
    }

    /// The last of its own in a MariaDB's log.
    fn last_in(&self, facts: &ServerFacts) -> Option<MariaDbPosition> {
        let Self::MariaDb { domain, server_id } = self else {
            return None;
        };
        let logged: MariaDbState = facts.named("gtid_binlog_state")?.parse().ok()?;
        let mut last = MariaDbPosition::default();
        if let Some(mark) = logged.last_of(*domain, *server_id) {
            last.set(mark);
        }
        Some(last)
    }
}

/// What of its own transactions a server lacks and its peer has executed; `None` for nothing, or where they have no GTIDs.
///
/// Such a server was restored from an older copy, or its log was reset: it gives the lost names again, and its peer passes
/// over whatever bears them. See [`read_again`] for servers that are written to.
pub fn lost(server: &ServerFacts, peer: &ServerFacts) -> Option<Missing> {
    let flavour = server.dialect.flavour();
    let author = Author::of(server)?;
    let one_of_each = flavour == peer.dialect.flavour() && Author::of(peer) != Some(author);
    if !one_of_each || !server.has_gtids() || !peer.has_gtids() {
        return None;
    }
    if let Some(missing) = since_origin(server) {
        return Some(missing);
    }
    if flavour == Flavour::MySql {
        let [own, theirs] = [server, peer].map(|facts| GtidSet::parse(flavour, facts.executed()));
        return missing(&author.written(&theirs.ok()?), &own.ok()?);
    }
    let applied = GtidSet::parse(flavour, peer.named("gtid_slave_pos").unwrap_or_default()).ok()?;
    let seen = author
        .written(&applied)
        .merge(&GtidSet::MariaDb(author.last_in(peer)?))
        .ok()?;
    missing(&seen, &GtidSet::MariaDb(author.last_in(server)?))
}

/// What a server has not executed of what it had when it became a node: its log was reset, and it may have given as many names
/// again as it had given before.
fn since_origin(server: &ServerFacts) -> Option<Missing> {
    let origin = &server.membership.as_ref()?.origin_gtids;
    let [origin, now] =
        [origin, server.logged()].map(|text| GtidSet::parse(server.dialect.flavour(), text));
    missing(&origin.ok()?, &now.ok()?)
}

/// Asks a server again what it has of its own. What a peer has had from it by an earlier moment is in that, unless it is
/// lost. What it has of others stays as of the first moment: the peer may have been asked before it had that.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn read_again(conn: &mut Conn, server: &mut ServerFacts) -> Result<(), Error> {
    let Some(author) = Author::of(server) else {
        return Ok(());
    };
    let mariadb = server.dialect.is_mariadb();
    let (name, now) = if mariadb {
        let state = conn.value("SELECT @@GLOBAL.gtid_binlog_state").await?;
        ("gtid_binlog_state", state.unwrap_or_default())
    } else {
        ("gtid_executed", mysql_now(conn).await?)
    };
    let before = server.named(name).unwrap_or_default();
    if let Some(both) = author.renewed(before, &now) {
        server.variables.insert(name.to_owned(), both);
    }
    Ok(())
}

/// The same, as a standing.
///
/// # Errors
/// As [`Standing::read`].
pub async fn standing_again(conn: &mut Conn, dialect: &Dialect) -> Result<Standing, Error> {
    if dialect.is_mariadb() {
        return Standing::read(conn, dialect).await;
    }
    let text = mysql_now(conn).await?;
    let set = GtidSet::parse(Flavour::MySql, &text).map_err(|error| Error::Lost {
        address: conn.address().clone(),
        reason: error.to_string(),
        sql: "SELECT @@GLOBAL.gtid_owned".into(),
    })?;
    Ok(Standing {
        applied: set.clone(),
        logged: set,
    })
}

/// What a MySQL has executed, with what it is committing of its own: a replica may have that before it counts as executed
/// here. In this order: whatever is done by the second question and not in the first one's answer was begun in between.
async fn mysql_now(conn: &mut Conn) -> Result<String, Error> {
    let own = conn.value("SELECT @@GLOBAL.server_uuid").await?;
    let owned = conn.value("SELECT @@GLOBAL.gtid_owned").await?;
    let executed = conn.value("SELECT @@GLOBAL.gtid_executed").await?;
    let mut sets = vec![executed.unwrap_or_default()];
    sets.push(owned_of(
        &owned.unwrap_or_default(),
        &own.unwrap_or_default(),
    ));
    sets.retain(|set| !set.is_empty());
    Ok(sets.join(","))
}

/// What of `gtid_owned` bears a UUID, as a set. Numbers come with the threads that own them, `uuid:5#22:6#31`, and the next
/// UUID follows without anything in between (seen on MySQL 9.7).
fn owned_of(owned: &str, uuid: &str) -> String {
    let Some((_, rest)) = owned.split_once(uuid).filter(|_| !uuid.is_empty()) else {
        return String::new();
    };
    let digits = |c: char| c.is_ascii_digit();
    let mut set = uuid.to_owned();
    let mut rest = rest;
    while let Some(piece) = rest.strip_prefix(':') {
        let end = piece.find([':', '#']).unwrap_or(piece.len());
        set.push(':');
        set.push_str(&piece[..end]);
        rest = &piece[end..];
        while let Some(owner) = rest.strip_prefix('#') {
            rest = owner.trim_start_matches(digits);
        }
    }
    set
}

fn missing(seen: &GtidSet, own: &GtidSet) -> Option<Missing> {
    let missing = seen.subtract(own).ok()?;
    (!missing.is_empty()).then_some(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const B: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn standing(flavour: Flavour, applied: &str, logged: &str) -> Standing {
        let set = |text| GtidSet::parse(flavour, text).unwrap();
        Standing {
            applied: set(applied),
            logged: set(logged),
        }
    }

    #[test]
    fn only_its_own_is_newer() {
        let a = Author::MySql(A.parse().unwrap());
        let renewed = a.renewed(&format!("{A}:1-5,{B}:1-2"), &format!("{A}:1-9,{B}:1-7"));
        assert_eq!(renewed, Some(format!("{A}:1-9,{B}:1-2")));
        let b = Author::MariaDb {
            domain: 2,
            server_id: 2,
        };
        let renewed = |before, now| b.renewed(before, now).unwrap();
        assert_eq!(renewed("1-1-4,2-2-5", "1-1-9,2-2-8"), "2-2-8,1-1-4");
        assert_eq!(renewed("", "2-2-8"), "2-2-8");
        assert_eq!(renewed("2-2-8,1-1-4", ""), "1-1-4");
    }

    #[test]
    fn what_is_being_committed() {
        let owned = format!("{A}:5#22:6#31{B}:7#4");
        assert_eq!(owned_of(&owned, A), format!("{A}:5:6"));
        assert_eq!(owned_of(&owned, B), format!("{B}:7"));
        assert_eq!(owned_of(&format!("{A}:tag:5#22"), A), format!("{A}:tag:5"));
        assert_eq!(owned_of(&owned, "5e11fa47-71ca-11e1-9e33-c80aa9429562"), "");
        assert_eq!(owned_of("", A), "");
    }

    #[test]
    fn what_a_node_has_lost() {
        let b = Author::MySql(B.parse().unwrap());
        let mysql = |set: &str| standing(Flavour::MySql, set, set);
        let lost = |own: &str, peer: &str| {
            let missing = b.lost(&mysql(own), &mysql(peer));
            missing.map(|missing| missing.to_string())
        };
        let whole = format!("{A}:1-9,{B}:1-5");
        assert_eq!(lost(&whole, &whole), None);
        assert_eq!(lost(&format!("{A}:1-4,{B}:1-7"), &whole), None, "it lags");
        let older = format!("{A}:1-9,{B}:1-2");
        assert_eq!(lost(&older, &whole), Some(format!("{B}:3-5")));

        let b = Author::MariaDb {
            domain: 2,
            server_id: 2,
        };
        let lost = |own: [&str; 2], peer: [&str; 2]| {
            let [own, peer] = [own, peer].map(|[a, l]| standing(Flavour::MariaDb, a, l));
            b.lost(&own, &peer).map(|missing| missing.to_string())
        };
        let peer = ["2-2-5", "1-1-9,2-2-5"];
        assert_eq!(lost(["1-1-9", "1-1-9,2-2-5"], peer), None);
        assert_eq!(lost(["1-1-7", "1-1-7,2-2-8"], peer), None, "it lags");
        // Its applier has stepped over what came back.
        let older = ["1-1-9,2-2-5", "1-1-9,2-2-2"];
        assert_eq!(lost(older, peer), Some("2-2-3..5".into()));
        assert_eq!(lost(["", ""], peer), Some("2-2-1..5".into()));
        // Someone else wrote in its domain last.
        assert_eq!(lost(["1-1-9", "1-1-9,2-7-6"], peer), None);
        assert_eq!(lost(older, ["2-7-6", "2-7-6"]), None);
    }
}
