//! The expectations by their names.

use super::super::literal::Bounds;
use super::super::rule::{MatchOn, Patterns, Quantile, Rule, SetRule, Statistic};
use super::args::Args;

/// Names that people may have mistyped.
const KNOWN: [&str; 48] = [
    "expect_column_distinct_values_to_be_in_set",
    "expect_column_distinct_values_to_contain_set",
    "expect_column_distinct_values_to_equal_set",
    "expect_column_max_to_be_between",
    "expect_column_mean_to_be_between",
    "expect_column_median_to_be_between",
    "expect_column_min_to_be_between",
    "expect_column_most_common_value_to_be_in_set",
    "expect_column_pair_values_a_to_be_greater_than_b",
    "expect_column_pair_values_to_be_equal",
    "expect_column_pair_values_to_be_in_set",
    "expect_column_proportion_of_unique_values_to_be_between",
    "expect_column_quantile_values_to_be_between",
    "expect_column_stdev_to_be_between",
    "expect_column_sum_to_be_between",
    "expect_column_to_exist",
    "expect_column_unique_value_count_to_be_between",
    "expect_column_value_lengths_to_be_between",
    "expect_column_value_lengths_to_equal",
    "expect_column_value_z_scores_to_be_less_than",
    "expect_column_values_to_be_between",
    "expect_column_values_to_be_dateutil_parseable",
    "expect_column_values_to_be_in_set",
    "expect_column_values_to_be_in_type_list",
    "expect_column_values_to_be_json_parseable",
    "expect_column_values_to_be_null",
    "expect_column_values_to_be_of_type",
    "expect_column_values_to_be_unique",
    "expect_column_values_to_match_json_schema",
    "expect_column_values_to_match_like_pattern",
    "expect_column_values_to_match_like_pattern_list",
    "expect_column_values_to_match_regex",
    "expect_column_values_to_match_regex_list",
    "expect_column_values_to_match_strftime_format",
    "expect_column_values_to_not_be_in_set",
    "expect_column_values_to_not_be_null",
    "expect_column_values_to_not_match_like_pattern",
    "expect_column_values_to_not_match_regex",
    "expect_column_values_to_not_match_regex_list",
    "expect_compound_columns_to_be_unique",
    "expect_multicolumn_sum_to_equal",
    "expect_select_column_values_to_be_unique_within_record",
    "expect_table_column_count_to_equal",
    "expect_table_columns_to_match_ordered_list",
    "expect_table_columns_to_match_set",
    "expect_table_row_count_to_be_between",
    "expect_table_row_count_to_equal",
    "expect_table_row_count_to_equal_other_table",
];

/// What an expectation demands.
///
/// # Errors
/// There is none of this name, or an argument of it is missing or wrong.
pub(crate) fn rule(kind: &str, args: &mut Args<'_>) -> Result<Rule, String> {
    if let Some(found) = of_table(kind, args)? {
        return Ok(found);
    }
    if let Some(found) = of_columns(kind, args)? {
        return Ok(found);
    }
    let known = |kind: &str| {
        let near = tidemill_core::id::nearest(kind, KNOWN);
        near.map_or(String::new(), |near| format!("; did you mean `{near}`?"))
    };
    if !kind.starts_with("expect_column_") {
        return Err(format!(
            "there is no check for this expectation{}",
            known(kind)
        ));
    }
    let column = args.need("column")?;
    of_column(kind, column, args)?
        .ok_or_else(|| format!("there is no check for this expectation{}", known(kind)))
}

fn equal(args: &mut Args<'_>) -> Result<Bounds, String> {
    let value = args.count("value")?.ok_or("it has no `value`")?;
    Ok(Bounds::new(value, value))
}

