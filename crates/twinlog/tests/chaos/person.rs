//! What a person does between two rounds: looks at the history, and decides what no policy did.

use serde_json::Value;
use twinlog_testbed::Output;

use crate::evidence::Rest;
use crate::pair::Pair;

/// Of the newest conflicts, so many are looked at, and of the newest open ones so many decided.
const LOOKED_AT: usize = 2;
const DECIDED: usize = 2;

/// Does so, with the history as it was judged; what went wrong, in words.
pub(crate) async fn act(pair: &Pair, judged: &Rest) -> Vec<String> {
    let mut troubles = Vec::new();
    let list = pair.run(&["conflicts", "list", "--json"]).await;
    let Some(document) = document(&list) else {
        return vec![said("twinlog conflicts list", &list)];
    };
    let total = judged.history[0].len() as u64;
    if document["total"].as_u64() != Some(total) || !document["differ"].is_null() {
        let (found, differ) = (&document["total"], &document["differ"]);
        troubles.push(format!(
            "twinlog conflicts list: {found} of {total}; {differ}"
        ));
    }
    let conflicts = document["conflicts"].as_array();
    let named = |open: bool| {
        let all = conflicts.into_iter().flatten();
        let fits = all.filter(move |conflict| !open || conflict["state"] == "open");
        fits.filter_map(|conflict| conflict["id"].as_str())
    };
    for id in named(false).take(LOOKED_AT) {
        let show = pair.run(&["conflicts", "show", id, "--json"]).await;
        if self::document(&show).is_none() {
            troubles.push(said("twinlog conflicts show", &show));
        }
    }
    for (id, node) in named(true).take(DECIDED).zip(["a", "b"]) {
        let args = ["conflicts", "resolve", id, "--keep", node, "--yes"];
        let resolve = pair.run(&args).await;
        // 1: the rows were written since it was found. Another row may have taken a key: then it says so, and writes nothing.
        let refused = resolve.stderr.contains("nothing was written");
        if !matches!(resolve.code, Some(0 | 1)) && !refused {
            troubles.push(said(&format!("twinlog {}", args.join(" ")), &resolve));
        }
    }
    pair.drained().await;
    troubles
}

fn document(output: &Output) -> Option<Value> {
    let text = (output.code == Some(0)).then_some(output.stdout.as_str())?;
    serde_json::from_str(text).ok()
}

fn said(what: &str, output: &Output) -> String {
    format!(
        "{what}: {:?}\n{}{}",
        output.code, output.stdout, output.stderr
    )
}
