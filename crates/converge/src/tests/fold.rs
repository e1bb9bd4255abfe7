//! Long runs of one side's changes.

use super::kit::{A, B, Kit, decide_by, insert, tell, tell_decision, update};
use crate::{Policy, Tracker, Verdict};

fn v(from: i64, to: i64) -> twinlog_binlog::Change {
    update("t", &[1, 1, from as i32], &[1, 1, to as i32])
}

fn counter() -> Policy {
    Policy::Merge { counters: vec![2] }
}

/// Both sides add 1 so many times while the links stand still; then both logs are read to their ends.
fn outage(kit: &mut Kit, times: i64) {
    for at in 0..times {
        kit.log(A, &format!("a{}", 2 * at + 1), [v(at, at + 1)]);
        kit.log(B, &format!("b{}", 2 * at + 2), [v(2 * at, 2 * at + 2)]);
    }
    for at in 0..times {
        let was = if at == 0 { times } else { 2 * at };
        kit.log(A, &format!("b{}", 2 * at + 2), [v(was, 2 * at + 2)]);
        let was = if at == 0 { 2 * times } else { at };
        // The second counter's first values had been there before.
        kit.log(B, &format!("a{}", 2 * at + 1), [v(was, at + 1)]);
    }
}

#[test]
fn a_counter_that_both_sides_write_through_an_outage_keeps_every_addition() {
    for times in [100, 1200] {
        let mut kit = Kit::new();
        let tracker = std::mem::replace(&mut kit.tracker, Tracker::new(crate::Limits::default()));
        kit.tracker = tracker.keeping();
        kit.log(A, "a100001", [insert("t", &[1, 1, 0])]);
        kit.log(B, "a100001", [insert("t", &[1, 1, 0])]);
        outage(&mut kit, times);
        let verify = |verdict: &Verdict| matches!(verdict, Verdict::ToVerify { .. });
        assert!(!kit.said.iter().any(verify), "{times}");
        let last = *kit.episodes().last().unwrap();
        let told = tell_decision(&decide_by(last, &counter()));
        assert!(told.contains(&format!("1,1,{}", 3 * times)), "{told}");
        assert_eq!(last.writes.len() > 10, times == 100);
        // Who came first and last is still told.
        assert!(
            last.writes
                .iter()
                .any(|write| write.committed.micros == 1_000_000)
        );
        let end = u64::try_from(2 * times).unwrap() * 1_000_000;
        assert!(
            last.writes
                .iter()
                .any(|write| write.committed.micros == end),
            "{}",
            tell(last)
        );
        for episode in 1..=kit.said.len() as u64 {
            kit.tracker.resolved(episode);
        }
        kit.log(A, "a200001", [insert("t", &[2, 2, 0])]);
        kit.log(B, "a200001", [insert("t", &[2, 2, 0])]);
        kit.assert_empty();
        assert_eq!(kit.retired.len(), 2 * usize::try_from(times).unwrap() + 2);
    }
}
