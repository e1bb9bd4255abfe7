//! Who may log in, and until when certificates hold.

use jiff::{ToSpan, tz::TimeZone};
use twinlog_server::{dialect::Account, facts::logins::Login};

use super::{Hit, Live, Rule, Scene, Severity, Subject, servers};
use crate::config::Runtime;

/// As long before its end a certificate is made again by `up`.
const EXPIRY_WARNING_DAYS: i64 = 30;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "TL201",
        severity: Severity::Error,
        title: "an account of twinlog's lacks privileges",
        why: "Without the replication account's the link stops at its next connection; without the agent's, twinlog sees less than \
              there is and gets no error, only fewer rows.",
        advice: "Run `twinlog up`: it grants what is missing.",
        check: missing_privileges,
    },
    Rule {
        code: "TL202",
        severity: Severity::Warning,
        title: "an account lets in without a password",
        why: "Whoever reaches the server from that host is in, on both nodes if the account is replicated.",
        advice: "Give it a password (`ALTER USER … IDENTIFIED BY …`) or drop it.",
        check: |scene| logins(scene, |login| login.open && !login.user.is_empty()),
    },
    Rule {
        code: "TL203",
        severity: Severity::Warning,
        title: "there is an anonymous account",
        why: "Any user name is let in as this one, and a real account for a wider host (`%`) loses against it: its user is \
              refused, or has the wrong privileges.",
        advice: "Drop it: `DROP USER ''@'…'`.",
        check: |scene| logins(scene, |login| login.user.is_empty()),
    },
    Rule {
        code: "TL204",
        severity: Severity::Warning,
        title: "a certificate expires soon, or has",
        why: "When it has, the links and clients that check it are refused.",
        advice: "Run `twinlog up`, which makes its own certificates again; put a new one in the place of your own.",
        check: expiring,
    },
    Rule {
        code: "TL205",
        severity: Severity::Error,
        title: "the server asks nobody for a password",
        why: "With skip_grant_tables everybody is root, and accounts cannot be made.",
        advice: "Take `skip_grant_tables` out of [mysqld] and restart.",
        check: |scene| servers::applier::option_on(scene, "skip_grant_tables"),
    },
    Rule {
        code: "TL206",
        severity: Severity::Info,
        title: "root may log in from anywhere",
        why: "One leaked password gives everything to everybody who reaches the port.",
        advice: "Restrict it (`RENAME USER 'root'@'%' TO 'root'@'localhost'`) and give applications accounts of their own.",
        check: |scene| logins(scene, |login| login.user == "root" && login.host == "%"),
    },
    Rule {
        code: "TL207",
        severity: Severity::Warning,
        title: "the account that twinlog.toml names lacks privileges",
        why: "On a server of someone else's `up` makes accounts, sets variables and makes links as this account; without the \
              privileges it stops half-way, with the server's own error.",
        advice: "Grant them, with GRANT OPTION.",
        check: poor_operator,
    },
];

fn missing_privileges(scene: &Scene) -> Vec<Hit> {
    if !scene.founded {
        return Vec::new();
    }
    let databases = scene.databases();
    scene
        .live()
        .filter(|(_, _, live)| live.facts.membership.is_some())
        .flat_map(|(_, subject, live)| {
            Account::ALL
                .into_iter()
                .filter_map(move |account| lacking(subject, live, account, databases))
        })
        .collect()
}

fn lacking(
    subject: &Subject,
    live: &Live,
    account: Account,
    databases: Option<&[String]>,
) -> Option<Hit> {
    let user = account.user();
    let seen = match live.accounts.iter().find(|found| found.user == user) {
        None => "it does not exist".to_owned(),
        Some(found) => {
            let missing = live
                .facts
                .dialect
                .missing_privileges(account, &found.grants, databases);
            if missing.is_empty() {
                return None;
            }
            format!("it lacks {}", missing.join(", "))
        }
    };
    Some(Hit::on(subject, seen).at(format!("'{user}'@'%'")))
}

fn poor_operator(scene: &Scene) -> Vec<Hit> {
    scene
        .live()
        .filter_map(|(index, subject, live)| {
            let (config, node) = scene.node(index)?;
            let missing = live
                .facts
                .dialect
                .missing_of_operator(&live.facts.own_grants, config.databases.as_deref());
            let user = node.user.as_deref()?;
            if config.runtime_of(node) != Runtime::External || missing.is_empty() {
                return None;
            }
            let list = missing.join(", ");
            let advice = format!(
                "As an administrator: `GRANT ALL PRIVILEGES ON *.* TO '{user}'@… WITH GRANT OPTION`, or just those named."
            );
            Some(
                Hit::on(subject, format!("it lacks {list}"))
                    .at(format!("'{user}'"))
                    .advise(advice),
            )
        })
        .collect()
}

fn logins(scene: &Scene, bad: fn(&Login) -> bool) -> Vec<Hit> {
    scene
        .live()
        .flat_map(|(_, subject, live)| {
            let found = live.logins.iter().flatten().filter(move |login| bad(login));
            found.map(|login| Hit::on(subject, format!("{login} exists")).at(login.to_string()))
        })
        .collect()
}

fn expiring(scene: &Scene) -> Vec<Hit> {
    let soon = scene.today.saturating_add(EXPIRY_WARNING_DAYS.days());
    let mut hits = Vec::new();
    for subject in &scene.subjects {
        for (path, expiry) in &subject.certificates {
            let Some(end) = expiry.map(|expiry| expiry.to_zoned(TimeZone::UTC).date()) else {
                continue;
            };
            if end <= soon {
                let word = if end < scene.today {
                    "expired"
                } else {
                    "expires"
                };
                hits.push(
                    Hit::on(subject, format!("{word} on {end}")).at(path.display().to_string()),
                );
            }
        }
    }
    hits
}
