//! Reads typed values out of one TOML table. Every problem is noted with its place and reading goes
//! on, so that one run names everything that is wrong.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Problem, position};
use super::keys::{self, Section};

/// Collects problems by their place in the text.
pub(super) struct Sink<'t> {
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

impl<'t> Sink<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            problems: RefCell::default(),
        }
    }

    pub(super) fn note(&self, offset: usize, message: impl Display, hint: Option<String>) {
        let (line, column) = position(self.text, offset);
        self.problems.borrow_mut().push(Problem {
            line,
            column,
            message: message.to_string(),
            hint,
        });
    }

    /// What was noted, in the order of the file.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort();
        problems
    }
}

/// One table of the file, its keys known.
pub(super) struct Table<'t> {
    entries: &'t DeTable<'t>,
    /// Where the table is named: the place of what is missing in it.
    offset: usize,
    /// As the user writes its header.
    title: String,
    section: &'static Section,
    sink: &'t Sink<'t>,
}

impl<'t> Table<'t> {
    /// The whole file.
    pub(super) fn top(sink: &'t Sink<'t>, entries: &'t DeTable<'t>) -> Self {
        Self::open(sink, entries, 0, keys::TOP.title.to_owned(), &keys::TOP)
    }

    /// Notes the keys that the section does not have.
    fn open(
        sink: &'t Sink<'t>,
        entries: &'t DeTable<'t>,
        offset: usize,
        title: String,
        section: &'static Section,
    ) -> Self {
        for key in entries
            .keys()
            .filter(|key| !section.keys.contains(&key.get_ref().as_ref()))
        {
            let name = key.get_ref();
            let message = if keys::is_secret(name) {
                format!(
                    "`{name}` {}: no password may stand in this file",
                    keys::within(&title)
                )
            } else {
                format!("unknown key `{name}` {}", keys::within(&title))
            };
            sink.note(key.span().start, message, Some(keys::hint(name, section)));
        }
        Self {
            entries,
            offset,
            title,
            section,
            sink,
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        debug_assert!(self.section.keys.contains(&key), "{key} is not in keys.rs");
        self.entries.get(key)
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let message = format!(
            "`{key}` must be {expected}, not {}",
            shown(key, value.get_ref())
        );
        self.sink.note(value.span().start, message, None);
    }

    /// Notes that a key is missing from this table.
    pub(super) fn missing(&self, key: &str, example: &str) {
        let message = format!("{} needs `{key}`", self.title);
        self.sink.note(
            self.offset,
            message,
            Some(format!("such as `{key} = {example}`")),
        );
    }

    /// Notes that only one of these keys may stand here.
    pub(super) fn exclusive(&self, keys: &str) {
        let message = format!("{} may have only one of {keys}", self.title);
        self.sink.note(self.offset, message, None);
    }

    /// Text; empty text is a mistake.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let nonempty = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        self.parsed(key, "a non-empty string", nonempty)
    }

    /// Text that `parse` understands.
    pub(super) fn parsed<T>(
        &self,
        key: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let parsed = value.get_ref().as_str().and_then(parse);
        if parsed.is_none() {
            self.wrong(key, value, expected);
        }
        parsed
    }

    /// A path, resolved against `dir`.
    pub(super) fn path(&self, key: &str, dir: &Path) -> Option<PathBuf> {
        self.text(key).map(|text| resolved(dir, Path::new(&text)))
    }

