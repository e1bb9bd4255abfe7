//! Two logs in a few words. `t (id INT PRIMARY KEY, u INT UNIQUE, v INT)`, `parent (id INT PRIMARY KEY, n INT)`,
//! `child (id INT PRIMARY KEY, parent INT REFERENCES parent)`. A row is `[1, 7, 100]`; -1 stands for NULL.

use std::{fmt::Write as _, sync::Arc};

use bytes::Bytes;
use twinlog_binlog::{
    Change, Column, ColumnType, CommitTime, Gtid, OwnedImage, Rows, RowsKind, Statement, Table,
    Transaction, Value, Xa,
};

use crate::{
    Decision, Episode, ForeignKey, Held, Limits, Outcome, Output, Policy, RepairMark, Side,
    TableKeys, TableName, Tracker, UniqueKey, Verdict, Version, decide,
};

pub(super) use Side::{A, B};

pub(super) fn name(table: &str) -> TableName {
    TableName {
        database: "shop".into(),
        name: table.into(),
    }
}

pub(super) fn table(name: &str, columns: usize) -> Arc<Table> {
    let column = |at: usize| Column {
        kind: ColumnType::Long,
        meta: 0,
        nullable: true,
        unsigned: Some(false),
        collation: None,
        name: Some(["id", "u", "v", "w"][at].into()),
        members: Vec::new(),
    };
    let columns = (0..columns).map(column).collect();
    Arc::new(Table::new(1, "shop".into(), name.into(), columns, vec![0]))
}

fn unique(name: &str, column: usize) -> UniqueKey {
    UniqueKey {
        name: name.into(),
        columns: vec![column],
    }
}

pub(super) fn keys(table: &str) -> Option<TableKeys> {
    let primary = unique("PRIMARY", 0);
    Some(match table {
        "t" => TableKeys {
            unique: vec![primary, unique("u", 1)],
            foreign: vec![],
        },
        "parent" => TableKeys {
            unique: vec![primary],
            foreign: vec![],
        },
        "child" => TableKeys {
            unique: vec![primary],
            foreign: vec![ForeignKey {
                columns: vec![1],
                parent: name("parent"),
                parent_columns: vec![0],
            }],
        },
        _ => return None,
    })
}

fn image(row: &[i32]) -> Vec<u8> {
    let mut nulls = 0_u8;
    let mut bytes = Vec::new();
    for (at, value) in row.iter().enumerate() {
        if *value == -1 {
            nulls |= 1 << at;
        } else {
            bytes.extend(value.to_le_bytes());
        }
    }
    let unused = !0_u8 << row.len();
    bytes.insert(0, nulls | unused);
    bytes
}

fn change(of: &str, kind: RowsKind, rows: &[&[i32]]) -> Change {
    let data: Vec<u8> = rows.iter().flat_map(|row| image(row)).collect();
    Change::Rows(Rows {
        table: table(of, rows[0].len()),
        kind,
        present: Bytes::from_static(&[0xff]),
        present_after: Bytes::from_static(&[0xff]),
        data: data.into(),
    })
}

pub(super) fn insert(of: &str, row: &[i32]) -> Change {
    change(of, RowsKind::Insert, &[row])
}

pub(super) fn update(of: &str, before: &[i32], after: &[i32]) -> Change {
    change(of, RowsKind::Update, &[before, after])
}

pub(super) fn delete(of: &str, row: &[i32]) -> Change {
    change(of, RowsKind::Delete, &[row])
}

pub(super) fn statement(text: &str) -> Change {
    Change::Statement(Statement {
        database: "shop".into(),
        text: Bytes::copy_from_slice(text.as_bytes()),
        error_code: 0,
    })
}

/// How transactions are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    MySql,
    MariaDb,
}

pub(super) struct Kit {
    pub(super) tracker: Tracker,
    pub(super) flavour: Flavour,
    /// What the events of a transaction take beside its rows.
    pub(super) event_bytes: usize,
    /// All that was said.
    pub(super) said: Vec<Verdict>,
    pub(super) retired: Vec<String>,
    /// Whether it only pushes, as one that catches up.
    pub(super) deaf: bool,
}

