//! From what differs to what would be written where.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use twinlog_binlog::Value;
use twinlog_converge::{Side, TableName};
use twinlog_pair::site::Site;
use twinlog_row::{RowError, TableInfo};

use super::{
    Action, Error, Outcome, RepairDocument, RowPlan,
    choose::{Choice, choose, is_alike, obstacle},
    order::{depths, rank},
};
use crate::{
    conflicts::Nodes,
    history::{self, Cell, Filter, State, Told, cells},
    verify::{self, Hands, RowDifference, Suspect},
};

/// More open entries of the history than these are not looked through.
const CONFLICTS_MAX: u32 = 10_000;

/// What is to be repaired.
#[derive(Debug)]
pub struct Plan {
    /// It, and what has become of it.
    pub document: RepairDocument,
    /// The rows that differ and have a key: the first ones of the document's.
    pub(super) suspects: Vec<Suspect>,
    pub(super) tables: Tables,
    /// Which of them are to be repaired, in their order.
    pub(super) targets: Vec<usize>,
    /// Which are to be entered in the history, for a person: a write of theirs must be logged.
    pub(super) open: Vec<usize>,
    pub(super) keep: Option<Side>,
    /// Whether only rows that meet a condition were asked for.
    pub(super) some_rows: bool,
    /// The rows of open conflicts.
    pub(super) conflicts: HashMap<Place, String>,
}

/// The tables of rows that differ.
pub(super) type Tables = HashMap<TableName, Known>;

/// What is known of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    /// Its definition, as each node has it.
    pub(super) infos: [Arc<TableInfo>; 2],
    pub(super) choice: Choice,
}

impl Known {
    /// Reads its definition from both nodes.
    pub(super) async fn load(
        site: &Site,
        hands: &mut Hands,
        name: &TableName,
        keep: Option<Side>,
    ) -> Result<Self, Error> {
        let a = TableInfo::load(hands.conn(Side::A), name).await?;
        let b = TableInfo::load(hands.conn(Side::B), name).await?;
        let nodes = site.nodes().map(|node| node.name.as_str());
        let (policy, _) = site.config.conflicts.policy_of(&name.database, &name.name);
        let choice = if is_alike(&a, &b) {
            choose(keep, policy, nodes)
        } else {
            Choice::Leave("its definition is not the same on both nodes".to_owned())
        };
        Ok(Self {
            infos: [a, b].map(Arc::new),
            choice,
        })
    }

    /// The node that both shall be like.
    pub(super) fn kept(&self) -> Option<Side> {
        match self.choice {
            Choice::Keep { side, .. } => Some(side),
            Choice::Leave(_) => None,
        }
    }

    /// Why its rows cannot be written on the other node.
    pub(super) fn obstacle(&self, kept: Side, nodes: &[String; 2]) -> Option<String> {
        let loser = kept.peer().index();
        obstacle(&self.infos[loser], &nodes[loser])
    }
}

impl Plan {
    /// How many rows would be written.
    #[must_use]
    pub fn count(&self) -> usize {
        self.targets.len()
    }

    /// Reads again what the plan stands on: whoever was asked may have taken an hour to agree. Rows of tables that were
    /// altered since, and of conflicts that were opened, are left.
    pub(super) async fn read_again(&mut self, site: &Site, hands: &mut Hands) -> Result<(), Error> {
        let mut altered = Vec::new();
        for (name, known) in &mut self.tables {
            let now = match Known::load(site, hands, name, self.keep).await {
                Ok(now) => Some(now),
                Err(Error::Row(RowError::NoTable { .. })) => None,
                Err(error) => return Err(error),
            };
            if now.as_ref() != Some(known) {
                altered.push(name.clone());
            }
        }
        self.conflicts = open_conflicts(site).await?;
        for (at, suspect) in self.suspects.iter().enumerate() {
            let row = &mut self.document.rows[at];
            if altered.contains(&suspect.table.info.name) {
                row.outcome = Outcome::Left;
                row.reason =
                    Some("its table was altered since it was compared: compare once more".into());
            } else if let Some(id) = self.conflicts.get(&place(suspect)) {
                row.wait_for(id);
            }
        }
        let rows = &self.document.rows;
        self.targets
            .retain(|&at| rows[at].outcome == Outcome::Planned);
        self.open.retain(|&at| {
            rows[at].keep.is_some() && !altered.contains(&self.suspects[at].table.info.name)
        });
        Ok(())
    }

    /// What a node held of a row when that was shown.
    pub(super) fn shown(&self, at: usize, side: Side) -> Option<&Told> {
        let compared = &self.document.compared;
        compared.rows[at]
            .versions
            .get(&compared.nodes[side.index()])
    }

    /// A row that was found to differ.
    pub(super) fn suspect(&self, table: &TableName, key: &[Value]) -> Option<&Suspect> {
        let mut suspects = self.suspects.iter();
        suspects.find(|suspect| suspect.table.info.name == *table && suspect.key == key)
    }

    /// Whether there is anything to do: rows to write, or to write down for a person.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !(self.targets.is_empty() && self.open.is_empty())
    }
}

