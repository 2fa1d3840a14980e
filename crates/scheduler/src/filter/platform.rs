//! Keeps tasks off nodes on which their image does not run.

use model::Platform;

use super::{Filter, count_nodes};
use crate::candidate::Candidate;
use crate::request::Request;

/// Refuses nodes whose system and processor are none of those asked for.
pub(crate) struct Platforms;

impl Filter for Platforms {
    fn applies(&self, request: &Request) -> bool {
        !request.platforms.is_empty()
    }

    fn check(&self, request: &Request, node: &Candidate) -> bool {
        let Some(description) = &node.node.description else { return false };
        request.platforms.iter().any(|platform| is_match(platform, &description.platform))
    }

    fn is_used_up(&self) -> bool {
        false
    }

    fn explain(&self, nodes: usize) -> String {
        format!("unsupported platform on {}", count_nodes(nodes))
    }
}

fn is_match(asked: &Platform, there: &Platform) -> bool {
    let has_os = asked.os.is_empty() || asked.os.eq_ignore_ascii_case(&there.os);
    let asks_any = asked.architecture.is_empty();
    has_os && (asks_any || architecture(&asked.architecture) == architecture(&there.architecture))
}

/// Returns one word for the words that mean the same processor.
fn architecture(word: &str) -> String {
    match word.to_ascii_lowercase().as_str() {
        "x86_64" | "amd64" => "amd64".into(),
        "aarch64" | "arm64" => "arm64".into(),
        other => other.into(),
    }
}
