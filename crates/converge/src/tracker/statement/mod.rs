//! What a statement in the log does to tables: enough of the servers' grammar to name them, and to say so where it
//! cannot.

#[cfg(test)]
mod tests;
mod tokens;

use std::sync::Arc;

use twinlog_binlog::Statement;

use self::tokens::{Token, tokens};
use crate::TableName;

/// What a statement touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// No row and no definition of a table.
    Nothing,
    /// The definitions (or all rows) of these.
    Tables {
        names: Vec<TableName>,
        /// Whether rows may be gone afterwards.
        wipes: bool,
        /// What each is called afterwards that gets another name, in this order.
        renames: Vec<[TableName; 2]>,
    },
    /// Perhaps any definition of a database.
    Database { name: Arc<str>, wipes: bool },
    /// Rows of this table, of any of a database (with an empty table name), or of any (with both empty).
    Data(TableName),
}

/// Of which tables a statement in the log may have changed rows, or the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// Of none.
    Nothing,
    /// Of these.
    Tables(Vec<TableName>),
    /// Of any in this database; with an empty name, of any at all.
    Database(Arc<str>),
}

impl Touched {
    /// Reads it from the statement.
    #[must_use]
    pub fn by(statement: &Statement) -> Self {
        match effect(statement) {
            Effect::Nothing => Self::Nothing,
            Effect::Tables { names, .. } => Self::Tables(names),
            Effect::Database { name, .. } => Self::Database(name),
            // What a program does, or a join, need not stay in its database.
            Effect::Data(table) if table.name.is_empty() => Self::Database("".into()),
            Effect::Data(table) => Self::Tables(vec![table]),
        }
    }
}

/// Objects whose definitions have no rows.
const ROWLESS: [&str; 19] = [
    "VIEW",
    "TRIGGER",
    "FUNCTION",
    "PROCEDURE",
    "EVENT",
    "USER",
    "ROLE",
    "SERVER",
    "SEQUENCE",
    "PACKAGE",
    "TABLESPACE",
    "UNDO",
    "LOGFILE",
    "RESOURCE",
    "SPATIAL_REFERENCE",
    "INSTANCE",
    "LIBRARY",
    "CATALOG",
    "MASKING",
];

/// Statements that change no row and no definition. `ANALYZE`, `OPTIMIZE` and `REPAIR` are logged too.
const HARMLESS: [&str; 23] = [
    "BEGIN",
    "START",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "XA",
    "SET",
    "USE",
    "GRANT",
    "REVOKE",
    "FLUSH",
    "ANALYZE",
    "OPTIMIZE",
    "REPAIR",
    "CHECK",
    "CHECKSUM",
    "INSTALL",
    "UNINSTALL",
    "SHOW",
    "KILL",
    "RESET",
    "CHANGE",
];

/// What a statement does.
pub(super) fn effect(statement: &Statement) -> Effect {
    let text = String::from_utf8_lossy(&statement.text);
    let tokens = tokens(&text);
    let database = &statement.database;
    let all = |wipes| Effect::Database {
        name: Arc::clone(database),
        wipes,
    };
    let data = |name: Option<TableName>| {
        let whole = || TableName {
            database: Arc::clone(database),
            name: "".into(),
        };
        Effect::Data(name.unwrap_or_else(whole))
    };
    let mut tokens = &tokens[..];
    // MariaDB's SET STATEMENT variable = value, … FOR statement.
    while let [set, statement, rest @ ..] = tokens
        && set.is("SET")
        && statement.is("STATEMENT")
        && let Some(at) = rest.iter().position(|token| token.is("FOR"))
    {
        tokens = &rest[at + 1..];
    }
    let Some(first) = tokens.first() else {
        return Effect::Nothing;
    };
    let mut parser = Parser {
        tokens: &tokens[1..],
        database,
    };
    if first.is_any(&HARMLESS) {
        return Effect::Nothing;
    }
    if first.is_any(&["CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE"]) {
        return parser.definition(first).unwrap_or_else(|| all(true));
    }
    if first.is_any(&["INSERT", "REPLACE"]) {
        parser.skip(&["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"]);
        return data(parser.name());
    }
    if first.is("DELETE") {
        parser.skip(&["LOW_PRIORITY", "QUICK", "IGNORE"]);
        return data(
            parser
                .accept("FROM")
                .then(|| parser.only_name(&["USING"]))
                .flatten(),
        );
    }
    if first.is("UPDATE") {
        parser.skip(&["LOW_PRIORITY", "IGNORE"]);
        let name = parser.name();
        return data(name.filter(|_| parser.accept("SET")));
    }
    if first.is("LOAD") {
        let into = parser.tokens.iter().position(|token| token.is("TABLE"));
        parser.tokens = &parser.tokens[into.map_or(parser.tokens.len(), |at| at + 1)..];
        return data(parser.name());
    }
    if first.is_any(&["WITH", "CALL", "DO", "SELECT", "MERGE", "IMPORT"]) {
        return data(None);
    }
    all(true)
}

struct Parser<'a> {
    tokens: &'a [Token],
    database: &'a Arc<str>,
}

