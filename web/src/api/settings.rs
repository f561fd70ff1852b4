//! What this installation runs with.

use axum::Json;
use serde::Deserialize;
use utoipa::IntoParams;

use super::given::Query;
use super::views::{CheckView, SettingView, SettingsView, StepView};
use crate::about::{CheckLine, Mark, SettingLine};
use crate::frame::Frame;
use crate::oops::Oops;

/// How much is looked at.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SettingsQuery {
    /// Look at everything that is within reach, too: it takes a moment.
    check: Option<bool>,
}

const fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::Fine => "fine",
        Mark::Odd => "odd",
        Mark::Bad => "bad",
        Mark::Away => "away",
    }
}

/// Settings with where they came from, and with `check` whether all is within reach.
pub(crate) async fn show(
    frame: Frame,
    Query(query): Query<SettingsQuery>,
) -> Result<Json<SettingsView>, Oops> {
    let steps = frame.web.store().migrations().await?;
    let about = frame.web.about();
    let checks = if query.check.unwrap_or(false) {
        Some(about.checks().await)
    } else {
        None
    };
    let check = |line: CheckLine| CheckView {
        mark: word(line.mark).to_owned(),
        what: line.what,
        says: line.says,
    };
    let setting = |line: SettingLine| SettingView {
        key: line.key,
        value: line.value,
        from: line.from,
    };
    let step = |step: tidemill_store::Migration| StepView {
        number: step.number,
        name: step.name,
        applied_at: step.applied_at,
    };
    Ok(Json(SettingsView {
        release: env!("CARGO_PKG_VERSION").to_owned(),
        deployment: frame.web.config().deployment.to_string(),
        settings: about.settings().into_iter().map(setting).collect(),
        checks: checks.map(|checks| checks.into_iter().map(check).collect()),
        schema: steps.into_iter().map(step).collect(),
    }))
}
