"""The page at `/docs`: every endpoint and every kind of problem, as plain HTML made from the OpenAPI document.

No script and nothing from elsewhere, so it works offline and under a strict content policy.
"""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from batchlab_api.problems import KINDS

Json = Mapping[str, Any]

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem }
code, .path { font-family: ui-monospace, monospace }
details { border-top: 1px solid #8885; padding: .4rem 0 }
summary { cursor: pointer }
td, th { padding: .15rem .9rem .15rem 0; text-align: left; vertical-align: top }
.verb { display: inline-block; min-width: 4.5rem; font-weight: 600 }
:target { outline: 2px solid }
"""


def page(document: Json) -> str:
    """The whole page."""
    operations = list(_operations(document))
    tags = dict.fromkeys(tag for _, _, operation in operations for tag in operation.get("tags", ["other"]))
    sections = "".join(_section(tag, operations) for tag in tags)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>batchlab: the HTTP interface</title><style>{_STYLE}</style><h1>The HTTP interface</h1>"
        f'<p>{escape(document["info"]["description"])} The same for programs: <a href="openapi.json">openapi.json</a>;'
        f' the schema of an experiment: <a href="schema/experiment.json">schema/experiment.json</a>.</p>'
        f"{sections}{_problems()}</html>"
    )


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            yield verb.upper(), path, operation


def _section(tag: str, operations: list[tuple[str, str, Json]]) -> str:
    rows = [_operation(*row) for row in operations if tag in row[2].get("tags", ["other"])]
    return f"<h2>{escape(tag)}</h2>{''.join(rows)}"


def _operation(verb: str, path: str, operation: Json) -> str:
    name = escape(operation["operationId"])
    text = escape(operation.get("description", operation.get("summary", "")))
    return (
        f'<details id="{name}"><summary><span class="verb">{verb}</span><span class="path">{escape(path)}</span>'
        f"</summary><p>{text}</p>{_parameters(operation)}{_body(operation)}</details>"
    )


def _parameters(operation: Json) -> str:
    rows = [
        f"<tr><td><code>{escape(p['name'])}</code><td>{escape(p['in'])}<td>{escape(_type(p['schema']))}"
        f"<td>{escape(p.get('description') or p['schema'].get('description', ''))}"
        for p in operation.get("parameters", [])
    ]
    return f"<table><tr><th>parameter<th>in<th>type<th>meaning{''.join(rows)}</table>" if rows else ""


def _body(operation: Json) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        fields = content["multipart/form-data"]["schema"]["properties"].items()
        rows = [f"<tr><td><code>{escape(name)}</code><td>{escape(field['description'])}" for name, field in fields]
        return f"<p>Body: a form</p><table><tr><th>field<th>meaning{''.join(rows)}</table>"
    found = content.get("application/json", {}).get("schema", {})
    return f"<p>Body: JSON, <code>{escape(_type(found))}</code></p>" if found else ""


def _type(schema: Json) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    return str(schema.get("const", schema.get("type", "any")))


def _problems() -> str:
    rows = [
        f'<tr id="{slug}"><td><code>{slug}</code><td>{status}<td>{escape(title)}'
        for slug, (status, title) in KINDS.items()
    ]
    return (
        "<h2>problems</h2><p>Errors are <code>application/problem+json</code> (RFC 9457); <code>type</code> is one of "
        f"these with <code>/docs#</code> before it.</p><table><tr><th>type<th>status<th>meaning{''.join(rows)}</table>"
    )
