//! Builds the tree of a template from its tokens.

use super::lexer::{Token, Word};
use super::{Base, Error, Node, Operand, Pipe};

/// Builds the tree.
pub(super) fn parse(tokens: Vec<Token>) -> Result<Vec<Node>, Error> {
    let mut tokens = tokens.into_iter();
    let (nodes, stop) = block(&mut tokens)?;
    match stop {
        None => Ok(nodes),
        Some(Stop::End) => Err(Error::because("unexpected {{end}}")),
        Some(Stop::Else(_)) => Err(Error::because("unexpected {{else}}")),
    }
}

/// What ends a block; `else` may carry another condition.
enum Stop {
    End,
    Else(Vec<Word>),
}

fn block(tokens: &mut std::vec::IntoIter<Token>) -> Result<(Vec<Node>, Option<Stop>), Error> {
    let mut nodes = Vec::new();
    while let Some(token) = tokens.next() {
        let words = match token {
            Token::Text(text) => {
                nodes.push(Node::Text(text));
                continue;
            }
            Token::Action(words) => words,
        };
        let keyword = match words.first() {
            Some(Word::Name(name)) => name.clone(),
            Some(_) => String::new(),
            None => return Err(Error::because("missing value for command")),
        };
        match keyword.as_str() {
            "end" => return Ok((nodes, Some(Stop::End))),
            "else" => return Ok((nodes, Some(Stop::Else(words[1..].to_vec())))),
            "if" | "with" | "range" => nodes.push(branch(&keyword, &words[1..], tokens)?),
            "define" | "template" | "block" | "break" | "continue" => {
                return Err(Error::because(format!("{{{{{keyword}}}}} is not supported")));
            }
            _ => nodes.push(Node::Print(pipe(&words)?)),
        }
    }
    Ok((nodes, None))
}

fn branch(keyword: &str, words: &[Word], tokens: &mut std::vec::IntoIter<Token>) -> Result<Node, Error> {
    let pipe = pipe(words)?;
    let (then, stop) = block(tokens)?;
    let otherwise = match stop {
        None => return Err(Error::because("unexpected EOF")),
        Some(Stop::End) => Vec::new(),
        Some(Stop::Else(words)) => otherwise(&words, tokens)?,
    };
    Ok(match keyword {
        "if" => Node::If { pipe, then, otherwise },
        "with" => Node::With { pipe, then, otherwise },
        _ => Node::Range { pipe, body: then, otherwise },
    })
}

fn otherwise(words: &[Word], tokens: &mut std::vec::IntoIter<Token>) -> Result<Vec<Node>, Error> {
    match words {
        [] => {
            let (nodes, stop) = block(tokens)?;
            match stop {
                Some(Stop::End) => Ok(nodes),
                Some(Stop::Else(_)) => Err(Error::because("expected end; found {{else}}")),
                None => Err(Error::because("unexpected EOF")),
            }
        }
        [Word::Name(keyword), condition @ ..] if matches!(keyword.as_str(), "if" | "with") => {
            Ok(vec![branch(keyword, condition, tokens)?])
        }
        _ => Err(Error::because("unexpected words after {{else}}")),
    }
}

fn pipe(words: &[Word]) -> Result<Pipe, Error> {
    let mut cursor = Cursor { words, at: 0 };
    let pipe = cursor.pipe()?;
    match cursor.peek() {
        None => Ok(pipe),
        Some(_) => Err(Error::because("unexpected right parenthesis or word at the end of an action")),
    }
}

struct Cursor<'a> {
    words: &'a [Word],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<&Word> {
        self.words.get(self.at)
    }

    fn pipe(&mut self) -> Result<Pipe, Error> {
        let (variables, declares) = self.declaration();
        let mut commands = vec![self.command()?];
        while self.peek() == Some(&Word::Pipe) {
            self.at += 1;
            commands.push(self.command()?);
        }
        Ok(Pipe { variables, declares, commands })
    }

    fn declaration(&mut self) -> (Vec<String>, bool) {
        let rest = &self.words[self.at..];
        let (variables, operator, length) = match rest {
            [Word::Variable(a), operator @ (Word::Declare | Word::Assign), ..] => {
                (vec![a.clone()], operator, 2)
            }
            [
                Word::Variable(a),
                Word::Comma,
                Word::Variable(b),
                operator @ (Word::Declare | Word::Assign),
                ..,
            ] => (vec![a.clone(), b.clone()], operator, 4),
            _ => return (Vec::new(), false),
        };
        self.at += length;
        (variables, *operator == Word::Declare)
    }

    fn command(&mut self) -> Result<Vec<Operand>, Error> {
        let mut operands: Vec<Operand> = Vec::new();
        while let Some(word) = self.peek().cloned() {
            let base = match word {
                Word::Pipe | Word::Close => break,
                Word::Field { name, attached: true } if !operands.is_empty() => {
                    let last = operands.last_mut().expect("the guard says that there is one");
                    last.fields.push(name);
                    self.at += 1;
                    continue;
                }
                Word::Field { name, attached: _ } => {
                    self.at += 1;
                    operands.push(Operand { base: Base::Dot, fields: vec![name] });
                    continue;
                }
                Word::Constant(value) => Base::Constant(value),
                Word::Name(name) => Base::Function(name),
                Word::Variable(name) => Base::Variable(name),
                Word::Dot => Base::Dot,
                Word::Open => {
                    self.at += 1;
                    let inner = self.pipe()?;
                    if self.peek() != Some(&Word::Close) {
                        return Err(Error::because("unclosed left parenthesis"));
                    }
                    Base::Group(Box::new(inner))
                }
                Word::Comma | Word::Declare | Word::Assign => {
                    return Err(Error::because("unexpected sign in command"));
                }
            };
            self.at += 1;
            operands.push(Operand { base, fields: Vec::new() });
        }
        if operands.is_empty() { Err(Error::because("missing value for command")) } else { Ok(operands) }
    }
}
