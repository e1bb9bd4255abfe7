//! Statements that nobody waits for any more.
//!
//! A server goes on with a statement whose client is gone, and notices at its end: MySQL 9.7 and MariaDB 10.11 were still at
//! one seconds after its client had been killed. So it is ended over another connection, by whoever notices first: the
//! connection, when it is dropped in the middle of a statement, or the program, when it ends ([`end_all`]).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;

use super::{Conn, Endpoint, Error};

/// How long ending statements may take: who interrupts a program does not wait for longer.
const END_TIMEOUT: Duration = Duration::from_secs(5);
/// `ER_NO_SUCH_THREAD`: it has come to its end.
const NO_SUCH_THREAD: u16 = 1094;

/// The statements under way that are to be ended with those who wait for them.
static REGISTER: Mutex<Register> = Mutex::new(Register {
    is_closed: false,
    last: 0,
    under_way: BTreeMap::new(),
});

struct Register {
    /// The program ends: no statement begins any more.
    is_closed: bool,
    last: u64,
    under_way: BTreeMap<u64, Arc<Target>>,
}

/// What `KILL` takes, and where.
#[derive(Debug)]
struct Target {
    endpoint: Endpoint,
    id: u32,
}

/// Whether a statement of a connection is under way. Still so after it means that its rows were not read to the end.
#[derive(Debug)]
pub(super) struct Turn {
    is_under_way: bool,
    target: Arc<Target>,
    /// Whether a statement is ended with those who wait for it.
    ends: bool,
    /// The statement's place in the register.
    place: Option<u64>,
}

impl Turn {
    pub(super) fn new(endpoint: &Endpoint, id: u32) -> Self {
        Self {
            is_under_way: false,
            target: Arc::new(Target {
                endpoint: endpoint.clone(),
                id,
            }),
            ends: false,
            place: None,
        }
    }

    pub(super) fn end_when_dropped(&mut self) {
        self.ends = true;
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// A statement begins.
    pub(super) async fn begin(&mut self) {
        self.is_under_way = true;
        if !self.ends {
            return;
        }
        let place = {
            let mut register = register();
            register.last += 1;
            let place = register.last;
            if !register.is_closed {
                register.under_way.insert(place, Arc::clone(&self.target));
            }
            (!register.is_closed).then_some(place)
        };
        self.place = place;
        self.stand().await;
    }

    /// It is done.
    pub(super) fn end(&mut self) {
        self.is_under_way = false;
        if let Some(place) = self.place.take() {
            register().under_way.remove(&place);
        }
    }

    /// Returns, unless the program ends: then what comes of a statement is that it was ended, and not to be taken for the
    /// server's answer. So whoever waits for it waits until the program is gone.
    pub(super) async fn stand(&self) {
        if self.ends && register().is_closed {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else {
            return;
        };
        // Where there is no runtime any more, the program ends, and with it what is in the register.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(end(place, Arc::clone(&self.target)));
        }
    }
}

/// Ends, on their servers, all statements of connections that asked for it ([`Conn::end_when_dropped`]), and lets no other
/// one of theirs begin: the program ends.
pub async fn end_all() {
    let under_way = {
        let mut register = register();
        register.is_closed = true;
        register.under_way.clone()
    };
    let ends = under_way
        .into_iter()
        .map(|(place, target)| end(place, target));
    join_all(ends).await;
}

/// Ends a connection on its server: with it goes the statement that it is at, its transaction, and every statement after.
async fn end(place: u64, target: Arc<Target>) {
    let kill = async {
        let mut conn = Conn::open_within(&target.endpoint, END_TIMEOUT).await?;
        match conn.execute(&format!("KILL {}", target.id)).await {
            Err(error) if error.code() != Some(NO_SUCH_THREAD) => return Err(error),
            _ => {}
        }
        conn.close().await;
        Ok::<(), Error>(())
    };
    let why = match tokio::time::timeout(END_TIMEOUT, kill).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("no answer".to_owned()),
    };
    if let Some(why) = why {
        let address = &target.endpoint.address;
        tracing::warn!("{address} may still be at a statement that nobody waits for: {why}");
    }
    register().under_way.remove(&place);
}

fn register() -> MutexGuard<'static, Register> {
    REGISTER.lock().unwrap_or_else(PoisonError::into_inner)
}
