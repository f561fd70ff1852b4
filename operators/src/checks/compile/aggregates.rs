//! Checks of whole columns and whole tables: the numbers that stand for them.

use super::super::builder::Check;
use super::super::dialect::{Column, Family};
use super::super::literal::{Bounds, Literal};
use super::super::rule::{Quantile, Rule, SetRule, Source, Statistic};
use super::rows::{Failing, filter, is_text, own_query};
use super::statement::{ROWS, Slot, Statement};
use super::{Against, Planned, Ruling, Test};

/// Quantiles are compared as whole numbers of this part.
const MILLION: f64 = 1_000_000.0;

/// How a check that is none of single rows is ruled.
///
/// # Errors
/// The check does not fit the table.
#[expect(clippy::too_many_lines, reason = "one arm a kind, and nothing else")]
pub(super) fn plan(check: &Check, scope: &str, to: &mut Statement<'_>) -> Result<Planned, String> {
    let mut failing = None;
    let ruling = match &check.rule {
        Rule::RowCount(within) => {
            within.numbers()?;
            Ruling::Number {
                value: to.count(&[scope]),
                within: within.clone(),
            }
        }
        Rule::RowCountOf { table } => {
            let other = to.dialect.table(table.as_str())?;
            let found = to.single(format!("SELECT COUNT(*) AS n FROM {other}"), &["n"]);
            Ruling::Same {
                here: to.count(&[scope]),
                there: found[0],
            }
        }
        Rule::Statistic { column, of, within } => statistic(column, (*of, within), scope, to)?,
        Rule::Quantiles { column, quantiles } => self::quantiles(column, quantiles, scope, to)?,
        Rule::Distinct { column, set, rule } => {
            let (ruling, unexpected) = distinct(column, (set, *rule), scope, to)?;
            failing = unexpected;
            ruling
        }
        Rule::MostCommon {
            column,
            set,
            ties_okay,
        } => most_common(column, (set, *ties_okay), scope, to)?,
        Rule::NoRows { sql } => {
            let batch = if scope.is_empty() {
                ROWS.to_owned()
            } else {
                to.share(format!("SELECT * FROM {ROWS}{}", filter(&[scope])))
            };
            let query = own_query(sql, to.dialect, &batch)?;
            let found = to.single(
                format!("SELECT COUNT(*) AS bad FROM (\n{query}\n) AS q"),
                &["bad"],
            );
            Ruling::NoRows { bad: found[0] }
        }
        Rule::Fresh {
            column,
            warn_after,
            fail_after,
        } => {
            let (name, column) = to.quoted(column)?;
            let family = to.dialect.family(&column.kind);
            if !family.is_day() {
                return Err(format!(
                    "the column `{}` is {} and says no time",
                    column.name, column.kind
                ));
            }
            let newest = format!("MAX({})", scoped(&name, scope));
            Ruling::Age {
                micros: to.measure(to.dialect.micros(&newest, family)),
                warn_after: *warn_after,
                fail_after: *fail_after,
            }
        }
        Rule::Volume {
            deviations,
            history_min,
        } => Ruling::Volume {
            rows: to.count(&[scope]),
            deviations: *deviations,
            history_min: *history_min,
        },
        Rule::AsInSource(source) => as_in_source(source, scope, to)?,
        Rule::DateParses { column } | Rule::JsonParses { column } => {
            let (_, of) = to.quoted(column)?;
            is_text(of, to)?;
            let test = match &check.rule {
                Rule::DateParses { .. } => Test::Date,
                _ => Test::Json,
            };
            fetched(column, test, (scope, check.nulls_fail), to)?
        }
        Rule::JsonSchema { column, schema } => {
            let (_, of) = to.quoted(column)?;
            if to.dialect.family(&of.kind) != Family::Json {
                is_text(of, to)?;
            }
            let schema = super::super::schema::Schema::new(schema)?;
            fetched(column, Test::Schema(schema), (scope, check.nulls_fail), to)?
        }
        other => declared(other, to)?,
    };
    Ok(Planned {
        ruling,
        failing,
        scope: scope.to_owned(),
    })
}

/// A value where the condition of the check holds.
fn scoped(expr: &str, scope: &str) -> String {
    if scope.is_empty() {
        expr.to_owned()
    } else {
        format!("CASE WHEN {scope} THEN {expr} END")
    }
}

