use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::net::IpAddr;

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HealthConfig, HostConfig, HostConfigLogConfig, Mount,
    MountType, NetworkingConfig, PortBinding, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};
use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest, Sha1};

use super::names::{LABEL_CONFIG, NodeId};

/// Where the public images keep the data directory.
pub const DATA_DIR: &str = "/var/lib/mysql";
/// The port the server listens on inside the container, and under which the other node reaches it.
pub const SERVER_PORT: u16 = 3306;
/// The directory for what twinlog uploads; [`Upload`]s belong below it.
pub const UPLOAD_DIR: &str = "/etc/twinlog";

pub(super) const CONFIG_FILE: &str = "/etc/mysql/conf.d/twinlog.cnf";
pub(super) const ROOT_PASSWORD_FILE: &str = "/etc/twinlog/root-password";

/// How long the engine waits for the server's shutdown before it kills it: as long as writing back a large buffer pool
/// takes. The engine's own default of 10 s would make many a restart a crash recovery.
pub(super) const STOP_TIMEOUT_S: u32 = 120;

/// The least that the public entry scripts work with; each was taken away in turn to see. As root they give the
/// directories to the user mysql (CHOWN), look for files in them that are not his, in directories only he may enter
/// (DAC_OVERRIDE; DAC_READ_SEARCH would do, but opens the way to open_by_handle_at), and become him (SETUID, SETGID).
const CAPABILITIES: [&str; 4] = ["CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID"];

/// Descriptors: enough for any server here, and bounded. Older servers take memory for every one they might open, and
/// where the engine sets no limit that was tens of gigabytes.
const OPEN_FILES: i64 = 65_536;

/// Whether the server accepts connections over TCP, which the temporary server of the first initialisation does not.
/// No account is needed: refused access proves a server too, and counts as success in each of the three. MariaDB's own
/// script comes first, since it logs in properly where it can, and the server's log stays quiet.
const HEALTH_CHECK: &str = "if command -v healthcheck.sh >/dev/null; then exec healthcheck.sh --connect; fi; \
     admin=mysqladmin; if command -v mariadb-admin >/dev/null; then admin=mariadb-admin; fi; \
     exec $admin --no-defaults --user=twinlog-health --protocol=tcp --host=127.0.0.1 --port=3306 --connect-timeout=5 ping";

/// Rarely, because MariaDB writes a line to its log for each probe that it refuses.
const HEALTH_INTERVAL_S: i64 = 30;
/// While it is not yet up; engines before API 1.44 do not know it and take the interval.
const HEALTH_START_INTERVAL_S: i64 = 2;
/// A first initialisation on a slow disk, or a long crash recovery, is not yet ill health.
const HEALTH_START_PERIOD_S: i64 = 300;

/// Changed when the same specification makes another container than before, so that old ones are made anew.
const RECIPE: &str = "1";

/// A file for the container, owned by the server's user there.
#[derive(Debug)]
pub struct Upload {
    /// Its absolute path in the container, below [`UPLOAD_DIR`].
    pub path: String,
    /// Its mode, e.g. 0o400.
    pub mode: u32,
    /// What is in it. A digest of it becomes part of the container's label, so let it be long and random as a key is;
    /// a password is not: see [`ContainerSpec::root_password`].
    pub contents: SecretString,
}

/// A node's container as it should be.
#[derive(Debug)]
pub struct ContainerSpec {
    /// Whose it is.
    pub node: NodeId,
    /// The image, e.g. `mysql:8.4`.
    pub image: String,
    /// The port on this machine that leads to the server.
    pub port: u16,
    /// The address on this machine where that port is.
    pub bind_address: IpAddr,
    /// The most memory it may use, in bytes; the same with swap, so that it never swaps.
    pub memory_bytes: Option<u64>,
    /// The most processor time it may use, in processors.
    pub cpus: Option<f64>,
    /// Its my.cnf, without secrets: it becomes `/etc/mysql/conf.d/twinlog.cnf`, readable to all in the container.
    pub config: String,
    /// What root's password becomes at the first initialisation; not needed, and better absent, once the volume is
    /// [`Ready`](super::DataState::Ready). The public entry scripts leave it in the environment of the server that they
    /// start, out of sight of `docker inspect`, so let it be one that the caller replaces by SQL as soon as it is in.
    /// It is no part of the container's configuration hash.
    pub root_password: Option<SecretString>,
    /// Further files, such as TLS keys.
    pub files: Vec<Upload>,
    /// Further environment variables of the entry script; no secrets.
    pub env: BTreeMap<String, String>,
}

