"""Drives a sandbox with the official client of BigQuery.

usage: bigquery.py http://127.0.0.1:PORT [VALIDATOR]     (pip install google-cloud-bigquery pyarrow google-api-python-client)

VALIDATOR is a program `VALIDATOR METHOD --response` that compares a reply with the published description of the service
and ends with 1 if a field is unknown or has another type.
"""

import datetime
import decimal
import io
import json
import subprocess
import sys
import urllib.request

import pyarrow
import pyarrow.parquet
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

PROJECT = "proj"


def check(what, good, detail=""):
    print("ok  " if good else "FAIL", what, "" if good else detail)
    if not good:
        raise SystemExit(1)


def refused(what, kind, call, words=""):
    try:
        call()
    except kind as error:
        check(what, words in str(error), str(error))
    else:
        check(what, False, f"no {kind.__name__}")


class Server:
    def __init__(self, base):
        self.base = base

    def send(self, verb, path, body=None, kind="application/json"):
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=verb, headers={"content-type": kind})
        try:
            with urllib.request.urlopen(request) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def fault(self, kind, **more):
        self.send("POST", "/sandbox/faults", {"service": "bigquery", "count": 1, "kind": kind, **more})

    def object(self, name, data):
        bucket, name = name.split("/", 1)
        self.send("POST", f"/storage/v1/b?project={PROJECT}", {"name": bucket})
        path = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={urllib.parse.quote(name, safe='')}"
        check(f"object {name}", self.send("POST", path, data, "application/octet-stream")[0] == 200)


def datasets_and_tables(client):
    dataset = bigquery.Dataset(f"{PROJECT}.ds")
    dataset.location = "EU"
    dataset.labels = {"team": "ops"}
    made = client.create_dataset(dataset)
    check("a dataset is made", made.location == "EU" and made.labels == {"team": "ops"})
    refused("a dataset is made once", Conflict, lambda: client.create_dataset(dataset), "Already Exists")
    client.create_dataset(dataset, exists_ok=True)
    made.description = "days"
    made = client.update_dataset(made, ["description"])
    check("a dataset is changed", client.get_dataset("ds").description == "days")
    check("datasets are listed", [one.dataset_id for one in client.list_datasets()] == ["ds"])
    table = bigquery.Table(
        f"{PROJECT}.ds.t",
        schema=[
            bigquery.SchemaField("day", "DATE"),
            bigquery.SchemaField("name", "STRING", mode="REQUIRED", description="who"),
            bigquery.SchemaField("price", "NUMERIC", precision=10, scale=2),
            bigquery.SchemaField("tags", "STRING", mode="REPEATED"),
            bigquery.SchemaField("who", "RECORD", fields=[bigquery.SchemaField("age", "INTEGER")]),
            bigquery.SchemaField("at", "TIMESTAMP"),
        ],
    )
    table.time_partitioning = bigquery.TimePartitioning(field="day", expiration_ms=10**13)
    table.clustering_fields = ["name"]
    table = client.create_table(table)
    check("a table is partitioned", table.time_partitioning.field == "day" and table.clustering_fields == ["name"])
    table.schema = list(table.schema) + [bigquery.SchemaField("extra", "JSON")]
    table = client.update_table(table, ["schema"])
    check("a column comes", table.schema[-1].field_type == "JSON")
    check("tables are listed", [one.table_id for one in client.list_tables("ds")] == ["t"])
    refused("a table that is not there", NotFound, lambda: client.get_table("ds.none"), "Not found: Table proj:ds.none")
    rows = [
        {"day": "2026-01-01", "name": "Ada", "price": "1.50", "tags": ["a", "b"], "who": {"age": 36}, "at": "2026-01-01T10:00:00Z"},
        {"day": "2026-01-02", "name": "Bob", "extra": "{\"a\": 1}"},
    ]
    check("rows are added", client.insert_rows_json("ds.t", rows) == [])
    errors = client.insert_rows_json("ds.t", [{"day": "no day", "name": "x"}])
    check("a bad row is told", errors[0]["errors"][0]["location"] == "day", errors)
    found = list(client.list_rows("ds.t"))
    check(
        "rows come back",
        dict(found[0])
        == {
            "day": datetime.date(2026, 1, 1),
            "name": "Ada",
            "price": decimal.Decimal("1.5"),
            "tags": ["a", "b"],
            "who": {"age": 36},
            "at": datetime.datetime(2026, 1, 1, 10, tzinfo=datetime.timezone.utc),
            "extra": None,
        },
        dict(found[0]),
    )
    check("JSON comes back", found[1]["extra"] == {"a": 1}, found[1])
    view = bigquery.Table(f"{PROJECT}.ds.v")
    view.view_query = "SELECT name, price * 2 AS twice FROM `proj.ds.t`"
    view = client.create_table(view)
    check("a view has columns", [field.name for field in view.schema] == ["name", "twice"], view.schema)


