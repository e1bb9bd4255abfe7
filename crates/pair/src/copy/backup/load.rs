//! The rows of a backup into one node.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::join;
use tokio::{sync::mpsc, task::JoinSet};
use twinlog_server::{
    conn::{Conn, Error as ConnError, Loaded},
    dialect::Dialect,
};

use super::{
    Error, Manifest, Store, blocking,
    manifest::{SavedTable, Stored},
    part::{Lines, Sums},
};
use crate::{
    config::Node,
    copy::{
        Counters, Error as CopyError, Limits,
        ends::connect,
        inventory::Table,
        queue::{Queue, Task},
        snapshot, target,
        work::{all_ended, locked},
    },
    site::Site,
};

/// Rows go in packets of so many bytes, of which so many may wait for the server.
const PACKET_BYTES: usize = 128 << 10;
const PACKETS: usize = 4;

/// What is loaded, from where, and how.
#[derive(Clone)]
pub(super) struct Loading {
    pub(super) store: Arc<Store>,
    pub(super) manifest: Arc<Manifest>,
    /// The dialect of the server that the backup is from.
    pub(super) from: Dialect,
    pub(super) limits: Limits,
    pub(super) counters: Arc<Counters>,
}

/// A part of a table: the numbers of both in the manifest.
#[derive(Debug, Clone, Copy)]
struct Place {
    table: usize,
    part: usize,
}

impl Loading {
    /// Loads all tables of users into a node. `begun` says of each whether it may hold rows already: one that holds what the
    /// backup has stays, any other begins anew.
    pub(super) async fn fill(&self, site: &Site, node: &Node, begun: &[bool]) -> Result<(), Error> {
        let mut lane = self.lane(site, node).await?;
        let mut queue = Queue::new(target::locks_counters(&mut lane.writer).await?);
        let saved = self.manifest.tables.iter().enumerate();
        let users = saved.map(|(at, saved)| (at, saved, Arc::new(saved.table())));
        let users = users.filter(|(.., table)| !table.is_own());
        for ((at, saved, table), begun) in users.zip(begun) {
            if *begun && saved.compare(&lane.sums(saved).await?) != Stored::Other {
                self.counters.found(saved.rows);
                target::set_counter(&mut lane.writer, &table).await?;
                lane.end(saved, &table, &self.counters).await?;
                continue;
            }
            if *begun {
                // Emptied, it would count its rows from 1 again.
                let drop = format!("DROP TABLE {}", table.info.sql_name());
                lane.writer.execute(&drop).await?;
                target::create(&mut lane.writer, &table).await?;
            }
            if saved.parts.is_empty() {
                lane.end(saved, &table, &self.counters).await?;
                continue;
            }
            let parts = 0..saved.parts.len();
            queue.push(table, parts.map(|part| Place { table: at, part }));
        }
        lane.close().await;
        let queue = Arc::new(Mutex::new(queue));
        let mut workers = JoinSet::new();
        for _ in 0..self.limits.parallel.max(1) {
            let lane = self.lane(site, node).await?;
            workers.spawn(self.clone().carry(lane, Arc::clone(&queue)));
        }
        all_ended(workers).await?;
        Ok(())
    }

    async fn lane(&self, site: &Site, node: &Node) -> Result<Lane, Error> {
        let (mut writer, mut reader) = (connect(site, node).await?, connect(site, node).await?);
        let dialect = twinlog_server::facts::read_dialect(&mut writer).await?;
        target::writer(&mut writer, [&self.from, &dialect]).await?;
        snapshot::reader(&mut reader, &dialect).await?;
        Ok(Lane {
            node: node.name.clone(),
            writer,
            reader,
        })
    }

    /// Loads part after part, and ends a table after its last.
    async fn carry(self, mut lane: Lane, queue: Arc<Mutex<Queue<Place>>>) -> Result<(), Error> {
        loop {
            let task = locked(&queue).next();
            let Some(task) = task else {
                lane.close().await;
                return Ok(());
            };
            let saved = &self.manifest.tables[task.piece.table];
            self.load(&mut lane, saved, &task).await?;
            let is_last = locked(&queue).done(&task);
            if is_last {
                lane.end(saved, &task.table, &self.counters).await?;
            }
        }
    }

