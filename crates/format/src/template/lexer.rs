//! Cuts a template into texts and the words of its actions.

use serde_json::Value;

use super::Error;

/// A piece of a template's text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// Text outside of actions.
    Text(String),
    /// An action: what stands between the braces.
    Action(Vec<Word>),
}

/// A piece of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// A number, a string, a character or a boolean.
    Constant(Value),
    /// `name`
    Name(String),
    /// `$name`
    Variable(String),
    /// `.`
    Dot,
    /// `.name`, and whether it follows the word before without a space.
    Field { name: String, attached: bool },
    /// `|`
    Pipe,
    /// `,`
    Comma,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// `(`
    Open,
    /// `)`
    Close,
}

/// Cuts a template.
pub(super) fn lex(text: &str) -> Result<Vec<Token>, Error> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut trim_next = false;
    while let Some(start) = rest.find("{{") {
        let (before, action) = (&rest[..start], &rest[start + 2..]);
        let trims_before = action.starts_with("- ") || action.starts_with("-\n");
        push_text(&mut tokens, before, trim_next, trims_before);
        let action = if trims_before { &action[1..] } else { action };
        let end = find_end(action)?;
        let inside = &action[..end];
        trim_next = inside.ends_with(" -") || inside.ends_with("\n-");
        let inside = if trim_next { &inside[..inside.len() - 1] } else { inside };
        if !inside.trim().starts_with("/*") {
            tokens.push(Token::Action(words(inside)?));
        }
        rest = &action[end + 2..];
    }
    push_text(&mut tokens, rest, trim_next, false);
    Ok(tokens)
}

fn push_text(tokens: &mut Vec<Token>, text: &str, trim_start: bool, trim_end: bool) {
    let text = if trim_start { text.trim_start() } else { text };
    let text = if trim_end { text.trim_end() } else { text };
    if !text.is_empty() {
        tokens.push(Token::Text(text.to_owned()));
    }
}

/// Finds the closing braces, which may stand inside a string without closing anything.
fn find_end(action: &str) -> Result<usize, Error> {
    if action.trim_start().starts_with("/*") {
        let comment = action.find("*/").ok_or_else(|| Error::because("unclosed comment"))?;
        return action[comment..]
            .find("}}")
            .map(|end| comment + end)
            .ok_or_else(|| Error::because("unclosed action"));
    }
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in action.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(mark) if c == '\\' && mark != '`' => escaped = true,
            Some(mark) if c == mark => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '`' | '\'') => quote = Some(c),
            None if action[at..].starts_with("}}") => return Ok(at),
            None => {}
        }
    }
    Err(Error::because(if quote.is_some() { "unterminated quoted string" } else { "unclosed action" }))
}

fn words(action: &str) -> Result<Vec<Word>, Error> {
    let mut words = Vec::new();
    let mut rest = action;
    let mut attached = false;
    while let Some(c) = rest.chars().next() {
        let (word, length) = match c {
            c if c.is_whitespace() => {
                attached = false;
                rest = &rest[c.len_utf8()..];
                continue;
            }
            '|' => (Word::Pipe, 1),
            ',' => (Word::Comma, 1),
            '(' => (Word::Open, 1),
            ')' => (Word::Close, 1),
            ':' if rest.starts_with(":=") => (Word::Declare, 2),
            '=' => (Word::Assign, 1),
            '"' | '`' | '\'' => quoted(rest, c)?,
            '$' => {
                let name = name_at(&rest[1..]);
                (Word::Variable(name.to_owned()), 1 + name.len())
            }
            '.' => {
                let name = name_at(&rest[1..]);
                match name {
                    "" => (Word::Dot, 1),
                    name => (Word::Field { name: name.to_owned(), attached }, 1 + name.len()),
                }
            }
            '-' | '+' | '0'..='9' => number(rest)?,
            c if is_name(c) => {
                let name = name_at(rest);
                let word = match name {
                    "true" => Word::Constant(Value::Bool(true)),
                    "false" => Word::Constant(Value::Bool(false)),
                    "nil" => Word::Constant(Value::Null),
                    name => Word::Name(name.to_owned()),
                };
                (word, name.len())
            }
            other => return Err(Error::because(format!("unexpected {other:?} in action"))),
        };
        words.push(word);
        rest = &rest[length..];
        attached = true;
    }
    Ok(words)
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn name_at(text: &str) -> &str {
    &text[..text.find(|c| !is_name(c)).unwrap_or(text.len())]
}

fn number(text: &str) -> Result<(Word, usize), Error> {
    let digits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    let length = text.find(|c| !digits(c)).unwrap_or(text.len());
    let written = &text[..length];
    let plain = written.trim_start_matches('+');
    let value = plain
        .parse::<i64>()
        .map(Value::from)
        .or_else(|_| plain.parse::<f64>().map(Value::from))
        .map_err(|_| Error::because(format!("bad number syntax: {written:?}")))?;
    Ok((Word::Constant(value), length))
}

fn quoted(text: &str, mark: char) -> Result<(Word, usize), Error> {
    let mut content = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == mark {
            let value = match mark {
                '\'' => Value::from(content.chars().next().map_or(0, u32::from)),
                _ => Value::from(content),
            };
            return Ok((Word::Constant(value), at + 1));
        }
        if c != '\\' || mark == '`' {
            content.push(c);
            continue;
        }
        let Some((_, escape)) = chars.next() else { break };
        content.push(match escape {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            other => other,
        });
    }
    Err(Error::because("unterminated quoted string"))
}
