//! How often somebody tried to sign in lately. How often is too often is not decided here.

use std::time::Duration;

use tidemill_core::time::Timestamp;

use crate::bind::Args;
use crate::db::Step;
use crate::record::AttemptsRow;
use crate::{Store, StoreError, sql};

/// How many rows go at once.
const FORGET_ROWS: i64 = 1_000;

impl Store {
    /// Counts one more try to sign in for each of these, and says how many there were in this window. Counted before the
    /// password is looked at: a thousand tries at once are a thousand.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn count_attempt(
        &self,
        subjects: &[String],
        now: Timestamp,
        window: Duration,
    ) -> Result<Vec<AttemptsRow>, StoreError> {
        let mut counted = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let args = Args::NONE.key(subject).time(now).time(before(now, window));
            let rows: Vec<AttemptsRow> = self.db().write_rows(&sql::ATTEMPT_COUNT, args).await?;
            counted.extend(rows);
        }
        Ok(counted)
    }

    /// Says that the last try was a good one: nothing that was counted for `forget` counts any more, and the one try is taken
    /// back for `take_back`.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn attempt_was_good(
        &self,
        forget: &[String],
        take_back: &[String],
    ) -> Result<(), StoreError> {
        let forget = forget
            .iter()
            .map(|subject| -> Step { (&sql::ATTEMPT_FORGET, Args::NONE.key(subject)) });
        let back = take_back
            .iter()
            .map(|subject| -> Step { (&sql::ATTEMPT_BACK, Args::NONE.key(subject)) });
        let steps = forget.chain(back).collect();
        self.db().write(steps).await.map(drop)
    }

    /// Forgets sessions that are over, and tries to sign in whose window is; at most some thousand rows. For whoever serves
    /// pages to do now and then, `db clean` does the same for who never does.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn forget_expired(
        &self,
        now: Timestamp,
        window: Duration,
    ) -> Result<u64, StoreError> {
        let of = |before: Timestamp| Args::NONE.time(before).text(None).int(FORGET_ROWS);
        let steps: Vec<Step> = vec![
            (&sql::CLEAN_OLD_SESSION, of(now)),
            (&sql::CLEAN_OLD_LOGIN_ATTEMPT, of(before(now, window))),
        ];
        Ok(self.db().write(steps).await?.into_iter().sum())
    }
}

fn before(now: Timestamp, window: Duration) -> Timestamp {
    let micros = i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.micros().saturating_sub(micros))
}
