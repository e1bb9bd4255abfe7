//! One episode in a clerk's hands: its rows are looked at, chosen for and repaired until it is settled, or another
//! verdict takes its place.

use std::collections::BTreeSet;

use twinlog_converge::{Decision, Episode, Side, decide};

use super::{
    Error,
    clerk::{Clerk, Seen},
    desk::{Found, now_us},
    follow::Job,
    pile::Half,
    policies::policies,
    touched::Touches,
    watchman::Watchman,
};
use crate::{
    history,
    resolve::{self, Draft, Judged, Settled, Watched},
};

/// How often rows that clients write while they are repaired are looked at again.
const LOOKS_MAX: u32 = 20;

/// An episode, and what is known of it by now.
struct Case<'a> {
    episode: &'a Episode,
    /// Whether a verdict that is still to come will take the place of this one, should its rows be written.
    kept: bool,
    tables: resolve::Tables,
    /// The policy's name.
    policy: String,
    decision: Decision,
    judged: Judged,
    watchman: Watchman,
    /// Its rows that were not written since the verdict, by their place in it.
    left: BTreeSet<usize>,
    /// Whether all rows are taken from one node, with those that were in the way.
    whole: bool,
    /// The half of a repair on both nodes that is done.
    half: Option<Half>,
}

impl Case<'_> {
    /// Takes note of which of its rows were written since the verdict. `false` where another verdict takes its place.
    fn written(&mut self, touches: Option<Touches>) -> bool {
        let Some(Touches { rows, .. }) = touches else {
            return false;
        };
        if self.whole {
            return true;
        }
        self.left.retain(|row| !rows.contains(row));
        for row in self.judged.of_others() {
            self.left.remove(&row);
        }
        !self.kept || rows.is_empty()
    }

    fn found(&self, draft: &Draft, settled: Settled) -> Found {
        Found::Rows {
            row: draft.row(),
            id: draft.id().to_owned(),
            conflict: self.episode.is_conflict(),
            rule: self.decision.rule.clone(),
            settled,
        }
    }
}

impl Clerk {
    pub(super) async fn episode(
        &mut self,
        job: &Job,
        episode: &Episode,
        half: Option<Half>,
    ) -> Result<Seen, Error> {
        let mut case = match self.open(job, episode, half).await? {
            Ok(case) => case,
            Err(seen) => return Ok(seen),
        };
        let mut reason =
            format!("clients changed its rows {LOOKS_MAX} times while they were looked at");
        for _ in 0..LOOKS_MAX {
            let touches = self.ask(&mut case).await?;
            if !case.written(touches) {
                return Ok(Seen::Written(case.half));
            }
            let draft = self.draft(&case).await?;
            let settled = self.repair(&mut case, &draft).await?;
            if let Some(side) = settled.half() {
                case.half = Some((draft.id().to_owned(), side));
            }
            match settled {
                Settled::Changed { .. } => case.judged.forget(),
                Settled::Blocked {
                    side, reason: why, ..
                } => {
                    reason = why;
                    if !self.take_whole(&mut case, side, &reason).await? {
                        break;
                    }
                }
                Settled::Busy { .. } => {
                    return Ok(Seen::Found(case.found(&draft, settled), case.half));
                }
                settled => {
                    let half = case.half.take();
                    self.close(half, &draft, settled == Settled::Quiet).await?;
                    self.close_halves(&job.halves, &draft).await?;
                    return Ok(Seen::Found(case.found(&draft, settled), None));
                }
            }
        }
        let draft = self.draft(&case).await?;
        self.close(case.half.take(), &draft, false).await?;
        self.close_halves(&job.halves, &draft).await?;
        let settled =
            resolve::leave_open(&mut self.leadership, draft.clone(), reason, now_us()).await?;
        Ok(Seen::Found(case.found(&draft, settled), None))
    }

