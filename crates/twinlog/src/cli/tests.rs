//! The command line as a whole: its help, and that what the help shows can be said.

use std::path::Path;

use clap::{CommandFactory, Parser, error::ErrorKind};

use super::Cli;

/// Every command, the program itself first, commands of commands behind them.
fn commands() -> Vec<clap::Command> {
    let mut root = Cli::command().term_width(100).disable_help_subcommand(true);
    root.build();
    let mut commands = vec![root];
    let mut at = 0;
    while let Some(command) = commands.get(at) {
        let below: Vec<_> = command.get_subcommands().cloned().collect();
        commands.extend(below);
        at += 1;
    }
    commands
}

#[test]
fn the_definition_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn every_help_is_as_agreed() {
    for mut command in commands() {
        let name = command
            .get_display_name()
            .unwrap_or(command.get_name())
            .to_owned();
        let help = command.render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        insta::assert_snapshot!(format!("help_{name}"), lines.join("\n"));
    }
}

#[test]
fn every_command_shows_an_example() {
    for command in commands() {
        let name = command.get_name();
        let after = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(after.starts_with("Examples:\n"), "{name}: {after}");
        for line in after.lines().skip(1).take_while(|line| !line.is_empty()) {
            // What does not fit behind its example stands below it.
            let below = line.starts_with("      ");
            assert!(line.starts_with("  twinlog ") || below, "{name}: {line}");
        }
    }
}

#[test]
fn every_example_parses() {
    let mut seen = 0;
    for command in commands() {
        let help = command.clone().render_long_help().to_string();
        for line in help.lines().filter(|line| line.starts_with("  twinlog ")) {
            for words in runs(line) {
                let parsed = Cli::try_parse_from(&words);
                if let Err(error) = parsed {
                    panic!("{}: {line}\n{error}", command.get_name());
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "only {seen} examples");
}

/// The runs of twinlog in an example: words as a shell splits them, up to the explanation, which stands behind two
/// spaces or more; other programs of a pipeline and files of redirections left out.
fn runs(line: &str) -> Vec<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut spaces = 0;
    for c in line.trim().chars() {
        if c == '\'' {
            quoted = !quoted;
            word.get_or_insert_default();
        } else if c == ' ' && !quoted {
            spaces += 1;
            if spaces == 2 {
                break;
            }
            words.extend(word.take());
            continue;
        } else {
            word.get_or_insert_default().push(c);
        }
        spaces = 0;
    }
    words.extend(word);
    words
        .split(|word| word == "&&" || word == "|")
        .filter(|run| run.first().is_some_and(|program| program == "twinlog"))
        .map(|run| {
            let end = run.iter().position(|word| word == "<" || word == ">");
            run[..end.unwrap_or(run.len())].to_vec()
        })
        .collect()
}

#[test]
fn an_example_is_split_as_a_shell_would() {
    assert_eq!(
        runs("  twinlog sql a -e 'SELECT  1' > x && less x | twinlog plan   see it"),
        [
            vec!["twinlog", "sql", "a", "-e", "SELECT  1"],
            vec!["twinlog", "plan"]
        ]
    );
}

#[test]
fn the_file_is_named_before_or_after_the_command() {
    for line in [
        ["twinlog", "-c", "x.toml", "plan"],
        ["twinlog", "plan", "-c", "x.toml"],
    ] {
        assert_eq!(
            Cli::try_parse_from(line)
                .map(|cli| cli.config)
                .ok()
                .as_deref(),
            Some(Path::new("x.toml"))
        );
    }
}

#[test]
fn without_a_command_the_help_is_shown() {
    let error = Cli::try_parse_from(["twinlog"]).expect_err("no command");
    assert_eq!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    assert_eq!(error.exit_code(), 2);
}
