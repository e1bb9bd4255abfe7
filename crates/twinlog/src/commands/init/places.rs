//! Where the two servers are, and how to get in.

use std::path::Path;

use twinlog_pair::config::{Config, Node, Password, Runtime};

use super::{
    InitArgs,
    ask::Asker,
    decide::{answer, at_index, plain, resolved},
    nodes::{NodeAt, host_port},
    ports,
};
use crate::failure::{Failure, USAGE};

/// Two servers that run already: where they are, and as whom to enter.
pub(super) fn external(
    config: &mut Config,
    args: &InitArgs,
    asker: &mut Asker<'_>,
) -> Result<(), Failure> {
    let imported = !args.from_my_cnf.is_empty();
    match args.node.as_slice() {
        [a, b] => {
            for (node, at) in config.nodes.iter_mut().zip([a, b]) {
                let NodeAt { name, host, port } = at;
                (node.name, node.host, node.port) = (name.clone(), host.clone(), *port);
            }
        }
        [] if asker.asks() => {
            for node in &mut config.nodes {
                let question = format!("Where is node {}, as HOST:PORT?", node.name);
                let default = if imported {
                    format!("{}:{}", node.host, node.port)
                } else {
                    String::new()
                };
                let read = |text: &str| {
                    host_port(text).ok_or("HOST:PORT, as db1.example.net:3306".to_owned())
                };
                (node.host, node.port) = answer(asker.ask(&question, &default, read))?;
            }
        }
        [] if imported => {}
        _ => {
            return Err(Failure::new(
                USAGE,
                format!(
                    "a pair has two nodes, and --node was given {} times",
                    args.node.len()
                ),
                Some("such as --node a=db1.example.net:3306 --node b=db2.example.net:3306".into()),
            ));
        }
    }
    for (index, node) in config.nodes.iter_mut().enumerate() {
        node.user = match at_index(&args.user, index) {
            Some(user) => Some(user.clone()),
            None if asker.asks() => {
                let default = node.user.clone().unwrap_or_default();
                Some(answer(asker.ask(
                    &format!("Account for twinlog on node {}?", node.name),
                    &default,
                    plain,
                ))?)
            }
            None => node.user.clone(),
        };
        node.password = password(node, args, index, asker)?;
        if node.user.is_none() || node.password.is_none() {
            return Err(Failure::new(
                USAGE,
                "servers that run already need --user, and --password-file or --password-env",
                Some("the account needs most privileges; the file holds its password on one line, with mode 0600".into()),
            ));
        }
    }
    Ok(())
}

fn password(
    node: &Node,
    args: &InitArgs,
    index: usize,
    asker: &mut Asker<'_>,
) -> Result<Option<Password>, Failure> {
    if let Some(file) = at_index(&args.password_file, index) {
        return Ok(Some(Password::File(resolved(file)?)));
    }
    if let Some(name) = at_index(&args.password_env, index) {
        return Ok(Some(Password::Env(name.clone())));
    }
    if !asker.asks() {
        return Ok(node.password.clone());
    }
    let question = format!("File with its password on node {}?", node.name);
    let default = format!("{}.password", node.name);
    let file = answer(asker.ask(&question, &default, plain))?;
    Ok(Some(Password::File(resolved(Path::new(&file))?)))
}

/// Two servers that twinlog runs on this machine.
pub(super) fn local(
    config: &mut Config,
    args: &InitArgs,
    asker: &mut Asker<'_>,
    is_free: impl Fn(u16) -> bool,
) -> Result<Vec<String>, Failure> {
    if let Some(binary) = &args.binary {
        let bare = binary.components().count() == 1 && !binary.to_string_lossy().contains('/');
        config.server.binary = Some(if bare {
            binary.clone()
        } else {
            resolved(binary)?
        });
    }
    if config.server.runtime == Runtime::Docker {
        let default = config.server.image.clone();
        config.server.image = match &args.image {
            Some(image) => image.clone(),
            None => answer(asker.ask("Which image?", &default, plain))?,
        };
    }
    for node in &mut config.nodes {
        // What an import assumed of a server that runs already.
        (node.user, node.password) = (None, None);
    }
    let given = [args.port_a, args.port_b];
    let fresh = Config::local(&config.dir, "pair");
    let wanted = if config.nodes[0].port == config.nodes[1].port {
        [fresh.nodes[0].port, fresh.nodes[1].port]
    } else {
        [config.nodes[0].port, config.nodes[1].port]
    };
    let (ports, notes) = ports::choose(given, wanted, is_free);
    for (index, node) in config.nodes.iter_mut().enumerate() {
        node.port = match given[index] {
            Some(port) => port,
            None => {
                let read = |text: &str| match text.parse::<u16>() {
                    Ok(port) if port > 0 => Ok(port),
                    _ => Err("a port number".to_owned()),
                };
                let question = format!("Port of node {}?", node.name);
                answer(asker.ask(&question, &ports[index].to_string(), read))?
            }
        };
    }
    Ok(notes)
}
