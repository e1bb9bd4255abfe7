//! `twinlog dsn`

use std::{fmt::Write as _, io::IsTerminal, process::ExitCode};

use clap::Args;
use secrecy::ExposeSecret;
use twinlog_pair::{
    config::{Node, Runtime},
    site::{Login, Site},
};
use twinlog_server::conn::Address;

use crate::{
    failure::Failure,
    output::{print, tell},
};

/// Print a URL that leads to a node, for clients and libraries.
///
/// It is the administrator's: root of a node that twinlog runs, the configured account of an external one.
/// Applications should have accounts of their own, with what they need and no more.
///
/// root of a process node logs in through the server's socket and in no other way, so its URL is
/// mysql://root:…@localhost/?socket=/path, which the drivers of most languages read (some call the parameter
/// unix_socket). Other URLs have host and port. User, password and path are percent-encoded.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog dsn a                   print the URL, password included
  twinlog dsn b --no-password     print it without, to show to others")]
pub(crate) struct DsnArgs {
    /// Which node.
    node: String,
    /// Leave the password out.
    #[arg(long)]
    no_password: bool,
}

pub(crate) fn run(site: &Site, args: &DsnArgs) -> Result<ExitCode, Failure> {
    let node = super::node(site, &args.node)?;
    if args.no_password {
        let (user, address) = way(site, node);
        print(&url(&user, None, &address));
        return Ok(ExitCode::SUCCESS);
    }
    let endpoint = site.endpoint(node, Login::Admin).map_err(|error| {
        let hint = match site.config.runtime_of(node) {
            Runtime::External => error.hint(),
            Runtime::Process | Runtime::Docker => Some("`twinlog up` makes it".into()),
        };
        Failure::new(crate::failure::WORLD, error.to_string(), hint)
    })?;
    let password = endpoint.password.as_ref();
    let password = password.map(|password| password.expose_secret());
    print(&url(&endpoint.user, password, &endpoint.address));
    if password.is_some() && std::io::stdout().is_terminal() {
        tell("warning: the URL above holds a password; --no-password leaves it out");
    }
    Ok(ExitCode::SUCCESS)
}

/// As whom and where, without asking for the password.
fn way(site: &Site, node: &Node) -> (String, Address) {
    match site.config.runtime_of(node) {
        Runtime::Process => ("root".into(), Address::Socket(site.paths(node).socket())),
        Runtime::Docker => ("root".into(), Address::Tcp(node.host.clone(), node.port)),
        Runtime::External => (
            node.user.clone().unwrap_or_else(|| "root".into()),
            Address::Tcp(node.host.clone(), node.port),
        ),
    }
}

fn url(user: &str, password: Option<&str>, address: &Address) -> String {
    let user = encoded(user, "");
    let login = match password {
        Some(password) => format!("{user}:{}", encoded(password, "")),
        None => user,
    };
    match address {
        Address::Socket(path) => {
            let path = encoded(&path.to_string_lossy(), "/");
            format!("mysql://{login}@localhost/?socket={path}")
        }
        address @ Address::Tcp(..) => format!("mysql://{login}@{address}/"),
    }
}

/// Percent-encodes all but what every reader of URLs takes literally, and the characters of `also`.
fn encoded(text: &str, also: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || also.contains(c) {
            out.push(c);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_takes_for_its_own_is_encoded() {
        let tcp = Address::Tcp("::1".into(), 3306);
        assert_eq!(
            url("a@b", Some("p:/?#[]@é %"), &tcp),
            "mysql://a%40b:p%3A%2F%3F%23%5B%5D%40%C3%A9%20%25@[::1]:3306/"
        );
        let socket = Address::Socket("/srv/my data/a/mysqld.sock".into());
        assert_eq!(
            url("root", None, &socket),
            "mysql://root@localhost/?socket=/srv/my%20data/a/mysqld.sock"
        );
    }
}
