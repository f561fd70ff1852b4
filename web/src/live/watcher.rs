//! The one who looks. It sleeps while nobody listens, and reads one row while nothing is committed.

use axum::body::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tidemill_core::id::DagId;
use tidemill_core::protocol::RunNo;
use tidemill_store::StoreError;
use tokio::time::{Instant, sleep};
use tracing::debug;

use super::marks::{Marks, Moved};
use super::{AWAY, Live, Topic};

/// Looking takes no more of the time than one part in so many, however much there is to look at.
const PART: u32 = 20;
/// Not even then is anybody told later than this.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Looks until nobody listens any more.
pub(super) async fn watch(live: Live) {
    let mut before: Option<Marks> = None;
    let mut away = false;
    while let Some(topics) = live.wanted() {
        let began = Instant::now();
        match look(&live, before.as_ref(), &topics).await {
            Ok(Some((now, moved))) => {
                tell(&live, &topics, (away, moved));
                before = Some(now);
                away = false;
            }
            Ok(None) => {
                if away {
                    tell(&live, &topics, (true, Moved::default()));
                }
                away = false;
            }
            Err(error) => {
                debug!("cannot look for changes: {error}");
                if !away {
                    for (topic, _) in &topics {
                        live.say(topic, &AWAY, &Arc::default());
                    }
                }
                away = true;
            }
        }
        sleep(pause(live.settings.every, began.elapsed())).await;
    }
}

/// How long it is until the next look, after one that took so long.
fn pause(every: Duration, took: Duration) -> Duration {
    every.max((took * PART).min(PAUSE_MAX))
}

/// How everything stands now, and what changed; none if nothing can have.
async fn look(
    live: &Live,
    before: Option<&Marks>,
    topics: &[(Topic, bool)],
) -> Result<Option<(Marks, Moved)>, StoreError> {
    let pulse = live.store.pulse().await?;
    let any_new = topics.iter().any(|(_, is_new)| *is_new);
    if !any_new && before.is_some_and(|before| before.pulse == pulse) {
        return Ok(None);
    }
    let above: RunNo = before.map_or(pulse.newest, |before| before.pulse.newest);
    let now = Marks::read(&live.store, pulse, (topics, above)).await?;
    let moved = before.map_or_else(Moved::default, |before| now.since(before));
    Ok(Some((now, moved)))
}

/// Tells who listens for what changed, and whoever is new that they are heard: what their page shows may be older than the
/// first look.
fn tell(live: &Live, topics: &[(Topic, bool)], (all, moved): (bool, Moved)) {
    let heads: Arc<[DagId]> = moved.heads.iter().cloned().collect();
    let anybody: Arc<[DagId]> = Arc::default();
    for (topic, is_new) in topics {
        if !all && !is_new && !moved.touches(topic) {
            continue;
        }
        let event = Bytes::from(format!("event: changed\ndata: {}\n\n", topic.word()));
        let dags = if all || *is_new || *topic != Topic::Home {
            &anybody
        } else {
            &heads
        };
        live.say(topic, &event, dags);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_looks_long_looks_less_often() {
        let every = Duration::from_secs(1);
        let after = |millis| pause(every, Duration::from_millis(millis));
        assert_eq!((after(0), after(40)), (every, every));
        assert_eq!(after(200), Duration::from_secs(4));
        assert_eq!(after(60_000), PAUSE_MAX);
    }
}
