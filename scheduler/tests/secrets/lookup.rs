//! Looking up: the environment, the store, other sources, in this order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tidemill_core::operator::{BoxFuture, Secret};
use tidemill_core::time::Timestamp;
use tidemill_scheduler::secrets::{SecretSource, Secrets, SecretsError};
use tidemill_store::record::Changes;
use tidemill_store::{CommitOutcome, Options, Store};

use crate::seal::{NEW, OLD, ring, sealed, variable};

const NOW: Timestamp = Timestamp::from_micros(1_735_689_600_000_000);

/// A store with the connection `crm` and the variable `region`.
async fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("it works");
    let url = format!("sqlite://{}", dir.path().join("t.db").display());
    let store = Store::open(&url, Options::default())
        .await
        .expect("it works");
    let lead = store
        .lead("test", Duration::from_secs(60))
        .await
        .expect("it works");
    let keys = ring(&[OLD]);
    let changes = Changes {
        connections: vec![sealed(&keys, "crm")],
        variables: vec![variable(&keys, "region", "eu")],
        ..Changes::default()
    };
    let outcome = lead.commit(1, &changes).await.expect("it works");
    assert!(matches!(outcome, CommitOutcome::Done));
    (dir, store)
}

fn secrets(store: Store, variables: &[(&str, &str)], keys: &[&str]) -> Secrets {
    let variables: BTreeMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Secrets::new(variables, store, Arc::new(ring(keys)))
}

/// Secret Manager, as it were.
#[derive(Default)]
struct Elsewhere {
    has: Mutex<BTreeMap<String, String>>,
    asked: AtomicU32,
    broken: bool,
}

impl Elsewhere {
    fn with(name: &str, text: &str) -> Self {
        let has = Mutex::new(BTreeMap::from([(name.to_owned(), text.to_owned())]));
        Self {
            has,
            ..Self::default()
        }
    }
}

impl SecretSource for Elsewhere {
    fn place(&self) -> String {
        "Secret Manager".to_owned()
    }

    fn fetch<'a>(&'a self, secret: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let found = self
            .has
            .lock()
            .expect("it works")
            .get(secret)
            .map(Secret::new);
        Box::pin(async move {
            if self.broken {
                return Err("it answers 503".to_owned());
            }
            Ok(found)
        })
    }
}

#[tokio::test]
async fn the_environment_wins_over_the_store_over_other_sources() {
    let (_dir, store) = store().await;
    let source = Arc::new(Elsewhere::with(
        "tidemill-connection-crm",
        "http://elsewhere",
    ));
    let variables = [
        ("TIDEMILL_CONN_CRM", "http://here"),
        ("TIDEMILL_VAR_REGION", "us"),
    ];
    let here = secrets(store.clone(), &variables, &[OLD]).and_then(source.clone());
    let crm = here.connection("crm", NOW).await.unwrap();
    assert_eq!(crm.field("url").unwrap(), "http://here");
    assert_eq!(here.variable("region", NOW).await.unwrap(), "us");
    let kept = secrets(store, &[], &[OLD]).and_then(source.clone());
    let crm = kept.connection("crm", NOW).await.unwrap();
    assert_eq!(crm.field("host").unwrap(), "crm.example");
    assert_eq!(crm.secret("password").unwrap().reveal(), "hunter2");
    assert_eq!(kept.variable("region", NOW).await.unwrap(), "eu");
    assert_eq!(source.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn another_source_is_asked_last_and_not_twice_a_minute() {
    let (_dir, store) = store().await;
    let source = Arc::new(Elsewhere::with(
        "tidemill-connection-shop_v2",
        r#"{"kind": "http", "fields": {"url": "https://shop"}, "secrets": {"token": "t"}}"#,
    ));
    let secrets = secrets(store, &[], &[OLD]).and_then(source.clone());
    for later in [0, 59] {
        let now = NOW.after(Duration::from_secs(later));
        let shop = secrets.connection("shop.v2", now).await.unwrap();
        assert_eq!(shop.name, "shop.v2");
        assert_eq!(shop.secret("token").unwrap().reveal(), "t");
    }
    assert_eq!(source.asked.load(Ordering::Relaxed), 1);
    let now = NOW.after(Duration::from_secs(61));
    secrets.connection("shop.v2", now).await.unwrap();
    assert_eq!(source.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_source_that_does_not_answer_is_no_missing_connection() {
    let (_dir, store) = store().await;
    let broken = Elsewhere {
        broken: true,
        ..Elsewhere::default()
    };
    let secrets = secrets(store, &[], &[OLD]).and_then(Arc::new(broken));
    let error = secrets.connection("shop", NOW).await.unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(
        error.to_string(),
        "ask Secret Manager for `tidemill-connection-shop`: it answers 503"
    );
}

#[tokio::test]
async fn what_is_nowhere_is_said_with_how_to_set_it_and_the_nearest_name() {
    let (_dir, store) = store().await;
    let secrets = secrets(store, &[], &[OLD]);
    let says = |error: SecretsError| error.to_string();
    assert_eq!(
        says(secrets.connection("crn", NOW).await.unwrap_err()),
        "there is no connection `crn`; did you mean `crm`?; set it with `connections set crn --kind http …`, or in the variable `TIDEMILL_CONN_CRN`"
    );
    assert_eq!(
        says(secrets.variable("colour", NOW).await.unwrap_err()),
        "there is no variable `colour`; set it with `variables set colour VALUE`, or in the variable `TIDEMILL_VAR_COLOUR` of the environment"
    );
}

#[tokio::test]
async fn a_missing_key_is_named_and_not_passed_over() {
    let (_dir, store) = store().await;
    let secrets = secrets(store, &[], &[NEW]);
    let error = secrets.connection("crm", NOW).await.unwrap_err();
    assert!(error.to_string().contains("the key `old`"), "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_connection_may_be_an_address() {
    let (_dir, store) = store().await;
    let of = |text: &'static str| {
        let secrets = secrets(store.clone(), &[("TIDEMILL_CONN_X", text)], &[OLD]);
        async move { secrets.connection("x", NOW).await }
    };
    let http = of("https://me:p%40ss@api.example:8443/v1?region=eu&api_key=hidden").await;
    let http = http.unwrap();
    assert_eq!(http.kind, "http");
    let fields: Vec<_> = http.fields.iter().map(|(a, b)| (&**a, &**b)).collect();
    assert_eq!(
        fields,
        [
            ("host", "api.example"),
            ("path", "/v1"),
            ("port", "8443"),
            ("region", "eu"),
            ("url", "https://api.example:8443/v1"),
            ("user", "me"),
        ]
    );
    assert_eq!(http.secret("password").unwrap().reveal(), "p@ss");
    assert_eq!(http.secret("api_key").unwrap().reveal(), "hidden");
    let other = of("databricks://host.example?token=abc").await.unwrap();
    assert_eq!(
        (other.kind.as_str(), other.field("host").unwrap()),
        ("databricks", "host.example")
    );
    assert_eq!(other.secret("token").unwrap().reveal(), "abc");
    for wrong in [
        "hidden",
        "{\"kind\": hidden",
        "{\"kin\": \"hidden\"}",
        "http://",
    ] {
        let error = of(wrong).await.unwrap_err().to_string();
        assert!(
            error.starts_with("the variable `TIDEMILL_CONN_X` is no connection: "),
            "{error}"
        );
        assert!(!error.contains("hidden"), "{error}");
    }
}
