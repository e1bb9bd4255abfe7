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
        let made = self.make_in(conn, database).await;
        run_all(conn, SESSION_OF_COPY).await?;
        made
    }

    async fn make_in(&self, conn: &mut Conn, database: &str) -> Result<(), ConnError> {
        conn.execute(&format!("USE {}", identifier(database)))
            .await?;
        for sql in &self.session {
            set_as_known(conn, sql).await?;
        }
        conn.execute(&self.create).await
    }
}

/// Sets a variable of the session. A mode that a later version has no more (NO_AUTO_CREATE_USER, ORACLE) is left out of
/// `sql_mode`: its server says which.
async fn set_as_known(conn: &mut Conn, sql: &str) -> Result<(), ConnError> {
    let mut sql = sql.to_owned();
    loop {
        let error = match conn.execute(&sql).await {
            Err(error @ ConnError::Statement { code: 1231, .. }) => error,
            done => return done,
        };
        let ConnError::Statement { message, .. } = &error else {
            return Err(error);
        };
        let shorter = without_mode(&sql, message);
        match shorter {
            Some(shorter) => sql = shorter,
            None => return Err(error),
        }
    }
}

/// The statement without the mode that a server has refused; `None` where it has refused something else.
fn without_mode(sql: &str, message: &str) -> Option<String> {
    let (_, rest) = message.split_once("can't be set to the value of '")?;
    let (mode, _) = rest.split_once('\'')?;
    let (set, modes) = sql.split_once("sql_mode = '")?;
    let modes: Vec<&str> = modes.strip_suffix('\'')?.split(',').collect();
    let kept: Vec<&str> = modes.iter().copied().filter(|one| *one != mode).collect();
    (kept.len() < modes.len()).then(|| format!("{set}sql_mode = '{}'", kept.join(",")))
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

/// Makes all of them.
pub(super) async fn make_all(conn: &mut Conn, recipes: &[&Recipe]) -> Result<(), Error> {
    match make_what_can_be(conn, recipes).await?.into_iter().next() {
        Some((_, error)) => Err(error.into()),
        None => Ok(()),
    }
}

/// Makes all that can be made; returns the others, and why. A view may need another one first: those that cannot be made yet
/// are tried again as long as any can.
pub(super) async fn make_what_can_be<'a>(
    conn: &mut Conn,
    recipes: &[&'a Recipe],
) -> Result<Vec<(&'a Recipe, ConnError)>, Error> {
    let mut left = recipes.to_vec();
    loop {
        let (before, mut failed) = (left.len(), Vec::new());
        for recipe in left {
            match recipe.make(conn).await {
                Ok(()) => {}
                Err(error @ ConnError::Statement { .. }) => failed.push((recipe, error)),
                Err(error) => return Err(error.into()),
            }
        }
        if failed.is_empty() || failed.len() == before {
            return Ok(failed);
        }
        left = failed.into_iter().map(|(recipe, _)| recipe).collect();
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_that_is_unknown_is_left_out() {
        let sql = "SET SESSION sql_mode = 'ANSI_QUOTES,NO_AUTO_CREATE_USER'";
        let said = "Variable 'sql_mode' can't be set to the value of 'NO_AUTO_CREATE_USER'";
        let shorter = without_mode(sql, said).expect("one less");
        assert_eq!(shorter, "SET SESSION sql_mode = 'ANSI_QUOTES'");
        assert_eq!(without_mode(&shorter, said), None);
        let alone = without_mode("SET SESSION sql_mode = 'NO_AUTO_CREATE_USER'", said);
        assert_eq!(alone.as_deref(), Some("SET SESSION sql_mode = ''"));
        assert_eq!(
            without_mode(
                "SET SESSION time_zone = 'x'",
                "Unknown or incorrect time zone: 'x'"
            ),
            None
        );
    }
}
