//! Databases, views, routines, triggers, events and sequences, as a node defines them.

use twinlog_server::{
    conn::{Conn, Error},
    facts::schema::condition,
};

use super::{Has, Part, Thing, lines};
use crate::copy::{self, Kind, Object, Recipe, objects};

const DATABASES: &str = "databases";
/// `ER_BAD_DB_ERROR`, `ER_NO_SUCH_TABLE`, `ER_SP_DOES_NOT_EXIST`, `ER_TRG_DOES_NOT_EXIST`, `ER_EVENT_DOES_NOT_EXIST`,
/// `ER_UNKNOWN_SEQUENCES`: it was dropped a moment ago.
const GONE: [u16; 6] = [1049, 1146, 1305, 1360, 1539, 4091];

/// All of a kind, and the privilege on `*.*` without which a server hides some of them, or how they are made.
fn kind_of(object: &Object) -> (&'static str, &'static str) {
    match object.kind {
        Kind::Sequence => ("sequences", "SELECT"),
        Kind::View => ("views", "SHOW VIEW"),
        Kind::Trigger => ("triggers", "TRIGGER"),
        Kind::Event => ("events", "EVENT"),
        Kind::Function | Kind::Procedure | Kind::PackageSpec | Kind::PackageBody => {
            ("routines", "SELECT")
        }
    }
}

pub(super) async fn read(
    conn: &mut Conn,
    only: Option<&[String]>,
    has: &mut Has,
) -> Result<(), Error> {
    read_databases(conn, only, has).await?;
    let grants = lines(conn, "SHOW GRANTS").await?;
    for (kind, privilege) in [
        ("sequences", "SELECT"),
        ("views", "SHOW VIEW"),
        ("triggers", "TRIGGER"),
        ("events", "EVENT"),
        ("routines", "SELECT"),
    ] {
        if lacks(&grants, privilege) {
            let why = format!("twinlog's account there lacks {privilege} on *.*");
            has.unseen.insert(kind.to_owned(), why);
        }
    }
    for object in objects(conn, only).await? {
        let (kind, _) = kind_of(&object);
        if has.unseen.contains_key(kind) {
            continue;
        }
        let word = object.kind.word().to_lowercase();
        let at = format!("{word} {}.{}", object.database, object.name);
        let recipe = match Recipe::read(conn, &object).await {
            Ok(recipe) => recipe,
            Err(copy::Error::Server(error)) => {
                has.seen::<()>(&at, &GONE, Err(error))?;
                continue;
            }
            Err(error) => {
                has.unseen.insert(at, error.to_string());
                continue;
            }
        };
        has.things.insert(at, thing(kind, recipe));
    }
    Ok(())
}

fn thing(kind: &'static str, recipe: Recipe) -> Thing {
    let create = match recipe.object.kind {
        Kind::Event => without_state(&recipe.create),
        _ => recipe.create,
    };
    Thing {
        kind,
        parts: vec![
            Part {
                said: "defined differently",
                text: create,
                shown: false,
            },
            Part {
                said: "made under other settings",
                text: recipe.session.join("\n"),
                shown: true,
            },
        ],
    }
}

async fn read_databases(
    conn: &mut Conn,
    only: Option<&[String]>,
    has: &mut Has,
) -> Result<(), Error> {
    let sql = format!(
        "SELECT SCHEMA_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE {}",
        condition("SCHEMA_NAME", only)
    );
    for row in conn.rows(&sql).await? {
        let (Some(name), Some(collation)) = (row.at(0), row.at(1)) else {
            continue;
        };
        let collation = Part {
            said: "default collations differ",
            // Versions have two names for it.
            text: collation.replace("utf8_", "utf8mb3_"),
            shown: true,
        };
        let thing = Thing {
            kind: DATABASES,
            parts: vec![collation],
        };
        has.things.insert(format!("database {name}"), thing);
    }
    Ok(())
}

/// Whether lines of `SHOW GRANTS` do not give a privilege everywhere. What a role gives cannot be told from them.
fn lacks(grants: &[String], privilege: &str) -> bool {
    let has_role = grants.iter().any(|line| !line.contains(" ON "));
    let gives = |line: &String| {
        let (list, _) = line.split_once(" ON *.* ")?;
        let list = list.strip_prefix("GRANT ")?;
        let mut names = list.split(", ");
        Some(names.any(|name| name == privilege || name == "ALL PRIVILEGES"))
    };
    !has_role && !grants.iter().any(|line| gives(line) == Some(true))
}

/// Whether an event runs is a matter of each node: it runs where it was made, and on the peer it is disabled.
fn without_state(create: &str) -> String {
    let Some((before, after)) = create.split_once(" PRESERVE ") else {
        return create.to_owned();
    };
    let states = [
        "DISABLE ON REPLICA",
        "DISABLE ON SLAVE",
        "DISABLE",
        "ENABLE",
    ];
    let rest = states.iter().find_map(|state| after.strip_prefix(state));
    format!("{before} PRESERVE{}", rest.unwrap_or(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_an_event_runs_is_no_part_of_its_definition() {
        let event = |state: &str, what: &str| {
            let create = format!(
                "CREATE DEFINER=`root`@`localhost` EVENT `e` ON SCHEDULE EVERY 1 DAY ON COMPLETION NOT PRESERVE {state} DO {what}"
            );
            without_state(&create)
        };
        for state in ["DISABLE", "DISABLE ON SLAVE", "DISABLE ON REPLICA"] {
            assert_eq!(event(state, "SELECT 1"), event("ENABLE", "SELECT 1"));
        }
        assert_ne!(event("ENABLE", "SELECT 2"), event("ENABLE", "SELECT 1"));
    }

    #[test]
    fn a_privilege_on_one_database_is_none_on_all() {
        let lines = |lines: &[&str]| -> Vec<String> {
            lines.iter().map(|line| (*line).to_owned()).collect()
        };
        let some = lines(&[
            "GRANT PROCESS, SHOW VIEW ON *.* TO `x`@`%`",
            "GRANT SELECT ON `shop`.* TO `x`@`%`",
        ]);
        assert!(!lacks(&some, "SHOW VIEW"));
        assert!(lacks(&some, "SELECT"));
        let all = lines(&["GRANT ALL PRIVILEGES ON *.* TO 'root'@'localhost' WITH GRANT OPTION"]);
        assert!(!lacks(&all, "SELECT"));
        let role = lines(&[
            "GRANT USAGE ON *.* TO `x`@`%`",
            "GRANT `dba`@`%` TO `x`@`%`",
        ]);
        assert!(!lacks(&role, "SELECT"));
    }
}
