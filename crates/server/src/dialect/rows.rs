//! Spellings and features, one row for each version at which one of them changed.

use super::Grants;
use crate::version::Flavour::{self, MariaDb, MySql};

/// How an empty data directory becomes a server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initialise {
    /// `mysqld --initialize-insecure` (MySQL 5.7.6 and newer).
    Option,
    /// `mysqld --bootstrap`, fed with these files of the server's `share` directory, in this order. Files whose name
    /// starts with `mariadb_` are called `mysql_` in the packages of some versions.
    Bootstrap(&'static [&'static str]),
}

/// What one version, and those after it up to the next row of its flavour, say and can do.
#[derive(Debug)]
pub struct Row {
    /// Whose.
    pub flavour: Flavour,
    /// The first version this row is for.
    pub from: (u16, u16, u16),
    /// The statement that points a replica at its source.
    pub change_source: &'static str,
    /// The prefix of that statement's options.
    pub source_prefix: &'static str,
    /// `SLAVE` or `REPLICA`, in START, STOP, SHOW … STATUS and RESET.
    pub replica: &'static str,
    /// The statement that shows the current binary log file and position.
    pub binlog_status: &'static str,
    /// The statement after which the binary log, and what it says of GTIDs, begins anew.
    pub reset_log: &'static str,
    /// How a data directory is made.
    pub initialise: Initialise,
    /// The privileges of twinlog's accounts.
    pub grants: Grants,
    /// `SET PERSIST` exists.
    pub persist: bool,
    /// The plugin `clone` is there, which copies the whole server onto another one.
    pub clone: bool,
    /// `CREATE USER IF NOT EXISTS` and `ALTER USER … IDENTIFIED BY` exist.
    pub user_if_not_exists: bool,
    /// `SET GLOBAL gtid_purged = '+…'` adds to the set.
    pub gtid_purged_adds: bool,
    /// GTIDs can be switched on while the server runs.
    pub gtid_online: bool,
    /// The retry count is an option of the statement that points a replica at its source.
    pub retry_count: bool,
    /// An applier that tries a transaction again after a lock wait tries all of it. Where it does not, it commits what came
    /// before the lock, drops the rest and says nothing (MySQL 5.6 with its places in tables, seen on 5.6.24).
    pub retries_whole: bool,
    /// The statement that takes the time limit off a session's statements, which a server may have for everybody's.
    pub no_time_limit: Option<&'static str>,
    /// BIT_XOR joins strings of bytes of any length, not only 64 bits.
    pub wide_bit_xor: bool,
    /// `GET_…_PUBLIC_KEY` exists: a replica without TLS can log in with `caching_sha2_password`.
    pub get_public_key: bool,
    /// TLS 1.2 or newer, which twinlog's own connections and modern clients need.
    pub modern_tls: bool,
    /// Replication filters can be changed while the server runs.
    pub filter_online: bool,
    /// A replica uses TLS only when it is given an authority to check the source's certificate against.
    pub link_tls_needs_ca: bool,
    /// The X plugin listens on a port of its own unless `mysqlx=OFF`.
    pub mysqlx: bool,
    /// The statement that loads renewed certificates into a running server.
    pub reload_tls: Option<&'static str>,
    /// The statements after which nobody commits, and the one after which everybody can again.
    pub freeze: &'static [&'static str],
    /// See `freeze`.
    pub freeze_end: &'static str,
    /// Whether freezing waits for statements that only read, and keeps tables closed behind those that it waited for.
    pub freeze_waits_for_readers: bool,
    /// The collation of a table in `utf8mb4` whose definition names none, where that is not what newer versions take.
    pub silent_collation: Option<&'static str>,
    /// What the definition of an event says that runs on the other node.
    pub disable_event: &'static str,
    /// The table of `information_schema` that has InnoDB's tables.
    pub engine_tables: &'static str,
}

/// What 5.6 says; the base that later rows of MySQL start from.
const MYSQL_56: Row = Row {
    flavour: MySql,
    from: (5, 6, 0),
    change_source: "CHANGE MASTER TO",
    source_prefix: "MASTER_",
    replica: "SLAVE",
    binlog_status: "SHOW MASTER STATUS",
    reset_log: "RESET MASTER",
    initialise: Initialise::Bootstrap(&[
        "mysql_system_tables.sql",
        "mysql_system_tables_data.sql",
        "fill_help_tables.sql",
    ]),
    grants: Grants {
        replication: &["REPLICATION SLAVE"],
        // REPLICATION SLAVE: read the binary log. SUPER: stop and start the link, change how it takes errors, write
        // on a read-only node; these versions have nothing finer.
        agent: &[
            "PROCESS",
            "REPLICATION CLIENT",
            "REPLICATION SLAVE",
            "REFERENCES",
            "TRIGGER",
            "EVENT",
            "SUPER",
        ],
        agent_reads: &[],
    },
    persist: false,
    clone: false,
    user_if_not_exists: false,
    gtid_purged_adds: false,
    gtid_online: false,
    retry_count: true,
    retries_whole: false,
    no_time_limit: None,
    wide_bit_xor: false,
    get_public_key: false,
    modern_tls: false,
    filter_online: false,
    link_tls_needs_ca: true,
    mysqlx: false,
    reload_tls: None,
    engine_tables: "INNODB_SYS_TABLES",
    freeze: &["FLUSH TABLES WITH READ LOCK"],
    freeze_end: "UNLOCK TABLES",
    freeze_waits_for_readers: true,
    silent_collation: Some("utf8mb4_general_ci"),
    disable_event: "DISABLE ON SLAVE",
};

