//! What the servers' replication errors mean, and what to do about them.

/// An error number of a link, as any version gives it, a text that must be in the message ("" for any), and what to do.
///
/// Numbers differ by version: 9.x reports 13114, 13117 and 13120 where older ones report 1236, 1593 and 1597 (seen on
/// MySQL 5.6.24 and 9.7.4, MariaDB 10.11 and 11.8).
const KNOWN: &[(&[u32], &str, &str)] = &[
    (
        &[1045],
        "",
        "the source refuses the replication account: run `twinlog up`, which sets its password again; if the account \
                   requires TLS, the link must use it",
    ),
    (
        &[2003, 2005],
        "",
        "the source cannot be reached from the replica: is it running, and is `replication_host` the name that the \
                         peer knows it by?",
    ),
    (
        &[2026],
        "",
        "TLS between the nodes fails: `twinlog doctor` checks the certificates",
    ),
    (
        &[2061],
        "",
        "caching_sha2_password needs TLS: set `tls = \"required\"` in [replication]",
    ),
    (
        &[1593, 13117],
        "server ids",
        "give the nodes different ids: `server_id` in [nodes.…]",
    ),
    (
        &[1593, 13117],
        "UUID",
        "one data directory is a copy of the other: stop one server, delete its `auto.cnf`, start it",
    ),
    (
        &[1593, 13117],
        "GTID_MODE",
        "switch GTIDs on on both nodes (`twinlog up` does), or set `mode = \"position\"` in [replication]",
    ),
    (
        &[1236, 13114],
        "purged",
        "the source no longer has what the replica lacks: the replica must be made again from its peer",
    ),
    (
        &[1236, 13114],
        "any binlog files",
        "the source no longer has what the replica lacks: the replica must be made again from its peer",
    ),
    (
        &[1236, 13114],
        "Could not find first log file",
        "the source no longer has this log file: the replica must be made again from its peer",
    ),
    (
        &[1236, 13114],
        "position",
        "the place in the source's log does not exist: did the source lose its last writes in a crash (sync_binlog = 0)?",
    ),
    (
        &[1236, 13114],
        "more GTIDs",
        "the replica has transactions of the source that the source lost: the source crashed or was restored",
    ),
    (
        &[1597, 13120],
        "",
        "the replication account lacks REPLICATION SLAVE: run `twinlog up`",
    ),
    (
        &[1062],
        "",
        "both nodes inserted the same key, and the applier stopped: compare the row on both nodes, keep one, START the applier",
    ),
    (
        &[1032],
        "",
        "a row to change is missing on the replica: the nodes have diverged; compare the row on both nodes before you go on",
    ),
    (
        &[1146, 1049],
        "",
        "a table or database that the source changed does not exist on the replica: the nodes have diverged",
    ),
    (
        &[1950],
        "",
        "a stranger, or both nodes, wrote in one GTID domain: give each node its own gtid_domain_id (`twinlog up` does), \
         and find out who wrote with the server id in the message",
    ),
    (
        &[1396],
        "",
        "an account statement of the source does not fit the accounts on the replica",
    ),
    (
        &[1205, 1213],
        "",
        "locks of clients on the replica kept the applier out: find long transactions with SHOW PROCESSLIST",
    ),
    (&[1021, 1114], "", "the replica's disk is full"),
];

/// What to do about a link's error; `None` for one that twinlog has no advice on.
pub fn link_error(code: u32, message: &str) -> Option<String> {
    let worker = worker_code(message);
    KNOWN
        .iter()
        .find(|(codes, text, _)| {
            (codes.contains(&code) || worker.is_some_and(|code| codes.contains(&code)))
                && message.contains(text)
        })
        .map(|(_, _, advice)| (*advice).to_owned())
}

/// The error inside a message such as "… Worker 1 failed … Error_code: 1062; …".
fn worker_code(message: &str) -> Option<u32> {
    let tail = message.split("Error_code: ").nth(1)?;
    let digits: String = tail
        .trim_start_matches("MY-")
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_and_old_numbers_get_the_same_advice() {
        let old = "The slave I/O thread stops because master and slave have equal MySQL server ids";
        let new = "Fatal error: The replica I/O thread stops because source and replica have equal MySQL server ids;";
        assert!(link_error(1593, old).is_some_and(|advice| advice.contains("server_id")));
        assert_eq!(link_error(1593, old), link_error(13117, new));
    }

    #[test]
    fn an_error_inside_a_workers_message_is_found() {
        let text = "Worker 1 failed executing transaction; Duplicate entry, Error_code: MY-001062; handler error";
        assert!(link_error(13146, text).is_some_and(|advice| advice.contains("same key")));
        assert_eq!(link_error(4711, "never seen"), None);
    }
}
