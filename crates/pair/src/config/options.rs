//! Server options as the user writes them: names normalised, values typed.

use std::collections::BTreeMap;
use std::fmt;

/// Extra `[mysqld]` lines, by normalised name: lower case, words joined by `_`.
pub type Options = BTreeMap<String, OptionValue>;

/// The one spelling of an option's name: lower case, words joined by `_`.
#[must_use]
pub fn normalised(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace('-', "_")
}

/// The value of one server option.
#[derive(Debug, Clone, PartialEq)]
pub enum OptionValue {
    /// Text, as it stands after `name=`.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A switch: `ON` or `OFF`.
    Switch(bool),
    /// A number with a fraction.
    Float(f64),
}

impl OptionValue {
    /// Reads the value of a `my.cnf` line. A name without a value switches it on.
    ///
    /// Becomes a number or a switch only where writing it out again means the same.
    #[must_use]
    pub fn from_my_cnf(value: Option<&str>) -> Self {
        let Some(text) = value else {
            return Self::Switch(true);
        };
        if let Some(number) = text.parse::<i64>().ok().filter(|n| n.to_string() == text) {
            return Self::Integer(number);
        }
        let float = text.parse::<f64>().ok().filter(|f| f.is_finite());
        if let Some(number) = float.filter(|f| f.to_string() == text) {
            return Self::Float(number);
        }
        match text.to_ascii_lowercase().as_str() {
            "on" | "true" => Self::Switch(true),
            "off" | "false" => Self::Switch(false),
            _ => Self::Text(text.to_owned()),
        }
    }
}

/// As it stands in a `[mysqld]` line.
impl fmt::Display for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => number.fmt(f),
            Self::Switch(true) => f.write_str("ON"),
            Self::Switch(false) => f.write_str("OFF"),
            Self::Float(number) => number.fmt(f),
        }
    }
}
