//! The proof of a pair: a canary in each direction, or the link's own error.

use std::time::Duration;

use futures_util::future::try_join;
use twinlog_server::{
    conn::Error as ConnError,
    facts::{LinkFacts, ServerFacts},
};

use crate::{
    canary::{self, Outcome, Way},
    explain,
    site::{Login, Site},
};

/// How long a canary may take before the proof fails. A new link connects within a second; one that had to catch up
/// takes longer and is waited for.
pub const PROOF_TIMEOUT: Duration = Duration::from_secs(30);

/// A proven link.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The source's name.
    pub source: String,
    /// The replica's name.
    pub replica: String,
    /// From the commit on the source to the row on the replica.
    pub took: Duration,
    /// How it crossed.
    pub way: Way,
}

/// A link that is not proven.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A server could not be asked.
    #[error("{source_name}→{replica_name} is not proven: {error}")]
    Sql {
        /// The source's name.
        source_name: String,
        /// The replica's name.
        replica_name: String,
        /// What happened.
        error: ConnError,
    },
    /// The link reports an error.
    #[error("{source_name}→{replica_name} does not work: {}", link.error().map_or(String::new(), |(code, text)| format!("ERROR {code}: {text}")))]
    Broken {
        /// The source's name.
        source_name: String,
        /// The replica's name.
        replica_name: String,
        /// Its report.
        link: Box<LinkFacts>,
    },
    /// Nothing arrived, and nobody says why.
    #[error("{source_name}→{replica_name} is not proven: what was written on {source_name} is not on {replica_name} after {} s", waited.as_secs())]
    Late {
        /// The source's name.
        source_name: String,
        /// The replica's name.
        replica_name: String,
        /// How long it was waited for.
        waited: Duration,
        /// The link's last report, if there is a link.
        link: Option<Box<LinkFacts>>,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Sql { error, .. } => error.hint(),
            Self::Broken { link, .. } => link
                .error()
                .and_then(|(code, text)| explain::link_error(code, text)),
            Self::Late { link: None, .. } => {
                Some("there is no link: run `twinlog up` again".into())
            }
            Self::Late {
                link: Some(link), ..
            } if link.delay_s > 0 => Some(format!(
                "the link is delayed on purpose, by {} s",
                link.delay_s
            )),
            Self::Late {
                link: Some(link), ..
            } if !link.filters.is_empty() => {
                let filters: Vec<String> = link
                    .filters
                    .iter()
                    .map(|(rule, value)| format!("{rule}: {value}"))
                    .collect();
                Some(format!("a filter may keep it out: {}", filters.join(", ")))
            }
            Self::Late { .. } => Some(
                "the replica may have much to catch up with: `twinlog status` shows how much"
                    .into(),
            ),
        }
    }
}

/// Sends a canary in both directions at once.
///
/// # Errors
/// The first link that is not proven.
pub async fn prove(site: &Site, limit: Duration) -> Result<Vec<Proven>, Error> {
    let (first, second) = try_join(prove_link(site, 0, limit), prove_link(site, 1, limit)).await?;
    Ok(vec![first, second])
}

async fn prove_link(site: &Site, source: usize, limit: Duration) -> Result<Proven, Error> {
    let nodes = [site.nodes()[source], site.nodes()[1 - source]];
    let (source_name, replica_name) = (nodes[0].name.clone(), nodes[1].name.clone());
    let sent = async {
        let mut conn = site
            .connect(nodes[0], Login::Admin, site.patience())
            .await?;
        let mut replica = site
            .connect(nodes[1], Login::Admin, site.patience())
            .await?;
        let facts = [
            ServerFacts::read(&mut conn).await?,
            ServerFacts::read(&mut replica).await?,
        ];
        let way = canary::way(&facts[0], &facts[1]);
        let dialects = [facts[0].dialect, facts[1].dialect];
        let outcome =
            canary::send(&mut conn, &mut replica, dialects, &source_name, &way, limit).await?;
        conn.close().await;
        replica.close().await;
        Ok((outcome, way))
    };
    match sent.await {
        Ok((Outcome::Arrived(took), way)) => Ok(Proven {
            source: source_name,
            replica: replica_name,
            took,
            way,
        }),
        Ok((Outcome::Broken(link), _)) => Err(Error::Broken {
            source_name,
            replica_name,
            link,
        }),
        Ok((Outcome::Late(link), _)) => Err(Error::Late {
            source_name,
            replica_name,
            waited: limit,
            link,
        }),
        Err(error) => Err(Error::Sql {
            source_name,
            replica_name,
            error,
        }),
    }
}
