//! The recorded rows with some bytes changed: errors perhaps, panics never.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::{SERVERS, recorded::Recorded};

/// How many different damages each event gets.
const CASES: u32 = 60;

#[test]
fn damaged_rows_never_panic() {
    for server in SERVERS {
        for rows in Recorded::read(server).rows {
            let damage = vec((any::<Index>(), any::<u8>()), 1..5);
            let test = |damage: Vec<(Index, u8)>| {
                let mut data = rows.data.to_vec();
                for (at, byte) in damage {
                    let at = at.index(data.len());
                    data[at] = byte;
                }
                let mut rows = rows.clone();
                rows.data = Bytes::from(data);
                for change in rows.changes() {
                    let Ok(change) = change else { break };
                    for image in [change.before, change.after].into_iter().flatten() {
                        for position in 0..rows.table.columns.len() {
                            let _ = image.value(position);
                        }
                    }
                }
            };
            proptest!(ProptestConfig::with_cases(CASES), |(damage in damage)| test(damage));
        }
    }
}
