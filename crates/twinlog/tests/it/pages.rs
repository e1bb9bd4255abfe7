//! What the pages for users show is what twinlog takes.

use std::{fs, path::Path};

use twinlog_pair::config::Config;

const PAGES: [&str; 4] = [
    "README.md",
    "README.zh-CN.md",
    "docs/config.md",
    "docs/operations.md",
];

fn page(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(name)).unwrap()
}

/// The code blocks of a page in this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = text.split(&fence).skip(1);
    parts
        .filter_map(|part| Some(part.split_once("\n```")?.0.to_owned()))
        .collect()
}

#[test]
fn every_twinlog_toml_shown_is_valid() {
    let mut seen = 0;
    for name in PAGES {
        for block in blocks(&page(name), "toml") {
            seen += 1;
            let file = Path::new("/pages/twinlog.toml");
            if let Err(error) = Config::parse(&block, file) {
                panic!("{name}: {error}\n{block}");
            }
        }
    }
    assert!(seen > 0);
}

#[test]
fn both_languages_show_the_same_commands_and_files() {
    for language in ["sh", "toml"] {
        let code = |name: &str| -> Vec<String> {
            let blocks = blocks(&page(name), language).join("\n");
            let lines = blocks
                .lines()
                .map(|line| line.split(" #").next().unwrap_or_default());
            lines.map(|line| line.trim_end().to_owned()).collect()
        };
        assert_eq!(code("README.md"), code("README.zh-CN.md"));
    }
}

#[test]
fn every_key_is_in_the_reference() {
    let reference = page("docs/config.md");
    let text = Config::local(Path::new("/pages"), "shop")
        .to_toml()
        .unwrap();
    for line in text.lines() {
        let line = line.trim_start_matches("# ");
        if let Some((key, _)) = line.split_once(" = ") {
            let key = key.trim();
            assert!(
                reference.contains(&format!("`{key}`")) || reference.contains(&format!("`{key} =")),
                "docs/config.md does not tell of {key}"
            );
        }
    }
}
