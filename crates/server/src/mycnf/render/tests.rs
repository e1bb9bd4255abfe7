use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::mycnf::{Opt, OptionFile};

fn parse(text: &str) -> OptionFile {
    OptionFile::parse(Path::new("my.cnf"), text).unwrap()
}

fn line(name: &str, value: Option<&str>, reason: &str) -> Line {
    Line {
        name: name.into(),
        value: value.map(Into::into),
        reason: reason.into(),
    }
}

#[test]
fn rendering() {
    let options = vec![
        line("server_id", Some("1"), "each node needs its own"),
        line(
            "skip_name_resolve",
            None,
            "names of peers may change\nand look-ups stall",
        ),
        line("init_connect", Some(r##"SET @a = "x#\""##), ""),
        line("log_error", Some(""), &"word ".repeat(30)),
    ];
    let client = Section {
        name: "client".into(),
        options: vec![line("port", Some("3307"), "the node's")],
    };
    let text = render(&[
        Section {
            name: "mysqld".into(),
            options,
        },
        client,
    ])
    .unwrap();
    let twenty = ["word"; 19].join(" ");
    let rest = ["word"; 11].join(" ");
    let expected = format!(
        r##"[mysqld]
# each node needs its own
server_id = 1
# names of peers may change
# and look-ups stall
skip_name_resolve
init_connect = "SET @a = \"x#\\\""
# {twenty}
# {rest}
log_error = ""

[client]
# the node's
port = 3307
"##
    );
    assert_eq!(text, expected);
}

#[test]
fn what_cannot_be_rendered() {
    let with = |group: &str, option: Line| {
        render(&[Section {
            name: group.into(),
            options: vec![option],
        }])
        .unwrap_err()
    };
    let good = || line("x", None, "");
    assert!(matches!(with("", good()), RenderError::Group { .. }));
    assert!(matches!(with("a]\nb", good()), RenderError::Group { .. }));
    for name in ["", "-x", "a b", "a=b", "#a", "a\nb", "[a", "!a"] {
        assert!(
            matches!(
                with("mysqld", line(name, None, "")),
                RenderError::Name { .. }
            ),
            "{name}"
        );
    }
    assert!(matches!(
        with("mysqld", line("x", Some("a\0"), "")),
        RenderError::Nul { .. }
    ));
    assert!(matches!(
        with("mysqld", line("x", Some(&"a".repeat(4100)), "")),
        RenderError::TooLong { .. }
    ));
}

fn any_section() -> impl Strategy<Value = Section> {
    let value = prop_oneof![
        "[^\0]{0,20}",
        r#"[\\"'# =\[\];!nst\t\n\r\x08\x0b\x0c]{0,12}"#,
        "[a-z0-9/._-]{0,12}",
        "[张à\u{a0} ]{0,3}",
    ];
    let option = (
        "[a-zA-Z0-9_.][a-zA-Z0-9_.-]{0,20}",
        proptest::option::of(value),
        "\\PC{0,200}|[\n\r# \\[x=]{0,9}",
    );
    let option = option.prop_map(|(name, value, reason)| Line {
        name,
        value,
        reason,
    });
    (
        "[a-zA-Z0-9_.-]{1,12}",
        proptest::collection::vec(option, 0..6),
    )
        .prop_map(|(name, options)| Section { name, options })
}

proptest! {
    #[test]
    fn what_is_rendered_is_read_back(sections in proptest::collection::vec(any_section(), 0..4)) {
        let file = parse(&render(&sections).unwrap());
        let written = sections.iter().flat_map(|section| {
            section.options.iter().map(|line| Opt::new(&section.name, &line.name, line.value.as_deref(), "my.cnf".into(), 0))
        });
        let read = file.options.iter().cloned().map(|opt| Opt { line: 0, ..opt });
        prop_assert_eq!(read.collect::<Vec<_>>(), written.collect::<Vec<_>>());
        prop_assert_eq!(file.warnings, []);
    }

    #[test]
    fn effective_options_are_all_got(sections in proptest::collection::vec(any_section(), 0..4)) {
        let file = parse(&render(&sections).unwrap());
        let groups: Vec<_> = sections.iter().map(|section| section.name.as_str()).collect();
        let options = file.options_of(&groups);
        for opt in &options {
            let effective = options.effective();
            prop_assert!(effective.contains(&options.get(&opt.name).unwrap()));
            let counted = effective.iter().filter(|other| other.name == opt.name).count();
            prop_assert_eq!(counted, if opt.adds_up() { options.all(&opt.name).len() } else { 1 });
        }
    }
}