def loads(server, client):
    table = pyarrow.table({"n": list(range(1000)), "day": [datetime.date(2026, 1, 1 + n % 3) for n in range(1000)]})
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink)
    for name in ("a", "b"):
        server.object(f"raw/sales/{name}.parquet", sink.getvalue())
    config = bigquery.LoadJobConfig(
        source_format="PARQUET",
        write_disposition="WRITE_TRUNCATE",
        time_partitioning=bigquery.TimePartitioning(field="day"),
        labels={"of": "test"},
    )
    uri = "gs://raw/sales/*.parquet"
    job = client.load_table_from_uri(uri, "ds.sales", job_config=config, job_id="load-1")
    job.result()
    check("a load says what it did", (job.output_rows, job.input_files) == (2000, 2))
    check("a load has two files' bytes", job.input_file_bytes == 2 * len(sink.getvalue()))
    check("a load ran where its dataset is", job.location == "EU")
    refused(
        "the same job twice",
        Conflict,
        lambda: client.load_table_from_uri(uri, "ds.sales", job_config=config, job_id="load-1"),
        "Already Exists: Job proj:EU.load-1",
    )
    check("a job is found again", client.get_job("load-1", location="EU").state == "DONE")
    refused("a job elsewhere", NotFound, lambda: client.get_job("load-1", location="US"))
    check("a table has rows", client.get_table("ds.sales").num_rows == 2000)
    missing = client.load_table_from_uri("gs://raw/none/*", "ds.sales", job_config=config)
    refused("files that are not there", NotFound, missing.result, "Not found: Uris gs://raw/none/*")
    config = bigquery.LoadJobConfig(write_disposition="WRITE_TRUNCATE", source_format="PARQUET")
    sink.seek(0)
    one = pyarrow.table({"n": [7], "day": [datetime.date(2026, 1, 2)]})
    part = io.BytesIO()
    pyarrow.parquet.write_table(one, part)
    part.seek(0)
    client.load_table_from_file(part, "ds.sales$20260102", job_config=config).result()
    check("one partition is replaced", client.get_table("ds.sales").num_rows == 2000 - 666 + 1, client.get_table("ds.sales").num_rows)
    text = io.BytesIO(b"id,name\n1,a\n2,b\n")
    config = bigquery.LoadJobConfig(source_format="CSV", autodetect=True)
    client.load_table_from_file(text, "ds.csv", job_config=config, size=15).result()
    check("CSV is found out", [field.name for field in client.get_table("ds.csv").schema] == ["id", "name"])
    rows = [{"id": 1, "tags": ["a"]}, {"id": 2, "who": {"name": "x"}}]
    client.load_table_from_json(rows, "ds.json").result()
    check("JSON is found out", {field.name for field in client.get_table("ds.json").schema} == {"id", "tags", "who"})


