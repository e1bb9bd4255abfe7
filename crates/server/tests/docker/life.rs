//! Nodes that live as they should.

use std::net::Ipv4Addr;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use twinlog_server::docker::{
    ContainerState, Creation, DataState, Health, NodeFacts, Seen, Upload,
};

use super::support::{MARIADB, MYSQL, Pair, ROOT_PASSWORD, ours, wait_ready, wait_until};

#[tokio::test]
async fn a_node_from_nothing_through_its_life() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let engine = &pair.engine;
    engine.ping().await.unwrap();
    assert!(!engine.version().await.unwrap().api.is_empty());
    let pulled = engine
        .ensure_image(MYSQL, |_| panic!("it is here"))
        .await
        .unwrap();
    assert!(!pulled);
    let version = engine.image_version(MYSQL).await.unwrap();
    assert!(version.starts_with("9.7."), "{version}");

    let mut spec = pair.spec("a", MYSQL);
    let key = "-----BEGIN PRIVATE KEY----- of-the-server";
    spec.files.push(Upload {
        path: "/etc/twinlog/tls/server-key.pem".into(),
        mode: 0o400,
        contents: key.into(),
    });
    let node = pair.node("a");
    let name = node.container();
    let nothing = NodeFacts {
        network: Seen::Absent,
        volume: Seen::Absent,
        container: Seen::Absent,
    };
    assert_eq!(pair.observe(&node).await, nothing);

    assert_eq!(pair.create(&spec).await, Creation::Created);
    assert_eq!(pair.create(&spec).await, Creation::Unchanged);
    let facts = pair.observe(&node).await;
    assert_eq!(ours(facts.volume).data, DataState::Empty);
    let container = ours(facts.container);
    assert_eq!(container.state, ContainerState::Created);
    assert_eq!(container.config_hash, spec.config_hash());
    assert_eq!(container.image, MYSQL);
    assert_eq!(
        container.published,
        Some((Ipv4Addr::LOCALHOST, spec.port).into())
    );
    assert_eq!(
        (container.started_at, container.kept_running),
        (None, false)
    );

    engine.start(&node).await.unwrap();
    let mut conn = wait_ready(&pair, &spec).await;
    let seen: (u32, String, u64) = conn
        .query_first("SELECT @@server_id, @@hostname, @@innodb_buffer_pool_size")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen, (7, name.clone(), 64 << 20));
    conn.query_drop("CREATE DATABASE kept").await.unwrap();
    assert_eq!(
        ours(pair.observe(&node).await.volume).data,
        DataState::Unfinished
    );
    engine.mark_ready(&node).await.unwrap();
    let facts = pair.observe(&node).await;
    assert_eq!(ours(facts.volume).data, DataState::Ready);
    let container = ours(facts.container);
    assert!(container.kept_running && container.started_at.is_some());
    assert_eq!(container.state, ContainerState::Running);
    assert!(pair.is_healthy(&name));
    wait_until("the engine's own health check", async || {
        ours(pair.observe(&node).await.container).health == Health::Healthy
    })
    .await;

    // The server's user, and nobody else, may read what was uploaded.
    let file = "/etc/twinlog/tls/server-key.pem";
    assert_eq!(
        pair.cli(&["exec", "--user", "mysql", &name, "cat", file]),
        key
    );
    let modes = pair.cli(&[
        "exec",
        &name,
        "stat",
        "--format=%U %a",
        file,
        "/etc/twinlog/root-password",
    ]);
    assert_eq!(modes, "mysql 400\nmysql 400");
    // The limits hold, no privilege is given, and nothing secret is shown.
    let inspected = pair.cli(&["inspect", &name]);
    for secret in [ROOT_PASSWORD, "rO0t", "of-the-server"] {
        assert!(!inspected.contains(secret), "{secret} in {inspected}");
    }
    for setting in [
        "\"Memory\": 1073741824",
        "\"MemorySwap\": 1073741824",
        "\"NanoCpus\": 1500000000",
        "\"Privileged\": false",
        "\"no-new-privileges\"",
        "\"max-size\": \"10m\"",
        "\"StopTimeout\": 120",
    ] {
        assert!(inspected.contains(setting), "no {setting} in {inspected}");
    }
    let status = pair.cli(&[
        "exec",
        "--user",
        "mysql",
        &name,
        "cat",
        "/proc/1/status",
        "/proc/1/limits",
    ]);
    assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    let files = status
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let files: u64 = files
        .unwrap()
        .split_whitespace()
        .nth(4)
        .unwrap()
        .parse()
        .unwrap();
    assert!((1024..=65_536).contains(&files), "{files}");

    // Through a restart, and through another configuration, with its data.
    engine
        .restart(&node, Duration::from_secs(60))
        .await
        .unwrap();
    wait_ready(&pair, &spec).await;
    spec.config.push_str("max_connections = 77\n");
    spec.root_password = None;
    assert_eq!(
        engine.create_container(&spec).await.unwrap(),
        Creation::Recreated
    );
    engine.start(&node).await.unwrap();
    let mut conn = wait_ready(&pair, &spec).await;
    let seen: (u32, String) = conn
        .query_first("SELECT @@max_connections, schema_name FROM information_schema.schemata WHERE schema_name = 'kept'")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen, (77, "kept".to_owned()));
    let facts = pair.observe(&node).await;
    assert_eq!(ours(facts.volume).data, DataState::Ready);
    let environment = pair.cli(&["exec", "--user", "mysql", &name, "cat", "/proc/1/environ"]);
    assert!(
        !environment.contains("rO0t"),
        "a password in the server's environment"
    );

    engine.stop(&node, Duration::from_secs(60)).await.unwrap();
    let stopped = ContainerState::Exited {
        exit_code: 0,
        oom_killed: false,
    };
    assert_eq!(ours(pair.observe(&node).await.container).state, stopped);
    engine.remove_container(&node).await.unwrap();
    assert_eq!(
        ours(pair.observe(&node).await.volume).data,
        DataState::Ready
    );
    engine.remove_leftovers(&node).await.unwrap();
    engine.remove_volume(&node).await.unwrap();
    engine.remove_network(&node).await.unwrap();
    assert_eq!(pair.observe(&node).await, nothing);
}

#[tokio::test]
async fn the_nodes_of_a_pair_reach_each_other_by_name() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let (a, b) = (pair.spec("a", MARIADB), pair.spec("b", MYSQL));
    let version = pair.engine.image_version(MARIADB).await.unwrap();
    assert!(
        version.contains("Ver 10.11.") && version.contains("MariaDB"),
        "{version}"
    );
    for spec in [&a, &b] {
        pair.create(spec).await;
        pair.engine.start(&spec.node).await.unwrap();
    }
    for (from, to, client, version) in [(&a, &b, "mariadb", "9.7."), (&b, &a, "mysql", "10.11.")] {
        wait_ready(&pair, to).await;
        pair.engine.mark_ready(&to.node).await.unwrap();
        wait_ready(&pair, from).await;
        let password = format!("MYSQL_PWD={ROOT_PASSWORD}");
        let target = to.node.container();
        let seen = pair.cli(&[
            "exec",
            "--env",
            &password,
            &from.node.container(),
            client,
            "--no-defaults",
            "--user=root",
            "--host",
            &target,
            "--skip-column-names",
            "--execute=SELECT VERSION()",
        ]);
        assert!(seen.starts_with(version), "{seen}");
    }
    assert!(pair.is_healthy(&a.node.container()));
    let error = pair.engine.remove_network(&a.node).await.unwrap_err();
    assert!(
        error.to_string().contains("has active endpoints"),
        "{error}"
    );
}
