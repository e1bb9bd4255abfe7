//! The engine that the testbed starts where the machine has none.

use std::path::Path;

use twinlog_testbed::DockerEngine;

#[test]
fn an_engine_that_ends_takes_its_networks_along() {
    let Some(engine) = DockerEngine::start(&[]) else {
        return;
    };
    let network = "twinlog-testbed-left";
    let made = engine.command(&["network", "create", network]).output();
    let made = made.expect("docker runs");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
    let id = String::from_utf8_lossy(&made.stdout);
    // The name that docker gives a network's bridge.
    let bridge = format!("/sys/class/net/br-{}", &id[..12]);
    assert!(Path::new(&bridge).exists(), "{bridge}");
    if engine.is_the_machines() {
        let removed = engine.command(&["network", "rm", network]).status();
        assert!(removed.is_ok_and(|status| status.success()));
    }
    drop(engine);
    assert!(!Path::new(&bridge).exists(), "{bridge}");
}
