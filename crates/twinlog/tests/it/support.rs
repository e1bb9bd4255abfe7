//! What the tests of all commands share: a pair of their own, and the schemas of the JSON documents.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use mysql_async::{Conn, OptsBuilder, prelude::Queryable};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;
use twinlog_testbed::{Port, ServerKind, TestDir, Twinlog, free_port};

/// Longer than any statement of a test may take on two busy cores.
const QUERY_DEADLINE: Duration = Duration::from_secs(30);

/// A pair of process nodes `a` and `b`, in a directory of its own; stopped and removed when dropped.
pub(crate) struct Pair {
    pub(crate) twinlog: Twinlog,
    // Dropped in this order: the ports stay reserved until the servers are gone.
    dir: TestDir,
    _ports: [Port; 2],
}

impl Pair {
    /// Writes its `twinlog.toml` (with `extra` lines in front) and nothing else.
    pub(crate) fn new(kind: ServerKind, extra: &str) -> Self {
        let dir = TestDir::new();
        let ports = [free_port(), free_port()];
        let twinlog = Twinlog::new(env!("CARGO_BIN_EXE_twinlog"), &dir);
        let config = format!(
            "name = \"shop\"\n{extra}\n[server]\nbinary = \"{}\"\nuser = \"nobody\"\n[nodes.a]\nport = {}\n[nodes.b]\nport = {}\n",
            kind.server_binary().display(),
            ports[0],
            ports[1]
        );
        twinlog.write("twinlog.toml", &config);
        Self {
            twinlog,
            dir,
            _ports: ports,
        }
    }

    /// A proven pair.
    pub(crate) fn up(kind: ServerKind) -> Self {
        let pair = Self::new(kind, "");
        pair.twinlog.run(&["up"]).expect_code(0);
        pair
    }

    fn node(&self, node: &str) -> PathBuf {
        self.dir.join("data").join(node)
    }

    /// The process id of a node's server.
    pub(crate) fn pid(&self, node: &str) -> String {
        let pid = fs::read_to_string(self.node(node).join("mysqld.pid"));
        pid.expect("a pid file").trim().to_owned()
    }

    /// Sends a node's server a signal (`KILL`, `STOP`, `CONT`).
    pub(crate) fn signal(&self, node: &str, signal: &str) {
        let sent = std::process::Command::new("kill")
            .args(["-s", signal, &self.pid(node)])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "{node}: no {signal}"
        );
    }

    /// A connection to a node as root.
    pub(crate) async fn conn(&self, node: &str) -> Conn {
        let password =
            fs::read_to_string(self.dir.join("data/secrets/root")).expect("root's password");
        let opts = OptsBuilder::default()
            .socket(self.node(node).join("mysqld.sock").to_str())
            .user(Some("root"))
            .pass(Some(password.trim()));
        Conn::new(opts).await.expect("root may log in")
    }

    /// The rows of a query on a node, as root.
    pub(crate) async fn rows(&self, node: &str, sql: &str) -> Vec<mysql_async::Row> {
        let work = async {
            let mut conn = self.conn(node).await;
            let rows = conn
                .query(sql)
                .await
                .unwrap_or_else(|error| panic!("{node}: {error}: {sql}"));
            let _ = conn.disconnect().await; // As below.
            rows
        };
        tokio::time::timeout(QUERY_DEADLINE, work)
            .await
            .expect("an answer in time")
    }

    /// Runs statements on a node as root, in one session.
    pub(crate) async fn exec(&self, node: &str, statements: &[&str]) {
        let work = async {
            let mut conn = self.conn(node).await;
            for sql in statements {
                conn.query_drop(*sql)
                    .await
                    .unwrap_or_else(|error| panic!("{node}: {error}: {sql}"));
            }
            // Dropped, it would be warned of in the server's log; refused, it is gone all the same.
            let _ = conn.disconnect().await;
        };
        tokio::time::timeout(QUERY_DEADLINE, work)
            .await
            .expect("an answer in time");
    }
}

/// Where the schema of a JSON document is kept.
fn schema_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/schema")
        .join(format!("{name}.json"))
}

/// Holds `docs/schema/NAME.json` to the type it describes. With `UPDATE_SCHEMAS=1` it is written anew.
pub(crate) fn check_schema<T: JsonSchema>(name: &str) {
    // As it is written, not as it could be read: then a field that may be null is still always there.
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let schema = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
    let path = schema_file(name);
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::create_dir_all(path.parent().expect("it has one")).expect("docs/schema can be made");
        fs::write(&path, &schema).expect("docs/schema can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == schema,
        "docs/schema/{name}.json is out of date: run this test with UPDATE_SCHEMAS=1"
    );
}

/// Holds a document to `docs/schema/NAME.json`, and returns it.
#[track_caller]
pub(crate) fn assert_valid(name: &str, json: &str) -> Value {
    let schema = fs::read_to_string(schema_file(name)).expect("a schema");
    let schema: Value = serde_json::from_str(&schema).expect("a schema is JSON");
    let document: Value =
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let validator = jsonschema::validator_for(&schema).expect("a schema that can be used");
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{json}");
    document
}
