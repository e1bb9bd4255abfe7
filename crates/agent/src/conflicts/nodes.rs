//! Both nodes, and what their links must be thought to do with a write.

use futures_util::future::try_join;
use twinlog_converge::Side;
use twinlog_pair::site::{Login, Site};
use twinlog_server::{
    dialect::Dialect,
    facts::{Standing, read_dialect},
};

use super::{Error, book::CONNECT_TIMEOUT};
use crate::resolve::{Hand, Judged, OpKind, Repair};

/// Both nodes, for reading and writing rows.
#[derive(Debug)]
pub struct Nodes {
    names: [String; 2],
    hands: [Hand; 2],
    dialects: [Dialect; 2],
}

impl Nodes {
    /// Connects to both.
    ///
    /// # Errors
    /// Where one does not answer.
    pub async fn open(site: &Site) -> Result<Self, Error> {
        let [a, b] = site.nodes();
        let (mut a, mut b) = try_join(
            site.connect(a, Login::Agent, CONNECT_TIMEOUT),
            site.connect(b, Login::Agent, CONNECT_TIMEOUT),
        )
        .await?;
        let dialects = [read_dialect(&mut a).await?, read_dialect(&mut b).await?];
        Ok(Self {
            names: site.nodes().map(|node| node.name.clone()),
            hands: [Hand::new(a).await?, Hand::new(b).await?],
            dialects,
        })
    }

    pub(crate) fn hand(&mut self, side: Side) -> &mut Hand {
        &mut self.hands[side.index()]
    }

    /// The node's, and the other's.
    pub(crate) fn hands(&mut self, side: Side) -> [&mut Hand; 2] {
        let [a, b] = &mut self.hands;
        match side {
            Side::A => [a, b],
            Side::B => [b, a],
        }
    }

    /// A node's name.
    pub fn name(&self, side: Side) -> &str {
        &self.names[side.index()]
    }

    /// Closes the connections.
    pub async fn close(self) {
        for hand in self.hands {
            hand.close().await;
        }
    }

    /// Under STRICT a copy that inserts what is there, or changes what is not, stops the peer's applier.
    pub(super) async fn must_take(
        &mut self,
        repair: &Repair,
        judged: &Judged,
    ) -> Result<(), Error> {
        let peer = repair.side.peer();
        let there = |row: usize| {
            let guard = &repair.rows[row];
            judged.rows.iter().any(|row| {
                let held = row.held[peer.index()].as_ref();
                row.table.name == guard.table.name
                    && row.key == guard.key
                    && held.is_some_and(|held| held.row().is_some())
            })
        };
        let stops = repair.ops.iter().any(|op| match op.kind {
            OpKind::Insert => {
                there(op.row)
                    && !repair
                        .ops
                        .iter()
                        .any(|other| other.row == op.row && other.kind == OpKind::Delete)
            }
            OpKind::Update | OpKind::Delete => !there(op.row),
        });
        let Some(variable) = self.dialects[peer.index()].variable("replica_exec_mode") else {
            return Ok(());
        };
        if !stops {
            return Ok(());
        }
        let sql = format!("SELECT @@GLOBAL.{}", variable.name);
        let mode = self.hand(peer).conn().value(&sql).await?;
        match mode {
            Some(mode) if mode.eq_ignore_ascii_case("STRICT") => Err(Error::Strict {
                node: self.name(peer).to_owned(),
                variable: variable.name,
            }),
            _ => Ok(()),
        }
    }

    /// What a person should know of the links before the rows are written.
    pub(super) async fn notes(&mut self) -> Result<Vec<String>, Error> {
        let mut standings = Vec::new();
        for side in Side::BOTH {
            let dialect = self.dialects[side.index()];
            standings.push(Standing::read(self.hand(side).conn(), &dialect).await?);
        }
        let mut notes = Vec::new();
        for side in Side::BOTH {
            let (source, replica) = (&standings[side.peer().index()], &standings[side.index()]);
            let has = replica.applied.merge(&replica.logged);
            // Two flavours cannot be a pair, and so always compare.
            if !has
                .and_then(|has| has.covers(&source.logged))
                .unwrap_or(true)
            {
                notes.push(format!(
                "{} has not executed all yet that {} has: what comes over the link later may touch these rows again \
                 (`twinlog status`)",
                self.name(side),
                self.name(side.peer())
            ));
            }
        }
        Ok(notes)
    }
}
