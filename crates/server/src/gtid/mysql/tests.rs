use proptest::prelude::*;

use super::*;

const U: &str = "3E11FA47-71CA-11E1-9E33-C80AA9429562";
const V: &str = "0e11fa47-71ca-11e1-9e33-c80aa9429562";

/// `U` and `V` in a text stand for the two UUIDs.
fn fill(text: &str) -> String {
    text.replace('U', U).replace('V', V)
}

fn set(text: &str) -> MySqlSet {
    fill(text).parse().unwrap()
}

/// Each pair is a text and what MySQL 9.7.4 made of it.
#[test]
fn canonical_form_is_the_servers() {
    let cases = [
        ("", ""),
        ("U", ""),
        ("U:1-5", "U:1-5"),
        ("U:1-5:tag_a:2-7", "U:1-5:tag_a:2-7"),
        ("U:Tag:1,U:5,V:3", "V:3,U:5:tag:1"),
        ("U : 1 - 5 : 9", "U:1-5:9"),
        ("U:5-3", ""),
        ("U:4-0", ""),
        ("U:1-3:2-5:6", "U:1-6"),
        ("U:a:1:b:2:c:3-4:a:2", "U:a:1-2:b:2:c:3-4"),
        (",U:1,,V:1,", "V:1,U:1"),
        ("{U}:1", "U:1"),
        ("3E11FA4771CA11E19E33C80AA9429562:1", "U:1"),
        ("U:9223372036854775806", "U:9223372036854775806"),
        ("U:_a:1", "U:_a:1"),
        (
            "U:a1234567890123456789012345678901:1",
            "U:a1234567890123456789012345678901:1",
        ),
        ("U:a", ""),
        ("U:a:b:1", "U:b:1"),
        ("U:1:a:1,\nU:2:a:2", "U:1-2:a:1-2"),
        ("U:01", "U:1"),
        ("U: a : 1", "U:a:1"),
        ("U:b:1:2-3,U:a:1", "U:a:1:b:1-3"),
        ("U\n:1\n", "U:1"),
    ];
    for (text, expected) in cases {
        assert_eq!(
            set(text).to_string(),
            fill(expected).to_lowercase(),
            "{text}"
        );
    }
}

/// Texts that MySQL 9.7.4 refuses.
#[test]
fn refused_as_by_the_server() {
    let cases = [
        "U:0",
        "U:1:",
        "U:",
        "U:9223372036854775807",
        "U:18446744073709551616",
        "U:1a:1",
        "U:a12345678901234567890123456789012:1",
        "U:a-b:1",
        "U:+1",
        "U:1-",
        "U:-1",
        "U:1-2-3",
        "1-5",
        "0-1-5",
        "urn:uuid:U:1",
        "U:1;V:1",
        "U:é:1",
    ];
    for text in cases {
        let error = fill(text).parse::<MySqlSet>().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot read the GTID set item"),
            "{text}: {error}"
        );
    }
}

#[test]
fn questions() {
    let all = set("U:1-5:a:1-2,V:7");
    assert_eq!(all.count(), 8);
    assert_eq!(all.only_from(U.parse().unwrap()), set("U:1-5:a:1-2"));
    assert_eq!(
        all.servers(),
        [V.parse().unwrap(), U.parse::<Uuid>().unwrap()]
    );
    assert!(all.contains(&set("U:2-3,V:7")));
    assert!(!all.contains(&set("U:b:1")) && !all.contains(&set("V:1")));
    assert!(all.has(U.parse().unwrap(), "A", 2) && !all.has(U.parse().unwrap(), "", 6));
    assert_eq!(all.subtract(&set("U:2-4:a:1,V:7")), set("U:1:5:a:2"));
    assert_eq!(all.intersect(&set("U:4-9:b:1,V:1-7")), set("U:4-5,V:7"));
}

fn any_set() -> impl Strategy<Value = MySqlSet> {
    let item = (0u8..3, 0u8..3, 1u64..30, 0u64..6);
    proptest::collection::vec(item, 0..10).prop_map(|items| {
        let mut set = MySqlSet::default();
        for (server, tag, first, more) in items {
            let tag = ["", "a", "tag_b"][usize::from(tag)].to_owned();
            let key = (Uuid::from_u128(u128::from(server) << 120), tag);
            set.0.entry(key).or_default().insert(first, first + more);
        }
        set
    })
}

proptest! {
    #[test]
    fn round_trip(set in any_set()) {
        prop_assert_eq!(&set.to_string().parse::<MySqlSet>().unwrap(), &set);
        prop_assert_eq!(set.is_empty(), set.to_string().is_empty());
    }

    #[test]
    fn algebra(a in any_set(), b in any_set(), c in any_set()) {
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.intersect(&b), b.intersect(&a));
        prop_assert_eq!(a.union(&b).union(&c), a.union(&b.union(&c)));
        prop_assert_eq!(a.intersect(&b.union(&c)), a.intersect(&b).union(&a.intersect(&c)));
        prop_assert_eq!(a.subtract(&b.union(&c)), a.subtract(&b).subtract(&c));
        prop_assert_eq!(a.subtract(&b).union(&a.intersect(&b)), a.clone());
        prop_assert!(a.subtract(&b).intersect(&b).is_empty());
        prop_assert!(a.union(&b).contains(&a) && a.contains(&a.intersect(&b)));
        prop_assert_eq!(a.contains(&b) && b.contains(&a), a == b);
        prop_assert_eq!(a.count() + b.count(), a.union(&b).count() + a.intersect(&b).count());
    }

    #[test]
    fn split_by_server(a in any_set()) {
        let parts = a.servers().into_iter().map(|server| a.only_from(server));
        prop_assert_eq!(parts.fold(MySqlSet::default(), |sum, part| sum.union(&part)), a);
    }

    #[test]
    fn no_text_panics(text in ".*", near in "[0-9a-f:{}, -]{0,60}") {
        let _ = text.parse::<MySqlSet>();
        let _ = near.parse::<MySqlSet>();
    }
}

#[test]
fn its_bytes_are_the_servers() {
    let uuid = "75738b00-e6f2-11f1-8524-02fc00000001";
    let bytes = |text: &str| {
        let encoded = text.parse::<MySqlSet>().unwrap().encode();
        encoded
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    };
    let (server, one) = ("75738b00e6f211f1852402fc00000001", "0100000000000000");
    assert_eq!(bytes(""), "0000000000000000");
    assert_eq!(
        bytes(&format!("{uuid}:1-2:5")),
        format!(
            "{one}{server}0200000000000000{one}030000000000000005000000000000000600000000000000"
        )
    );
    // As MySQL 9.7.4 begins a log file.
    let range = format!("{one}{one}0300000000000000");
    assert_eq!(
        bytes(&format!("{uuid}:1-2:abc:1-2:longer_tag_12:1")),
        format!(
            "0103000000000001{server}00{range}{server}06616263{range}{server}1a6c6f6e6765725f7461675f3132{one}{one}0200000000000000"
        )
    );
}

#[test]
fn transactions_are_added_one_by_one() {
    let mut set = MySqlSet::default();
    let server = Uuid::from_u128(7);
    for number in [3, 1, 2, 0, u64::MAX, 5] {
        set.add(server, "", number);
    }
    set.add(server, "Tag", 1);
    assert_eq!(set.to_string(), format!("{server}:1-3:5:tag:1"));
}
