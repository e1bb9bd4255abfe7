//! How far each node is and how its link fares, asked again and again.

use std::time::Duration;

use tokio::sync::mpsc::Sender;
use twinlog_converge::Side;
use twinlog_server::{
    conn::{Conn, Error, within},
    dialect::Dialect,
    facts::{LinkFacts, Standing},
};

use super::links::{self, Cure};

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

/// Starts a link that stopped for a reason that is dealt with.
async fn mend(
    conn: &mut Conn,
    dialect: &Dialect,
    link: &LinkFacts,
    policy_is_active: bool,
) -> Result<(), Error> {
    let cure = links::cure(link, policy_is_active);
    let what = match cure {
        Cure::Nothing | Cure::Leave => return Ok(()),
        Cure::Start => "starting it again",
        Cure::Pass => "letting the change pass; what it left on both nodes is judged next",
    };
    tracing::warn!(
        "the applier of {} stopped at error {}: {}; {what}",
        conn.address(),
        link.applier_errno,
        link.applier_error
    );
    links::start(conn, dialect, link, cure).await
}

/// Asks until nobody listens any more.
///
/// # Errors
/// The node's answer, when it is an error or none.
pub(super) async fn sound(
    side: Side,
    mut conn: Conn,
    dialect: Dialect,
    policy_is_active: bool,
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
        let link = links.first().map(LinkFacts::from_row);
        if let Some(link) = &link {
            mend(&mut conn, &dialect, link, policy_is_active).await?;
        }
        let sounding = Sounding {
            side,
            standing,
            link,
        };
        if to.send(sounding).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(EVERY).await;
    }
}
