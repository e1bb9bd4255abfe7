//! A link as its replica reports it.

use super::Coordinates;
use crate::conn::Row;

/// One row of `SHOW REPLICA STATUS`, under whatever names the version has for its columns.
///
/// Source: the statement's chapter in the MySQL 5.6, 8.0 and 9.x manuals and MariaDB's knowledge base.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkFacts {
    /// The channel (MySQL) or connection (MariaDB); empty for the default one.
    pub channel: String,
    /// Where the replica connects to.
    pub source_host: String,
    /// At which port.
    pub source_port: u16,
    /// As whom.
    pub source_user: String,
    /// The source's server id, known once it was connected.
    pub source_server_id: Option<u32>,
    /// The source's UUID (MySQL), known once it was connected.
    pub source_uuid: Option<String>,
    /// `Yes`, `No` or `Connecting`: the thread that receives the source's log.
    pub receiver: String,
    /// Whether the applier runs.
    pub applier: bool,
    /// What the receiver is doing, in the server's words.
    pub receiver_state: String,
    /// Error number of the receiver; 0 for none.
    pub receiver_errno: u32,
    /// Its message.
    pub receiver_error: String,
    /// Error number of the applier; 0 for none.
    pub applier_errno: u32,
    /// Its message.
    pub applier_error: String,
    /// Whether it follows by GTID rather than by file and position.
    pub by_gtid: bool,
    /// How far the receiver has read in the source's log.
    pub read: Coordinates,
    /// How far the applier has executed in the source's log.
    pub executed: Coordinates,
    /// The GTIDs received over this link (MySQL), or the position of the receiver (MariaDB).
    pub retrieved_gtids: String,
    /// `Seconds_Behind_Source`; `None` while it cannot be known.
    pub seconds_behind: Option<u64>,
    /// Whether the link is encrypted.
    pub tls: bool,
    /// Whether the source's certificate is checked against a CA.
    pub tls_ca: bool,
    /// Seconds between attempts to reconnect.
    pub connect_retry_s: u32,
    /// How many attempts before giving up (0 where the version does not say).
    pub retry_count: u64,
    /// Deliberate delay, in seconds.
    pub delay_s: u32,
    /// Filters on this link: name of the rule and its value, for the rules that are set.
    pub filters: Vec<(String, String)>,
}

