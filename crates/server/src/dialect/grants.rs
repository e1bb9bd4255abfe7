//! The two accounts that twinlog makes on every server, with the least privileges that work there.

use super::Dialect;
use crate::sql::{Sql, literal};

/// What the agent needs in twinlog's own schema.
const OWN_PRIVILEGES: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP";

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
            statements.push(format!("GRANT {OWN_PRIVILEGES} ON `twinlog`.* TO {name}").into());
            let reads = self.row().grants.agent_reads.iter();
            statements.extend(
                reads.map(|schema| format!("GRANT SELECT ON `{schema}`.* TO {name}").into()),
            );
        }
        statements
    }

    /// The privileges of an account that `SHOW GRANTS` does not list.
    pub fn missing_privileges(&self, account: Account, shown: &[String]) -> Vec<&'static str> {
        self.privileges(account)
            .iter()
            .copied()
            .filter(|privilege| !has(shown, &["*.*"], privilege))
            .collect()
    }

    /// What the account that makes an external server a node lacks of what that takes; empty where that
    /// cannot be told: nothing was read, or `SHOW GRANTS` names roles.
    ///
    /// The lists were tried on MySQL 5.6 and 9.7, MariaDB 10.11 and 11.8.
    pub fn missing_of_operator(&self, shown: &[String]) -> Vec<&'static str> {
        if shown.is_empty() || shown.iter().any(|line| !line.contains(" ON ")) {
            return Vec::new();
        }
        let administers: &[&str] = if self.is_mariadb() {
            &[
                "SUPER",
                "REPLICATION SLAVE ADMIN",
                "REPLICATION MASTER ADMIN",
                "BINLOG ADMIN",
            ]
        } else if self.row().persist {
            &["REPLICATION_SLAVE_ADMIN", "SYSTEM_VARIABLES_ADMIN"]
        } else {
            &["SUPER"]
        };
        let by_super = |privilege: &&str| self.row().persist && privilege.ends_with("_ADMIN");
        let mut needed = vec!["SELECT", "RELOAD", "CREATE USER"];
        needed.extend(
            administers
                .iter()
                .filter(|privilege| !(by_super(privilege) && has(shown, &["*.*"], "SUPER"))),
        );
        // Nobody can give what he has not.
        needed.extend(
            Account::ALL
                .into_iter()
                .flat_map(|account| self.privileges(account)),
        );
        let mut missing: Vec<&str> = needed
            .into_iter()
            .filter(|privilege| !has(shown, &["*.*"], privilege))
            .collect();
        let own = OWN_PRIVILEGES.split(", ");
        missing.extend(own.filter(|privilege| !has(shown, &["*.*", "`twinlog`.*"], privilege)));
        if !shown
            .iter()
            .any(|line| line.contains(" ON *.* ") && line.contains("WITH GRANT OPTION"))
        {
            missing.push("GRANT OPTION");
        }
        missing.sort_unstable();
        missing.dedup();
        missing
    }
}

/// Whether lines of `SHOW GRANTS` list a privilege on one of these places.
fn has(shown: &[String], places: &[&str], privilege: &str) -> bool {
    shown.iter().any(|line| {
        let list = places
            .iter()
            .find_map(|place| line.split_once(&format!(" ON {place} ")))
            .map_or("", |(list, _)| list.trim_start_matches("GRANT "))
            .to_ascii_uppercase();
        list == "ALL PRIVILEGES" || list.split(',').any(|entry| entry.trim() == privilege)
    })
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
    }

    #[test]
    fn an_operator_needs_what_it_hands_on() {
        let dialect = Dialect::of(&Version {
            flavour: Flavour::MySql,
            major: 5,
            minor: 6,
            patch: 24,
        })
        .expect("supported");
        let missing = |shown: &[&str]| {
            let shown: Vec<String> = shown.iter().map(|line| (*line).to_owned()).collect();
            dialect.missing_of_operator(&shown)
        };
        let all = "GRANT ALL PRIVILEGES ON *.* TO 'root'@'%'";
        assert_eq!(missing(&[all]), ["GRANT OPTION"]);
        assert!(missing(&[&format!("{all} WITH GRANT OPTION")]).is_empty());
        let global = "GRANT SELECT, RELOAD, PROCESS, REFERENCES, SUPER, REPLICATION SLAVE, REPLICATION CLIENT, \
                      CREATE USER, EVENT, TRIGGER ON *.* TO 'op'@'%' WITH GRANT OPTION";
        let own = "GRANT INSERT, UPDATE, DELETE, CREATE, DROP, INDEX ON `twinlog`.* TO 'op'@'%' WITH GRANT OPTION";
        assert_eq!(missing(&[global, own]), ["ALTER"]);
        // A role may give what is not listed.
        assert!(missing(&["GRANT `dba`@`%` TO `op`@`%`"]).is_empty());
    }
}
