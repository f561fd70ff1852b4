"""Builds a project of dbt in a sandbox, twice, and looks at what became of its tables.

usage: dbt.py http://127.0.0.1:PORT [DBT]     (pip install 'dbt-core<1.12' dbt-bigquery)

The sandbox has to be empty. The second build has other seeds: it takes the ways of incremental models, of snapshots and of
columns that came. DBT is the program, if it is not on the path.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.request

BASE = sys.argv[1]
DBT = sys.argv[2] if len(sys.argv) > 2 else "dbt"
LATER = """id,customer,day,amount
1,Ada,2026-01-01,10.50
2,Bob,2026-01-01,7
3,Ada,2026-01-02,5
4,Bob,2026-01-03,3.25
5,Ada,2026-01-03,1
"""
BATCHES = ["--event-time-start", "2026-01-01", "--event-time-end", "2026-01-05"]


def dbt(folder, *args):
    env = dict(os.environ, SANDBOX=BASE, DBT_SEND_ANONYMOUS_USAGE_STATS="false")
    command = [DBT, "--no-use-colors", *args, "--profiles-dir", "."]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-4000:]}")
    print(f"ok   dbt {' '.join(args)}")


def rows(text):
    body = json.dumps({"query": text, "useLegacySql": False, "location": "EU"}).encode()
    request = urllib.request.Request(
        f"{BASE}/bigquery/v2/projects/proj/queries", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as reply:
        found = json.load(reply).get("rows", [])
    return [tuple(cell["v"] for cell in row["f"]) for row in found]


def same(text, expected):
    found = rows(text)
    if found != expected:
        sys.exit(f"{text}\n expected {expected}\n found    {found}")
    print(f"ok   {text}")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "shop"
        shutil.copytree(pathlib.Path(__file__).parent / "dbt", folder)
        dbt(folder, "build", *BATCHES)
        (folder / "seeds" / "orders.csv").write_text(LATER)
        dbt(folder, "build", "--vars", "{more: true}", *BATCHES)
        # Rows whose day is before the newest one that is there are not looked at again.
        same(
            "SELECT id, customer, amount FROM shop.merged ORDER BY id",
            [("1", "Ada", "10.5"), ("2", "Bob", "7"), ("3", "Ada", None), ("4", "Bob", "3.25"), ("5", "Ada", "1")],
        )
        same(
            "SELECT day, orders, amount FROM shop.overwritten ORDER BY day",
            [("2026-01-01", "2", "17.5"), ("2026-01-02", "1", "5"), ("2026-01-03", "2", "4.25")],
        )
        same(
            "SELECT id, amount, dbt_valid_to IS NULL FROM shop.orders_kept ORDER BY id, dbt_valid_from",
            [
                ("1", "10.5", "true"),
                ("2", "7", "true"),
                ("3", None, "false"),
                ("3", "5", "true"),
                ("4", "3.25", "false"),
                ("4", "3.25", "true"),
                ("5", "1", "true"),
            ],
        )
        days = [("1", "2026-01-01"), ("2", "2026-01-01"), ("3", "2026-01-02"), ("4", "2026-01-03"), ("5", "2026-01-03")]
        for table, day in [
            ("grown", "day"),
            ("copied", "day"),
            ("batched", "day"),
            ("ingested", "_PARTITIONDATE"),
            ("timed", "DATE(happened)"),
        ]:
            same(f"SELECT id, {day} AS of_day FROM shop.{table} ORDER BY id", days)
        same("SELECT COUNT(*) FROM shop.static WHERE day = '2026-01-01'", [("2",)])
        same("SELECT COUNT(*), COUNT(DISTINCT id) FROM shop.ranged", [("5", "5")])
        same(
            "SELECT description FROM shop.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS WHERE table_name = 'documented' AND column_name = 'id'",
            [("The id.",)],
        )
        dbt(folder, "docs", "generate")
        catalog = json.loads((folder / "target" / "catalog.json").read_text())
        stats = catalog["nodes"]["model.shop.days"]["stats"]
        if stats["num_rows"]["value"] != 5 or stats["partitioning_type"]["value"] != "day":
            sys.exit(f"the catalog of dbt says {stats}")
        dbt(folder, "build", "--full-refresh", *BATCHES)


main()
