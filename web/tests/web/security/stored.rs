//! A store and a door with a text in every field that somebody can fill.

use std::marker::PhantomData;
use std::sync::Arc;

use serde_json::json;
use tidemill_access::Role;
use tidemill_core::author::Dag;
use tidemill_core::id::TaskId;
use tidemill_core::params::{ParamSpec, Params};
use tidemill_core::protocol::{RunNo, TaskNo};
use tidemill_core::spec::Severity;
use tidemill_core::state::{RunState, TaskState};
use tidemill_store::access::{By, NewUser};
use tidemill_store::record::TaskNameRow;
use tidemill_store::record::{
    AuditRow, BackfillDateRow, BackfillRow, BackfillState, Changes, DateState, OutboxRow,
    OutputRow, PoolRow, Reprocess, RunRow, TaskDetailRow, TokenRow, Touch, VersionRow,
};

use super::corpus;
use crate::kit::{Kit, at, attempt, check, dag_row, fleet, load, run, task};

/// The name of a run: the text, as long as a name may be.
pub(super) fn name(text: &str) -> String {
    text.chars().take(120).collect()
}

/// As many harmless texts as there are others.
pub(super) fn harmless() -> Vec<String> {
    (0..200).map(|nth| format!("word {nth}")).collect()
}

/// Whose params are described with these texts.
trait Texts: Send + Sync + 'static {
    fn texts() -> Vec<String>;
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Bad;
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Good;

impl Texts for Bad {
    fn texts() -> Vec<String> {
        corpus::texts()
    }
}

impl Texts for Good {
    fn texts() -> Vec<String> {
        harmless()
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound = "")]
struct Takes<T>(PhantomData<T>);

impl<T: Texts> Params for Takes<T> {
    fn specs() -> Vec<ParamSpec> {
        let texts = T::texts().into_iter().enumerate();
        let spec = |(nth, text): (usize, String)| {
            ParamSpec::of::<String>(&format!("param_{nth}"))
                .describe(&text)
                .default_value(text)
        };
        texts.map(spec).collect()
    }
}

fn version<T: Texts>(texts: &[String]) -> VersionRow {
    let built = Dag::build("open_dag", |dag| {
        dag.doc(texts.join("\n\n"));
        dag.owner(texts.join(" "));
        for text in texts {
            dag.tag(text);
        }
        dag.pool(&texts[0]);
        dag.queue(&texts[1]);
        dag.params::<Takes<T>>();
        dag.schedule("0 2 * * *");
        dag.start("2025-01-01");
        let first = dag.empty("extract");
        let load = dag.group("load", |load| load.empty("sales"));
        dag.edge(&first, &load);
    });
    let spec = built.spec().clone();
    VersionRow {
        dag: spec.id().clone(),
        version: spec.version(),
        spec: Arc::new(spec),
        deployed_at: at(0),
    }
}

fn touch(text: &str) -> Option<Touch> {
    Some(Touch {
        by: text.into(),
        how: text.into(),
        at: at(0),
    })
}

/// A run for each text, and everything of it.
fn runs(changes: &mut Changes, version: &VersionRow, texts: &[String]) {
    for (id, text) in (1..).zip(texts) {
        let odd = id % 2 == 1;
        let state = if odd {
            RunState::Failed
        } else {
            RunState::Running
        };
        changes.new_runs.push(RunRow {
            name: name(text).into(),
            params: json!({ "param_0": text, text.as_str(): [text] })
                .to_string()
                .into(),
            quarantine: odd.then(|| text.as_str().into()),
            why: Some(text.as_str().into()),
            note: Some(text.as_str().into()),
            touched: touch(text),
            ..run(id, version, state)
        });
        let failed = task(id, (1, "load.sales"), TaskState::Failed);
        changes.task_details.push(TaskDetailRow {
            of: failed.of,
            handle: None,
            why: Some(text.as_str().into()),
            item: Some(json!(text).to_string().into()),
            said: None,
            note: Some(text.as_str().into()),
            touched: touch(text),
        });
        let mut tried = attempt(id, 1);
        tried.message = Some(text.as_str().into());
        tried.help = Some(text.as_str().into());
        tried.worker = Some(text.as_str().into());
        changes.outputs.push(OutputRow {
            attempt: tried.id,
            of: tried.of,
            value: json!({ text.as_str(): text }).to_string().into(),
            listed: false,
        });
        changes.attempts.push(tried);
        changes.loads.push(load(id, version, text));
        changes.checks.push(check(id, version, text));
        changes
            .new_tasks
            .push(task(id, (0, "extract"), TaskState::Success));
        changes.new_tasks.push(failed);
    }
}

