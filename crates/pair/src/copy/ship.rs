//! One stretch of a table, from the source's snapshot into the target.

use bytes::Bytes;
use futures_util::future::join;
use tokio::sync::mpsc;
use twinlog_row::{Hash, RawRow, Span, run_within};
use twinlog_server::conn::{Conn, Error as ConnError, Loaded};

use super::{
    Error, STATEMENT_MAX, field,
    inventory::Table,
    progress::Counters,
    queue::Task,
    snapshot::{BEGIN_STRETCH, END_STRETCH},
};

/// Rows go in packets of so many bytes, of which so many may wait for the target.
const PACKET_BYTES: usize = 128 << 10;
const PACKETS: usize = 4;

/// A stretch of a table.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    pub(super) span: Span,
    /// Whether a run before this one may have copied it.
    pub(super) begun: bool,
}

/// A connection to each node: the source's sees the snapshot, the target's logs nothing.
pub(super) struct Lane {
    pub(super) source: Conn,
    pub(super) target: Conn,
    pub(super) hash: Hash,
}

impl Lane {
    /// Copies a stretch. Of a table that a run before this one had begun, only what is not the same already.
    pub(super) async fn ship(
        &mut self,
        task: &Task<Stretch>,
        counters: &Counters,
    ) -> Result<(), Error> {
        self.source.execute(BEGIN_STRETCH).await?;
        self.ship_locked(&task.table, &task.piece, counters).await?;
        self.source.execute(END_STRETCH).await?;
        Ok(())
    }

    async fn ship_locked(
        &mut self,
        table: &Table,
        Stretch { span, begun }: &Stretch,
        counters: &Counters,
    ) -> Result<(), Error> {
        if *begun && let Some(rows) = self.same(table, span).await? {
            counters.found(rows);
            return Ok(());
        }
        self.target.execute("START TRANSACTION").await?;
        if *begun {
            let sql = span.delete(&table.info)?;
            run_within(&mut self.target, &sql, STATEMENT_MAX).await?;
        }
        let (sent, loaded) = self.load(table, span, counters).await?;
        let doubtful = loaded.warnings > 0 || table.has_documents();
        let differs = doubtful && self.same(table, span).await?.is_none();
        if differs && loaded.warnings == 0 {
            counters.changed(&table.info);
        }
        // A warning may be about nothing: an ENUM's error value is one, and stays what it was.
        if sent != loaded.rows || differs && loaded.warnings > 0 {
            return Err(Error::Stored {
                table: table.info.name.to_string(),
                sent,
                stored: loaded.rows,
                warnings: loaded.warnings,
            });
        }
        self.target.execute("COMMIT").await?;
        Ok(())
    }

    /// How many rows were sent, and what the target says of them.
    async fn load(
        &mut self,
        table: &Table,
        span: &Span,
        counters: &Counters,
    ) -> Result<(u64, Loaded), Error> {
        let select = span.select(&table.info, &field::selected(&table.info), None)?;
        let load = field::load(&table.info);
        let (send, packets) = mpsc::channel(PACKETS);
        let reading = read(&mut self.source, &select, send, counters);
        let (read, loaded) = join(reading, self.target.load(&load, packets)).await;
        // What the target says comes first: where it takes no more, the source cannot go on.
        let loaded = loaded?;
        Ok((
            read.map_err(|error| Error::of_source(error, &table.info))?,
            loaded,
        ))
    }

    /// How many rows are there, if both hold the same.
    async fn same(&mut self, table: &Table, span: &Span) -> Result<Option<u64>, Error> {
        let sum = self.hash.sum(&table.info, table.info.is_walkable());
        let sql = span.select(&table.info, &format!("COUNT(*), {sum}"), None)?;
        let (source, target) = join(
            run_within(&mut self.source, &sql, STATEMENT_MAX),
            run_within(&mut self.target, &sql, STATEMENT_MAX),
        )
        .await;
        let (source, target) = (
            source.map_err(|error| Error::of_source(error, &table.info))?,
            target?,
        );
        Ok((source == target).then(|| count(&source)))
    }
}

/// The number that the first row begins with.
fn count(rows: &[RawRow]) -> u64 {
    let text = rows.first().and_then(|row| row.first()?.as_deref());
    text.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok())
        .unwrap_or(0)
}

/// Reads rows and sends them on as lines.
async fn read(
    source: &mut Conn,
    sql: &str,
    send: mpsc::Sender<Bytes>,
    counters: &Counters,
) -> Result<u64, ConnError> {
    let mut rows = source.fetch(sql).await?;
    let mut count = 0;
    let mut packet = Vec::with_capacity(PACKET_BYTES);
    let mut counted = 0;
    while let Some(row) = rows.next().await? {
        field::push_row(&mut packet, &row);
        count += 1;
        if packet.len() >= PACKET_BYTES {
            counters.copied(count - counted, packet.len() as u64).await;
            counted = count;
            let full = std::mem::replace(&mut packet, Vec::with_capacity(PACKET_BYTES));
            // The target has ended before, and says why.
            if send.send(full.into()).await.is_err() {
                return Ok(count);
            }
        }
    }
    counters.copied(count - counted, packet.len() as u64).await;
    let _ = send.send(packet.into()).await;
    Ok(count)
}
