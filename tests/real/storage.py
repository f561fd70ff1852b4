"""Drives a sandbox with the official client of Cloud Storage.

usage: storage.py http://127.0.0.1:PORT [VALIDATOR]     (pip install google-cloud-storage google-api-python-client)

VALIDATOR is a program `VALIDATOR METHOD --response` that compares a reply with the published description of the service
and ends with 1 if a field is unknown or has another type.
"""

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request

from google.api_core.exceptions import BadRequest, Conflict, Forbidden, NotFound, PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage import transfer_manager
from google.cloud.storage.retry import DEFAULT_RETRY

MIB = 1 << 20


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


class Unseekable(io.RawIOBase):
    """A stream whose length nobody knows."""

    def __init__(self, data):
        self.inner = io.BytesIO(data)

    def readable(self):
        return True

    def read(self, size=-1):
        return self.inner.read(size)

    def tell(self):
        return self.inner.tell()


def uploads(bucket):
    blob = bucket.blob("py/a b+ü.txt")
    blob.metadata = {"k": "v"}
    blob.cache_control = "no-store"
    blob.upload_from_string("hello", content_type="text/csv", if_generation_match=0, checksum="md5")
    check("an upload in one request", blob.size == 5 and blob.metadata == {"k": "v"} and blob.content_type == "text/csv")
    check("its sums", blob.md5_hash == base64.b64encode(hashlib.md5(b"hello").digest()).decode() and blob.crc32c == "mnG7TA==")
    check("a download", blob.download_as_bytes() == b"hello" and blob.download_as_text() == "hello")
    check("a range", blob.download_as_bytes(start=1, end=3) == b"ell" and blob.download_as_bytes(start=3) == b"lo")
    refused("ifGenerationMatch=0 where one is", PreconditionFailed, lambda: blob.upload_from_string("x", if_generation_match=0))
    refused("download ifGenerationMatch", PreconditionFailed, lambda: blob.download_as_bytes(if_generation_match=blob.generation - 1))
    refused("download of nothing", NotFound, bucket.blob("py/none").download_as_bytes, "No such object")
    refused("a bucket that is not", NotFound, bucket.client.bucket("none-such").blob("x").download_as_bytes)
    empty = bucket.blob("py/empty")
    empty.upload_from_string("")
    check("an empty object", empty.download_as_bytes() == b"" and empty.size == 0)
    wrong = bucket.blob("py/wrong")
    wrong.md5_hash = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    refused("a wrong sum", BadRequest, lambda: wrong.upload_from_string("x"))
    check("nothing is left of it", not wrong.exists())


def resumable(bucket):
    data = os.urandom(3 * MIB + 7)
    known = bucket.blob("py/known", chunk_size=MIB)
    known.upload_from_file(io.BytesIO(data), size=len(data), checksum="crc32c", if_generation_match=0)
    check("resumable, known size", known.download_as_bytes() == data and known.size == len(data))
    unknown = bucket.blob("py/unknown", chunk_size=MIB)
    unknown.upload_from_file(Unseekable(data), checksum="md5")
    check("resumable, unknown size", unknown.download_as_bytes() == data)
    even = bucket.blob("py/even", chunk_size=MIB)
    even.upload_from_file(Unseekable(data[: 2 * MIB]))
    check("unknown size that is whole pieces", even.download_as_bytes() == data[: 2 * MIB])
    big = bucket.blob("py/big")
    big.upload_from_string(os.urandom(20 * MIB))
    check("20 MiB", big.size == 20 * MIB and len(big.download_as_bytes()) == 20 * MIB)
    url = bucket.blob("py/session").create_resumable_upload_session(size=3)
    request = urllib.request.Request(url, b"abc", method="PUT")
    with urllib.request.urlopen(request) as reply:
        check("a session by hand", json.load(reply)["name"] == "py/session")
    refused("resumable ifGenerationMatch", PreconditionFailed, lambda: known.upload_from_file(io.BytesIO(data), size=len(data), if_generation_match=1))
    with bucket.blob("py/written").open("wb", chunk_size=MIB) as file:
        file.write(data)
    with bucket.blob("py/written").open("rb", chunk_size=MIB) as file:
        check("as a file", file.read() == data)
    sliced = bucket.blob("py/known", chunk_size=MIB)
    target = io.BytesIO()
    sliced.download_to_file(target)
    check("a download in pieces", target.getvalue() == data)


def faults(bucket, address):
    def fault(method, kind, after=0):
        body = {"service": "storage", "method": method, "count": 1, "after": after, "kind": kind}
        request = urllib.request.Request(f"{address}/sandbox/faults", json.dumps(body).encode(), method="POST")
        urllib.request.urlopen(request).close()

    data = os.urandom(3 * MIB)
    for kind in ({"status": {"status": 503}}, "lost_before", "lost_after"):
        for after in (0, 1, 3):
            fault("storage.objects.insert", kind, after)
            blob = bucket.blob("py/faulty", chunk_size=MIB)
            blob.upload_from_file(io.BytesIO(data), size=len(data), retry=DEFAULT_RETRY)
            check(f"an upload through {kind} after {after}", blob.download_as_bytes() == data)
    fault("storage.objects.get", "lost_after")
    check("a download through a lost reply", bucket.blob("py/faulty").download_as_bytes() == data)


