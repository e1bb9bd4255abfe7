//! One line of an option file, read as `my_load_defaults` of both flavours reads it.

use std::borrow::Cow;

/// The longest line MariaDB and MySQL before 9 read whole, in bytes; they take the rest for a further line.
pub(super) const LINE_BYTES_MAX: usize = 4094;

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Empty, or a comment.
    Blank,
    /// `[name]`.
    Group(&'a str),
    /// `name` or `name = value`.
    Option {
        name: &'a str,
        value: Option<Cow<'a, str>>,
        /// The text ends, without quotes, in a byte 0xA0, which the server cuts off as a space of Latin 1.
        cut: bool,
    },
    /// `!include` or `!includedir` and its path.
    Include {
        directory: bool,
        path: &'a str,
        /// A comment follows, which only MySQL 9 tells from the path.
        comment: bool,
    },
    /// `!` and another word, which the server passes over.
    UnknownDirective,
}

/// What keeps a line from being read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    GroupUnclosed,
    NoName,
    NoPath { directory: bool },
}

/// Reads one line, without its newline.
pub(super) fn read(line: &str) -> Result<Line<'_>, Flaw> {
    let line = trim(line);
    match line.as_bytes().first() {
        None | Some(b'#' | b';') => Ok(Line::Blank),
        Some(b'!') => read_directive(trim(&line[1..])),
        Some(b'[') => {
            // What follows the bracket is ignored; space before the name is not, and makes it another group.
            let (name, _) = line[1..].split_once(']').ok_or(Flaw::GroupUnclosed)?;
            Ok(Line::Group(name.trim_end_matches(is_space)))
        }
        Some(_) => read_option(line),
    }
}

fn read_directive(text: &str) -> Result<Line<'_>, Flaw> {
    for (keyword, directory) in [("includedir", true), ("include", false)] {
        let Some(rest) = text.strip_prefix(keyword) else {
            continue;
        };
        if !rest.is_empty() && !rest.starts_with(is_space) {
            continue;
        }
        let bare = without_comment(rest);
        let path = trim(bare);
        if path.is_empty() {
            return Err(Flaw::NoPath { directory });
        }
        return Ok(Line::Include {
            directory,
            path,
            comment: bare.len() < rest.len(),
        });
    }
    Ok(Line::UnknownDirective)
}

fn read_option(line: &str) -> Result<Line<'_>, Flaw> {
    let text = trim(without_comment(line));
    let cut = text.as_bytes().last() == Some(&0xA0);
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (trim(name), Some(unescape(unquote(trim(value))))),
        None => (text, None),
    };
    if name.is_empty() {
        Err(Flaw::NoName)
    } else {
        Ok(Line::Option { name, value, cut })
    }
}

/// Cuts a `#` comment off. A `#` between quotes is text, a backslash between quotes guards the quote after it, and a
/// lone apostrophe anywhere begins a quoted text that lasts to the end of the line.
fn without_comment(line: &str) -> &str {
    let (mut quote, mut escaped) = (None, false);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'\'' | b'"' if !escaped => match quote {
                None => quote = Some(byte),
                Some(open) if open == byte => quote = None,
                Some(_) => {}
            },
            b'#' if quote.is_none() => return &line[..at],
            _ => {}
        }
        escaped = quote.is_some() && byte == b'\\' && !escaped;
    }
    line
}

/// Takes one pair of equal quotes off the ends, whatever stands between them.
fn unquote(value: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value)
}

/// Resolves `\n \t \r \b \s \" \' \\`, in quotes or not; another backslash stays, as does one at the end.
fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('s') => text.push(' '),
            Some(same @ ('"' | '\'' | '\\')) => text.push(same),
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    Cow::Owned(text)
}

fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// C's `isspace`, which has the vertical tab that Rust's ASCII white space lacks.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(line: &str) -> Option<String> {
        match read(line).unwrap() {
            Line::Option { value, .. } => value.map(Cow::into_owned),
            other => panic!("{line:?} is {other:?}"),
        }
    }

    /// Each value is what `my_print_defaults` of MySQL 9.7, MariaDB 10.11 and MariaDB 11.8 printed.
    #[test]
    fn values_are_the_servers() {
        let cases = [
            ("a = b c # inline", "b c"),
            ("b = 'x # y' # z", "x # y"),
            (r##"c = "q\"#w" # z"##, "q\"#w"),
            ("d = don't # comment", "don't # comment"),
            (r"e = C:\new\sdir", "C:\new dir"),
            (r"f = \\", r"\"),
            (r"g = end\", r"end\"),
            (r#"h = "end\""#, r"end\"),
            (r#"i = """#, ""),
            ("j =", ""),
            (r#"k = ""#, "\""),
            (r#"l = '""#, "'\""),
            ("m=a=b", "a=b"),
            (r#"n = "a" "b""#, r#"a" "b"#),
            (r"p = \#x", r"\"),
            ("r = 1 ; not comment", "1 ; not comment"),
            (" s = 	tab	", "tab"),
            (r##"t = "a\\" # c"##, r"a\"),
            (r##"u = a\"b # c"##, "a\"b # c"),
            (r"v = x\", r"x\"),
            (r"w = \x\q", r"\x\q"),
            ("z=1\r", "1"),
            ("vt = a\x0b", "a"),
            ("lower_case_table_names = 1 #不区分大小写", "1"),
        ];
        for (line, expected) in cases {
            assert_eq!(value_of(line).as_deref(), Some(expected), "{line}");
        }
        assert_eq!(value_of("plain"), None);
        assert_eq!(value_of("skip-networking # why"), None);
    }

    #[test]
    fn names_and_groups() {
        assert!(matches!(
            read("o x = 1"),
            Ok(Line::Option { name: "o x", .. })
        ));
        assert!(matches!(
            read("q; = 1"),
            Ok(Line::Option { name: "q;", .. })
        ));
        assert_eq!(read(" = 5"), Err(Flaw::NoName));
        assert_eq!(read("[mysqld ] trailing # c"), Ok(Line::Group("mysqld")));
        assert_eq!(read("[ mysqld]"), Ok(Line::Group(" mysqld")));
        assert_eq!(read("[mysqld"), Err(Flaw::GroupUnclosed));
        for blank in ["", " \t\r", "# x", " ; x"] {
            assert_eq!(read(blank), Ok(Line::Blank));
        }
    }

    #[test]
    fn directives() {
        let include = |directory, path, comment| {
            Ok(Line::Include {
                directory,
                path,
                comment,
            })
        };
        assert_eq!(
            read("!include /a b.cnf  "),
            include(false, "/a b.cnf", false)
        );
        assert_eq!(
            read("! includedir /etc/conf.d/"),
            include(true, "/etc/conf.d/", false)
        );
        assert_eq!(read("!include a.cnf # why"), include(false, "a.cnf", true));
        assert_eq!(read("!include "), Err(Flaw::NoPath { directory: false }));
        assert_eq!(read("!includedir"), Err(Flaw::NoPath { directory: true }));
        assert_eq!(read("!includes x"), Ok(Line::UnknownDirective));
    }

    #[test]
    fn bytes_the_server_would_cut() {
        let cut = |line| matches!(read(line), Ok(Line::Option { cut: true, .. }));
        assert!(cut("x = cafà") && cut("x = a\u{a0}"));
        assert!(!cut("x = 'cafà'") && !cut("x = cafè"));
    }
}
