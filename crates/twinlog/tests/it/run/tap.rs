//! A tap on the agent's connections to a node: it lies between the agent and the node's socket, sees each statement of the
//! connection that repairs, and can hold it at one of them.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, watch};

use crate::support::Pair;

/// `COM_QUERY`, the first byte of a packet that begins a statement.
const QUERY: u8 = 3;

/// What becomes of what the agent and the servers say to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Line {
    /// It arrives.
    #[default]
    Open,
    /// Connections break, and new ones too.
    Cut,
    /// Connections stay, and nothing comes through.
    Silent,
}

/// Where the statements of repairs are counted and held, on both nodes together.
#[derive(Debug, Default)]
struct Gate {
    line: watch::Sender<Line>,
    /// Whether a repair has begun.
    begun: AtomicBool,
    /// How many moments have passed.
    passed: AtomicUsize,
    /// At which one everything stands still; 0 for none.
    hold_at: AtomicUsize,
    held: Notify,
}

impl Gate {
    /// The agent says this to the server; whether it is to be held there.
    fn says(&self, statement: &str) -> bool {
        if statement == "START TRANSACTION" {
            self.begun.store(true, Ordering::SeqCst);
        }
        // Before a read it is as before what follows.
        let reads = statement.starts_with("SELECT") && !statement.ends_with("FOR UPDATE");
        let nothing = reads || statement.starts_with("SHOW");
        self.begun.load(Ordering::SeqCst) && !nothing && self.is_now()
    }

    async fn opens(&self) {
        // The sender is this gate's own, and lives.
        let _ = self
            .line
            .subscribe()
            .wait_for(|line| *line == Line::Open)
            .await;
    }

    /// One more moment; whether it is the one.
    fn is_now(&self) -> bool {
        let passed = self.passed.fetch_add(1, Ordering::SeqCst) + 1;
        let now = passed == self.hold_at.load(Ordering::SeqCst);
        if now {
            self.held.notify_one();
        }
        now
    }
}

/// A tap on both nodes of a pair, as long as it lives.
pub(super) struct Tap {
    gate: Arc<Gate>,
    tasks: [tokio::task::JoinHandle<()>; 2],
}

impl Tap {
    /// Puts itself in the place of both sockets.
    pub(super) fn on(pair: &Pair) -> Self {
        let gate = Arc::new(Gate::default());
        let tasks = ["a", "b"].map(|node| {
            let socket = pair.node_dir(node).join("mysqld.sock");
            let server = socket.with_extension("real");
            fs::rename(&socket, &server).unwrap();
            let listener = UnixListener::bind(&socket).unwrap();
            let gate = Arc::clone(&gate);
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    let Ok(server) = UnixStream::connect(&server).await else {
                        continue;
                    };
                    tokio::spawn(pass(client, server, Arc::clone(&gate)));
                }
            })
        });
        Self { gate, tasks }
    }

    /// From now on the agent is held at this moment after its first repair began, counted from 1: before each statement that
    /// locks or changes something reaches the server, and once more before the answer to a COMMIT reaches the agent. 0: it is not held.
    pub(super) fn hold_at(&self, moment: usize) {
        self.gate.begun.store(false, Ordering::SeqCst);
        self.gate.passed.store(0, Ordering::SeqCst);
        self.gate.hold_at.store(moment, Ordering::SeqCst);
    }

    /// Changes the lines to both nodes, of everybody.
    pub(super) fn set(&self, line: Line) {
        self.gate.line.send_replace(line);
    }

    /// Waits until it is held.
    pub(super) async fn held(&self) {
        self.gate.held.notified().await;
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Until either side ends it.
async fn pass(client: UnixStream, server: UnixStream, gate: Arc<Gate>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let commits = AtomicBool::new(false);
    let mut line = gate.line.subscribe();
    tokio::select! {
        _ = line.wait_for(|line| *line == Line::Cut) => {}
        _ = statements(from_client, to_server, &gate, &commits) => {}
        _ = answers(from_server, to_client, &gate, &commits) => {}
    }
}

/// What the client says, packet by packet: three bytes of length, one of order, and the content.
async fn statements(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    gate: &Gate,
    commits: &AtomicBool,
) -> std::io::Result<()> {
    let mut repairs = false;
    loop {
        let mut packet = vec![0; 4];
        from.read_exact(&mut packet).await?;
        let length = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]) as usize;
        packet.resize(4 + length, 0);
        from.read_exact(&mut packet[4..]).await?;
        let text = match packet.get(4) {
            Some(&QUERY) if packet[3] == 0 => String::from_utf8_lossy(&packet[5..]),
            _ => "".into(),
        };
        repairs |= text.contains("GET_LOCK('twinlog.agent");
        if repairs && !text.is_empty() && gate.says(&text) {
            held(from).await;
            return Ok(());
        }
        gate.opens().await;
        commits.store(repairs && text == "COMMIT", Ordering::SeqCst);
        to.write_all(&packet).await?;
    }
}

/// What the server says.
async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    gate: &Gate,
    commits: &AtomicBool,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        if commits.swap(false, Ordering::SeqCst) && gate.is_now() {
            // The agent's end is seen by the other direction.
            std::future::pending::<()>().await;
        }
        gate.opens().await;
        to.write_all(&buffer[..length]).await?;
    }
}

/// Until the client is gone.
async fn held(mut from: OwnedReadHalf) {
    let mut rest = [0; 1024];
    while from.read(&mut rest).await.is_ok_and(|length| length > 0) {}
}
