//! Go templates as far as `--format` needs them, over JSON values.
//!
//! Actions, pipelines, variables, `if`, `with`, `range`, comments and trim markers, the builtin functions and those
//! the docker CLI adds. Keys of maps come in order, so that output is always the same.

mod evaluate;
mod function;
mod lexer;
mod parser;

use serde_json::Value;

/// A parsed template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    nodes: Vec<Node>,
    missing: Missing,
}

/// What a field that does not exist is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// A mistake of the template's author.
    Refused,
    /// Empty: the API leaves empty fields out of its JSON.
    Empty,
}

/// A template that cannot be parsed or applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template parsing error: {0}")]
pub struct Error(String);

impl Error {
    fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl Template {
    /// Parses a template.
    pub(crate) fn parse(text: &str, missing: Missing) -> Result<Self, Error> {
        Ok(Self { nodes: parser::parse(lexer::lex(text)?)?, missing })
    }

    /// Applies it to a value.
    pub(crate) fn render(&self, value: &Value) -> Result<String, Error> {
        evaluate::render(&self.nodes, value, self.missing)
    }
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Text(String),
    Print(Pipe),
    If { pipe: Pipe, then: Vec<Node>, otherwise: Vec<Node> },
    With { pipe: Pipe, then: Vec<Node>, otherwise: Vec<Node> },
    Range { pipe: Pipe, body: Vec<Node>, otherwise: Vec<Node> },
}

/// Commands, each of which gets the former's result as its last argument.
#[derive(Debug, Clone, PartialEq)]
struct Pipe {
    variables: Vec<String>,
    /// Whether the variables are made here, or were made before.
    declares: bool,
    commands: Vec<Vec<Operand>>,
}

/// A word of a command.
#[derive(Debug, Clone, PartialEq)]
struct Operand {
    base: Base,
    fields: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Base {
    Dot,
    Constant(Value),
    Variable(String),
    Function(String),
    Group(Box<Pipe>),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(text: &str) -> Result<String, Error> {
        let value = json!({
            "Name": "web", "N": 3, "Ratio": 0.5, "Yes": true, "No": false, "List": ["a", "b"], "None": [],
            "Map": {"b": "2", "a": "1", "x.y": "dotted"}, "Deep": {"List": [{"V": 1}, {"V": 2}]}, "Null": null,
            "Text": "a<b>", "Error": ""
        });
        Template::parse(text, Missing::Empty)?.render(&value)
    }

    #[test]
    fn templates_give_what_go_gives() {
        for (text, expected) in [
            ("plain", "plain"),
            ("{{.Name}}", "web"),
            ("{{ .Name }}-{{.N}}-{{.Ratio}}-{{.Yes}}", "web-3-0.5-true"),
            ("{{.Nope}}|{{.Null}}|{{.Map.nope}}", "<no value>|<no value>|<no value>"),
            ("{{.List}} {{.Map}} {{.None}}", "[a b] map[a:1 b:2 x.y:dotted] []"),
            ("{{json .Map}} {{json .Text}}", r#"{"a":"1","b":"2","x.y":"dotted"} "a\u003cb\u003e""#),
            ("{{index .Map \"x.y\"}} {{index .List 1}} {{index .Deep.List 1 \"V\"}}", "dotted b 2"),
            ("{{range .List}}<{{.}}>{{end}}", "<a><b>"),
            ("{{range $i, $v := .List}}{{$i}}={{$v}} {{end}}", "0=a 1=b "),
            ("{{range $k, $v := .Map}}{{$k}}:{{$v}};{{end}}", "a:1;b:2;x.y:dotted;"),
            ("{{range .None}}x{{else}}empty{{end}}", "empty"),
            ("{{range .Deep.List}}{{.V}}{{$.Name}}{{end}}", "1web2web"),
            ("{{if .Yes}}y{{else}}n{{end}}{{if .No}}y{{else}}n{{end}}", "yn"),
            ("{{if .No}}a{{else if eq .N 3}}b{{else}}c{{end}}", "b"),
            ("{{if and .Yes (not .No) (gt .N 2)}}ok{{end}}", "ok"),
            ("{{with .Map}}{{.a}}{{end}}{{with .Error}}x{{else}}none{{end}}", "1none"),
            ("{{with $x := .Name}}{{$x}}{{end}}", "web"),
            ("{{$x := .Name}}{{$x | upper}}{{$x = \"z\"}}{{$x}}", "WEBz"),
            ("{{upper .Name}} {{.Name | title}} {{lower \"ABC\"}}", "WEB Web abc"),
            ("{{join .List \", \"}} {{split \"a:b\" \":\"}} {{truncate .Name 2}}", "a, b [a b] we"),
            ("{{pad .Name 2 1}}|", "  web |"),
            ("{{println .Name}}{{print 1 2 \"x\"}}", "web\n1 2x"),
            (
                "{{printf \"%s=%d %v %q %5s|%-5s| %.2f %%\" .Name .N .List .Name .Name .Name .Ratio}}",
                "web=3 [a b] \"web\"   web|web  | 0.50 %",
            ),
            ("{{len .List}} {{len .Map}} {{len .Name}}", "2 3 3"),
            ("a {{- .Name -}} b{{/* no */}}", "awebb"),
            ("{{(index .Deep.List 0).V}}", "1"),
            ("{{or .Error .Name}} {{and .Name .Error}}|", "web |"),
            (
                "{{ne .Name \"x\"}} {{lt 1 2}} {{le 2 2}} {{ge 1 2}} {{eq .Name \"a\" \"web\"}}",
                "true true true false true",
            ),
            ("{{`raw \\n`}}{{\"\\t\"}}{{'a'}}", "raw \\n\t97"),
            ("{{slice .Name 1}} {{slice .List 0 1}}", "eb [a]"),
        ] {
            assert_eq!(render(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (text, says) in [
            ("{{.Name", "unclosed action"),
            ("{{if .Yes}}", "unexpected EOF"),
            ("{{end}}", "unexpected {{end}}"),
            ("{{nope .}}", "function \"nope\" not defined"),
            ("{{$x}}", "undefined variable"),
            ("{{.Name.Deep}}", "can't evaluate field Deep"),
            ("{{index .List 9}}", "out of range"),
            ("{{len .N}}", "len of"),
            ("{{}}", "missing value"),
            ("{{\"a}}", "unterminated"),
            ("{{range .Name}}{{end}}", "range can't iterate"),
            ("{{truncate .Name}}", "truncate"),
        ] {
            let error = render(text).unwrap_err().to_string();

            assert!(error.contains(says), "{text}: {error}");
        }
        let strict = Template::parse("{{.Nope}}", Missing::Refused).unwrap();
        assert!(strict.render(&json!({})).unwrap_err().to_string().contains("can't evaluate field Nope"));
    }
}
