//! Names of services and networks, as Swarm allows them.

use crate::Invalid;

/// How long a service's or network's name may be.
const LENGTH_MAX: usize = 63;

/// Checks a service's or network's name: letters and digits, with `-` and `_` inside, at most 63 characters.
pub fn check_name(name: &str) -> Result<(), Invalid> {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !edge(name.bytes().next()) || !edge(name.bytes().last()) || !name.bytes().all(inside) {
        return Err(Invalid::because(format!(
            "invalid name {name:?}: only letters, digits, '-' and '_' are allowed, and it starts and ends with a letter or digit"
        )));
    }
    if name.len() > LENGTH_MAX {
        return Err(Invalid::because(format!(
            "name must be {LENGTH_MAX} characters or fewer, {name:?} has {}",
            name.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_swarm() {
        for good in ["web", "a", "a-b", "a__b", "Web1", "1web"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "-web", "web-", "_a", "a.b", "a b", "naïve"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name(&"a".repeat(63)).is_ok());
        assert!(check_name(&"a".repeat(64)).is_err());
    }
}
