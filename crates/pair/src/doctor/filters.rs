//! Filters: what a replica leaves out of what its source logged.

use twinlog_server::facts::OWN_SCHEMA;

use super::{Hit, Rule, Scene, Severity, Subject};
use crate::settings::wild_table_pattern;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "TL103",
        severity: Severity::Error,
        title: "a link leaves databases out by the current database",
        why: "replicate_do_db and replicate_ignore_db go, for DDL and for logged statements, by the writing client's current database \
              and not by what is changed: `USE other; ALTER TABLE test.info …` is lost without an error.",
        advice: "Use `replicate_wild_do_table = test.%` on both nodes instead; `databases` of twinlog.toml does.",
        check: |scene| filtered(scene, &["replicate_do_db", "replicate_ignore_db"]),
    },
    Rule {
        code: "TL104",
        severity: Severity::Warning,
        title: "a link leaves tables out",
        why: "The nodes differ in what is left out, and a statement or foreign key that touches both kinds of tables stops the link.",
        advice: "Take the filter out on both nodes, or name whole databases in `databases` of twinlog.toml.",
        check: |scene| {
            filtered(
                scene,
                &[
                    "replicate_do_table",
                    "replicate_ignore_table",
                    "replicate_wild_ignore_table",
                    "replicate_rewrite_db",
                ],
            )
        },
    },
    Rule {
        code: "TL105",
        severity: Severity::Warning,
        title: "the links' filters are not those of twinlog.toml",
        why: "What one link lets through and the other does not exists on one node only.",
        advice: "Run `twinlog up` after changing `databases`; on external nodes also put the lines it names into [mysqld].",
        check: other_filter,
    },
];

/// The filters on what a server applies: those its links report, else those its file or variables say.
fn filters(subject: &Subject) -> Vec<(String, String, Option<String>)> {
    let of_links = subject
        .live
        .iter()
        .flat_map(|live| &live.facts.links)
        .flat_map(|link| &link.filters);
    let mut all: Vec<(String, String, Option<String>)> = of_links
        .filter(|(name, _)| !name.contains("Ignore_Server_Ids") && !name.contains("Domain_Ids"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone(), None))
        .collect();
    if subject.live.is_none() {
        let options = subject.options.iter().flatten();
        all.extend(
            options
                .filter(|opt| opt.name.starts_with("replicate_"))
                .map(|opt| {
                    let file = opt
                        .file
                        .file_name()
                        .unwrap_or(opt.file.as_os_str())
                        .to_string_lossy();
                    (
                        opt.name.clone(),
                        opt.value.clone().unwrap_or_default(),
                        Some(format!("{file}:{}", opt.line)),
                    )
                }),
        );
    }
    all.sort();
    all.dedup();
    all
}

fn filtered(scene: &Scene, names: &[&str]) -> Vec<Hit> {
    scene
        .subjects
        .iter()
        .flat_map(|subject| {
            filters(subject)
                .into_iter()
                .filter(|(name, ..)| names.contains(&name.as_str()))
                .map(|(name, value, place)| {
                    Hit::on(subject, format!("{name} = {value}")).at(place.unwrap_or(name))
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The patterns of `replicate_wild_do_table`, compared with what `databases` asks for.
fn other_filter(scene: &Scene) -> Vec<Hit> {
    let Some(config) = &scene.config else {
        return Vec::new();
    };
    let wanted = config.databases.as_ref().map(|databases| {
        let names = databases.iter().map(String::as_str).chain([OWN_SCHEMA]);
        names.map(wild_table_pattern).collect::<Vec<_>>()
    });
    scene
        .live()
        .filter(|(index, ..)| scene.link(*index).is_some())
        .filter_map(|(_, subject, live)| {
            let set: Vec<String> = filters(subject)
                .into_iter()
                .filter(|(name, ..)| name == "replicate_wild_do_table")
                .flat_map(|(_, value, _)| {
                    value
                        .split(',')
                        .map(|part| part.trim().to_owned())
                        .collect::<Vec<_>>()
                })
                .collect();
            let by_log = live
                .facts
                .binlog_do_db
                .as_deref()
                .is_some_and(|list| !list.is_empty());
            let seen = match &wanted {
                None if !set.is_empty() => format!(
                    "only {} is applied, and twinlog.toml names no databases",
                    set.join(", ")
                ),
                Some(_) if set.is_empty() && !by_log => {
                    "everything is applied, and twinlog.toml names databases".into()
                }
                Some(wanted)
                    if !set.is_empty() && !wanted.iter().all(|pattern| set.contains(pattern)) =>
                {
                    format!("only {} is applied", set.join(", "))
                }
                _ => return None,
            };
            Some(Hit::on(subject, seen).at("replicate_wild_do_table"))
        })
        .collect()
}