fn of_table(kind: &str, args: &mut Args<'_>) -> Result<Option<Rule>, String> {
    Ok(Some(match kind {
        "expect_table_row_count_to_be_between" => Rule::RowCount(args.bounds()?),
        "expect_table_row_count_to_equal" => Rule::RowCount(equal(args)?),
        "expect_table_row_count_to_equal_other_table" => Rule::RowCountOf {
            table: args.need("other_table_name")?.into(),
        },
        "expect_table_column_count_to_equal" => Rule::ColumnCount(equal(args)?),
        "expect_table_column_count_to_be_between" => Rule::ColumnCount(args.bounds()?),
        "expect_table_columns_to_match_ordered_list" => Rule::ColumnsInOrder {
            columns: args.need_texts("column_list")?,
        },
        "expect_table_columns_to_match_set" => Rule::ColumnsAre {
            columns: args.need_texts("column_set")?,
            exactly: args.flag("exact_match", true)?,
        },
        "expect_column_to_exist" => Rule::ColumnExists {
            column: args.need("column")?,
            // It looks at no index of 0 either.
            index: args
                .count("column_index")?
                .filter(|index| *index > 0)
                .and_then(|index| usize::try_from(index).ok()),
        },
        "unexpected_rows_expectation" => Rule::NoRows {
            sql: args.need("unexpected_rows_query")?,
        },
        _ => return Ok(None),
    }))
}

fn of_columns(kind: &str, args: &mut Args<'_>) -> Result<Option<Rule>, String> {
    let pair = |args: &mut Args<'_>| -> Result<(String, String), String> {
        Ok((args.need("column_A")?, args.need("column_B")?))
    };
    Ok(Some(match kind {
        "expect_column_pair_values_to_be_equal" => {
            let (a, b) = pair(args)?;
            Rule::PairEqual { a, b }
        }
        "expect_column_pair_values_a_to_be_greater_than_b" => {
            let (a, b) = pair(args)?;
            let or_equal = args.flag("or_equal", false)?;
            Rule::PairGreater { a, b, or_equal }
        }
        "expect_column_pair_values_to_be_in_set" => {
            let (a, b) = pair(args)?;
            let pairs = args.pairs("value_pairs_set")?;
            Rule::PairInSet { a, b, pairs }
        }
        "expect_compound_columns_to_be_unique" => Rule::UniqueTogether {
            columns: args.need_texts("column_list")?,
        },
        "expect_select_column_values_to_be_unique_within_record" => Rule::UniqueWithinRow {
            columns: args.need_texts("column_list")?,
        },
        "expect_multicolumn_sum_to_equal" => Rule::SumOfRow {
            columns: args.need_texts("column_list")?,
            total: args.literal("sum_total")?,
        },
        _ => return Ok(None),
    }))
}

fn patterns(patterns: Vec<String>, (on, not, like): (MatchOn, bool, bool)) -> Patterns {
    Patterns {
        patterns,
        on,
        not,
        like,
    }
}

