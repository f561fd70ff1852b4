//! Tasks of a job: what they run, with what, and after which others.

use std::collections::BTreeMap;

use serde_json::Value;

use super::wrong;
use crate::call::Refusal;
use crate::jobs::{RunIf, Task, Work, arguments, stem};
use crate::services::fields;

/// Tasks of one run.
const MOST: usize = 100;

/// What a run is given beside what its tasks say.
#[derive(Default)]
pub(super) struct Given {
    /// For every task.
    pub(super) all: BTreeMap<String, String>,
    /// For notebooks, files of Python, wheels and jars, instead of their own.
    pub(super) named: BTreeMap<String, String>,
    pub(super) words: Option<Vec<String>>,
}

impl Given {
    /// Reads a request of `run-now` for a job with these settings.
    pub(super) fn read(settings: &Value, body: &Value) -> Result<Self, Refusal> {
        let mut all = BTreeMap::new();
        for one in settings["parameters"].as_array().into_iter().flatten() {
            let name = fields::need(one, "/name")?;
            let value = one["default"].as_str().unwrap_or_default();
            all.insert(name.to_owned(), value.to_owned());
        }
        all.extend(fields::strings(body, "/job_parameters")?);
        let mut named = fields::strings(body, "/notebook_params")?;
        named.extend(fields::strings(body, "/python_named_params")?);
        named.extend(fields::strings(body, "/sql_params")?);
        let mut words = None;
        for name in ["python_params", "jar_params"] {
            if body.get(name).is_some() {
                words = Some(fields::list(body, &format!("/{name}"))?);
            }
        }
        for name in ["pipeline_params", "dbt_commands", "spark_submit_params"] {
            if body.get(name).is_some_and(|value| !value.is_null()) {
                return Err(Refusal::unsupported(name));
            }
        }
        Ok(Self { all, named, words })
    }
}

/// The tasks of a job or of a run that is submitted.
pub(super) fn read(settings: &Value, given: &Given) -> Result<Vec<Task>, Refusal> {
    let Some(list) = settings["tasks"].as_array().filter(|list| !list.is_empty()) else {
        return Err(wrong("tasks is required: a list with at least one task"));
    };
    if list.len() > MOST {
        return Err(wrong(format!(
            "a job has at most {MOST} tasks, not {}",
            list.len()
        )));
    }
    let tasks: Vec<Task> = list
        .iter()
        .map(|task| one(task, given))
        .collect::<Result<_, _>>()?;
    for (at, task) in tasks.iter().enumerate() {
        if tasks[..at].iter().any(|other| other.key == task.key) {
            return Err(wrong(format!("task_key {:?} is there twice", task.key)));
        }
        for need in &task.needs {
            if !tasks.iter().any(|other| other.key == *need) {
                return Err(wrong(format!(
                    "task {:?} depends on {need:?}, which is no task of this job",
                    task.key
                )));
            }
        }
    }
    acyclic(&tasks)?;
    Ok(tasks)
}

/// Takes away what depends on nothing that is left, until nothing is left.
fn acyclic(tasks: &[Task]) -> Result<(), Refusal> {
    let mut left: Vec<&Task> = tasks.iter().collect();
    while !left.is_empty() {
        let keys: Vec<&String> = left.iter().map(|task| &task.key).collect();
        let before = left.len();
        left.retain(|task| task.needs.iter().any(|need| keys.contains(&need)));
        if left.len() == before {
            return Err(wrong("the tasks depend on each other in a circle"));
        }
    }
    Ok(())
}

fn one(task: &Value, given: &Given) -> Result<Task, Refusal> {
    let key = fields::need(task, "/task_key")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !fields::named(key, 1, 100, fits) {
        return Err(wrong(format!(
            "task_key {key:?}: at most 100 letters, digits, hyphens and underscores"
        )));
    }
    let (work, own) = work(task, given)?;
    let mut parameters = given.all.clone();
    parameters.extend(own);
    let mut read = Task::new(work, parameters);
    key.clone_into(&mut read.key);
    for need in task["depends_on"].as_array().into_iter().flatten() {
        if fields::text(need, "/outcome").is_some() {
            return Err(Refusal::unsupported("depends_on with an outcome"));
        }
        read.needs.push(fields::need(need, "/task_key")?.to_owned());
    }
    if let Some(rule) = task.get("run_if").filter(|rule| !rule.is_null()) {
        read.run_if = serde_json::from_value::<RunIf>(rule.clone())
            .map_err(|_| wrong(format!("run_if has no value {rule}")))?;
    }
    Ok(read)
}

/// What a task runs, by the file, notebook or class it names.
fn work(task: &Value, given: &Given) -> Result<(Work, BTreeMap<String, String>), Refusal> {
    let program = |what: &str| Work::Program(stem(what).to_owned());
    let words = |pointer: &str| match &given.words {
        Some(words) => Ok(arguments(words)),
        None => fields::list(task, pointer).map(|words| arguments(&words)),
    };
    let named = |pointer: &str| {
        let mut all = fields::strings(task, pointer)?;
        all.extend(given.named.clone());
        Ok::<_, Refusal>(all)
    };
    let at = |name: &str| task.get(name).is_some_and(Value::is_object);
    Ok(if at("notebook_task") {
        let path = fields::need(task, "/notebook_task/notebook_path")?;
        (program(path), named("/notebook_task/base_parameters")?)
    } else if at("spark_python_task") {
        let file = fields::need(task, "/spark_python_task/python_file")?;
        (program(file), words("/spark_python_task/parameters")?)
    } else if at("python_wheel_task") {
        let entry = fields::need(task, "/python_wheel_task/entry_point")?;
        let mut all = words("/python_wheel_task/parameters")?;
        all.extend(named("/python_wheel_task/named_parameters")?);
        (program(entry), all)
    } else if at("spark_jar_task") {
        let class = fields::need(task, "/spark_jar_task/main_class_name")?;
        (program(class), words("/spark_jar_task/parameters")?)
    } else if at("sql_task") {
        let Some(file) = fields::text(task, "/sql_task/file/path") else {
            return Err(Refusal::unsupported("sql_task without file.path"));
        };
        (program(file), named("/sql_task/parameters")?)
    } else if at("pipeline_task") {
        let pipeline = fields::need(task, "/pipeline_task/pipeline_id")?;
        (Work::Program(pipeline.to_owned()), BTreeMap::new())
    } else {
        return Err(Refusal::unsupported(
            "a task that is none of notebook_task, spark_python_task, python_wheel_task, spark_jar_task, sql_task, pipeline_task",
        ));
    })
}
