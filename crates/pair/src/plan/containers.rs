//! The steps in the docker engine: image, network, volume and container of each docker node.

use twinlog_server::docker::{ContainerState, DataState, Seen};

use super::{Action, Phase, Plan, Step, config_file};
use crate::{
    container::{self, DockerFacts},
    observe::{NodeFacts, PairFacts},
    site::Site,
};

/// Adds the pair's network, which both nodes need before their containers.
pub(super) fn network(site: &Site, facts: &PairFacts, plan: &mut Plan) {
    let absent =
        |docker: &DockerFacts| matches!(&docker.seen, Ok(seen) if seen.network == Seen::Absent);
    if facts
        .nodes
        .iter()
        .any(|node| node.docker().is_some_and(absent))
    {
        let name = container::id(site, site.nodes()[0]).network().to_owned();
        plan.steps.push(Step {
            phase: Phase::Machine,
            node: None,
            title: "make the pair's docker network".into(),
            action: Action::CreateNetwork { name },
            undo: "`twinlog down --purge`".into(),
        });
    }
}

/// Adds what is missing of a docker node.
pub(super) fn plan(
    site: &Site,
    facts: &PairFacts,
    index: usize,
    docker: &DockerFacts,
    plan: &mut Plan,
) {
    let node = site.nodes()[index];
    let step = |title: String, action, undo: &str| Step {
        phase: Phase::Machine,
        node: Some(index),
        title,
        action,
        undo: undo.into(),
    };
    if docker.version.is_none() {
        let image = site.config.image_of(node).to_owned();
        plan.steps.push(step(
            format!("{}: fetch the image {image}", node.name),
            Action::PullImage { image },
            "`docker rmi`",
        ));
        // Which server is in it decides all that follows.
        plan.open = true;
        return;
    }
    let Some(text) = desired_config(site, &facts.nodes[index], index) else {
        return;
    };
    let unfinished = docker.data() == DataState::Unfinished && !docker.is_running();
    if unfinished {
        plan.steps.push(step(
            format!("{}: remove its half-made container and volume", node.name),
            Action::DiscardContainer,
            "none: nothing was ever stored in it",
        ));
    }
    if unfinished || container_differs(site, index, docker, &text) {
        let id = container::id(site, node);
        let command = format!(
            "docker volume {}, container {} from {}, port {}:{}",
            id.volume(),
            id.container(),
            site.config.image_of(node),
            node.bind_address
                .map_or("127.0.0.1".into(), |address| address.to_string()),
            node.port
        );
        plan.steps.push(step(
            format!("{}: make its container", node.name),
            Action::CreateContainer {
                command,
                config: text,
            },
            "`twinlog down --purge`",
        ));
    }
    let recreated = plan.steps.iter().any(|step| {
        step.node == Some(index) && matches!(step.action, Action::CreateContainer { .. })
    });
    let kept = docker
        .container()
        .is_some_and(|container| container.kept_running);
    if recreated || !docker.is_running() || !kept || facts.nodes[index].is_starting() {
        plan.steps.push(step(
            format!("{}: start its container and wait for its server", node.name),
            Action::Start {
                command: format!("docker start {}", container::id(site, node).container()),
            },
            "`twinlog down`",
        ));
    }
}

/// The option file of a docker node.
pub(super) fn desired_config(site: &Site, facts: &NodeFacts, index: usize) -> Option<String> {
    let dialect = facts.dialect()?;
    let id = super::server_id(site, facts, index);
    Some(config_file::render_container_config(
        site, index, id, &dialect,
    ))
}

fn container_differs(site: &Site, index: usize, docker: &DockerFacts, text: &str) -> bool {
    let wanted = container::spec(site, site.nodes()[index], text, &docker.uploads).config_hash();
    docker.container().is_none_or(|container| {
        container.config_hash != wanted || container.state == ContainerState::Removing
    })
}
