//! What is told: a hand-made pair's own walk-through, then the silent swap.

use std::time::Instant;

use twinlog_pair::up::Done;
use twinlog_server::conn::ResultSet;

use super::{Stop, play::Play, stage::Stage};
use crate::{
    commands::{conflicts::show, run::describe as describe_summary, up::describe},
    failure::{Failure, WORLD},
};

/// The table of the walk-through, as people type it.
const TABLE: &str = "\
CREATE TABLE `info` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `email` varchar(255) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8";
/// How wide a command's output is shown, in characters: what the story's own lines leave of a usual screen.
const SHOWN_WIDTH: usize = 76;
const ROWS: &str = "SELECT * FROM test.info";
const ROW: &str = "SELECT * FROM test.t";

/// Chapter 1, before anything is there.
pub(crate) fn opening(
    stage: &mut Stage,
    server: &str,
    dir: &str,
    ports: [u16; 2],
) -> Result<(), Stop> {
    stage.chapter("Two servers from nothing")?;
    let [a, b] = ports;
    stage.say(&format!(
        "Here is {server}. twinlog starts it twice on this machine: node a on port {a}, node b on port {b}, each with \
         data of its own in {dir}. Every server writes each change it makes into a file, its binary log. twinlog tells \
         each server to read the other one's log and to repeat what it finds there. That is replication, here in both \
         directions, so that programs may write on either server: a dual primary."
    ))
}

/// Chapter 1, when the pair is up.
pub(crate) fn built(stage: &Stage, done: &Done, took_s: f64) -> Result<(), Stop> {
    stage.say(&format!(
        "That took {took_s:.1} s. Both directions were tried, each by writing a row on one side and waiting for it on \
         the other:"
    ))?;
    let proofs: Vec<String> = done.proofs.iter().map(describe).collect();
    stage.show(&proofs.join("\n"))?;
    stage.gap()
}

/// All that follows.
pub(crate) async fn tell(play: &mut Play<'_>) -> Result<(), Stop> {
    written_on_a(play).await?;
    written_on_b(play).await?;
    swap(play).await?;
    repaired(play).await?;
    ending(&mut play.stage)
}

async fn written_on_a(play: &mut Play<'_>) -> Result<(), Stop> {
    play.stage.chapter("Written on a, read on b")?;
    for sql in [
        "CREATE DATABASE `test` CHARACTER SET utf8 COLLATE utf8_general_ci",
        "USE test",
        "SET FOREIGN_KEY_CHECKS=0",
        "DROP TABLE IF EXISTS `info`",
        TABLE,
        "INSERT INTO `info` VALUES ('0', 'xiongjun', 'xiongjun@cpms.com.cn')",
        "INSERT INTO `info` VALUES ('0', 'liuyanwen', 'liuyanwen@cpms.com.cn')",
    ] {
        play.run(0, sql).await?;
    }
    let written = Instant::now();
    play.stage.gap()?;
    play.stage
        .say("Nobody has told b anything. It has read a's binary log:")?;
    play.read_when(1, ROWS, 2, written).await
}

async fn written_on_b(play: &mut Play<'_>) -> Result<(), Stop> {
    play.stage.chapter("Written on b, read on a")?;
    play.run(1, "USE test").await?;
    let insert = "INSERT INTO `info` VALUES ('0', 'liuxiaolei', 'liuxiaolei@cpms.com.cn')";
    play.run(1, insert).await?;
    let written = Instant::now();
    play.stage.gap()?;
    play.read_when(0, ROWS, 3, written).await?;
    play.stage.say(
        "Why are the ids 3, 5 and 6? The table starts to count at 3, and an id of 0 asks the server for the next \
         number. Two servers that both count 3, 4, 5 would give the same number to two different rows. So twinlog made them count in steps of two \
         (auto_increment_increment = 2), a from 1 and b from 2 (auto_increment_offset): a gives odd numbers, b even \
         ones, and they can never collide.",
    )
}

