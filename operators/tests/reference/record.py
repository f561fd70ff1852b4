#!/usr/bin/env python3
"""Records what real Great Expectations says of the tables in data.txt, for the test `reference` to compare with.

python3 -m venv v && v/bin/pip install great_expectations==1.24.1 pandas
v/bin/python operators/tests/reference/record.py > operators/tests/reference/verdicts.tsv

Each line: table, engine, expectation as JSON, success, rows, missing, unexpected, observed number. An expectation is
asked of pandas; where that knows it not, of SQLite. `error` for success: it raised an exception.
"""
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["GX_ANALYTICS_ENABLED"] = "false"
import great_expectations as gx
import pandas as pd

HERE = Path(__file__).parent


def unescape(cell):
    return cell.replace("\\\\", "\0").replace("\\u0301", "\u0301").replace("\0", "\\")


def tables():
    found, name, columns, rows = {}, None, None, []
    for line in (HERE / "data.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("table "):
            name, columns = line[6:], None
            found[name] = None
            rows = []
            continue
        cells = line.split("|")
        if columns is None:
            columns = [cell.split(":") for cell in cells]
        else:
            rows.append(cells)
        frame = {}
        for index, (column, kind) in enumerate(columns):
            values = [None if row[index] == "\\N" else unescape(row[index]) for row in rows]
            if kind == "STRING":
                frame[column] = pd.Series(values, dtype="object")
            elif kind == "FLOAT64" or None in values:
                frame[column] = pd.Series([float("nan") if v is None else float(v) for v in values], dtype="float64")
            else:
                frame[column] = pd.Series([int(v) for v in values], dtype="int64")
        found[name] = pd.DataFrame(frame)
    return found


def column(kind, name, **kwargs):
    return {"type": f"expect_column_{kind}", "kwargs": {"column": name, **kwargs}}


def pair(kind, a, b, **kwargs):
    return {"type": f"expect_column_pair_values_{kind}", "kwargs": {"column_A": a, "column_B": b, **kwargs}}


def other(kind, **kwargs):
    return {"type": f"expect_{kind}", "kwargs": kwargs}


COLUMNS = ["id", "code", "name", "amount", "qty", "a", "b", "c", "day", "doc", "empty"]
WHERE = {"type": "comparison", "column": {"name": "id"}, "operator": ">", "parameter": 4}
PRESENT = {"type": "nullity", "column": {"name": "code"}, "is_null": False}

EXPECTATIONS = [
    other("table_row_count_to_be_between", min_value=1, max_value=10),
    other("table_row_count_to_be_between", min_value=11),
    other("table_row_count_to_be_between", max_value=9),
    other("table_row_count_to_equal", value=10),
    other("table_row_count_to_equal", value=0),
    other("table_row_count_to_equal", value=6, row_condition=WHERE),
    other("table_row_count_to_equal_other_table", other_table_name="mixed"),
    other("table_column_count_to_equal", value=11),
    other("table_column_count_to_equal", value=10),
    other("table_column_count_to_be_between", min_value=11, max_value=12),
    other("table_columns_to_match_ordered_list", column_list=COLUMNS),
    other("table_columns_to_match_ordered_list", column_list=COLUMNS[::-1]),
    other("table_columns_to_match_set", column_set=COLUMNS[::-1], exact_match=True),
    other("table_columns_to_match_set", column_set=COLUMNS[:3], exact_match=True),
    other("table_columns_to_match_set", column_set=COLUMNS[:3], exact_match=False),
    other("table_columns_to_match_set", column_set=["nope"], exact_match=False),
    column("to_exist", "code"),
    column("to_exist", "nope"),
    column("to_exist", "code", column_index=1),
    column("to_exist", "code", column_index=2),
    column("to_exist", "code", column_index=0),
    column("values_to_not_be_null", "id"),
    column("values_to_not_be_null", "code"),
    column("values_to_not_be_null", "code", mostly=0.9),
    column("values_to_not_be_null", "code", mostly=0.91),
    column("values_to_not_be_null", "amount", mostly=0.8),
    column("values_to_not_be_null", "empty"),
    column("values_to_not_be_null", "code", row_condition=WHERE),
    column("values_to_be_null", "empty"),
    column("values_to_be_null", "code"),
    column("values_to_be_null", "amount", mostly=0.2),
    column("values_to_be_unique", "id"),
    column("values_to_be_unique", "code"),
    column("values_to_be_unique", "qty"),
    column("values_to_be_unique", "qty", mostly=0.4),
    column("values_to_be_unique", "name"),
    column("values_to_be_unique", "amount"),
    column("values_to_be_unique", "qty", row_condition=WHERE),
    column("values_to_be_in_set", "code", value_set=["A1", "A2", "B-7"]),
    column("values_to_be_in_set", "code", value_set=["A1", "A2", "B-7"], mostly=0.4),
    column("values_to_be_in_set", "name", value_set=["日本", "Zoë", "O'Neil", "back\\slash"]),
    column("values_to_be_in_set", "qty", value_set=[1, 2, 5]),
    column("values_to_be_in_set", "code", value_set=[]),
    column("values_to_not_be_in_set", "code", value_set=["A2"]),
    column("values_to_not_be_in_set", "qty", value_set=[99]),
    column("values_to_be_between", "amount", min_value=0, max_value=500),
    column("values_to_be_between", "amount", min_value=0, max_value=500, mostly=0.75),
    column("values_to_be_between", "amount", min_value=10.5, max_value=1000, strict_min=True),
    column("values_to_be_between", "amount", min_value=-3, max_value=1000, strict_max=True),
    column("values_to_be_between", "qty", max_value=5),
    column("values_to_be_between", "qty", min_value=2, row_condition=PRESENT),
    column("values_to_match_regex", "code", regex="[0-9]"),
    column("values_to_match_regex", "code", regex="^A[0-9]+$", mostly=0.5),
    column("values_to_match_regex", "name", regex="^.{2,6}$"),
    column("values_to_not_match_regex", "code", regex="-"),
    column("values_to_match_regex_list", "code", regex_list=["^A", "^B"], match_on="any"),
    column("values_to_match_regex_list", "code", regex_list=["^A", "[12]"], match_on="all"),
    column("values_to_not_match_regex_list", "code", regex_list=["^b", "-"]),
    column("values_to_match_like_pattern", "code", like_pattern="A%"),
    column("values_to_match_like_pattern", "name", like_pattern="%e_"),
    column("values_to_not_match_like_pattern", "code", like_pattern="%9"),
    column("values_to_match_like_pattern_list", "code", like_pattern_list=["A%", "B%"], match_on="any"),
    column("values_to_match_like_pattern_list", "code", like_pattern_list=["A%", "%1%"], match_on="all"),
    column("values_to_not_match_like_pattern_list", "code", like_pattern_list=["%-%", "%9"]),
    column("value_lengths_to_be_between", "code", min_value=1, max_value=2),
    column("value_lengths_to_be_between", "name", min_value=2, max_value=5),
    column("value_lengths_to_be_between", "name", min_value=2, strict_min=True),
    column("value_lengths_to_equal", "code", value=2),
    column("max_to_be_between", "amount", min_value=1000, max_value=1000),
    column("max_to_be_between", "amount", max_value=1000, strict_max=True),
    column("max_to_be_between", "qty", min_value=10),
    column("min_to_be_between", "amount", min_value=-3),
    column("min_to_be_between", "amount", min_value=0),
    column("min_to_be_between", "qty", max_value=1, row_condition=WHERE),
    column("mean_to_be_between", "amount", min_value=144, max_value=145),
    column("mean_to_be_between", "qty", min_value=5, max_value=5),
    column("median_to_be_between", "amount", min_value=12, max_value=12),
    column("median_to_be_between", "qty", min_value=5, max_value=6),
    column("median_to_be_between", "a", max_value=5),
    column("sum_to_be_between", "qty", min_value=45, max_value=45),
    column("sum_to_be_between", "amount", min_value=0, max_value=1000),
    column("stdev_to_be_between", "amount", min_value=340, max_value=350),
    column("stdev_to_be_between", "qty", min_value=0, max_value=3),
    column("quantile_values_to_be_between", "qty", quantile_ranges={"quantiles": [0.5], "value_ranges": [[5, 5]]}),
    column("quantile_values_to_be_between", "qty", quantile_ranges={"quantiles": [0.0, 1.0], "value_ranges": [[None, 1], [10, None]]}),
    column("quantile_values_to_be_between", "qty", quantile_ranges={"quantiles": [0.0, 1.0], "value_ranges": [[None, 0], [10, None]]}),
    column("unique_value_count_to_be_between", "code", min_value=8, max_value=8),
    column("unique_value_count_to_be_between", "name", min_value=9),
    column("unique_value_count_to_be_between", "empty", max_value=0),
    column("proportion_of_unique_values_to_be_between", "code", min_value=0.8, max_value=0.9),
    column("proportion_of_unique_values_to_be_between", "qty", min_value=0.9),
    column("proportion_of_unique_values_to_be_between", "empty", max_value=0),
    column("distinct_values_to_be_in_set", "qty", value_set=[1, 2, 5, 7, 8, 10, 11]),
    column("distinct_values_to_be_in_set", "qty", value_set=[1, 2, 5]),
    column("distinct_values_to_contain_set", "qty", value_set=[1, 2, 5]),
    column("distinct_values_to_contain_set", "qty", value_set=[1, 3]),
    column("distinct_values_to_equal_set", "qty", value_set=[1, 2, 5, 7, 8, 10]),
    column("distinct_values_to_equal_set", "qty", value_set=[1, 2, 5, 7, 8, 10, 11]),
    column("distinct_values_to_equal_set", "name", value_set=["日本"]),
    pair("to_be_equal", "a", "b"),
    pair("to_be_equal", "a", "b", mostly=0.3),
    pair("to_be_equal", "a", "b", ignore_row_if="either_value_is_missing"),
    pair("to_be_equal", "a", "c", ignore_row_if="neither"),
    pair("a_to_be_greater_than_b", "a", "b"),
    pair("a_to_be_greater_than_b", "a", "b", or_equal=True),
    pair("a_to_be_greater_than_b", "a", "b", or_equal=True, ignore_row_if="either_value_is_missing"),
    pair("to_be_in_set", "a", "b", value_pairs_set=[[1, 1], [2, 1], [7, 7]]),
    pair("to_be_in_set", "a", "b", value_pairs_set=[[1, 1], [2, 1], [7, 7]], ignore_row_if="either_value_is_missing"),
    other("compound_columns_to_be_unique", column_list=["qty", "a"]),
    other("compound_columns_to_be_unique", column_list=["qty", "c"]),
    other("compound_columns_to_be_unique", column_list=["qty", "code"], ignore_row_if="any_value_is_missing"),
    other("compound_columns_to_be_unique", column_list=["empty", "code"], ignore_row_if="never"),
    other("select_column_values_to_be_unique_within_record", column_list=["a", "b", "c"]),
    other("select_column_values_to_be_unique_within_record", column_list=["a", "b", "c"], ignore_row_if="any_value_is_missing"),
    other("multicolumn_sum_to_equal", column_list=["a", "b"], sum_total=18),
    other("multicolumn_sum_to_equal", column_list=["a", "b"], sum_total=3, mostly=0.1),
    other("multicolumn_sum_to_equal", column_list=["a", "b"], sum_total=3, ignore_row_if="any_value_is_missing"),
    column("most_common_value_to_be_in_set", "qty", value_set=[5]),
    column("most_common_value_to_be_in_set", "qty", value_set=[2]),
    column("most_common_value_to_be_in_set", "amount", value_set=[12.0]),
    column("most_common_value_to_be_in_set", "id", value_set=[1]),
    column("most_common_value_to_be_in_set", "id", value_set=[1], ties_okay=True),
    column("value_z_scores_to_be_less_than", "amount", threshold=2, double_sided=True),
    column("value_z_scores_to_be_less_than", "amount", threshold=3, double_sided=True),
    column("value_z_scores_to_be_less_than", "amount", threshold=-0.4, double_sided=False),
    column("values_to_be_increasing", "id"),
    column("values_to_be_increasing", "qty"),
    column("values_to_be_increasing", "qty", strictly=True),
    column("values_to_be_decreasing", "qty"),
    column("values_to_be_decreasing", "qty", mostly=0.3),
    column("values_to_match_strftime_format", "day", strftime_format="%Y-%m-%d"),
    column("values_to_match_strftime_format", "day", strftime_format="%Y-%m-%d", mostly=0.6),
    column("values_to_match_strftime_format", "day", strftime_format="%d/%m/%Y"),
    column("values_to_be_dateutil_parseable", "day"),
    column("values_to_be_json_parseable", "doc"),
    column("values_to_be_json_parseable", "doc", mostly=0.7),
    column("values_to_match_json_schema", "doc", json_schema={"type": "object", "required": ["k"], "properties": {"k": {"type": "integer"}}}),
    {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": "SELECT * FROM {batch} WHERE qty > 7"}},
    {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": "SELECT * FROM {batch} WHERE qty > 70"}},
]


def build(expectation):
    return gx.expectations.registry.get_expectation_impl(expectation["type"])(
        **expectation["kwargs"]
    )


def ask(batch, expectation):
    try:
        result = batch.validate(build(expectation), result_format="COMPLETE").to_json_dict()
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"
    info = result.get("exception_info") or {}
    for one in [info] + [value for value in info.values() if isinstance(value, dict)]:
        if one.get("raised_exception"):
            return None, str(one.get("exception_message"))
    return result, ""


def main():
    frames = tables()
    context = gx.get_context(mode="ephemeral")
    import sqlalchemy

    url = "sqlite:///" + os.path.join(tempfile.mkdtemp(), "x.db")
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("PRAGMA case_sensitive_like = ON"))
        for name, frame in frames.items():
            frame.to_sql(name, connection, index=False)
    engine.dispose()
    pandas = context.data_sources.add_pandas("p")
    sqlite = context.data_sources.add_sqlite("s", connection_string=url)
    print("# Great Expectations", gx.__version__, "- made by record.py")
    for name, frame in frames.items():
        of_pandas = (
            pandas.add_dataframe_asset(name)
            .add_batch_definition_whole_dataframe("b")
            .get_batch(batch_parameters={"dataframe": frame})
        )
        of_sqlite = sqlite.add_table_asset(name, table_name=name).add_batch_definition_whole_table("b").get_batch()
        for expectation in EXPECTATIONS:
            used = "pandas"
            result, error = ask(of_pandas, expectation)
            if result is None:
                again, why = ask(of_sqlite, expectation)
                if again is not None:
                    used, result = "sqlite", again
            text = json.dumps(expectation, ensure_ascii=False)
            if result is None:
                print(name, "-", text, "error", "", "", "", "", sep="\t")
                print(name, text, error[:200], "|", why[:200], file=sys.stderr)
                continue
            found = result["result"]
            observed = found.get("observed_value")
            if not isinstance(observed, (int, float)) or observed != observed:
                observed = ""
            cells = [found.get(key, "") for key in ("element_count", "missing_count", "unexpected_count")]
            print(name, used, text, str(bool(result["success"])).lower(), *cells, observed, sep="\t")


main()
