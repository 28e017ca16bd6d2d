"""The reference of scenario and trial files, made from their JSON Schemas."""

from __future__ import annotations

from typing import Any

from makers.markdown import NOTICE, code, table


def file_pages() -> dict[str, str]:
    """{page: Markdown}: one page for each kind of file."""
    from ketamech.simulation.scenario_schema import schema
    from ketamech.trials.trial_schema import trial_schema

    return {
        "reference/scenario-file": _page("Scenario file", schema(), "[Writing down a treatment](../../scenarios.md)"),
        "reference/trial-file": _page("Trial file", trial_schema(), "[Virtual trials](../../trials.md)"),
    }


def _page(title: str, schema: dict[str, Any], guide: str) -> str:
    lines = [NOTICE, "", f"# {title}", "", f"Every key a file may hold. How to write one: {guide}.", ""]
    lines += ["`ketamech schema` prints this as JSON Schema for your editor.", ""]
    lines += ["## The file", "", *_keys(schema)]
    for name, part in schema.get("$defs", {}).items():
        if part.get("properties"):
            lines += [f"## {name}", "", part.get("description", ""), ""]
            lines += _keys(part)
    return "\n".join(lines) + "\n"


def _keys(part: dict[str, Any]) -> list[str]:
    needed = part.get("required", [])
    rows = [
        (code(name), _kind(item), "needed" if name in needed else _default(item), item.get("description", ""))
        for name, item in part.get("properties", {}).items()
    ]
    return table(("key", "holds", "default", "meaning"), rows)


def _kind(item: dict[str, Any]) -> str:
    if "$ref" in item:
        return item["$ref"].rsplit("/", 1)[-1]
    if "anyOf" in item:
        return " or ".join(dict.fromkeys(_kind(part) for part in item["anyOf"] if part.get("type") != "null"))
    if "enum" in item or "const" in item:
        return ", ".join(str(value) for value in item.get("enum", [item.get("const")]))
    kind = item.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(item.get('items', {}))}"
    if kind == "object" and "additionalProperties" in item and isinstance(item["additionalProperties"], dict):
        return f"names to {_kind(item['additionalProperties'])}"
    return {"string": "text", "integer": "whole number", "boolean": "yes or no"}.get(str(kind), str(kind))


def _default(item: dict[str, Any]) -> str:
    value = item.get("default")
    return "" if value is None or value in ([], {}, "") else code(value)
