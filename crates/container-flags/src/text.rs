//! Small texts that several flags are made of.

use flags::{Invalid, Result, refuse};

/// Reads a whole number as Go does.
pub(crate) fn number(text: &str) -> Result<i64> {
    text.parse().map_err(|_| Invalid::because(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))
}

/// Reads a number of CPUs as billionths.
pub(crate) fn cpus(text: &str) -> Result<i64> {
    let wrong = || Invalid::because(format!("failed to parse {text} as a rational number"));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return Err(wrong());
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 9 {
        return refuse("value is too precise");
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| wrong())? };
    let fraction: i64 = format!("{fraction:0<9}").parse().map_err(|_| wrong())?;
    whole.checked_mul(1_000_000_000).and_then(|whole| whole.checked_add(fraction)).ok_or_else(wrong)
}

/// Reads `KEY=VALUE` or `KEY`, which must have a name.
pub(crate) fn variable(text: &str) -> Result<String> {
    if text.is_empty() || text.starts_with('=') {
        return refuse(format!("invalid environment variable: {text}"));
    }
    Ok(text.to_owned())
}

/// Reads `KEY=VALUE` or `KEY`, which must have a name.
pub(crate) fn label(text: &str) -> Result<String> {
    if text.is_empty() || text.starts_with('=') {
        return refuse(format!("invalid label '{text}': empty name"));
    }
    Ok(text.to_owned())
}

/// Reads the address of a resolver.
pub(crate) fn address(text: &str) -> Result<String> {
    match text.trim().parse::<std::net::IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => refuse(format!("IP address is not correctly formatted: {text}")),
    }
}

/// Reads a search domain; a dot alone stands for none.
pub(crate) fn domain(text: &str) -> Result<String> {
    let trimmed = text.trim();
    if trimmed == "." {
        return Ok(trimmed.to_owned());
    }
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(inner)
    };
    let name = trimmed.strip_suffix('.').unwrap_or(trimmed);
    if name.len() < 255 && name.split('.').all(is_label) {
        Ok(trimmed.to_owned())
    } else {
        refuse(format!("{text} is not a valid domain"))
    }
}

/// Reads `HOST:ADDRESS` or `HOST=ADDRESS` into `HOST:ADDRESS`; the address may be `host-gateway`.
pub(crate) fn host(text: &str) -> Result<String> {
    let wrong = || Invalid::because(format!("bad format for add-host: {text:?}"));
    let at = text.find('=').or_else(|| text.find(':')).ok_or_else(wrong)?;
    let (name, address) = (text[..at].trim(), text[at + 1..].trim());
    if name.is_empty() || address.is_empty() {
        return Err(wrong());
    }
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    if bare != "host-gateway" && bare.parse::<std::net::IpAddr>().is_err() {
        return refuse(format!("invalid IP address in add-host: {address:?}"));
    }
    Ok(format!("{name}:{bare}"))
}

/// Reads `NAME[:ALIAS]`.
pub(crate) fn link(text: &str) -> Result<String> {
    if text.is_empty() {
        return refuse("empty string specified for links");
    }
    if text.split(':').count() > 2 {
        return refuse(format!("bad format for links: {text}"));
    }
    Ok(text.to_owned())
}

/// Kernel parameters that belong to a container's namespaces.
const SYSCTLS: [&str; 9] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
    "kernel.domainname",
];

/// Reads a kernel parameter of a container's namespaces.
pub(crate) fn sysctl(text: &str) -> Result<String> {
    let name = text.split('=').next().unwrap_or_default();
    let is_allowed = SYSCTLS.contains(&name) || name.starts_with("net.") || name.starts_with("fs.mqueue.");
    if text.contains('=') && is_allowed {
        return Ok(text.to_owned());
    }
    refuse(format!("sysctl '{text}' is not allowed"))
}
