//! Rules about a server's settings, and about two servers side by side.

pub(super) mod alike;
pub(super) mod applier;
pub(super) mod durability;
pub(super) mod identity;
pub(super) mod log;
pub(super) mod machine;

use super::{Hit, Scene, Subject, settings::Seen};

/// A hit on every subject whose setting is, or may by default be, `bad`.
pub(super) fn judged(scene: &Scene, key: &str, bad: fn(&str) -> bool) -> Vec<Hit> {
    scene
        .subjects
        .iter()
        .filter_map(|subject| Some(hit(subject, subject.settings.judge(key, bad)?)))
        .collect()
}

/// What was seen of a setting, as a hit: at its line in the file, or at the variable.
pub(super) fn hit(subject: &Subject, seen: Seen) -> Hit {
    Hit::on(subject, seen.text).at(seen.place.unwrap_or(seen.name))
}
