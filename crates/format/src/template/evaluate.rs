//! Applies a template's tree to a value.

use serde_json::Value;

use super::function::{self, is_true, show};
use super::{Base, Error, Missing, Node, Operand, Pipe};

/// Applies the tree.
pub(super) fn render(nodes: &[Node], value: &Value, missing: Missing) -> Result<String, Error> {
    let mut run = Run { out: String::new(), variables: vec![(String::new(), value.clone())], missing };
    run.nodes(nodes, value)?;
    Ok(run.out)
}

struct Run {
    out: String,
    /// The innermost last; the variable without a name is the root, `$`.
    variables: Vec<(String, Value)>,
    missing: Missing,
}

impl Run {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<(), Error> {
        nodes.iter().try_for_each(|node| self.node(node, dot))
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<(), Error> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Print(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if pipe.variables.is_empty() {
                    self.out.push_str(&show(&value));
                }
            }
            Node::If { pipe, then, otherwise } => self.scoped(|run| {
                let value = run.pipe(pipe, dot)?;
                run.nodes(if is_true(&value) { then } else { otherwise }, dot)
            })?,
            Node::With { pipe, then, otherwise } => self.scoped(|run| {
                let value = run.pipe(pipe, dot)?;
                if is_true(&value) { run.nodes(then, &value) } else { run.nodes(otherwise, dot) }
            })?,
            Node::Range { pipe, body, otherwise } => {
                self.scoped(|run| run.range(pipe, body, otherwise, dot))?
            }
        }
        Ok(())
    }

    fn scoped(&mut self, run: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let outer = self.variables.len();
        let result = run(self);
        self.variables.truncate(outer);
        result
    }

    fn range(&mut self, pipe: &Pipe, body: &[Node], otherwise: &[Node], dot: &Value) -> Result<(), Error> {
        let over = self.commands(pipe, dot)?;
        let items: Vec<(Value, Value)> = match over {
            Value::Array(items) => {
                items.into_iter().enumerate().map(|(at, item)| (at.into(), item)).collect()
            }
            Value::Object(map) => map.into_iter().map(|(key, item)| (key.into(), item)).collect(),
            Value::Null => Vec::new(),
            other => return Err(Error::because(format!("range can't iterate over {}", show(&other)))),
        };
        if items.is_empty() {
            return self.nodes(otherwise, dot);
        }
        for (key, item) in items {
            self.scoped(|run| {
                match pipe.variables.as_slice() {
                    [] => {}
                    [value] => run.variables.push((value.clone(), item.clone())),
                    [first, second, ..] => {
                        run.variables.push((first.clone(), key));
                        run.variables.push((second.clone(), item.clone()));
                    }
                }
                run.nodes(body, &item)
            })?;
        }
        Ok(())
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Value) -> Result<Value, Error> {
        let value = self.commands(pipe, dot)?;
        for name in &pipe.variables {
            if pipe.declares {
                self.variables.push((name.clone(), value.clone()));
            } else {
                let known = self.variables.iter_mut().rev().find(|(known, _)| known == name);
                let Some((_, known)) = known else { return Err(undefined(name)) };
                *known = value.clone();
            }
        }
        Ok(value)
    }

    fn commands(&mut self, pipe: &Pipe, dot: &Value) -> Result<Value, Error> {
        let mut piped = None;
        for command in &pipe.commands {
            piped = Some(self.command(command, dot, piped)?);
        }
        Ok(piped.unwrap_or(Value::Null))
    }

    fn command(&mut self, operands: &[Operand], dot: &Value, piped: Option<Value>) -> Result<Value, Error> {
        let Some((first, arguments)) = operands.split_first() else { return Ok(Value::Null) };
        let Base::Function(name) = &first.base else {
            let value = self.operand(first, dot)?;
            return match (value, arguments, piped) {
                (value, [], None) => Ok(value),
                // A method that looks something up, such as `.Label "key"`.
                (Value::Object(map), [key], None) if !first.fields.is_empty() => {
                    let key = show(&self.operand(key, dot)?);
                    Ok(map.get(&key).cloned().unwrap_or_else(|| Value::from("")))
                }
                _ => Err(Error::because("can't give argument to non-function")),
            };
        };
        let mut values =
            arguments.iter().map(|operand| self.operand(operand, dot)).collect::<Result<Vec<_>, _>>()?;
        values.extend(piped);
        let result = function::call(name, values)?;
        self.fields(result, &first.fields)
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, Error> {
        let base = match &operand.base {
            Base::Dot => dot.clone(),
            Base::Constant(value) => value.clone(),
            Base::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                known.map(|(_, value)| value.clone()).ok_or_else(|| undefined(name))?
            }
            Base::Function(name) => function::call(name, Vec::new())?,
            Base::Group(pipe) => self.pipe(pipe, dot)?,
        };
        self.fields(base, &operand.fields)
    }

    fn fields(&self, mut value: Value, fields: &[String]) -> Result<Value, Error> {
        for field in fields {
            let unknown = || Error::because(format!("can't evaluate field {field}"));
            value = match (value, self.missing) {
                (Value::Object(mut map), missing) => match (map.remove(field), missing) {
                    (Some(value), _) => value,
                    (None, Missing::Empty) => Value::Null,
                    (None, Missing::Refused) => return Err(unknown()),
                },
                (Value::Null, Missing::Empty) => Value::Null,
                _ => return Err(unknown()),
            };
        }
        Ok(value)
    }
}

fn undefined(name: &str) -> Error {
    Error::because(format!("undefined variable \"${name}\""))
}