impl Kit {
    pub(super) fn new() -> Self {
        Self::with(Flavour::MySql, Limits::default())
    }

    pub(super) fn with(flavour: Flavour, limits: Limits) -> Self {
        let mut tracker = Tracker::new(limits);
        for table in ["t", "parent", "child"] {
            tracker.set_keys(name(table), keys(table));
        }
        Self {
            tracker,
            flavour,
            event_bytes: 64,
            said: Vec::new(),
            retired: Vec::new(),
            deaf: false,
        }
    }

    /// `a7` is the seventh transaction of A, committed at 7 s.
    pub(super) fn gtid(&self, tx: &str) -> Gtid {
        let sequence = tx[1..].parse().unwrap();
        let origin = u32::from(tx.as_bytes()[0]);
        match self.flavour {
            Flavour::MySql => Gtid::MySql {
                uuid: [origin as u8; 16],
                tag: None,
                sequence,
            },
            Flavour::MariaDb => Gtid::MariaDb {
                domain: origin,
                server_id: origin,
                sequence,
            },
        }
    }

    pub(super) fn tx(&self, tx: &str, changes: Vec<Change>) -> Transaction {
        let micros = tx[1..].parse::<u64>().unwrap() * 1_000_000;
        Transaction {
            gtid: Some(self.gtid(tx)),
            server_id: 1 + u32::from(tx.starts_with('b')),
            committed: CommitTime {
                micros,
                exact: true,
            },
            logged_us: None,
            size_bytes: changes
                .iter()
                .map(|change| match change {
                    Change::Rows(rows) => rows.data.len() + self.event_bytes,
                    Change::Statement(statement) => statement.text.len(),
                })
                .sum(),
            changes,
            xa: None,
            file: "binlog.000001".into(),
            start: 0,
            end: 0,
        }
    }

    /// The next transaction in a log. Its first letter says who committed it.
    pub(super) fn log<const N: usize>(&mut self, log: Side, tx: &str, changes: [Change; N]) {
        let tx = self.tx(tx, changes.into());
        self.push(log, tx, None);
    }

    pub(super) fn xa(&mut self, log: Side, tx: &str, xa: Xa, changes: Vec<Change>) {
        let mut tx = self.tx(tx, changes);
        tx.xa = Some(xa);
        self.push(log, tx, None);
    }

    /// As `log`, for a repair that carries a version of `mark`: "b2".
    pub(super) fn repair<const N: usize>(
        &mut self,
        log: Side,
        tx: &str,
        mark: &str,
        changes: [Change; N],
    ) {
        self.repair_of(log, tx, mark, None, changes);
    }

    /// The same, where it is known what it was chosen from.
    pub(super) fn repair_of<const N: usize>(
        &mut self,
        log: Side,
        tx: &str,
        mark: &str,
        judged: Option<&[&str]>,
        changes: [Change; N],
    ) {
        let mark = RepairMark {
            origin: side(mark),
            committed: self.tx(mark, vec![]).committed,
            judged: judged.map(|judged| judged.iter().map(|tx| self.gtid(tx)).collect()),
        };
        let tx = self.tx(tx, changes.into());
        self.push(log, tx, Some(mark));
    }

    pub(super) fn push(&mut self, log: Side, tx: Transaction, repair: Option<RepairMark>) {
        let origin = side(&text(&tx.gtid.clone().unwrap()));
        self.tracker.push(log, origin, tx, repair);
        self.listen();
    }

    /// A node has executed its peer's transaction, and will log nothing of it.
    pub(super) fn passed(&mut self, log: Side, tx: &str) {
        let gtid = self.gtid(tx);
        self.tracker.passed(log, &|other| *other == gtid);
        self.listen();
    }

    /// Hears what the tracker has to say.
    pub(super) fn listen(&mut self) {
        if self.deaf {
            return;
        }
        while let Some(output) = self.tracker.next_output() {
            match output {
                Output::Verdict(verdict) => self.said.push(verdict),
                Output::Retired(gtid) => self.retired.push(text(&gtid)),
            }
        }
    }

