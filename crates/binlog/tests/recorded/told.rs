//! A log as a text.

use std::{collections::HashSet, fmt::Write};

use twinlog_binlog::{Change, Decoder, Output, Rows, Table, Transaction, Xa};

use crate::logs::Log;

/// What its events bring, one after the other.
pub(crate) fn story(log: &Log) -> String {
    let mut decoder = Decoder::new(log.flavour);
    let mut text = String::new();
    let mut described = HashSet::new();
    for event in log.events.iter().cloned() {
        let output = match decoder.push(event) {
            Ok(output) => output,
            Err(error) => {
                writeln!(text, "error: {error}").expect("writes");
                break;
            }
        };
        match output {
            Output::Nothing => {}
            Output::Transaction(it) => transaction(&mut text, &it, &mut described),
            Output::Format { format, dropped } => writeln!(
                text,
                "format of {}, checksums {}, after start {}, dropped {dropped:?}",
                format.server_version, format.checksums, format.after_start
            )
            .expect("writes"),
            Output::GtidList(list) => {
                let list: Vec<_> = list.iter().map(ToString::to_string).collect();
                writeln!(text, "gtid list [{}]", list.join(", ")).expect("writes");
            }
            other => writeln!(text, "{other:?}").expect("writes"),
        }
    }
    assert_eq!(decoder.open_bytes(), 0, "{}", log.name);
    text
}

fn transaction(text: &mut String, it: &Transaction, described: &mut HashSet<String>) {
    let gtid = it
        .gtid
        .as_ref()
        .map_or("no gtid".to_owned(), ToString::to_string);
    write!(
        text,
        "\n{gtid} server {} at {}{} {}:{}..{}",
        it.server_id,
        it.committed.micros,
        if it.committed.exact { "" } else { " (second)" },
        it.file,
        it.start,
        it.end
    )
    .expect("writes");
    if it
        .logged_us
        .is_some_and(|logged| logged != it.committed.micros)
    {
        write!(text, " logged at {:?}", it.logged_us).expect("writes");
    }
    match &it.xa {
        None => {}
        Some(Xa::Prepare(xid)) => {
            write!(text, " xa prepare {}", xid.escape_ascii()).expect("writes")
        }
        Some(Xa::Commit(xid)) => write!(text, " xa commit {}", xid.escape_ascii()).expect("writes"),
        Some(Xa::Rollback(xid)) => {
            write!(text, " xa rollback {}", xid.escape_ascii()).expect("writes")
        }
    }
    text.push('\n');
    for change in &it.changes {
        match change {
            Change::Statement(it) => {
                let error = if it.error_code == 0 {
                    String::new()
                } else {
                    format!(" (error {})", it.error_code)
                };
                writeln!(text, "  {}: {}{error}", it.database, it.text.escape_ascii())
                    .expect("writes");
            }
            Change::Rows(it) => rows(text, it, described),
        }
    }
}

fn rows(text: &mut String, it: &Rows, described: &mut HashSet<String>) {
    let table = description(&it.table);
    if described.insert(table.clone()) {
        text.push_str(&table);
    }
    writeln!(
        text,
        "  {:?} {}.{}: {} rows, {} bytes, present {}{}",
        it.kind,
        it.table.database,
        it.table.name,
        it.changes().inspect(|it| assert!(it.is_ok())).count(),
        it.data.len(),
        bits(&it.present),
        if it.present_after.is_empty() {
            String::new()
        } else {
            format!(" after {}", bits(&it.present_after))
        }
    )
    .expect("writes");
}

fn bits(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

fn description(table: &Table) -> String {
    let mut text = format!("    table {}.{}", table.database, table.name);
    writeln!(text, ", key {:?}", table.primary_key).expect("writes");
    for column in &table.columns {
        write!(text, "      {}", column.name.as_deref().unwrap_or("-")).expect("writes");
        write!(text, " {:?}({})", column.kind, column.meta).expect("writes");
        match column.unsigned {
            None => {}
            Some(true) => text.push_str(" unsigned"),
            Some(false) => text.push_str(" signed"),
        }
        if let Some(collation) = column.collation {
            write!(text, " collation {collation}").expect("writes");
        }
        if !column.nullable {
            text.push_str(" not null");
        }
        for member in &column.members {
            write!(text, " '{}'", member.escape_ascii()).expect("writes");
        }
        text.push('\n');
    }
    text
}
