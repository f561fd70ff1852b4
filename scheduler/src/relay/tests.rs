//! The relay against a real outbox.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use tidemill_core::spec::Severity;
use tidemill_store::Options;
use tidemill_store::access::By;
use tidemill_store::outbox::OutboxState;
use tidemill_store::record::Changes;

use super::*;

static NOW: AtomicI64 = AtomicI64::new(1_735_689_600_000_000);

fn now() -> Timestamp {
    Timestamp::from_micros(NOW.load(Ordering::SeqCst))
}

fn pass(span: Duration) {
    let micros = i64::try_from(span.as_micros()).unwrap();
    NOW.fetch_add(micros, Ordering::SeqCst);
}

/// Fails as often as it is told, and remembers what it got.
#[derive(Default)]
struct Fake {
    failures: Mutex<Vec<Undelivered>>,
    got: Mutex<Vec<String>>,
}

impl Sink for Fake {
    fn deliver<'a>(&'a self, letter: &'a OutboxRow) -> BoxFuture<'a, Result<(), Undelivered>> {
        let failure = self.failures.lock().unwrap().pop();
        if failure.is_none() {
            self.got.lock().unwrap().push(letter.key.to_string());
        }
        Box::pin(std::future::ready(failure.map_or(Ok(()), Err)))
    }
}

fn letter(id: i64, route: &str) -> OutboxRow {
    OutboxRow {
        id,
        key: format!("letter-{id}").into(),
        route: route.into(),
        severity: Severity::Critical,
        run: None,
        body: "{}".into(),
        at: now(),
        dag: None,
    }
}

#[tokio::test]
async fn letters_are_delivered_by_their_routes_tried_again_and_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("t.db").display());
    let store = Store::open(&url, Options::default()).await.unwrap();
    let leader = store.lead("test", Duration::from_secs(60)).await.unwrap();
    let changes = Changes {
        outbox: vec![letter(1, "oncall"), letter(2, "team"), letter(3, "gone")],
        ..Changes::default()
    };
    let _ = leader.commit(1, &changes).await.unwrap();

    let later = || Undelivered::later("503");
    let (oncall, team, gone) = (
        Arc::<Fake>::default(),
        Arc::<Fake>::default(),
        Arc::<Fake>::default(),
    );
    oncall.failures.lock().unwrap().extend([later(), later()]);
    gone.failures
        .lock()
        .unwrap()
        .push(Undelivered::never("no such channel"));
    let sinks = Sinks::new(team.clone())
        .route("oncall", oncall.clone())
        .route("gone", gone.clone());

    assert_eq!(round(&store, &sinks, now).await.unwrap(), 3);
    assert_eq!(*team.got.lock().unwrap(), ["letter-2"]);
    assert_eq!(
        round(&store, &sinks, now).await.unwrap(),
        0,
        "it is not due yet"
    );
    pass(wait_after(1));
    assert_eq!(round(&store, &sinks, now).await.unwrap(), 1);
    pass(wait_after(2));
    assert_eq!(round(&store, &sinks, now).await.unwrap(), 1);
    assert_eq!(*oncall.got.lock().unwrap(), ["letter-1"]);

    let dead = store
        .letters(Some(OutboxState::Dead), None, i64::MAX, 10)
        .await
        .unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].last_error.as_deref(), Some("no such channel"));
    let dead = store
        .letters(Some(OutboxState::Dead), None, 4, 1)
        .await
        .unwrap();
    let by = By {
        who: "ann",
        at: now(),
    };
    assert!(store.outbox_again(&dead[0].due, by).await.unwrap());
    assert_eq!(round(&store, &sinks, now).await.unwrap(), 1);
    assert_eq!(*gone.got.lock().unwrap(), ["letter-3"]);
}

#[test]
fn waits_grow_and_end() {
    assert_eq!(wait_after(1), AGAIN);
    assert_eq!(wait_after(4), AGAIN * 8);
    assert_eq!(wait_after(TRIES_MAX), AGAIN_MAX);
}
