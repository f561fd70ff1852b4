//! Copy jobs.

use serde_json::{Value, json};
use tidemill_warehouse::copy::{Copied, Copy, copy};
use tidemill_warehouse::load::WriteMode;

use super::super::json::{given, table_id, wrong};
use super::super::refusal::missing;
use super::load;
use super::record::{Done, JobError, of_load};
use super::run::{Work, refused};
use crate::call::Refusal;
use crate::services::fields::only;

/// Reads what a copy is to do.
pub(super) fn read(config: &Value, project: &str) -> Result<Copy, Refusal> {
    only(
        config,
        "",
        &[
            "sourceTable",
            "sourceTables",
            "destinationTable",
            "createDisposition",
            "writeDisposition",
            "operationType",
        ],
    )?;
    if given(config, "operationType")
        .is_some_and(|kind| kind != "COPY" && kind != "OPERATION_TYPE_UNSPECIFIED")
    {
        return Err(Refusal::unsupported("snapshots and clones of tables"));
    }
    let many = match given(config, "sourceTables") {
        None => Vec::new(),
        Some(Value::Array(many)) => many.iter().collect(),
        Some(_) => return Err(wrong("sourceTables", "a list is expected")),
    };
    let sources = given(config, "sourceTable")
        .into_iter()
        .chain(many)
        .map(|source| table_id(source, project))
        .collect::<Result<Vec<_>, _>>()?;
    if sources.is_empty() {
        return Err(missing("sourceTable"));
    }
    let destination =
        given(config, "destinationTable").ok_or_else(|| missing("destinationTable"))?;
    let (destination, partition) = table_id(destination, project)?;
    Ok(Copy {
        sources,
        destination,
        partition,
        create: load::create(config)?,
        write: load::write(config, WriteMode::Empty)?,
    })
}

fn done(copied: Copied) -> Done {
    Done {
        statistics: json!({
            "copiedRows": copied.rows.to_string(),
            "copiedLogicalBytes": copied.bytes.to_string(),
        }),
        ..Done::default()
    }
}

pub(super) async fn run(work: Work) -> Result<Done, Vec<JobError>> {
    work.blocking(|work| {
        let job = &work.job;
        let config = read(job.part(), &job.project).map_err(refused)?;
        let warehouse = work.bigquery.warehouse.stamped(&job.key());
        let copied = copy(&warehouse, &config, &work.stop.flag, |copied| {
            work.prepare(done(*copied));
            Ok(())
        });
        copied.map(done).map_err(of_load)
    })
    .await
}
