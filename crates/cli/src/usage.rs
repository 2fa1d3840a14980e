//! Command lines that make no sense.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The exit code of a flag that is unknown or has a bad value, as in Docker.
const BAD_FLAG: u8 = 125;

/// Tells what is wrong with a command line, or shows the help it asked for, and returns the exit code.
pub fn refuse(error: &clap::Error) -> ExitCode {
    // There is nowhere to tell that the error cannot be told.
    let _ = error.print();
    ExitCode::from(code(error))
}

fn code(error: &clap::Error) -> u8 {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => 0,
        // A word too many is no flag.
        ErrorKind::UnknownArgument if !names_flag(error) => 1,
        ErrorKind::UnknownArgument
        | ErrorKind::InvalidValue
        | ErrorKind::ValueValidation
        | ErrorKind::NoEquals
        | ErrorKind::ArgumentConflict => BAD_FLAG,
        _ => 1,
    }
}

fn names_flag(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(word)) if word.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Verb;

    #[derive(Debug, Parser)]
    #[command(name = "drover", subcommand_required = true)]
    struct Program {
        #[command(subcommand)]
        verb: Verb,
    }

    #[test]
    fn exit_codes_are_dockers() {
        for (line, expected) in [
            ("service ls --nope", 125),
            ("service create -p a:b x", 125),
            ("node update --availability sideways n", 125),
            ("run --nope x", 125),
            ("run -m x y", 125),
            ("create --mount what=1 x", 125),
            ("run", 1),
            ("rm", 1),
            ("port", 1),
            ("service ls extra", 1),
            ("service nope", 1),
            ("nope", 1),
            ("service create", 1),
            ("service update", 1),
            ("service", 0),
            ("service ls --help", 0),
            ("run --help", 0),
            ("container run --help", 0),
        ] {
            let words = std::iter::once("drover").chain(line.split_whitespace());

            let error = Program::try_parse_from(words).unwrap_err();

            assert_eq!(code(&error), expected, "{line}: {error}");
        }
    }

    #[test]
    fn help_begins_with_what_the_command_does() {
        for (line, says) in [
            ("service create", "Create a service"),
            ("service update", "Change a service"),
            ("run", "Create a container and start it"),
            ("container cp", "Copy files between a container and this host"),
            ("volume export", "Write what a volume holds"),
            ("swarm init", "Found a cluster"),
            ("swarm join", "Join a cluster"),
        ] {
            let words = std::iter::once("drover").chain(line.split_whitespace()).chain(["--help"]);

            let help = Program::try_parse_from(words).unwrap_err().to_string();

            assert!(help.starts_with(says), "{line}: {help}");
        }
    }

    #[test]
    fn every_command_is_well_formed() {
        use clap::CommandFactory as _;

        Program::command().debug_assert();
    }
}
