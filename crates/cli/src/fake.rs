//! Command lines against a daemon that answers from a list.

use clap::Parser;
pub(crate) use client::fake::{Answers, Outcome, answers};

use crate::Verb;

#[derive(Debug, Parser)]
struct Program {
    #[command(subcommand)]
    verb: Verb,
}

/// Runs a command line, words cut at spaces, against a daemon that knows these answers.
pub(crate) async fn run(line: &str, answers: Answers) -> Outcome {
    run_words(&line.split_whitespace().collect::<Vec<_>>(), answers).await
}

/// Runs a command line against a daemon that knows these answers.
pub(crate) async fn run_words(words: &[&str], answers: Answers) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let words = std::iter::once("drover").chain(words.iter().copied());
    client::fake::run(folder.path(), answers, "", async |context| match Program::try_parse_from(words) {
        Ok(program) => program.verb.run(context, || clap::Command::new("drover")).await,
        Err(error) => {
            context.console.complain(&error.to_string());
            Ok(())
        }
    })
    .await
}
