//! How far each node is and how its link fares, asked again and again.

use std::time::Duration;

use tokio::sync::mpsc::Sender;
use twinlog_converge::Side;
use twinlog_server::{
    conn::{Conn, Error, within},
    dialect::Dialect,
    facts::{LinkFacts, Standing},
};

/// How often a node is asked: it decides how soon a transaction that a MariaDB applier skipped counts as executed, and
/// how soon a link that stopped is seen.
pub(super) const EVERY: Duration = Duration::from_millis(100);
/// A server that takes longer to say where it is does not answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What one node said of itself.
#[derive(Debug)]
pub(super) struct Sounding {
    /// Which node.
    pub(super) side: Side,
    /// How far it is.
    pub(super) standing: Standing,
    /// Its link as a replica.
    pub(super) link: Option<LinkFacts>,
}

/// Asks until nobody listens any more.
///
/// # Errors
/// The node's answer, when it is an error or none.
pub(super) async fn sound(
    side: Side,
    mut conn: Conn,
    dialect: Dialect,
    to: Sender<Sounding>,
) -> Result<(), Error> {
    let show_links = dialect.show_links();
    loop {
        let asked = within(ANSWER_TIMEOUT, async {
            let standing = Standing::read(&mut conn, &dialect).await?;
            let links = conn.rows(&show_links).await?;
            Ok::<_, Error>((standing, links))
        });
        let (standing, links) = asked.await.unwrap_or_else(|| {
            Err(Error::Lost {
                address: conn.address().clone(),
                reason: format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()),
                sql: "how far are you".into(),
            })
        })?;
        let sounding = Sounding {
            side,
            standing,
            link: links.first().map(LinkFacts::from_row),
        };
        if to.send(sounding).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(EVERY).await;
    }
}
