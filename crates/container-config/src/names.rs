//! Names of containers: what may be one, and names for those that were given none.

use rand::Rng;
use rand::seq::IndexedRandom;

use crate::Error;

const ADJECTIVES: &[&str] = &[
    "agile", "amber", "bold", "brave", "bright", "brisk", "calm", "candid", "careful", "cheerful", "clever",
    "cosy", "crisp", "curious", "daring", "eager", "earnest", "fair", "fluent", "fond", "frank", "fresh",
    "gentle", "glad", "golden", "graceful", "hardy", "hearty", "honest", "humble", "jolly", "keen", "kind",
    "lively", "loyal", "lucid", "mellow", "merry", "mild", "modest", "neat", "nimble", "noble", "patient",
    "placid", "plucky", "polite", "proud", "quick", "quiet", "ready", "robust", "serene", "sharp", "silent",
    "sincere", "smart", "snug", "sober", "steady", "sturdy", "sunny", "swift", "tidy", "tranquil", "upbeat",
    "valiant", "vivid", "warm", "wise", "witty", "zesty",
];
const SURNAMES: &[&str] = &[
    "abel",
    "agnesi",
    "ampere",
    "babbage",
    "banneker",
    "bessel",
    "boole",
    "brahe",
    "braun",
    "cantor",
    "carson",
    "cavendish",
    "celsius",
    "chandra",
    "clarke",
    "copernicus",
    "coulomb",
    "cray",
    "curie",
    "daimler",
    "darwin",
    "descartes",
    "diesel",
    "dijkstra",
    "einstein",
    "elion",
    "erdos",
    "euclid",
    "euler",
    "faraday",
    "fermat",
    "fermi",
    "feynman",
    "fourier",
    "franklin",
    "galilei",
    "galois",
    "gauss",
    "germain",
    "goedel",
    "haber",
    "hamilton",
    "herschel",
    "hertz",
    "hilbert",
    "hopper",
    "hubble",
    "huygens",
    "hypatia",
    "jacobi",
    "joule",
    "kepler",
    "knuth",
    "kovalevskaya",
    "lagrange",
    "laplace",
    "leavitt",
    "leibniz",
    "linnaeus",
    "lovelace",
    "maxwell",
    "meitner",
    "mendel",
    "mirzakhani",
    "morse",
    "napier",
    "newton",
    "nobel",
    "noether",
    "ohm",
    "pascal",
    "pasteur",
    "payne",
    "planck",
    "poincare",
    "ramanujan",
    "riemann",
    "ritchie",
    "rubin",
    "shannon",
    "somerville",
    "tesla",
    "torvalds",
    "turing",
    "volta",
    "watt",
    "wiles",
    "yalow",
    "zuse",
];
/// With this many tries in vain nearly all names are taken, and a number is added.
const TRIES_MAX: usize = 6;

/// Returns a name such as `calm_noether` that `is_free`.
pub fn random(rng: &mut impl Rng, is_free: impl Fn(&str) -> bool) -> String {
    let mut tries = 0;
    loop {
        let adjective = ADJECTIVES.choose(rng).unwrap_or(&"plain");
        let surname = SURNAMES.choose(rng).unwrap_or(&"name");
        let mut name = format!("{adjective}_{surname}");
        if tries >= TRIES_MAX {
            name = format!("{name}{}", rng.random_range(0..1_000_000));
        }
        if is_free(&name) {
            return name;
        }
        tries += 1;
    }
}

/// Returns the name without its slash, or refuses what cannot be one.
pub fn checked(name: &str) -> Result<&str, Error> {
    let bare = name.strip_prefix('/').unwrap_or(name);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let begins_well = bare.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins_well && bare.len() > 1 && bare.chars().all(is_plain) {
        return Ok(bare);
    }
    Err(Error::invalid(format!(
        "Invalid container name ({bare}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    )))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn names_follow_dockers_rule() {
        for (name, is_good) in [
            ("web", true),
            ("/web", true),
            ("Web_1.x-y", true),
            ("1a", true),
            ("a", false),
            ("", false),
            ("/", false),
            ("_web", false),
            (".web", false),
            ("we b", false),
            ("we/b", false),
            ("wéb", false),
        ] {
            assert_eq!(checked(name).is_ok(), is_good, "{name:?}");
        }
        assert_eq!(
            checked("-x").unwrap_err().text(),
            "Invalid container name (-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        );
    }

    #[test]
    fn random_names_are_good_and_free() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut taken = std::collections::BTreeSet::new();

        for _ in 0..20_000 {
            let name = random(&mut rng, |name| !taken.contains(name));

            assert!(checked(&name).is_ok(), "{name}");
            assert!(taken.insert(name));
        }
    }
}
