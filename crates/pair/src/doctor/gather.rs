//! Gathers what the rules look at from two servers; changes nothing.

use std::{path::PathBuf, time::Duration};

use futures_util::future::join;
use jiff::{Timestamp, Zoned, fmt::strtime};
use schemars::JsonSchema;
use serde::Serialize;
use twinlog_server::{
    certs,
    conn::Error as ConnError,
    facts::{
        self, ServerFacts,
        logins::{self, Login},
        schema::{SchemaFacts, sees_all_schemas},
    },
    mycnf::{OptionFile, Options},
};

use super::{Live, Scene, Settings, Subject};
use crate::{
    config::{Node, Runtime},
    observe::{self, NodeFacts, Silence},
    site::{Login as As, Site},
};

/// How long a server may take to let us in.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// What was gathered, and what could not be.
#[derive(Debug)]
pub struct Gathered {
    /// For the rules.
    pub scene: Scene,
    /// Servers that could not be asked.
    pub silent: Vec<Silent>,
    /// What could not be looked at on a server that was asked.
    pub unchecked: Vec<Unchecked>,
}

/// A server that could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Silent {
    /// The node.
    pub node: String,
    /// Why.
    pub error: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Rules that had nothing to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unchecked {
    /// The node.
    pub node: String,
    /// What was not looked at.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Reads both servers, side by side.
pub async fn gather(site: &Site) -> Gathered {
    let [left, right] = observe::observe_nodes(site).await;
    let [a, b] = site.nodes();
    let (a, b) = join(look_closer(site, a, left), look_closer(site, b, right)).await;
    let mut gathered = Gathered {
        scene: Scene {
            subjects: Vec::new(),
            config: Some(site.config.clone()),
            founded: site.is_founded(),
            today: Zoned::now().date(),
        },
        silent: Vec::new(),
        unchecked: Vec::new(),
    };
    for (subject, silent, unchecked) in [a, b] {
        gathered.scene.subjects.push(subject);
        gathered.silent.extend(silent);
        gathered.unchecked.extend(unchecked);
    }
    gathered
}

/// What [`observe`] does not read, after both servers were observed.
async fn look_closer(
    site: &Site,
    node: &Node,
    facts: NodeFacts,
) -> (Subject, Option<Silent>, Vec<Unchecked>) {
    let mut subject = Subject {
        name: node.name.clone(),
        version: facts.dialect().map(|dialect| *dialect.version()),
        settings: Settings::unknown(),
        options: options(site, node, &facts),
        warnings: Vec::new(),
        live: None,
        certificates: certificates(site, node, facts.facts()),
        disk_free_bytes: facts.process().map(|process| process.disk_free_bytes),
    };
    let server = match facts.server {
        Ok(server) => server,
        Err(silence) => {
            let mut silent = silent(node, &silence);
            if let Some(grant) = missing_grant(site, node, &silence).await {
                silent.hint = Some(grant);
            }
            return (subject, Some(silent), Vec::new());
        }
    };
    subject.settings = Settings::of_server(&server.variables);
    match read_closer(site, node, &server).await {
        Ok(closer) => {
            let unchecked = unchecked(node, &closer);
            subject.live = Some(Live {
                facts: server,
                executed_later: closer.executed,
                schema: closer.schema,
                logins: closer.logins,
                accounts: facts.accounts,
            });
            (subject, None, unchecked)
        }
        Err(error) => {
            let silence = Silence::Failed(error);
            (subject, Some(silent(node, &silence)), Vec::new())
        }
    }
}

struct Closer {
    executed: String,
    schema: Option<SchemaFacts>,
    logins: Option<Vec<Login>>,
}

async fn read_closer(site: &Site, node: &Node, server: &ServerFacts) -> Result<Closer, ConnError> {
    let mut conn = site.connect(node, As::Admin, CONNECT_LIMIT).await?;
    let set = if server.dialect.is_mariadb() {
        "SELECT @@GLOBAL.gtid_current_pos"
    } else {
        "SELECT @@GLOBAL.gtid_executed"
    };
    let closer = Closer {
        executed: conn.value(set).await?.unwrap_or_default(),
        schema: if sees_all_schemas(&server.own_grants) {
            Some(SchemaFacts::read(&mut conn, site.config.databases.as_deref()).await?)
        } else {
            None
        },
        logins: logins::read(&mut conn, &server.dialect).await?,
    };
    conn.close().await;
    Ok(closer)
}

/// Where an account may log in and not look: what it needs.
async fn missing_grant(site: &Site, node: &Node, silence: &Silence) -> Option<String> {
    let Silence::Failed(ConnError::Statement {
        code: 1044 | 1142 | 1227,
        ..
    }) = silence
    else {
        return None;
    };
    let mut conn = site.connect(node, As::Admin, CONNECT_LIMIT).await.ok()?;
    let dialect = facts::read_dialect(&mut conn).await.ok()?;
    let rows = conn.rows("SHOW GRANTS").await.ok()?;
    conn.close().await;
    let grants: Vec<String> = rows
        .iter()
        .filter_map(|row| row.at(0).map(str::to_owned))
        .collect();
    let missing = dialect.missing_of_operator(&grants, site.config.databases.as_deref());
    let user = node.user.as_deref().unwrap_or("root");
    (!missing.is_empty()).then(|| {
        format!(
            "the account lacks {}; as an administrator: `GRANT ALL PRIVILEGES ON *.* TO '{user}'@… WITH GRANT OPTION`, or \
             just those named",
            missing.join(", ")
        )
    })
}

fn unchecked(node: &Node, closer: &Closer) -> Vec<Unchecked> {
    let note = |missing: bool, what: &str, why: &str| {
        missing.then(|| Unchecked {
            node: node.name.clone(),
            what: what.to_owned(),
            why: why.to_owned(),
        })
    };
    [
        note(
            closer.schema.is_none(),
            "tables, triggers and events",
            "the account lacks REFERENCES, TRIGGER or EVENT on *.*, without which the server hides some of them",
        ),
        note(
            closer.logins.is_none(),
            "accounts",
            "the account may not read mysql.user",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn silent(node: &Node, silence: &Silence) -> Silent {
    let (error, hint) = match silence {
        Silence::NotRunning => (
            "the server is not running".to_owned(),
            Some("`twinlog up` starts it".to_owned()),
        ),
        Silence::Starting => (
            "the server is starting".to_owned(),
            Some("ask again in a moment; `twinlog up` waits for it".to_owned()),
        ),
        Silence::Failed(error) => (error.to_string(), error.hint()),
    };
    Silent {
        node: node.name.clone(),
        error,
        hint,
    }
}

/// The options of a node's own file.
fn options(site: &Site, node: &Node, facts: &NodeFacts) -> Option<Options> {
    let text = facts.process()?.config.as_ref()?;
    let file = OptionFile::parse(&site.paths(node).config(), text).ok()?;
    Some(file.server_options(facts.dialect().map(|dialect| *dialect.version())))
}

/// The certificates of a node that twinlog runs, and the one an external server says it has.
fn certificates(
    site: &Site,
    node: &Node,
    facts: Option<&ServerFacts>,
) -> Vec<(PathBuf, Option<Timestamp>)> {
    if site.config.runtime_of(node) == Runtime::External {
        let said = facts.and_then(|facts| facts.counters.get("ssl_server_not_after"));
        let expiry = said.and_then(|text| not_after(text));
        return expiry
            .map(|expiry| ("Ssl_server_not_after".into(), Some(expiry)))
            .into_iter()
            .collect();
    }
    let files = site.certificates(node);
    [files.ca, files.cert]
        .into_iter()
        .filter(|path| path.exists())
        .map(|path| {
            let expiry = certs::expiry(&path).ok();
            (path, expiry)
        })
        .collect()
}

/// Reads `Sep 25 10:00:00 2035 GMT`, as OpenSSL writes it.
fn not_after(text: &str) -> Option<Timestamp> {
    strtime::parse("%b %e %H:%M:%S %Y GMT", text)
        .and_then(|parsed| parsed.to_datetime())
        .and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC))
        .map(|time| time.timestamp())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openssl_dates_are_read() {
        let time = not_after("Sep  5 10:00:00 2035 GMT").expect("a date");
        assert_eq!(time.to_string(), "2035-09-05T10:00:00Z");
        assert_eq!(not_after(""), None);
    }
}
