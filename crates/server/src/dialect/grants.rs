//! The two accounts that twinlog makes on every server, with the least privileges that work there.
//!
//! What the lists hold was tried on MySQL 5.6 and 9.7, MariaDB 10.11 and 11.8, each statement with its privilege and
//! without.

use super::Dialect;
use crate::sql::{Sql, literal};

/// What the agent needs in twinlog's own schema.
const OWN_PRIVILEGES: [&str; 8] = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "INDEX", "DROP",
];
/// What the agent needs in the replicated databases: to read a row that one log does not show, and to repair.
const ROW_PRIVILEGES: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];
/// What twinlog's own schema is called in a GRANT.
const OWN_PLACE: &str = "`twinlog`.*";
/// All databases.
const EVERYWHERE: &str = "*.*";

/// An account of twinlog's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// What the peer's replica logs in as: it may read the binary log and nothing else.
    Replication,
    /// What `status`, `doctor`, the proof and the agent log in as: it may look everywhere, read the binary log, read and
    /// repair rows of replicated databases, and stop and start the link.
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
    /// For [`Account::Agent`], beside those in its own schema and in the replicated databases. REFERENCES shows every
    /// table's definition and none of its data (plain SELECT hides constraints on MariaDB).
    pub agent: &'static [&'static str],
    /// Schemas of the server's own that the agent reads, for the errors of applier workers.
    pub agent_reads: &'static [&'static str],
}

/// Privileges, and where they are given.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    privileges: &'static [&'static str],
    place: String,
}

impl Grant {
    /// Those of them that lines of `SHOW GRANTS` give neither here nor everywhere.
    fn missing<'a>(&'a self, shown: &'a [String]) -> impl Iterator<Item = &'static str> + 'a {
        self.privileges
            .iter()
            .copied()
            .filter(|privilege| !has(shown, &[EVERYWHERE, &self.place], privilege))
    }
}

impl Dialect {
    /// What an account needs, and where; `databases` are those that are replicated, `None` for all. A database that
    /// is made later is covered as long as no list of them is kept.
    fn grants(&self, account: Account, databases: Option<&[String]>) -> Vec<Grant> {
        let rows = &self.row().grants;
        let grant = |privileges, place: String| Grant { privileges, place };
        match account {
            Account::Replication => vec![grant(rows.replication, EVERYWHERE.into())],
            Account::Agent => {
                let mut all = vec![
                    grant(rows.agent, EVERYWHERE.into()),
                    grant(&OWN_PRIVILEGES, OWN_PLACE.into()),
                ];
                match databases {
                    None => all.push(grant(&ROW_PRIVILEGES, EVERYWHERE.into())),
                    Some(names) => all.extend(
                        names
                            .iter()
                            .map(|name| grant(&ROW_PRIVILEGES, place_of(name))),
                    ),
                }
                let reads = rows.agent_reads.iter();
                all.extend(reads.map(|schema| grant(&["SELECT"], format!("`{schema}`.*"))));
                all
            }
        }
    }

    /// The GRANT statements of an account, without what makes it.
    pub fn grant_statements(&self, account: Account, databases: Option<&[String]>) -> Vec<String> {
        self.grants(account, databases)
            .iter()
            .map(|Grant { privileges, place }| {
                format!(
                    "GRANT {} ON {place} TO {}@'%'",
                    privileges.join(", "),
                    literal(account.user())
                )
            })
            .collect()
    }