def queries(client):
    job = client.query("SELECT COUNT(*) AS n, SUM(n) AS sum FROM ds.sales WHERE day = '2026-01-01'", job_id="q-1", job_retry=None)
    rows = list(job.result())
    check("a query has rows", rows[0].n == 668, rows)
    check("bytes are those of one partition", job.total_bytes_processed == 668 * 16, job.total_bytes_processed)
    check("bytes are billed", job.total_bytes_billed == 10 << 20)
    check("a query has a kind", job.statement_type == "SELECT" and job.cache_hit is False)
    check("rows are a table, too", client.get_table(job.destination).num_rows == 1)
    rows = list(client.query("SELECT n FROM ds.sales ORDER BY n", location="EU").result(page_size=300))
    check("rows come in pages", len(rows) == 1335 and rows[-1].n == 999, len(rows))
    parameters = [
        bigquery.ScalarQueryParameter("day", "DATE", datetime.date(2026, 1, 3)),
        bigquery.ArrayQueryParameter("some", "INT64", [2, 5, 8]),
    ]
    config = bigquery.QueryJobConfig(query_parameters=parameters, labels={"of": "test"})
    rows = client.query_and_wait("SELECT n FROM ds.sales WHERE day = @day AND n IN UNNEST(@some) ORDER BY n", job_config=config)
    check("parameters are taken", [row.n for row in rows] == [2, 2, 5, 5, 8, 8])
    who = bigquery.StructQueryParameter(
        "who", bigquery.ScalarQueryParameter("s", "STRING", "x"), bigquery.ArrayQueryParameter("n", "INT64", [1, 2])
    )
    config = bigquery.QueryJobConfig(query_parameters=[who, bigquery.ScalarQueryParameter("none", "DATE", None)])
    rows = client.query_and_wait("SELECT @who.s AS s, @who.n[OFFSET(1)] AS n, @none AS none", job_config=config)
    check("records are taken", [tuple(row.values()) for row in rows] == [("x", 2, None)])
    config = bigquery.QueryJobConfig(query_parameters=[bigquery.ScalarQueryParameter(None, "INT64", 7)])
    check("positions are taken", [row[0] for row in client.query_and_wait("SELECT ? + 1", job_config=config)] == [8])
    dry = client.query("SELECT n FROM ds.sales", job_config=bigquery.QueryJobConfig(dry_run=True))
    check("a dry run tells bytes", dry.total_bytes_processed == 1335 * 8, dry.total_bytes_processed)
    config = bigquery.QueryJobConfig(maximum_bytes_billed=1000)
    refused("bytes are bounded", BadRequest, lambda: client.query("SELECT n FROM ds.sales", job_config=config).result(), "Query exceeded limit for bytes billed: 1000")
    refused("a query that is none", BadRequest, lambda: client.query("SELEC 1").result(), "Syntax error")
    refused("a table that is not there", NotFound, lambda: client.query("SELECT 1 FROM ds.none").result(), "ds.none was not found in location EU")
    target = bigquery.QueryJobConfig(destination=f"{PROJECT}.ds.made", write_disposition="WRITE_TRUNCATE")
    client.query("SELECT name FROM ds.t", job_config=target).result()
    check("rows go to a table", client.get_table("ds.made").num_rows == 2)
    values = client.query_and_wait(
        "SELECT 1.5 AS f, TRUE AS b, b'abc' AS y, DATETIME '2026-01-01 10:00:00.5' AS dt, TIME '10:00:00' AS t,"
        " TIMESTAMP '2026-01-01 10:00:00.123456+00' AS at, NUMERIC '1.5' AS num, JSON '{\"a\": 1}' AS doc, [1, 2] AS list,"
        " STRUCT('x' AS s, 1 AS n) AS who, NULL AS nothing"
    )
    row = next(iter(values))
    check(
        "values come back",
        tuple(row.values())
        == (
            1.5, True, b"abc", datetime.datetime(2026, 1, 1, 10, 0, 0, 500000), datetime.time(10),
            datetime.datetime(2026, 1, 1, 10, 0, 0, 123456, tzinfo=datetime.timezone.utc),
            decimal.Decimal("1.5"), {"a": 1}, [1, 2], {"s": "x", "n": 1}, None,
        ),
        row,
    )


def copies_and_extracts(server, client):
    client.copy_table("ds.sales", "ds.copy").result()
    check("a table is copied", client.get_table("ds.copy").num_rows == 1335)
    job = client.extract_table("ds.csv", "gs://raw/out/*.csv")
    job.result()
    check("a table is extracted", job.destination_uri_file_counts == [1])
    check("a file has the rows", server.send("GET", "/storage/v1/b/raw/o/out%2F000000000000.csv?alt=media")[1] == b"id,name\n1,a\n2,b\n")


