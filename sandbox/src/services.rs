//! The services: their names, their methods, and how each writes an error.

use serde::{Deserialize, Serialize};

use crate::call::{Refusal, Reply};
use crate::route::Method;

mod airbyte;
pub(crate) mod bigquery;
mod cloud_run;
mod cloud_sql;
pub(crate) mod crm;
mod databricks;
mod dataflow;
pub(crate) mod dataproc;
mod dbt_cloud;
mod errors;
mod fields;
pub(crate) mod pubsub;
pub(crate) mod receivers;
mod secrets;
pub(crate) mod storage;
pub(crate) mod streaming;
mod tokens;
mod vertex;

pub(crate) use pubsub::{Pubsub, Taken};
pub(crate) use tokens::Tokens;

/// Whose method a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// Cloud Storage.
    Storage,
    /// `BigQuery`.
    Bigquery,
    /// Dataflow.
    Dataflow,
    /// Dataproc.
    Dataproc,
    /// Databricks.
    Databricks,
    /// dbt Cloud.
    DbtCloud,
    /// Airbyte.
    Airbyte,
    /// Cloud SQL.
    CloudSql,
    /// Cloud Run.
    CloudRun,
    /// Cloud Functions.
    Functions,
    /// Vertex AI.
    Vertex,
    /// Secret Manager.
    Secrets,
    /// Pub/Sub.
    Pubsub,
    /// The CRM of the included DAGs.
    Crm,
    /// Receivers of alerts: Slack and the others.
    Receivers,
    /// Tokens: what Google's and Databricks' login servers and the metadata server answer.
    Tokens,
    /// The sandbox's own: faults, journal, page.
    Sandbox,
}

impl Service {
    /// A refusal in the service's own format.
    pub(crate) fn refuse(self, refusal: &Refusal) -> Reply {
        match self {
            Self::Databricks => errors::databricks(refusal),
            Self::Airbyte => errors::airbyte(refusal),
            Self::DbtCloud => errors::dbt_cloud(refusal),
            Self::Storage | Self::Bigquery | Self::CloudSql => errors::google_old(refusal),
            _ => errors::google(refusal),
        }
    }
}

/// All methods of all services.
pub(crate) fn methods() -> Vec<Method> {
    let mut methods = crate::control::methods();
    methods.extend(crm::methods());
    methods.extend(receivers::methods());
    methods.extend(airbyte::methods());
    methods.extend(bigquery::methods());
    methods.extend(cloud_run::methods());
    methods.extend(cloud_sql::methods());
    methods.extend(databricks::methods());
    methods.extend(dataflow::methods());
    methods.extend(dataproc::methods());
    methods.extend(dbt_cloud::methods());
    methods.extend(pubsub::methods());
    methods.extend(secrets::methods());
    methods.extend(tokens::methods());
    methods.extend(vertex::methods());
    methods.extend(storage::methods());
    methods.sort_by_key(|method| method.id);
    methods
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::methods;

    #[test]
    fn no_two_methods_have_one_path() {
        let mut seen = HashMap::new();
        for method in methods() {
            let shape: Vec<String> = method
                .path
                .split('/')
                .map(|part| match (part.starts_with('{'), part.split_once('}')) {
                    (true, Some((_, after))) => format!("{{}}{after}"),
                    _ => part.to_owned(),
                })
                .collect();
            let other = seen.insert((method.verb.clone(), shape.join("/")), method.id);
            assert_eq!(other, None, "{} and another: {}", method.id, method.path);
        }
    }
}
