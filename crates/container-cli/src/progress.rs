//! How a fetch or a push is shown: a bar per layer, redrawn in place for a person, and steps in a pipe.

use anyhow::{Result, bail};
use client::{Console, Lines, terminal};
use engine_json::{Progress, ProgressDetail};
use format::size;

/// How long a bar is.
const BAR_CHARACTERS: usize = 50;
/// On terminals narrower than this there is room for figures only.
const BAR_COLUMNS_MIN: u16 = 110;

/// Where progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// On standard output.
    Output,
    /// On the error output, which leaves the other for a result.
    Errors,
    /// Nowhere.
    Nothing,
}

/// Shows progress as it comes, and fails with what the daemon says went wrong. Returns the last status.
pub async fn follow(console: &mut Console, mut lines: Lines, show: Show) -> Result<String> {
    let mut board = Board { ids: Vec::new(), show, width: terminal::size().map_or(0, |size| size.columns) };
    let mut last = String::new();
    while let Some(progress) = lines.next::<Progress>().await? {
        if let Some(error) = &progress.error_detail {
            bail!("{}", error.message);
        }
        if !progress.error.is_empty() {
            bail!("{}", progress.error);
        }
        board.take(console, &progress)?;
        if !progress.status.is_empty() {
            last = progress.status;
        }
    }
    Ok(last)
}

/// What has been drawn.
struct Board {
    /// Whose lines stand above the cursor, in order.
    ids: Vec<String>,
    show: Show,
    width: u16,
}

impl Board {
    fn take(&mut self, console: &mut Console, progress: &Progress) -> std::io::Result<()> {
        if !progress.stream.is_empty() {
            return self.write(console, &progress.stream);
        }
        let detail = progress.progress_detail.unwrap_or_default();
        let has_figures = detail.total != 0 || detail.current != 0;
        let is_seen = match self.show {
            Show::Output => console.is_terminal(),
            Show::Errors => console.is_error_terminal(),
            Show::Nothing => false,
        };
        if is_seen && !progress.id.is_empty() && progress.progress_detail.is_some() {
            return self.redraw(console, progress, detail);
        }
        // Something that only carries a result for programs has no status.
        if has_figures || progress.status.is_empty() {
            return Ok(());
        }
        self.ids.clear();
        let prefix = if progress.id.is_empty() { String::new() } else { format!("{}: ", progress.id) };
        self.write(console, &format!("{prefix}{}\n", progress.status))
    }

    /// Writes the line of one id, at its place above the cursor.
    fn redraw(
        &mut self,
        console: &mut Console,
        progress: &Progress,
        detail: ProgressDetail,
    ) -> std::io::Result<()> {
        let at = match self.ids.iter().position(|id| *id == progress.id) {
            Some(at) => at,
            None => {
                self.ids.push(progress.id.clone());
                self.write(console, "\n")?;
                self.ids.len() - 1
            }
        };
        let up = self.ids.len() - at;
        let line = format!("{}: {} {}", progress.id, progress.status, bar(detail, self.width));
        self.write(console, &format!("\x1b[{up}A\x1b[2K\r{}\x1b[{up}B\r", line.trim_end()))
    }

    fn write(&self, console: &mut Console, text: &str) -> std::io::Result<()> {
        match self.show {
            Show::Output => console.write(text),
            Show::Errors => {
                console.complain_bytes(text.as_bytes());
                Ok(())
            }
            Show::Nothing => Ok(()),
        }
    }
}

/// Draws how far something is, as wide as a terminal allows.
fn bar(detail: ProgressDetail, width: u16) -> String {
    let (current, total) = (detail.current, detail.total);
    if current == 0 && total == 0 {
        return String::new();
    }
    let told = |bytes: u64| size::decimal_of(i64::try_from(bytes).unwrap_or(i64::MAX), 4);
    let done = told(current);
    if total == 0 {
        return format!("{done:>8}");
    }
    let figures = if current >= total { format!("{done:>8}") } else { format!("{done:>8}/{}", told(total)) };
    if width < BAR_COLUMNS_MIN {
        return figures;
    }
    let share = (current as f64 / total as f64).clamp(0.0, 1.0);
    let filled = (share * BAR_CHARACTERS as f64) as usize;
    let (done, left) = ("=".repeat(filled), " ".repeat(BAR_CHARACTERS - filled));
    format!("[{done}>{left}] {figures}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_and_fit() {
        let bar = |current, total, width| super::bar(ProgressDetail { current, total }, width);

        assert_eq!(bar(0, 0, 200), "");
        assert_eq!(bar(1_500_000, 0, 200), "   1.5MB");
        assert_eq!(bar(1_500_000, 3_000_000, 80), "   1.5MB/3MB");
        assert_eq!(bar(3_000_000, 3_000_000, 80), "     3MB");
        assert_eq!(
            bar(1_500_000, 3_000_000, 120),
            "[=========================>                         ]    1.5MB/3MB"
        );
    }
}