/// Compares both nodes, and says what would be written where. Nothing is written. `keep` is the node that is to be right
/// for all rows; else the tables' policies say.
///
/// # Errors
/// As [`verify::verify`].
pub async fn plan(
    site: &Site,
    options: &verify::Options,
    keep: Option<Side>,
    progress: Arc<verify::Progress>,
) -> Result<Plan, Error> {
    let (compared, suspects) = verify::compare(site, options, progress).await?;
    let mut tables = Tables::new();
    let mut hands = Hands::open(site).await?;
    for suspect in &suspects {
        let name = &suspect.table.info.name;
        if tables.contains_key(name) {
            continue;
        }
        match Known::load(site, &mut hands, name, keep).await {
            Ok(known) => {
                tables.insert(name.clone(), known);
            }
            // It was dropped a moment ago.
            Err(Error::Row(RowError::NoTable { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    hands.close().await;
    let conflicts = if suspects.is_empty() {
        HashMap::new()
    } else {
        open_conflicts(site).await?
    };
    let nodes = &compared.nodes;
    let mut rows = Vec::new();
    for (at, row) in compared.rows.iter().enumerate() {
        let suspect = suspects.get(at);
        let known = suspect.and_then(|suspect| tables.get(&suspect.table.info.name));
        let mut plan = row_plan(row, suspect.is_some(), known, nodes);
        if let Some(id) = suspect.and_then(|suspect| conflicts.get(&place(suspect))) {
            plan.wait_for(id);
        }
        rows.push(plan);
    }
    let targets = targets(&rows, &suspects, &tables);
    let needs_log = |at: &usize| {
        let known = tables.get(&suspects[*at].table.info.name);
        let kept = known.and_then(|known| Some(&known.infos[known.kept()?.peer().index()]));
        kept.is_some_and(|table| table.obstacle.is_none() && !table.triggers.is_empty())
    };
    let is_free = |at: &usize| rows[*at].keep.is_some();
    let open = (0..suspects.len()).filter(is_free).filter(needs_log);
    let open = open.collect();
    let left = rows.len() as u64;
    Ok(Plan {
        document: RepairDocument {
            equal: compared.equal,
            compared,
            rows,
            applied: false,
            repaired: 0,
            left,
        },
        suspects,
        tables,
        targets,
        open,
        keep,
        some_rows: options.only.is_some(),
        conflicts,
    })
}

/// A row's table and key, as the history has them.
pub(super) type Place = (String, Vec<Cell>);

fn place(suspect: &Suspect) -> Place {
    (suspect.table.info.name.to_string(), cells(&suspect.key))
}

/// The rows of conflicts that are open, with the conflicts' ids: logs have what clients wrote there, and who decides must
/// see that.
async fn open_conflicts(site: &Site) -> Result<HashMap<Place, String>, Error> {
    let filter = Filter {
        states: vec![State::Open],
        limit: Some(CONFLICTS_MAX),
        ..Filter::default()
    };
    let mut nodes = Nodes::open(site).await?;
    let mut places = HashMap::new();
    for side in Side::BOTH {
        let entries = history::list(nodes.hand(side).conn(), &filter).await?;
        if entries.len() >= CONFLICTS_MAX as usize {
            return Err(Error::ManyOpen {
                count: CONFLICTS_MAX,
            });
        }
        for entry in entries {
            let detail = &entry.detail;
            let rows = detail.rows.iter().filter(|_| !detail.compared);
            places.extend(rows.map(|row| {
                let place = (detail.table_name(row), row.key.clone());
                (place, entry.id.clone())
            }));
        }
    }
    nodes.close().await;
    Ok(places)
}

impl RowPlan {
    /// Leaves it to who decides about a conflict.
    fn wait_for(&mut self, conflict: &str) {
        (self.keep, self.why, self.on, self.action) = (None, None, None, None);
        self.outcome = Outcome::Left;
        self.reason = Some(format!(
            "conflict {conflict} is open: decide about it with `twinlog conflicts resolve {conflict}`"
        ));
        self.id = Some(conflict.to_owned());
    }
}

fn row_plan(
    row: &RowDifference,
    has_key: bool,
    known: Option<&Known>,
    nodes: &[String; 2],
) -> RowPlan {
    let mut plan = RowPlan {
        table: row.table.clone(),
        key: row.key.clone(),
        keep: None,
        why: None,
        on: None,
        action: None,
        outcome: Outcome::Left,
        reason: None,
        id: None,
    };
    plan.reason = match known.map(|known| (known, &known.choice)) {
        None if !has_key => Some(
            "no key tells its rows apart: give the table a primary key, or put it right by hand"
                .into(),
        ),
        None => Some("the table is gone".to_owned()),
        Some((_, Choice::Leave(reason))) => Some(reason.clone()),
        Some((known, Choice::Keep { side, why })) => {
            let on = &nodes[side.peer().index()];
            plan.keep = Some(nodes[side.index()].clone());
            plan.why = Some(why.clone());
            plan.on = Some(on.clone());
            plan.action = Some(action(&row.versions, on, &nodes[side.index()]));
            known.obstacle(*side, nodes)
        }
    };
    if plan.reason.is_none() {
        plan.outcome = Outcome::Planned;
    }
    plan
}

fn action(versions: &BTreeMap<String, Told>, on: &str, kept: &str) -> Action {
    let is_gone = |node: &str| versions.get(node) == Some(&Told::Gone);
    match (is_gone(on), is_gone(kept)) {
        (true, _) => Action::Insert,
        (false, true) => Action::Delete,
        (false, false) => Action::Update,
    }
}

/// The rows that are planned, in the order in which they are written.
fn targets(rows: &[RowPlan], suspects: &[Suspect], tables: &Tables) -> Vec<usize> {
    let parents = tables.iter().map(|(name, known)| {
        let foreign = known.infos.iter().flat_map(|info| &info.foreign);
        let parents = foreign.map(|key| key.parent.clone()).collect();
        (name.clone(), parents)
    });
    let depths = depths(&parents.collect());
    let mut targets: Vec<usize> = (0..suspects.len())
        .filter(|&at| rows[at].outcome == Outcome::Planned)
        .collect();
    targets.sort_by_key(|&at| {
        let name = &suspects[at].table.info.name;
        let depth = depths.get(name).copied().unwrap_or_default();
        let goes = rows[at].action == Some(Action::Delete);
        (rank(depth, goes), name.clone(), at)
    });
    targets
}
