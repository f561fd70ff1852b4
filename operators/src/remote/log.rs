//! What another system wrote about a job.

use tidemill_core::operator::{Level, TaskContext};

/// The last so many lines go into the task's log.
const LINES_MAX: usize = 500;
/// Longer lines are cut.
const LINE_CHARS_MAX: usize = 2_000;

/// Writes another system's lines into the task's log; of many the last.
pub(crate) fn tell(ctx: &TaskContext, from: &str, text: &str) {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let skipped = lines.len().saturating_sub(LINES_MAX);
    if skipped > 0 {
        ctx.info(format!("[{from}] {skipped} lines are left out here"));
    }
    for line in &lines[skipped..] {
        let end = line
            .char_indices()
            .nth(LINE_CHARS_MAX)
            .map_or(line.len(), |(at, _)| at);
        let shown = format!("[{from}] {}", &line[..end]);
        if line.contains("ERROR") {
            ctx.log(Level::Error, shown);
        } else {
            ctx.info(shown);
        }
    }
}
