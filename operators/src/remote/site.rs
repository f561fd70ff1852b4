//! Where on Google Cloud a job runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill_core::operator::{TaskContext, TaskError, TaskResult};
use tidemill_core::span::as_text;
use tidemill_core::text::Text;

use crate::http::{self, Api, Client};

/// What every operator of a job on Google Cloud is told about the place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Site {
    pub(crate) connection: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<Text>,
    #[serde(with = "as_text")]
    pub(crate) every: Duration,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            connection: crate::storage::CONNECTION.to_owned(),
            project: None,
            region: None,
            every: super::EVERY,
        }
    }
}

/// The place itself, and the way to it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) client: Client,
    pub(crate) project: String,
    pub(crate) region: String,
}

impl Site {
    /// The way to an API.
    pub(crate) async fn client(&self, ctx: &TaskContext, api: &Api) -> TaskResult<Client> {
        http::open(ctx, &self.connection, api).await
    }

    /// The place, with what the connection says where the operator says nothing.
    pub(crate) async fn open(&self, ctx: &TaskContext, api: &Api) -> TaskResult<Place> {
        let client = self.client(ctx, api).await?;
        let project = match &self.project {
            Some(project) => project.to_string(),
            None => client.project().await?,
        };
        let region = match &self.region {
            Some(region) => region.to_string(),
            None => {
                let connection = ctx.connection(&self.connection).await?;
                connection.fields.get("region").cloned().ok_or_else(|| {
                    TaskError::permanent(format!(
                        "neither the operator nor connection `{}` names a region",
                        self.connection
                    ))
                    .help(
                        "write `.region(\"europe-west1\")`, or set the connection's field `region`",
                    )
                })?
            }
        };
        Ok(Place {
            client,
            project,
            region,
        })
    }
}

/// The settings of the place, for operators with a field `at`.
macro_rules! site_settings {
    () => {
        /// Through another connection than `google`.
        pub fn connection(mut self, name: impl Into<String>) -> Self {
            self.at.connection = name.into();
            self
        }

        /// In this project; that of the connection if nothing is said.
        pub fn project(mut self, project: impl Into<tidemill_core::text::Text>) -> Self {
            self.at.project = Some(project.into());
            self
        }

        /// In this region; the connection's field `region` if nothing is said.
        pub fn region(mut self, region: impl Into<tidemill_core::text::Text>) -> Self {
            self.at.region = Some(region.into());
            self
        }

        /// How often it is looked at; every 30 seconds if nothing is said. While it runs, no slot is held.
        pub const fn every(mut self, span: std::time::Duration) -> Self {
            self.at.every = span;
            self
        }
    };
}
pub(crate) use site_settings;