def metadata(bucket):
    blob = bucket.blob("py/about")
    blob.upload_from_string("x")
    blob.metadata = {"a": "1"}
    blob.content_language = "de"
    blob.patch(if_metageneration_match=1)
    blob.reload()
    check("patch", blob.metadata == {"a": "1"} and blob.metageneration == 2)
    refused("patch ifMetagenerationMatch", PreconditionFailed, lambda: blob.patch(if_metageneration_match=1))
    blob.metadata = {"b": "2"}
    blob.update()
    check("update", blob.metadata == {"b": "2"})
    blob.temporary_hold = True
    blob.patch()
    refused("a hold", Forbidden, blob.delete)
    blob.temporary_hold = False
    blob.patch()
    check("etag", bucket.get_blob("py/about", if_etag_match=blob.etag) is not None)
    refused("delete ifGenerationMatch", PreconditionFailed, lambda: blob.delete(if_generation_match=1))
    blob.delete(if_generation_match=blob.generation)
    check("deleted", not blob.exists() and bucket.get_blob("py/about") is None)
    refused("delete of nothing", NotFound, blob.delete, "No such object")


def copies(client, bucket):
    source = bucket.blob("py/source")
    source.upload_from_string("one,", content_type="text/csv")
    other = client.create_bucket(f"other-{time.time_ns()}")
    copy = bucket.copy_blob(source, other, "c/d", if_generation_match=0, if_source_generation_match=source.generation)
    check("copy", copy.download_as_bytes() == b"one," and copy.content_type == "text/csv")
    refused("copy ifSourceGenerationMatch", PreconditionFailed, lambda: bucket.copy_blob(source, other, "e", if_source_generation_match=1))
    second = bucket.blob("py/second")
    second.upload_from_string("two")
    whole = bucket.blob("py/whole")
    whole.content_type = "text/plain"
    whole.compose([source, second], if_generation_match=0, if_source_generation_match=[source.generation, second.generation])
    check("compose", whole.download_as_bytes() == b"one,two" and whole.component_count == 2 and whole.content_type == "text/plain")
    refused("compose ifGenerationMatch", PreconditionFailed, lambda: whole.compose([source], if_generation_match=0))
    big = bucket.get_blob("py/big")
    target = other.blob("big")
    token, written, size = target.rewrite(big)
    while token:
        token, written, size = target.rewrite(big, token=token)
    check("rewrite", written == size == 20 * MIB and other.get_blob("big").crc32c == big.crc32c)
    target.update_storage_class("COLDLINE")
    check("storage class by rewriting", other.get_blob("big").storage_class == "COLDLINE")
    renamed = bucket.rename_blob(second, "py/renamed")
    check("rename", renamed.exists() and not second.exists())
    refused("a bucket that is not empty", Conflict, other.delete, "not empty")
    other.delete(force=True)
    check("a bucket deleted", not other.exists())


def lists(client, bucket):
    for name in ("l/1.csv", "l/2.csv", "l/sub/3.csv", "l/sub/4.txt", "l/x/"):
        bucket.blob(name).upload_from_string("x")
    names = lambda **query: [blob.name for blob in client.list_blobs(bucket, **query)]
    check("prefix", names(prefix="l/") == ["l/1.csv", "l/2.csv", "l/sub/3.csv", "l/sub/4.txt", "l/x/"])
    found = client.list_blobs(bucket, prefix="l/", delimiter="/")
    check("delimiter", [blob.name for blob in found] == ["l/1.csv", "l/2.csv"] and found.prefixes == {"l/sub/", "l/x/"})
    trailing = names(prefix="l/", delimiter="/", include_trailing_delimiter=True)
    check("includeTrailingDelimiter", trailing == ["l/1.csv", "l/2.csv", "l/x/"])
    check("matchGlob", names(match_glob="l/**.csv") == ["l/1.csv", "l/2.csv", "l/sub/3.csv"])
    check("offsets", names(start_offset="l/2", end_offset="l/sub/4") == ["l/2.csv", "l/sub/3.csv"])
    pages = list(client.list_blobs(bucket, prefix="l/", page_size=2).pages)
    check("pages", [page.num_items for page in pages] == [2, 2, 1])
    check("max_results", len(names(prefix="l/", max_results=3)) == 3)
    check("fields", names(prefix="l/1", fields="items(name),nextPageToken") == ["l/1.csv"])
    with client.batch(raise_exception=False) as batch:
        bucket.blob("l/1.csv").delete()
        bucket.blob("l/none").delete()
        changed = bucket.blob("l/2.csv")
        changed.content_type = "text/csv"
        changed.patch()
    check("a batch", [reply.status_code for reply in batch._responses] == [204, 404, 200])
    check("what the batch did", bucket.get_blob("l/2.csv").content_type == "text/csv" and not bucket.blob("l/1.csv").exists())
    bucket.delete_blobs([bucket.blob(name) for name in ("l/2.csv", "l/x/")])
    check("delete_blobs", names(prefix="l/") == ["l/sub/3.csv", "l/sub/4.txt"])


