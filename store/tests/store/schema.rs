//! The schema: made from nothing, known again, refused when it is not ours.

use std::error::Error as _;
use std::net::TcpListener;
use std::time::Duration;

use tidemill_store::{Options, Schema, SchemaError, Store, StoreError};

use tokio::task::JoinSet;

use crate::place::{Place, by_hand, open};

/// How many processes come to a new database at the same moment.
const OPENED_AT_ONCE: usize = 8;

fn with(schema: Schema) -> Options {
    Options {
        schema,
        ..Options::default()
    }
}

async fn refused(url: &str, schema: Schema) -> SchemaError {
    match Store::open(url, with(schema)).await {
        Err(StoreError::Schema(why)) => why,
        other => panic!("it was not refused: {other:?}"),
    }
}

pub(crate) async fn every_statement_is_understood(place: &Place) {
    let count = place.store.prepare_all().await;
    let count = count.unwrap_or_else(|why| panic!("{why}: {:?}", why.source()));
    assert!(count > 100, "{count}");
}

pub(crate) async fn an_empty_database_becomes_ours_once(place: &Place) {
    let url = place.empty_url().await;
    // At the same moment, from threads of their own.
    let mut opening = JoinSet::new();
    for _ in 0..OPENED_AT_ONCE {
        let url = url.clone();
        opening.spawn(async move { open(&url).await });
    }
    let opened = opening.join_all().await;
    let last = open(&url).await;
    let steps = last.migrations().await.expect("it reads");
    assert!(
        steps.iter().all(|step| step.applied_at.is_some()),
        "{steps:?}"
    );
    for store in opened {
        assert_eq!(steps, store.migrations().await.expect("it reads"));
    }
    assert_eq!(last.recover().await.expect("it reads"), Default::default());
}

pub(crate) async fn steps_that_are_missing_are_named_and_not_taken_by_those_who_may_not(
    place: &Place,
) {
    let url = place.empty_url().await;
    if place.is_postgres() {
        let why = refused(&url, Schema::Require).await;
        assert!(matches!(why, SchemaError::Behind { count: 1.. }), "{why}");
        assert!(why.to_string().contains("tidemill db migrate"), "{why}");
        let store = Store::open(&url, with(Schema::Leave))
            .await
            .expect("it opens");
        let steps = store.migrations().await.expect("it reads");
        assert!(
            steps.iter().all(|step| step.applied_at.is_none()),
            "{steps:?}"
        );
    } else {
        // No file is made by somebody who only wants to look.
        let missing = Store::open(&url, with(Schema::Require)).await;
        assert!(
            matches!(missing, Err(StoreError::Open { .. })),
            "{missing:?}"
        );
    }
}

pub(crate) async fn a_newer_schema_is_refused(place: &Place) {
    place
        .by_hand(
            "INSERT INTO schema_step SELECT 99, 'later', checksum, applied_at FROM schema_step WHERE number = 1",
        )
        .await;
    let why = refused(&place.url, Schema::Migrate).await;
    assert!(matches!(why, SchemaError::Newer { found: 99, .. }), "{why}");
    assert!(why.to_string().contains("newer release"), "{why}");
}

pub(crate) async fn a_changed_schema_is_refused(place: &Place) {
    place
        .by_hand("UPDATE schema_step SET checksum = 'another'")
        .await;
    let why = refused(&place.url, Schema::Migrate).await;
    assert!(
        matches!(why, SchemaError::Changed { number: 1, .. }),
        "{why}"
    );
}

pub(crate) async fn somebody_elses_database_is_refused_and_left_alone(place: &Place) {
    let url = place.empty_url().await;
    by_hand(&url, "CREATE TABLE wp_posts (id integer)").await;
    let why = refused(&url, Schema::Migrate).await;
    assert!(
        matches!(&why, SchemaError::NotOurs { tables } if tables == "wp_posts"),
        "{why}"
    );
    let again = refused(&url, Schema::Migrate).await;
    assert!(
        matches!(&again, SchemaError::NotOurs { tables } if tables == "wp_posts"),
        "{again}"
    );
}

pub(crate) async fn an_address_that_is_none_says_what_one_is(_: &Place) {
    for bad in [
        "mysql://u:secret@h/d",
        "sqlite::memory:",
        "sqlite://",
        "tidemill.db",
        "",
    ] {
        let why = Store::open(bad, Options::default())
            .await
            .expect_err("no address");
        let text = why.to_string();
        assert!(text.contains("sqlite://path"), "{bad}: {text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

pub(crate) async fn a_server_that_is_not_there_is_told_from_one_that_is_busy(_: &Place) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("its number").port();
    drop(free);
    let options = Options {
        connect_within: Duration::from_millis(500),
        ..Options::default()
    };
    let nobody = format!("postgres://u:secret@127.0.0.1:{port}/d");
    let why = Store::open(&nobody, options).await.expect_err("no server");
    let cause = why.source().map(ToString::to_string).unwrap_or_default();
    assert!(cause.to_lowercase().contains("refused"), "{cause}");
    assert!(!why.to_string().contains("secret"), "{why}");
}
