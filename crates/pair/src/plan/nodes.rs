//! The steps on this machine: directories, option files, data directories and processes of the nodes that twinlog runs.

use twinlog_server::{process::Owner, sql::Sql};

use super::{Action, Phase, Plan, Step, containers, render_config};
use crate::{
    config::LinkTls,
    observe::{NodeFacts, PairFacts, ProcessFacts, Silence},
    origin::Origin,
    own_tables, settings,
    site::{ROOT_SECRET, Site},
};

/// Adds what is missing of the pair's files and of its process nodes.
pub(super) fn plan(site: &Site, facts: &PairFacts, plan: &mut Plan) {
    pair_files(site, facts, plan);
    let texts: Vec<Option<String>> = (0..2)
        .map(|index| desired_config(site, facts, index))
        .collect();
    let mut new = Vec::new();
    for (index, node) in facts.nodes.iter().enumerate() {
        let (Some(process), Some(text)) = (node.process(), &texts[index]) else {
            continue;
        };
        claim_and_write(site, index, process, text, plan);
        if !process.initialised {
            new.push(index);
        }
    }
    containers::network(site, facts, plan);
    for (index, node) in facts.nodes.iter().enumerate() {
        if let Some(docker) = node.docker() {
            containers::plan(site, facts, index, docker, plan);
        }
    }
    initialise(site, facts, &new, plan);
    for (index, node) in facts.nodes.iter().enumerate() {
        let (Some(process), Some(text)) = (node.process(), &texts[index]) else {
            continue;
        };
        if matches!(node.server, Err(Silence::Starting)) {
            wait_for_start(site, index, process, plan);
        } else {
            start_or_restart(site, node, index, process, text, plan);
        }
    }
}

/// Tells of a TLS that only the links can use.
pub(super) fn note_old_tls(site: &Site, facts: &PairFacts, plan: &mut Plan) {
    let old = |node: &&NodeFacts| {
        node.process().is_some()
            && node
                .dialect()
                .is_some_and(|dialect| !dialect.row().modern_tls)
    };
    if let Some(node) = facts.nodes.iter().find(old)
        && site.config.replication.tls != LinkTls::Off
    {
        plan.notes.push(format!(
            "{}: this version speaks TLS 1.0 only; the links use it, but a client that tries TLS on its own accord fails: \
             switch that off in the client, or set `tls = \"off\"` in [replication]",
            node.name
        ));
    }
}

/// Renewed certificates are loaded by a running server that can, and by the others at their next start.
fn reload_certificates(facts: &PairFacts, plan: &mut Plan) {
    for (index, node) in facts.nodes.iter().enumerate() {
        let (Some(_), Ok(server)) = (node.process(), &node.server) else {
            continue;
        };
        match server.dialect.row().reload_tls {
            // Among the machine's steps, for once they are made nobody can tell that they have yet to be loaded.
            Some(statement) => plan.steps.push(Step {
                phase: Phase::Machine,
                node: Some(index),
                title: format!("{}: load its renewed certificate", node.name),
                action: Action::Sql(vec![statement.into()]),
                undo: "none: the old certificate is about to expire".into(),
            }),
            None => plan.notes.push(format!(
                "{}: it loads its renewed certificate at its next restart",
                node.name
            )),
        }
    }
}

fn pair_files(site: &Site, facts: &PairFacts, plan: &mut Plan) {
    let dir = site.config.server.data_dir.clone();
    if !facts.founded {
        plan.steps.push(Step {
            phase: Phase::Machine,
            node: None,
            title: "make the pair's directory and its id".into(),
            undo: format!("rm -r {}", dir.display()),
            action: Action::Found { dir },
        });
    }
    if !facts.missing_secrets.is_empty() {
        plan.steps.push(Step {
            phase: Phase::Machine,
            node: None,
            title: "generate passwords".into(),
            undo: "delete the files before a server is made; later only `replication` and `agent` can be made anew"
                .into(),
            action: Action::MakeSecrets {
                dir: site.config.secrets_dir(),
                names: facts.missing_secrets.clone(),
            },
        });
    }
    if facts.certificates_due {
        plan.steps.push(Step {
            phase: Phase::Machine,
            node: None,
            title: "make TLS certificates".into(),
            undo: "delete the files; the next `up` makes new ones".into(),
            action: Action::MintCertificates {
                dir: site.tls_dir(),
            },
        });
        reload_certificates(facts, plan);
    }
}

/// The option file a process node should have; `None` for other runtimes.
fn desired_config(site: &Site, facts: &PairFacts, index: usize) -> Option<String> {
    let node = &facts.nodes[index];
    let binary = node.process()?.binary.as_ref().ok()?;
    let dialect = node.dialect()?;
    let id = super::server_id(site, node, index);
    Some(render_config(site, index, id, binary, &dialect))
}

fn claim_and_write(site: &Site, index: usize, process: &ProcessFacts, text: &str, plan: &mut Plan) {
    let name = &site.nodes()[index].name;
    let paths = site.paths(site.nodes()[index]);
    if matches!(process.owner, Ok(Owner::Nobody)) {
        plan.steps.push(Step {
            phase: Phase::Machine,
            node: Some(index),
            title: format!("{name}: make its directory"),
            undo: "`twinlog down --purge`".into(),
            action: Action::Claim {
                dir: paths.dir.clone(),
            },
        });
    }
    if process.config.as_deref() != Some(text) {
        plan.steps.push(Step {
            phase: Phase::Machine,
            node: Some(index),
            title: format!("{name}: write its option file"),
            undo: "change twinlog.toml back and run `twinlog up`".into(),
            action: Action::WriteConfig {
                path: paths.config(),
                text: text.to_owned(),
            },
        });
    }
}