/// What the declaration of the table decides.
#[expect(clippy::too_many_lines, reason = "one arm a kind, and nothing else")]
fn declared(rule: &Rule, to: &Statement<'_>) -> Result<Ruling, String> {
    let names: Vec<&str> = to
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let same = |a: &str, b: &str| match to.dialect {
        super::super::dialect::Dialect::BigQuery => a.eq_ignore_ascii_case(b),
        super::super::dialect::Dialect::Postgres => a == b,
    };
    let (ok, observed) = match rule {
        Rule::ColumnCount(within) => {
            let limits = within.numbers()?;
            let count = i64::try_from(names.len()).unwrap_or(i64::MAX);
            (
                within.hold(limits, super::super::literal::exact(count)),
                format!("{count} columns"),
            )
        }
        Rule::ColumnsInOrder { columns } => {
            let ok =
                columns.len() == names.len() && columns.iter().zip(&names).all(|(a, b)| same(a, b));
            (ok, names.join(", "))
        }
        Rule::ColumnsAre { columns, exactly } => {
            let missing: Vec<&str> = columns
                .iter()
                .map(String::as_str)
                .filter(|column| !names.iter().any(|name| same(name, column)))
                .collect();
            let more: Vec<&str> = names
                .iter()
                .copied()
                .filter(|name| !columns.iter().any(|column| same(name, column)))
                .collect();
            let mut said = Vec::new();
            if !missing.is_empty() {
                said.push(format!("missing: {}", missing.join(", ")));
            }
            if *exactly && !more.is_empty() {
                said.push(format!("not expected: {}", more.join(", ")));
            }
            let ok = said.is_empty();
            (
                ok,
                if ok {
                    names.join(", ")
                } else {
                    said.join("; ")
                },
            )
        }
        Rule::ColumnExists { column, index } => {
            match names.iter().position(|name| same(name, column)) {
                None => (false, "it is missing".to_owned()),
                Some(at) => (
                    index.is_none_or(|index| index == at),
                    format!("it is column {at}, counted from 0"),
                ),
            }
        }
        Rule::OfType { column, types } => {
            let column = to.column(column)?;
            let ok = types.is_empty()
                || types
                    .iter()
                    .any(|kind| to.dialect.same_kind(kind, &column.kind));
            (ok, column.kind.clone())
        }
        other => return Err(format!("`{}` is not known here", other.name())),
    };
    Ok(Ruling::Known { ok, observed })
}

fn numeric(column: &Column, to: &Statement<'_>) -> Result<(), String> {
    if to.dialect.family(&column.kind).is_number() {
        return Ok(());
    }
    Err(format!(
        "the column `{}` is {}, and this check is one of numbers",
        column.name, column.kind
    ))
}

fn statistic(
    column: &str,
    (of, within): (Statistic, &Bounds),
    scope: &str,
    to: &mut Statement<'_>,
) -> Result<Ruling, String> {
    let (name, column) = to.quoted(column)?;
    let value = scoped(&name, scope);
    if matches!(of, Statistic::Max | Statistic::Min) {
        return extreme(&value, column, (of, within), to);
    }
    within.numbers()?;
    let within = within.clone();
    let aggregate = match of {
        Statistic::UniqueCount => format!("COUNT(DISTINCT {value})"),
        Statistic::UniqueProportion => {
            return Ok(Ruling::Proportion {
                distinct: to.measure(format!("COUNT(DISTINCT {value})")),
                present: to.measure(format!("COUNT({value})")),
                within,
            });
        }
        Statistic::Median => {
            numeric(column, to)?;
            let values = sorted(&name, scope, to);
            let found = to.single(
                format!(
                    "SELECT MIN(CASE WHEN 2 * upto >= total THEN value END) AS low, \
                     MIN(CASE WHEN 2 * upto > total THEN value END) AS high FROM {values}"
                ),
                &["low", "high"],
            );
            return Ok(Ruling::Middle {
                low: found[0],
                high: found[1],
                within,
            });
        }
        Statistic::Mean => {
            numeric(column, to)?;
            format!("AVG({value})")
        }
        Statistic::Sum => {
            numeric(column, to)?;
            format!("SUM({value})")
        }
        _ => {
            numeric(column, to)?;
            format!("STDDEV_SAMP({value})")
        }
    };
    Ok(Ruling::Number {
        value: to.measure(aggregate),
        within,
    })
}

