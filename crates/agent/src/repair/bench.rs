//! Where a repair is made: the connections, and one try.

use std::{collections::HashSet, sync::Arc, time::Duration};

use twinlog_binlog::Value;
use twinlog_converge::Side;
use twinlog_pair::{
    config::Node,
    site::{Login, Site},
};
use twinlog_row::{TableInfo, read_held, run, text_literal};

use super::{
    Error,
    entry::id,
    eyes::{Eyes, Seen},
};
use crate::{
    conflicts::Nodes,
    history::{self, Attempt, Entry, State, datetime, insert_sql},
    resolve::{
        Content, Hand, How, Judged, JudgedRow, Mark, Plan, StepError, Tried, plan, try_repair,
    },
    verify::Hands,
};

/// While rows are locked on one node, those on the other may be waited for, a second for each of a batch.
const IMPATIENT: &str = "SET SESSION wait_timeout = 30";
/// Between two tries a link may have to catch up, or a person to answer.
const PATIENT: &str = "SET SESSION wait_timeout = 604800";
/// Keeps two repairs apart, each of which would take the other's entries for left ones.
const LOCK: &str = "SELECT GET_LOCK('twinlog.repair', 0)";

/// How often the same difference of the same row may be in the history.
const AGAIN_MAX: u32 = 1000;

/// The connections of a repair.
pub(super) struct Bench {
    pub(super) names: [String; 2],
    /// They write outside the log.
    pub(super) silent: [Hand; 2],
    /// They write the history.
    pub(super) book: Nodes,
    /// They ask what the nodes have executed.
    pub(super) hands: Hands,
}

/// What a try came to.
#[derive(Debug)]
pub(super) enum Came {
    /// It is done, and written down.
    Done,
    /// Both nodes held the same already.
    Equal,
    /// It is not.
    Not(Tried),
}

impl Bench {
    pub(super) async fn open(site: &Site) -> Result<Self, Error> {
        let [a, b] = site.nodes();
        Ok(Self {
            names: site.nodes().map(|node| node.name.clone()),
            silent: [silent(site, a).await?, silent(site, b).await?],
            book: Nodes::open(site).await?,
            hands: Hands::open(site).await?,
        })
    }

    /// What both nodes hold of a row now, and that both shall hold what one does.
    pub(super) async fn judge(
        &mut self,
        table: &Arc<TableInfo>,
        key: &[Value],
        kept: Side,
    ) -> Result<JudgedRow, Error> {
        let a = read_held(self.silent[0].conn(), table, key).await?;
        let b = read_held(self.silent[1].conn(), table, key).await?;
        let held = [a, b].map(Content::from);
        let chosen = held[kept.index()].clone();
        let table = Arc::clone(table);
        Ok(JudgedRow::new(table, key.to_vec(), held, chosen))
    }

    /// Gives entries their ids: those of open ones of the same, or new ones.
    pub(super) async fn identify(&mut self, entries: &mut [Entry]) -> Result<(), Error> {
        let mut settled: HashSet<String> = HashSet::new();
        for again in 0..AGAIN_MAX {
            let mut new = Vec::new();
            for entry in &mut *entries {
                if again == 0 || settled.contains(&entry.id) {
                    entry.id = id(&entry.detail, again);
                    new.push(entry.id.clone());
                }
            }
            if new.is_empty() {
                break;
            }
            for side in Side::BOTH {
                settled.extend(history::settled(self.book.hand(side).conn(), &new).await?);
            }
        }
        Ok(())
    }

    /// Makes rows on one node what they are on the other, all or none, and writes that down in these entries.
    pub(super) async fn attempt(
        &mut self,
        rows: Vec<JudgedRow>,
        kept: Side,
        entries: &[Entry],
    ) -> Result<Came, Error> {
        let judged = Judged {
            rows,
            decided: true,
            aged: false,
        };
        let tried = self.try_how(&judged, kept, entries, How::InPlace).await?;
        match tried {
            Came::Not(tried) if tried.is_duplicate() => {
                self.try_how(&judged, kept, entries, How::Rebuilt).await
            }
            tried => Ok(tried),
        }
    }

