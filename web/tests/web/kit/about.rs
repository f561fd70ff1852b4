//! What the installation says about itself.

use tidemill_core::operator::BoxFuture;
use tidemill_web::{About, CheckLine, Mark, SettingLine};

use super::HOSTILE;

pub(super) struct TestAbout;

impl About for TestAbout {
    fn settings(&self) -> Vec<SettingLine> {
        vec![SettingLine {
            key: "database".to_owned(),
            value: format!("postgres://***@db/{HOSTILE}"),
            from: "the file".to_owned(),
        }]
    }

    fn checks(&self) -> BoxFuture<'_, Vec<CheckLine>> {
        Box::pin(async {
            vec![CheckLine {
                mark: Mark::Bad,
                what: "data folder".to_owned(),
                says: format!("it is full {HOSTILE}"),
            }]
        })
    }
}
