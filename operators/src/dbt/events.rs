//! What dbt says while it runs: a line of JSON for each event.

use serde::Deserialize;
use tidemill_core::operator::{Level, TaskContext};

#[derive(Deserialize)]
struct Event {
    info: Info,
    #[serde(default)]
    data: Data,
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    level: String,
    #[serde(default)]
    msg: String,
}

/// Of a node that began or ended.
#[derive(Deserialize, Default)]
struct Data {
    #[serde(default)]
    index: Option<u32>,
    #[serde(default)]
    total: Option<u32>,
    #[serde(default)]
    execution_time: Option<f64>,
    #[serde(default)]
    node_info: Option<NodeInfo>,
}

#[derive(Deserialize)]
struct NodeInfo {
    #[serde(default)]
    node_name: String,
    #[serde(default)]
    node_finished_at: String,
}

/// Tells a task's log and its progress what dbt said.
#[derive(Default)]
pub(super) struct Telling {
    ended: u32,
    /// What went wrong, and what came last, for when there is nothing else to say.
    pub(super) said: tidemill_process::Tail,
}

impl Telling {
    /// A line of dbt's standard output.
    pub(super) fn line(&mut self, line: &str, ctx: &TaskContext) {
        // Something else than dbt may write there, such as a package of the project.
        let Ok(event) = serde_json::from_str::<Event>(line) else {
            self.said.push(line);
            ctx.info(line);
            return;
        };
        let level = match event.info.level.as_str() {
            "debug" => Level::Debug,
            "warn" => Level::Warn,
            "error" => Level::Error,
            _ => Level::Info,
        };
        let text = event.info.msg.trim_end();
        if text.is_empty() {
            return;
        }
        if level > Level::Debug {
            text.lines().for_each(|line| self.said.push(line));
        }
        ctx.log(level, text);
        let data = event.data;
        if let (Some(_), Some(total), Some(_), Some(node)) =
            (data.index, data.total, data.execution_time, data.node_info)
            && !node.node_finished_at.is_empty()
        {
            self.ended += 1;
            let words = format!("{} of {total}: {}", self.ended.min(total), node.node_name);
            let part = f64::from(self.ended) / f64::from(total.max(1));
            ctx.progress(part, words);
        }
    }
}
