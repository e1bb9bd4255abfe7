//! Accounts of users, and what they may do.

use twinlog_server::{
    conn::{Conn, Error},
    dialect::{Account, Dialect},
    sql::literal,
};

use super::{Has, Part, Thing, lines};

const ACCOUNTS: &str = "accounts";
/// Accounts that a server, its package or its image makes for itself, each with a password of its own: MySQL's, MariaDB's,
/// Debian's, and that of MariaDB's image.
const SYSTEM: [&str; 8] = [
    "root",
    "mysql.sys",
    "mysql.session",
    "mysql.infoschema",
    "mariadb.sys",
    "mysql",
    "debian-sys-maint",
    "healthcheck",
];
/// MariaDB's role that everybody has; it is not quoted.
const PUBLIC: &str = "PUBLIC";
/// `ER_NONEXISTING_GRANT`, `ER_CANNOT_USER`: it was dropped a moment ago.
const GONE: [u16; 2] = [1141, 1396];
/// What a password's hash follows in `SHOW CREATE USER`.
const BEFORE_SECRETS: [&str; 4] = [" AS '", " AS 0x", " PASSWORD '", " USING '"];

/// Reads all accounts but the system's, twinlog's own, and those that twinlog logs in as to change the servers.
pub(super) async fn read(
    conn: &mut Conn,
    dialect: &Dialect,
    operators: &[&str],
    has: &mut Has,
) -> Result<(), Error> {
    // Hashes may be of any bytes.
    conn.set_if_known("SET SESSION print_identified_with_as_hex = 1")
        .await?;
    let role = if dialect.is_mariadb() {
        "is_role"
    } else {
        "'N'"
    };
    let listed = conn
        .rows(&format!("SELECT User, Host, {role} FROM mysql.user"))
        .await;
    let Some(listed) = has.seen(ACCOUNTS, &[], listed)? else {
        return Ok(());
    };
    for row in &listed {
        let (user, host) = (row.at(0).unwrap_or_default(), row.at(1).unwrap_or_default());
        let is_own = Account::ALL.iter().any(|account| account.user() == user);
        if is_own || SYSTEM.contains(&user) || operators.contains(&user) {
            continue;
        }
        let is_role = row.at(2) == Some("Y");
        let name = match is_role {
            true if user == PUBLIC => PUBLIC.to_owned(),
            true => literal(user),
            false => format!("{}@{}", literal(user), literal(host)),
        };
        let at = format!("{} {name}", if is_role { "role" } else { "account" });
        let read = account(conn, dialect, &name, is_role).await;
        if let Some(thing) = has.seen(&at, &GONE, read)? {
            has.things.insert(at, thing);
        }
    }
    Ok(())
}

async fn account(
    conn: &mut Conn,
    dialect: &Dialect,
    name: &str,
    is_role: bool,
) -> Result<Thing, Error> {
    let (mut grants, mut secrets) = (Vec::new(), String::new());
    for line in lines(conn, &format!("SHOW GRANTS FOR {name}")).await? {
        // Some servers say here how it logs in, too.
        let (line, secret) = without_secrets(&line);
        grants.push(line);
        secrets += &secret;
    }
    grants.sort();
    let create = match is_role || !dialect.row().user_if_not_exists {
        true => Vec::new(),
        false => lines(conn, &format!("SHOW CREATE USER {name}")).await?,
    };
    let (options, secret) = without_secrets(&create.join("\n"));
    secrets += &secret;
    let part = |said, text, shown| Part { said, text, shown };
    Ok(Thing {
        kind: ACCOUNTS,
        parts: vec![
            part("grants differ", grants.join("\n"), true),
            part("passwords differ", secrets, false),
            part(
                "they differ in how one logs in, in limits, or in being locked",
                options,
                false,
            ),
        ],
    })
}

/// What an account is made with, and apart from it the hashes of its passwords.
fn without_secrets(create: &str) -> (String, String) {
    let (mut options, mut secrets, mut rest) = (String::new(), String::new(), create);
    loop {
        let marks = BEFORE_SECRETS.iter();
        let found = marks.filter_map(|mark| Some((rest.find(mark)?, *mark)));
        let Some((at, mark)) = found.min() else {
            options += rest;
            return (options, secrets);
        };
        let (before, after) = rest.split_at(at + mark.len());
        let end = match mark.ends_with('\'') {
            true => end_of_quoted(after),
            false => after.find(' ').unwrap_or(after.len()),
        };
        options += before;
        secrets += &after[..end];
        secrets.push('\n');
        rest = &after[end..];
    }
}

/// Where a quoted text ends that has begun; a quote in it is written twice, or after a backslash.
fn end_of_quoted(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => {
                chars.next();
            }
            '\'' if chars.next_if(|(_, next)| *next == '\'').is_none() => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_taken_apart_from_what_may_be_shown() {
        for (create, options, secrets) in [
            (
                "CREATE USER `x`@`%` IDENTIFIED WITH 'caching_sha2_password' AS 0x24412430 REQUIRE NONE ACCOUNT UNLOCK",
                "CREATE USER `x`@`%` IDENTIFIED WITH 'caching_sha2_password' AS 0x REQUIRE NONE ACCOUNT UNLOCK",
                "24412430\n",
            ),
            (
                "CREATE USER 'x'@'%' IDENTIFIED WITH 'p' AS 'it''s\\'x' REQUIRE SSL",
                "CREATE USER 'x'@'%' IDENTIFIED WITH 'p' AS '' REQUIRE SSL",
                "it''s\\'x\n",
            ),
            (
                "CREATE USER `x`@`%` IDENTIFIED VIA ed25519 USING 'abc' OR mysql_native_password USING '*1'",
                "CREATE USER `x`@`%` IDENTIFIED VIA ed25519 USING '' OR mysql_native_password USING ''",
                "abc\n*1\n",
            ),
            (
                "GRANT USAGE ON *.* TO `x`@`%` IDENTIFIED BY PASSWORD '*AB' WITH GRANT OPTION",
                "GRANT USAGE ON *.* TO `x`@`%` IDENTIFIED BY PASSWORD '' WITH GRANT OPTION",
                "*AB\n",
            ),
            ("CREATE USER `x`@`%`", "CREATE USER `x`@`%`", ""),
        ] {
            assert_eq!(
                without_secrets(create),
                (options.to_owned(), secrets.to_owned())
            );
        }
    }
}