    /// The statements that make an account, or put an existing one right: password, TLS, privileges. `databases` are
    /// those that are replicated, `None` for all.
    pub fn ensure_account(
        &self,
        account: Account,
        require_tls: bool,
        databases: Option<&[String]>,
    ) -> Vec<Sql> {
        let name = format!("{}@'%'", literal(account.user()));
        let require = if require_tls {
            " REQUIRE SSL"
        } else {
            " REQUIRE NONE"
        };
        let grants = self.grant_statements(account, databases);
        if self.row().user_if_not_exists {
            let make = [
                Sql::new(format!("CREATE USER IF NOT EXISTS {name} IDENTIFIED BY "))
                    .secret(account.secret()),
                Sql::new(format!("ALTER USER {name} IDENTIFIED BY "))
                    .secret(account.secret())
                    .text(require),
            ];
            return make
                .into_iter()
                .chain(grants.into_iter().map(Sql::new))
                .collect();
        }
        // 5.6 makes and changes accounts by GRANT; the first one is on *.*, where REQUIRE belongs.
        grants
            .into_iter()
            .enumerate()
            .map(|(index, grant)| match index {
                0 => Sql::new(format!("{grant} IDENTIFIED BY "))
                    .secret(account.secret())
                    .text(require),
                _ => Sql::new(grant),
            })
            .collect()
    }

    /// The privileges of an account that `SHOW GRANTS` does not list, each with its place unless that is `*.*`.
    pub fn missing_privileges(
        &self,
        account: Account,
        shown: &[String],
        databases: Option<&[String]>,
    ) -> Vec<String> {
        let grants = self.grants(account, databases);
        let named = |grant: &Grant, privilege: &str| match grant.place.as_str() {
            EVERYWHERE => privilege.to_owned(),
            place => format!("{privilege} on {place}"),
        };
        grants
            .iter()
            .flat_map(|grant| {
                grant
                    .missing(shown)
                    .map(move |privilege| named(grant, privilege))
            })
            .collect()
    }

    /// What the account that makes an external server a node lacks of what that takes; empty where that
    /// cannot be told: nothing was read, or `SHOW GRANTS` names roles.
    ///
    /// The lists were tried on MySQL 5.6 and 9.7, MariaDB 10.11 and 11.8.
    /// `databases` are those that are replicated, `None` for all.
    pub fn missing_of_operator(
        &self,
        shown: &[String],
        databases: Option<&[String]>,
    ) -> Vec<&'static str> {
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
                .filter(|privilege| !(by_super(privilege) && has(shown, &[EVERYWHERE], "SUPER"))),
        );
        let mut missing: Vec<&str> = needed
            .into_iter()
            .filter(|privilege| !has(shown, &[EVERYWHERE], privilege))
            .collect();
        // Nobody can give what he has not.
        for account in Account::ALL {
            for grant in self.grants(account, databases) {
                missing.extend(grant.missing(shown));
            }
        }
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

/// A database in a GRANT, where `_` and `%` stand for any character unless they are escaped.
fn place_of(database: &str) -> String {
    let name: String = database
        .chars()
        .flat_map(|char| {
            let escape = matches!(char, '_' | '%' | '\\').then_some('\\');
            let double = (char == '`').then_some('`');
            [escape, double, Some(char)].into_iter().flatten()
        })
        .collect();
    format!("`{name}`.*")
}

