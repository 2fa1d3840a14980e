//! Files of `KEY=VALUE` lines.

use flags::{Invalid, Result, refuse};

use crate::Surroundings;

/// Reads a file of variables; those without a value get the client's, or are left out.
pub(crate) fn variables(path: &str, surroundings: Surroundings<'_>) -> Result<Vec<String>> {
    let mut variables = Vec::new();
    for line in lines(path, "env file")? {
        match line.split_once('=') {
            Some((name, value)) => {
                variables.push(format!("{}={value}", checked(name, &line, path, "env file")?))
            }
            None => {
                let name = checked(&line, &line, path, "env file")?;
                if let Some(value) = (surroundings.variable)(name) {
                    variables.push(format!("{name}={value}"));
                }
            }
        }
    }
    Ok(variables)
}

/// Reads a file of labels; those without a value are left out, as in Docker.
pub(crate) fn labels(path: &str) -> Result<Vec<String>> {
    let mut labels = Vec::new();
    for line in lines(path, "label file")? {
        let name = checked(line.split('=').next().unwrap_or_default(), &line, path, "label file")?;
        if line.contains('=') {
            labels.push(format!("{name}{}", &line[line.find('=').unwrap_or(0)..]));
        }
    }
    Ok(labels)
}

/// Returns the lines of a file that say something.
fn lines(path: &str, kind: &str) -> Result<Vec<String>> {
    let bytes = std::fs::read(path).map_err(|error| open_error(path, &error))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Invalid::because(format!("invalid {kind} ({path}): it is not UTF-8")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines = text.lines().map(str::trim_start);
    Ok(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
}

fn checked<'a>(name: &'a str, line: &str, path: &str, kind: &str) -> Result<&'a str> {
    if name.is_empty() {
        return refuse(format!("invalid {kind} ({path}): no variable name on line '{line}'"));
    }
    if name.contains(char::is_whitespace) {
        return refuse(format!("invalid {kind} ({path}): variable '{name}' contains whitespaces"));
    }
    Ok(name)
}

/// Says why a file cannot be opened, as Go does.
pub(crate) fn open_error(path: &str, error: &std::io::Error) -> Invalid {
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    Invalid::because(format!("open {path}: {why}"))
}
