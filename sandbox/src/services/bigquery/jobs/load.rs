//! Load jobs.

use std::path::PathBuf;

use serde_json::{Value, json};
use tidemill_warehouse::load::{
    CsvOptions, Format, HiveMode, HiveOptions, Load, Loaded, Source, WriteMode, load,
};

use super::super::json::{count, flag, given, labels, strings, table_id, text, word, wrong};
use super::super::refusal::missing;
use super::super::{schema, shape};
use super::record::{Done, JobError, of_load, of_row};
use super::run::{Work, refused};
use crate::call::Refusal;
use crate::services::fields::only;

const KNOWN: [&str; 33] = [
    "sourceUris",
    "destinationTable",
    "destinationTableProperties",
    "schema",
    "schemaInline",
    "schemaInlineFormat",
    "sourceFormat",
    "createDisposition",
    "writeDisposition",
    "autodetect",
    "maxBadRecords",
    "ignoreUnknownValues",
    "schemaUpdateOptions",
    "timePartitioning",
    "rangePartitioning",
    "clustering",
    "requirePartitionFilter",
    "hivePartitioningOptions",
    "parquetOptions",
    "skipLeadingRows",
    "fieldDelimiter",
    "quote",
    "nullMarker",
    "nullMarkers",
    "allowJaggedRows",
    "allowQuotedNewlines",
    "encoding",
    "preserveAsciiControlCharacters",
    "useAvroLogicalTypes",
    "columnNameCharacterMap",
    "decimalTargetTypes",
    "createSession",
    "projectionFields",
];

/// Reads what a load is to do.
pub(super) fn read(
    config: &Value,
    project: &str,
    upload: Option<PathBuf>,
) -> Result<Load, Refusal> {
    only(config, "", &KNOWN)?;
    covered(config)?;
    let destination =
        given(config, "destinationTable").ok_or_else(|| missing("destinationTable"))?;
    let (id, partition) = table_id(destination, project)?;
    let uris = strings(config, "sourceUris")?;
    let source = match upload {
        Some(path) if uris.is_empty() => Source::Upload(path),
        Some(_) => {
            return Err(Refusal::invalid(
                "A load has either sourceUris or an upload, not both",
            ));
        }
        None if uris.is_empty() => return Err(missing("sourceUris")),
        None => Source::Uris(uris),
    };
    let mut load = Load::new(source, format(config)?, id);
    load.partition = partition;
    load.schema = given(config, "schema")
        .map(schema::read)
        .transpose()?
        .filter(|schema| !schema.fields.is_empty());
    load.autodetect = flag(config, "autodetect")?.unwrap_or(false);
    load.create = create(config)?;
    load.write = write(config, WriteMode::Append)?;
    load.max_bad_records = count(config, "maxBadRecords")?.unwrap_or(0);
    load.ignore_unknown = flag(config, "ignoreUnknownValues")?.unwrap_or(false);
    (load.allow_addition, load.allow_relaxation) = updates(config)?;
    let (by, filter) = shape::partitioning(config)?;
    load.partitioning = by;
    load.require_partition_filter = filter;
    load.clustering = shape::clustering(config)?;
    load.hive = hive(config)?;
    if let Some(properties) = given(config, "destinationTableProperties") {
        only(
            properties,
            "destinationTableProperties",
            &["friendlyName", "description", "labels"],
        )?;
        load.description = text(properties, "description")?.map(str::to_owned);
        load.labels = labels(properties)?;
    }
    Ok(load)
}

/// Refuses what would load other rows.
fn covered(config: &Value) -> Result<(), Refusal> {
    for name in [
        "schemaInline",
        "nullMarkers",
        "columnNameCharacterMap",
        "createSession",
        "projectionFields",
    ] {
        let plain = |value: &Value| {
            value == &json!([])
                || value == &json!(false)
                || value == "COLUMN_NAME_CHARACTER_MAP_UNSPECIFIED"
                || value == "STRICT"
        };
        if given(config, name).is_some_and(|value| !plain(value)) {
            return Err(Refusal::unsupported(&format!("{name} of load jobs")));
        }
    }
    let kinds = strings(config, "decimalTargetTypes")?;
    if !kinds.is_empty() && kinds != ["NUMERIC", "BIGNUMERIC"] && kinds != ["NUMERIC"] {
        return Err(Refusal::unsupported(
            "these decimalTargetTypes of load jobs",
        ));
    }
    Ok(())
}

fn format(config: &Value) -> Result<Format, Refusal> {
    match text(config, "sourceFormat")?.unwrap_or("CSV") {
        "" | "CSV" => csv(config).map(Format::Csv),
        "NEWLINE_DELIMITED_JSON" => Ok(Format::Json),
        "PARQUET" => {
            let none = Value::Null;
            let options = given(config, "parquetOptions").unwrap_or(&none);
            only(
                options,
                "",
                &["enableListInference", "enumAsString", "mapTargetType"],
            )?;
            Ok(Format::Parquet {
                list_inference: flag(options, "enableListInference")?.unwrap_or(false),
            })
        }
        other @ ("AVRO" | "ORC" | "DATASTORE_BACKUP") => Err(Refusal::unsupported(&format!(
            "load jobs of the format {other}"
        ))),
        other => Err(wrong("sourceFormat", other)),
    }
}

