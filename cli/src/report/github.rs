//! Annotations on the lines of a GitHub pull request.

use std::fmt::Write as _;

use tidemill_core::author::Project;

pub(super) fn report(project: &Project) -> String {
    let mut out = String::new();
    for problem in &project.problems {
        let place = problem
            .source
            .as_ref()
            .map(|source| format!("file={},line={},", property(&source.file), source.line));
        let title = property(&format!("{} ({})", problem.subject(), problem.rule));
        let mut text = problem.message.clone();
        if !problem.help.is_empty() {
            text = format!("{text}\nhelp: {}", problem.help);
        }
        // Writing into a String cannot fail.
        let _ = writeln!(
            out,
            "::error {}title={title}::{}",
            place.unwrap_or_default(),
            data(&text)
        );
    }
    out
}

/// What GitHub's runner reads after `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// What it reads between `,` and `::`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
