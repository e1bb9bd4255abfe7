use proptest::prelude::*;

use super::*;

fn at(text: &str) -> MariaDbPosition {
    text.parse().unwrap()
}

#[test]
fn read_as_by_the_server() {
    let cases = [
        ("", ""),
        ("0-1-1, 1-2-2", "0-1-1,1-2-2"),
        ("0-1-1,\n1-2-3\n", "0-1-1,1-2-3"),
        ("3-4-5,0-1-1,1-1-1", "0-1-1,1-1-1,3-4-5"),
        ("00-01-007", "0-1-7"),
        ("0-0-5", "0-0-5"),
        ("0-1-0,1-1-1", "1-1-1"),
        (
            "4294967295-4294967295-18446744073709551615",
            "4294967295-4294967295-18446744073709551615",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(at(text).to_string(), expected, "{text}");
    }
}

#[test]
fn refused() {
    for text in [
        "0-1-1,",
        "0-1-1,,1-1-1",
        "4294967296-1-1",
        "0 -1-1",
        "0-1",
        "0-1-2-3",
        "0--1",
        "a-1-1",
        ",",
    ] {
        let error = text.parse::<MariaDbPosition>().unwrap_err();
        assert!(
            error.to_string().starts_with("cannot read the GTID"),
            "{text}: {error}"
        );
    }
    let error = "2-9-5,2-3-4".parse::<MariaDbPosition>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "a position names domain 2 twice: 2-9-5 and 2-3-4"
    );
    assert!("2-9-5,2-9-6".parse::<MariaDbState>().is_err());
}

/// As MariaDB 11.8 printed the two variables after writes under three server ids in domain 2.
#[test]
fn state_and_position() {
    let state: MariaDbState = "0-3-1,1-3-1,2-1-4,2-9-5,2-3-6".parse().unwrap();
    assert_eq!(state.to_string(), "0-3-1,1-3-1,2-1-4,2-9-5,2-3-6");
    assert_eq!(state.position(), at("0-3-1,1-3-1,2-3-6"));
    assert_eq!(state.last_of(2, 9), Some("2-9-5".parse().unwrap()));
    assert_eq!(state.last_of(2, 4), None);
}

#[test]
fn coverage_and_gaps() {
    let (ahead, behind) = (at("0-1-120,1-2-7,5-1-1"), at("0-2-100,1-2-7"));
    assert!(ahead.covers(&behind) && !behind.covers(&ahead));
    let gaps = ahead.subtract(&behind);
    assert_eq!(
        gaps.iter().map(MariaDbGap::to_string).collect::<Vec<_>>(),
        ["0-1-101..120", "5-1-1"]
    );
    assert_eq!(
        gaps.iter().map(MariaDbGap::count).collect::<Vec<_>>(),
        [20, 1]
    );
    assert_eq!(ahead.only_domain(1), at("1-2-7"));
}

#[test]
fn one_number_from_two_servers() {
    let (one, two) = (at("0-1-5"), at("0-2-5"));
    assert!(!one.covers(&two) && !two.covers(&one));
    assert_eq!(
        one.subtract(&two),
        [MariaDbGap {
            first: 5,
            last: "0-1-5".parse().unwrap()
        }]
    );
    assert_eq!(one.merge(&two), two);
}

fn any_position() -> impl Strategy<Value = MariaDbPosition> {
    let mark = (0u32..4, 1u32..3, prop_oneof![1u64..8, Just(u64::MAX)]);
    proptest::collection::vec(mark, 0..4).prop_map(|marks| {
        let marks = marks
            .into_iter()
            .map(|(domain, server, sequence)| MariaDbGtid {
                domain,
                server,
                sequence,
            });
        MariaDbPosition(marks.map(|mark| (mark.domain, mark)).collect())
    })
}

proptest! {
    #[test]
    fn round_trip(position in any_position()) {
        prop_assert_eq!(&at(&position.to_string()), &position);
        let state: MariaDbState = position.to_string().parse().unwrap();
        prop_assert_eq!(state.position(), position);
    }

    #[test]
    fn covering_is_an_order(a in any_position(), b in any_position(), c in any_position()) {
        prop_assert!(a.covers(&a));
        prop_assert_eq!(a.covers(&b) && b.covers(&a), a == b);
        prop_assert!(!(a.covers(&b) && b.covers(&c)) || a.covers(&c));
    }

    #[test]
    fn gaps_are_what_is_not_covered(a in any_position(), b in any_position()) {
        let gaps = a.subtract(&b);
        prop_assert_eq!(gaps.is_empty(), b.covers(&a));
        for gap in gaps {
            prop_assert!(gap.first >= 1 && gap.first <= gap.last.sequence && gap.count() >= 1);
            prop_assert_eq!(a.mark(gap.last.domain), Some(gap.last));
        }
    }

    #[test]
    fn merging(a in any_position(), b in any_position(), c in any_position()) {
        prop_assert_eq!(a.merge(&a), a.clone());
        prop_assert_eq!(a.merge(&b), b.merge(&a));
        prop_assert_eq!(a.merge(&b).merge(&c), a.merge(&b.merge(&c)));
        prop_assert!(!a.covers(&b) || a.merge(&b) == a);
    }

    #[test]
    fn no_text_panics(text in ".*", near in "[0-9,-]{0,30}") {
        let _ = (text.parse::<MariaDbPosition>(), text.parse::<MariaDbState>());
        let _ = (near.parse::<MariaDbPosition>(), near.parse::<MariaDbState>());
    }
}

#[test]
fn what_both_have_is_the_lower_mark() {
    let mine: MariaDbPosition = "0-1-5,1-1-7,2-2-9".parse().unwrap();
    let theirs: MariaDbPosition = "0-1-3,2-3-11,3-1-1".parse().unwrap();
    assert_eq!(mine.common(&theirs).to_string(), "0-1-3,2-2-9");
    assert_eq!(theirs.common(&mine), mine.common(&theirs));
}

#[test]
fn a_mark_is_moved() {
    let mut position: MariaDbPosition = "0-1-5,2-2-9".parse().unwrap();
    position.set("0-3-6".parse().unwrap());
    position.set("1-1-1".parse().unwrap());
    position.set("2-2-0".parse().unwrap());
    assert_eq!(position.to_string(), "0-3-6,1-1-1");
}
