//! Makes a server a node of the pair: twinlog's tables, its accounts, and where its log stood.
//!
//! Nothing here reaches the binary log, so that neither node receives the other's accounts, and a node with no
//! history of its own stays without one.

use twinlog_server::{dialect::Account, facts::Coordinates, sql::Sql};

use super::{Action, Phase, Plan, Server, Step, links::Tls};
use crate::{
    observe::PairFacts,
    origin::{Origin, Sameness},
    own_tables,
    site::Site,
};

/// Adds the step for one node, unless it is a node of the pair already.
pub(super) fn plan(
    site: &Site,
    facts: &PairFacts,
    index: usize,
    servers: [&Server; 2],
    sameness: Sameness,
    tls: &Tls,
    plan: &mut Plan,
) {
    let node = &facts.nodes[index];
    let secrets_id = facts.secrets_id.clone();
    let recorded = recorded(facts, index, sameness);
    let known =
        recorded.is_some_and(|origin| origin.secrets_id == secrets_id && !secrets_id.is_empty());
    if known
        && node.agent_login
        && accounts_are_right(site, facts, index, servers[index])
        && own_tables::missing(&node.own_tables).is_empty()
    {
        return;
    }
    let origin = match recorded {
        Some(origin) => Origin {
            secrets_id,
            ..origin.clone()
        },
        None => origin(servers[index], sameness, secrets_id),
    };
    let dialect = servers[index].facts.dialect;
    let mut statements = vec![Sql::new("SET sql_log_bin = 0")];
    statements.extend(own_tables::create());
    for account in Account::ALL {
        statements.extend(dialect.ensure_account(
            account,
            account == Account::Replication && tls.from[index].is_some(),
            site.config.databases.as_deref(),
        ));
    }
    // Last: whoever finds this row finds all the rest.
    statements.push(origin.record(&site.pair_id, &node.name));
    plan.steps.push(Step {
        phase: Phase::Server,
        node: Some(index),
        title: format!("{}: make twinlog's accounts and tables", node.name),
        undo: "SET sql_log_bin = 0; DROP DATABASE twinlog; DROP USER twinlog, twinlog_repl".into(),
        action: Action::Sql(statements),
    });
}

/// A node's origin, if it still is one: where the two were seen to be the same only now, an older one of a single node
/// is from before, and a link from there would apply everything since for the second time.
pub(super) fn recorded(facts: &PairFacts, index: usize, sameness: Sameness) -> Option<&Origin> {
    let both = facts.nodes.iter().all(|node| node.origin.is_some());
    facts.nodes[index].origin.as_ref().filter(|origin| {
        both || !matches!(sameness, Sameness::Equal | Sameness::Copied)
            && origin.sameness != Sameness::Settled
    })
}

fn accounts_are_right(site: &Site, facts: &PairFacts, index: usize, server: &Server) -> bool {
    let accounts = &facts.nodes[index].accounts;
    Account::ALL.into_iter().all(|account| {
        accounts
            .iter()
            .find(|found| found.user == account.user())
            .is_some_and(|found| {
                server
                    .facts
                    .dialect
                    .missing_privileges(account, &found.grants, site.config.databases.as_deref())
                    .is_empty()
            })
    })
}

/// Where the node's own log stands now; a server that is yet to be made starts at the beginning.
pub(super) fn origin(server: &Server, sameness: Sameness, secrets_id: String) -> Origin {
    let end = server.facts.binlog_end.clone().unwrap_or(Coordinates {
        file: String::new(),
        position: 0,
    });
    Origin {
        end,
        gtids: server.facts.logged().replace('\n', ""),
        sameness,
        secrets_id,
    }
}