impl Parser<'_> {
    fn accept(&mut self, word: &str) -> bool {
        let found = self.tokens.first().is_some_and(|token| token.is(word));
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn skip(&mut self, words: &[&str]) {
        while self.tokens.first().is_some_and(|token| token.is_any(words)) {
            self.tokens = &self.tokens[1..];
        }
    }

    fn sign(&mut self, sign: char) -> bool {
        let found = self.tokens.first() == Some(&Token::Sign(sign));
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn identifier(&mut self) -> Option<Arc<str>> {
        let text = match self.tokens.first()? {
            Token::Word(text) | Token::Quoted(text) => text.as_str().into(),
            Token::Sign(_) => return None,
        };
        self.tokens = &self.tokens[1..];
        Some(text)
    }

    fn name(&mut self) -> Option<TableName> {
        let first = self.identifier()?;
        if self.sign('.') {
            let name = self.identifier()?;
            return Some(TableName {
                database: first,
                name,
            });
        }
        Some(TableName {
            database: Arc::clone(self.database),
            name: first,
        })
    }

    /// A name, if it is the only one and none of these words follows.
    fn only_name(&mut self, others: &[&str]) -> Option<TableName> {
        let name = self.name()?;
        let next = self.tokens.first();
        let more = next.is_some_and(|token| *token == Token::Sign(',') || token.is_any(others));
        (!more).then_some(name)
    }

    fn names(&mut self) -> Option<Vec<TableName>> {
        let mut names = vec![self.name()?];
        while self.sign(',') {
            names.push(self.name()?);
        }
        Some(names)
    }

    /// A definition's change after its first word; `None` where it cannot be told.
    fn definition(&mut self, verb: &Token) -> Option<Effect> {
        if verb.is("TRUNCATE") {
            self.accept("TABLE");
            let names = self.names()?;
            return Some(Effect::Tables {
                names,
                wipes: true,
                renames: Vec::new(),
            });
        }
        let replaces = self.tokens.first()?.is("OR");
        // What comes before the object (DEFINER = …, ALGORITHM = …, UNIQUE) names no table.
        let objects = [
            "TABLE",
            "TABLES",
            "INDEX",
            "DATABASE",
            "SCHEMA",
            "TEMPORARY",
        ];
        let found = self
            .tokens
            .iter()
            .position(|token| token.is_any(&objects) || token.is_any(&ROWLESS))?;
        let object = &self.tokens[found];
        self.tokens = &self.tokens[found + 1..];
        if object.is("TEMPORARY") || object.is_any(&ROWLESS) {
            return Some(Effect::Nothing);
        }
        let if_exists = self.accept("IF");
        self.skip(&["NOT", "EXISTS"]);
        if object.is_any(&["DATABASE", "SCHEMA"]) {
            return Some(if verb.is("DROP") {
                Effect::Database {
                    name: self.identifier()?,
                    wipes: true,
                }
            } else {
                Effect::Nothing
            });
        }
        if object.is("INDEX") {
            let on = self.tokens.iter().position(|token| token.is("ON"))?;
            self.tokens = &self.tokens[on + 1..];
            let names = vec![self.name()?];
            return Some(Effect::Tables {
                names,
                wipes: false,
                renames: Vec::new(),
            });
        }
        self.table(verb, replaces, if_exists)
    }

    /// `CREATE|ALTER|DROP|RENAME TABLE`, after that.
    fn table(&mut self, verb: &Token, replaces: bool, if_exists: bool) -> Option<Effect> {
        let mut names = vec![self.name()?];
        let (mut wipes, mut renames) = (false, Vec::new());
        if verb.is("DROP") {
            wipes = true;
            while self.sign(',') {
                names.push(self.name()?);
            }
        } else if verb.is("CREATE") {
            // MariaDB's applier runs CREATE as CREATE OR REPLACE (slave_ddl_exec_mode), so there rows can be gone.
            wipes = replaces || !if_exists;
        } else if verb.is("RENAME") {
            loop {
                self.skip(&["WAIT", "NOWAIT"]);
                if !self.accept("TO") {
                    return None;
                }
                names.push(self.name()?);
                if !self.sign(',') {
                    break;
                }
                names.push(self.name()?);
            }
            let pairs = names.chunks_exact(2);
            renames.extend(pairs.map(|pair| [pair[0].clone(), pair[1].clone()]));
        } else if self.replaces_files() {
            return names.pop().map(Effect::Data);
        } else {
            wipes = self.tokens.iter().any(|token| token.is("PARTITION"));
            while let Some(at) = self
                .tokens
                .iter()
                .position(|token| token.is("RENAME") || (wipes && token.is("TABLE")))
            {
                let is_rename = self.tokens[at].is("RENAME");
                self.tokens = &self.tokens[at + 1..];
                let column = ["COLUMN", "INDEX", "KEY"];
                if !self.tokens.first()?.is_any(&column) {
                    self.skip(&["TO", "AS"]);
                    let name = self.name()?;
                    if is_rename {
                        renames.push([names[0].clone(), name.clone()]);
                    }
                    names.push(name);
                }
            }
        }
        Some(Effect::Tables {
            names,
            wipes,
            renames,
        })
    }

    /// `… DISCARD|IMPORT TABLESPACE`: each node takes its own files.
    fn replaces_files(&self) -> bool {
        let is_last = self
            .tokens
            .last()
            .is_some_and(|token| token.is("TABLESPACE"));
        let files = |token: &Token| token.is_any(&["DISCARD", "IMPORT"]);
        is_last && self.tokens.iter().any(files)
    }
}
