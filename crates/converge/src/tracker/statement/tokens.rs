//! A statement's text as words and signs.

/// A part of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A word without quotes.
    Word(String),
    /// An identifier (or a string) in quotes.
    Quoted(String),
    /// Anything else.
    Sign(char),
}

impl Token {
    /// Whether it is this word, in any case.
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text.eq_ignore_ascii_case(word))
    }

    /// Whether it is one of these.
    pub(super) fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }
}

/// The words of a statement without its comments. What MySQL runs of a comment (`/*!50003 … */`) counts.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        let rest = &text[at..];
        let skip_to = |end: usize, chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>| {
            while chars.peek().is_some_and(|&(next, _)| next < at + end) {
                chars.next();
            }
        };
        if rest.starts_with("/*!") || rest.starts_with("/*M!") {
            let digits = rest.trim_start_matches(['/', '*', 'M', '!']);
            let version = digits.len()
                - digits
                    .trim_start_matches(|c: char| c.is_ascii_digit())
                    .len();
            skip_to(rest.len() - digits.len() + version, &mut chars);
        } else if rest.starts_with("*/") {
            chars.next();
        } else if rest.starts_with("/*") {
            skip_to(
                rest.find("*/").map_or(rest.len(), |end| end + 2),
                &mut chars,
            );
        } else if char == '#' || rest.starts_with("-- ") || rest.starts_with("--\n") {
            skip_to(rest.find('\n').unwrap_or(rest.len()), &mut chars);
        } else if matches!(char, '`' | '"' | '\'') {
            let mut quoted = String::new();
            while let Some((_, next)) = chars.next() {
                if next == '\\' && char != '`' {
                    quoted.extend(chars.next().map(|(_, escaped)| escaped));
                } else if next != char {
                    quoted.push(next);
                } else if chars.next_if(|&(_, after)| after == char).is_some() {
                    quoted.push(char);
                } else {
                    break;
                }
            }
            tokens.push(Token::Quoted(quoted));
        } else if is_word(char) {
            let word: String = rest.chars().take_while(|&next| is_word(next)).collect();
            skip_to(word.len(), &mut chars);
            tokens.push(Token::Word(word));
        } else if !char.is_whitespace() {
            tokens.push(Token::Sign(char));
        }
    }
    tokens
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '$')
}
