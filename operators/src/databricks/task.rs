//! Tasks of a run, and the clusters that they run on.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::text::Text;

use crate::remote::Body;

/// A cluster that is made for a task and goes with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
#[must_use = "a cluster is only made for a task"]
pub struct DatabricksCluster(Body);

impl DatabricksCluster {
    /// With this version of the runtime: `DatabricksCluster::of("15.4.x-scala2.12").node("n2-highmem-4").workers(4)`.
    pub fn of(spark_version: impl Into<Text>) -> Self {
        let mut cluster = Body::default();
        cluster.text("spark_version", spark_version);
        Self(cluster)
    }

    /// The type of its machines.
    pub fn node(mut self, kind: impl Into<Text>) -> Self {
        self.0.text("node_type_id", kind);
        self
    }

    /// So many workers; none: the driver does everything.
    pub fn workers(mut self, count: u32) -> Self {
        if count == 0 {
            self = self.conf("spark.databricks.cluster.profile", "singleNode");
            self = self.conf("spark.master", "local[*]");
            self.0.entry("custom_tags", "ResourceClass", "SingleNode");
        }
        self.0.put("num_workers", count);
        self
    }

    /// As many workers as there is work for, from `least` to `most`.
    pub fn autoscale(mut self, least: u32, most: u32) -> Self {
        self.0.put(
            "autoscale",
            json!({ "min_workers": least, "max_workers": most }),
        );
        self
    }

    /// The pool that its machines come from.
    pub fn pool(mut self, id: impl Into<Text>) -> Self {
        self.0.text("instance_pool_id", id);
        self
    }

    /// The policy that it has to keep to.
    pub fn policy(mut self, id: impl Into<Text>) -> Self {
        self.0.text("policy_id", id);
        self
    }

    /// A setting of Spark.
    pub fn conf(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.0.entry("spark_conf", name, value);
        self
    }

    /// A tag.
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.0.entry("custom_tags", name, value);
        self
    }

    /// Whatever else the API's cluster has.
    pub fn with(mut self, fields: Value) -> Self {
        self.0.merge(fields);
        self
    }
}

/// A task of a run. Without a cluster it runs on what the workspace has ready (serverless).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a task does nothing until it is part of a run"]
pub struct DatabricksTask {
    /// The field that says what kind of task it is, such as `notebook_task`.
    kind: String,
    task: Body,
}

impl DatabricksTask {
    fn of(kind: &str) -> Self {
        let mut task = Body::default();
        task.put("task_key", "main");
        task.put(kind, json!({}));
        Self {
            kind: kind.to_owned(),
            task,
        }
    }

    fn says(mut self, field: &str, text: impl Into<Text>) -> Self {
        self.task.text(&format!("{}/{field}", self.kind), text);
        self
    }

    /// A notebook: `DatabricksTask::notebook("/Shared/load").param("day", "{ds}")`.
    pub fn notebook(path: impl Into<Text>) -> Self {
        Self::of("notebook_task").says("notebook_path", path)
    }

    /// A file of Python.
    pub fn spark_python(file: impl Into<Text>) -> Self {
        Self::of("spark_python_task").says("python_file", file)
    }

    /// The main class of a jar, which is one of the [libraries](Self::library).
    pub fn spark_jar(class: impl Into<Text>) -> Self {
        Self::of("spark_jar_task").says("main_class_name", class)
    }

    /// An entry point of a package, which is one of the [libraries](Self::library) or in the environment.
    pub fn python_wheel(package: impl Into<Text>, entry_point: impl Into<Text>) -> Self {
        Self::of("python_wheel_task")
            .says("package_name", package)
            .says("entry_point", entry_point)
    }

    /// A file of SQL, on a warehouse.
    pub fn sql_file(path: impl Into<Text>, warehouse: impl Into<Text>) -> Self {
        Self::of("sql_task")
            .says("file/path", path)
            .says("warehouse_id", warehouse)
    }

    /// A query that is kept in the workspace, on a warehouse.
    pub fn sql_query(id: impl Into<Text>, warehouse: impl Into<Text>) -> Self {
        Self::of("sql_task")
            .says("query/query_id", id)
            .says("warehouse_id", warehouse)
    }

    /// Commands of dbt, one after the other; [`Self::arg`] adds one. The project is in `.with(json!({"dbt_task":
    /// {"project_directory": …}}))`, or in the run's `git_source`.
    pub fn dbt(command: impl Into<Text>) -> Self {
        Self::of("dbt_task").arg(command)
    }

    /// An update of a pipeline, under the run's token: see also [`DatabricksPipeline`](super::DatabricksPipeline).
    pub fn pipeline(id: impl Into<Text>) -> Self {
        Self::of("pipeline_task").says("pipeline_id", id)
    }

    /// All tables of the pipeline are computed anew.
    pub fn full_refresh(mut self) -> Self {
        self.task.put(&format!("{}/full_refresh", self.kind), true);
        self
    }

    /// Its name within the run; `main` if nothing is said.
    pub fn named(mut self, key: impl Into<String>) -> Self {
        self.task.put("task_key", key.into());
        self
    }

    /// It comes after this task.
    pub fn after(mut self, key: impl Into<String>) -> Self {
        self.task
            .push("depends_on", json!({ "task_key": key.into() }));
        self
    }

    /// When it runs, such as `ALL_DONE`; when all before it ended well if nothing is said.
    pub fn run_if(mut self, rule: impl Into<String>) -> Self {
        self.task.put("run_if", rule.into());
        self
    }

    /// A parameter with a name.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        let field = match self.kind.as_str() {
            "notebook_task" => "base_parameters",
            "python_wheel_task" => "named_parameters",
            _ => "parameters",
        };
        self.task
            .entry(&format!("{}/{field}", self.kind), name, value);
        self
    }

    /// An argument; called again, another. Of dbt a command.
    pub fn arg(mut self, arg: impl Into<Text>) -> Self {
        let field = match self.kind.as_str() {
            "dbt_task" => "commands",
            _ => "parameters",
        };
        self.task.push_text(&format!("{}/{field}", self.kind), arg);
        self
    }

    /// On a cluster that is there.
    pub fn on_cluster(mut self, id: impl Into<Text>) -> Self {
        self.task.text("existing_cluster_id", id);
        self
    }

    /// On a cluster that is made for it.
    pub fn new_cluster(mut self, cluster: DatabricksCluster) -> Self {
        self.task.put("new_cluster", cluster.0.into_value());
        self
    }

    /// In one of the run's environments, without a cluster: see
    /// [`DatabricksSubmitRun::environment`](super::DatabricksSubmitRun::environment).
    pub fn in_environment(mut self, key: impl Into<String>) -> Self {
        self.task.put("environment_key", key.into());
        self
    }

    /// A library: `.library(json!({"whl": "/Volumes/libs/shop.whl"}))`.
    pub fn library(mut self, library: Value) -> Self {
        self.task.push("libraries", library);
        self
    }

    /// Whatever else the API's task has.
    pub fn with(mut self, fields: Value) -> Self {
        self.task.merge(fields);
        self
    }

    pub(super) const fn body(&self) -> &Value {
        self.task.value()
    }
}