/// The largest or smallest value. Numbers are compared here, anything else by the database, which knows how.
fn extreme(
    value: &str,
    column: &Column,
    (of, within): (Statistic, &Bounds),
    to: &mut Statement<'_>,
) -> Result<Ruling, String> {
    let word = if of == Statistic::Max { "MAX" } else { "MIN" };
    let expr = format!("{word}({value})");
    if to.dialect.family(&column.kind).is_number() {
        within.numbers()?;
        return Ok(Ruling::Number {
            value: to.measure(expr),
            within: within.clone(),
        });
    }
    let mut holds = vec![format!("{expr} IS NOT NULL")];
    for (limit, sign) in [
        (&within.min, if within.strict_min { ">" } else { ">=" }),
        (&within.max, if within.strict_max { "<" } else { "<=" }),
    ] {
        if !limit.is_null() {
            holds.push(format!(
                "{expr} {sign} {}",
                to.dialect.literal(limit, column)?
            ));
        }
    }
    let ok = format!("CASE WHEN {} THEN 1 ELSE 0 END", holds.join(" AND "));
    Ok(Ruling::Extreme {
        value: to.measure(expr),
        ok: to.measure(ok),
    })
}

/// The different values and how often they come.
fn grouped(name: &str, scope: &str, to: &mut Statement<'_>) -> String {
    let filter = filter(&[scope, &format!("({name} IS NOT NULL)")]);
    to.share(format!(
        "SELECT {name} AS value, COUNT(*) AS copies FROM {ROWS}{filter} GROUP BY {name}"
    ))
}

