//! The two accounts that twinlog makes on every server, with the least privileges that work there.

use super::Dialect;
use crate::sql::{Sql, literal};

/// An account of twinlog's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// What the peer's replica logs in as: it may read the binary log and nothing else.
    Replication,
    /// What `status`, `doctor`, the proof and the agent log in as: it may look everywhere and write in `twinlog`.
    Agent,
}

impl Account {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Replication, Self::Agent];

    /// The account's user name; its host is `%`.
    pub fn user(self) -> &'static str {
        match self {
            Self::Replication => "twinlog_repl",
            Self::Agent => "twinlog",
        }
    }

    /// The name of the secret that holds its password.
    pub fn secret(self) -> &'static str {
        match self {
            Self::Replication => "replication",
            Self::Agent => "agent",
        }
    }
}

/// The privileges that one version needs for each account, on `*.*`.
#[derive(Debug)]
pub struct Grants {
    /// For [`Account::Replication`].
    pub replication: &'static [&'static str],
    /// For [`Account::Agent`], beside all privileges in its own schema. REFERENCES shows every table's definition
    /// and none of its data (tried on MySQL 5.6 and 9.7, MariaDB 10.11 and 11.8; plain SELECT hides constraints on
    /// MariaDB).
    pub agent: &'static [&'static str],
    /// Schemas of the server's own that the agent reads, for the errors of applier workers.
    pub agent_reads: &'static [&'static str],
    /// What the account of an external node needs for all that `up` does there, with GRANT OPTION.
    pub operator: &'static [&'static str],
}

impl Dialect {
    /// What an account needs on `*.*`.
    pub fn privileges(&self, account: Account) -> &'static [&'static str] {
        match account {
            Account::Replication => self.row().grants.replication,
            Account::Agent => self.row().grants.agent,
        }
    }

    /// The statements that make an account, or put an existing one right: password, TLS, privileges.
    pub fn ensure_account(&self, account: Account, require_tls: bool) -> Vec<Sql> {
        let name = format!("{}@'%'", literal(account.user()));
        let require = if require_tls {
            " REQUIRE SSL"
        } else {
            " REQUIRE NONE"
        };
        let privileges = self.privileges(account).join(", ");
        let mut statements = if self.row().user_if_not_exists {
            vec![
                Sql::new(format!("CREATE USER IF NOT EXISTS {name} IDENTIFIED BY "))
                    .secret(account.secret()),
                Sql::new(format!("ALTER USER {name} IDENTIFIED BY "))
                    .secret(account.secret())
                    .text(require),
                format!("GRANT {privileges} ON *.* TO {name}").into(),
            ]
        } else {
            // 5.6 makes and changes accounts by GRANT.
            vec![
                Sql::new(format!(
                    "GRANT {privileges} ON *.* TO {name} IDENTIFIED BY "
                ))
                .secret(account.secret())
                .text(require),
            ]
        };
        if account == Account::Agent {
            let own = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP";
            statements.push(format!("GRANT {own} ON `twinlog`.* TO {name}").into());
            let reads = self.row().grants.agent_reads.iter();
            statements.extend(
                reads.map(|schema| format!("GRANT SELECT ON `{schema}`.* TO {name}").into()),
            );
        }
        statements
    }

    /// The privileges of an account that `SHOW GRANTS` does not list.
    pub fn missing_privileges(&self, account: Account, shown: &[String]) -> Vec<&'static str> {
        missing(self.privileges(account), shown)
    }

    /// The privileges that the account of an external node lacks.
    pub fn missing_for_operator(&self, shown: &[String]) -> Vec<&'static str> {
        let lacking = missing(self.row().grants.operator, shown);
        // On MySQL, SUPER still stands for the privileges that came after it.
        let is_super = !self.is_mariadb() && missing(&["SUPER"], shown).is_empty();
        lacking
            .into_iter()
            .filter(|privilege| !(is_super && privilege.ends_with("_ADMIN")))
            .collect()
    }
}

/// Those of `wanted` that no line grants on `*.*`.
fn missing(wanted: &[&'static str], shown: &[String]) -> Vec<&'static str> {
    let everywhere: Vec<String> = shown
        .iter()
        .filter(|line| line.contains(" ON *.* "))
        .map(|line| line.to_ascii_uppercase())
        .collect();
    let has = |privilege: &str| {
        everywhere.iter().any(|line| {
            let list = line
                .trim_start_matches("GRANT ")
                .split(" ON *.* ")
                .next()
                .unwrap_or_default();
            list == "ALL PRIVILEGES" || list.split(',').any(|entry| entry.trim() == privilege)
        })
    };
    wanted
        .iter()
        .copied()
        .filter(|privilege| !has(privilege))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::{Flavour, Version};

    #[test]
    fn missing_privileges_are_read_from_show_grants() {
        let version = Version {
            flavour: Flavour::MySql,
            major: 9,
            minor: 7,
            patch: 4,
        };
        let dialect = Dialect::of(&version).expect("supported");
        let all = dialect.privileges(Account::Agent).join(", ");
        let shown = [format!("GRANT {all} ON *.* TO `twinlog`@`%`")];
        assert!(
            dialect
                .missing_privileges(Account::Agent, &shown)
                .is_empty()
        );
        assert_eq!(
            dialect.missing_privileges(
                Account::Replication,
                &["GRANT USAGE ON *.* TO `twinlog_repl`@`%`".into()]
            ),
            ["REPLICATION SLAVE"]
        );
        let operator = dialect.row().grants.operator;
        assert_eq!(dialect.missing_for_operator(&[]), operator);
        let old_root = ["GRANT RELOAD, PROCESS, CREATE USER, CREATE, SELECT, REFERENCES, TRIGGER, EVENT, REPLICATION CLIENT, \
                         REPLICATION SLAVE, SUPER ON *.* TO `root`@`%`"
            .to_owned()];
        assert!(dialect.missing_for_operator(&old_root).is_empty());
    }
}
