"""Random requests generated from the OpenAPI document are answered or refused as it states, never with status 500.

`make fuzz-app` runs 10,000 of them; KETAMECH_FUZZ_CASES says how many.
"""

import os

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="pip install schemathesis")
from hypothesis import HealthCheck, Phase, settings  # noqa: E402

CASES = int(os.environ.get("KETAMECH_FUZZ_CASES", "240"))
OPERATIONS = 27
SLOW = ("/api/jobs/sample-size", "/api/jobs/scorecard", "/api/jobs/attribution", "/api/report/{kind}")


def operations(engine):
    from ketamech.app.server import make_app

    app = make_app(engine)
    return app, schemathesis.openapi.from_dict(app.openapi())


def test_the_openapi_document_lists_every_route_and_its_errors(engine):
    app, _ = operations(engine)
    document = app.openapi()
    assert len(document["paths"]) >= 18
    for path, ways in document["paths"].items():
        for way, told in ways.items():
            schema = told["responses"]["422"]["content"]["application/json"]["schema"]
            assert schema["$ref"].endswith("ErrorResponse"), (
                path,
                way,
            )
            assert told.get("description"), f"{way} {path} says nothing of itself"


def test_no_generated_request_gets_status_500(engine):
    from starlette.testclient import TestClient

    app, schema = operations(engine)
    with TestClient(app, base_url="http://127.0.0.1") as client:  # its jobs end with it
        ask_everything(client, schema)


def ask_everything(client, schema):
    each = max(4, CASES // OPERATIONS)
    counted, bad = [0], []
    for found in schema.get_all_operations():
        operation = found.ok()
        few = max(3, each // 40) if operation.path in SLOW else each

        @settings(max_examples=few, deadline=None, derandomize=CASES < 1000, database=None,
                  phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
        def ask(case):
            counted[0] += 1
            answer = client.request(**request(case))
            if answer.status_code >= 500:
                bad.append((case.method, case.formatted_path, case.body, answer.text[:300]))

        schemathesis_test(operation, ask)
    assert bad == []
    assert counted[0] >= 0.5 * CASES
    print(f"{counted[0]} cases, no 500")


def schemathesis_test(operation, ask):
    from hypothesis import given
    from hypothesis.errors import Unsatisfiable
    from schemathesis import GenerationMode

    for mode, kind in ((GenerationMode.POSITIVE, "fitting"), (GenerationMode.NEGATIVE, "unfitting")):
        try:
            given(case=operation.as_strategy(generation_mode=mode))(ask)()
        except Unsatisfiable:  # an operation without parameters cannot be asked wrongly
            assert mode is GenerationMode.NEGATIVE, kind


def request(case):
    """A generated case as the client sends it; what has no JSON is sent as text."""
    from urllib.parse import quote

    path = case.path
    for name, value in (case.path_parameters or {}).items():
        path = path.replace("{" + name + "}", quote(str(value), safe=""))
    sent = {"method": case.method, "url": path or "/", "params": dict(case.query or {})}
    body = case.body
    if type(body).__name__ == "NotSet" or case.method.upper() in ("GET", "DELETE"):
        return sent
    try:
        import json

        return {**sent, "content": json.dumps(body).encode(), "headers": {"content-type": "application/json"}}
    except (TypeError, ValueError):
        return {
            **sent,
            "content": str(body).encode("utf-8", "replace"),
            "headers": {"content-type": "application/json"},
        }