const MYSQL_57: Row = Row {
    from: (5, 7, 0),
    retries_whole: true,
    no_time_limit: Some("SET SESSION max_execution_time = 0"),
    initialise: Initialise::Option,
    user_if_not_exists: true,
    gtid_online: true,
    modern_tls: true,
    filter_online: true,
    link_tls_needs_ca: false,
    ..MYSQL_56
};

const MYSQL_80: Row = Row {
    from: (8, 0, 4),
    grants: Grants {
        replication: &["REPLICATION SLAVE"],
        // CONNECTION_ADMIN: write on a read-only node, which the proof and repairs do. REPLICATION_SLAVE_ADMIN: stop and
        // start the link. SYSTEM_VARIABLES_ADMIN: change how the applier takes errors.
        agent: &[
            "PROCESS",
            "REPLICATION CLIENT",
            "REPLICATION SLAVE",
            "REFERENCES",
            "TRIGGER",
            "EVENT",
            "CONNECTION_ADMIN",
            "REPLICATION_SLAVE_ADMIN",
            "SYSTEM_VARIABLES_ADMIN",
        ],
        agent_reads: &["performance_schema"],
    },
    persist: true,
    engine_tables: "INNODB_TABLES",
    silent_collation: None,
    wide_bit_xor: true,
    gtid_purged_adds: true,
    get_public_key: true,
    mysqlx: true,
    ..MYSQL_57
};

/// The manual's chapter "The Clone Plugin".
const MYSQL_8017: Row = Row {
    from: (8, 0, 17),
    clone: true,
    ..MYSQL_80
};

const MYSQL_8022: Row = Row {
    from: (8, 0, 22),
    reload_tls: Some("ALTER INSTANCE RELOAD TLS"),
    replica: "REPLICA",
    ..MYSQL_8017
};

const MYSQL_8023: Row = Row {
    from: (8, 0, 23),
    change_source: "CHANGE REPLICATION SOURCE TO",
    source_prefix: "SOURCE_",
    ..MYSQL_8022
};

const MYSQL_84: Row = Row {
    from: (8, 2, 0),
    binlog_status: "SHOW BINARY LOG STATUS",
    reset_log: "RESET BINARY LOGS AND GTIDS",
    disable_event: "DISABLE ON REPLICA",
    ..MYSQL_8023
};

const MARIADB_105: Row = Row {
    flavour: MariaDb,
    from: (10, 5, 2),
    change_source: "CHANGE MASTER TO",
    source_prefix: "MASTER_",
    replica: "REPLICA",
    binlog_status: "SHOW BINLOG STATUS",
    reset_log: "RESET MASTER",
    initialise: Initialise::Bootstrap(&[
        "mariadb_system_tables.sql",
        "mariadb_performance_tables.sql",
        "mariadb_system_tables_data.sql",
        "fill_help_tables.sql",
        "maria_add_gis_sp_bootstrap.sql",
        "mariadb_sys_schema.sql",
    ]),
    grants: Grants {
        replication: &["REPLICATION SLAVE"],
        // REPLICATION SLAVE ADMIN: stop and start the link, and change how the applier takes errors.
        agent: &[
            "PROCESS",
            "BINLOG MONITOR",
            "SLAVE MONITOR",
            "REPLICATION SLAVE",
            "REPLICATION SLAVE ADMIN",
            "REFERENCES",
            "TRIGGER",
            "EVENT",
            "READ_ONLY ADMIN",
        ],
        agent_reads: &[],
    },
    persist: false,
    clone: false,
    user_if_not_exists: true,
    gtid_purged_adds: false,
    gtid_online: true,
    retry_count: false,
    retries_whole: true,
    no_time_limit: Some("SET SESSION max_statement_time = 0"),
    wide_bit_xor: false,
    get_public_key: false,
    modern_tls: true,
    filter_online: true,
    link_tls_needs_ca: false,
    mysqlx: false,
    reload_tls: Some("FLUSH SSL"),
    engine_tables: "INNODB_SYS_TABLES",
    freeze: &["BACKUP STAGE START", "BACKUP STAGE BLOCK_COMMIT"],
    freeze_end: "BACKUP STAGE END",
    freeze_waits_for_readers: false,
    silent_collation: None,
    disable_event: "DISABLE ON SLAVE",
};

/// The rows, oldest first within a flavour.
pub const ROWS: &[Row] = &[
    MYSQL_56,
    MYSQL_57,
    MYSQL_80,
    MYSQL_8017,
    MYSQL_8022,
    MYSQL_8023,
    MYSQL_84,
    MARIADB_105,
];