/// A line of the audit log, an alert, a pool and a backfill for each text.
fn shared(changes: &mut Changes, version: &VersionRow, texts: &[String]) {
    for (id, text) in (1..).zip(texts) {
        let each = || Arc::<str>::from(text.as_str());
        changes.audits.push(AuditRow {
            id,
            at: at(id),
            actor: each(),
            action: each(),
            target: each(),
            dag: Some(version.dag.clone()),
            run: Some(RunNo(1)),
            details: json!({ text.as_str(): text, "changed": [[1, text, -1, text, text]] })
                .to_string()
                .into(),
        });
        let body = json!({ "on": text, "dag": version.dag, "run": text, "task": text, "why": text, "note": text });
        changes.outbox.push(OutboxRow {
            id,
            key: each(),
            route: each(),
            severity: Severity::Warning,
            run: Some(RunNo(id)),
            body: body.to_string().into(),
            at: at(0),
            dag: Some(version.dag.clone()),
        });
        changes.pools.push(PoolRow {
            name: format!("pool_{id}").into(),
            slots: Some(8),
            holds_deferred: true,
            paused: false,
            edits: 7,
            note: Some(each()),
            touched: touch(text),
        });
        changes.backfills.push(BackfillRow {
            id,
            dag: version.dag.clone(),
            from: at(0),
            to: at(86_400),
            reprocess: Reprocess::Failed,
            active_runs_max: 4,
            params: json!({ "param_0": text }).to_string().into(),
            state: BackfillState::Active,
            created_at: at(0),
            edits: 7,
            touched: touch(text),
        });
        changes.backfill_dates.push(BackfillDateRow {
            backfill: 1,
            nth: u32::try_from(id).expect("small"),
            start: at(id * 86_400),
            end: at((id + 1) * 86_400),
            state: DateState::LeftOut(each()),
        });
    }
}

fn changes(version: &VersionRow, texts: &[String]) -> Changes {
    let name = |(no, name)| TaskNameRow {
        dag: version.dag.clone(),
        task: TaskNo(no),
        name: TaskId::parse(name).expect("a name"),
    };
    let mut row = dag_row(version);
    row.touched = touch(&texts[0]);
    let mut changes = Changes {
        versions: vec![version.clone()],
        dags: vec![row],
        task_names: (0..).zip(["extract", "load.sales"]).map(name).collect(),
        ..Changes::default()
    };
    runs(&mut changes, version, texts);
    shared(&mut changes, version, texts);
    changes
}

/// Users and tokens that are called so, as far as people can be.
async fn people(kit: &Kit, texts: &[String]) {
    let by = By {
        who: &texts[0],
        at: at(0),
    };
    for (nth, text) in texts.iter().enumerate() {
        let user = NewUser {
            name: format!("user{nth}").into(),
            display: text.as_str().into(),
            password: None,
            sso: None,
            role: Role::Viewer,
            must_change: false,
        };
        if nth < 40 {
            assert!(kit.store.make_user(&user, by).await.expect("it writes"));
        }
        let token = TokenRow {
            id: format!("id{nth}").into(),
            hash: format!("hash{nth}").into(),
            name: text.as_str().into(),
            user: "kim".into(),
            role: Role::Viewer,
            dags: vec!["open_dag".into()],
            created_at: at(0),
            ends_at: None,
            used_at: None,
            revoked: None,
        };
        if nth < 100 {
            assert!(kit.store.make_token(&token, by).await.expect("it writes"));
        }
    }
}

/// A site with these texts everywhere.
pub(super) async fn site(texts: &[String], bad: bool) -> Kit {
    let version = if bad {
        version::<Bad>(texts)
    } else {
        version::<Good>(texts)
    };
    let kit = Kit::holding(&changes(&version, texts)).await;
    people(&kit, texts).await;
    let lines: Vec<(&str, &str)> = texts.iter().map(|text| ("error", text.as_str())).collect();
    kit.say(&lines);
    *kit.door.fleet.lock().expect("it works") = fleet();
    *kit.door.texts.lock().expect("it works") = texts.to_vec();
    kit
}
