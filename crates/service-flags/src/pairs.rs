//! Values of flags that are pairs of some kind.

use engine_json::{DiscreteResource, GenericResource, NetworkAttachmentConfig, Ulimit};
use flags::text::{commas, pair};
use flags::{Invalid, Result, refuse};

/// Looks up a variable in the environment of whoever gives the flags.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads `KEY=VALUE` or `KEY`, which must have a name.
pub(crate) fn variable(text: &str) -> Result<String> {
    if text.is_empty() || text.starts_with('=') {
        return refuse(format!("invalid environment variable: {text}"));
    }
    Ok(text.to_owned())
}

/// Completes a variable without a value by the one it has in `environment`, if it has one there.
pub(crate) fn completed(variable: &str, environment: Environment<'_>) -> String {
    let value = if variable.contains('=') { None } else { environment(variable) };
    value.map_or_else(|| variable.to_owned(), |value| format!("{variable}={value}"))
}

/// Reads a file of `KEY=VALUE` lines; empty lines and those that begin with `#` do not count.
pub(crate) fn variables(path: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Invalid::because(format!("read environment file {path}: {error}")))?;
    let lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(variable).collect()
}

/// Returns the name of a variable.
pub(crate) fn name_of(variable: &str) -> &str {
    variable.split('=').next().unwrap_or_default()
}

/// Puts a variable into a list, in place of one of the same name.
pub(crate) fn set_variable(list: &mut Vec<String>, variable: String) {
    match list.iter_mut().find(|known| name_of(known) == name_of(&variable)) {
        Some(known) => *known = variable,
        None => list.push(variable),
    }
}

/// Reads `HOST:ADDRESS` into a line of `/etc/hosts`.
pub(crate) fn host(text: &str) -> Result<String> {
    let at = text
        .find([':', '='])
        .ok_or_else(|| Invalid::because(format!("bad format for add-host: {text:?}")))?;
    let (name, address) = (&text[..at], text[at + 1..].trim_matches(['[', ']']));
    if name.is_empty() || address.parse::<std::net::IpAddr>().is_err() {
        return refuse(format!("invalid IP address in add-host: {address:?}: expected HOST:ADDRESS"));
    }
    Ok(format!("{address} {name}"))
}

