"""Write the parts of the documents on keys and spaces, from what the program itself reads.

    python docs/generate.py

Keeps the parts between the marks ``<!-- begin: NAME -->`` and ``<!-- end: NAME -->`` of
``study-file.md`` and ``spaces.md``, and ``study.schema.json`` for editors.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from runner.methods import METHODS
from runner.problems.estimators.catalogue import CATALOGUE
from runner.problems.estimators.problem import EstimatorProblem
from runner.problems.recorded import RecordedProblem
from runner.study.advice import Auto
from runner.study.file import StudyFile

DOCS = Path(__file__).parent
SCHEMA = DOCS / "study.schema.json"
_RAW = {"problems": "list of problems, see below", "methods": "list of methods, see below"}


def schema() -> dict[str, Any]:
    """Make the JSON schema of a study file."""
    return StudyFile.model_json_schema(by_alias=True)


def keys() -> str:
    """Make tables of all keys of a study file."""
    whole = schema()
    parts = [_table(whole, whole, "")]
    for name, place in (
        ("BudgetFile", "budget"),
        ("TrialSettings", "trial"),
        ("NeedsFile", "trial.problems.NAME"),
        ("SchedulerSettings", "scheduler"),
        ("ReportSettings", "report"),
        ("InitialFile", "initial"),
    ):
        part = whole["$defs"][name]
        about = " ".join(part["description"].split()).partition("`` ")[2]
        parts += [f"### {place}", about[:1].upper() + about[1:], _table(part, whole, place)]
    return "\n\n".join(parts)


def problem_keys() -> str:
    """Make tables of the keys of an inline problem."""
    parts = []
    for title, cls in (("An estimator", EstimatorProblem), ("A finished study", RecordedProblem)):
        rows = [(name, kind, text) for name, kind, text in parameters(cls) if name != "folder"]
        parts += [f"### {title}", _rows(("key", "what", "meaning"), rows)]
    return "\n\n".join(parts)


def method_settings() -> str:
    """Make the table of the settings of all methods."""
    rows = [
        (f"`{name}`", f"`{setting}`", kind, text)
        for name, cls in [*sorted(METHODS.items()), ("auto", Auto)]
        for setting, kind, text in parameters(cls)
    ]
    return _rows(("method", "setting", "what", "meaning"), [(a, b, c, d) for a, b, c, d in rows])


def spaces() -> str:
    """Make the catalogue of spaces."""
    rows = []
    for entry in sorted(CATALOGUE.values(), key=lambda entry: entry.name):
        flow = yaml.safe_dump(dict(entry.space), default_flow_style=True, width=10_000, sort_keys=False)
        fixed = f"; fixed: `{json.dumps(dict(entry.params))}`" if entry.params else ""
        rows.append((f"`{entry.path}`", f"`{flow.strip()}`{fixed}", entry.source))
    return _rows(("estimator", "space", "source"), rows)


def parameters(cls: type) -> Iterator[tuple[str, str, str]]:
    """Yield the parameters of a docstring: name, kind, and meaning in one line."""
    section = (inspect.getdoc(cls) or "").partition("Parameters\n----------\n")[2]
    section = re.split(r"\n\n(?=\w+\n-+\n)", section)[0]
    for entry in re.split(r"\n(?=\S)", section):
        head, _, body = entry.partition("\n")
        name, colon, kind = head.partition(" : ")
        if colon:
            yield name, kind, " ".join(body.split())


def _table(part: Mapping[str, Any], whole: Mapping[str, Any], place: str) -> str:
    required = part.get("required", ())
    rows = []
    for name, field in part["properties"].items():
        kind = _RAW.get(name) if not place else None
        default = "needed" if name in required else _default(field, whole)
        rows.append((f"`{name}`", kind or _kind(field, whole), default, field.get("description", "")))
    return _rows(("key", "value", "default", "meaning"), rows)


def _default(field: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    default = field.get("default")
    if default in (None, [], {}) or "$ref" in field:
        return ""
    return f"`{json.dumps(default)}`"


def _kind(field: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return "mapping, see below"
    if "anyOf" in field:
        kinds = [_kind(one, whole) for one in field["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    kind = field.get("type")
    if kind == "array":
        inner = _kind(field["items"], whole) if field.get("items") else "anything"
        return f"list of {inner}"
    words = {"integer": "integer", "number": "number", "string": "string", "boolean": "true or false"}
    limits = (("minimum", "at least"), ("exclusiveMinimum", "above"), ("exclusiveMaximum", "below"))
    said = [f"{word} {field[key]:g}" for key, word in limits if key in field and field[key] > -(10**9)]
    if "maximum" in field and field["maximum"] < 10**9:
        said.append(f"at most {field['maximum']:,}")
    return ", ".join([words.get(str(kind), "mapping"), *said])


def _rows(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines)


PARTS = {
    "study-file.md": {"keys": keys, "problem keys": problem_keys, "method settings": method_settings},
    "spaces.md": {"spaces": spaces},
}


def written() -> dict[Path, str]:
    """Make the content of every generated file."""
    found = {SCHEMA: json.dumps(schema(), indent=1) + "\n"}
    for name, parts in PARTS.items():
        text = (DOCS / name).read_text(encoding="utf-8")
        for mark, make in parts.items():
            begin, end = f"<!-- begin: {mark} -->\n", f"\n<!-- end: {mark} -->"
            before, _, rest = text.partition(begin)
            text = before + begin + make() + end + rest.partition(end)[2]
        found[DOCS / name] = text
    return found


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")