fn initialise(site: &Site, facts: &PairFacts, new: &[usize], plan: &mut Plan) {
    // One initialisation, copied, serves both nodes where the same program reads the same options.
    let alike = new.len() == 2
        && facts.nodes[0]
            .process()
            .and_then(|process| process.binary.as_ref().ok())
            == facts.nodes[1]
                .process()
                .and_then(|process| process.binary.as_ref().ok())
        && site.config.options_of(site.nodes()[0]) == site.config.options_of(site.nodes()[1]);
    let groups: Vec<Vec<usize>> = if alike {
        vec![new.to_vec()]
    } else {
        new.iter().map(|&index| vec![index]).collect()
    };
    for nodes in groups {
        let Some((&first, others)) = nodes.split_first() else {
            continue;
        };
        let names: Vec<&str> = nodes
            .iter()
            .map(|&index| site.nodes()[index].name.as_str())
            .collect();
        let copy = others.first().map_or(String::new(), |_| {
            format!(", then copied for {}", names[1..].join(", "))
        });
        plan.steps.push(Step {
            phase: Phase::Machine,
            // One of several nodes' steps may run beside another's; one that makes both may not.
            node: others.is_empty().then_some(first),
            title: format!(
                "{}: make {} data {}",
                names.join(" and "),
                if copy.is_empty() { "its" } else { "their" },
                if copy.is_empty() {
                    "directory"
                } else {
                    "directories"
                }
            ),
            undo: "`twinlog down --purge`".into(),
            action: Action::Initialise {
                command: format!(
                    "initialise {}{copy}; inside it:",
                    site.paths(site.nodes()[first]).data().display()
                ),
                statements: birth_statements(site, facts, first),
                nodes,
            },
        });
    }
}

/// What runs inside an initialisation. Both nodes of a pair may be copies of it, so it names neither.
fn birth_statements(site: &Site, facts: &PairFacts, index: usize) -> Vec<Sql> {
    let mut statements = root_statements(facts, index);
    statements.extend(own_tables::create());
    statements.push(Origin::of_birth().record(&site.pair_id, ""));
    statements
}

/// What makes root of a fresh data directory usable by whoever has the secret, and by nobody else, over the socket.
fn root_statements(facts: &PairFacts, index: usize) -> Vec<Sql> {
    let dialect = facts.nodes[index].dialect();
    if dialect.is_none_or(|dialect| dialect.row().user_if_not_exists) {
        let mut statements =
            vec![Sql::new("ALTER USER 'root'@'localhost' IDENTIFIED BY ").secret(ROOT_SECRET)];
        // MariaDB's scripts make a root without a password for 127.0.0.1, ::1 and the host's name, too.
        if dialect.is_some_and(|dialect| dialect.is_mariadb()) {
            statements.push(
                "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost')"
                    .into(),
            );
            statements.push("FLUSH PRIVILEGES".into());
        }
        return statements;
    }
    // 5.6 makes anonymous accounts and a root for several hosts, all without a password.
    vec![
        Sql::new("SET PASSWORD FOR 'root'@'localhost' = PASSWORD(")
            .secret(ROOT_SECRET)
            .text(")"),
        "DELETE FROM mysql.user WHERE user = '' OR (user = 'root' AND host <> 'localhost')".into(),
        "DELETE FROM mysql.db".into(),
        "FLUSH PRIVILEGES".into(),
    ]
}

/// A server that starts is let start, whatever has become of its option file: the next round restarts it if it must.
fn wait_for_start(site: &Site, index: usize, process: &ProcessFacts, plan: &mut Plan) {
    let name = &site.nodes()[index].name;
    plan.steps.extend(process.running.map(|running| Step {
        phase: Phase::Machine,
        node: Some(index),
        title: format!("{name}: wait until its server answers"),
        undo: "`twinlog down`".into(),
        action: Action::Await { pid: running.pid },
    }));
}

fn start_or_restart(
    site: &Site,
    facts: &NodeFacts,
    index: usize,
    process: &ProcessFacts,
    text: &str,
    plan: &mut Plan,
) {
    let node = site.nodes()[index];
    let binary = process
        .binary
        .as_ref()
        .map(|binary| binary.path.display().to_string())
        .unwrap_or_default();
    if process.running.is_none() {
        plan.steps.push(Step {
            phase: Phase::Machine,
            node: Some(index),
            title: format!("{}: start its server on port {}", node.name, node.port),
            undo: "`twinlog down`".into(),
            action: Action::Start {
                command: format!(
                    "{binary} --defaults-file={}",
                    site.paths(node).config().display()
                ),
            },
        });
    } else if takes_restart(site, facts, index, process, text) {
        plan.steps.push(Step {
            phase: Phase::Machine,
            // Of the pair, so that the two nodes never restart at the same time.
            node: None,
            title: format!("{}: restart its server with the new option file", node.name),
            undo: "change twinlog.toml back and run `twinlog up`".into(),
            action: Action::Restart { node: index },
        });
    }
}

/// Whether a running server has to be started again for its option file to hold. What can be set at run time is, when
/// it answers.
fn takes_restart(
    site: &Site,
    facts: &NodeFacts,
    index: usize,
    process: &ProcessFacts,
    text: &str,
) -> bool {
    let (Some(started), Some(dialect)) = (process.started_config.as_deref(), facts.dialect())
    else {
        return true;
    };
    let id = super::server_id(site, facts, index);
    let settings = settings::desired(&site.config, index, id, &dialect);
    !settings::without_restart(started, text, &settings, facts.facts())
}
