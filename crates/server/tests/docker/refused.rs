//! What is said, and left alone.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::time::Duration;

use twinlog_server::docker::{DockerError, Engine, Kind, NodeId, Seen};
use uuid::Uuid;

use super::support::{MYSQL, Pair};

#[tokio::test]
async fn an_engine_that_is_not_there_is_said_with_a_hint() {
    let error = Engine::connect_to("unix:///nonexistent/docker.sock")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot reach the docker engine at /nonexistent/docker.sock: No such file or directory (os error 2)"
    );
    assert!(error.hint().unwrap().contains("started?"));

    let error = Engine::connect_to("tcp://10.0.0.1:2375").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "docker host `tcp://10.0.0.1:2375` is not a unix socket"
    );
}

#[tokio::test]
async fn a_strangers_things_are_never_touched() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let engine = &pair.engine;
    let node = pair.node("a");
    let (container, volume) = (node.container(), node.volume());
    let is_strange = |result: Result<(), DockerError>, kind: Kind| match result {
        Err(DockerError::Stranger {
            kind: seen, why, ..
        }) => {
            assert_eq!((seen, why.as_str()), (kind, "twinlog did not make it"));
        }
        other => panic!("{other:?}"),
    };

    pair.cli(&["network", "create", node.network()]);
    is_strange(engine.create_network(&node).await, Kind::Network);
    is_strange(engine.remove_network(&node).await, Kind::Network);
    pair.cli(&["volume", "create", &volume]);
    is_strange(engine.create_volume(&node).await, Kind::Volume);
    is_strange(engine.remove_volume(&node).await, Kind::Volume);
    let id = pair.cli(&[
        "create",
        "--name",
        &container,
        "--entrypoint",
        "sleep",
        MYSQL,
        "600",
    ]);
    is_strange(engine.start(&node).await, Kind::Container);
    is_strange(engine.stop(&node, Duration::ZERO).await, Kind::Container);
    is_strange(engine.restart(&node, Duration::ZERO).await, Kind::Container);
    is_strange(engine.remove_container(&node).await, Kind::Container);
    is_strange(engine.mark_ready(&node).await, Kind::Container);
    is_strange(engine.logs_tail(&node, 1).await.map(drop), Kind::Container);
    let spec = pair.spec("a", MYSQL);
    is_strange(
        engine.create_container(&spec).await.map(drop),
        Kind::Network,
    );
    let facts = pair.observe(&node).await;
    let strange = |why: &str| Seen::<()>::Stranger(why.to_owned());
    assert_eq!(facts.network, strange("twinlog did not make it"));
    assert!(
        matches!(facts.volume, Seen::Stranger(_)) && matches!(facts.container, Seen::Stranger(_))
    );

    // Nor are those of another pair of the same name.
    pair.cli(&["network", "rm", node.network()]);
    let other = NodeId {
        pair_id: Uuid::new_v4(),
        ..node.clone()
    };
    engine.create_network(&other).await.unwrap();
    let error = engine.create_network(&node).await.unwrap_err();
    assert!(
        error.to_string().contains(&other.pair_id.to_string()),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("docker network rm"));

    assert_eq!(
        pair.cli(&[
            "inspect",
            "--format",
            "{{.Id}} {{.State.Status}}",
            &container
        ]),
        format!("{id} created")
    );
    pair.cli(&["volume", "inspect", &volume]);
}

#[tokio::test]
async fn images_that_are_missing_or_no_servers_are_named() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let engine = &pair.engine;
    // Nothing listens there, so no name has to be looked up.
    let absent = "127.0.0.1:1/absent:1";
    let error = engine.ensure_image(absent, drop).await.unwrap_err();
    assert!(
        matches!(&error, DockerError::Pull { image, .. } if image == absent),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .starts_with("cannot pull image `127.0.0.1:1/absent:1`: "),
        "{error}"
    );
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert!(error.hint().unwrap().contains("docker load"));

    let spec = pair.spec("a", absent);
    engine.create_network(&spec.node).await.unwrap();
    engine.create_volume(&spec.node).await.unwrap();
    let error = engine.create_container(&spec).await.unwrap_err();
    assert!(
        matches!(&error, DockerError::NoImage { image } if image == absent),
        "{error}"
    );
    let error = engine.image_version(absent).await.unwrap_err();
    assert!(matches!(error, DockerError::NoImage { .. }), "{error}");

    let empty = "twinlog-test/empty:1";
    let dir = tempfile::tempdir().unwrap();
    let tar = dir.path().join("empty.tar");
    std::fs::write(&tar, [0; 1024]).unwrap();
    pair.cli(&["import", tar.to_str().unwrap(), empty]);
    let error = engine.image_version(empty).await.unwrap_err();
    assert!(matches!(&error, DockerError::NotAServer { .. }), "{error}");
    let spec = pair.spec("a", empty);
    let error = engine.create_container(&spec).await.unwrap_err();
    assert!(
        matches!(
            &error,
            DockerError::NotAServer { .. } | DockerError::Refused { .. }
        ),
        "{error}"
    );
    assert_eq!(pair.observe(&spec.node).await.container, Seen::Absent);
}

#[tokio::test]
async fn a_port_in_use_is_said() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut spec = pair.spec("a", MYSQL);
    spec.port = listener.local_addr().unwrap().port();
    pair.create(&spec).await;
    let error = pair.engine.start(&spec.node).await.unwrap_err();
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    assert!(
        matches!(error, DockerError::PortTaken { port, address, .. } if port == spec.port && address == here),
        "{error}"
    );
    drop(listener);
    pair.engine.start(&spec.node).await.unwrap();
    pair.engine.ensure_alive(&spec.node).await.unwrap();
}
