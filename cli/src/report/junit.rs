//! A test report as CI systems read it: one test suite, one test case a DAG.

use std::fmt::Write as _;

use tidemill_core::Problem;
use tidemill_core::author::Project;

pub(super) fn report(project: &Project) -> String {
    let mut cases = String::new();
    let mut failed = 0;
    let mut names: Vec<&str> = project
        .dags
        .iter()
        .map(|dag| dag.spec().id().as_str())
        .collect();
    names.dedup();
    for name in &names {
        let of_dag = project
            .problems
            .iter()
            .filter(|problem| problem.dag.as_deref() == Some(name));
        failed += usize::from(case(&mut cases, name, &of_dag.collect::<Vec<_>>()));
    }
    let others: Vec<&Problem> = project
        .problems
        .iter()
        .filter(|problem| {
            !problem
                .dag
                .as_deref()
                .is_some_and(|dag| names.contains(&dag))
        })
        .collect();
    let mut tests = names.len();
    if !others.is_empty() {
        tests += 1;
        failed += usize::from(case(&mut cases, "project", &others));
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"dags validate\" tests=\"{tests}\" failures=\"{failed}\">\n\
         <testsuite name=\"dags\" tests=\"{tests}\" failures=\"{failed}\">\n{cases}</testsuite>\n</testsuites>\n"
    )
}

/// Adds a test case; says whether it failed.
fn case(out: &mut String, name: &str, problems: &[&Problem]) -> bool {
    // Writing into a String cannot fail.
    let _ = write!(out, "<testcase classname=\"dags\" name=\"{}\"", xml(name));
    if problems.is_empty() {
        out.push_str("/>\n");
        return false;
    }
    // One failure a case: many readers drop the others.
    let messages: Vec<&str> = problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let _ = writeln!(
        out,
        ">\n<failure type=\"{}\" message=\"{}\">{}</failure>\n</testcase>",
        problems[0].rule,
        xml(&messages.join("; ")),
        xml(&texts.join("\n\n"))
    );
    true
}

/// Text as XML holds it: what XML has no way to write is replaced.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if (c < ' ') || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