    async fn load(
        &self,
        lane: &mut Lane,
        saved: &SavedTable,
        task: &Task<Place>,
    ) -> Result<(), Error> {
        let part = &saved.parts[task.piece.part];
        self.load_part(lane, saved, task.piece.part).await?;
        self.counters.copied(part.rows, part.bytes).await;
        Ok(())
    }

    async fn load_part(&self, lane: &mut Lane, saved: &SavedTable, at: usize) -> Result<(), Error> {
        let part = &saved.parts[at];
        let (store, wanted) = (Arc::clone(&self.store), part.clone());
        let lines = blocking(move || store.lines(&wanted)).await?;
        let loaded = load(&mut lane.writer, &saved.load, lines).await?;
        match loaded.rows == part.rows {
            true => Ok(()),
            false => Err(Error::Copy(CopyError::Stored {
                table: saved.table().info.name.to_string(),
                sent: part.rows,
                stored: loaded.rows,
                warnings: loaded.warnings,
            })),
        }
    }

    /// Loads the history of conflicts, all of it or nothing. A node that has one keeps it: `false` where it is not that of
    /// the backup.
    pub(super) async fn history(&self, site: &Site, node: &Node) -> Result<bool, Error> {
        let mut own = self.manifest.tables.iter();
        let Some(saved) = own.find(|saved| saved.table().is_own()) else {
            return Ok(true);
        };
        let mut lane = self.lane(site, node).await?;
        let there = lane.sums(saved).await?;
        if there.all.rows > 0 {
            return Ok(saved.compare(&there) == Stored::Same);
        }
        lane.writer.execute("START TRANSACTION").await?;
        for at in 0..saved.parts.len() {
            self.load_part(&mut lane, saved, at).await?;
        }
        lane.writer.execute("COMMIT").await?;
        lane.compare(saved, &self.counters).await?;
        lane.close().await;
        Ok(true)
    }
}

/// A connection that writes, and one that reads what was written.
struct Lane {
    node: String,
    writer: Conn,
    reader: Conn,
}

impl Lane {
    /// Gives a table whose rows are there the indexes that it lacks, and looks whether it holds what the backup has.
    async fn end(
        &mut self,
        saved: &SavedTable,
        table: &Table,
        counters: &Counters,
    ) -> Result<(), Error> {
        target::add_indexes(&mut self.writer, table).await?;
        self.compare(saved, counters).await?;
        counters.ended_table();
        Ok(())
    }

    async fn compare(&mut self, saved: &SavedTable, counters: &Counters) -> Result<(), Error> {
        let sums = self.sums(saved).await?;
        match saved.compare(&sums) {
            Stored::Same => {}
            Stored::AllButDocuments => counters.changed(&saved.table().info),
            Stored::Other => {
                return Err(Error::Differs {
                    node: self.node.clone(),
                    table: saved.table().info.name.to_string(),
                    stored: sums.all.rows,
                    rows: saved.rows,
                });
            }
        }
        Ok(())
    }

    /// What a table's rows add up to.
    async fn sums(&mut self, saved: &SavedTable) -> Result<Sums, Error> {
        let mut lines = Lines::new(&saved.documents);
        let mut rows = self.reader.fetch(&saved.select()).await?;
        while let Some(row) = rows.next().await? {
            lines.push(&row);
            lines.forget();
        }
        Ok(lines.sums)
    }

    async fn close(self) {
        self.writer.close().await;
        self.reader.close().await;
    }
}

/// Gives lines to a `LOAD DATA`.
async fn load(conn: &mut Conn, sql: &str, lines: Vec<u8>) -> Result<Loaded, ConnError> {
    let mut rest = Bytes::from(lines);
    let (send, packets) = mpsc::channel(PACKETS);
    let sending = async move {
        while !rest.is_empty() {
            let packet = rest.split_to(rest.len().min(PACKET_BYTES));
            // The server has ended before, and says why.
            if send.send(packet).await.is_err() {
                return;
            }
        }
    };
    join(sending, conn.load(sql, packets)).await.1
}
