//! What a row is in each log, as far as the changes that are judged tell.

use twinlog_binlog::OwnedImage;

use super::{
    key::KeyHash,
    steps::{Step, same_row},
    transaction::Place,
};
use crate::{Held, Version};

/// A row as one log tells it, change by change.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail {
    /// What it was before the first change in this log.
    pub(super) first: Option<Version>,
    /// What it is; `None` where no change in this log has it.
    last: Option<Version>,
    /// A change of it is missing in this log, and what is there does not explain why.
    unexplained: bool,
    /// Who made the last change that is missing in this log, if nothing came after it, and what it would have left.
    skipped: Option<(usize, Version)>,
    /// The last transaction that has it in this log.
    pub(super) at: Option<Place>,
}

/// What one transaction did to one row, in one log.
#[derive(Debug, Clone)]
pub(super) struct Effect<'a> {
    before: Option<&'a OwnedImage>,
    after: Option<&'a OwnedImage>,
}

/// What a transaction's changes in one log, in their order, did to a row; `None` if nothing.
pub(super) fn effect<'a>(
    steps: impl Iterator<Item = &'a Step>,
    row: KeyHash,
) -> Option<Effect<'a>> {
    let of = |image: &'a Option<(KeyHash, OwnedImage)>| match image {
        Some((key, image)) if *key == row => Some(image),
        _ => None,
    };
    let mut effect: Option<Effect<'a>> = None;
    for step in steps {
        let (before, after) = (of(&step.before), of(&step.after));
        if before.is_none() && after.is_none() {
            continue;
        }
        match &mut effect {
            None => effect = Some(Effect { before, after }),
            Some(effect) => effect.after = after,
        }
    }
    effect
}

impl Trail {
    /// The log has this.
    pub(super) fn follow(&mut self, effect: &Effect<'_>, at: Place) {
        if self.last.is_none() {
            self.first = Some(version(effect.before));
        }
        self.last = Some(version(effect.after));
        self.unexplained = false;
        self.skipped = None;
        self.at = Some(at);
    }

    /// The peer's log has this, and this log has the same transaction without it: it changed nothing here. That is as it
    /// should be where the row was the same already, or where there was none to change. Otherwise the applier skipped
    /// it for a reason that the log does not tell, or a cascade had been there first, which most servers do not log.
    pub(super) fn miss(&mut self, effect: &Effect<'_>, by: usize) {
        let explained = match (&self.last, effect.after) {
            (Some(Version::Row(here)), Some(there)) => same_row(here, there),
            (Some(Version::Gone), None) => true,
            (Some(Version::Gone), Some(_)) => effect.before.is_some(),
            (Some(Version::Row(_)), None) | (None, _) => false,
        };
        self.unexplained |= !explained;
        self.skipped = Some((by, version(effect.after)));
    }

    /// Who made the last change, if it is missing in this log and the row was not as it would have left it when the next
    /// change found it.
    pub(super) fn overrun_by(&self, next: &Effect<'_>) -> Option<usize> {
        let (by, left) = self.skipped.as_ref()?;
        (same_version(left, &version(next.before)) == Some(false)).then_some(*by)
    }

    /// What the node holds.
    pub(super) fn held(&self) -> Held {
        match &self.last {
            Some(version) if !self.unexplained => Held::Known(version.clone()),
            _ => Held::Unknown,
        }
    }
}

fn version(image: Option<&OwnedImage>) -> Version {
    image.map_or(Version::Gone, |image| Version::Row(image.clone()))
}

/// Whether two versions are known to be the same; `None` where they cannot be compared: the definition differs.
pub(crate) fn same_version(one: &Version, other: &Version) -> Option<bool> {
    match (one, other) {
        (Version::Gone, Version::Gone) => Some(true),
        (Version::Row(one), Version::Row(other)) => {
            if one.table().layout == other.table().layout {
                Some(same_row(one, other))
            } else {
                None
            }
        }
        _ => Some(false),
    }
}
