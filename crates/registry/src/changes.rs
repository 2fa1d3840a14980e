//! Instructions of a Dockerfile that change how an image's containers start: `CMD`, `ENV`, `EXPOSE` and the like.

use std::path::Path;

use crate::configuration::{Healthcheck, ImageConfig};

/// Tells which change is not one, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Files cannot be changed this way.
    #[error("{0} is not a valid change command")]
    Instruction(String),
    /// The instruction is known, but not what follows.
    #[error("invalid change {change:?}: {reason}")]
    Argument {
        /// The whole change.
        change: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ImageConfig {
    /// Applies instructions one after the other, as `docker import --change` takes them.
    pub fn apply(&mut self, changes: &[String]) -> Result<(), Error> {
        let mut changed = self.clone();
        let mut has_cmd = false;
        for change in changes.iter().map(|change| change.trim()).filter(|change| !change.is_empty()) {
            let (word, rest) = change.split_once(char::is_whitespace).unwrap_or((change, ""));
            let word = word.to_ascii_uppercase();
            let applied = changed.apply_one(&word, rest.trim());
            applied.map_err(|refusal| match refusal {
                Refusal::Instruction => Error::Instruction(word.clone()),
                Refusal::Argument(reason) => Error::Argument { change: change.to_owned(), reason },
            })?;
            has_cmd |= word == "CMD";
            // Arguments that were made for another program are not for this one.
            if word == "ENTRYPOINT" && !has_cmd {
                changed.cmd = None;
            }
        }
        *self = changed;
        Ok(())
    }

    fn apply_one(&mut self, word: &str, rest: &str) -> Result<(), Refusal> {
        if rest.is_empty() {
            let is_known = INSTRUCTIONS.contains(&word);
            return Err(if is_known { bad("it needs an argument") } else { Refusal::Instruction });
        }
        match word {
            "CMD" => self.cmd = Some(self.command(rest)?),
            "ENTRYPOINT" => self.entrypoint = Some(self.command(rest)?),
            "ENV" => self.set_env(pairs(rest)?),
            "LABEL" => self.labels.extend(pairs(rest)?),
            "EXPOSE" => self.expose(rest)?,
            "USER" => self.user = rest.to_owned(),
            "WORKDIR" => {
                let base = if self.working_dir.is_empty() { "/" } else { &self.working_dir };
                self.working_dir = Path::new(base).join(rest).display().to_string();
            }
            "VOLUME" => {
                let volumes = json_list(rest).map_or_else(|| words(rest), Ok)?;
                add_sorted(&mut self.volumes, volumes);
            }
            "ONBUILD" => self.on_build.push(rest.to_owned()),
            "STOPSIGNAL" => self.stop_signal = rest.to_owned(),
            "HEALTHCHECK" => self.healthcheck = Some(self.healthcheck(rest)?),
            _ => return Err(Refusal::Instruction),
        }
        Ok(())
    }

    /// A JSON list is the command as it is; any other text is for the shell.
    fn command(&self, rest: &str) -> Result<Vec<String>, Refusal> {
        if let Some(list) = json_list(rest) {
            return Ok(list);
        }
        let default = || vec!["/bin/sh".to_owned(), "-c".to_owned()];
        let mut command = if self.shell.is_empty() { default() } else { self.shell.clone() };
        command.push(rest.to_owned());
        Ok(command)
    }

    fn set_env(&mut self, pairs: Vec<(String, String)>) {
        for (name, value) in pairs {
            let entry = format!("{name}={value}");
            let is_same = |known: &&mut String| known.split('=').next() == Some(name.as_str());
            match self.env.iter_mut().find(is_same) {
                Some(known) => *known = entry,
                None => self.env.push(entry),
            }
        }
    }

    fn expose(&mut self, rest: &str) -> Result<(), Refusal> {
        for word in words(rest)? {
            let (ports, protocol) = word.split_once('/').unwrap_or((&word, "tcp"));
            let protocol = protocol.to_ascii_lowercase();
            if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
                return Err(bad("a port's protocol is tcp, udp or sctp"));
            }
            let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
            let number = |text: &str| {
                text.parse::<u16>()
                    .ok()
                    .filter(|port| *port > 0)
                    .ok_or_else(|| bad("a port is a number from 1 to 65535"))
            };
            let range = number(first)?..=number(last)?;
            add_sorted(&mut self.exposed_ports, range.map(|port| format!("{port}/{protocol}")).collect());
        }
        Ok(())
    }

    fn healthcheck(&self, rest: &str) -> Result<Healthcheck, Refusal> {
        let mut check = Healthcheck::default();
        let mut rest = rest;
        while let Some(flag) = rest.strip_prefix("--") {
            let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
            let (name, value) =
                flag.split_once('=').ok_or_else(|| bad("an option is written --NAME=VALUE"))?;
            let duration = || duration(value).ok_or_else(|| bad("a time is written like 30s or 1m30s"));
            match name {
                "interval" => check.interval = duration()?,
                "timeout" => check.timeout = duration()?,
                "start-period" => check.start_period = duration()?,
                "start-interval" => check.start_interval = duration()?,
                "retries" => check.retries = value.parse().map_err(|_error| bad("retries is a number"))?,
                _ => return Err(bad("it has no such option")),
            }
            rest = after.trim_start();
        }
        let (kind, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        check.test = match (kind.to_ascii_uppercase().as_str(), command.trim()) {
            ("NONE", "") => vec!["NONE".to_owned()],
            ("CMD", command) if !command.is_empty() => match json_list(command) {
                Some(list) => [vec!["CMD".to_owned()], list].concat(),
                None => vec!["CMD-SHELL".to_owned(), command.to_owned()],
            },
            (_, _) => return Err(bad("a health check is NONE or CMD with a command")),
        };
        Ok(check)
    }
}

const INSTRUCTIONS: [&str; 11] = [
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "LABEL",
    "EXPOSE",
    "USER",
    "WORKDIR",
    "VOLUME",
    "ONBUILD",
    "STOPSIGNAL",
    "HEALTHCHECK",
];

enum Refusal {
    Instruction,
    Argument(String),
}

fn bad(reason: &str) -> Refusal {
    Refusal::Argument(reason.to_owned())
}

fn json_list(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

fn add_sorted(list: &mut Vec<String>, more: Vec<String>) {
    list.extend(more);
    list.sort();
    list.dedup();
}

/// `name=value …`, or the old form of one name and a value to the end of the line.
fn pairs(rest: &str) -> Result<Vec<(String, String)>, Refusal> {
    let words = words(rest)?;
    if words.first().is_some_and(|first| !first.contains('=')) {
        let (name, value) =
            rest.split_once(char::is_whitespace).ok_or_else(|| bad("it is written NAME=VALUE"))?;
        return Ok(vec![(name.to_owned(), value.trim().to_owned())]);
    }
    let pair = |word: String| match word.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err(bad("it is written NAME=VALUE")),
    };
    words.into_iter().map(pair).collect()
}

/// Splits at spaces; quotes and backslashes keep what belongs together.
fn words(text: &str) -> Result<Vec<String>, Refusal> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(letters.next()),
            (letter, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => {
                word.get_or_insert_default();
                quote = Some(letter);
            }
            (letter, None) if letter.is_whitespace() => words.extend(word.take()),
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(bad("a quote is not closed"));
    }
    words.extend(word);
    Ok(words)
}