async fn swap(play: &mut Play<'_>) -> Result<(), Stop> {
    play.stage.chapter("The silent swap")?;
    play.stage
        .say("One more table, with one row. Take v for a price.")?;
    play.run(0, "CREATE TABLE test.t (id INT PRIMARY KEY, v INT)")
        .await?;
    play.run(0, "INSERT INTO test.t VALUES (1, 10)").await?;
    play.wait_for(1, ROW, |set| set.rows.len() == 1).await?;
    play.stage.gap()?;
    play.stage.say(
        "Now two people change the price at the same time, one on each server. It takes a millisecond of bad luck, or \
         a network that was away for an hour, and neither server has heard of the other's change when it makes its \
         own. So that it happens for certain, both links are held for a moment:",
    )?;
    let replica = play.dialect(0).row().replica;
    let (stop, start) = (format!("STOP {replica}"), format!("START {replica}"));
    play.run_both([&stop, &stop]).await?;
    play.run_both([
        "UPDATE test.t SET v=100 WHERE id=1",
        "UPDATE test.t SET v=200 WHERE id=1",
    ])
    .await?;
    play.run_both([&start, &start]).await?;
    play.prove().await?;
    let sets = [play.read(0, ROW).await?, play.read(1, ROW).await?];
    let [on_a, on_b] = [&sets[0], &sets[1]].map(value);
    play.stage.gap()?;
    play.stage
        .say("Each server has read the other's log and repeated what it found there:")?;
    play.stage.tables(
        [
            "node a, where 100 was written",
            "node b, where 200 was written",
        ],
        [&sets[0], &sets[1]],
    )?;
    play.stage.gap()?;
    if (on_a, on_b) != (Some("200"), Some("100")) {
        let message =
            format!("a holds {on_a:?} and b holds {on_b:?}, where the swap was to be seen");
        return Err(Failure::new(WORLD, message, None).into());
    }
    play.stage.say(
        "They swapped. The price is 200 on a and 100 on b, for good: neither server will ever look at that row again, \
         and the answer depends on which server is asked. And what do the servers report?",
    )?;
    let links = play.links().await?;
    play.stage
        .table("\x1b[2mwhat both servers say of their links\x1b[0m", &links)?;
    play.stage.gap()?;
    play.stage.say(
        "Everything runs, nothing is late, no error. This is all that monitoring of replication looks at, so every \
         light is green while the two copies differ.",
    )
}

fn value(set: &ResultSet) -> Option<&str> {
    set.rows.first().and_then(|row| row.get("v"))
}

async fn repaired(play: &mut Play<'_>) -> Result<(), Stop> {
    play.stage.chapter("Found, and ended")?;
    play.stage.say(
        "Yet both logs have it in writing. In a's log the 100 comes first and the 200 after it, in b's log the 200 comes \
         first: two servers can only disagree on the order of two changes when neither had heard of the other. twinlog \
         reads both logs side by side, and so finds every such pair, and nothing else:",
    )?;
    play.stage.command("twinlog run --once")?;
    let summary = play.settle().await?;
    play.stage.show(&describe_summary(&summary))?;
    play.prove().await?;
    let sets = [play.read(0, ROW).await?, play.read(1, ROW).await?];
    play.stage.gap()?;
    play.stage
        .tables(["node a", "node b"], [&sets[0], &sets[1]])?;
    play.stage.gap()?;
    let [on_a, on_b] = [&sets[0], &sets[1]].map(value);
    if on_a != on_b || summary.conflicts != 1 {
        let message = format!(
            "a holds {on_a:?} and b holds {on_b:?} after {} conflicts were found, where both were to be equal",
            summary.conflicts
        );
        return Err(Failure::new(WORLD, message, None).into());
    }
    play.stage.say(
        "One price again, on both. The rule is in twinlog.toml, here last-write-wins: the later commit stays. The other \
         one is not lost: who wrote what, where and when is kept in the pair itself.",
    )?;
    let entry = play.conflict().await?;
    play.stage
        .command(&format!("twinlog conflicts show {}", entry.id))?;
    play.stage.show(&show::for_a_story(&entry, SHOWN_WIDTH))?;
    play.stage.gap()?;
    play.stage.say(
        "Left to run (`twinlog run`), it does this within milliseconds of the second write, for every row that both sides \
         change. A rule can be set for each table: the first write, one node's writes, counters that are added up, or \
         nobody's until a person decides.",
    )
}

fn ending(stage: &mut Stage) -> Result<(), Stop> {
    stage.chapter("What now")?;
    stage.show(
        "\x1b[1mtwinlog init\x1b[0m      write a twinlog.toml of your own\n\
         \x1b[1mtwinlog plan\x1b[0m      read what would be done, line by line\n\
         \x1b[1mtwinlog up\x1b[0m        do it, and prove it\n\
         \x1b[1mtwinlog run\x1b[0m       keep both nodes equal from then on\n\n\
         README.md tells the rest; README.zh-CN.md in Chinese.",
    )
}
