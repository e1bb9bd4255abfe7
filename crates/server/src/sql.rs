//! SQL text that can carry secrets without showing them.
//!
//! A statement is planned, printed and logged long before it runs, so it holds the *name* of a secret and
//! never its value. Only [`Sql::expose`] puts the value in, right before the statement is sent.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// One SQL statement, whose secrets are named but not contained.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sql(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A string literal whose value is the secret of this name.
    Secret(String),
}

impl Sql {
    /// A statement, or its beginning, without secrets.
    pub fn new(text: impl Into<String>) -> Self {
        Self(vec![Part::Text(text.into())])
    }

    /// Appends text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Text(text.into()));
        self
    }

    /// Appends a string literal that will hold the secret called `name`.
    #[must_use]
    pub fn secret(mut self, name: impl Into<String>) -> Self {
        self.0.push(Part::Secret(name.into()));
        self
    }

    /// The statement as the server needs it.
    ///
    /// # Errors
    /// Whatever `lookup` returns for a secret that cannot be read.
    pub fn expose<E>(
        &self,
        lookup: impl Fn(&str) -> Result<SecretString, E>,
    ) -> Result<SecretString, E> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Secret(name) => out.push_str(&literal(lookup(name)?.expose_secret())),
            }
        }
        Ok(out.into())
    }
}

/// The statement for people: secrets are masked.
impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Secret(_) => f.write_str("'***'"),
        })
    }
}

impl From<&str> for Sql {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Sql {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// A string literal that means `value` under every `sql_mode`.
///
/// Quotes are doubled. A backslash is an escape or a plain character depending on `NO_BACKSLASH_ESCAPES`, so a
/// value that has one is written in hexadecimal, which has one meaning only.
pub fn literal(value: &str) -> String {
    if value.contains('\\') {
        let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("CAST(x'{hex}' AS CHAR CHARACTER SET utf8)")
    } else {
        format!("'{}'", value.replace('\'', "''"))
    }
}

/// An identifier in backticks.
pub fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_in_text_and_present_when_exposed() {
        let sql = Sql::new("ALTER USER u IDENTIFIED BY ")
            .secret("root")
            .text(" ACCOUNT UNLOCK");
        assert_eq!(
            sql.to_string(),
            "ALTER USER u IDENTIFIED BY '***' ACCOUNT UNLOCK"
        );
        assert!(!format!("{sql:?}").contains("it's"));
        let exposed = sql.expose(|name| {
            assert_eq!(name, "root");
            Ok::<_, ()>("it's".into())
        });
        assert_eq!(
            exposed.map(|sql| sql.expose_secret().to_owned()),
            Ok("ALTER USER u IDENTIFIED BY 'it''s' ACCOUNT UNLOCK".to_owned())
        );
    }

    #[test]
    fn quoting_survives_quotes_and_backslashes() {
        assert_eq!(literal("a'b"), "'a''b'");
        assert_eq!(literal("\\"), "CAST(x'5c' AS CHAR CHARACTER SET utf8)");
        assert_eq!(identifier("a`b"), "`a``b`");
    }
}
