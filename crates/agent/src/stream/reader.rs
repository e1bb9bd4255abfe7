//! The task that reads one log.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, sleep, sleep_until, timeout},
};
use twinlog_binlog::{Decoder, Output, Transaction};
use twinlog_server::{facts::Coordinates, gtid::GtidSet, version::Flavour};

use crate::gtids;

use super::{
    Connected, Error, Interruption, Item, Options, Permit, Received, Reconnecting, SEARCH_MAX,
    SETUP_MAX, backoff,
    error::{End, Place, judge},
    identity::Identity,
    lag::Lag,
    request::request,
    source::{Clock, Source, purged_on_mariadb},
    wire::{self, Dump, ServerError, Wire},
};

/// The marker of events that the server made for this stream: their place is none of the log's.
const ARTIFICIAL: u16 = 0x20;

/// A server sends each transaction as it is committed, and to wake for each takes more of a processor than to read it: so
/// long after a small read no other is made. A first transaction after a pause is read at once.
const GATHER: Duration = Duration::from_millis(5);
/// A read of less has shown that the server has no more for now: whoever reads what lies there for long does not wait.
const SMALL_READ_BYTES: usize = 8 * 1024;

pub(super) struct Reader {
    options: Options,
    identity: Identity,
    items: mpsc::Sender<Result<Item, Error>>,
    /// Bytes that may still go out.
    budget: Arc<Semaphore>,
    /// What was handed over.
    read: GtidSet,
    /// The server that was read first.
    server: Option<String>,
    /// Connections in a row that brought nothing.
    failed: u32,
    /// Where the last connection met bytes that could not be decoded.
    damaged: Option<Place>,
}

/// One connection that reads.
struct Session {
    wire: Wire,
    decoder: Decoder,
    clock: Clock,
    /// Where the decoder is: the file, and the end of the last event.
    file: Arc<str>,
    position: u64,
    /// Something came that shows that the server has found the place.
    found: bool,
    /// When there may be something to read that is worth it.
    next_read: Instant,
}

