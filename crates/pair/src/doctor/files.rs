//! What only an option file can have wrong.

use twinlog_server::{mycnf::Opt, version::Flavour};

use super::{Hit, Rule, Scene, Severity, Subject, removed};

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "TL401",
        severity: Severity::Warning,
        title: "newer servers refuse an option",
        why: "A server that does not know an option, or its value, does not start. After an upgrade of the packages that is found \
              out at the worst moment.",
        advice: "Take the line out, or write what took its place, before the upgrade.",
        check: refused,
    },
    Rule {
        code: "TL402",
        severity: Severity::Info,
        title: "symbolic links are set",
        why: "`symbolic-links = 0` was advice for MySQL 5; since 8.0 they are off by default, and the option is obsolete and makes a \
              warning at each start. Switched on, they let a table's files be anywhere.",
        advice: "Take the line out for MySQL 8.0 and newer; keep `symbolic-links = 0` on MySQL 5.x and MariaDB.",
        check: |scene| {
            options(scene, |subject, opt| {
                let old = subject.version.is_some_and(|version| {
                    version.flavour == Flavour::MariaDb || !version.at_least(8, 0, 0)
                });
                let off = opt.as_bool() == Some(false);
                (opt.name == "symbolic_links" && !(old && off))
                    .then(|| format!("{} = {}", opt.written, if off { "0" } else { "1" }))
            })
        },
    },
    Rule {
        code: "TL403",
        severity: Severity::Info,
        title: "an index file is named like its log",
        why: "The server adds `.index` to a name without an extension: the line says what is the default anyway, and when the log gets \
              another name one day, the index keeps the old one and the server looks at two sets of files.",
        advice: "Take the line out: the index follows the log's name.",
        check: |scene| {
            options(scene, |_, opt| {
                let named = matches!(opt.name.as_str(), "log_bin_index" | "relay_log_index");
                let value = opt.value.as_deref().unwrap_or_default();
                (named && !value.contains('.')).then(|| format!("{} = {value}", opt.name))
            })
        },
    },
    Rule {
        code: "TL404",
        severity: Severity::Warning,
        title: "the server reads a line otherwise than it looks",
        why: "What the file's author meant is not what the server does.",
        advice: "Write the line so that it means what it says.",
        check: |scene| {
            scene
                .subjects
                .iter()
                .flat_map(|subject| {
                    subject
                        .warnings
                        .iter()
                        .map(move |warning| Hit::on(subject, warning.clone()))
                })
                .collect()
        },
    },
    Rule {
        code: "TL405",
        severity: Severity::Warning,
        title: "an option is written twice with different values",
        why: "The last one counts. Whoever changes the first one changes nothing.",
        advice: "Keep one line.",
        check: written_twice,
    },
    Rule {
        code: "TL406",
        severity: Severity::Warning,
        title: "the file holds a password",
        why: "Option files are read by many eyes and programs, copied into backups and repositories.",
        advice: "Take it out; the link's password belongs to the statement that makes the link.",
        check: |scene| {
            options(scene, |_, opt| {
                opt.is_secret().then(|| format!("{} is set", opt.name))
            })
        },
    },
];

/// A hit for each line of the option files given for which `bad` says something.
fn options(scene: &Scene, bad: fn(&Subject, &Opt) -> Option<String>) -> Vec<Hit> {
    let files = scene
        .subjects
        .iter()
        .filter(|subject| subject.settings.is_file());
    files
        .flat_map(|subject| {
            let found = subject.options.iter().flatten();
            found.filter_map(move |opt| Some(Hit::on(subject, bad(subject, opt)?).at(place(opt))))
        })
        .collect()
}

fn place(opt: &Opt) -> String {
    let file = opt
        .file
        .file_name()
        .unwrap_or(opt.file.as_os_str())
        .to_string_lossy();
    format!("{file}:{}", opt.line)
}

fn refused(scene: &Scene) -> Vec<Hit> {
    options(scene, |subject, opt| {
        let (since, instead) = removed::refused(opt)?;
        let (major, minor, patch) = since;
        match subject.version {
            Some(version) if version.flavour == Flavour::MariaDb => None,
            Some(version) if !removed::concerns(since, &version) => None,
            Some(version) => Some(format!(
                "{version} does not start with {}: {instead}",
                opt.written
            )),
            None if !subject.settings.may_be(Flavour::MySql) => None,
            None => {
                let value = opt.value.as_deref().unwrap_or_default();
                Some(format!(
                    "MySQL {major}.{minor}.{patch} and newer do not start with {} = {value}: {instead}",
                    opt.written
                ))
            }
        }
    })
}

fn written_twice(scene: &Scene) -> Vec<Hit> {
    let mut hits = Vec::new();
    for subject in scene
        .subjects
        .iter()
        .filter(|subject| subject.settings.is_file())
    {
        let Some(all) = &subject.options else {
            continue;
        };
        for opt in all
            .effective()
            .into_iter()
            .filter(|opt| !opt.adds_up() && !opt.is_secret())
        {
            let earlier = all
                .all(&opt.name)
                .into_iter()
                .find(|other| other.value != opt.value);
            if let Some(earlier) = earlier {
                let said = |opt: &Opt| opt.value.clone().unwrap_or("on".into());
                let seen = format!(
                    "{} = {} at {}, then {}",
                    opt.name,
                    said(earlier),
                    place(earlier),
                    said(opt)
                );
                hits.push(Hit::on(subject, seen).at(place(opt)));
            }
        }
    }
    hits
}