/// Whether lines of `SHOW GRANTS` list a privilege on one of these places. Case does not matter: a server that folds
/// names shows them folded.
fn has(shown: &[String], places: &[&str], privilege: &str) -> bool {
    shown.iter().any(|line| {
        let Some((list, rest)) = line.split_once(" ON ") else {
            return false;
        };
        let Some((place, _)) = rest.split_once(" TO ") else {
            return false;
        };
        let list = list.trim_start_matches("GRANT ").to_ascii_uppercase();
        places.iter().any(|known| known.eq_ignore_ascii_case(place))
            && (list == "ALL PRIVILEGES" || list.split(',').any(|entry| entry.trim() == privilege))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::{Flavour, Version};

    fn dialect(flavour: Flavour, [major, minor, patch]: [u16; 3]) -> Dialect {
        Dialect::of(&Version {
            flavour,
            major,
            minor,
            patch,
        })
        .expect("supported")
    }

    #[test]
    fn missing_privileges_are_read_from_show_grants() {
        let dialect = dialect(Flavour::MySql, [9, 7, 4]);
        let shown = dialect.grant_statements(Account::Agent, None);
        let missing = |shown: &[String], databases: Option<&[String]>| {
            dialect.missing_privileges(Account::Agent, shown, databases)
        };
        assert_eq!(missing(&shown, None), [""; 0]);
        // What is given everywhere is given in each database.
        assert_eq!(missing(&shown, Some(&["shop".into()])), [""; 0]);
        assert_eq!(
            dialect.missing_privileges(
                Account::Replication,
                &["GRANT USAGE ON *.* TO `twinlog_repl`@`%`".into()],
                None
            ),
            ["REPLICATION SLAVE"]
        );
    }

    #[test]
    fn with_databases_rows_are_touched_only_there() {
        let dialect = dialect(Flavour::MySql, [9, 7, 4]);
        let databases = ["my_shop".to_owned(), "Test".to_owned()];
        let said = dialect.grant_statements(Account::Agent, Some(&databases));
        let everywhere: Vec<&String> = said.iter().filter(|line| line.contains("*.*")).collect();
        assert!(
            everywhere.iter().all(|line| !line.contains("DELETE")),
            "{everywhere:?}"
        );
        assert!(
            said.contains(
                &r"GRANT SELECT, INSERT, UPDATE, DELETE ON `my\_shop`.* TO 'twinlog'@'%'".into()
            ),
            "{said:#?}"
        );
        let folded: Vec<String> = said
            .iter()
            .map(|line| line.replace("Test", "test"))
            .collect();
        let missing = |databases: Option<&[String]>| {
            dialect.missing_privileges(Account::Agent, &folded, databases)
        };
        assert_eq!(missing(Some(&databases)), [""; 0]);
        assert_eq!(
            missing(Some(&["other".into()])),
            ["SELECT", "INSERT", "UPDATE", "DELETE"].map(|word| format!("{word} on `other`.*"))
        );
        assert_eq!(missing(None), ["SELECT", "INSERT", "UPDATE", "DELETE"]);
    }

    #[test]
    fn each_version_gives_its_own() {
        let said: Vec<String> = [
            (Flavour::MySql, [5, 6, 24]),
            (Flavour::MySql, [5, 7, 44]),
            (Flavour::MySql, [8, 0, 20]),
            (Flavour::MySql, [9, 7, 4]),
            (Flavour::MariaDb, [10, 5, 10]),
            (Flavour::MariaDb, [11, 8, 6]),
        ]
        .into_iter()
        .map(|(flavour, version)| {
            let dialect = dialect(flavour, version);
            let lines = Account::ALL.map(|account| {
                let all = dialect.ensure_account(account, true, None);
                all.iter().map(|sql| format!("{sql}\n")).collect::<String>()
            });
            format!("== {}\n{}", dialect.version(), lines.concat())
        })
        .collect();
        insta::assert_snapshot!(said.concat());
    }

    #[test]
    fn an_operator_needs_what_it_hands_on() {
        let dialect = dialect(Flavour::MySql, [5, 6, 24]);
        let missing = |shown: &[&str]| {
            let shown: Vec<String> = shown.iter().map(|line| (*line).to_owned()).collect();
            dialect.missing_of_operator(&shown, None)
        };
        let all = "GRANT ALL PRIVILEGES ON *.* TO 'root'@'%'";
        assert_eq!(missing(&[all]), ["GRANT OPTION"]);
        assert!(missing(&[&format!("{all} WITH GRANT OPTION")]).is_empty());
        let global = "GRANT SELECT, INSERT, UPDATE, DELETE, RELOAD, PROCESS, REFERENCES, SUPER, REPLICATION SLAVE, \
                      REPLICATION CLIENT, CREATE USER, EVENT, TRIGGER ON *.* TO 'op'@'%' WITH GRANT OPTION";
        let own = "GRANT CREATE, DROP, INDEX ON `twinlog`.* TO 'op'@'%' WITH GRANT OPTION";
        assert_eq!(missing(&[global, own]), ["ALTER"]);
        // A role may give what is not listed.
        assert!(missing(&["GRANT `dba`@`%` TO `op`@`%`"]).is_empty());
    }
}
