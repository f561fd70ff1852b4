//! `LOAD DATA` and `EXPORT DATA`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::options::{Given, Named, Options};
use super::partition::{By, clustering};
use super::{Run, SqlError};
use crate::extract::{Extract, ExtractFormat, Pack, extract};
use crate::load::{CsvOptions, Format, Load, LoadError, Source, WriteMode, load};
use crate::sql::cursor::{Cursor, texts};
use crate::sql::request::Outcome;
use crate::tables::{Snapshot, TableMeta, Target};
use datafusion::sql::sqlparser::tokenizer::Token;

/// Work that waits for the disk ends with who waits for it.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Run<'_> {
    /// Behind `LOAD DATA`.
    pub(super) async fn load_data(&self, cursor: &mut Cursor<'_>) -> Result<Outcome, SqlError> {
        let overwrite = cursor.take("OVERWRITE");
        if !overwrite {
            cursor.expect("INTO")?;
        }
        if cursor.take("TEMP TABLE") || cursor.take("TEMPORARY TABLE") {
            return Err(SqlError::unsupported("LOAD DATA into temporary tables"));
        }
        let path = cursor.path()?;
        let id = self.engine.target(&path, self.scope, self.request)?;
        let mut job = Load::new(Source::Uris(Vec::new()), Format::Json, id);
        job.write = if overwrite {
            WriteMode::Truncate
        } else {
            WriteMode::Append
        };
        if cursor.is(&Token::LParen) {
            job.schema = Some(self.columns(cursor).await?);
        }
        if ["PARTITIONS", "OVERWRITE"].contains(&cursor.word().as_str()) {
            return Err(SqlError::unsupported("LOAD DATA into partitions"));
        }
        if cursor.take("PARTITION BY") {
            let by = By::read(cursor)?;
            job.partitioning = Some(match &job.schema {
                Some(schema) => by.of(schema)?,
                None => by.untold(),
            });
        }
        if cursor.take("CLUSTER BY") {
            job.clustering = clustering(cursor)?;
        }
        if cursor.word() == "OPTIONS" {
            self.new_table(&Options::read(cursor)?, &mut job).await?;
        }
        cursor.expect("FROM FILES")?;
        self.source(&Options::in_brackets(cursor)?, &mut job)
            .await?;
        if cursor.word() == "WITH" {
            return Err(SqlError::unsupported(format!(
                "LOAD DATA … WITH {}",
                cursor.word_ahead(1)
            )));
        }
        cursor.finish()?;
        let outcome = Outcome::of("LOAD_DATA");
        if self.request.dry_run {
            return Ok(outcome);
        }
        let (engine, request, told) = (self.engine.clone(), self.request.clone(), outcome.clone());
        let warehouse = self.warehouse()?;
        let stop = Stop(Arc::default());
        let flag = Arc::clone(&stop.0);
        tokio::task::spawn_blocking(move || {
            load(&warehouse, &job, &flag, |_| {
                engine.will(&request, &told).map_err(|error| LoadError {
                    reason: error.reason,
                    message: error.message,
                    location: None,
                    rows: Vec::new(),
                })
            })
        })
        .await
        .map_err(|error| SqlError::backend(error.to_string()))??;
        drop(stop);
        Ok(outcome)
    }

    /// Options of a table that a load makes.
    async fn new_table(&self, options: &Options, job: &mut Load) -> Result<(), SqlError> {
        // What a load cannot give its table is refused.
        for option in &options.list {
            if !["description", "labels", "require_partition_filter"]
                .contains(&option.name.as_str())
            {
                return Err(SqlError::unsupported(format!(
                    "the option {} of LOAD DATA",
                    option.name
                )));
            }
        }
        let mut meta = TableMeta {
            partitioning: job.partitioning.clone(),
            ..TableMeta::default()
        };
        self.of_table(options, &mut meta).await?;
        job.description = meta.description;
        job.labels = meta.labels;
        job.require_partition_filter = meta.require_partition_filter.then_some(true);
        Ok(())
    }

    /// `FROM FILES(…)`.
    async fn source(&self, options: &Options, job: &mut Load) -> Result<(), SqlError> {
        let mut csv = CsvOptions::default();
        let mut list_inference = false;
        let mut format = None;
        let mut found = Vec::new();
        let mut of_csv = None;
        for option in &options.list {
            let name = option.name.as_str();
            match name {
                "uris" => found = uris(option)?,
                "format" => format = self.text_option(option).await?,
                "max_bad_records" => {
                    job.max_bad_records = self.count_option(option).await?.unwrap_or(0);
                }
                "ignore_unknown_values" => {
                    job.ignore_unknown = self.flag_option(option).await?.unwrap_or(false);
                }
                "enable_list_inference" => {
                    list_inference = self.flag_option(option).await?.unwrap_or(false);
                }
                _ => {
                    self.csv_option(option, &mut csv).await?;
                    of_csv = Some(name);
                }
            }
        }
        if found.is_empty() {
            return Err(SqlError::invalid("LOAD DATA needs the option uris"));
        }
        job.source = Source::Uris(found);
        let format = format.unwrap_or_default().to_uppercase();
        job.format = match format.as_str() {
            "CSV" => Format::Csv(csv),
            "JSON" | "NEWLINE_DELIMITED_JSON" => Format::Json,
            "PARQUET" => Format::Parquet { list_inference },
            "" => return Err(SqlError::invalid("LOAD DATA needs the option format")),
            "AVRO" | "ORC" | "DATASTORE_BACKUP" => {
                return Err(SqlError::unsupported(format!("LOAD DATA of {format}")));
            }
            _ => return Err(SqlError::invalid(format!("Invalid format: {format}"))),
        };
        if let Some(name) = of_csv
            && !matches!(job.format, Format::Csv(_))
        {
            return Err(SqlError::invalid(format!(
                "The option {name} is for CSV alone"
            )));
        }
        job.autodetect = job.schema.is_none() && !matches!(job.format, Format::Parquet { .. });
        Ok(())
    }

    async fn csv_option(&self, option: &Named, csv: &mut CsvOptions) -> Result<(), SqlError> {
        match option.name.as_str() {
            "skip_leading_rows" => csv.skip = self.count_option(option).await?,
            "field_delimiter" => {
                if let Some(text) = self.text_option(option).await? {
                    csv.delimiter = match text.as_str() {
                        "\\t" | "tab" => '\t',
                        one => single(option, one)?,
                    };
                }
            }
            "quote" => {
                if let Some(text) = self.text_option(option).await? {
                    csv.quote = match text.as_str() {
                        "" => None,
                        one => Some(single(option, one)?),
                    };
                }
            }
            "null_marker" => csv.null_marker = self.text_option(option).await?,
            "allow_jagged_rows" => {
                csv.jagged_rows = self.flag_option(option).await?.unwrap_or(false);
            }
            "allow_quoted_newlines" => {
                csv.quoted_newlines = self.flag_option(option).await?.unwrap_or(false);
            }
            "encoding" => {
                let text = self.text_option(option).await?.unwrap_or_default();
                csv.latin = match text.to_uppercase().as_str() {
                    "" | "UTF8" | "UTF-8" => false,
                    "ISO_8859_1" | "ISO-8859-1" => true,
                    _ => return Err(SqlError::unsupported(format!("the encoding {text}"))),
                };
            }
            "hive_partition_uri_prefix"
            | "require_hive_partition_filter"
            | "projection_fields"
            | "decimal_target_types"
            | "json_extension"
            | "preserve_ascii_control_characters"
            | "reference_file_schema_uri"
            | "enable_logical_types"
            | "column_name_character_map"
            | "file_set_spec_type"
            | "sheet_range"
            | "bigtable_options"
            | "compression" => {
                return Err(SqlError::unsupported(format!(
                    "the option {} of LOAD DATA",
                    option.name
                )));
            }
            _ => return Err(option.unknown()),
        }
        Ok(())
    }

    /// Behind `EXPORT DATA`.
    pub(super) async fn export_data(&self, cursor: &mut Cursor<'_>) -> Result<Outcome, SqlError> {
        if cursor.word() == "WITH" {
            return Err(SqlError::unsupported("EXPORT DATA WITH CONNECTION"));
        }
        let options = Options::read(cursor)?;
        cursor.expect("AS")?;
        let (query, words) = super::create::parsed(&cursor.rest()?)?;
        let (job, overwrite) = self.export(&options).await?;
        let rows = self
            .engine
            .rows(query, self.scope, self.request, &words)
            .await?;
        let mut outcome = Outcome::of("EXPORT_DATA");
        outcome.bytes_processed = rows.bytes;
        let warehouse = self.warehouse()?;
        let there = warehouse
            .objects()
            .matching(&job.uris[0])
            .map_err(|error| SqlError {
                reason: error.reason,
                message: error.message,
            })?;
        // What this very statement wrote before a kill is not in its way.
        let mine = self.engine.announced(self.request);
        if !overwrite && !mine && !there.is_empty() {
            return Err(SqlError::invalid(format!(
                "EXPORT DATA: {} is not empty; set overwrite to TRUE",
                job.uris[0]
            )));
        }
        if self.request.dry_run {
            return Ok(outcome);
        }
        let meta = TableMeta::new(rows.schema.clone());
        let id =
            super::super::script::hidden_dataset(&self.request.project, "export").table("rows");
        let writer = warehouse.writer(&id, &meta, Target::Rows)?;
        let files = rows.write(writer, &meta.schema).await?;
        self.engine.will(self.request, &outcome)?;
        let table = Snapshot::loose(id, meta, files, self.request.now);
        let stop = Stop(Arc::default());
        let flag = Arc::clone(&stop.0);
        tokio::task::spawn_blocking(move || extract(&warehouse, &table, &job, &flag))
            .await
            .map_err(|error| SqlError::backend(error.to_string()))?
            .map_err(|error| SqlError {
                reason: error.reason,
                message: error.message,
            })?;
        drop(stop);
        Ok(outcome)
    }

    /// What is written where, and whether it may take the place of other objects.
    async fn export(&self, options: &Options) -> Result<(Extract, bool), SqlError> {
        let (mut uri, mut format, mut pack) = (None, None, None);
        let (mut overwrite, mut header) = (false, true);
        let mut delimiter = ",".to_owned();
        for option in &options.list {
            match option.name.as_str() {
                "uri" => uri = self.text_option(option).await?,
                "format" => format = self.text_option(option).await?,
                "compression" => pack = self.text_option(option).await?,
                "overwrite" => overwrite = self.flag_option(option).await?.unwrap_or(false),
                "header" => header = self.flag_option(option).await?.unwrap_or(false),
                "field_delimiter" => {
                    if let Some(text) = self.text_option(option).await? {
                        delimiter = match text.as_str() {
                            "\\t" | "tab" => "\t".to_owned(),
                            one => single(option, one)?.to_string(),
                        };
                    }
                }
                "use_avro_logical_types" => {}
                _ => return Err(option.unknown()),
            }
        }
        let uri = uri.ok_or_else(|| SqlError::invalid("EXPORT DATA needs the option uri"))?;
        if !uri.starts_with("gs://") || uri.matches('*').count() != 1 {
            return Err(SqlError::invalid(format!(
                "EXPORT DATA: the option uri must be in Cloud Storage and have a single wildcard, not {uri}"
            )));
        }
        let format = match format.unwrap_or_default().to_uppercase().as_str() {
            "CSV" => ExtractFormat::Csv { delimiter, header },
            "JSON" | "NEWLINE_DELIMITED_JSON" => ExtractFormat::Json,
            "PARQUET" => ExtractFormat::Parquet,
            "" => return Err(SqlError::invalid("EXPORT DATA needs the option format")),
            other => return Err(SqlError::unsupported(format!("EXPORT DATA of {other}"))),
        };
        let pack = match pack.unwrap_or_default().to_uppercase().as_str() {
            "" | "NONE" => Pack::None,
            "GZIP" => Pack::Gzip,
            "SNAPPY" => Pack::Snappy,
            "ZSTD" => Pack::Zstd,
            other => return Err(SqlError::unsupported(format!("the compression {other}"))),
        };
        let job = Extract {
            uris: vec![uri],
            format,
            pack,
            partition: None,
        };
        Ok((job, overwrite))
    }
}

fn single(option: &Named, text: &str) -> Result<char, SqlError> {
    let mut all = text.chars();
    match (all.next(), all.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(option.wrong("a single character")),
    }
}

/// An ARRAY of addresses, or one.
fn uris(option: &Named) -> Result<Vec<String>, SqlError> {
    match &option.value {
        Given::Texts(texts) => Ok(texts.clone()),
        Given::Expression(piece) => match piece.tokens() {
            [one] => match texts(&one.token) {
                Some(text) => Ok(vec![text]),
                None => Err(option.wrong("an ARRAY of STRINGs")),
            },
            _ => Err(option.wrong("an ARRAY of STRINGs")),
        },
        Given::Pairs(_) => Err(option.wrong("an ARRAY of STRINGs")),
    }
}