    pub(super) fn episodes(&self) -> Vec<&Episode> {
        let episodes = self.said.iter().filter_map(|verdict| match verdict {
            Verdict::Episode(episode) => Some(episode),
            _ => None,
        });
        episodes.collect()
    }

    pub(super) fn episode(&self) -> &Episode {
        match self.episodes()[..] {
            [episode] => episode,
            ref other => panic!("{} episodes: {:#?}", other.len(), self.said),
        }
    }

    /// The one episode in words: conflicts, rows (base, held by A, held by B), then writes.
    pub(super) fn told(&self) -> String {
        tell(self.episode())
    }

    /// What a policy makes of the one episode.
    pub(super) fn decided(&self, policy: &Policy) -> String {
        tell_decision(&decide_by(self.episode(), policy))
    }

    /// Nothing was said, and nothing is kept.
    #[track_caller]
    pub(super) fn assert_silent(&self) {
        assert!(self.said.is_empty(), "{:#?}", self.said);
        self.assert_empty();
    }

    #[track_caller]
    pub(super) fn assert_empty(&self) {
        let load = self.tracker.load();
        assert_eq!((load.transactions, load.keys), (0, 0), "{load:?}");
    }
}

pub(super) fn decide_by(episode: &Episode, policy: &Policy) -> Decision {
    decide(episode, &vec![policy.clone(); episode.rows.len()], [1, 2])
}

fn side(tx: &str) -> Side {
    if tx.starts_with('a') { A } else { B }
}

pub(super) fn text(gtid: &Gtid) -> String {
    let (origin, sequence) = match gtid {
        Gtid::MySql { uuid, sequence, .. } => (uuid[0], sequence),
        Gtid::MariaDb {
            domain, sequence, ..
        } => (*domain as u8, sequence),
    };
    format!("{}{sequence}", char::from(origin))
}

fn values(values: &[Value]) -> String {
    let one = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::Int(value) => value.to_string(),
        other => format!("{other:?}"),
    };
    values.iter().map(one).collect::<Vec<_>>().join(",")
}

fn row(image: &OwnedImage) -> String {
    values(&image.as_image().values(&[]).unwrap())
}

fn version(version: &Version) -> String {
    match version {
        Version::Row(image) => row(image),
        Version::Gone => "gone".to_owned(),
    }
}

pub(super) fn tell(episode: &Episode) -> String {
    let mut told = String::new();
    let pairs: Vec<_> = episode
        .conflicts
        .iter()
        .map(|conflict| conflict.gtids.clone().map(|gtid| text(&gtid)).join("|"))
        .collect();
    writeln!(told, "conflicts {}", pairs.join(" ")).unwrap();
    for one in &episode.rows {
        let base = one.base.as_ref().map_or("?".to_owned(), version);
        let held = one.held.each_ref().map(|held| match held {
            Held::Known(known) => version(known),
            Held::Unknown => "?".to_owned(),
        });
        let key = one.key.as_image().value(0).unwrap();
        let key = values(&[key]);
        let table = &one.table.name;
        writeln!(told, "{table} {key}: {base} -> {} | {}", held[0], held[1]).unwrap();
    }
    for write in &episode.writes {
        let image = |side: &Option<(usize, OwnedImage)>| {
            side.as_ref()
                .map_or("none".to_owned(), |(_, image)| row(image))
        };
        let (before, after) = (image(&write.before), image(&write.after));
        write!(told, "{}: {before} -> {after}", text(&write.gtid)).unwrap();
        if write.repair {
            write!(told, " repair of {:?}", write.origin).unwrap();
        }
        writeln!(
            told,
            " against {:?} after {:?}",
            write.against, write.after_writes
        )
        .unwrap();
    }
    told.trim_end().to_owned()
}

pub(super) fn tell_decision(decision: &Decision) -> String {
    let rows = match &decision.rows {
        None => "nothing".to_owned(),
        Some(rows) => {
            let outcome = |outcome: &Outcome| match outcome {
                Outcome::Version(known) => version(known),
                Outcome::Merged(merged) => values(merged),
                Outcome::AsHeld(side) => format!("as {side:?}"),
            };
            rows.iter().map(outcome).collect::<Vec<_>>().join(" ")
        }
    };
    format!("{rows}: {}", decision.rule)
}
