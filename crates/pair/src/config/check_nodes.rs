//! What must hold of the two nodes and their certificates.

use std::net::{IpAddr, Ipv4Addr};

use super::check::{Findings, NODE_NAME_CHARS_MAX, image, is_label, is_spaced, options};
use super::model::{Config, Runtime, Tls};
use super::node::{ClientTls, Node};

/// A directory of this name, beside those of the nodes, holds what twinlog generates.
const SECRETS: &str = "secrets";

pub(super) fn check(config: &Config, findings: &mut Findings) {
    if config.nodes.len() != 2 {
        let message = format!(
            "a pair has exactly two nodes, here are {}",
            config.nodes.len()
        );
        findings.add(
            &["nodes"],
            message,
            "write [nodes.a] and [nodes.b], each with its `port`",
        );
    }
    for node in &config.nodes {
        name(node, findings);
        hosts(node, findings);
        options(&["nodes", &node.name, "options"], &node.options, findings);
        if let Some(name) = &node.image {
            image(&["nodes", &node.name, "image"], name, findings);
        }
        match config.runtime_of(node) {
            Runtime::External => external(node, findings),
            runtime => own(node, runtime, findings),
        }
    }
    if let [first, second] = config.nodes.as_slice() {
        distinct(config, first, second, findings);
    }
    if let Some(tls) = &config.tls {
        certificates(config, tls, findings);
    }
}

fn name(node: &Node, findings: &mut Findings) {
    let hint = "lower case letters, digits and `-`, a letter first, at most 16";
    if !is_label(&node.name, NODE_NAME_CHARS_MAX) {
        let message = format!("{:?} cannot name a node", node.name);
        findings.add(&["nodes", &node.name], message, hint);
    } else if node.name == SECRETS {
        let message =
            format!("{SECRETS:?} cannot name a node: its directory holds the pair's passwords");
        findings.add(&["nodes", &node.name], message, "such as \"a\" and \"b\"");
    }
}

fn hosts(node: &Node, findings: &mut Findings) {
    let given = [
        ("host", Some(&node.host)),
        ("replication_host", node.replication_host.as_ref()),
    ];
    for (key, host) in given {
        if let Some(host) = host.filter(|host| is_spaced(host)) {
            let message = format!("{host:?} cannot be a host");
            findings.add(
                &["nodes", &node.name, key],
                message,
                "a host name or an IP address, without port",
            );
        }
    }
}

fn external(node: &Node, findings: &mut Findings) {
    let name = node.name.as_str();
    let key = |key| ["nodes", name, key];
    if node.user.is_none() {
        let message = format!("external node {name} needs `user`");
        findings.add(
            &key("user"),
            message,
            "the account twinlog connects as; it needs most privileges",
        );
    }
    if node.password.is_none() {
        let message = format!("external node {name} needs `password_file` or `password_env`");
        findings.add(
            &key("password_file"),
            message,
            "`no_password = true` if the password is empty",
        );
    }
    let own_only = [
        ("binary", node.binary.is_some()),
        ("image", node.image.is_some()),
        ("data_dir", node.data_dir.is_some()),
        ("bind_address", node.bind_address.is_some()),
    ];
    for (setting, _) in own_only.iter().filter(|(_, given)| *given) {
        let message = format!("`{setting}` means nothing on external node {name}");
        findings.add(&key(setting), message, "twinlog does not start this server");
    }
    let verifies = matches!(
        node.tls,
        Some(ClientTls::VerifyCa | ClientTls::VerifyIdentity)
    );
    if verifies && node.ssl_ca.is_none() {
        let message = format!("`tls` of node {name} verifies against nothing");
        findings.add(
            &key("tls"),
            message,
            "name the authority's certificate: `ssl_ca = \"ca.pem\"`",
        );
    }
    if node.tls == Some(ClientTls::Off) && node.ssl_ca.is_some() {
        let message = format!("`ssl_ca` of node {name} is not used with `tls = \"off\"`");
        findings.add(&key("ssl_ca"), message, "leave one of them out");
    }
}

