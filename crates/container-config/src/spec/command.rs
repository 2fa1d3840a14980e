//! What runs in a container: the client's word, and the image's where it is silent.

use container::Signal;
use container_json::Config;
use engine_json::{Healthcheck, Nothing};
use image::ImageConfig;

use crate::{Error, health};

/// Returns the client's configuration with what the image says of everything it leaves open.
pub fn merge(mut config: Config, image: &ImageConfig) -> Result<Config, Error> {
    let or = |own: String, image: &String| if own.is_empty() { image.clone() } else { own };
    config.user = or(config.user, &image.user);
    config.working_dir = or(config.working_dir, &image.working_dir);
    config.stop_signal = or(config.stop_signal, &image.stop_signal);
    if config.shell.is_empty() {
        config.shell.clone_from(&image.shell);
    }
    // A program of the client's silences the image's arguments; an empty list of them does not.
    if config.entrypoint.as_ref().is_none_or(Vec::is_empty) {
        if config.cmd.as_ref().is_none_or(Vec::is_empty) {
            config.cmd.clone_from(&image.cmd);
        }
        if config.entrypoint.is_none() {
            config.entrypoint.clone_from(&image.entrypoint);
        }
    }
    if config.entrypoint.as_deref() == Some(&[String::new()]) {
        config.entrypoint = None;
    }
    if args(&config).is_empty() {
        return Err(Error::invalid("no command specified"));
    }
    for entry in &image.env {
        if !config.env.iter().any(|own| key(own) == key(entry)) {
            config.env.push(entry.clone());
        }
    }
    for (key, value) in &image.labels {
        config.labels.entry(key.clone()).or_insert_with(|| value.clone());
    }
    config.exposed_ports.extend(image.exposed_ports.iter().map(|port| (port.clone(), Nothing {})));
    config.volumes.extend(image.volumes.iter().map(|path| (path.clone(), Nothing {})));
    let of_image = image.healthcheck.as_ref().map(healthcheck);
    config.healthcheck = health::merge(config.healthcheck.as_ref(), of_image.as_ref());
    Ok(config)
}

fn healthcheck(check: &image::Healthcheck) -> Healthcheck {
    let image::Healthcheck { test, interval, timeout, start_period, start_interval, retries } = check.clone();
    Healthcheck { test, interval, timeout, start_period, start_interval, retries }
}

fn key(entry: &str) -> &str {
    entry.split_once('=').map_or(entry, |(key, _)| key)
}

/// Returns the program and its arguments.
pub fn args(config: &Config) -> Vec<String> {
    config.entrypoint.iter().flatten().chain(config.cmd.iter().flatten()).cloned().collect()
}

/// Returns the environment: of several values the last counts, and a key without one takes the variable away.
pub(super) fn env(config: &Config) -> Vec<String> {
    let terminal = config.tty.then(|| "TERM=xterm".to_owned());
    let mut env: Vec<String> = Vec::new();
    for entry in terminal.iter().chain(&config.env) {
        let former = env.iter().position(|other| key(other) == key(entry));
        match (former, entry.contains('=')) {
            (Some(at), true) => env[at].clone_from(entry),
            (Some(at), false) => drop(env.remove(at)),
            (None, true) => env.push(entry.clone()),
            (None, false) => {}
        }
    }
    env
}

/// Returns the signal that asks the program to end; none means the usual one.
pub(super) fn stop_signal(config: &Config) -> Result<Option<Signal>, Error> {
    let text = Some(&config.stop_signal).filter(|text| !text.is_empty());
    let signal = text.map(|text| text.parse::<Signal>()).transpose();
    signal.map_err(|error| Error::invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: Option<&str>) -> Option<Vec<String>> {
        text.map(|text| {
            text.split(' ').filter(|word| *word != "-").map(|word| word.replace('\'', "")).collect()
        })
    }

    #[test]
    fn programs_follow_dockers_rules() {
        // Client's entrypoint and command, image's entrypoint and command; `-` is an empty list, `'` an empty word.
        for (entrypoint, cmd, of_image, runs) in [
            (None, None, (Some("e"), Some("c d")), Some("e c d")),
            (None, Some("x"), (Some("e"), Some("c")), Some("e x")),
            (Some("p"), None, (Some("e"), Some("c")), Some("p")),
            (Some("p"), Some("x y"), (Some("e"), Some("c")), Some("p x y")),
            (Some("'"), Some("x"), (Some("e"), Some("c")), Some("x")),
            (Some("'"), None, (Some("e"), Some("c")), None),
            (None, Some("-"), (None, Some("c")), Some("c")),
            (Some("-"), None, (Some("e"), Some("c")), Some("c")),
            (None, None, (None, None), None),
        ] {
            let config = Config { entrypoint: words(entrypoint), cmd: words(cmd), ..Config::default() };
            let image = ImageConfig {
                entrypoint: words(of_image.0),
                cmd: words(of_image.1),
                ..ImageConfig::default()
            };

            let merged = merge(config, &image).map(|config| args(&config).join(" "));

            match runs {
                Some(runs) => assert_eq!(merged.as_deref(), Ok(runs), "{entrypoint:?} {cmd:?}"),
                None => assert_eq!(merged.unwrap_err().text(), "no command specified"),
            }
        }
    }

    #[test]
    fn the_image_fills_what_the_client_leaves_open() {
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
        let config = Config {
            cmd: Some(list(&["x"])),
            env: list(&["A=own", "GONE"]),
            user: "me".into(),
            labels: [("l".to_owned(), "own".to_owned())].into(),
            ..Config::default()
        };
        let image = ImageConfig {
            env: list(&["A=image", "B=image", "GONE=image"]),
            user: "other".into(),
            working_dir: "/srv".into(),
            labels: [("l".to_owned(), "image".to_owned()), ("m".to_owned(), "image".to_owned())].into(),
            exposed_ports: list(&["80/tcp"]),
            volumes: list(&["/data"]),
            ..ImageConfig::default()
        };

        let merged = merge(config, &image).unwrap();

        assert_eq!((merged.user.as_str(), merged.working_dir.as_str()), ("me", "/srv"));
        assert_eq!((merged.labels["l"].as_str(), merged.labels["m"].as_str()), ("own", "image"));
        assert_eq!(env(&merged), ["A=own", "B=image"]);
        assert!(merged.exposed_ports.contains_key("80/tcp") && merged.volumes.contains_key("/data"));
    }

    #[test]
    fn terminals_have_a_kind_unless_it_is_said() {
        let of = |entries: &[&str]| {
            let entries = entries.iter().map(|entry| (*entry).to_owned()).collect();
            env(&Config { tty: true, env: entries, ..Config::default() })
        };

        assert_eq!(of(&["A=1", "A=2"]), ["TERM=xterm", "A=2"]);
        assert_eq!(of(&["TERM=dumb"]), ["TERM=dumb"]);
        assert!(of(&["TERM"]).is_empty());
    }
}
