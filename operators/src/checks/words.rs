//! What checks demand and what is wrong, in words: the first line of an alert is made of these.

use super::literal::Literal;
use super::rule::{MatchOn, Patterns, Rule, SetRule, Statistic};
use super::verdict::{grouped, span_shown};

/// Values of a set that are named; the rest is counted.
const SET_SHOWN: usize = 8;

fn list(values: &[Literal]) -> String {
    if values.is_empty() {
        return "nothing".to_owned();
    }
    let named: Vec<String> = values.iter().take(SET_SHOWN).map(Literal::shown).collect();
    let more = values.len().saturating_sub(SET_SHOWN);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", named.join(", "))
}

fn patterns(patterns: &Patterns) -> String {
    let named: Vec<String> = patterns
        .patterns
        .iter()
        .map(|pattern| format!("`{pattern}`"))
        .collect();
    let joint = match patterns.on {
        MatchOn::All if !patterns.not => " and ",
        _ => " or ",
    };
    named.join(joint)
}

fn span(span: Option<std::time::Duration>) -> String {
    span.map_or_else(
        || "any time".to_owned(),
        |span| span_shown(chrono::TimeDelta::from_std(span).unwrap_or(chrono::TimeDelta::MAX)),
    )
}

/// What a check demands.
#[expect(clippy::too_many_lines, reason = "one arm a kind, and nothing else")]
pub(super) fn expected(rule: &Rule) -> String {
    match rule {
        Rule::RowCount(within) => format!("{} rows", within.shown()),
        Rule::RowCountOf { table } => format!("as many rows as {table}"),
        Rule::ColumnCount(within) => format!("{} columns", within.shown()),
        Rule::ColumnsInOrder { columns } => columns.join(", "),
        Rule::ColumnsAre { columns, exactly } => {
            let least = if *exactly { "" } else { "at least " };
            format!("{least}{}", columns.join(", "))
        }
        Rule::ColumnExists { index, .. } => index.map_or_else(
            || "it is there".to_owned(),
            |index| format!("it is column {index}, counted from 0"),
        ),
        Rule::NotNull { .. } => "a value".to_owned(),
        Rule::Null { .. } => "no value".to_owned(),
        Rule::Unique { .. } | Rule::UniqueTogether { .. } => "no value twice".to_owned(),
        Rule::InSet { set: None, .. } => "anything".to_owned(),
        Rule::InSet { set: Some(set), .. } => format!("one of {}", list(set)),
        Rule::NotInSet { set, .. } => format!("none of {}", list(set)),
        Rule::Between { within, .. } | Rule::Statistic { within, .. } => within.shown(),
        Rule::OfType { types, .. } => types.join(" or "),
        Rule::Matches { patterns: of, .. } => {
            let word = match (of.not, of.like) {
                (false, false) => "matches",
                (true, false) => "does not match",
                (false, true) => "is like",
                (true, true) => "is not like",
            };
            format!("{word} {}", patterns(of))
        }
        Rule::Length { within, .. } => format!("{} characters", within.shown()),
        Rule::Quantiles { quantiles, .. } => {
            let each: Vec<String> = quantiles
                .iter()
                .map(|quantile| format!("{}: {}", quantile.at, quantile.within.shown()))
                .collect();
            each.join(", ")
        }
        Rule::Distinct { set, rule, .. } => match rule {
            SetRule::Within => format!("only {}", list(set)),
            SetRule::Contains => format!("all of {}", list(set)),
            SetRule::Equals => format!("exactly {}", list(set)),
        },
        Rule::PairEqual { a, b } => format!("{a} = {b}"),
        Rule::PairGreater { a, b, or_equal } => {
            format!("{a} {} {b}", if *or_equal { "≥" } else { ">" })
        }
        Rule::PairInSet { pairs, .. } => format!("one of {} pairs", pairs.len()),
        Rule::UniqueWithinRow { .. } => "different values in a row".to_owned(),
        Rule::SumOfRow { columns, total } => format!("{} = {}", columns.join(" + "), total.shown()),
        Rule::MostCommon { set, .. } => format!("one of {}", list(set)),
        Rule::ZScore { threshold, .. } => {
            format!("less than {threshold} standard deviations from the mean")
        }
        Rule::InOrder {
            decreasing,
            strictly,
            ..
        } => {
            let word = if *decreasing {
                "decreasing"
            } else {
                "increasing"
            };
            format!("{}{word}", if *strictly { "strictly " } else { "" })
        }
        Rule::Strftime { format, .. } => format!("a date like {format}"),
        Rule::DateParses { .. } => "a date".to_owned(),
        Rule::JsonParses { .. } => "JSON".to_owned(),
        Rule::JsonSchema { .. } => "JSON of the schema".to_owned(),
        Rule::NoRows { .. } => "no rows".to_owned(),
        Rule::Fresh { fail_after, .. } => format!("no older than {}", span(*fail_after)),
        Rule::Volume { deviations, .. } => {
            format!("within {deviations} standard deviations of earlier counts")
        }
        Rule::OneVersion(_) => {
            "one current version of each key, and none beside another".to_owned()
        }
        Rule::References { table, to, .. } => {
            format!("a row in {table} with that {}", to.join(", "))
        }
        Rule::AsInSource(source) => format!("as in the source, within {} %", source.percent),
    }
}

