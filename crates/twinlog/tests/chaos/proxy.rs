//! The network between the nodes: a TCP proxy in front of each, for the peer's replica alone.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    Open,
    /// Connections break, and new ones too.
    Cut,
    /// Connections stay, and nothing comes through.
    Stalled,
}

/// A proxy that runs as long as the value lives.
pub(crate) struct Proxy {
    network: watch::Sender<Network>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Passes on what comes to `port` to `target`, both on 127.0.0.1.
    pub(crate) async fn start(port: u16, target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap_or_else(|error| panic!("port {port}: {error}"));
        let (network, state) = watch::channel(Network::Open);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, target, state.clone()));
            }
        });
        Self { network, task }
    }

    pub(crate) fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Until either side, or the network, ends the connection.
async fn pass(client: TcpStream, target: u16, network: watch::Receiver<Network>) {
    if *network.borrow() == Network::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pump(from_client, to_server, network.clone()) => {}
        () = pump(from_server, to_client, network) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut network: watch::Receiver<Network>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let state = *network.borrow_and_update();
        match state {
            Network::Cut => return,
            Network::Stalled => {
                if network.changed().await.is_err() {
                    return;
                }
            }
            Network::Open => tokio::select! {
                changed = network.changed() => if changed.is_err() {
                    return;
                },
                read = from.read(&mut buffer) => match read {
                    Ok(length) if length > 0 => {
                        if to.write_all(&buffer[..length]).await.is_err() {
                            return;
                        }
                    }
                    _ => return,
                },
            },
        }
    }
}
