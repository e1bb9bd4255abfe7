//! One agent at a time.

use twinlog_agent::resolve::{Leadership, LeadershipError, lock_name};
use twinlog_converge::Side;
use twinlog_testbed::{ServerKind, wait_until};

use super::nodes;
use crate::support::{DEADLINE, node, open};

#[tokio::test]
async fn only_one_agent_leads() {
    for kind in ServerKind::ALL {
        let [a, b] = [node(kind, 1).await, node(kind, 2).await];
        let mut first = Leadership::take(nodes(), [open(&a).await, open(&b).await])
            .await
            .unwrap();
        let holder = first.hand(Side::A).conn().id();
        let second = Leadership::take(nodes(), [open(&a).await, open(&b).await]).await;
        let Err(LeadershipError::Held {
            node,
            holder: words,
        }) = second
        else {
            panic!("{second:?}");
        };
        assert_eq!(node, "a");
        assert!(
            words.starts_with(&format!("connection {holder} of 'root' from localhost")),
            "{words}"
        );
        if !kind.is_mariadb() {
            assert!(
                words.ends_with(&format!(", process {} there", std::process::id())),
                "{words}"
            );
        }
        // Losing one of the two ends it.
        let lost = first.hand(Side::B).conn().id();
        b.exec(&format!("KILL {lost}")).await;
        assert!(first.check().await.is_err());
        first.release().await;
        wait_until(DEADLINE, "both locks free", async || {
            let sql = format!("SELECT IS_FREE_LOCK('{}')", lock_name(0));
            let free = [
                a.query_one::<u32>(&sql).await,
                b.query_one::<u32>(&sql).await,
            ];
            (free == [1, 1]).then_some(())
        })
        .await;
    }
}
