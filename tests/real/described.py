#!/usr/bin/env python3
"""Compares JSON with the published description of a Google API.

usage: described.py METHOD [--response] < body.json     (pip install google-api-python-client)

METHOD is an identifier such as `bigquery.jobs.insert`. The descriptions come with google-api-python-client. Prints what does
not fit, one line each, and ends with 1; ends with 2 if there is no such method.
"""

import json
import pathlib
import re
import sys

import googleapiclient

FOLDER = pathlib.Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
WIDTHS = {"int32": (-(2**31), 2**31), "uint32": (0, 2**32), "int64": (-(2**63), 2**63), "uint64": (0, 2**64)}
FORMS = {
    "google-datetime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)",
    "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)",
    "google-duration": r"-?\d+(\.\d{1,9})?s",
    "google-fieldmask": r"[\w.,*`/-]*",
    "date": r"\d{4}-\d\d-\d\d",
    "byte": r"[\w+/-]*={0,2}",
}
KINDS = {"object": dict, "array": list, "boolean": bool, "integer": int, "number": (int, float), "string": str}


def methods(resource):
    yield from resource.get("methods", {}).values()
    for inner in resource.get("resources", {}).values():
        yield from methods(inner)


def find(wanted):
    """The description that has the method: the released version before any other."""
    paths = FOLDER.glob(wanted.split(".")[0] + ".*.json")
    for path in sorted(paths, key=lambda path: (bool(re.search("alpha|beta", path.name)), path.name)):
        document = json.loads(path.read_text())
        for method in methods(document):
            if method["id"] == wanted:
                return document, method
    print(f"no description has the method {wanted}")
    raise SystemExit(2)


class Comparison:
    def __init__(self, schemas):
        self.schemas, self.found = schemas, []

    def wrong(self, place, what):
        self.found.append(f"{place or 'the whole'}: {what}")

    def compare(self, value, schema, place=""):
        if "$ref" in schema:
            schema = {**self.schemas[schema["$ref"]], **schema}
        kind, form = schema.get("type", "any"), schema.get("format")
        # What is null is left out, for these services.
        if value is None or kind == "any":
            return
        if form in ("int64", "uint64") and type(value) is int:
            return self.fits(value, form, place)
        if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean"):
            return self.wrong(place, f"{value!r} is no {kind}")
        if kind == "object":
            self.fields(value, schema, place)
        elif kind == "array":
            for index, item in enumerate(value):
                self.compare(item, schema["items"], f"{place}[{index}]")
        elif kind in ("integer", "number"):
            self.fits(value, form, place)
        elif kind == "string":
            self.text(value, schema, place)

    def fields(self, value, schema, place):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, inner in value.items():
            path = f"{place}.{name}" if place else name
            if name in known or others is not None:
                self.compare(inner, known.get(name, others), path)
            else:
                self.wrong(path, f"{schema.get('id', 'it')} has no such field")

    def text(self, value, schema, place):
        form = schema.get("format")
        if form in WIDTHS:
            return self.fits(int(value), form, place) if re.fullmatch(r"-?\d+", value) else self.wrong(place, f"{value!r} is no {form}")
        if form in FORMS and not re.fullmatch(FORMS[form], value):
            self.wrong(place, f"{value!r} is no {form}")
        if "enum" in schema and value not in schema["enum"]:
            self.wrong(place, f"{value!r} is none of {', '.join(schema['enum'])}")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            self.wrong(place, f"{value!r} does not match {schema['pattern']}")

    def fits(self, value, form, place):
        least, most = WIDTHS.get(form, (float("-inf"), float("inf")))
        if not least <= value < most:
            self.wrong(place, f"{value} is too large for {form}")


def main(wanted, side="request"):
    document, method = find(wanted)
    text = sys.stdin.read().strip()
    schema = method.get(side)
    if schema is None:
        raise SystemExit(f"{wanted} has no body as its {side}" if text else 0)
    comparison = Comparison(document["schemas"])
    comparison.compare(json.loads(text or "{}"), schema)
    for line in comparison.found:
        print(line)
    raise SystemExit(1 if comparison.found else 0)


if __name__ == "__main__":
    given = [word for word in sys.argv[1:] if word != "--response"]
    if len(given) != 1:
        raise SystemExit(__doc__)
    main(given[0], "response" if "--response" in sys.argv else "request")
