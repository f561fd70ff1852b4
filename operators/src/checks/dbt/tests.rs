//! The tests by their names.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::super::builder::{Check, Checks, Severity};
use super::super::condition::Condition;
use super::super::gx;
use super::super::literal::{Bounds, Literal};
use super::super::rule::{IgnoreRowIf, MatchOn, Patterns, Rule, Statistic, Versions};

/// Where tables are.
pub(super) struct Place {
    pub(super) dataset: String,
    /// Schemas by the names of sources.
    pub(super) sources: BTreeMap<String, String>,
}

impl Place {
    pub(super) fn model(&self, name: &str) -> String {
        format!("{}.{name}", self.dataset)
    }

    pub(super) fn source(&self, source: &str, table: &str) -> String {
        let schema = self.sources.get(source).map_or(source, String::as_str);
        format!("{schema}.{table}")
    }

    /// `ref('orders')` or `source('raw', 'orders')`.
    fn named(&self, text: &str) -> Result<String, String> {
        let wrong = || format!("`{text}` is neither `ref('…')` nor `source('…', '…')`");
        let bare = text.trim().trim_start_matches("{{").trim_end_matches("}}");
        let (word, rest) = bare.trim().split_once('(').ok_or_else(wrong)?;
        let rest = rest.trim_end().strip_suffix(')').ok_or_else(wrong)?;
        let names: Vec<&str> = rest
            .split(',')
            .map(|name| name.trim().trim_matches(['\'', '"']))
            .collect();
        match (word.trim(), names.as_slice()) {
            ("ref", [name] | [_, name]) => Ok(self.model(name)),
            ("source", [source, table]) => Ok(self.source(source, table)),
            _ => Err(wrong()),
        }
    }
}

/// What says where and how a test is shown and kept, not what it tests.
const SHOWS: [&str; 10] = [
    "name",
    "test_name",
    "description",
    "meta",
    "tags",
    "store_failures",
    "store_failures_as",
    "schema",
    "alias",
    "limit",
];

/// What a test is told besides its arguments.
#[derive(Default)]
struct Settings {
    severity: Severity,
    condition: Option<String>,
    disabled: bool,
    name: Option<String>,
}

/// A test as a check; none if it is disabled.
pub(super) fn test(
    kind: &str,
    (written, column): (&Map<String, Value>, Option<&str>),
    place: &Place,
) -> Result<Option<Check>, String> {
    let mut args = Map::new();
    let mut settings = Settings::default();
    for (name, value) in written {
        match (name.as_str(), value) {
            ("config", Value::Object(config)) => {
                for (name, value) in config {
                    if !settings.take(name, value)? {
                        return Err(format!("its setting `{name}` is not known"));
                    }
                }
            }
            // Since dbt 1.10 they have a place of their own.
            ("arguments", Value::Object(inner)) => args.extend(inner.clone()),
            _ if settings.take(name, value)? => {}
            _ => {
                args.insert(name.clone(), value.clone());
            }
        }
    }
    if settings.disabled {
        return Ok(None);
    }
    if let (Some(column), false) = (column, args.contains_key("column_name")) {
        args.insert("column".to_owned(), Value::String(column.to_owned()));
    } else if let Some(column) = args.remove("column_name") {
        args.insert("column".to_owned(), column);
    }
    let mut check = match kind.split_once('.') {
        Some(("dbt_expectations" | "metaplane_dbt_expectations", kind)) => expectation(kind, args)?,
        Some(("dbt_utils" | "dbt", kind)) => own(kind, &mut args, place)?,
        None => own(kind, &mut args, place)?,
        Some(_) => return Err("there is no check for this test".to_owned()),
    };
    check.severity = settings.severity;
    check.id = settings.name;
    if let Some(condition) = settings.condition {
        let condition = sql(&condition)?;
        check.row_condition = Some(match check.row_condition.take() {
            Some(first) => Condition::All(vec![first, condition]),
            None => condition,
        });
    }
    Ok(Some(check))
}

/// SQL without Jinja in it, which only dbt can read.
fn sql(text: &str) -> Result<Condition, String> {
    if text.contains("{{") || text.contains("{%") {
        return Err(format!("`{text}` has Jinja in it, which only dbt can read"));
    }
    Ok(Condition::Sql(text.to_owned()))
}

impl Settings {
    /// Whether the name is that of a setting.
    fn take(&mut self, name: &str, value: &Value) -> Result<bool, String> {
        match (name, value) {
            ("severity", Value::String(severity)) => {
                self.severity = match severity.to_ascii_lowercase().as_str() {
                    "warn" => Severity::Warn,
                    "error" => Severity::Error,
                    other => return Err(format!("its severity `{other}` is not known")),
                };
            }
            ("where", Value::String(condition)) => self.condition = Some(condition.clone()),
            ("where", Value::Null) => {}
            ("enabled", Value::Bool(enabled)) => self.disabled = !enabled,
            ("name", Value::String(name)) => self.name = Some(name.clone()),
            ("error_if" | "warn_if", Value::String(when))
                if when.replace(' ', "") == "!=0" || when.replace(' ', "") == ">0" => {}
            ("error_if" | "warn_if" | "fail_calc", _) => {
                return Err(format!(
                    "its `{name}` of {value} counts rows, which no check here does: say with `mostly` which part has \
                     to pass"
                ));
            }
            (name, _) if SHOWS.contains(&name) => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Arguments, each taken once.
struct Given<'a>(&'a mut Map<String, Value>);

impl Given<'_> {
    fn text(&mut self, name: &str) -> Result<String, String> {
        match self.0.remove(name) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(format!("it has no `{name}`")),
        }
    }

