//! JSON as Go's encoder prints it.

use serde::Serialize;

/// Prints on one line, with `<`, `>` and `&` escaped as Go does.
pub fn compact(value: &impl Serialize) -> String {
    escape(serde_json::to_string(value).expect("values from the API are always JSON"))
}

/// Sets JSON on several lines with Docker's four spaces, keeping the order of fields.
pub fn indent(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0;
    let (mut in_string, mut escaped) = (false, false);
    let mut chars = json.chars().peekable();
    let new_line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"    ".repeat(depth));
    };
    while let Some(c) = chars.next() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            c if c.is_ascii_whitespace() => {}
            '{' | '[' => {
                out.push(c);
                while chars.next_if(char::is_ascii_whitespace).is_some() {}
                match chars.next_if(|next| matches!(next, '}' | ']')) {
                    Some(close) => out.push(close),
                    None => {
                        depth += 1;
                        new_line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    out
}

/// These three stand only inside strings, so that replacing them everywhere is right.
fn escape(text: String) -> String {
    if !text.contains(['<', '>', '&']) {
        return text;
    }
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indenting_keeps_order_and_strings() {
        let shown = indent(r#"[{"b":1, "a":"x{,}\" :y","e":[ ],"o":{}},{}]"#);

        assert_eq!(
            shown,
            "[\n    {\n        \"b\": 1,\n        \"a\": \"x{,}\\\" :y\",\n        \"e\": [],\n        \"o\": {}\n    },\n    {}\n]"
        );
    }
}
