//! What a replica says before the log comes.

use std::time::Duration;

use bytes::BufMut;
use twinlog_server::gtid::GtidSet;

use super::{
    identity::Identity,
    wire::{self, Wire},
};

/// How long the server waits for a consumer that stalls before it closes the connection, in seconds. Nothing is lost
/// then, but the server must find the place in its log again; its own default is one minute.
const NET_WRITE_TIMEOUT_S: u32 = 600;
/// The name under which `SHOW REPLICAS` lists the reader: who looks for it shall find it.
const HOST_NAME: &str = "twinlog";
/// The first place of any file.
const FILE_START: u32 = 4;

const COM_BINLOG_DUMP: u8 = 0x12;
const COM_REGISTER_SLAVE: u8 = 0x15;
const COM_BINLOG_DUMP_GTID: u8 = 0x1e;

/// Asks for the log after `begin`.
pub(super) async fn request(
    wire: &mut Wire,
    identity: &Identity,
    begin: &GtidSet,
    heartbeat: Duration,
) -> Result<(), wire::Error> {
    wire.execute(&settings(identity, begin, heartbeat)).await?;
    wire.command(&register(identity)).await?;
    wire.ok().await?;
    wire.command(&dump(identity, begin)).await
}

/// The variables that tell the server who reads and how. Since MySQL 8.0.26 they have a second name each; a variable that
/// a version does not know is only that.
fn settings(identity: &Identity, begin: &GtidSet, heartbeat: Duration) -> String {
    let heartbeat_ns = heartbeat.as_nanos();
    // With CRC32 the server leaves events as they are in its log: with a checksum wherever they have one.
    let common = format!(
        "SET SESSION net_write_timeout = {NET_WRITE_TIMEOUT_S}, @master_heartbeat_period = {heartbeat_ns}, \
         @master_binlog_checksum = 'CRC32'"
    );
    match begin {
        GtidSet::MySql(_) => format!(
            "{common}, @source_heartbeat_period = {heartbeat_ns}, @source_binlog_checksum = 'CRC32', \
             @slave_uuid = '{uuid}', @replica_uuid = '{uuid}'",
            uuid = identity.uuid
        ),
        // 4: GTIDs and all that came with them. Not strict: the log of a peer has holes where its applier skipped a
        // transaction, and going on after one is right.
        GtidSet::MariaDb(position) => format!(
            "{common}, @mariadb_slave_capability = 4, @slave_connect_state = '{position}', \
             @slave_gtid_strict_mode = 0, @slave_gtid_ignore_duplicates = 0"
        ),
    }
}

fn register(identity: &Identity) -> Vec<u8> {
    let mut command = vec![COM_REGISTER_SLAVE];
    command.put_u32_le(identity.server_id);
    command.put_u8(HOST_NAME.len() as u8);
    command.put_slice(HOST_NAME.as_bytes());
    // No user, password, port, rank or source.
    command.put_bytes(0, 2 + 2 + 4 + 4);
    command
}

fn dump(identity: &Identity, begin: &GtidSet) -> Vec<u8> {
    let mut command = Vec::new();
    match begin {
        GtidSet::MySql(set) => {
            let set = set.encode();
            command.put_u8(COM_BINLOG_DUMP_GTID);
            command.put_u16_le(0);
            command.put_u32_le(identity.server_id);
            // No file's name: the set says where.
            command.put_u32_le(0);
            command.put_u64_le(FILE_START.into());
            // A set of 4 GiB has no server.
            command.put_u32_le(set.len() as u32);
            command.put_slice(&set);
        }
        GtidSet::MariaDb(_) => {
            command.put_u8(COM_BINLOG_DUMP);
            command.put_u32_le(FILE_START);
            command.put_u16_le(0);
            command.put_u32_le(identity.server_id);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use twinlog_server::version::Flavour;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_is_said() {
        let identity = Identity {
            server_id: 0xf000_0001,
            uuid: Uuid::from_u128(1),
        };
        let heartbeat = Duration::from_secs(1);
        let mariadb = GtidSet::parse(Flavour::MariaDb, "1-1-5,2-2-7").expect("a position");
        let said = settings(&identity, &mariadb, heartbeat);
        assert!(
            said.contains("@slave_connect_state = '1-1-5,2-2-7'"),
            "{said}"
        );
        assert_eq!(dump(&identity, &mariadb), b"\x12\x04\0\0\0\0\0\x01\0\0\xf0");
        assert_eq!(register(&identity).len(), 1 + 4 + 8 + 12);
        let mysql = GtidSet::parse(Flavour::MySql, "").expect("empty");
        let asked = dump(&identity, &mysql);
        assert_eq!(
            asked,
            b"\x1e\0\0\x01\0\0\xf0\0\0\0\0\x04\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0"
        );
    }
}