    async fn try_how(
        &mut self,
        judged: &Judged,
        kept: Side,
        entries: &[Entry],
        how: How,
    ) -> Result<Came, Error> {
        let first = match plan(judged, how) {
            Plan::Nothing => return Ok(Came::Equal),
            Plan::Person(message) => return Ok(refused(message)),
            // Both shall hold what one does: nothing is to be written there.
            Plan::Repair { first, .. } => first,
        };
        let Self {
            silent,
            book,
            hands,
            ..
        } = self;
        let [a, b] = silent;
        let (here, there) = match kept {
            Side::A => (b, a),
            Side::B => (a, b),
        };
        let seen = judged.rows.iter().filter_map(|row| {
            let content = row.chosen.as_ref()?;
            let (table, key) = (&*row.table, row.key.as_slice());
            Some(Seen {
                table,
                key,
                content,
            })
        });
        let mut eyes = Eyes {
            hands,
            there,
            rows: seen.collect(),
            error: None,
        };
        let mark = Mark::Apart(entries.iter().map(insert_sql).collect());
        let peer = book.hand(kept);
        // Should this program or its machine stand still, the servers let go of the rows.
        for hand in [&mut *here, &mut *eyes.there] {
            run(hand.conn(), IMPATIENT).await?;
        }
        let tried =
            try_repair([here, peer], &first, &mark, Duration::ZERO, Some(&mut eyes)).await?;
        eyes.close().await?;
        for hand in [here, &mut *eyes.there] {
            run(hand.conn(), PATIENT).await?;
        }
        if let Some(error) = eyes.error {
            return Err(error);
        }
        if !matches!(tried, Tried::Done) {
            return Ok(Came::Not(tried));
        }
        let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        self.end(&ids, kept, State::Repaired).await?;
        Ok(Came::Done)
    }

    /// Says in the history what became of entries that are open.
    pub(super) async fn end(
        &mut self,
        ids: &[&str],
        side: Side,
        state: State,
    ) -> Result<(), Error> {
        let ids: Vec<String> = ids.iter().map(|id| text_literal(id)).collect();
        let sql = format!(
            "UPDATE `twinlog`.`conflict` SET state = '{state}', resolved_at = {} WHERE id IN ({}) AND state = 'open'",
            datetime(now_us()),
            ids.join(", ")
        );
        run(self.book.hand(side).conn(), &sql).await?;
        Ok(())
    }

    /// Leaves an entry open in the history, for a person. `false` where it is too long for the server: then nothing is
    /// written, as nobody could decide by what is left of it.
    pub(super) async fn leave_open(
        &mut self,
        mut entry: Entry,
        side: Side,
        attempt: Attempt,
    ) -> Result<bool, Error> {
        entry.detail.attempts.push(attempt);
        match self.book.hand(side).write(&insert_sql(&entry)).await {
            Ok(()) => Ok(true),
            Err(StepError::TooLong { .. }) => Ok(false),
            Err(StepError::Server(error)) => Err(error.into()),
            Err(StepError::Row(error)) => Err(error.into()),
        }
    }

    pub(super) async fn close(self) {
        for hand in self.silent {
            hand.close().await;
        }
        self.book.close().await;
        self.hands.close().await;
    }
}

/// A connection that writes outside the log: twinlog's own account may not.
async fn silent(site: &Site, node: &Node) -> Result<Hand, Error> {
    let conn = site.connect(node, Login::Admin, site.patience()).await?;
    let mut hand = Hand::new(conn).await?;
    if let Err(error) = run(hand.conn(), "SET SESSION sql_log_bin = 0").await {
        return Err(Error::NotAllowed {
            node: node.name.clone(),
            message: error.to_string(),
        });
    }
    run(hand.conn(), PATIENT).await?;
    match hand.conn().value(LOCK).await?.as_deref() {
        Some("1") => Ok(hand),
        _ => Err(Error::Busy {
            node: node.name.clone(),
        }),
    }
}

fn refused(message: String) -> Came {
    Came::Not(Tried::Refused {
        code: None,
        message,
    })
}

/// Now, in microseconds since 1970.
pub(super) fn now_us() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or_default()
}
