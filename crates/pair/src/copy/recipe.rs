//! Views, programs and sequences: what the source says they are made of, and how the target makes them.

use serde::{Deserialize, Serialize};
use twinlog_server::{
    conn::{Conn, Error as ConnError, Row},
    dialect::Dialect,
    sql::{identifier, literal},
};

use super::{
    Error,
    inventory::{Kind, Object},
    mark, run_all,
    target::SESSION_OF_COPY,
};

/// How an object is made: what the session must be set to, and the statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    #[serde(flatten)]
    pub(crate) object: Object,
    pub(crate) session: Vec<String>,
    pub(crate) create: String,
}

/// What is kept with a program, and its session must be set to. Not the client's character set: the statement comes in
/// utf8mb4, whatever it was first said in; literals become what they were by the connection's.
const KEPT: [&str; 3] = ["sql_mode", "collation_connection", "time_zone"];

impl Recipe {
    /// Reads from the source how it is made.
    pub(crate) async fn read(conn: &mut Conn, object: &Object) -> Result<Self, Error> {
        let (word, name) = (object.kind.word(), object.sql_name());
        let row = conn
            .row(&format!("SHOW CREATE {word} {name}"))
            .await?
            .unwrap_or_default();
        let Some(create) = create_of(object.kind, &row) else {
            return Err(Error::Unseen(format!("{} {name}", word.to_lowercase())));
        };
        let session = KEPT.iter().filter_map(|variable| {
            let value = row.get(variable)?;
            Some(format!("SET SESSION {variable} = {}", literal(value)))
        });
        Ok(Self {
            object: object.clone(),
            session: session.collect(),
            create: create.to_owned(),
        })
    }

    /// The same for the node's peer. An event runs on one of them: replication itself makes it so.
    pub(super) fn on_peer(&self, peer: &Dialect) -> Self {
        Self {
            create: match self.object.kind {
                Kind::Event => turned(&self.create, peer),
                _ => self.create.clone(),
            },
            ..self.clone()
        }
    }

    /// Makes it on the target.
    pub(super) async fn make(&self, conn: &mut Conn) -> Result<(), ConnError> {
        let Object {
            kind,
            database,
            name,
        } = &self.object;
        mark::will_make(conn, kind.word(), database, name).await?;
        let session = self.session.iter().map(String::as_str);
        let named = format!("USE {}", identifier(database));
        run_all(conn, [named.as_str()].into_iter().chain(session)).await?;
        let made = conn.execute(&self.create).await;
        run_all(conn, SESSION_OF_COPY).await?;
        made
    }
}

fn create_of(kind: Kind, row: &Row) -> Option<&str> {
    match kind {
        Kind::Trigger => row.get("SQL Original Statement"),
        // They have the name, and then the statement.
        Kind::View | Kind::Sequence => row.at(1),
        _ => {
            let mut columns = row.columns();
            columns.find(|(column, _)| column.starts_with("Create "))?.1
        }
    }
}

/// An event that runs does not on the peer, and one that is left to the peer does.
fn turned(create: &str, peer: &Dialect) -> String {
    const ENABLED: &str = " PRESERVE ENABLE";
    let left = |word| format!(" PRESERVE DISABLE ON {word}");
    let words = ["SLAVE", "REPLICA"].map(left);
    match words.iter().find(|words| create.contains(words.as_str())) {
        Some(words) => create.replacen(words, ENABLED, 1),
        None => {
            let on = format!(" PRESERVE {}", peer.row().disable_event);
            create.replacen(ENABLED, &on, 1)
        }
    }
}

/// Makes all of them. A view may need another one first: those that cannot be made yet are tried again as long as any can.
pub(super) async fn make_all(conn: &mut Conn, recipes: &[&Recipe]) -> Result<(), Error> {
    let mut left = recipes.to_vec();
    while !left.is_empty() {
        let (before, mut failed, mut last) = (left.len(), Vec::new(), None);
        for recipe in left {
            match recipe.make(conn).await {
                Ok(()) => {}
                Err(error @ ConnError::Statement { .. }) => {
                    failed.push(recipe);
                    last = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        left = failed;
        if let (true, Some(error)) = (left.len() == before, last) {
            return Err(error.into());
        }
    }
    Ok(())
}

/// Sequences go on from where the source's are by now: what it gave out since the snapshot comes over the link, too.
pub(super) async fn set_sequences(
    source: &mut Conn,
    target: &mut Conn,
    recipes: &[Recipe],
) -> Result<(), Error> {
    for recipe in recipes
        .iter()
        .filter(|recipe| recipe.object.kind == Kind::Sequence)
    {
        let name = recipe.object.sql_name();
        let next = source
            .value(&format!("SELECT next_not_cached_value FROM {name}"))
            .await?;
        if let Some(next) = next {
            set_sequence(target, &recipe.object, &next).await?;
        }
    }
    Ok(())
}

/// A sequence goes on from that number.
pub(super) async fn set_sequence(
    conn: &mut Conn,
    sequence: &Object,
    next: &str,
) -> Result<(), ConnError> {
    let name = sequence.sql_name();
    conn.execute(&format!("DO SETVAL({name}, {next}, 0)")).await
}
