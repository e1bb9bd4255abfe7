//! What a running server's settings lack: set at run time where that is possible, named line by line where it takes a
//! restart.

use twinlog_server::{
    dialect::Changes,
    sql::{Sql, literal},
};

use super::{Action, Blame, Phase, Plan, Refusal, Server, Step};
use crate::{
    config::{Filter, Mode, Writes},
    settings::{self, Need, Setting},
    site::Site,
};

/// Adds the statements for one node.
pub(super) fn plan(
    site: &Site,
    index: usize,
    server: &Server,
    plan: &mut Plan,
    refusals: &mut Vec<Refusal>,
) {
    if !server.real {
        return; // Its option file, which is in the plan, says it all.
    }
    let node = site.nodes()[index];
    let facts = &server.facts;
    let id = node.server_id.unwrap_or(
        if facts.server_id() == 0 || !super::refuse::is_external(site, index) {
            u32::from(index == 1) + 1
        } else {
            facts.server_id()
        },
    );
    let missing: Vec<Setting> = settings::desired(&site.config, index, id, &facts.dialect)
        .into_iter()
        .filter(|setting| !has(server, setting))
        .collect();
    let mut statements = Vec::new();
    let mut restart = Vec::new();
    let mut stands_still = false;
    for setting in missing.iter().filter(|setting| !is_gtid(setting)) {
        // Clients that are connected already go on writing in the old domain, on both nodes the same: both appliers
        // would stop at once.
        if setting.key == "gtid_strict_mode" && super::refuse::is_external(site, index) {
            restart.push(setting);
            continue;
        }
        match facts
            .dialect
            .variable(&setting.key)
            .map(|variable| variable.changes)
        {
            Some(changes @ (Changes::Live | Changes::LinkStopped)) => {
                stands_still |= changes == Changes::LinkStopped;
                statements.push(set(site, index, server, setting));
            }
            _ => restart.push(setting),
        }
    }
    if site.config.replication.mode == Mode::Gtid && missing.iter().any(is_gtid) {
        switch_gtids_on(site, index, server, &missing, plan, refusals);
    }
    note_what_a_restart_undoes(site, index, server, &missing, plan);
    let filters = filters(site, index, server, plan);
    stands_still |= !filters.is_empty();
    statements.extend(filters);
    if stands_still {
        statements = around_link(server, statements);
    }
    push_sql(&node.name, index, statements, plan);
    advise(site, index, &restart, plan, refusals);
}

/// Whether GTIDs have yet to be switched on.
pub(super) fn lacks_gtids(site: &Site, server: &Server) -> bool {
    site.config.replication.mode == Mode::Gtid && server.real && !server.facts.has_gtids()
}

/// Says which lines make last what is only set until an external server restarts.
fn note_what_a_restart_undoes(
    site: &Site,
    index: usize,
    server: &Server,
    missing: &[Setting],
    plan: &mut Plan,
) {
    let dialect = server.facts.dialect;
    if !super::refuse::is_external(site, index) || dialect.row().persist {
        return;
    }
    let live = |setting: &&Setting| {
        let variable = dialect.variable(&setting.key);
        variable.is_some_and(|variable| variable.changes != Changes::Restart)
            && setting.key != "gtid_strict_mode"
    };
    let lines: Vec<String> = missing
        .iter()
        .filter(live)
        .map(|setting| format!("{} = {}", setting.name, setting.value))
        .collect();
    if !lines.is_empty() {
        plan.notes.push(format!(
            "{}: what is set now lasts until it restarts; these lines in [mysqld] make it last (until then run `twinlog up` \
             after a restart):\n    {}",
            site.nodes()[index].name,
            lines.join("\n    ")
        ));
    }
}

fn is_gtid(setting: &Setting) -> bool {
    matches!(
        setting.key.as_str(),
        "gtid_mode" | "enforce_gtid_consistency"
    )
}

fn has(server: &Server, setting: &Setting) -> bool {
    server
        .facts
        .named(&setting.name)
        .is_some_and(|actual| match setting.key.as_str() {
            // The variable says only whether there is a log; its name is the user's business.
            "log_bin" => settings::same_value("ON", actual),
            // Longer is as good. 0 means for ever.
            "binlog_expire_logs_seconds" => {
                let (wanted, actual): (f64, f64) = (
                    setting.value.parse().unwrap_or(0.0),
                    actual.parse().unwrap_or(0.0),
                );
                actual == 0.0 || actual >= wanted
            }
            "replica_net_timeout" => {
                actual.parse().unwrap_or(u32::MAX) <= setting.value.parse().unwrap_or(0)
            }
            // None must mean none: see `Row::retries_whole`.
            "replica_transaction_retries" if setting.value == "0" => actual == "0",
            "replica_transaction_retries" | "replica_parallel_workers" => {
                actual.parse().unwrap_or(0_u64) >= setting.value.parse().unwrap_or(0)
            }
            _ => settings::same_value(&setting.value, actual),
        })
}

