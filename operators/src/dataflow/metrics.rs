//! What a pipeline counted.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use tidemill_core::operator::{TaskContext, TaskResult};

use super::Launched;
use crate::http::Client;

#[derive(Deserialize)]
struct All {
    #[serde(default)]
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    name: Name,
    #[serde(default)]
    scalar: Value,
}

#[derive(Deserialize)]
struct Name {
    #[serde(default)]
    origin: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    context: BTreeMap<String, String>,
}

/// The counters of a pipeline's own and those of the whole job, by name. A job has not failed because they cannot be read.
pub(super) async fn of(ctx: &TaskContext, client: &Client, at: &Launched) -> BTreeMap<String, f64> {
    match read(client, at).await {
        Ok(all) => summed(all),
        Err(error) => {
            let id = &at.id;
            ctx.warn(format!(
                "the metrics of Dataflow job {id} cannot be read: {error}"
            ));
            BTreeMap::new()
        }
    }
}

async fn read(client: &Client, at: &Launched) -> TaskResult<All> {
    client
        .get(
            "/v1b3/projects/{}/locations/{}/jobs/{}/metrics",
            &[&at.project, &at.region, &at.id],
        )
        .doing(format!("read the metrics of Dataflow job {}", at.id))
        .needs("dataflow.metrics.get")
        .send_json()
        .await
}

/// Counters of one name in several steps are added up; what is not final, or is of one step and the service's own, is left out.
fn summed(all: All) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for metric in all.metrics {
        let name = metric.name;
        let counts = name.origin == "user" || name.context.is_empty();
        if name.context.contains_key("tentative") || !counts {
            continue;
        }
        if let Some(number) = number(&metric.scalar) {
            *sums.entry(name.name).or_insert(0.0) += number;
        }
    }
    sums
}

/// Large numbers come as text.
fn number(scalar: &Value) -> Option<f64> {
    match scalar {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_added_up_and_tentative_ones_left_out() {
        let all = serde_json::json!({"metrics": [
            {"name": {"origin": "user", "name": "rows", "context": {"step": "a"}}, "scalar": 3},
            {"name": {"origin": "user", "name": "rows", "context": {"step": "b"}}, "scalar": "4"},
            {"name": {"origin": "user", "name": "rows", "context": {"step": "b", "tentative": "true"}}, "scalar": 9},
            {"name": {"origin": "dataflow/v1b3", "name": "ElementCount", "context": {"output_user_name": "x"}}, "scalar": 9},
            {"name": {"origin": "dataflow/v1b3", "name": "TotalVcpuTime", "context": {}}, "scalar": 12.5},
            {"name": {"origin": "user", "name": "spread"}, "distribution": {}},
        ]});
        let sums = summed(serde_json::from_value(all).unwrap());
        assert_eq!(
            sums,
            BTreeMap::from([("TotalVcpuTime".to_owned(), 12.5), ("rows".to_owned(), 7.0)])
        );
    }
}
