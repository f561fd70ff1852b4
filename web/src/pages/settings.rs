//! What this installation runs with, and whether all is within reach. To be read: it is changed where it came from.

use askama::Template;
use serde::Deserialize;

use super::page;
use crate::about::{Mark, SettingLine};
use crate::frame::Frame;
use crate::html::{Chip, Tone, When};
use crate::input::Asking;
use crate::oops::Oops;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SettingsQuery {
    /// Whether to look at everything that is within reach: it takes a moment.
    check: bool,
}

struct Check {
    chip: Chip,
    what: String,
    says: String,
}

struct Step {
    number: i64,
    name: String,
    applied: Option<When>,
}

#[derive(Template)]
#[template(path = "settings.html")]
pub(crate) struct SettingsPage {
    frame: Frame,
    facts: Vec<(&'static str, String)>,
    settings: Vec<SettingLine>,
    checks: Option<Vec<Check>>,
    steps: Vec<Step>,
    database: Vec<(String, String)>,
}

page!(SettingsPage);

pub(crate) async fn show(
    frame: Frame,
    Asking(query): Asking<SettingsQuery>,
) -> Result<SettingsPage, Oops> {
    let store = frame.web.store();
    let (health, steps) = (store.health().await?, store.migrations().await?);
    let fleet = frame.web.door().fleet().await;
    let about = frame.web.about();
    let checks = if query.check {
        Some(about.checks().await.into_iter().map(check).collect())
    } else {
        None
    };
    let kind = match health.setting("journal_mode") {
        Some(_) => "SQLite",
        None => "PostgreSQL",
    };
    let done = steps
        .iter()
        .filter(|step| step.applied_at.is_some())
        .count();
    let mut facts = vec![
        ("Release of the web", env!("CARGO_PKG_VERSION").to_owned()),
        ("Installation", frame.web.config().deployment.to_string()),
        ("Database", kind.to_owned()),
        ("Schema", format!("{done} of {} steps", steps.len())),
        (
            "Scheduler",
            match &fleet {
                Ok(_) => "leads and answers".to_owned(),
                Err(error) => error.to_string(),
            },
        ),
    ];
    if let Ok(fleet) = &fleet {
        let mut builds: Vec<&str> = fleet.workers.iter().map(|one| &*one.build).collect();
        builds.sort_unstable();
        builds.dedup();
        if !builds.is_empty() {
            facts.push(("Builds of workers", builds.join(", ")));
        }
    }
    let step = |step: tidemill_store::Migration| Step {
        number: step.number,
        name: step.name,
        applied: step.applied_at.map(When),
    };
    Ok(SettingsPage {
        facts,
        settings: about.settings(),
        checks,
        steps: steps.into_iter().map(step).collect(),
        database: health.settings,
        frame,
    })
}

fn check(line: crate::about::CheckLine) -> Check {
    Check {
        chip: match line.mark {
            Mark::Fine => Chip::new(Tone::Ok, "Ok"),
            Mark::Odd => Chip::new(Tone::Retry, "Look"),
            Mark::Bad => Chip::new(Tone::Fail, "Bad"),
            Mark::Away => Chip::new(Tone::Fail, "Away"),
        },
        what: line.what,
        says: line.says,
    }
}
