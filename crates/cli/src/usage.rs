//! Command lines that make no sense.

use std::process::ExitCode;

use clap::error::ErrorKind;

/// The exit code of a flag that is unknown or has a bad value, as in Docker.
const BAD_FLAG: u8 = 125;

/// Tells what is wrong with a command line, or shows the help it asked for, and returns the exit code.
pub fn refuse(error: &clap::Error) -> ExitCode {
    // There is nowhere to tell that the error cannot be told.
    let _ = error.print();
    code(error.kind())
}

fn code(kind: ErrorKind) -> ExitCode {
    match kind {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => ExitCode::SUCCESS,
        ErrorKind::UnknownArgument
        | ErrorKind::InvalidValue
        | ErrorKind::ValueValidation
        | ErrorKind::NoEquals
        | ErrorKind::ArgumentConflict => ExitCode::from(BAD_FLAG),
        _ => ExitCode::FAILURE,
    }
}
