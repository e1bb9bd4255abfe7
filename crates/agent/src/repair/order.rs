//! In which order rows are written: parents come before those that refer to them, and go after them. No I/O.
//!
//! It saves work, and is no condition: rows that are tied to others which are not as they shall be are repaired together
//! with them.

use std::collections::HashMap;

use twinlog_converge::TableName;

/// How far each table is from those that refer to nothing: its parents come before it. Tables in a circle are where the
/// circle was entered.
pub(super) fn depths(parents: &HashMap<TableName, Vec<TableName>>) -> HashMap<TableName, usize> {
    let mut depths = HashMap::new();
    let mut names: Vec<&TableName> = parents.keys().collect();
    names.sort();
    for name in names {
        depth(name, parents, &mut depths, &mut Vec::new());
    }
    depths
}

fn depth(
    name: &TableName,
    parents: &HashMap<TableName, Vec<TableName>>,
    depths: &mut HashMap<TableName, usize>,
    path: &mut Vec<TableName>,
) -> usize {
    if let Some(depth) = depths.get(name) {
        return *depth;
    }
    if path.contains(name) {
        return 0;
    }
    path.push(name.clone());
    let known = parents.get(name).into_iter().flatten();
    let known = known.filter(|parent| *parent != name && parents.contains_key(parent));
    let deepest = known
        .map(|parent| 1 + depth(parent, parents, depths, path))
        .max();
    path.pop();
    let depth = deepest.unwrap_or(0);
    depths.insert(name.clone(), depth);
    depth
}

/// The place of a row among others: by the depth of its table, and whether it goes.
pub(super) fn rank(depth: usize, goes: bool) -> (bool, usize) {
    match goes {
        false => (false, depth),
        true => (true, usize::MAX - depth),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> TableName {
        TableName {
            database: "shop".into(),
            name: name.into(),
        }
    }

    #[test]
    fn parents_come_first_and_go_last() {
        let refers = |child: &str, parents: &[&str]| {
            let parents = parents.iter().map(|parent| name(parent)).collect();
            (name(child), parents)
        };
        let parents = HashMap::from([
            refers("lines", &["orders", "goods", "elsewhere"]),
            refers("orders", &["people", "orders"]),
            refers("people", &[]),
            refers("goods", &[]),
        ]);
        let depths = depths(&parents);
        let of = |table: &str| depths[&name(table)];
        assert_eq!(
            [of("people"), of("goods"), of("orders"), of("lines")],
            [0, 0, 1, 2]
        );
        assert!(rank(of("people"), false) < rank(of("lines"), false));
        assert!(rank(of("lines"), true) < rank(of("people"), true));
        assert!(rank(of("lines"), false) < rank(of("lines"), true));
    }

    #[test]
    fn a_circle_has_an_end() {
        let parents = HashMap::from([(name("x"), vec![name("y")]), (name("y"), vec![name("x")])]);
        assert_eq!(depths(&parents).len(), 2);
    }
}
