//! Users and roles that the target lacks, with their passwords as they are and their grants. Only on request: replication
//! carries those that are made later, and those of before may be meant for one node.

use std::{collections::BTreeSet, fmt};

use secrecy::SecretString;
use twinlog_server::{
    conn::{Conn, Error as ConnError},
    dialect::Dialect,
    sql::{identifier, literal},
};

use super::{Error, mark::Made};

/// What [`Made`] says of somebody's having asked for it, so that whoever goes on does it, too.
const ASKED: &str = "ACCOUNTS";
/// The word for one that was made.
const ACCOUNT: &str = "ACCOUNT";
/// The servers' own, twinlog's, and those without a name, which belong to an installation.
const NOT_USERS: &str = "User NOT IN ('', 'root', 'mysql', 'mariadb.sys', 'PUBLIC', 'twinlog', 'twinlog_repl', 'twinlog_clone') \
     AND User NOT LIKE 'mysql.%'";
/// Salts are bytes, not all of which a literal takes.
const AS_HEX: &str = "SET SESSION print_identified_with_as_hex = ON";

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    /// How many were made.
    pub made: usize,
    /// Those that are there already, and not alike.
    pub differ: Vec<String>,
    /// Those that the target does not take, and why.
    pub refused: Vec<String>,
}

impl fmt::Display for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            made,
            differ,
            refused,
        } = self;
        write!(f, "{made} accounts were made")?;
        if !differ.is_empty() {
            let all = differ.join(", ");
            write!(
                f,
                ", and these left as they are, with other grants or passwords: {all}"
            )?;
        }
        if !refused.is_empty() {
            write!(f, ", but not these: {}", refused.join(", "))?;
        }
        Ok(())
    }
}

/// Notes on the target that somebody asks for it.
pub(super) async fn ask(target: &mut Conn) -> Result<(), ConnError> {
    super::mark::will_make(target, ASKED, "", "").await
}

/// Whether somebody has, in a run before this one.
pub(super) fn is_asked(made: &Made) -> bool {
    made.contains(&(ASKED.to_owned(), String::new(), String::new()))
}

/// One account. Its name is no secret; see [`Definition`].
#[derive(Debug, Clone, PartialEq, Eq)]
struct Account {
    user: String,
    host: String,
    /// MariaDB's kind, which has no host.
    is_role: bool,
}

impl Account {
    /// Its name for SQL.
    fn sql_name(&self) -> String {
        match self.is_role {
            true => identifier(&self.user),
            false => format!("{}@{}", identifier(&self.user), identifier(&self.host)),
        }
    }

    /// Its name for people.
    fn name(&self) -> String {
        match self.is_role {
            true => self.user.clone(),
            false => format!("{}@{}", self.user, self.host),
        }
    }

    fn word(&self) -> &'static str {
        if self.is_role { "ROLE" } else { "USER" }
    }
}

/// How it is made. Passwords are among it, hashed: there is no `Debug`.
#[derive(PartialEq, Eq)]
struct Definition {
    create: String,
    grants: BTreeSet<String>,
}

/// The source's accounts.
#[derive(PartialEq, Eq)]
pub(super) struct Wanted(Vec<(Account, Definition)>);

/// Reads those of the source. They are in no snapshot: what is read before it and after it must be the same.
pub(super) async fn read(source: &mut Conn, dialect: &Dialect) -> Result<Wanted, ConnError> {
    source.set_if_known(AS_HEX).await?;
    let mut wanted = Vec::new();
    for account in list(source, dialect).await? {
        let definition = Definition::read(source, &account, dialect).await?;
        wanted.push((account, definition));
    }
    Ok(Wanted(wanted))
}

/// Makes on the target what it lacks of them. A run before this one may have made some, or what is not wanted any more.
pub(super) async fn make(
    target: &mut Conn,
    Wanted(wanted): Wanted,
    dialect: &Dialect,
) -> Result<Accounts, Error> {
    target.set_if_known(AS_HEX).await?;
    let present = list(target, dialect).await?;
    for account in &present {
        let is_wanted = wanted.iter().any(|(wanted, _)| wanted == account);
        if !is_wanted && is_own(target, account).await? {
            drop_account(target, account).await?;
        }
    }
    let mut done = Accounts::default();
    let mut lacking = Vec::new();
    for (account, wanted) in wanted {
        let own = is_own(target, &account).await?;
        if !present.contains(&account) {
            lacking.push((account, wanted));
        } else if Definition::read(target, &account, dialect).await? == wanted {
            done.made += usize::from(own);
        } else if own {
            drop_account(target, &account).await?;
            lacking.push((account, wanted));
        } else {
            done.differ.push(account.name());
        }
    }
    let mut made = Vec::new();
    // A user may have a role, and a role another one.
    let mut left = lacking;
    loop {
        let before = left.len();
        let mut again = Vec::new();
        for (account, wanted) in left {
            note(target, &account).await?;
            let shown = format!("CREATE {} {} …", account.word(), account.sql_name());
            match secretly(target, &wanted.create, &shown).await {
                Ok(()) => made.push((account, wanted)),
                Err(error) => again.push((account, wanted, said(error)?)),
            }
        }
        if again.is_empty() || again.len() == before {
            let why = |(account, _, why): (Account, Definition, String)| {
                format!("{} ({why})", account.name())
            };
            done.refused.extend(again.into_iter().map(why));
            break;
        }
        left = again
            .into_iter()
            .map(|(account, wanted, _)| (account, wanted))
            .collect();
    }
    for (account, wanted) in made {
        match grant(target, &account, &wanted).await {
            Ok(()) => done.made += 1,
            Err(error) => {
                let why = said(error)?;
                drop_account(target, &account).await?;
                done.refused.push(format!("{} ({why})", account.name()));
            }
        }
    }
    Ok(done)
}