def faults(server, client):
    server.fault({"status": {"status": 503}}, method="bigquery.jobs.get", count=2)
    job = client.query("SELECT 1")
    check("the client goes on after 503", [tuple(row.values()) for row in job.result()] == [(1,)])
    server.fault("lost_after", method="bigquery.jobs.insert")
    job = client.query("SELECT 2")
    check("the client goes on after a lost reply", [tuple(row.values()) for row in job.result()] == [(2,)])
    server.fault({"forbidden": {"permission": "bigquery.tables.get"}}, method="bigquery.tables.get")
    refused("a permission is missing", Forbidden, lambda: client.get_table("ds.t"), "bigquery.tables.get")
    server.fault("job_stuck", method="bigquery.jobs.insert")
    job = client.load_table_from_uri("gs://raw/sales/a.parquet", "ds.sales", job_config=bigquery.LoadJobConfig(source_format="PARQUET"))
    check("a job is stuck", not job.done())
    job.cancel()
    job.reload()
    check("a stuck job is cancelled", job.state == "DONE" and job.error_result["reason"] == "stopped", job.error_result)


def described(server, validator):
    base = f"/bigquery/v2/projects/{PROJECT}"
    jobs = json.loads(server.send("GET", f"{base}/jobs?maxResults=1000&projection=full")[1])["jobs"]
    paths = {
        "bigquery.projects.list": ["/bigquery/v2/projects"],
        "bigquery.projects.getServiceAccount": [f"{base}/serviceAccount"],
        "bigquery.datasets.list": [f"{base}/datasets"],
        "bigquery.datasets.get": [f"{base}/datasets/ds"],
        "bigquery.tables.list": [f"{base}/datasets/ds/tables"],
        "bigquery.tables.get": [f"{base}/datasets/ds/tables/{name}" for name in ("t", "v", "sales", "json")],
        "bigquery.tabledata.list": [f"{base}/datasets/ds/tables/{name}/data" for name in ("t", "sales")],
        "bigquery.routines.list": [f"{base}/datasets/ds/routines"],
        "bigquery.jobs.list": [f"{base}/jobs", f"{base}/jobs?projection=full"],
        "bigquery.jobs.get": [
            f"{base}/jobs/{job['jobReference']['jobId']}?location={job['jobReference']['location']}" for job in jobs
        ],
        "bigquery.jobs.getQueryResults": [f"{base}/queries/q-1?location=EU"],
    }
    replies = [(method, server.send("GET", path)[1]) for method, all in paths.items() for path in all]
    query = {"query": "SELECT 1 AS x", "useLegacySql": False}
    replies.append(("bigquery.jobs.query", server.send("POST", f"{base}/queries", query)[1]))
    dry = {"configuration": {"query": query, "dryRun": True}}
    replies.append(("bigquery.jobs.insert", server.send("POST", f"{base}/jobs", dry)[1]))
    rows = {"rows": [{"json": {"no": 1}}]}
    replies.append(("bigquery.tabledata.insertAll", server.send("POST", f"{base}/datasets/ds/tables/t/insertAll", rows)[1]))
    for method, reply in replies:
        found = subprocess.run([sys.executable, validator, method, "--response"], input=reply, capture_output=True)
        check(f"{method} is as published", found.returncode == 0, found.stdout.decode() + found.stderr.decode() + reply.decode()[:2000])


def main():
    base = sys.argv[1].rstrip("/")
    server = Server(base)
    client = bigquery.Client(
        project=PROJECT,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": base},
    )
    datasets_and_tables(client)
    loads(server, client)
    queries(client)
    copies_and_extracts(server, client)
    faults(server, client)
    if len(sys.argv) > 2:
        described(server, sys.argv[2])
    client.delete_dataset("ds", delete_contents=True)
    check("all is gone", list(client.list_datasets()) == [])


main()