    fn texts(&mut self, name: &str) -> Result<Vec<String>, String> {
        match self.0.remove(name) {
            Some(Value::String(text)) => Ok(vec![text]),
            Some(Value::Array(list)) => list
                .into_iter()
                .map(|text| match text {
                    Value::String(text) => Ok(text),
                    other => Err(format!("`{name}` has {other} in it, which is no name")),
                })
                .collect(),
            _ => Err(format!("it has no `{name}`")),
        }
    }

    /// Values as dbt writes them into SQL: in quotes, so the column says what they are.
    fn values(&mut self, name: &str) -> Result<Vec<Literal>, String> {
        self.0.remove("quote");
        let Some(Value::Array(list)) = self.0.remove(name) else {
            return Err(format!("it has no `{name}`"));
        };
        list.iter()
            .map(|value| {
                let value = Literal::of_json(value).map(|value| match value {
                    Literal::Null => Literal::Null,
                    other => Literal::Text(other.shown()),
                });
                value.ok_or_else(|| format!("`{name}` has a list in it"))
            })
            .collect()
    }

    fn literal(&mut self, name: &str) -> Result<Literal, String> {
        self.0.remove(name).map_or(Ok(Literal::Null), |value| {
            Literal::of_json(&value).ok_or_else(|| format!("`{name}` is no single value"))
        })
    }

    fn number(&mut self, name: &str, or: f64) -> Result<f64, String> {
        self.0.remove(name).map_or(Ok(or), |value| {
            value
                .as_f64()
                .ok_or_else(|| format!("`{name}` is no number"))
        })
    }

    fn flag(&mut self, name: &str, or: bool) -> bool {
        self.0
            .remove(name)
            .and_then(|value| value.as_bool())
            .unwrap_or(or)
    }

    fn span(&mut self) -> Result<Duration, String> {
        let period = self.text("datepart")?;
        let count = self.number("interval", 1.0)?;
        span(count, &period)
    }

    fn condition(&mut self, name: &str) -> Result<Option<Condition>, String> {
        match self.0.remove(name) {
            Some(Value::String(text)) if text.replace(' ', "") != "1=1" => sql(&text).map(Some),
            _ => Ok(None),
        }
    }
}

fn span(count: f64, period: &str) -> Result<Duration, String> {
    let seconds = match period.trim_end_matches('s') {
        "minute" => 60.0,
        "hour" => 3600.0,
        "day" => 86_400.0,
        "week" => 604_800.0,
        _ => {
            return Err(format!(
                "`{period}` is no length of time that is known here"
            ));
        }
    };
    Duration::try_from_secs_f64(count * seconds).map_err(|_| format!("{count} {period} is no time"))
}

/// Tests of dbt itself and of `dbt_utils`.
#[expect(clippy::too_many_lines, reason = "one arm a kind, and nothing else")]
fn own(kind: &str, args: &mut Map<String, Value>, place: &Place) -> Result<Check, String> {
    let mut given = Given(args);
    let mut mostly = 1.0;
    let mut ignore = IgnoreRowIf::AllMissing;
    let mut condition = None;
    let rule = match kind {
        "unique" => Rule::Unique {
            column: given.text("column")?,
        },
        "not_null" => Rule::NotNull {
            column: given.text("column")?,
        },
        "accepted_values" => Rule::InSet {
            column: given.text("column")?,
            set: Some(given.values("values")?),
        },
        "not_accepted_values" => Rule::NotInSet {
            column: given.text("column")?,
            set: given.values("values")?,
        },
        "relationships" | "relationships_where" => {
            condition = given.condition("from_condition")?;
            if given.condition("to_condition")?.is_some() {
                return Err(
                    "its `to_condition` is not known here: write it as `no_rows`".to_owned(),
                );
            }
            Rule::References {
                columns: vec![given.text("column")?],
                table: place.named(&given.text("to")?)?.into(),
                to: vec![given.text("field")?],
            }
        }
        "accepted_range" => {
            let strict = !given.flag("inclusive", true);
            Rule::Between {
                column: given.text("column")?,
                within: Bounds {
                    min: given.literal("min_value")?,
                    max: given.literal("max_value")?,
                    strict_min: strict,
                    strict_max: strict,
                },
            }
        }
        "not_null_proportion" => {
            mostly = given.number("at_least", 1.0)?;
            if given.number("at_most", 1.0)? < 1.0 {
                return Err("its `at_most` is not known here".to_owned());
            }
            Rule::NotNull {
                column: given.text("column")?,
            }
        }
        "unique_combination_of_columns" => {
            given.flag("quote_columns", false);
            ignore = IgnoreRowIf::Never;
            Rule::UniqueTogether {
                columns: given.texts("combination_of_columns")?,
            }
        }
        "equal_rowcount" => Rule::RowCountOf {
            table: place.named(&given.text("compare_model")?)?.into(),
        },
        "recency" => Rule::Fresh {
            column: given.text("field")?,
            warn_after: None,
            fail_after: Some(given.span()?),
        },
        "at_least_one" => Rule::Statistic {
            column: given.text("column")?,
            of: Statistic::UniqueCount,
            within: Bounds::new(1, ()),
        },
        "not_empty_string" => {
            let blank = if given.flag("trim_whitespace", true) {
                "^\\s*$"
            } else {
                "^$"
            };
            Rule::Matches {
                column: given.text("column")?,
                patterns: Patterns {
                    patterns: vec![blank.to_owned()],
                    on: MatchOn::Any,
                    not: true,
                    like: false,
                },
            }
        }
        "expression_is_true" => {
            let expression = given.text("expression")?;
            sql(&expression)?;
            let column = given.text("column").unwrap_or_default();
            Rule::NoRows {
                sql: format!("SELECT * FROM {{batch}} WHERE NOT ({column} {expression})"),
            }
        }
        "mutually_exclusive_ranges" => Rule::OneVersion(ranges(&mut given)?),
        _ => return Err("there is no check for this test".to_owned()),
    };
    // A test of a table that stands under a column is still one of the table.
    given.0.remove("column");
    if let Some(name) = given.0.keys().next() {
        return Err(format!("its argument `{name}` is not known"));
    }
    let mut check = Check::new(rule);
    check.mostly = mostly;
    check.ignore = ignore;
    check.row_condition = condition;
    Ok(check)
}