    /// One of the values listed.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let value = self.value(key)?;
        let text = value.get_ref().as_str();
        let found = choices.iter().find(|(name, _)| Some(*name) == text);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let near = text.and_then(|text| keys::nearest(text, &names));
            let message = format!(
                "`{key}` must be {}, not {}",
                either(&names),
                shown(key, value.get_ref())
            );
            let hint = near.map(|near| format!("did you mean \"{near}\"?"));
            self.sink.note(value.span().start, message, hint);
        }
        found.map(|(_, choice)| *choice)
    }

    /// `true` or `false`.
    pub(super) fn switch(&self, key: &str) -> Option<bool> {
        let value = self.value(key)?;
        let switch = value.get_ref().as_bool();
        if switch.is_none() {
            self.wrong(key, value, "true or false");
        }
        switch
    }

    /// A whole number within the range.
    pub(super) fn integer<T>(&self, key: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let value = self.value(key)?;
        let number = integer(value.get_ref()).and_then(|number| T::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let expected = format!("a whole number from {} to {}", range.start(), range.end());
            self.wrong(key, value, &expected);
        }
        number
    }

    /// A value of several types, told apart by `read`.
    pub(super) fn value_as<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(&DeValue<'_>) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let read = read(value.get_ref());
        if read.is_none() {
            self.wrong(key, value, expected);
        }
        read
    }

    /// A list of non-empty texts.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<String>> {
        self.value_as(key, "a list of strings, such as [\"shop\"]", |value| {
            let texts = value.as_array()?.iter().map(|item| item.get_ref().as_str());
            texts
                .map(|text| text.filter(|text| !text.is_empty()).map(str::to_owned))
                .collect()
        })
    }

    /// A table within this one.
    pub(super) fn table(&self, key: &str, section: &'static Section) -> Option<Table<'t>> {
        let (name, entries) = self.entry_table(key)?;
        Some(Self::open(
            self.sink,
            entries,
            name,
            section.title.to_owned(),
            section,
        ))
    }

    /// The tables below `key`, by name, in the order of the file; `title` gives each its header.
    pub(super) fn named_tables(
        &self,
        key: &str,
        section: &'static Section,
        title: impl Fn(&str) -> String,
    ) -> Vec<(String, Table<'t>)> {
        let Some((_, entries)) = self.entry_table(key) else {
            return Vec::new();
        };
        // The parsed table is sorted by name; the places remember the order of the file.
        let mut named: Vec<_> = entries.iter().collect();
        named.sort_by_key(|(name, _)| name.span().start);
        let mut tables = Vec::new();
        for (name, value) in named {
            let offset = name.span().start;
            let name = name.get_ref().to_string();
            match value.get_ref().as_table() {
                Some(inner) => {
                    let title = title(&name);
                    let table = Self::open(self.sink, inner, offset, title, section);
                    tables.push((name, table));
                }
                None => self.wrong(&name, value, &format!("a table, {}", title(&name))),
            }
        }
        tables
    }

    /// The tables of a `[[list]]`.
    pub(super) fn list_of_tables(&self, key: &str, section: &'static Section) -> Vec<Table<'t>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(key, value, &format!("a list of tables, {}", section.title));
            return Vec::new();
        };
        let open = |item: &'t Spanned<DeValue<'t>>| match item.get_ref().as_table() {
            Some(entries) => Some(Self::open(
                self.sink,
                entries,
                item.span().start,
                section.title.to_owned(),
                section,
            )),
            None => {
                self.wrong(key, item, &format!("a list of tables, {}", section.title));
                None
            }
        };
        items.iter().filter_map(open).collect()
    }

    /// The entries of a table whose keys are free, for the caller to read.
    pub(super) fn free_table(&self, key: &str) -> Option<(&'t DeTable<'t>, &'t Sink<'t>)> {
        let (_, entries) = self.entry_table(key)?;
        Some((entries, self.sink))
    }

    fn entry_table(&self, key: &str) -> Option<(usize, &'t DeTable<'t>)> {
        let value = self.value(key)?;
        let (name, _) = self.entries.get_key_value(key)?;
        let entries = value.get_ref().as_table();
        if entries.is_none() {
            self.wrong(key, value, &format!("a table, [{key}]"));
        }
        entries.map(|entries| (name.span().start, entries))
    }
}

/// The value of a TOML integer, in any base, if it fits.
pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// The value of a TOML float; not infinity nor NaN.
pub(super) fn float(value: &DeValue<'_>) -> Option<f64> {
    let number = value.as_float()?.as_str().parse::<f64>().ok()?;
    number.is_finite().then_some(number)
}

/// `path` below `dir`, without `.` parts.
pub(super) fn resolved(dir: &Path, path: &Path) -> PathBuf {
    let joined = dir.join(path);
    joined
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}

/// The value for a message; never one that might be a secret put in the wrong place.
fn shown(key: &str, value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(_) if key.starts_with("password") => "this string".to_owned(),
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(switch) => switch.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "this list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// `"a"`, `"a" or "b"`, `"a", "b" or "c"`.
fn either(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