fn set(site: &Site, index: usize, server: &Server, setting: &Setting) -> Sql {
    let plain =
        setting.value.parse::<f64>().is_ok() || matches!(setting.value.as_str(), "ON" | "OFF");
    let value = if plain {
        setting.value.clone()
    } else {
        literal(&setting.value)
    };
    // A persisted value would silently win over the option file of a node that twinlog runs.
    Sql::new(if super::refuse::is_external(site, index) {
        server.facts.dialect.set_global(&setting.name, &value)
    } else {
        format!("SET GLOBAL {} = {value}", setting.name)
    })
}

/// Some settings change only while the applier stands still.
fn around_link(server: &Server, statements: Vec<Sql>) -> Vec<Sql> {
    let dialect = server.facts.dialect;
    let running = server
        .facts
        .links
        .iter()
        .any(|link| link.applier || link.receiver != "No");
    if statements.is_empty() || !running {
        return statements;
    }
    let mut around = vec![Sql::new(dialect.stop_link())];
    around.extend(statements);
    around.push(dialect.start_link().into());
    around
}

fn push_sql(name: &str, index: usize, statements: Vec<Sql>, plan: &mut Plan) {
    if !statements.is_empty() {
        plan.steps.push(Step {
            phase: Phase::Server,
            node: Some(index),
            title: format!("{name}: set what can be set at run time"),
            undo: "set the variables back to what `SHOW GLOBAL VARIABLES` says now".into(),
            action: Action::Sql(statements),
        });
    }
}

/// MySQL's way to switch GTIDs on without a restart (MySQL 5.7.6 manual, "Enabling GTID Transactions Online"). The two
/// nodes are not linked yet, so neither has to wait for the other.
fn switch_gtids_on(
    site: &Site,
    index: usize,
    server: &Server,
    missing: &[Setting],
    plan: &mut Plan,
    refusals: &mut Vec<Refusal>,
) {
    let name = &site.nodes()[index].name;
    let dialect = server.facts.dialect;
    if !dialect.row().gtid_online {
        let lines: Vec<String> = missing
            .iter()
            .map(|setting| format!("{} = {}", setting.name, setting.value))
            .collect();
        refusals.push(Refusal::new(
            Blame::State,
            format!(
                "node {name}: GTIDs are off, and {} switches them on only at a restart",
                server.facts.version()
            ),
            format!(
                "add to [mysqld] and restart:\n  {}\nor set `mode = \"position\"` in [replication]",
                lines.join("\n  ")
            ),
        ));
        return;
    }
    if !server.facts.links.is_empty() {
        refusals.push(Refusal::new(
            Blame::State,
            format!("node {name}: GTIDs are off and it is linked already"),
            "set `mode = \"position\"` in [replication], or switch GTIDs on on both servers as the manual says (\"Enabling \
             GTID Transactions Online\"), then run `twinlog up` again",
        ));
        return;
    }
    let say = |name: &str, value: &str| Sql::new(dialect.set_global(name, value));
    let step = |title: String, action| Step {
        phase: Phase::Server,
        node: Some(index),
        title,
        undo: "the same steps backwards: ON_PERMISSIVE, OFF_PERMISSIVE, OFF".into(),
        action,
    };
    let mut first = vec![say("enforce_gtid_consistency", "ON")];
    // One step of the ladder at a time; a run that was killed half-way goes on from where it stands.
    let mode = server.facts.named("gtid_mode").unwrap_or("OFF");
    let ladder = ["OFF_PERMISSIVE", "ON_PERMISSIVE"];
    let from = ladder
        .iter()
        .position(|rung| *rung == mode)
        .map_or(0, |at| at + 1);
    first.extend(ladder[from..].iter().map(|rung| say("gtid_mode", rung)));
    plan.steps.push(step(
        format!("{name}: let new transactions have GTIDs"),
        Action::Sql(first),
    ));
    plan.steps.push(step(
        format!("{name}: wait for transactions without one to end"),
        Action::WaitFor {
            sql: "SHOW GLOBAL STATUS LIKE 'Ongoing_anonymous_transaction_count'".into(),
            value: "0".into(),
        },
    ));
    plan.steps.push(step(
        format!("{name}: switch GTIDs on"),
        Action::Sql(vec![say("gtid_mode", "ON")]),
    ));
}

