//! Who may log in, and how: the accounts of a server without their secrets, which never leave it.

use crate::{
    conn::{Conn, Error, Row},
    dialect::Dialect,
};

/// Privileges on `*.*` that a replication account has no use for: the column of `mysql.user`, and its name in SQL.
const POWERS: [(&str, &str); 7] = [
    ("Super_priv", "SUPER"),
    ("Create_user_priv", "CREATE USER"),
    ("Grant_priv", "GRANT OPTION"),
    ("Insert_priv", "INSERT"),
    ("Delete_priv", "DELETE"),
    ("File_priv", "FILE"),
    ("Shutdown_priv", "SHUTDOWN"),
];
/// Ways to log in that ask for a password; an account of another kind (a socket's owner, PAM) needs none.
const BY_PASSWORD: [&str; 6] = [
    "",
    "mysql_native_password",
    "sha256_password",
    "caching_sha2_password",
    "ed25519",
    "parsec",
];

/// One account that somebody can log in as: no role, not locked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// Its user; empty for the anonymous one.
    pub user: String,
    /// The host part.
    pub host: String,
    /// Whether it lets in without any password.
    pub open: bool,
    /// What it may do on `*.*` beyond replicating.
    pub powers: Vec<&'static str>,
}

impl std::fmt::Display for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "'{}'@'{}'", self.user, self.host)
    }
}

/// All accounts; `None` where the account that asks may not look.
///
/// # Errors
/// As [`Conn::rows`], except for a missing privilege.
pub async fn read(conn: &mut Conn, dialect: &Dialect) -> Result<Option<Vec<Login>>, Error> {
    match conn.rows(&query(dialect)).await {
        Ok(rows) => Ok(Some(rows.iter().filter_map(login).collect())),
        Err(Error::Statement {
            code: 1044 | 1142 | 1143 | 1227,
            ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Only whether there is a password is asked for, not its hash.
fn query(dialect: &Dialect) -> String {
    let powers = POWERS.map(|(column, _)| format!("u.{column}")).join(", ");
    let (open, closed, from) = if dialect.is_mariadb() {
        (
            "u.authentication_string = ''",
            "COALESCE(u.is_role = 'Y' OR JSON_VALUE(g.Priv, '$.account_locked') = '1', 0)",
            "mysql.user u LEFT JOIN mysql.global_priv g ON g.User = u.User AND g.Host = u.Host",
        )
    } else if dialect.version().at_least(5, 7, 6) {
        (
            "u.authentication_string = ''",
            "u.account_locked = 'Y'",
            "mysql.user u",
        )
    } else {
        (
            "u.Password = '' AND COALESCE(u.authentication_string, '') = ''",
            "0",
            "mysql.user u",
        )
    };
    format!(
        "SELECT u.User, u.Host, u.plugin, {open} AS open, {closed} AS closed, {powers} FROM {from}"
    )
}

fn login(row: &Row) -> Option<Login> {
    if row.get("closed") == Some("1") {
        return None;
    }
    let by_password = BY_PASSWORD.contains(&row.get("plugin").unwrap_or_default());
    Some(Login {
        user: row.at(0)?.to_owned(),
        host: row.at(1)?.to_owned(),
        open: by_password && row.get("open") == Some("1"),
        powers: POWERS
            .iter()
            .filter(|(column, _)| row.get(column) == Some("Y"))
            .map(|(_, name)| *name)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_without_a_password_is_open_unless_it_needs_none() {
        let row = |plugin, open, closed| {
            Row::from_columns([
                ("User", Some("u")),
                ("Host", Some("%")),
                ("plugin", Some(plugin)),
                ("open", Some(open)),
                ("closed", Some(closed)),
                ("Super_priv", Some("Y")),
                ("File_priv", Some("N")),
            ])
        };
        let open = login(&row("caching_sha2_password", "1", "0")).expect("an account");
        assert!(open.open);
        assert_eq!(
            (open.to_string(), open.powers),
            ("'u'@'%'".into(), vec!["SUPER"])
        );
        assert!(
            !login(&row("auth_socket", "1", "0"))
                .expect("an account")
                .open
        );
        assert!(!login(&row("", "0", "0")).expect("an account").open);
        assert_eq!(login(&row("", "1", "1")), None);
    }
}
