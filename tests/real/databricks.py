"""Drives a sandbox with the official client of Databricks.

usage: databricks.py http://127.0.0.1:PORT     (pip install databricks-sdk)

The sandbox needs no program for this: a run of an unknown one fails and says what to register, which is checked, too.
"""

import sys
import time

# This file has the name of the package that it needs, and its folder comes first.
sys.path.pop(0)

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, ResourceConflict
from databricks.sdk.service import jobs, pipelines, sql


def task(key, needs=()):
    return jobs.SubmitTask(
        task_key=key,
        depends_on=[jobs.TaskDependency(task_key=need) for need in needs],
        spark_python_task=jobs.SparkPythonTask(python_file=f"/Shared/{key}.py"),
    )


def ended(client, run_id):
    for _ in range(600):
        run = client.jobs.get_run(run_id)
        if run.state.life_cycle_state.value in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR"):
            return run
        time.sleep(0.1)
    raise SystemExit(f"run {run_id} did not end")


def check(what, good):
    print("ok  " if good else "FAIL", what)
    if not good:
        raise SystemExit(1)


def refused(what, kind, call):
    try:
        call()
    except kind as error:
        check(f"{what}: {error}", True)
    else:
        check(what, False)


def main(address):
    client = WorkspaceClient(host=address, token="dummy", auth_type="pat")

    token = f"real-{time.time_ns()}"
    run = client.jobs.submit(run_name="r", tasks=[task("a"), task("b", ["a"])], idempotency_token=token)
    again = client.jobs.submit(run_name="r", tasks=[task("a")], idempotency_token=token)
    check("a token gives the first run", run.run_id == again.run_id)
    shown = ended(client, run.run_id)
    check("an unknown program fails", shown.state.result_state.value == "FAILED")
    check("status of 2.2", shown.status.termination_details.code.value == "RUN_EXECUTION_ERROR")
    output = client.jobs.get_run_output(shown.tasks[0].run_id)
    check("the error names the program", "a.sandbox.sql" in output.error)
    repair = client.jobs.repair_run(run.run_id, rerun_all_failed_tasks=True)
    check("a repair has a number", repair.response.repair_id is not None)
    ended(client, run.run_id)
    client.jobs.delete_run(run.run_id)
    refused("a token of a deleted run", DatabricksError,
            lambda: client.jobs.submit(tasks=[task("a")], idempotency_token=token))

    job = client.jobs.create(
        name="nightly",
        tasks=[jobs.Task(task_key="a", notebook_task=jobs.NotebookTask(notebook_path="/Shared/a"))],
    )
    check("a job is listed", any(one.job_id == job.job_id for one in client.jobs.list()))
    started = client.jobs.run_now(job.job_id)
    client.jobs.cancel_run(started.run_id)
    ended(client, started.run_id)
    check("runs are listed", len(list(client.jobs.list_runs(job_id=job.job_id))) == 1)
    client.jobs.delete(job.job_id)

    pipeline = client.pipelines.create(
        name=f"p-{time.time_ns()}",
        libraries=[pipelines.PipelineLibrary(notebook=pipelines.NotebookLibrary(path="/Shared/dlt"))],
    )
    update = client.pipelines.start_update(pipeline.pipeline_id)
    refused("a second active update", ResourceConflict, lambda: client.pipelines.start_update(pipeline.pipeline_id))
    client.pipelines.get_update(pipeline.pipeline_id, update.update_id)
    client.pipelines.stop(pipeline.pipeline_id)
    check("updates are listed", len(client.pipelines.list_updates(pipeline.pipeline_id).updates) == 1)

    statement = client.statement_execution.execute_statement("SELECT 1", warehouse_id="w", wait_timeout="10s")
    check(f"a statement ends as {statement.status.state.value}", statement.status.state in (
        sql.StatementState.SUCCEEDED, sql.StatementState.FAILED))
    check("clusters are listed", len(list(client.clusters.list())) == 1)
    login = WorkspaceClient(host=address, client_id="id", client_secret="secret", auth_type="oauth-m2m")
    check("login as a machine", login.current_user.me().user_name == "sandbox@example.com")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1].rstrip("/"))