    /// Chooses for an episode's rows; or says what there is to say without that.
    async fn open<'a>(
        &mut self,
        job: &Job,
        episode: &'a Episode,
        half: Option<Half>,
    ) -> Result<Result<Case<'a>, Seen>, Error> {
        let watchman = Watchman::new(self.to.clone(), job.number);
        let Some(tables) = self.infos_by_now(&watchman, episode.tables()).await? else {
            return Ok(Err(Seen::Written(half)));
        };
        let names = episode.tables();
        if let Some(gone) = names.iter().find(|name| !tables.contains_key(name)) {
            tracing::info!(
                "{gone} was dropped since clients of both nodes wrote the same rows of it"
            );
            return Ok(Err(Seen::Found(Found::Dropped, half)));
        }
        let (policies, policy) = policies(&self.conflicts, &self.nodes, episode, &tables);
        let server_ids = self.nodes.each_ref().map(|node| node.server_id);
        let mut decision = match job.doubt {
            None => decide(episode, &policies, server_ids),
            Some(reason) => Decision {
                rows: None,
                chosen: None,
                rule: reason.to_owned(),
            },
        };
        let judged = Judged::new(episode, &decision, &tables)?;
        if judged.aged {
            decision.rule += "; the table's definition has changed since";
        }
        Ok(Ok(Case {
            episode,
            kept: job.kept,
            tables,
            policy,
            decision,
            left: (0..judged.rows.len()).collect(),
            judged,
            watchman,
            whole: false,
            half,
        }))
    }

    /// Reads what is not known of the rows, and waits until both logs were read to where they ended after that; says
    /// what of them was written since the verdict; `None` where another has taken its place.
    async fn ask(&mut self, case: &mut Case<'_>) -> Result<Option<Touches>, Error> {
        let mut asked = false;
        for side in Side::BOTH {
            let judged = &mut case.judged;
            if judged.unknown(side).any(|row| case.left.contains(&row)) {
                asked = true;
                judged.ask(side, self.leadership.hand(side).conn()).await?;
            }
        }
        if !asked {
            return Ok(Some(Touches::default()));
        }
        let touches = self.catch_up(&case.watchman).await?;
        case.watchman.accepted = touches.as_ref().map_or(0, |touches| touches.count);
        Ok(touches)
    }

    /// The episode as a row of the history, under its id there.
    async fn draft(&mut self, case: &Case<'_>) -> Result<Draft, Error> {
        let Case {
            episode,
            decision,
            judged,
            tables,
            policy,
            ..
        } = case;
        let names = self.nodes.each_ref().map(|node| node.name.clone());
        let mut draft =
            resolve::draft(episode, decision, judged, tables, policy, &names, now_us())?;
        draft.identify(&mut self.leadership).await?;
        Ok(draft)
    }

    /// Settles those of its rows that clients have not written since.
    async fn repair(&mut self, case: &mut Case<'_>, draft: &Draft) -> Result<Settled, Error> {
        let rows = case.judged.only(&case.left);
        let mut settled = Settled::Quiet;
        if !rows.rows.is_empty() {
            case.watchman.own = Some(draft.id().to_owned());
            let eyes: Watched<'_> = Some(&mut case.watchman);
            let leadership = &mut self.leadership;
            settled = resolve::settle(leadership, &rows, draft.clone(), now_us(), eyes).await?;
        }
        // Of the rows that are left nothing is to be said, but others were written since.
        if settled == Settled::Quiet && case.left.len() < case.judged.rows.len() {
            settled = resolve::supersede(&mut self.leadership, draft, now_us()).await?;
        }
        Ok(settled)
    }

    /// Rows outside the episode do not let it be on a node: all are taken as one node holds them, those too. `false` where
    /// that was tried, and nothing more was found.
    async fn take_whole(
        &mut self,
        case: &mut Case<'_>,
        blocked: Side,
        reason: &str,
    ) -> Result<bool, Error> {
        let rows = case.judged.only(&case.left);
        let from = case.decision.chosen.unwrap_or(blocked.peer());
        case.tables
            .extend(self.infos(resolve::related(&rows)).await?);
        let hands = self.leadership.hands(blocked);
        let others = resolve::in_the_way(hands, &rows, blocked, &case.tables).await?;
        let new = case.judged.take_whole(from, others);
        if !new && case.whole {
            return Ok(false);
        }
        if !case.whole {
            let rule = &case.decision.rule;
            let name = &self.nodes[from.index()].name;
            case.decision.rule = format!("{rule}; all rows as {name} holds them: {reason}");
            case.decision.chosen = Some(from);
            case.whole = true;
        }
        case.left = (0..case.judged.rows.len()).collect();
        Ok(true)
    }

    /// Where one half of a repair has left another row of the history open than that which is written now, or none is
    /// written, it is closed.
    async fn close(&mut self, half: Option<Half>, draft: &Draft, quiet: bool) -> Result<(), Error> {
        if let Some((id, side)) = half.filter(|(id, _)| quiet || id != draft.id()) {
            history::supersede(self.leadership.hand(side).conn(), &id, now_us()).await?;
        }
        Ok(())
    }

    /// The same for halves of which only the logs tell: an agent before this one had made them. What cannot be read stays
    /// open.
    async fn close_halves(&mut self, ids: &[String], draft: &Draft) -> Result<(), Error> {
        for id in ids.iter().filter(|id| *id != draft.id()) {
            let conn = self.leadership.hand(Side::A).conn();
            let of_half = history::find(conn, id).await;
            if of_half.is_ok_and(|entry| draft.takes_place_of(&entry)) {
                history::supersede(conn, id, now_us()).await?;
            }
        }
        Ok(())
    }
}