/// The filter of an external server, which lasts until its next restart: the lines that make it last are advised.
fn filters(site: &Site, index: usize, server: &Server, plan: &mut Plan) -> Vec<Sql> {
    let Some(databases) = &site.config.databases else {
        return Vec::new();
    };
    if !super::refuse::is_external(site, index) {
        return Vec::new();
    }
    let name = &site.nodes()[index].name;
    let logs_only = server.facts.binlog_do_db.as_deref().unwrap_or_default();
    if site.config.replication.filter == Filter::BinlogDoDb || !logs_only.is_empty() {
        if logs_only.is_empty() {
            let own = twinlog_server::facts::OWN_SCHEMA;
            let lines: Vec<String> = databases
                .iter()
                .map(String::as_str)
                .chain([own])
                .map(|database| format!("binlog_do_db = {database}"))
                .collect();
            plan.notes.push(format!(
                "{name}: a restart with these lines in [mysqld] filters its log: {}",
                lines.join(", ")
            ));
        }
        return Vec::new();
    }
    let patterns: Vec<String> = databases
        .iter()
        .map(String::as_str)
        .chain([twinlog_server::facts::OWN_SCHEMA])
        .map(settings::wild_table_pattern)
        .collect();
    let has = |rules: &[(String, String)]| {
        rules.iter().any(|(rule, value)| {
            rule == "Replicate_Wild_Do_Table"
                && patterns
                    .iter()
                    .all(|pattern| value.split(',').any(|set| set == pattern))
        })
    };
    let set_now = server.facts.links.iter().any(|link| has(&link.filters))
        || server
            .facts
            .named("replicate_wild_do_table")
            .is_some_and(|value| {
                patterns
                    .iter()
                    .all(|pattern| value.split(',').any(|set| set == pattern))
            });
    if set_now {
        return Vec::new();
    }
    let lines: Vec<String> = patterns
        .iter()
        .map(|pattern| format!("replicate_wild_do_table = {pattern}"))
        .collect();
    plan.notes.push(format!(
        "{name}: its replication filter lasts until it restarts; these lines in [mysqld] make it last: {}",
        lines.join(", ")
    ));
    if server.facts.dialect.is_mariadb() {
        return vec![
            format!(
                "SET GLOBAL replicate_wild_do_table = {}",
                literal(&patterns.join(","))
            )
            .into(),
        ];
    }
    if !server.facts.dialect.row().filter_online {
        return Vec::new();
    }
    let list: Vec<String> = patterns.iter().map(|pattern| literal(pattern)).collect();
    vec![
        format!(
            "CHANGE REPLICATION FILTER REPLICATE_WILD_DO_TABLE = ({})",
            list.join(", ")
        )
        .into(),
    ]
}

/// What only a restart can change on a server that twinlog does not run: a reason to stop where the pair cannot work
/// without it, advice otherwise.
fn advise(
    site: &Site,
    index: usize,
    restart: &[&Setting],
    plan: &mut Plan,
    refusals: &mut Vec<Refusal>,
) {
    let name = &site.nodes()[index].name;
    let lines = |need: Need| -> Vec<String> {
        restart
            .iter()
            .filter(|setting| setting.need == need)
            .map(|setting| {
                format!(
                    "{} = {}   # {}",
                    setting.name, setting.value, setting.reason
                )
            })
            .collect()
    };
    let required = lines(Need::Required);
    if !required.is_empty() {
        refusals.push(Refusal::new(
            Blame::State,
            format!("node {name}: {} missing setting(s) take a restart, and there is no dual primary without them", required.len()),
            format!("add to [mysqld] and restart:\n  {}", required.join("\n  ")),
        ));
    }
    let advised = lines(Need::Advised);
    if !advised.is_empty() {
        plan.notes.push(format!(
            "{name}: these lines in [mysqld] would make it safer from its next restart on:\n    {}",
            advised.join("\n    ")
        ));
    }
}

/// With `writes = "one"`, the writer: the second node if it alone is open to writes, otherwise the first.
pub(super) fn writer(servers: [&Server; 2]) -> usize {
    let closed = servers.map(|server| server.facts.is_on("read_only"));
    usize::from(closed == [true, false])
}

/// Opens the writer, or both nodes, and closes the other one.
pub(super) fn read_only(
    site: &Site,
    index: usize,
    server: &Server,
    writer: usize,
    plan: &mut Plan,
) {
    let name = &site.nodes()[index].name;
    let is_read_only = server.facts.is_on("read_only");
    let should = site.config.writes == Writes::One && index != writer;
    if is_read_only == should {
        return;
    }
    if is_read_only && site.config.writes == Writes::Both && super::refuse::is_external(site, index)
    {
        plan.notes.push(format!(
            "{name}: it is read-only, although writes = \"both\"; opening it"
        ));
    }
    let mut statements = Vec::new();
    if !should && server.facts.is_on("super_read_only") {
        statements.push("SET GLOBAL super_read_only = OFF".into());
    }
    let value = if should { "ON" } else { "OFF" };
    if super::refuse::is_external(site, index) {
        statements.push(server.facts.dialect.set_global("read_only", value).into());
        if should && !server.facts.dialect.row().persist {
            plan.notes.push(format!(
                "{name}: `read_only = ON` in [mysqld] keeps it closed after its next restart"
            ));
        }
    } else {
        statements.push(format!("SET GLOBAL read_only = {value}").into());
    }
    plan.steps.push(Step {
        phase: Phase::Server,
        node: Some(index),
        title: format!(
            "{name}: {} clients' writes",
            if should { "refuse" } else { "allow" }
        ),
        undo: format!(
            "SET GLOBAL read_only = {}",
            if should { "OFF" } else { "ON" }
        ),
        action: Action::Sql(statements),
    });
}
