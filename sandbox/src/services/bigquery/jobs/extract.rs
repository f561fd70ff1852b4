//! Extract jobs.

use serde_json::{Value, json};
use tidemill_warehouse::extract::{Extract, ExtractFormat, Extracted, Pack, extract};
use tidemill_warehouse::tables::TableId;

use super::super::json::{flag, given, strings, table_id, text, wrong};
use super::super::refusal::missing;
use super::record::{Done, JobError};
use super::run::{Work, refused};
use crate::call::Refusal;
use crate::services::fields::only;

/// Reads what an extract is to do.
pub(super) fn read(config: &Value, project: &str) -> Result<(TableId, Extract), Refusal> {
    only(
        config,
        "",
        &[
            "sourceTable",
            "sourceModel",
            "destinationUri",
            "destinationUris",
            "destinationFormat",
            "compression",
            "fieldDelimiter",
            "printHeader",
            "useAvroLogicalTypes",
        ],
    )?;
    if given(config, "sourceModel").is_some() {
        return Err(Refusal::unsupported("extracts of models"));
    }
    let source = given(config, "sourceTable").ok_or_else(|| missing("sourceTable"))?;
    let (id, partition) = table_id(source, project)?;
    let mut uris = strings(config, "destinationUris")?;
    if let Some(uri) = text(config, "destinationUri")? {
        uris.push(uri.to_owned());
    }
    if uris.is_empty() {
        return Err(missing("destinationUris"));
    }
    for uri in &uris {
        let whole = uri
            .strip_prefix("gs://")
            .and_then(|rest| rest.split_once('/'));
        if whole.is_none_or(|(bucket, name)| bucket.is_empty() || name.is_empty()) {
            return Err(wrong("destinationUris", uri));
        }
    }
    let format = match text(config, "destinationFormat")?.unwrap_or("CSV") {
        "" | "CSV" => ExtractFormat::Csv {
            delimiter: match text(config, "fieldDelimiter")? {
                None | Some("") => ",".to_owned(),
                Some("\\t" | "tab") => "\t".to_owned(),
                Some(text) => text.to_owned(),
            },
            header: flag(config, "printHeader")?.unwrap_or(true),
        },
        "NEWLINE_DELIMITED_JSON" => ExtractFormat::Json,
        "PARQUET" => ExtractFormat::Parquet,
        other @ ("AVRO" | "ML_TF_SAVED_MODEL" | "ML_XGBOOST_BOOSTER") => {
            return Err(Refusal::unsupported(&format!(
                "extract jobs of the format {other}"
            )));
        }
        other => return Err(wrong("destinationFormat", other)),
    };
    let pack = match text(config, "compression")?.unwrap_or("NONE") {
        "" | "NONE" => Pack::None,
        "GZIP" => Pack::Gzip,
        "SNAPPY" => Pack::Snappy,
        "ZSTD" => Pack::Zstd,
        other @ "DEFLATE" => {
            return Err(Refusal::unsupported(&format!("the compression {other}")));
        }
        other => return Err(wrong("compression", other)),
    };
    let job = Extract {
        uris,
        format,
        pack,
        partition,
    };
    Ok((id, job))
}

fn done(extracted: &Extracted) -> Done {
    let counts: Vec<String> = extracted.files.iter().map(u64::to_string).collect();
    Done {
        statistics: json!({
            "destinationUriFileCounts": counts,
            "inputBytes": extracted.input_bytes.to_string(),
        }),
        ..Done::default()
    }
}

pub(super) async fn run(work: Work) -> Result<Done, Vec<JobError>> {
    work.blocking(|work| {
        let job = &work.job;
        let (id, config) = read(job.part(), &job.project).map_err(refused)?;
        let warehouse = &work.bigquery.warehouse;
        let table = warehouse
            .table(&id)
            .map_err(|error| vec![JobError::new(error.reason(), error.to_string())])?;
        extract(warehouse, &table, &config, &work.stop.flag)
            .map(|extracted| done(&extracted))
            .map_err(|error| vec![JobError::new(error.reason, error.message)])
    })
    .await
}
