//! Tests of dbt's `schema.yml`, its packages `dbt_utils` and `dbt_expectations` included, into checks that mean the same.
//!
//! ```
//! use tidemill_operators::checks::dbt;
//!
//! let schema = "
//! models:
//!   - name: orders
//!     columns:
//!       - name: order_id
//!         data_tests: [unique, not_null]
//! ";
//! let checks = dbt::schema(schema, "shop")?;
//! assert_eq!(checks[0].table(), "shop.orders");
//! assert_eq!(checks[0].ids(), ["unique(order_id)", "not_null(order_id)"]);
//! # Ok::<(), tidemill_operators::checks::gx::ImportError>(())
//! ```
//!
//! The file is read with `serde-saphyr`: it is written in Rust without `unsafe`, bounds what an alias may grow to, and is
//! what the deployment files are read with already, so nothing new is trusted.

mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::builder::Checks;
use super::gx::ImportError;
use tests::{Place, test};

type Read<T> = Result<T, ImportError>;

/// Reads the tests of every model, seed, snapshot and source as checks, those of one table together. Tables are in this
/// dataset (or schema); those of a source in its own.
///
/// # Errors
/// It is no such file, or has a test, an argument or a setting that is not known: its name and its place.
pub fn schema(yaml: &str, dataset: &str) -> Read<Vec<Checks>> {
    let file: Value = serde_saphyr::from_str(yaml)
        .map_err(|error| ImportError::new("the schema", error.to_string()))?;
    let mut place = Place {
        dataset: dataset.to_owned(),
        sources: BTreeMap::new(),
    };
    let sources = list(&file, "sources", "the schema")?;
    for source in &sources {
        let name = name(source, "sources")?;
        let schema = source
            .get("schema")
            .and_then(Value::as_str)
            .unwrap_or(&name);
        let project = source.get("database").and_then(Value::as_str);
        let schema = project.map_or(schema.to_owned(), |project| format!("{project}.{schema}"));
        place.sources.insert(name, schema);
    }
    let mut found = Vec::new();
    for kind in ["models", "seeds", "snapshots"] {
        for model in list(&file, kind, "the schema")? {
            let name = name(&model, kind)?;
            let table = place.model(&name);
            found.push(of_table(
                &model,
                (&format!("{kind}.{name}"), &table),
                &place,
            )?);
        }
    }
    for source in &sources {
        let of = name(source, "sources")?;
        for table in list(source, "tables", &of)? {
            let name = name(&table, &of)?;
            let known = table.get("identifier").and_then(Value::as_str);
            let full = place.source(&of, known.unwrap_or(&name));
            let at = format!("sources.{of}.{name}");
            let mut checks = of_table(&table, (&at, &full), &place)?;
            tests::freshness(&[&table, source], &mut checks)
                .map_err(|why| ImportError::new(at, why))?;
            found.push(checks);
        }
    }
    Ok(found
        .into_iter()
        .filter(|checks| !checks.is_empty())
        .collect())
}

fn list(of: &Value, name: &str, place: &str) -> Read<Vec<Value>> {
    match of.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list.clone()),
        Some(_) => Err(ImportError::new(place, format!("`{name}` is no list"))),
    }
}

fn name(of: &Value, place: &str) -> Read<String> {
    let name = of.get("name").and_then(Value::as_str);
    name.map(str::to_owned)
        .ok_or_else(|| ImportError::new(place, "one of them has no `name`"))
}

/// Both words that dbt knows.
fn tests_of(of: &Value, place: &str) -> Read<Vec<Value>> {
    let mut tests = list(of, "data_tests", place)?;
    tests.extend(list(of, "tests", place)?);
    Ok(tests)
}

fn of_table(model: &Value, (at, table): (&str, &str), place: &Place) -> Read<Checks> {
    let mut checks = Checks::on(table);
    for test in tests_of(model, at)? {
        add(&test, None, (at, place), &mut checks)?;
    }
    for column in list(model, "columns", at)? {
        let column_name = name(&column, at)?;
        let at = format!("{at}.{column_name}");
        for test in tests_of(&column, &at)? {
            add(&test, Some(&column_name), (&at, place), &mut checks)?;
        }
    }
    Ok(checks)
}

fn add(
    written: &Value,
    column: Option<&str>,
    (at, place): (&str, &Place),
    checks: &mut Checks,
) -> Read<()> {
    let wrong = |why: String| ImportError::new(at, why);
    let none = Map::new();
    let (kind, args) = match written {
        Value::String(kind) => (kind.clone(), &none),
        Value::Object(map) => match map.iter().next() {
            Some((kind, Value::Object(args))) if map.len() == 1 => (kind.clone(), args),
            Some((kind, Value::Null)) if map.len() == 1 => (kind.clone(), &none),
            // The other way to write it: `test_name: …` beside its arguments.
            _ => match map.get("test_name").and_then(Value::as_str) {
                Some(kind) => (kind.to_owned(), map),
                None => return Err(wrong(format!("{written} is no test"))),
            },
        },
        _ => return Err(wrong(format!("{written} is no test"))),
    };
    let check =
        test(&kind, (args, column), place).map_err(|why| wrong(format!("`{kind}`: {why}")))?;
    checks.checks.extend(check);
    Ok(())
}