/// A node that twinlog runs: it makes the accounts and certificates itself.
fn own(node: &Node, runtime: Runtime, findings: &mut Findings) {
    let name = node.name.as_str();
    let external_only = [
        ("user", node.user.is_some()),
        ("password_file", node.password.is_some()),
        ("tls", node.tls.is_some()),
        ("ssl_ca", node.ssl_ca.is_some()),
    ];
    for (setting, _) in external_only.iter().filter(|(_, given)| *given) {
        let message = format!("`{setting}` is for external nodes, and twinlog runs node {name}");
        let hint = "twinlog makes its accounts and passwords; `[tls]` takes your certificates";
        findings.add(&["nodes", name, setting], message, hint);
    }
    let (unused, given) = match runtime {
        Runtime::Process => ("image", node.image.is_some()),
        _ => ("binary", node.binary.is_some()),
    };
    if given {
        let message = format!("`{unused}` means nothing to the runtime of node {name}");
        findings.add(
            &["nodes", name, unused],
            message,
            "`binary` is for process, `image` for docker",
        );
    }
}

fn distinct(config: &Config, first: &Node, second: &Node, findings: &mut Findings) {
    let key = |key| ["nodes", second.name.as_str(), key];
    if first.name == second.name {
        let message = format!("both nodes are named {:?}", second.name);
        findings.add(&["nodes", &second.name], message, "");
    }
    if first.port == second.port && same_machine(config, first, second) {
        let message = format!(
            "nodes {} and {} share port {}",
            first.name, second.name, second.port
        );
        findings.add(
            &key("port"),
            message,
            "two servers on one machine need two ports",
        );
    }
    if first.server_id.is_some() && first.server_id == second.server_id {
        let message = format!("nodes {} and {} share a server id", first.name, second.name);
        let hint = "each drops the other's events as its own: give them different ones";
        findings.add(&key("server_id"), message, hint);
    }
    let (one, two) = (config.data_dir_of(first), config.data_dir_of(second));
    if one.starts_with(&two) || two.starts_with(&one) {
        let message = format!(
            "nodes {} and {} share a data directory",
            first.name, second.name
        );
        findings.add(
            &key("data_dir"),
            message,
            "one directory each, neither within the other",
        );
    }
    for (node, dir) in [(first, one), (second, two)] {
        let secrets = config.secrets_dir();
        let overlap = secrets.starts_with(&dir) || dir.starts_with(secrets);
        if overlap && node.data_dir.is_some() {
            let message = format!(
                "the data directory of node {} overlaps the secrets'",
                node.name
            );
            let hint = "`<server.data_dir>/secrets` holds the generated passwords";
            findings.add(&["nodes", &node.name, "data_dir"], message, hint);
        }
    }
}

/// Do both listen on the same address, as far as names tell?
fn same_machine(config: &Config, first: &Node, second: &Node) -> bool {
    let runs = |node| config.runtime_of(node) != Runtime::External;
    if runs(first) && runs(second) {
        let bound = |node: &Node| node.bind_address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let (one, two) = (bound(first), bound(second));
        return one == two || one.is_unspecified() || two.is_unspecified();
    }
    canonical(&first.host) == canonical(&second.host)
}

fn canonical(host: &str) -> String {
    match host.to_ascii_lowercase().as_str() {
        "localhost" | "::1" => Node::DEFAULT_HOST.to_owned(),
        other => other.to_owned(),
    }
}

fn certificates(config: &Config, tls: &Tls, findings: &mut Findings) {
    for name in tls.nodes.keys() {
        let key = ["tls", "nodes", name];
        match config.node(name) {
            None => findings.add(&key, format!("[tls.nodes.{name}] names no node"), ""),
            Some(node) if config.runtime_of(node) == Runtime::External => findings.add(
                &key,
                format!("external node {name} has its certificate in its own configuration"),
                "leave this table out",
            ),
            Some(_) => {}
        }
    }
    for node in &config.nodes {
        let runs = config.runtime_of(node) != Runtime::External;
        if runs && !tls.nodes.contains_key(&node.name) {
            let message = format!("[tls] has no certificate for node {}", node.name);
            let hint = format!(
                "[tls.nodes.{}] with `cert` and `key`, or no [tls] at all",
                node.name
            );
            findings.add(&["tls", "nodes"], message, &hint);
        }
    }
}