/// What the server says against it; an error where it says nothing at all.
fn said(error: ConnError) -> Result<String, ConnError> {
    match error {
        // What is no statement to the server it quotes, with the hash in it.
        ConnError::Statement { code: 1064, .. } => {
            Ok("ERROR 1064: the statement that makes it is none for this version".to_owned())
        }
        ConnError::Statement { code, message, .. } => Ok(format!("ERROR {code}: {message}")),
        error => Err(error),
    }
}

async fn grant(conn: &mut Conn, account: &Account, wanted: &Definition) -> Result<(), ConnError> {
    for sql in &wanted.grants {
        let word = sql.split(' ').next().unwrap_or_default();
        let shown = format!("{word} … TO {}", account.sql_name());
        secretly(conn, sql, &shown).await?;
    }
    Ok(())
}

async fn secretly(conn: &mut Conn, sql: &str, shown: &str) -> Result<(), ConnError> {
    conn.execute_secret(&SecretString::from(sql), shown).await
}

async fn drop_account(conn: &mut Conn, account: &Account) -> Result<(), ConnError> {
    conn.execute(&format!("DROP {} {}", account.word(), account.sql_name()))
        .await
}

/// A name may be longer than what the table of what was made has room for.
fn key(account: &Account) -> String {
    format!("SHA2({}, 256)", literal(&account.name()))
}

async fn note(conn: &mut Conn, account: &Account) -> Result<(), ConnError> {
    let key = key(account);
    conn.execute(&format!(
        "INSERT IGNORE INTO `twinlog`.`copied` VALUES ('{ACCOUNT}', '', {key})"
    ))
    .await
}

/// Whether a copy has made it, or was about to.
async fn is_own(conn: &mut Conn, account: &Account) -> Result<bool, ConnError> {
    let key = key(account);
    let sql = format!("SELECT 1 FROM `twinlog`.`copied` WHERE kind = '{ACCOUNT}' AND name = {key}");
    Ok(conn.value(&sql).await?.is_some())
}

/// All accounts of users.
async fn list(conn: &mut Conn, dialect: &Dialect) -> Result<Vec<Account>, ConnError> {
    let role = if dialect.is_mariadb() {
        "is_role"
    } else {
        "'N'"
    };
    let sql =
        format!("SELECT User, Host, {role} FROM mysql.user WHERE {NOT_USERS} ORDER BY User, Host");
    let rows = conn.rows(&sql).await?;
    let account = |row: &twinlog_server::conn::Row| {
        Some(Account {
            user: row.at(0)?.to_owned(),
            host: row.at(1)?.to_owned(),
            is_role: row.at(2) == Some("Y"),
        })
    };
    Ok(rows.iter().filter_map(account).collect())
}

impl Definition {
    async fn read(
        conn: &mut Conn,
        account: &Account,
        dialect: &Dialect,
    ) -> Result<Self, ConnError> {
        let name = account.sql_name();
        let rows = conn.rows(&format!("SHOW GRANTS FOR {name}")).await?;
        // MySQL 5.6 shows a quote in a name as it is.
        let shown = format!(" TO '{}'@'{}'", account.user, account.host);
        let said = format!(" TO {name}");
        let lines: Vec<String> = rows
            .iter()
            .filter_map(|row| Some(row.at(0)?.replacen(&shown, &said, 1)))
            .collect();
        let (grants, passwords): (BTreeSet<String>, Vec<Option<String>>) =
            lines.iter().map(|line| without_password(line)).unzip();
        let create = if account.is_role {
            format!("CREATE ROLE {name}")
        } else if dialect.row().user_if_not_exists {
            let create = conn.value(&format!("SHOW CREATE USER {name}")).await?;
            create.unwrap_or_default()
        } else {
            let password = passwords.into_iter().flatten().next();
            of_password(&name, password.as_deref())
        };
        Ok(Self { create, grants })
    }
}

/// How MySQL 5.6 makes a user with that hash, and 5.7.
fn of_password(name: &str, password: Option<&str>) -> String {
    match password {
        Some(password) => format!("CREATE USER {name} IDENTIFIED BY PASSWORD '{password}'"),
        None => format!("CREATE USER {name}"),
    }
}

/// What a line of `SHOW GRANTS` grants, and the hash that MySQL 5.6 and MariaDB show in the first of them.
fn without_password(line: &str) -> (String, Option<String>) {
    const BY: &str = " IDENTIFIED BY PASSWORD '";
    // No name has this in it outside of backticks and quotes, behind which the clause comes last but for REQUIRE and WITH.
    let Some((head, tail)) = line.rsplit_once(BY) else {
        return (line.to_owned(), None);
    };
    match tail.split_once('\'') {
        Some((password, rest)) => (format!("{head}{rest}"), Some(password.to_owned())),
        None => (line.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_told_from_the_password_in_it() {
        let line = "GRANT USAGE ON *.* TO 'u'@'%' IDENTIFIED BY PASSWORD '*AB' REQUIRE SSL WITH MAX_USER_CONNECTIONS 3";
        let (grant, password) = without_password(line);
        assert_eq!(
            grant,
            "GRANT USAGE ON *.* TO 'u'@'%' REQUIRE SSL WITH MAX_USER_CONNECTIONS 3"
        );
        assert_eq!(password.as_deref(), Some("*AB"));
        let plain = "GRANT SELECT ON `d`.* TO 'u'@'%'";
        assert_eq!(without_password(plain), (plain.to_owned(), None));
        assert_eq!(
            of_password("`u`@`%`", Some("*AB")),
            "CREATE USER `u`@`%` IDENTIFIED BY PASSWORD '*AB'"
        );
    }
}
