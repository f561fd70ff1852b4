"""Compares replies of a sandbox with the published descriptions of the services.

usage: discovery.py http://127.0.0.1:PORT VALIDATOR    (pip install google-api-python-client)

VALIDATOR is a program `VALIDATOR METHOD --response` that reads a reply and ends with 1 if a field is unknown or has
another type. Every reply that this script gets is given to it.
"""

import json
import subprocess
import sys
import time
import urllib.request


class Sandbox:
    def __init__(self, address, validator):
        self.address, self.validator, self.bad = address, validator, 0

    def ask(self, method, verb, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, {"content-type": "application/json"}, method=verb)
        with urllib.request.urlopen(request) as reply:
            text = reply.read()
        found = subprocess.run([sys.executable, self.validator, method, "--response"], input=text, capture_output=True)
        print("ok  " if found.returncode == 0 else "FAIL", method, found.stdout.decode() + found.stderr.decode())
        self.bad += found.returncode != 0
        return json.loads(text)


def main(address, validator):
    ask = (sandbox := Sandbox(address, validator)).ask
    unique = f"d{time.time_ns()}"

    place = "/v1b3/projects/p/locations/eu/"
    flow = "dataflow.projects.locations."
    launch = {"launchParameter": {"jobName": unique, "containerSpecGcsPath": "gs://t/none.json"}}
    job = ask(flow + "flexTemplates.launch", "POST", place + "flexTemplates:launch", launch)["job"]["id"]
    ask(flow + "jobs.get", "GET", f"{place}jobs/{job}")
    ask(flow + "jobs.list", "GET", f"{place}jobs?filter=ALL")
    ask(flow + "jobs.messages.list", "GET", f"{place}jobs/{job}/messages")
    ask(flow + "jobs.getMetrics", "GET", f"{place}jobs/{job}/metrics")
    ask("dataflow.projects.jobs.aggregated", "GET", "/v1b3/projects/p/jobs:aggregated")

    place, proc = "/v1/projects/p/regions/eu/", "dataproc.projects.regions."
    made = ask(proc + "clusters.create", "POST", place + "clusters", {"clusterName": unique})
    while not ask(proc + "operations.get", "GET", "/v1/" + made["name"])["done"]:
        time.sleep(0.1)
    ask(proc + "clusters.get", "GET", f"{place}clusters/{unique}")
    ask(proc + "clusters.list", "GET", f"{place}clusters")
    spark = {"mainPythonFileUri": "gs://code/none.py"}
    body = {"job": {"reference": {"jobId": unique}, "placement": {"clusterName": unique}, "pysparkJob": spark}}
    ask(proc + "jobs.submit", "POST", place + "jobs:submit", body)
    time.sleep(1)
    ask(proc + "jobs.get", "GET", f"{place}jobs/{unique}")
    ask(proc + "jobs.list", "GET", f"{place}jobs")
    batches = "/v1/projects/p/locations/eu/batches"
    ask("dataproc.projects.locations.batches.create", "POST", f"{batches}?batchId={unique}", {"pysparkBatch": spark})
    ask("dataproc.projects.locations.batches.get", "GET", f"{batches}/{unique}")
    ask("dataproc.projects.locations.batches.list", "GET", batches)

    topic, sub = f"projects/p/topics/{unique}", f"projects/p/subscriptions/{unique}"
    ask("pubsub.projects.topics.create", "PUT", "/v1/" + topic, {})
    ask("pubsub.projects.subscriptions.create", "PUT", "/v1/" + sub, {"topic": topic})
    ask("pubsub.projects.topics.publish", "POST", f"/v1/{topic}:publish", {"messages": [{"data": "YQ=="}]})
    ask("pubsub.projects.subscriptions.pull", "POST", f"/v1/{sub}:pull", {"maxMessages": 1})
    ask("pubsub.projects.topics.list", "GET", "/v1/projects/p/topics")
    ask("pubsub.projects.subscriptions.list", "GET", "/v1/projects/p/subscriptions")

    place = "/v2/projects/p/locations/eu/"
    run = ask("run.projects.locations.jobs.run", "POST", place + "jobs/none:run", {})
    ask("run.projects.locations.operations.get", "GET", "/v2/" + run["name"])
    ask("run.projects.locations.jobs.executions.list", "GET", place + "jobs/none/executions")
    jobs, vertex = "/v1/projects/p/locations/eu/pipelineJobs", "aiplatform.projects.locations.pipelineJobs."
    ask(vertex + "create", "POST", f"{jobs}?pipelineJobId={unique}", {"templateUri": "gs://t/none.json"})
    ask(vertex + "get", "GET", f"{jobs}/{unique}")
    raise SystemExit(1 if sandbox.bad else 0)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(sys.argv[1].rstrip("/"), sys.argv[2])