impl LinkFacts {
    /// Reads a row.
    pub fn from_row(row: &Row) -> Self {
        let text = |names: &[&str]| row.any(names).unwrap_or_default().to_owned();
        let number = |names: &[&str]| row.any(names).and_then(|value| value.parse().ok());
        let yes = |names: &[&str]| {
            row.any(names)
                .is_some_and(|value| value.eq_ignore_ascii_case("yes"))
        };
        let coordinates = |file: &[&str], position: &[&str]| Coordinates {
            file: text(file),
            position: number(position).unwrap_or(0),
        };
        Self {
            channel: text(&["Channel_Name", "Connection_name"]),
            source_host: text(&["Source_Host", "Master_Host"]),
            source_port: number(&["Source_Port", "Master_Port"])
                .and_then(|port| port.try_into().ok())
                .unwrap_or(0),
            source_user: text(&["Source_User", "Master_User"]),
            source_server_id: number(&["Source_Server_Id", "Master_Server_Id"])
                .and_then(|id| id.try_into().ok())
                .filter(|&id: &u32| id != 0),
            source_uuid: row
                .any(&["Source_UUID", "Master_UUID"])
                .filter(|uuid| !uuid.is_empty())
                .map(str::to_owned),
            receiver: text(&["Replica_IO_Running", "Slave_IO_Running"]),
            applier: yes(&["Replica_SQL_Running", "Slave_SQL_Running"]),
            receiver_state: text(&["Replica_IO_State", "Slave_IO_State"]),
            receiver_errno: number(&["Last_IO_Errno"])
                .and_then(|code| code.try_into().ok())
                .unwrap_or(0),
            receiver_error: text(&["Last_IO_Error"]),
            applier_errno: number(&["Last_SQL_Errno"])
                .and_then(|code| code.try_into().ok())
                .unwrap_or(0),
            applier_error: text(&["Last_SQL_Error"]),
            by_gtid: row.any(&["Auto_Position"]) == Some("1")
                || row
                    .any(&["Using_Gtid"])
                    .is_some_and(|mode| !mode.eq_ignore_ascii_case("no")),
            read: coordinates(
                &["Source_Log_File", "Master_Log_File"],
                &["Read_Source_Log_Pos", "Read_Master_Log_Pos"],
            ),
            executed: coordinates(
                &["Relay_Source_Log_File", "Relay_Master_Log_File"],
                &["Exec_Source_Log_Pos", "Exec_Master_Log_Pos"],
            ),
            retrieved_gtids: text(&["Retrieved_Gtid_Set", "Gtid_IO_Pos"]),
            seconds_behind: number(&["Seconds_Behind_Source", "Seconds_Behind_Master"]),
            tls: yes(&["Source_SSL_Allowed", "Master_SSL_Allowed"]),
            tls_ca: row
                .any(&["Source_SSL_CA_File", "Master_SSL_CA_File"])
                .is_some_and(|file| !file.is_empty()),
            connect_retry_s: number(&["Connect_Retry"])
                .and_then(|s| s.try_into().ok())
                .unwrap_or(0),
            retry_count: number(&["Source_Retry_Count", "Master_Retry_Count"]).unwrap_or(0),
            delay_s: number(&["SQL_Delay"])
                .and_then(|s| s.try_into().ok())
                .unwrap_or(0),
            filters: row
                .columns()
                .filter(|(name, value)| {
                    name.starts_with("Replicate_") && value.is_some_and(|value| !value.is_empty())
                })
                .map(|(name, value)| (name.to_owned(), value.unwrap_or_default().to_owned()))
                .collect(),
        }
    }

    /// Whether both threads run.
    pub fn is_running(&self) -> bool {
        self.receiver == "Yes" && self.applier
    }

    /// Whether a thread stands still. A receiver that is still trying to connect does not.
    pub fn is_stopped(&self) -> bool {
        self.receiver == "No" || !self.applier
    }

    /// The error that keeps the link from working: its number and message.
    pub fn error(&self) -> Option<(u32, &str)> {
        if self.applier_errno != 0 {
            Some((self.applier_errno, &self.applier_error))
        } else if self.receiver_errno != 0 {
            Some((self.receiver_errno, &self.receiver_error))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_column_names_mean_the_same() {
        let old = Row::from_columns([
            ("Master_Host", Some("db2")),
            ("Master_Port", Some("3306")),
            ("Slave_IO_Running", Some("Connecting")),
            ("Slave_SQL_Running", Some("Yes")),
            ("Last_IO_Errno", Some("2003")),
            ("Last_IO_Error", Some("error connecting to master")),
            ("Replicate_Do_DB", Some("test")),
            ("Replicate_Ignore_DB", Some("")),
        ]);
        let new = Row::from_columns([
            ("Source_Host", Some("db2")),
            ("Source_Port", Some("3306")),
            ("Replica_IO_Running", Some("Connecting")),
            ("Replica_SQL_Running", Some("Yes")),
            ("Last_IO_Errno", Some("2003")),
            ("Last_IO_Error", Some("error connecting to master")),
            ("Replicate_Do_DB", Some("test")),
        ]);
        let link = LinkFacts::from_row(&old);
        assert_eq!(link, LinkFacts::from_row(&new));
        assert!(!link.is_running());
        assert_eq!(link.error(), Some((2003, "error connecting to master")));
        assert_eq!(
            link.filters,
            [("Replicate_Do_DB".to_owned(), "test".to_owned())]
        );
    }
}
