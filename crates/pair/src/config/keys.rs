//! Every key of the file, section by section, and the nearest one to a key that is not there.

/// The keys of one table.
pub(super) struct Section {
    /// As the user writes its header, such as `[server]`; `*` stands for a node's name.
    pub(super) title: &'static str,
    pub(super) keys: &'static [&'static str],
}

const TOP_LEVEL: &str = "the top level";

pub(super) const TOP: Section = Section {
    title: TOP_LEVEL,
    keys: &[
        "name",
        "databases",
        "writes",
        "server",
        "nodes",
        "replication",
        "tls",
        "conflicts",
        "agent",
    ],
};
pub(super) const SERVER: Section = Section {
    title: "[server]",
    keys: &[
        "runtime", "binary", "image", "data_dir", "user", "options", "docker",
    ],
};
pub(super) const DOCKER: Section = Section {
    title: "[server.docker]",
    keys: &["memory", "cpus"],
};
pub(super) const NODE: Section = Section {
    title: "[nodes.*]",
    keys: &[
        "runtime",
        "binary",
        "image",
        "data_dir",
        "host",
        "port",
        "bind_address",
        "server_id",
        "user",
        "password_file",
        "password_env",
        "no_password",
        "tls",
        "ssl_ca",
        "replication_host",
        "replication_port",
        "options",
    ],
};
pub(super) const REPLICATION: Section = Section {
    title: "[replication]",
    keys: &["mode", "semi_sync", "tls", "filter"],
};
pub(super) const TLS: Section = Section {
    title: "[tls]",
    keys: &["ca", "nodes"],
};
pub(super) const TLS_NODE: Section = Section {
    title: "[tls.nodes.*]",
    keys: &["cert", "key"],
};
pub(super) const CONFLICTS: Section = Section {
    title: "[conflicts]",
    keys: &["policy", "tables"],
};
pub(super) const TABLE_POLICY: Section = Section {
    title: "[[conflicts.tables]]",
    keys: &["match", "policy", "counters"],
};
pub(super) const AGENT: Section = Section {
    title: "[agent]",
    keys: &["listen", "router", "verify_every", "verify_load"],
};

const ALL: [&Section; 10] = [
    &TOP,
    &SERVER,
    &DOCKER,
    &NODE,
    &REPLICATION,
    &TLS,
    &TLS_NODE,
    &CONFLICTS,
    &TABLE_POLICY,
    &AGENT,
];

/// What to say of a key that `section` does not have.
pub(super) fn hint(key: &str, section: &Section) -> String {
    if is_secret(key) {
        return "name where it is kept: `password_file = \"FILE\"` or `password_env = \"VARIABLE\"`, \
                on an external node; twinlog generates the passwords of nodes it runs"
            .to_owned();
    }
    let wanted = key.to_lowercase().replace('-', "_");
    let homes: Vec<&str> = ALL
        .iter()
        .filter(|other| other.keys.contains(&wanted.as_str()))
        .map(|other| other.title)
        .collect();
    if !homes.is_empty() && !homes.contains(&section.title) {
        return format!("`{wanted}` belongs {}", within(&homes.join(" or ")));
    }
    if let Some(near) = nearest(&wanted, section.keys) {
        return format!("did you mean `{near}`?");
    }
    let known = section.keys.join(", ");
    if section.keys.contains(&"options") {
        return format!("an option of the server goes into `options`; known here: {known}");
    }
    format!("known here: {known}")
}

/// Where a key stands, after the title of its table.
pub(super) fn within(title: &str) -> String {
    let preposition = if title == TOP_LEVEL { "at" } else { "in" };
    format!("{preposition} {title}")
}

/// Would this key hold a password in the clear?
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    ["password", "passwd", "pass", "secret"].iter().any(|word| {
        key == *word || key.ends_with(&format!("_{word}")) || key.ends_with(&format!("-{word}"))
    })
}

/// The known key a typing error away: a third of its letters may differ, two always.
pub(super) fn nearest<'a>(wanted: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, key) = known
        .iter()
        .map(|key| (strsim::damerau_levenshtein(wanted, key), *key))
        .min()?;
    let limit = (key.len() / 3).max(2).min(key.len() - 1);
    let part = wanted.len() >= 3 && (key.starts_with(wanted) || wanted.starts_with(key));
    (distance <= limit || part).then_some(key)
}