/// Reads `NAME=SOFT[:HARD]`.
pub(crate) fn ulimit(text: &str) -> Result<Ulimit> {
    let wrong = || Invalid::because(format!("invalid ulimit argument: {text}: expected NAME=SOFT[:HARD]"));
    let (name, limits) = text.split_once('=').ok_or_else(wrong)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let (soft, hard) = (soft.parse().map_err(|_| wrong())?, hard.parse().map_err(|_| wrong())?);
    if hard != -1 && (soft > hard || soft == -1) {
        return refuse(format!(
            "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        ));
    }
    Ok(Ulimit { name: name.to_owned(), hard, soft })
}

/// Reads `KIND=COUNT`.
pub(crate) fn generic_resource(text: &str) -> Result<GenericResource> {
    let (kind, value) = text.split_once('=').ok_or_else(|| {
        Invalid::because(format!("invalid generic-resource request `{text}`, expected KIND=COUNT"))
    })?;
    let value = value.parse().map_err(|_| {
        Invalid::because(format!(
            "invalid generic-resource request `{text}`, Named Generic Resources is not supported for service create or update"
        ))
    })?;
    let discrete = DiscreteResource { kind: kind.to_owned(), value };
    Ok(GenericResource { named_resource_spec: None, discrete_resource_spec: Some(discrete) })
}

/// Returns the kind of a counted or named resource.
pub(crate) fn kind_of(resource: &GenericResource) -> &str {
    let discrete = resource.discrete_resource_spec.as_ref().map(|discrete| discrete.kind.as_str());
    let named = resource.named_resource_spec.as_ref().map(|named| named.kind.as_str());
    discrete.or(named).unwrap_or_default()
}

/// Reads `spread=LABEL`.
pub(crate) fn spread(text: &str) -> Result<String> {
    match text.split_once('=') {
        Some((strategy, label)) if strategy.eq_ignore_ascii_case("spread") && !label.is_empty() => {
            Ok(label.to_owned())
        }
        Some((strategy, _)) if !strategy.eq_ignore_ascii_case("spread") => {
            refuse(format!("unsupported placement preference {strategy} (only spread is supported)"))
        }
        _ => refuse("placement preference must be of the format \"<strategy>=<arg>\""),
    }
}

/// Reads a network's name, or `name=,alias=,driver-opt=`.
pub(crate) fn network(text: &str) -> Result<NetworkAttachmentConfig> {
    let mut network = NetworkAttachmentConfig::default();
    if !text.contains('=') {
        network.target = text.to_owned();
        return Ok(network);
    }
    for field in commas(text)? {
        match field.split_once('=') {
            Some(("name", value)) => network.target = value.to_owned(),
            Some(("alias", value)) => network.aliases.push(value.to_owned()),
            Some(("driver-opt", value)) => {
                let (key, value) = pair(value);
                network.driver_opts.insert(key, value);
            }
            Some((key, _)) => return refuse(format!("invalid field key {key} in --network {text}")),
            None => return refuse(format!("invalid field {field} in --network {text}")),
        }
    }
    if network.target.is_empty() {
        return refuse(format!("network name/id is not specified in --network {text}"));
    }
    Ok(network)
}

/// Reads a number of CPUs as billionths.
pub(crate) fn cpus(text: &str) -> Result<i64> {
    let wrong = || Invalid::because(format!("failed to parse {text:?} as a number of CPUs such as 0.5"));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 {
        return refuse(format!("value is too precise: {text}"));
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return Err(wrong());
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| wrong())? };
    let fraction: i64 = format!("{fraction:0<9}").parse().map_err(|_| wrong())?;
    whole.checked_mul(1_000_000_000).and_then(|whole| whole.checked_add(fraction)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_in_docker() {
        assert_eq!(cpus(".5").unwrap(), 500_000_000);
        assert_eq!(cpus("2").unwrap(), 2_000_000_000);
        assert_eq!(host("a:1.2.3.4").unwrap(), "1.2.3.4 a");
        assert_eq!(host("a:::1").unwrap(), "::1 a");
        assert_eq!(spread("spread=node.labels.rack").unwrap(), "node.labels.rack");
        assert_eq!(ulimit("nofile=10:20").unwrap(), Ulimit { name: "nofile".into(), hard: 20, soft: 10 });
        let net = network("name=foo,alias=x,driver-opt=a=b").unwrap();
        assert_eq!((net.target.as_str(), net.aliases.len(), net.driver_opts.len()), ("foo", 1, 1));
        let mut list = vec!["A=1".to_owned(), "B=2".to_owned()];
        set_variable(&mut list, "A=3".into());
        assert_eq!(list, ["A=3", "B=2"]);
        let environment: Environment = &|name| (name == "A").then(|| "x=y".into());
        let complete = |text| completed(text, environment);
        assert_eq!(["A", "A=", "B"].map(complete), ["A=x=y", "A=", "B"]);
    }

    #[test]
    fn mistakes_are_refused() {
        assert!(
            cpus("x").is_err() && cpus("").is_err() && cpus("-1").is_err() && cpus("0.0000000001").is_err()
        );
        assert!(host("a").is_err() && host("a:b").is_err() && host(":1.2.3.4").is_err());
        assert!(ulimit("nofile").is_err() && ulimit("nofile=5:4").is_err());
        assert!(spread("binpack=x").is_err() && spread("spread").is_err());
        assert!(network("alias=x").is_err() && network("name=a,x=y").is_err());
        assert!(generic_resource("fpga=UUID").unwrap_err().to_string().contains("Named Generic Resources"));
        assert!(variable("=x").is_err());
    }
}
