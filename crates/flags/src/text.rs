//! Small texts that several flags are made of.

use crate::{Result, refuse};

/// Reads a yes or no as Go does.
pub fn switch(text: &str) -> Result<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => refuse(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

/// Reads `KEY=VALUE` or `KEY`.
pub fn pair(text: &str) -> (String, String) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    (key.to_owned(), value.to_owned())
}

/// Cuts at commas, except inside double quotes, as Docker does in `key=value,key=value`.
pub fn commas(text: &str) -> Result<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    for c in text.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            c => fields.last_mut().expect("there is always a field being read").push(c),
        }
    }
    if is_quoted { refuse(format!("unterminated quote in {text:?}")) } else { Ok(fields) }
}

/// Writes a capability as the API has it: `net_admin` becomes `CAP_NET_ADMIN`.
pub fn capability(text: &str) -> String {
    let upper = text.trim().to_ascii_uppercase();
    if upper == "ALL" || upper == "RESET" || upper.starts_with("CAP_") {
        upper
    } else {
        format!("CAP_{upper}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_at_commas_outside_quotes() {
        assert_eq!(commas("a=1,\"b=2,3\",c").unwrap(), ["a=1", "b=2,3", "c"]);
        assert!(commas("\"a").is_err());
    }

    #[test]
    fn capabilities_are_written_as_the_api_has_them() {
        assert_eq!(capability("net_admin"), "CAP_NET_ADMIN");
        assert_eq!(capability(" all "), "ALL");
    }

    #[test]
    fn yes_and_no_are_read_as_in_go() {
        for (text, is_yes) in [("1", true), ("T", true), ("False", false), ("0", false)] {
            assert_eq!(switch(text), Ok(is_yes));
        }
        assert!(switch("yes").is_err());
    }
}
