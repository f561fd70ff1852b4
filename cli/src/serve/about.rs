//! What the web tells about this installation: what `config show` and `doctor` print.

use tidemill_core::operator::BoxFuture;
use tidemill_web::{About, CheckLine, Mark, SettingLine};

use crate::config::Loaded;
use crate::doctor;

/// Knows the settings of this process.
pub(super) struct Known(pub(super) Loaded);

impl About for Known {
    fn settings(&self) -> Vec<SettingLine> {
        let shown = self.0.settings.shown().into_iter();
        let line = |(key, value): (&str, String)| SettingLine {
            key: key.to_owned(),
            value,
            from: self.0.origin(key).to_string(),
        };
        shown.map(line).collect()
    }

    fn checks(&self) -> BoxFuture<'_, Vec<CheckLine>> {
        Box::pin(async {
            let found = doctor::look(&self.0).await;
            let line = |one: doctor::Finding| CheckLine {
                mark: match one.mark {
                    doctor::Mark::Fine => Mark::Fine,
                    doctor::Mark::Odd => Mark::Odd,
                    doctor::Mark::Bad => Mark::Bad,
                    doctor::Mark::Away => Mark::Away,
                },
                what: one.what.to_owned(),
                says: one.says,
            };
            found.0.into_iter().map(line).collect()
        })
    }
}
