//! Who the reader says it is.

use rand::Rng;
use uuid::Uuid;

/// The range that server ids of readers are taken from at random: 240.0.0.0 to 255.255.255.254 for those who derive a
/// server's id from its address, where no server has one. Among its 268 million, two agents hardly meet.
pub const SERVER_IDS: std::ops::RangeInclusive<u32> = 0xf000_0000..=0xffff_fffe;

/// What a server tells its replicas apart by: MySQL by the UUID, MariaDB by the id. It ends the stream of a replica when
/// another comes with the same, so each reader has its own, and keeps it: a connection that it lost ends with its next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) server_id: u32,
    pub(super) uuid: Uuid,
}

impl Identity {
    /// A new one, with none of these server ids.
    pub(super) fn random(taken: &[u32]) -> Self {
        let mut random = rand::rng();
        let server_id = loop {
            let id = random.random_range(SERVER_IDS);
            if !taken.contains(&id) {
                break id;
            }
        };
        Self {
            server_id,
            uuid: Uuid::new_v4(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_alike() {
        let (one, two) = (Identity::random(&[]), Identity::random(&[1]));
        assert_ne!(one.uuid, two.uuid);
        assert!(SERVER_IDS.contains(&one.server_id));
        assert_ne!(Identity::random(&[one.server_id]).server_id, one.server_id);
    }
}
