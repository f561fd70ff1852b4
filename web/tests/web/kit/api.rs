//! Asking as a program does.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::Value;
use tidemill_core::id::DagId;
use tidemill_core::state::RunState;
use tidemill_logs::{Line, Numbered};
use tidemill_store::CommitOutcome;
use tidemill_store::record::{Changes, RunRow};
use tidemill_web::{Config, LiveSettings, NothingKnown, Web, site};

use super::{Answer, Kit, TestAccess, at, now, run};

impl Kit {
    /// Sends JSON with somebody's token.
    pub(crate) async fn json(
        &self,
        who: &str,
        (method, path): (Method, &str),
        body: &str,
    ) -> Answer {
        self.sent(who, (method, path), &[], body).await
    }

    /// The same, with other headers as well.
    pub(crate) async fn sent(
        &self,
        who: &str,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer token-{who}"))
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned()));
        self.send(request.expect("it works")).await
    }

    /// Looks at something that is there.
    pub(crate) async fn look(&self, who: &str, path: &str) -> Value {
        let answer = self.json(who, (Method::GET, path), "").await;
        assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.body);
        answer.value()
    }
}

impl Answer {
    /// Its body as JSON.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Kit {
    /// What every attempt wrote: levels and texts.
    pub(crate) fn say(&self, lines: &[(&str, &str)]) {
        let line = |(number, (level, text)): (u64, &(&str, &str))| Numbered {
            number,
            line: Line {
                at: at(0),
                level: serde_json::from_value((*level).into()).expect("a level"),
                text: (*text).to_owned(),
                source: None,
                fields: serde_json::Map::new(),
            },
        };
        *self.door.lines.lock().expect("it works") = (1..).zip(lines).map(line).collect();
    }

    /// Another web process over the same database.
    pub(crate) fn restarted(self) -> Self {
        self.with_changes(1_000_000)
    }

    /// Another web process, which lets everybody make so many changes at once.
    pub(crate) fn with_changes(self, changes: u32) -> Self {
        let config = Config {
            deployment: "tidemill".into(),
            https: false,
            about: Arc::new(NothingKnown),
            wall: now,
            proxies: 0,
            changes,
            port: None,
            live: LiveSettings::default(),
        };
        let door = Arc::clone(&self.door) as _;
        let web = Web::new(config, self.store.clone(), door, Arc::new(TestAccess));
        Self {
            router: site(web).router,
            ..self
        }
    }

    /// A run of `open_dag` is there from now on.
    pub(crate) async fn has_run(&self, batch: i64, run: RunRow) {
        let changes = Changes {
            new_runs: vec![run],
            ..Changes::default()
        };
        let outcome = self.leader.commit(batch, &changes).await;
        assert!(matches!(outcome, Ok(CommitOutcome::Done)), "{outcome:?}");
    }

    /// A run of `open_dag` stands otherwise from now on.
    pub(crate) async fn changes_run(&self, batch: i64, run: RunRow) {
        let changes = Changes {
            runs: vec![run],
            ..Changes::default()
        };
        let outcome = self.leader.commit(batch, &changes).await;
        assert!(matches!(outcome, Ok(CommitOutcome::Done)), "{outcome:?}");
    }
}

/// A run of `open_dag` that waits for its turn.
pub(crate) async fn fresh_run(kit: &Kit, (no, name): (i64, &str)) -> RunRow {
    let open = DagId::parse("open_dag").expect("a name");
    let rows = kit.store.versions(&open).await.expect("it works");
    let version = rows.into_iter().next().expect("a version");
    RunRow {
        name: name.into(),
        note: None,
        ended_at: None,
        ..run(no, &version, RunState::Running)
    }
}