def versions(client):
    bucket = client.bucket(f"versions-{time.time_ns()}")
    bucket.versioning_enabled = True
    bucket.labels = {"team": "ops"}
    bucket.create(location="EU")
    bucket.reload()
    check("a bucket's own", bucket.versioning_enabled and bucket.labels == {"team": "ops"} and bucket.location == "EU")
    blob = bucket.blob("v")
    blob.upload_from_string("one")
    first = blob.generation
    blob.upload_from_string("two")
    old = bucket.blob("v", generation=first)
    check("an old generation", old.download_as_bytes() == b"one")
    check("versions", [one.generation for one in client.list_blobs(bucket, versions=True)] == [first, blob.generation])
    old.delete()
    check("an old generation deleted", not old.exists() and blob.exists())
    bucket.lifecycle_rules = [{"action": {"type": "Delete"}, "condition": {"age": 3}}]
    bucket.patch(if_metageneration_match=bucket.metageneration)
    refused("a bucket ifMetagenerationMatch", PreconditionFailed, lambda: bucket.patch(if_metageneration_match=1))
    refused("a bucket again", Conflict, lambda: client.create_bucket(bucket.name))
    check("buckets are listed", bucket.name in [one.name for one in client.list_buckets(prefix="versions-")])


def parallel(bucket):
    names = [f"par/{number}" for number in range(40)]
    contents = [(io.BytesIO(name.encode()), bucket.blob(name)) for name in names]
    results = transfer_manager.upload_many(contents, worker_type=transfer_manager.THREAD, max_workers=8)
    check("many at once", all(result is None or not isinstance(result, Exception) for result in results))
    winners = []

    def race(number):
        try:
            bucket.blob("par/race").upload_from_string(str(number), if_generation_match=0)
            winners.append(number)
        except PreconditionFailed:
            pass

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check("one wins a race", len(winners) == 1 and bucket.blob("par/race").download_as_text() == str(winners[0]))


def described(address, bucket, validator):
    def ask(method, verb, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address + path, data, {"content-type": "application/json"}, method=verb)
        with urllib.request.urlopen(request) as reply:
            text = reply.read()
        found = subprocess.run([sys.executable, validator, method, "--response"], input=text, capture_output=True)
        # What the description calls required is required of requests.
        wrong = [line for line in found.stdout.decode().splitlines() if not line.endswith("required field missing")]
        check(f"reply of {method}", found.returncode in (0, 1) and not wrong, f"{wrong} {found.stderr.decode()} {text.decode()}")

    name = f"described-{time.time_ns()}"
    one = f"/storage/v1/b/{bucket.name}"
    ask("storage.buckets.insert", "POST", "/storage/v1/b?project=p", {"name": name})
    ask("storage.buckets.get", "GET", f"/storage/v1/b/{name}")
    ask("storage.buckets.list", "GET", "/storage/v1/b?project=p")
    ask("storage.buckets.patch", "PATCH", f"/storage/v1/b/{name}", {"labels": {"a": "b"}})
    ask("storage.buckets.update", "PUT", f"/storage/v1/b/{name}", {"versioning": {"enabled": True}})
    ask("storage.objects.insert", "POST", f"/upload{one}/o?uploadType=media&name=d", {})
    ask("storage.objects.get", "GET", f"{one}/o/d")
    ask("storage.objects.list", "GET", f"{one}/o?delimiter=/&maxResults=2&versions=true")
    ask("storage.objects.patch", "PATCH", f"{one}/o/d", {"metadata": {"a": "b"}, "customTime": "2026-01-01T00:00:00Z"})
    ask("storage.objects.update", "PUT", f"{one}/o/d", {"contentType": "a/b"})
    ask("storage.objects.compose", "POST", f"{one}/o/e/compose", {"sourceObjects": [{"name": "d"}, {"name": "d"}]})
    ask("storage.objects.copy", "POST", f"{one}/o/d/copyTo/b/{bucket.name}/o/f", {})
    rewrite = f"{one}/o/py%2Fbig/rewriteTo/b/{bucket.name}/o/g?maxBytesRewrittenPerCall=1048576"
    ask("storage.objects.rewrite", "POST", rewrite, {})
    ask("storage.objects.rewrite", "POST", f"{one}/o/d/rewriteTo/b/{bucket.name}/o/g", {})


def main(address, validator=None):
    client = storage.Client(project="p", credentials=AnonymousCredentials(), client_options={"api_endpoint": address})
    bucket = client.create_bucket(f"real-{time.time_ns()}")
    check("a bucket", client.get_bucket(bucket.name).name == bucket.name)
    uploads(bucket)
    resumable(bucket)
    faults(bucket, address)
    metadata(bucket)
    copies(client, bucket)
    lists(client, bucket)
    versions(client)
    parallel(bucket)
    if validator:
        described(address, bucket, validator)


if __name__ == "__main__":
    main(*sys.argv[1:])