/// The different values, how many values are not above each, and how many there are.
fn sorted(name: &str, scope: &str, to: &mut Statement<'_>) -> String {
    let grouped = grouped(name, scope, to);
    to.share(format!(
        "SELECT value, SUM(copies) OVER (ORDER BY value) AS upto, SUM(copies) OVER () AS total FROM {grouped}"
    ))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a part of 1 times a million is a small number"
)]
fn quantiles(
    column: &str,
    quantiles: &[Quantile],
    scope: &str,
    to: &mut Statement<'_>,
) -> Result<Ruling, String> {
    let (name, column) = to.quoted(column)?;
    numeric(column, to)?;
    if quantiles.is_empty() {
        return Err("it has no quantile: give one".to_owned());
    }
    let mut picks = Vec::new();
    for (index, quantile) in quantiles.iter().enumerate() {
        if !(0.0..=1.0).contains(&quantile.at) {
            return Err(format!("a quantile is a part of 1, not {}", quantile.at));
        }
        quantile.within.numbers()?;
        // In whole numbers, so that 0.55 of 100 is 55.
        let part = (quantile.at * MILLION).round() as i64;
        picks.push(format!(
            "MIN(CASE WHEN upto * 1000000 >= {part} * total THEN value END) AS q{index}"
        ));
    }
    let values = sorted(&name, scope, to);
    let names: Vec<String> = (0..quantiles.len())
        .map(|index| format!("q{index}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = to.single(format!("SELECT {} FROM {values}", picks.join(", ")), &names);
    Ok(Ruling::Quantiles {
        values: found.into_iter().zip(quantiles.iter().cloned()).collect(),
    })
}

fn member(list: &[String]) -> String {
    if list.is_empty() {
        "FALSE".to_owned()
    } else {
        format!("value IN ({})", list.join(", "))
    }
}

fn distinct(
    column: &str,
    (set, rule): (&[Literal], SetRule),
    scope: &str,
    to: &mut Statement<'_>,
) -> Result<(Ruling, Option<Failing>), String> {
    let (name, of) = to.quoted(column)?;
    let list = to.list(set, of)?;
    let grouped = grouped(&name, scope, to);
    let member = member(&list);
    let found = to.single(
        format!(
            "SELECT COUNT(*) AS seen, COUNT(CASE WHEN {member} THEN 1 END) AS known FROM {grouped}"
        ),
        &["seen", "known"],
    );
    let ruling = Ruling::Set {
        rule,
        seen: found[0],
        known: found[1],
        wanted: list.len(),
    };
    let unexpected = (rule != SetRule::Contains).then(|| Failing {
        bad: if list.is_empty() {
            format!("({name} IS NOT NULL)")
        } else {
            format!("({name} NOT IN ({}))", list.join(", "))
        },
        columns: vec![column.to_owned()],
        ..Failing::default()
    });
    Ok((ruling, unexpected))
}

fn most_common(
    column: &str,
    (set, ties_okay): (&[Literal], bool),
    scope: &str,
    to: &mut Statement<'_>,
) -> Result<Ruling, String> {
    let (name, column) = to.quoted(column)?;
    let list = to.list(set, column)?;
    let grouped = grouped(&name, scope, to);
    let text = to.dialect.as_text("value", to.dialect.family(&column.kind));
    let found = to.single(
        format!(
            "SELECT COUNT(CASE WHEN copies = most THEN 1 END) AS modes, \
             COUNT(CASE WHEN copies = most AND {} THEN 1 END) AS known, \
             MIN(CASE WHEN copies = most THEN {text} END) AS mode \
             FROM (SELECT value, copies, MAX(copies) OVER () AS most FROM {grouped}) AS g",
            member(&list)
        ),
        &["modes", "known", "mode"],
    );
    Ok(Ruling::Mode {
        modes: found[0],
        known: found[1],
        mode: found[2],
        ties_okay,
    })
}

fn as_in_source(source: &Source, scope: &str, to: &mut Statement<'_>) -> Result<Ruling, String> {
    let mut pairs = Vec::new();
    let mut asked: Vec<String> = Vec::new();
    let mut waiting: Vec<(String, Slot)> = Vec::new();
    let number = |value: &Literal, what: &str| {
        value
            .number()
            .ok_or_else(|| format!("{what} of the source, `{}`, is no number", value.shown()))
    };
    let rows = to.count(&[scope]);
    match &source.rows {
        Some(count) => pairs.push((
            "rows".to_owned(),
            rows,
            Against::Number(number(count, "the rows")?),
        )),
        None if source.table.is_some() => {
            asked.push("COUNT(*)".to_owned());
            waiting.push(("rows".to_owned(), rows));
        }
        None => {}
    }
    for (column, value) in &source.sums {
        let (name, of) = to.quoted(column)?;
        numeric(of, to)?;
        let here = to.measure(format!("SUM({})", scoped(&name, scope)));
        let what = format!("sum of {column}");
        if !value.is_null() {
            pairs.push((what.clone(), here, Against::Number(number(value, &what)?)));
        } else if source.table.is_some() {
            asked.push(format!("SUM({name})"));
            waiting.push((what, here));
        } else {
            return Err(format!("the source says no {what}: give it, or its table"));
        }
    }
    if let Some(table) = &source.table
        && !asked.is_empty()
    {
        let table = to.dialect.table(table.as_str())?;
        let names: Vec<String> = (0..asked.len()).map(|index| format!("a{index}")).collect();
        let picks: Vec<String> = asked
            .iter()
            .zip(&names)
            .map(|(expr, name)| format!("{expr} AS {name}"))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = to.single(format!("SELECT {} FROM {table}", picks.join(", ")), &names);
        for ((what, here), there) in waiting.into_iter().zip(found) {
            pairs.push((what, here, Against::Slot(there)));
        }
    }
    if pairs.is_empty() {
        return Err("nothing of the source is compared: name its table, rows or sums".to_owned());
    }
    Ok(Ruling::Source {
        pairs,
        percent: source.percent,
    })
}

/// Values that are looked at here, because no database can.
fn fetched(
    column: &str,
    test: Test,
    (scope, nulls_fail): (&str, bool),
    to: &mut Statement<'_>,
) -> Result<Ruling, String> {
    let (name, of) = to.quoted(column)?;
    let text = to.dialect.as_text(&name, to.dialect.family(&of.kind));
    let filter = filter(&[scope, &format!("({name} IS NOT NULL)")]);
    let count = to.dialect.as_text("COUNT(*)", Family::Int);
    let sql = format!(
        "WITH {ROWS} AS (\n  {}\n)\nSELECT value, {count} AS copies \
         FROM (SELECT {text} AS value FROM {ROWS}{filter}) AS v GROUP BY value LIMIT {}",
        to.rows(),
        super::FETCHED_VALUES_MAX + 1
    );
    Ok(Ruling::Fetched {
        rows: to.count(&[scope]),
        missing: to.count(&[scope, &format!("({name} IS NULL)")]),
        nulls_fail,
        sql,
        test,
    })
}
