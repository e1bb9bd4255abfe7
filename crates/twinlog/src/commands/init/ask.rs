//! Questions at the terminal, each with a default.

use std::io::BufRead;

use crate::output::tell;

/// Asks, or takes the defaults where there is nobody to ask.
pub(super) struct Asker<'a> {
    input: Option<&'a mut dyn BufRead>,
}

impl<'a> Asker<'a> {
    /// `None` takes every default.
    pub(super) fn new(input: Option<&'a mut dyn BufRead>) -> Self {
        Self { input }
    }

    /// Whether there is somebody to ask.
    pub(super) fn asks(&self) -> bool {
        self.input.is_some()
    }

    /// Asks until the answer can be read; an empty line, or the end of the input, is the default.
    pub(super) fn ask<T>(
        &mut self,
        question: &str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        while let Some(input) = self.input.as_mut() {
            tell(&match default {
                "" => question.to_owned(),
                default => format!("{question} [{default}]"),
            });
            let mut line = String::new();
            if !matches!(input.read_line(&mut line), Ok(length) if length > 0) {
                self.input = None;
                break;
            }
            let answer = line.trim();
            match read(if answer.is_empty() { default } else { answer }) {
                Ok(value) => return Ok(value),
                Err(why) => tell(&format!("not that: {why}")),
            }
        }
        read(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Result<u16, String> {
        text.parse().map_err(|_| "a number".into())
    }

    #[test]
    fn it_asks_until_it_understands() {
        let mut input = "many\n 7 \n\n".as_bytes();
        let mut asker = Asker::new(Some(&mut input));
        assert_eq!(asker.ask("how many?", "3", number), Ok(7));
        assert_eq!(asker.ask("how many?", "3", number), Ok(3));
        assert_eq!(asker.ask("after the end?", "4", number), Ok(4));
        assert!(!asker.asks());
    }

    #[test]
    fn with_nobody_to_ask_the_default_stands() {
        assert_eq!(Asker::new(None).ask("how many?", "3", number), Ok(3));
        assert!(Asker::new(None).ask("how many?", "", number).is_err());
    }
}