/// What failing rows are: it follows "12 of 4,000 rows".
fn failing(rule: &Rule) -> String {
    let columns = rule.columns().join(", ");
    match rule {
        Rule::NotNull { .. } => format!("have no {columns}"),
        Rule::Null { .. } => format!("have a value in {columns}"),
        Rule::Unique { .. } | Rule::UniqueTogether { .. } => {
            format!("share their {columns} with other rows")
        }
        Rule::Matches { patterns: of, .. } => {
            let word = match (of.not, of.like) {
                (false, false) => "does not match",
                (true, false) => "matches",
                (false, true) => "is not like",
                (true, true) => "is like",
            };
            format!("have a value in {columns} that {word} {}", patterns(of))
        }
        Rule::Between { within, .. } => {
            format!("have a value in {columns} that is not {}", within.shown())
        }
        Rule::Length { within, .. } => {
            format!(
                "have a value in {columns} that is not {} characters long",
                within.shown()
            )
        }
        Rule::InSet { .. }
        | Rule::Strftime { .. }
        | Rule::DateParses { .. }
        | Rule::JsonParses { .. } => {
            format!("have a value in {columns} that is not {}", expected(rule))
        }
        Rule::NotInSet { set, .. } => {
            format!("have a value in {columns} that is one of {}", list(set))
        }
        Rule::JsonSchema { .. } => {
            format!("have a value in {columns} that the schema does not describe")
        }
        Rule::ZScore { threshold, .. } => format!(
            "have a value in {columns} that is {threshold} standard deviations or more from the mean"
        ),
        Rule::InOrder { .. } => format!("have a value in {columns} that is not {}", expected(rule)),
        Rule::PairInSet { .. } => format!("have a pair in {columns} that is not allowed"),
        Rule::PairEqual { .. } | Rule::PairGreater { .. } | Rule::SumOfRow { .. } => {
            format!("do not have {}", expected(rule))
        }
        Rule::UniqueWithinRow { .. } => format!("have the same value in two of {columns}"),
        Rule::References { table, .. } => format!("have a {columns} that is not in {table}"),
        Rule::OneVersion(_) => "are no valid versions".to_owned(),
        other => format!("fail {}", other.name()),
    }
}

/// What is wrong: `12 of 4,000 rows have no customer_id`.
pub(super) fn cause(
    rule: &Rule,
    (unexpected, rows): (Option<i64>, Option<i64>),
    observed: &str,
) -> String {
    if let (Some(bad), Some(rows)) = (unexpected, rows) {
        let detail = match rule {
            Rule::OneVersion(_) if !observed.is_empty() => format!(": {observed}"),
            _ => String::new(),
        };
        return format!(
            "{} of {} rows {}{detail}",
            grouped(bad),
            grouped(rows),
            failing(rule)
        );
    }
    let columns = rule.columns().join(", ");
    match rule {
        Rule::NoRows { .. } => format!("the query returns {observed}, not none"),
        Rule::Fresh { .. } => format!(
            "the newest {columns} is {observed}, expected {}",
            expected(rule)
        ),
        Rule::Statistic { of, .. } => {
            let word = match of {
                Statistic::Max => "the largest",
                Statistic::Min => "the smallest",
                Statistic::Mean => "the mean of",
                Statistic::Median => "the median of",
                Statistic::Sum => "the sum of",
                Statistic::Stdev => "the standard deviation of",
                Statistic::UniqueCount => "the number of different values of",
                Statistic::UniqueProportion => "the part of different values of",
            };
            format!(
                "{word} {columns} is {observed}, expected {}",
                expected(rule)
            )
        }
        Rule::Quantiles { .. } => format!(
            "quantiles of {columns} are {observed}, expected {}",
            expected(rule)
        ),
        Rule::Distinct { .. } => format!("{columns} has {observed}, expected {}", expected(rule)),
        Rule::MostCommon { .. } => {
            format!(
                "the most common {columns} is {observed}, expected {}",
                expected(rule)
            )
        }
        Rule::OfType { .. } => format!(
            "the column {columns} is {observed}, expected {}",
            expected(rule)
        ),
        Rule::ColumnExists { .. } => format!(
            "the column {columns}: {observed}, expected that {}",
            expected(rule)
        ),
        Rule::AsInSource(_) => format!("not as in its source: {observed}"),
        Rule::ColumnsInOrder { .. } | Rule::ColumnsAre { .. } => {
            format!(
                "the columns are not as expected: {observed}; expected {}",
                expected(rule)
            )
        }
        other => format!("it has {observed}, expected {}", expected(other)),
    }
}
