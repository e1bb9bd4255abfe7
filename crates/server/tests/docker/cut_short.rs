//! What was killed, or died, half-way.

use twinlog_server::docker::{ContainerState, Creation, DataState, DockerError, Seen};

use super::support::{MYSQL, Pair, ROOT_PASSWORD, log_in, ours, wait_until};

#[tokio::test]
async fn a_first_initialisation_cut_short_is_seen() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let engine = &pair.engine;
    let mut spec = pair.spec("a", MYSQL);
    spec.env
        .insert("TEST_INITIALISATION_PAUSE_S".into(), "600".into());
    let node = &spec.node;
    let name = node.container();
    pair.create(&spec).await;
    engine.start(node).await.unwrap();
    wait_until("the temporary server", async || {
        let log = engine.logs_tail(node, 50).await.unwrap();
        log.iter()
            .any(|line| line.contains("temporary server started"))
    })
    .await;

    // It answers on its socket and is not ready.
    pair.cli(&[
        "exec",
        &name,
        "mysqladmin",
        "--no-defaults",
        "--socket=/var/run/mysqld/mysqld.sock",
        "ping",
    ]);
    assert!(!pair.is_healthy(&name));
    assert!(log_in(spec.port).await.is_err());
    engine.ensure_alive(node).await.unwrap();

    pair.cli(&["kill", &name]);
    let facts = pair.observe(node).await;
    let killed = ContainerState::Exited {
        exit_code: 137,
        oom_killed: false,
    };
    assert_eq!(ours(facts.container).state, killed);
    assert_eq!(ours(facts.volume).data, DataState::Unfinished);
    engine.remove_container(node).await.unwrap();
    assert_eq!(
        ours(pair.observe(node).await.volume).data,
        DataState::Unfinished
    );
    for no_image in [None, Some("twinlog-test/absent:1")] {
        let facts = engine.observe(node, no_image).await.unwrap();
        assert_eq!(ours(facts.volume).data, DataState::Unknown);
    }
    engine.remove_volume(node).await.unwrap();
    engine.create_volume(node).await.unwrap();
    let facts = pair.observe(node).await;
    assert_eq!(ours(facts.volume).data, DataState::Empty);
    assert_eq!(facts.container, Seen::Absent);
}

#[tokio::test]
async fn a_creation_cut_short_is_finished_by_the_next() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let spec = pair.spec("a", MYSQL);
    let node = &spec.node;
    pair.engine.create_network(node).await.unwrap();
    let error = pair.engine.create_container(&spec).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("there is no volume `{}`", node.volume())
    );
    pair.engine.create_volume(node).await.unwrap();
    // As a run leaves it that was killed before it had filled it.
    let unfinished = format!("{}.new", node.container());
    let label = format!("twinlog.pair-id={}", pair.id);
    pair.cli(&["create", "--name", &unfinished, "--label", &label, MYSQL]);
    assert_eq!(pair.observe(node).await.container, Seen::Absent);
    assert_eq!(pair.create(&spec).await, Creation::Created);
    let all = pair.cli(&[
        "ps",
        "--all",
        "--filter",
        &format!("name={}", pair.name),
        "--format",
        "{{.Names}}",
    ]);
    assert_eq!(all, node.container());
}

#[tokio::test]
async fn a_server_that_dies_at_start_shows_why() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let mut spec = pair.spec("a", MYSQL);
    spec.config.push_str("no_such_option = 1\n");
    pair.create(&spec).await;
    let error = pair.engine.ensure_alive(&spec.node).await.unwrap_err();
    assert!(matches!(error, DockerError::NotRunning { .. }), "{error}");
    pair.engine.start(&spec.node).await.unwrap();
    wait_until("its death", async || {
        pair.engine.ensure_alive(&spec.node).await.is_err()
    })
    .await;
    let error = pair.engine.ensure_alive(&spec.node).await.unwrap_err();
    assert!(
        matches!(error, DockerError::Died { exit_code: 1, .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("unknown variable 'no_such_option=1'"),
        "{error}"
    );
    assert!(!error.to_string().contains(ROOT_PASSWORD));
}