fn ranges(given: &mut Given<'_>) -> Result<Versions, String> {
    let from = given.text("lower_bound_column")?;
    let to = given.text("upper_bound_column")?;
    let key = given.texts("partition_by")?;
    let versions = Versions::of(key, from, to).any_current();
    match given.0.remove("gaps").as_ref().and_then(Value::as_str) {
        None | Some("allowed") => Ok(versions.gaps_allowed()),
        Some("not_allowed") => Ok(versions),
        Some(other) => Err(format!("`gaps` of `{other}` are not known here")),
    }
}

/// Tests of `dbt_expectations`, which are called as the expectations are.
fn expectation(kind: &str, mut args: Map<String, Value>) -> Result<Check, String> {
    let kind = kind.to_ascii_lowercase();
    if kind == "expect_row_values_to_have_recent_data" {
        let mut given = Given(&mut args);
        let condition = given.condition("row_condition")?;
        let rule = Rule::Fresh {
            column: given.text("column")?,
            warn_after: None,
            fail_after: Some(given.span()?),
        };
        if let Some(name) = args.keys().next() {
            return Err(format!("its argument `{name}` is not known"));
        }
        let mut check = Check::new(rule);
        check.row_condition = condition;
        return Ok(check);
    }
    for (theirs, ours) in [
        ("column_type", "type_"),
        ("column_type_list", "type_list"),
        ("sort_column", "sort_column"),
    ] {
        if let Some(value) = args.remove(theirs) {
            args.insert(ours.to_owned(), value);
        }
    }
    if kind.starts_with("expect_table_") || kind.contains("_pair_") || kind.contains("compound") {
        args.remove("column");
    }
    if let Some(Value::String(condition)) = args.get("row_condition") {
        sql(condition)?;
    }
    gx::of_map(&kind, &args)
}

/// How old the rows of a source may be: what the table says, or else its source.
pub(super) fn freshness(of: &[&Value], checks: &mut Checks) -> Result<(), String> {
    let setting = |name: &str| {
        of.iter()
            .flat_map(|of| {
                [
                    of.get(name),
                    of.get("config").and_then(|config| config.get(name)),
                ]
            })
            .flatten()
            .next()
    };
    let (Some(freshness), Some(field)) = (setting("freshness"), setting("loaded_at_field")) else {
        return Ok(());
    };
    let after = |name: &str| -> Result<Option<Duration>, String> {
        let Some(after) = freshness.get(name).filter(|after| !after.is_null()) else {
            return Ok(None);
        };
        let count = after.get("count").and_then(Value::as_f64);
        let period = after.get("period").and_then(Value::as_str);
        match (count, period) {
            (Some(count), Some(period)) => span(count, period).map(Some),
            _ => Err(format!(
                "`{name}` of its freshness has no `count` and `period`"
            )),
        }
    };
    let (warn_after, fail_after) = (after("warn_after")?, after("error_after")?);
    if warn_after.is_none() && fail_after.is_none() {
        return Ok(());
    }
    let column = field.as_str().ok_or("its `loaded_at_field` is no column")?;
    let mut check = Check::new(Rule::Fresh {
        column: column.to_owned(),
        warn_after,
        fail_after,
    });
    if let Some(Value::String(filter)) = freshness.get("filter") {
        check.row_condition = Some(sql(filter)?);
    }
    checks.checks.push(check);
    Ok(())
}
