//! `NAME=HOST:PORT`

/// The servers' own default.
const PORT: u16 = 3306;

/// A server that runs already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeAt {
    pub(super) name: String,
    pub(super) host: String,
    pub(super) port: u16,
}

/// Reads `NAME=HOST[:PORT]`; an IPv6 address stands in brackets.
pub(super) fn node_at(text: &str) -> Result<NodeAt, String> {
    let expected = || "it reads NAME=HOST:PORT, as a=db1.example.net:3306".to_owned();
    let (name, address) = text.split_once('=').ok_or_else(expected)?;
    let (host, port) = host_port(address).ok_or_else(expected)?;
    if name.is_empty() {
        return Err(expected());
    }
    Ok(NodeAt {
        name: name.to_owned(),
        host,
        port,
    })
}

/// Reads `HOST[:PORT]`.
pub(super) fn host_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            let port = match rest {
                "" => None,
                rest => Some(rest.strip_prefix(':')?),
            };
            (host, port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|&port| port != 0)?,
        None => PORT,
    };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_perhaps_a_port() {
        let is = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(host_port("db1:3307"), is("db1", 3307));
        assert_eq!(host_port("10.0.0.1"), is("10.0.0.1", 3306));
        assert_eq!(host_port("[2001:db8::1]:3307"), is("2001:db8::1", 3307));
        assert_eq!(host_port("[::1]"), is("::1", 3306));
        for wrong in [
            "",
            ":3306",
            "db1:",
            "db1:0",
            "db1:99999",
            "::1",
            "[::1",
            "[::1]x",
        ] {
            assert_eq!(host_port(wrong), None, "{wrong}");
        }
        assert!(node_at("db1:3306").is_err());
        assert!(node_at("=db1:3306").is_err());
    }
}