#[expect(clippy::too_many_lines, reason = "one arm a kind, and nothing else")]
fn of_column(kind: &str, column: String, args: &mut Args<'_>) -> Result<Option<Rule>, String> {
    if let Some(patterns) = of_patterns(kind, args)? {
        return Ok(Some(Rule::Matches { column, patterns }));
    }
    let set = |args: &mut Args<'_>| -> Result<Vec<_>, String> {
        args.literals("value_set")?
            .ok_or_else(|| "it has no `value_set`".to_owned())
    };
    let statistic = |of, column, args: &mut Args<'_>| -> Result<Rule, String> {
        let within = args.bounds()?;
        Ok(Rule::Statistic { column, of, within })
    };
    let distinct = |rule, column, args: &mut Args<'_>| -> Result<Rule, String> {
        let set = set(args)?;
        Ok(Rule::Distinct { column, set, rule })
    };
    let rest = kind.strip_prefix("expect_column_").unwrap_or(kind);
    Ok(Some(match rest {
        "values_to_not_be_null" => Rule::NotNull { column },
        "values_to_be_null" => Rule::Null { column },
        "values_to_be_unique" => Rule::Unique { column },
        "values_to_be_in_set" => Rule::InSet {
            column,
            set: args.literals("value_set")?,
        },
        "values_to_not_be_in_set" => Rule::NotInSet {
            column,
            set: args.literals("value_set")?.unwrap_or_default(),
        },
        "values_to_be_between" => Rule::Between {
            column,
            within: args.bounds()?,
        },
        "values_to_be_of_type" => Rule::OfType {
            column,
            types: args.text("type_")?.into_iter().collect(),
        },
        "values_to_be_in_type_list" => Rule::OfType {
            column,
            types: args.texts("type_list")?.unwrap_or_default(),
        },
        "value_lengths_to_be_between" => Rule::Length {
            column,
            within: args.bounds()?,
        },
        "value_lengths_to_equal" => Rule::Length {
            column,
            within: equal(args)?,
        },
        "max_to_be_between" => statistic(Statistic::Max, column, args)?,
        "min_to_be_between" => statistic(Statistic::Min, column, args)?,
        "mean_to_be_between" => statistic(Statistic::Mean, column, args)?,
        "median_to_be_between" => statistic(Statistic::Median, column, args)?,
        "sum_to_be_between" => statistic(Statistic::Sum, column, args)?,
        "stdev_to_be_between" => statistic(Statistic::Stdev, column, args)?,
        "unique_value_count_to_be_between" => statistic(Statistic::UniqueCount, column, args)?,
        "proportion_of_unique_values_to_be_between" => {
            statistic(Statistic::UniqueProportion, column, args)?
        }
        "quantile_values_to_be_between" => {
            // How exact an approximation is: these are none.
            let _ = args.take("allow_relative_error");
            Rule::Quantiles {
                column,
                quantiles: quantiles(args)?,
            }
        }
        "distinct_values_to_be_in_set" => distinct(SetRule::Within, column, args)?,
        "distinct_values_to_contain_set" => distinct(SetRule::Contains, column, args)?,
        "distinct_values_to_equal_set" => distinct(SetRule::Equals, column, args)?,
        "most_common_value_to_be_in_set" => Rule::MostCommon {
            column,
            set: set(args)?,
            ties_okay: args.flag("ties_okay", false)?,
        },
        "value_z_scores_to_be_less_than" => Rule::ZScore {
            column,
            threshold: args.number("threshold")?.ok_or("it has no `threshold`")?,
            double_sided: args.flag("double_sided", true)?,
        },
        "values_to_be_increasing" | "values_to_be_decreasing" => Rule::InOrder {
            column,
            decreasing: rest.ends_with("decreasing"),
            strictly: args.flag("strictly", false)?,
            by: args.text("sort_column")?,
        },
        "values_to_match_strftime_format" => Rule::Strftime {
            column,
            format: args.need("strftime_format")?,
        },
        "values_to_be_dateutil_parseable" => Rule::DateParses { column },
        "values_to_be_json_parseable" => Rule::JsonParses { column },
        "values_to_match_json_schema" => Rule::JsonSchema {
            column,
            schema: args
                .take("json_schema")
                .cloned()
                .ok_or("it has no `json_schema`")?,
        },
        _ => return Ok(None),
    }))
}

fn of_patterns(kind: &str, args: &mut Args<'_>) -> Result<Option<Patterns>, String> {
    let rest = kind
        .strip_prefix("expect_column_values_to_")
        .unwrap_or_default();
    let (rest, not) = rest
        .strip_prefix("not_")
        .map_or((rest, false), |rest| (rest, true));
    Ok(Some(match rest {
        "match_regex" => {
            // dbt-expectations has flags here, which are not these.
            patterns(vec![args.need("regex")?], (MatchOn::Any, not, false))
        }
        "match_regex_list" => {
            let list = args.need_texts("regex_list")?;
            patterns(list, (args.match_on()?, not, false))
        }
        "match_like_pattern" => {
            patterns(vec![args.need("like_pattern")?], (MatchOn::Any, not, true))
        }
        "match_like_pattern_list" => {
            let list = args.need_texts("like_pattern_list")?;
            patterns(list, (args.match_on()?, not, true))
        }
        _ => return Ok(None),
    }))
}

fn quantiles(args: &mut Args<'_>) -> Result<Vec<Quantile>, String> {
    let wrong = || "`quantile_ranges` has `quantiles` and as many `value_ranges`".to_owned();
    let map = args
        .take("quantile_ranges")
        .and_then(serde_json::Value::as_object);
    let mut inner = Args::new(map.ok_or_else(wrong)?);
    let at = inner.literals("quantiles")?.ok_or_else(wrong)?;
    let ranges = inner.pairs("value_ranges")?;
    if at.len() != ranges.len() {
        return Err(wrong());
    }
    at.iter()
        .zip(ranges)
        .map(|(at, (min, max))| {
            Ok(Quantile {
                at: at.number().ok_or_else(wrong)?,
                within: Bounds::new(min, max),
            })
        })
        .collect()
}