impl ContainerSpec {
    /// What tells a container of this specification from one of another, as it is in the label `twinlog.config`.
    pub fn config_hash(&self) -> String {
        let mut digest = Sha1::new();
        let mut add = |name: &str, value: &str| {
            // With its length, so that no two different lists of fields read the same.
            digest.update(format!("{name}={}:{value};", value.len()));
        };
        add("recipe", RECIPE);
        add("image", &self.image);
        add("port", &format!("{}:{}", self.bind_address, self.port));
        add("memory", &format!("{:?}", self.memory_bytes));
        add("cpus", &format!("{:?}", self.cpus));
        add("config", &self.config);
        for (name, value) in &self.env {
            add("env", &format!("{name}={value}"));
        }
        for file in &self.files {
            add("file", &format!("{:o} {}", file.mode, file.path));
            add("contents", file.contents.expose_secret());
        }
        digest
            .finalize()
            .iter()
            .fold(String::new(), |mut hex, byte| {
                // Writing to a String cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }

    /// What the engine is asked to create.
    pub(super) fn create_body(&self) -> ContainerCreateBody {
        let name = self.node.container();
        let mut labels = self.node.labels();
        labels.insert(LABEL_CONFIG.to_owned(), self.config_hash());
        // Both names: MariaDB's images have taken the first since ever, and the second in place of it since 10.6.
        let password_files = ["MYSQL_ROOT_PASSWORD_FILE", "MARIADB_ROOT_PASSWORD_FILE"]
            .map(|variable| format!("{variable}={ROOT_PASSWORD_FILE}"));
        let further = self
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let endpoint = EndpointSettings {
            // Said outright, for it is created under another name than it gets.
            aliases: Some(vec![name.clone()]),
            ..EndpointSettings::default()
        };
        ContainerCreateBody {
            // Longer ones are not allowed; the engine then takes the container's id. Peers use the alias anyway.
            hostname: (name.len() <= 63).then_some(name),
            image: Some(self.image.clone()),
            env: Some(password_files.into_iter().chain(further).collect()),
            labels: Some(labels),
            exposed_ports: Some(vec![container_port()]),
            stop_timeout: Some(i64::from(STOP_TIMEOUT_S)),
            healthcheck: Some(health_check()),
            host_config: Some(self.host_config()),
            networking_config: Some(NetworkingConfig {
                endpoints_config: Some(HashMap::from([(self.node.network().to_owned(), endpoint)])),
            }),
            ..ContainerCreateBody::default()
        }
    }

    fn host_config(&self) -> HostConfig {
        let memory = self
            .memory_bytes
            .map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let published = PortBinding {
            host_ip: Some(self.bind_address.to_string()),
            host_port: Some(self.port.to_string()),
        };
        HostConfig {
            network_mode: Some(self.node.network().to_owned()),
            port_bindings: Some(HashMap::from([(container_port(), Some(vec![published]))])),
            mounts: Some(vec![data_mount(&self.node, false)]),
            // Until it was once seen ready: an engine that keeps starting a server with a wrong option only buries
            // the reason in its log. `mark_ready` changes it.
            restart_policy: Some(restart_policy(RestartPolicyNameEnum::NO)),
            memory,
            memory_swap: memory,
            nano_cpus: self.cpus.map(nano_cpus),
            ulimits: Some(vec![ResourcesUlimits {
                name: Some("nofile".to_owned()),
                soft: Some(open_files()),
                hard: Some(open_files()),
            }]),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(HashMap::from([
                    ("max-size".to_owned(), "10m".to_owned()),
                    ("max-file".to_owned(), "3".to_owned()),
                ])),
            }),
            // The server is the first process itself and leaves no children behind.
            init: Some(false),
            ..confined(&CAPABILITIES)
        }
    }
}

/// No privilege but these capabilities, and no way to gain any.
pub(super) fn confined(capabilities: &[&str]) -> HostConfig {
    HostConfig {
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(capabilities.iter().map(|&name| name.to_owned()).collect()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        ..HostConfig::default()
    }
}

/// The node's volume in its place.
pub(super) fn data_mount(node: &NodeId, read_only: bool) -> Mount {
    Mount {
        target: Some(DATA_DIR.to_owned()),
        source: Some(node.volume()),
        typ: Some(MountType::VOLUME),
        read_only: Some(read_only),
        ..Mount::default()
    }
}

pub(super) fn restart_policy(name: RestartPolicyNameEnum) -> RestartPolicy {
    RestartPolicy {
        name: Some(name),
        maximum_retry_count: None,
    }
}

/// The server's port as the engine writes it.
pub(super) fn container_port() -> String {
    format!("{SERVER_PORT}/tcp")
}

fn health_check() -> HealthConfig {
    let seconds = |count: i64| Some(count * 1_000_000_000);
    HealthConfig {
        test: Some(vec!["CMD-SHELL".to_owned(), HEALTH_CHECK.to_owned()]),
        interval: seconds(HEALTH_INTERVAL_S),
        timeout: seconds(10),
        retries: Some(3),
        start_period: seconds(HEALTH_START_PERIOD_S),
        start_interval: seconds(HEALTH_START_INTERVAL_S),
    }
}

/// As many descriptors as wanted, or as many as this machine lets a process have: an engine that is itself confined
/// (rootless, or in a container) cannot start a container that asks for more than it has.
fn open_files() -> i64 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    hard_limit_of_files(&limits).map_or(OPEN_FILES, |hard| hard.min(OPEN_FILES))
}

/// The hard limit of descriptors by `/proc/PID/limits`; nothing where there is none.
fn hard_limit_of_files(limits: &str) -> Option<i64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a number of processors in billionths fits 63 bits"
)]
fn nano_cpus(cpus: f64) -> i64 {
    (cpus * 1e9).round() as i64
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use uuid::Uuid;

    use super::*;

    fn spec() -> ContainerSpec {
        ContainerSpec {
            node: NodeId {
                pair: "shop".into(),
                pair_id: Uuid::nil(),
                node: "a".into(),
            },
            image: "mysql:8.4".into(),
            port: 3307,
            bind_address: Ipv4Addr::LOCALHOST.into(),
            memory_bytes: Some(512 << 20),
            cpus: Some(1.5),
            config: "[mysqld]\nserver_id = 1\n".into(),
            root_password: Some("root-secret".into()),
            files: vec![Upload {
                path: "/etc/twinlog/server-key.pem".into(),
                mode: 0o400,
                contents: "key-secret".into(),
            }],
            env: BTreeMap::from([("MYSQL_INITDB_SKIP_TZINFO".into(), "1".into())]),
        }
    }

    #[test]
    fn descriptors_are_bounded_by_what_there_are() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 20000                files     \n";
        assert_eq!(hard_limit_of_files(limits), Some(20_000));
        assert_eq!(
            hard_limit_of_files(&limits.replace("20000", "unlimited")),
            None
        );
        assert!((1..=OPEN_FILES).contains(&open_files()));
    }

    #[test]
    fn the_hash_follows_every_part_but_the_root_password() {
        let hash = spec().config_hash();
        assert_eq!(hash.len(), 40);
        let changed = |change: fn(&mut ContainerSpec)| {
            let mut spec = spec();
            change(&mut spec);
            spec.config_hash() != hash
        };
        assert!(changed(|spec| spec.image.push('0')));
        assert!(changed(|spec| spec.port = 3308));
        assert!(changed(
            |spec| spec.bind_address = Ipv4Addr::UNSPECIFIED.into()
        ));
        assert!(changed(|spec| spec.memory_bytes = None));
        assert!(changed(|spec| spec.cpus = Some(2.0)));
        assert!(changed(|spec| spec.config.push('#')));
        assert!(changed(|spec| spec.files[0].mode = 0o440));
        assert!(changed(|spec| spec.files[0].contents = "another".into()));
        assert!(changed(|spec| spec.env.clear()));
        assert!(!changed(|spec| spec.root_password = None));
    }

    #[test]
    fn no_secret_and_no_privilege_in_what_the_engine_is_asked() {
        let body = serde_json::to_string(&spec().create_body()).expect("a body is JSON");
        assert!(!body.contains("secret"), "{body}");
        let host = spec().host_config();
        assert_eq!(host.privileged, Some(false));
        assert_eq!(host.cap_drop, Some(vec!["ALL".into()]));
        assert_eq!(host.nano_cpus, Some(1_500_000_000));
        assert_eq!(host.memory_swap, Some(512 << 20));
        assert!(!format!("{:?}", spec()).contains("secret"), "{:?}", spec());
    }
}
