//! `dags validate`: everything that is wrong, for people and for CI systems.

mod github;
mod junit;
mod sarif;
mod text;

use serde_json::json;
use tidemill_core::author::{Dags, Project};

use crate::args::{ReportFormat, ValidateArgs};
use crate::output::{INVALID, OK, Output, Style};

pub(crate) fn validate(dags: &Dags, args: &ValidateArgs, style: Style) -> Output {
    let project = dags.validate();
    let report = match args.format {
        ReportFormat::Text => text::report(&project, style.into_file(args.output.as_deref())),
        ReportFormat::Json => json_report(&project),
        ReportFormat::Junit => junit::report(&project),
        ReportFormat::Sarif => sarif::report(&project),
        ReportFormat::Github => github::report(&project),
    };
    let code = if project.problems.is_empty() {
        OK
    } else {
        INVALID
    };
    let output = Output::data(report)
        .code(code)
        .into_file(args.output.as_deref());
    // A report that goes to a program or a file is not read at once: the verdict is said in any case.
    if args.format == ReportFormat::Text && args.output.is_none() {
        output
    } else {
        output.talk(text::verdict(&project, style.talk()))
    }
}

fn json_report(project: &Project) -> String {
    let value = json!({
        "valid": project.problems.is_empty(),
        "dags": project.dags.iter().map(|dag| json!({ "id": dag.spec().id(), "version": dag.spec().version() })).collect::<Vec<_>>(),
        "problems": project.problems,
    });
    format!("{value:#}\n")
}