/// Reads `1m30s` and the like; the answer is in nanoseconds.
fn duration(text: &str) -> Option<i64> {
    let (mut total, mut rest) = (0_f64, text);
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let unit_end =
            rest[end..].find(|letter: char| letter.is_ascii_digit()).map_or(rest.len(), |at| end + at);
        let unit = match &rest[end..unit_end] {
            "h" => 3600e9,
            "m" => 60e9,
            "s" => 1e9,
            "ms" => 1e6,
            "us" => 1e3,
            "ns" => 1.0,
            _ => return None,
        };
        total += rest[..end].parse::<f64>().ok()? * unit;
        rest = &rest[unit_end..];
    }
    (!text.is_empty() && total < i64::MAX as f64).then_some(total as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(changes: &[&str], expected: &str) {
        let mut config = ImageConfig::default();

        let applied = config.apply(&changes.iter().map(|change| (*change).to_owned()).collect::<Vec<_>>());

        let shown = match applied {
            Ok(()) => serde_json::to_string(&config).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{changes:?}");
    }

    #[test]
    fn instructions_change_the_configuration() {
        check(&[r#"CMD ["a","b c"]"#], r#"{"Cmd":["a","b c"]}"#);
        check(&["cmd echo $HOME"], r#"{"Cmd":["/bin/sh","-c","echo $HOME"]}"#);
        check(&["CMD x", r#"ENTRYPOINT ["e"]"#], r#"{"Entrypoint":["e"],"Cmd":["/bin/sh","-c","x"]}"#);
        check(&[r#"ENTRYPOINT []"#], r#"{"Entrypoint":[]}"#);
        check(
            &[r#"ENV A=b C="d e" F=g\ h"#, "ENV A two words"],
            r#"{"Env":["A=two words","C=d e","F=g h"]}"#,
        );
        check(&["LABEL a=b 'c d'=e", "LABEL a=z"], r#"{"Labels":{"a":"z","c d":"e"}}"#);
        check(
            &["EXPOSE 80 53/udp 8000-8001"],
            r#"{"ExposedPorts":{"53/udp":{},"80/tcp":{},"8000/tcp":{},"8001/tcp":{}}}"#,
        );
        check(&["USER 7:8", "WORKDIR /srv", "WORKDIR web"], r#"{"User":"7:8","WorkingDir":"/srv/web"}"#);
        check(&[r#"VOLUME ["/b","/a"]"#, "VOLUME /c /a"], r#"{"Volumes":{"/a":{},"/b":{},"/c":{}}}"#);
        check(
            &["STOPSIGNAL SIGQUIT", "ONBUILD RUN x", ""],
            r#"{"StopSignal":"SIGQUIT","OnBuild":["RUN x"]}"#,
        );
        check(
            &["HEALTHCHECK --interval=1m30s --retries=2 CMD curl -f x"],
            r#"{"Healthcheck":{"Test":["CMD-SHELL","curl -f x"],"Interval":90000000000,"Timeout":0,"StartPeriod":0,"StartInterval":0,"Retries":2}}"#,
        );
    }

    #[test]
    fn what_is_no_change_is_refused_by_name() {
        check(&["RUN rm -rf /"], "RUN is not a valid change command");
        check(&["FROM"], "FROM is not a valid change command");
        for (change, reason) in [
            ("CMD", "it needs an argument"),
            ("EXPOSE 0", "a port is a number from 1 to 65535"),
            ("EXPOSE 80/icmp", "a port's protocol is tcp, udp or sctp"),
            ("ENV A", "it is written NAME=VALUE"),
            ("LABEL a=\"b", "a quote is not closed"),
            ("HEALTHCHECK --interval=x CMD y", "a time is written like 30s or 1m30s"),
            ("HEALTHCHECK CMD", "a health check is NONE or CMD with a command"),
        ] {
            check(&["USER ok", change], &format!("invalid change {change:?}: {reason}"));
        }
    }
}