impl Reader {
    pub(super) fn new(options: Options, items: mpsc::Sender<Result<Item, Error>>) -> Self {
        let bytes = options.in_flight_bytes_max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            identity: Identity::random(&options.taken_server_ids),
            items,
            budget: Arc::new(Semaphore::new(bytes)),
            read: options.from.clone(),
            server: None,
            failed: 0,
            damaged: None,
            options,
        }
    }

    /// Reads until the task is aborted, nobody takes the items, or an error lasts.
    pub(super) async fn run(mut self) {
        // Bytes of a network go through here: whatever they break, the others' tasks go on, and it is said.
        let ended = AssertUnwindSafe(self.connections()).catch_unwind().await;
        let error = match ended {
            Ok(None) => return,
            Ok(Some(error)) => *error,
            Err(panic) => Error::Panicked {
                address: self.options.endpoint.address.clone(),
                message: panic_message(&*panic),
            },
        };
        tracing::error!(%error, "a log is read no further");
        // If nobody listens any more nobody misses it.
        let _ = self.items.send(Err(error)).await;
    }

    /// One connection after the other; the error that lasts.
    async fn connections(&mut self) -> Option<Box<Error>> {
        loop {
            let cause = match self.connection().await {
                End::Unwanted => return None,
                End::Lasting(error) => return Some(error),
                End::Passing(cause) => cause,
                End::Fatal(error) => match self.diagnose(error).await {
                    End::Lasting(error) => return Some(error),
                    End::Passing(cause) => cause,
                    End::Fatal(ServerError { code, message }) => {
                        return Some(Box::new(Error::Unreadable {
                            address: self.options.endpoint.address.clone(),
                            code,
                            message,
                        }));
                    }
                    End::Unwanted => return None,
                },
            };
            self.failed = self.failed.saturating_add(1);
            let wait = backoff::wait(self.failed);
            tracing::warn!(address = %self.options.endpoint.address, %cause, attempt = self.failed, ?wait, "reconnecting");
            let reconnecting = Reconnecting {
                cause,
                attempt: self.failed,
                wait,
            };
            if self
                .items
                .send(Ok(Item::Reconnecting(reconnecting)))
                .await
                .is_err()
            {
                return None;
            }
            sleep(wait).await;
        }
    }

    async fn connection(&mut self) -> End {
        let mut session = match timeout(SETUP_MAX, self.open()).await {
            Ok(Ok(session)) => session,
            Ok(Err(end)) => return end,
            Err(_) => return End::Passing(Interruption::Slow(SETUP_MAX)),
        };
        loop {
            if let Err(end) = self.step(&mut session).await {
                return end;
            }
        }
    }

    fn judge(&self, error: wire::Error) -> End {
        let endpoint = &self.options.endpoint;
        judge(error, &endpoint.address, &endpoint.user)
    }

    /// A connection whose server has been asked for the log.
    async fn open(&mut self) -> Result<Session, End> {
        let (mut wire, source) = self.connect().await?;
        self.recognise(&source)?;
        let address = &self.options.endpoint.address;
        let begin = source.begin(&self.read, address)?;
        request(&mut wire, &self.identity, &begin, self.options.heartbeat)
            .await
            .map_err(|error| self.judge(error))?;
        let connected = Connected {
            version: source.version,
            server_id: source.server_id,
            clock_offset_us: source.clock.offset_us,
            clock_error_us: source.clock.error_us,
            reader_server_id: self.identity.server_id,
        };
        tracing::info!(%address, version = connected.version, after = %begin, "reading the log");
        self.send(Item::Connected(connected)).await?;
        Ok(Session {
            wire,
            decoder: Decoder::new(match source.flavour {
                Flavour::MySql => twinlog_binlog::Flavour::MySql,
                Flavour::MariaDb => twinlog_binlog::Flavour::MariaDb,
            }),
            clock: source.clock,
            file: Arc::from(""),
            position: 0,
            found: false,
            next_read: Instant::now(),
        })
    }

    async fn connect(&self) -> Result<(Wire, Source), End> {
        let connect = async {
            let mut wire = Wire::connect(&self.options.endpoint).await?;
            let source = Source::read(&mut wire).await?;
            Ok((wire, source))
        };
        connect.await.map_err(|error| self.judge(error))
    }

    /// Behind the same address the same server must be: the GTIDs of another's log say nothing of this one's.
    fn recognise(&mut self, source: &Source) -> Result<(), Error> {
        let expected = self.server.get_or_insert_with(|| source.name.clone());
        if *expected == source.name {
            return Ok(());
        }
        Err(Error::AnotherServer {
            address: self.options.endpoint.address.clone(),
            found: source.name.clone(),
            expected: expected.clone(),
        })
    }

    /// Why a server says that it cannot send its log: mostly because it has purged what is asked for.
    async fn diagnose(&mut self, error: ServerError) -> End {
        let look = async {
            let (mut wire, source) = self.connect().await?;
            self.recognise(&source)?;
            // MySQL tells what it purged, and so the beginning fails here with the right words.
            source.begin(&self.read, &self.options.endpoint.address)?;
            let missing = match source.flavour {
                Flavour::MariaDb => purged_on_mariadb(&mut wire, &self.read).await,
                Flavour::MySql => None,
            };
            if missing.is_some() || error.message.contains("purged") {
                return Err(End::from(Error::Purged {
                    address: self.options.endpoint.address.clone(),
                    missing,
                    message: Some(error.message.clone()),
                }));
            }
            Ok(())
        };
        match timeout(SETUP_MAX, look).await {
            Ok(Ok(())) => End::Fatal(error),
            Ok(Err(end)) => end,
            Err(_) => End::Passing(Interruption::Slow(SETUP_MAX)),
        }
    }

    /// All events in memory, and then more of them into memory.
    async fn step(&mut self, session: &mut Session) -> Result<(), End> {
        while let Some(next) = session.wire.event().map_err(|error| self.judge(error))? {
            match next {
                Dump::Event(event) => self.event(session, event).await?,
                Dump::End => return Err(End::Passing(Interruption::Ended)),
            }
        }
        let silence_max = if session.found {
            self.options.silence_max
        } else {
            self.options.silence_max.max(SEARCH_MAX)
        };
        sleep_until(session.next_read).await;
        match timeout(silence_max, session.wire.fill()).await {
            Ok(Ok(bytes)) => {
                if bytes < SMALL_READ_BYTES {
                    session.next_read = Instant::now() + GATHER;
                }
                Ok(())
            }
            Ok(Err(error)) => Err(self.judge(error)),
            Err(_) => Err(End::Passing(Interruption::Silent(silence_max))),
        }
    }

    async fn event(&mut self, session: &mut Session, event: Bytes) -> Result<(), End> {
        let end = end_in_log(&event);
        let output = session.decoder.push(event);
        match output.map_err(|error| self.undecodable(error))? {
            Output::Transaction(transaction) => {
                self.works(session);
                session.file = Arc::clone(&transaction.file);
                session.position = transaction.end;
                self.deliver(transaction, session.clock).await
            }
            Output::Rotate { file, position, .. } => self.pass(session, file, position).await,
            Output::Heartbeat { file, position } => {
                self.works(session);
                self.pass(session, file, position).await
            }
            Output::Nothing | Output::Format { .. } | Output::GtidList(_) | Output::Stop => {
                // What ends outside of a transaction is part of none.
                match end.filter(|_| session.decoder.open_bytes() == 0) {
                    Some(end) => {
                        let file = Arc::clone(&session.file);
                        // Headers have the low 32 bits; a place that seems to lie before has had its turn.
                        let position = (session.position & !u64::from(u32::MAX)) | u64::from(end);
                        self.pass(session, file, position.max(session.position))
                            .await
                    }
                    None => Ok(()),
                }
            }
        }
    }

    /// The server has found the place and sends from there: this connection was not in vain.
    fn works(&mut self, session: &mut Session) {
        session.found = true;
        self.failed = 0;
    }

    /// All before this place has been handed over.
    async fn pass(&self, session: &mut Session, file: Arc<str>, position: u64) -> Result<(), End> {
        if (&session.file, session.position) == (&file, position) {
            return Ok(());
        }
        session.file = file;
        session.position = position;
        self.send(Item::Position(Coordinates {
            file: session.file.to_string(),
            position,
        }))
        .await
    }

    /// Hands over a transaction once there is room for it, and remembers that it did.
    async fn deliver(&mut self, transaction: Box<Transaction>, clock: Clock) -> Result<(), End> {
        let Some(gtid) = transaction.gtid.clone() else {
            return Err(End::from(Error::NoGtids {
                address: self.options.endpoint.address.clone(),
                mode: "not ON all the time".into(),
            }));
        };
        let read_at = SystemTime::now();
        let lag = Lag::of(&transaction, clock.there_us(read_at));
        // A transaction greater than all the room takes all of it.
        let bytes = transaction
            .size_bytes
            .min(self.options.in_flight_bytes_max.max(1));
        let room = Arc::clone(&self.budget);
        let room = room.acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX));
        let permit = tokio::select! {
            // The semaphore is never closed.
            permit = room => permit.map_err(|_| End::Unwanted)?,
            () = self.items.closed() => return Err(End::Unwanted),
        };
        self.send(Item::Transaction(Received {
            transaction,
            read_at,
            lag,
            permit: Permit { _bytes: permit },
        }))
        .await?;
        gtids::add(&mut self.read, &gtid);
        Ok(())
    }

    async fn send(&self, item: Item) -> Result<(), End> {
        self.items.send(Ok(item)).await.map_err(|_| End::Unwanted)
    }

    /// Bytes may have changed on the way: the same place is read once more. What is wrong with the log itself, or with the
    /// decoder, is so again.
    fn undecodable(&mut self, error: twinlog_binlog::Error) -> End {
        let place = (Arc::clone(&error.file), error.position);
        if self.damaged.as_ref() == Some(&place) {
            return End::from(Error::Decode {
                address: self.options.endpoint.address.clone(),
                error,
            });
        }
        self.damaged = Some(place);
        End::Passing(Interruption::Damaged(error))
    }
}

/// Where the log says that an event ends: the low 32 bits. `None` for what the server made for this stream.
fn end_in_log(event: &[u8]) -> Option<u32> {
    let end = event.get(13..17)?.try_into().ok().map(u32::from_le_bytes)?;
    let flags = event.get(17..19)?.try_into().ok().map(u16::from_le_bytes)?;
    (flags & ARTIFICIAL == 0 && end > 0).then_some(end)
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".into())
}

#[cfg(test)]
mod tests;
