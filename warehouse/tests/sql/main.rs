//! Statements and what `BigQuery` answers: each line of `cases/*.txt` is a test.
//!
//! Files `*.steps` are run over tables of their own, see [`steps`].
//!
//! `expression => TYPE: value` or `query => name TYPE, …: row; row` or `… => error: part of the message`.

mod hostile;
mod memory;
mod shown;
mod steps;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{TimeZone, Utc};
use datafusion::datasource::MemTable;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use libtest_mimic::{Arguments, Failed, Trial};
use tidemill_warehouse::sql::{
    Catalog, Engine, Outcome, Parameter, ParameterValue, Relation, Request, SqlError, TableName,
};
use tidemill_warehouse::{Field, Kind, Mode};

/// A table and a view.
struct People;

impl People {
    fn rows() -> Result<Relation, Box<dyn std::error::Error>> {
        use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};
        use datafusion::arrow::datatypes::{DataType, Field, Schema};
        let schema = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("Name", DataType::Utf8, true),
        ]));
        let batch = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![
                Arc::new(Int64Array::from(vec![1, 2])),
                Arc::new(StringArray::from(vec!["Ada", "Bob"])),
            ],
        )?;
        Ok(Relation::Rows(
            Arc::new(MemTable::try_new(schema, vec![vec![batch]])?),
            32,
        ))
    }
}

impl Catalog for People {
    fn relation(&self, name: &TableName) -> BoxFuture<'_, Result<Option<Relation>, SqlError>> {
        let found = match name.table.as_str() {
            "people" => Some(Self::rows().expect("it works")),
            "adults" => Some(Relation::View(
                "SELECT name FROM `p.d.people` WHERE id = 1".to_owned(),
            )),
            _ => None,
        };
        async move { Ok(found) }.boxed()
    }
}

fn request(text: &str) -> Request {
    let parameter = |name: &str, field: Field, value: ParameterValue| Parameter {
        name: Some(name.to_owned()),
        field,
        value,
    };
    let given = |text: &str| ParameterValue::Text(text.to_owned());
    let word = || Field::new("s", Kind::String(None));
    let record = Kind::Struct(vec![
        word(),
        Field::new("n", Kind::Int64).mode(Mode::Repeated),
    ]);
    let one = ParameterValue::Struct(vec![
        given("x"),
        ParameterValue::List(vec![given("1"), given("2")]),
    ]);
    Request {
        text: text.to_owned(),
        parameters: vec![
            parameter("n", Field::new("", Kind::Int64), given("41")),
            parameter(
                "list",
                word().mode(Mode::Repeated),
                ParameterValue::List(vec![given("a"), given("b")]),
            ),
            parameter("none", Field::new("", Kind::Date), ParameterValue::Null),
            parameter("who", Field::new("", record.clone()), one.clone()),
            parameter(
                "all",
                Field::new("", record).mode(Mode::Repeated),
                ParameterValue::List(vec![one]),
            ),
        ],
        project: "p".to_owned(),
        default_dataset: None,
        dry_run: false,
        maximum_bytes_billed: None,
        now: Utc
            .with_ymd_and_hms(2024, 5, 6, 20, 30, 0)
            .single()
            .expect("it works"),
        job: None,
        diary: None,
    }
}

fn answer(text: &str) -> Result<Outcome, SqlError> {
    let spill = tempfile::tempdir().expect("it works");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("it works");
    runtime.block_on(async {
        Engine::new(Arc::new(People), spill.path())?
            .run(&request(text))
            .await
    })
}

fn check(statement: &str, expected: &str) -> Result<(), Failed> {
    let upper = statement.to_uppercase();
    let query = upper.starts_with("SELECT ") || upper.starts_with("WITH ");
    let text = if query {
        statement.to_owned()
    } else {
        format!("SELECT {statement}")
    };
    let found = match answer(&text) {
        Err(error) => format!("error: {}", error.message),
        Ok(outcome) => shown::outcome(&outcome, query),
    };
    let right = match expected.strip_prefix("error: ") {
        Some(part) => found.starts_with("error: ") && found.contains(part),
        None => found == expected,
    };
    if right {
        Ok(())
    } else {
        Err(format!("{text}\n expected {expected}\n found    {found}").into())
    }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql/cases");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("it works")
        .map(|entry| entry.expect("it works").path())
        .collect();
    files.sort();
    files
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for file in files() {
        if file.extension().is_some_and(|end| end == "steps") {
            trials.extend(steps::trials(&file));
            continue;
        }
        let area = file
            .file_stem()
            .expect("it works")
            .to_string_lossy()
            .into_owned();
        for line in std::fs::read_to_string(&file).expect("it works").lines() {
            let Some((statement, expected)) = line.split_once(" => ") else {
                continue;
            };
            let (statement, expected) = (statement.to_owned(), expected.to_owned());
            trials.push(Trial::test(format!("{area}: {statement}"), move || {
                check(&statement, &expected)
            }));
        }
    }
    trials.extend(hostile::trials());
    trials.extend(memory::trials());
    libtest_mimic::run(&arguments, trials).exit();
}
