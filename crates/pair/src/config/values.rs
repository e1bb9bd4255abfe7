//! Single values and keys as TOML writes them.

use std::path::Path;

use toml::Value;

use super::error::ConfigError;
use super::options::OptionValue;

/// A string as TOML writes it.
pub(super) fn text(text: &str) -> String {
    Value::from(text).to_string()
}

pub(super) fn texts(texts: &[String]) -> String {
    Value::from(texts.to_vec()).to_string()
}

/// A key, quoted where it must be.
pub(super) fn key(name: &str) -> String {
    let bare = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare && !name.is_empty() {
        name.to_owned()
    } else {
        text(name)
    }
}

/// The word of the file for a choice; every choice is in its list.
pub(super) fn named<T: PartialEq>(choices: &[(&str, T)], choice: T) -> String {
    let found = choices.iter().find(|(_, value)| *value == choice);
    text(found.map_or("", |(name, _)| *name))
}

pub(super) fn option(value: &OptionValue) -> String {
    match value {
        OptionValue::Text(value) => text(value),
        OptionValue::Integer(value) => value.to_string(),
        OptionValue::Switch(value) => value.to_string(),
        OptionValue::Float(value) => Value::Float(*value).to_string(),
    }
}

/// Below the file's directory as `./…`, so that the directory can be moved.
pub(super) fn path_value(dir: &Path, path: &Path) -> Result<String, ConfigError> {
    let utf8 = |path: &Path| path.to_str().map(str::to_owned);
    let written = match path.strip_prefix(dir) {
        Ok(inner) => utf8(inner).map(|inner| format!("./{inner}")),
        Err(_) => utf8(path),
    };
    let written = written.ok_or_else(|| ConfigError::PathNotUtf8 {
        path: path.to_path_buf(),
    })?;
    Ok(text(&written))
}