fn csv(config: &Value) -> Result<CsvOptions, Refusal> {
    let delimiter = match text(config, "fieldDelimiter")? {
        None | Some("") => ',',
        Some("\\t" | "tab") => '\t',
        Some(text) => one(text, "fieldDelimiter")?,
    };
    let quote = match text(config, "quote")? {
        None => Some('"'),
        Some("") => None,
        Some(text) => Some(one(text, "quote")?),
    };
    let latin = match text(config, "encoding")?.unwrap_or("UTF-8") {
        "" | "UTF-8" | "UTF8" => false,
        "ISO-8859-1" => true,
        other => return Err(Refusal::unsupported(&format!("the encoding {other}"))),
    };
    Ok(CsvOptions {
        delimiter,
        quote,
        skip: count(config, "skipLeadingRows")?,
        null_marker: text(config, "nullMarker")?
            .filter(|marker| !marker.is_empty())
            .map(str::to_owned),
        jagged_rows: flag(config, "allowJaggedRows")?.unwrap_or(false),
        quoted_newlines: flag(config, "allowQuotedNewlines")?.unwrap_or(false),
        latin,
    })
}

fn one(text: &str, name: &str) -> Result<char, Refusal> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(one), None) if one != '\n' && one != '\r' => Ok(one),
        _ => Err(wrong(name, "it has to be one character")),
    }
}

/// `createDisposition`.
pub(super) fn create(config: &Value) -> Result<bool, Refusal> {
    let words = ["CREATE_IF_NEEDED", "CREATE_NEVER", ""];
    Ok(word(config, "createDisposition", &words)? != Some("CREATE_NEVER"))
}

/// `writeDisposition`.
pub(super) fn write(config: &Value, otherwise: WriteMode) -> Result<WriteMode, Refusal> {
    let words = [
        "WRITE_APPEND",
        "WRITE_TRUNCATE",
        "WRITE_TRUNCATE_DATA",
        "WRITE_EMPTY",
        "",
    ];
    Ok(match word(config, "writeDisposition", &words)? {
        Some("WRITE_APPEND") => WriteMode::Append,
        Some("WRITE_TRUNCATE") => WriteMode::Truncate,
        Some("WRITE_TRUNCATE_DATA") => WriteMode::TruncateData,
        Some(_) => WriteMode::Empty,
        None => otherwise,
    })
}

/// `schemaUpdateOptions`.
pub(super) fn updates(config: &Value) -> Result<(bool, bool), Refusal> {
    let (mut addition, mut relaxation) = (false, false);
    for option in strings(config, "schemaUpdateOptions")? {
        match option.as_str() {
            "ALLOW_FIELD_ADDITION" => addition = true,
            "ALLOW_FIELD_RELAXATION" => relaxation = true,
            other => return Err(wrong("schemaUpdateOptions", other)),
        }
    }
    Ok((addition, relaxation))
}

fn hive(config: &Value) -> Result<Option<HiveOptions>, Refusal> {
    let Some(options) = given(config, "hivePartitioningOptions") else {
        return Ok(None);
    };
    only(
        options,
        "",
        &[
            "mode",
            "sourceUriPrefix",
            "requirePartitionFilter",
            "fields",
        ],
    )?;
    let mode = match text(options, "mode")?.unwrap_or("AUTO") {
        "AUTO" => HiveMode::Auto,
        "STRINGS" => HiveMode::Strings,
        "CUSTOM" => HiveMode::Custom,
        other => return Err(wrong("hivePartitioningOptions.mode", other)),
    };
    let prefix = text(options, "sourceUriPrefix")?
        .ok_or_else(|| missing("hivePartitioningOptions.sourceUriPrefix"))?;
    Ok(Some(HiveOptions {
        mode,
        prefix: prefix.to_owned(),
    }))
}

/// What is told of a load.
fn done(loaded: &Loaded) -> Done {
    Done {
        statistics: json!({
            "inputFiles": loaded.input_files.to_string(),
            "inputFileBytes": loaded.input_bytes.to_string(),
            "outputRows": loaded.output_rows.to_string(),
            "outputBytes": loaded.output_bytes.to_string(),
            "badRecords": loaded.bad_records.to_string(),
        }),
        bytes_processed: None,
        result: None,
        warnings: loaded.warnings.iter().cloned().map(of_row).collect(),
    }
}

pub(super) async fn run(work: Work) -> Result<Done, Vec<JobError>> {
    work.blocking(|work| {
        let job = &work.job;
        let config = read(job.part(), &job.project, job.upload.clone()).map_err(refused)?;
        let warehouse = work.bigquery.warehouse.stamped(&job.key());
        let loaded = load(&warehouse, &config, &work.stop.flag, |loaded| {
            work.prepare(done(loaded));
            Ok(())
        });
        loaded.map(|loaded| done(&loaded)).map_err(of_load)
    })
    .await
}
