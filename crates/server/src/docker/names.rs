use std::collections::HashMap;
use std::fmt;

use uuid::Uuid;

pub(super) const LABEL_PAIR: &str = "twinlog.pair";
pub(super) const LABEL_PAIR_ID: &str = "twinlog.pair-id";
pub(super) const LABEL_NODE: &str = "twinlog.node";
pub(super) const LABEL_CONFIG: &str = "twinlog.config";

/// What of the engine's a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A container.
    Container,
    /// A volume.
    Volume,
    /// A network.
    Network,
}

impl Kind {
    /// The command that removes one, for hints.
    pub(super) fn removal(self, name: &str) -> String {
        match self {
            Self::Container => format!("`docker rm -f {name}`"),
            Self::Volume => format!("`docker volume rm {name}` (its data is gone then)"),
            Self::Network => format!("`docker network rm {name}`"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Container => "container",
            Self::Volume => "volume",
            Self::Network => "network",
        })
    }
}

/// One node of one pair, and with that the names and labels of all that the engine keeps for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeId {
    /// The pair's name.
    pub pair: String,
    /// The pair's identity, which tells it from another of the same name.
    pub pair_id: Uuid,
    /// The node's name.
    pub node: String,
}

impl NodeId {
    /// Its container; also its host name, and the name under which the other node reaches it.
    pub fn container(&self) -> String {
        format!("{}-{}", self.pair, self.node)
    }

    /// The volume with its data directory.
    pub fn volume(&self) -> String {
        format!("{}-{}-data", self.pair, self.node)
    }

    /// The network of the pair.
    pub fn network(&self) -> &str {
        &self.pair
    }

    /// The labels of what belongs to the pair as a whole.
    pub(super) fn pair_labels(&self) -> HashMap<String, String> {
        HashMap::from([
            (LABEL_PAIR.to_owned(), self.pair.clone()),
            (LABEL_PAIR_ID.to_owned(), self.pair_id.to_string()),
        ])
    }

    /// The labels of what belongs to this node.
    pub(super) fn labels(&self) -> HashMap<String, String> {
        let mut labels = self.pair_labels();
        labels.insert(LABEL_NODE.to_owned(), self.node.clone());
        labels
    }

    /// Why something with these labels is not this pair's; nothing where it is.
    pub(super) fn foreign(&self, labels: &HashMap<String, String>) -> Option<String> {
        let pair = labels.get(LABEL_PAIR).map_or("", String::as_str);
        match labels.get(LABEL_PAIR_ID) {
            None => Some("twinlog did not make it".to_owned()),
            Some(id) if *id != self.pair_id.to_string() => Some(format!(
                "it belongs to the twinlog pair `{pair}` with id {id}"
            )),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(pair_id: u128) -> NodeId {
        NodeId {
            pair: "shop".into(),
            pair_id: Uuid::from_u128(pair_id),
            node: "a".into(),
        }
    }

    #[test]
    fn only_the_same_pair_id_makes_a_thing_ours() {
        assert_eq!(node(1).foreign(&node(1).labels()), None);
        assert_eq!(node(1).foreign(&node(1).pair_labels()), None);
        assert!(
            node(1)
                .foreign(&node(2).labels())
                .is_some_and(|why| why.contains("`shop`"))
        );
        assert!(node(1).foreign(&HashMap::new()).is_some());
        let named_alike = HashMap::from([(LABEL_PAIR.to_owned(), "shop".to_owned())]);
        assert!(node(1).foreign(&named_alike).is_some());
    }
}
