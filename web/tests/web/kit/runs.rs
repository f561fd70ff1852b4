//! Runs of other kinds: one that asks somebody, one of a mapped task.

use std::sync::Arc;

use tidemill_core::author::{Approval, Dag, TaskHandle as _};
use tidemill_core::params::{ParamSpec, Params};
use tidemill_core::protocol::NOT_MAPPED;
use tidemill_core::state::{RunState, TaskState};
use tidemill_store::record::{Changes, RunRow, TaskNameRow, TaskRow, VersionRow};

use super::{HOSTILE, Kit, at, dag_row, run, task};

impl Kit {
    /// A run, `one`, of `asking_dag`, whose task `sure` asks something.
    pub(crate) async fn asking() -> Self {
        Self::holding(&asking()).await
    }

    /// A run, `one`, of `mapped_dag`, whose task `each` is so many; ten of them failed.
    pub(crate) async fn mapped(instances: i32) -> Self {
        Self::holding(&mapped(instances)).await
    }
}

/// The page of a run that [`run`] made.
pub(crate) fn run_path(dag: &str, id: i64) -> String {
    const KEEP: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~')
        .remove(b':');
    let name = format!("run_{id}{HOSTILE}");
    format!(
        "/dags/{dag}/runs/{}",
        percent_encoding::utf8_percent_encode(&name, KEEP)
    )
}

fn one_run(built: &Dag, tasks: Vec<TaskRow>) -> Changes {
    let spec = built.spec().clone();
    let version = VersionRow {
        dag: spec.id().clone(),
        version: spec.version(),
        spec: Arc::new(spec),
        deployed_at: at(0),
    };
    let run = RunRow {
        name: "one".into(),
        ..run(1, &version, RunState::Running)
    };
    let whole = tasks.iter().filter(|row| row.of.map_index == NOT_MAPPED);
    let name = |row: &TaskRow| TaskNameRow {
        dag: version.dag.clone(),
        task: row.of.task,
        name: row.name.clone(),
    };
    Changes {
        dags: vec![dag_row(&version)],
        task_names: whole.map(name).collect(),
        new_runs: vec![run],
        new_tasks: tasks,
        versions: vec![version],
        ..Changes::default()
    }
}

/// What the run of `asking_dag` takes.
#[derive(serde::Serialize, serde::Deserialize)]
struct Takes {
    days: u32,
    pace: String,
    since: chrono::NaiveDate,
}

impl Params for Takes {
    fn specs() -> Vec<ParamSpec> {
        vec![
            ParamSpec::of::<u32>("days")
                .default_value(3)
                .limit(|limits| {
                    limits.min = Some(1.0);
                    limits.max = Some(30.0);
                }),
            ParamSpec::of::<String>("pace")
                .default_value("slow")
                .limit(|limits| {
                    limits.one_of = vec!["slow".into(), "fast".into()];
                }),
            ParamSpec::of::<chrono::NaiveDate>("since"),
        ]
    }
}

fn asking() -> Changes {
    let built = Dag::build("asking_dag", |dag| {
        dag.params::<Takes>();
        let first = dag.empty("extract");
        dag.approval("sure", Approval::ask("Load <b>all of {ds}?"))
            .after(&first);
    });
    let tasks = vec![
        task(1, (0, "extract"), TaskState::Success),
        task(1, (1, "sure"), TaskState::Deferred),
    ];
    one_run(&built, tasks)
}

fn mapped(instances: i32) -> Changes {
    let built = Dag::build("mapped_dag", |dag| {
        dag.empty("each");
    });
    let mut tasks = vec![TaskRow {
        instances: u32::try_from(instances).ok(),
        ..task(1, (0, "each"), TaskState::Failed)
    }];
    tasks.extend((0..instances).map(|index| {
        let state = if index % (instances / 10) == 0 {
            TaskState::Failed
        } else {
            TaskState::Success
        };
        let mut row = task(1, (0, "each"), state);
        row.of.map_index = index;
        row
    }));
    one_run(&built, tasks)
}
