//! Writing option files: one option a line, each under the reason for it.

use std::fmt::Write as _;

use super::line::LINE_BYTES_MAX;

/// The width reasons are wrapped at, in characters, the `# ` included.
const COMMENT_CHARS: usize = 100;

/// A group of an option file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The group's name, without brackets: `mysqld`.
    pub name: String,
    /// Its options, in order.
    pub options: Vec<Line>,
}

/// One option to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The option's name, prefixes included.
    pub name: String,
    /// Its value as the server shall see it; `None` writes the name alone.
    pub value: Option<String>,
    /// Why it is set; written above it as a comment. Empty writes none.
    pub reason: String,
}

/// Why something cannot be written into an option file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The group's name would not be read back.
    #[error("{name:?} cannot be the name of an option file group")]
    Group {
        /// The name.
        name: String,
    },
    /// The option's name would not be read back.
    #[error("{name:?} cannot be the name of an option")]
    Name {
        /// The name.
        name: String,
    },
    /// The value has a NUL, at which a server stops reading.
    #[error("the value of {name} has a NUL character in it")]
    Nul {
        /// The option.
        name: String,
    },
    /// The line would be longer than servers read.
    #[error(
        "the value of {name} makes a line longer than the {LINE_BYTES_MAX} bytes a server reads"
    )]
    TooLong {
        /// The option.
        name: String,
    },
}

impl RenderError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            RenderError::Group { .. } | RenderError::Name { .. } => {
                "use letters, digits, dots, dashes and underscores".to_owned()
            }
            RenderError::Nul { .. } => "remove the NUL character".to_owned(),
            RenderError::TooLong { .. } => "shorten the value".to_owned(),
        })
    }
}

/// Writes an option file that servers of both flavours, and [`super::OptionFile::parse`], read back as given.
pub fn render(sections: &[Section]) -> Result<String, RenderError> {
    let mut text = String::new();
    for section in sections {
        if !is_name(&section.name) {
            return Err(RenderError::Group {
                name: section.name.clone(),
            });
        }
        let gap = if text.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{gap}[{}]", section.name);
        for option in &section.options {
            write_comment(&mut text, &option.reason);
            text.push_str(&option_line(option)?);
            text.push('\n');
        }
    }
    Ok(text)
}

fn option_line(option: &Line) -> Result<String, RenderError> {
    let name = option.name.clone();
    // A leading dash would follow the two the server puts before it.
    if !is_name(&name) || name.starts_with('-') {
        return Err(RenderError::Name { name });
    }
    let line = match option.value.as_deref() {
        None => name.clone(),
        Some(value) if value.contains('\0') => return Err(RenderError::Nul { name }),
        Some(value) => format!("{name} = {}", quote(value)),
    };
    if line.len() > LINE_BYTES_MAX {
        Err(RenderError::TooLong { name })
    } else {
        Ok(line)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// Puts a value in double quotes unless it is made of characters that no reader could take for anything else. The
/// manual requires quotes around `#`; they also keep spaces at the ends and bytes that Latin 1 takes for a space.
fn quote(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,@%+*=~".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    let mut quoted = String::from('"');
    for c in value.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\u{8}' => quoted.push_str("\\b"),
            '"' | '\\' => quoted.extend(['\\', c]),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Writes a reason as comment lines, wrapped between words. A longer word is cut, because what a server reads past
/// its line limit would no longer be a comment.
fn write_comment(text: &mut String, reason: &str) {
    let width = COMMENT_CHARS - 2;
    let mut line = String::new();
    let mut flush = |line: &mut String| {
        if !line.is_empty() {
            let _ = writeln!(text, "# {line}");
            line.clear();
        }
    };
    for paragraph in reason.split(['\n', '\r']) {
        for word in paragraph.split_whitespace() {
            let chars: Vec<char> = word.chars().collect();
            for piece in chars.chunks(width) {
                if line.chars().count() + 1 + piece.len() > width {
                    flush(&mut line);
                }
                if !line.is_empty() {
                    line.push(' ');
                }
                line.extend(piece);
            }
        }
        flush(&mut line);
    }
}

#[cfg(test)]
mod tests;
