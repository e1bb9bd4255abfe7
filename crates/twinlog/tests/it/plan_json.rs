//! `twinlog plan --json`.

use twinlog_pair::plan::PlanView;
use twinlog_testbed::ServerKind;

use crate::schema::{assert_valid, check_schema};
use crate::support::Pair;

#[test]
fn the_plan_has_a_schema() {
    check_schema::<PlanView>("plan");
}

#[test]
fn a_plan_says_everything_and_then_nothing() {
    let pair = Pair::new(ServerKind::MariaDb1011, "");
    let plan = || {
        let output = pair.twinlog.run(&["plan", "--json"]);
        assert_valid("plan", output.expect_code(0))
    };
    let before = plan();
    let steps = before["steps"].as_array().unwrap();
    assert_eq!(steps[0]["kind"], "found");
    let accounts = steps.iter().find(|step| step["phase"] == "server").unwrap();
    assert_eq!(accounts["node"], "a");
    let text = before.to_string();
    assert!(text.contains("IDENTIFIED BY '***'"), "{text}");
    pair.up();
    assert_eq!(plan()["steps"], serde_json::json!([]));
}
