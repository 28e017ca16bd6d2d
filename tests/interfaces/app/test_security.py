"""What the server refuses: paths outside the pages, other hosts and origins, too large or too long requests."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from ketamech.app.app_state import Queue
from ketamech.app.security_middleware import HEADERS


def test_every_response_carries_the_security_headers(client, infusion):
    answers = [
        client.get("/workbench"),
        client.get("/api/metadata"),
        client.get("/nothing"),
        client.post("/api/curves", json={}),
    ]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
    assert "unsafe" not in HEADERS["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    ["/../server.py", "/%2e%2e/server.py", "/..%2fserver.py", "/js/%2e%2e/%2e%2e/server.py", "/etc/passwd",
     "//etc/passwd", "/api/stages/..%2f..%2fetc%2fpasswd", "/api/jobs/..%2fx", "/api/claims/..",
     "/static/../server.py", "/%00"],
)  # fmt: skip
def test_no_path_leads_outside_the_pages(client, path):
    answer = client.get(path)
    assert answer.status_code in (400, 404)
    assert b"import" not in answer.content
    assert b"root:" not in answer.content


def test_no_key_of_a_scenario_makes_the_page_read_a_file(client, infusion):
    from ketamech.app.scenarios import FILE_KEYS
    from ketamech.simulation.scenario_schema import ScenarioFile

    about = {name: field.description or "" for name, field in ScenarioFile.model_fields.items()}
    assert set(FILE_KEYS) == {name for name, words in about.items() if "file" in words.lower()}
    for key in FILE_KEYS:
        told = client.post("/api/curves", json={"scenario": {**infusion, key: "/etc/passwd"}})
        assert told.status_code == 422
        assert "reads no files" in told.json()["error"]
        text = f"treatments:\n  - placebo IV\n{key}: ../../../etc/passwd\n"
        told = client.post("/api/scenario/read", json={"name": "x.yaml", "text": text}).json()
        assert "reads no files" in told["error"]


def test_a_large_body_is_refused_before_it_is_read_completely(client):
    answer = client.post("/api/scenario/read", content=b"x" * 300_000)
    assert answer.status_code == 413
    assert answer.json()["kind"] == "LimitExceeded"


def test_other_origins_and_hosts_are_refused(client, infusion):
    body = {"scenario": infusion}
    assert client.post("/api/curves", json=body, headers={"origin": "https://elsewhere.example"}).status_code == 400
    for host in ("elsewhere.example", "testserver", "127.0.0.1.example", ""):
        assert client.get("/api/metadata", headers={"host": host}).status_code == 400
    assert client.get("/api/metadata", headers={"host": "localhost:8321"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://[", "https://127.0.0.1:8321", "file://", "http://a@127.0.0.1:8321"])
def test_only_the_exact_origin_of_the_page_is_accepted(client, origin):
    headers = {"host": "127.0.0.1:8321", "origin": origin}
    assert client.get("/api/metadata", headers=headers).status_code == 400
    assert client.get("/api/metadata", headers={**headers, "origin": "http://127.0.0.1:8321"}).status_code == 200


@pytest.mark.parametrize(("mode", "status"), [("no-cors", 400), ("cors", 400), ("navigate", 200)])
def test_pages_of_other_sites_may_link_here_and_load_nothing(client, mode, status):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": mode}
    assert client.get("/api/metadata", headers=headers).status_code == status
    assert client.get("/api/metadata", headers={**headers, "sec-fetch-site": "same-origin"}).status_code == 200


@pytest.mark.parametrize("name", ["=cmd|'/C calc'!A0", "@SUM(1)", "", "a\r\nb", "x" * 61, "$x^2$", "\u202eabc"])
def test_names_of_arms_that_a_spreadsheet_or_a_figure_would_run_are_refused(client, name):
    arms = {name: "placebo IV", "placebo": "placebo IV"}
    assert client.post("/api/jobs/trial", json={"arms": arms, "patients_per_arm": 2}).status_code == 422


@pytest.mark.parametrize(
    "changes",
    [
        {"horizon": 10**400}, {"treatments": ["racemic 1e-320 mg IV"]},
        {"treatments": ["esketamine 1e-310 mg nasal daily for 4 weeks"]},
        {"parameters": {"opioid.rate_constant": 1e-320}},
    ],
)  # fmt: skip
def test_extreme_numbers_are_answered(client, infusion, changes):
    assert client.post("/api/curves", json={"scenario": {**infusion, **changes}}).status_code in (200, 422)


def test_more_patients_doses_or_trials_than_the_limits_are_refused(client, infusion):
    assert client.post("/api/population", json={"scenario": infusion, "patients": 2001}).status_code == 422
    often = {**infusion, "treatments": ["racemic 0.001 mg/kg IV every 1 h for 900 h"], "horizon": "38 days"}
    told = client.post("/api/curves", json={"scenario": often})
    assert told.status_code == 422
    assert "doses" in told.json()["error"]
    large = {"arms": {"a": "placebo IV", "b": "placebo IV"}, "patients_per_arm": 2000, "replicates": 500}
    assert client.post("/api/jobs/trial", json=large).status_code == 429
    many = {"a": "racemic 0.01 mg/kg IV every 4 h for 200 days", "b": "placebo IV"}
    told = client.post("/api/jobs/trial", json={"arms": many, "patients_per_arm": 2, "days": [199]})
    assert told.status_code == 429
    assert "1195 doses of arm 'a'" in told.json()["error"]


def test_a_request_is_refused_where_too_many_wait():
    import anyio

    from ketamech.app.app_state import AppState, LimitExceeded, Limits

    async def three_at_once():
        app_state, release = AppState(limits=Limits.model_validate({"max_parallel": 1, "max_waiting": 1})), Event()
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(app_state.compute, release.wait)
                await anyio.sleep(0.05)
            try:
                with pytest.raises(LimitExceeded, match="1 requests wait already"):
                    await app_state.compute(release.wait)
            finally:
                release.set()

    with ThreadPoolExecutor(1) as own_thread:  # browser tests leave a loop in this one
        own_thread.submit(anyio.run, three_at_once).result()


def test_a_band_that_takes_too_long_is_stopped(model, infusion):
    from ketamech.app.app_state import AppState, LimitExceeded, Limits
    from ketamech.app.curve_responses import population_of
    from ketamech.app.schemas import PopulationRequest

    hurried = AppState(model, Limits.model_validate({"population_seconds": 0.0}))
    infusion["treatments"] = ["esketamine 84 mg nasal daily for 12 weeks"]
    with pytest.raises(LimitExceeded, match="longer than"):
        population_of(hurried, PopulationRequest.model_validate({"scenario": infusion, "patients": 2000}))


def test_nothing_that_is_received_is_evaluated_or_unpickled():
    import ast
    from pathlib import Path

    import ketamech.app

    for path in Path(ketamech.app.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        assert not called & {"eval", "exec", "open", "compile", "__import__"}, path
        names = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        assert not names & {"pickle", "subprocess", "shelve", "marshal"} or path.name == "loading.py", path


def test_the_pages_name_no_other_host_and_hold_no_inline_script():
    import re
    from pathlib import Path

    import ketamech.app

    folder = Path(ketamech.app.__file__).parent / "static"
    allowed = ("http://www.w3.org/2000/svg",)
    for path in [*folder.rglob("*.js"), *folder.rglob("*.css"), *folder.rglob("*.html")]:
        text = path.read_text(encoding="utf-8")
        assert all(found in allowed for found in re.findall(r"https?://[^\s\"'`)]+", text)), path
        if path.suffix == ".html":
            assert "not treatment or dosing advice" in text
            assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", text), path


def test_every_module_of_a_page_is_preloaded():
    import re
    from pathlib import Path

    import ketamech.app

    folder = (Path(ketamech.app.__file__).parent / "static").resolve()

    def needed(module):
        imported = re.findall(r'from "(\.{1,2}/[\w/-]+\.js)"', module.read_text(encoding="utf-8"))
        found = {(module.parent / name).resolve() for name in imported}
        return found.union(*(needed(other) for other in found))

    def listed(modules):
        return {path.relative_to(folder).as_posix() for path in modules}

    starter = folder / "js" / "browser-kernel.js"
    starts_worker = listed({starter, *needed(starter)})
    for page in ("index", "workbench", "exercises"):
        text = (folder / f"{page}.html").read_text(encoding="utf-8")
        preloaded = re.findall(r'modulepreload" href="([\w/-]+\.js)"', text)
        assert set(preloaded) == listed(needed(folder / "js" / f"{page.replace('index', 'story')}.js")), page
        assert len(set(preloaded)) == len(preloaded), page
        assert set(preloaded[: len(starts_worker)]) == starts_worker, "the worker loads the model beside the page"


def test_the_static_files_are_smaller_than_one_megabyte():
    from pathlib import Path

    import ketamech.app

    files = [path for path in (Path(ketamech.app.__file__).parent / "static").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_000_000


def test_a_long_text_of_a_scenario_is_refused_at_its_key_before_it_is_parsed(client, infusion):
    long = "racemic 0.5 mg/kg IV" + " " * 100_000
    for change, key in (
        ({"treatments": [long]}, "treatments[0]"),
        ({"perturbations": ["NBQX" + " " * 600]}, "perturbations[0]"),
        ({"treatments": [{"drug": "racemic", "dose": "1 mg", "schedule": "x" * 501}]}, "treatments[0].schedule"),
    ):
        told = client.post("/api/scenario/check", json={"scenario": {**infusion, **change}})
        assert told.status_code == 422
        assert (told.json()["key"], told.json()["expected"]) == (key, "at most 500 characters")
    text = f"treatments:\n  - '{long[:50_000]}'\nperson: {{weight: 70 kg}}\n"
    told = client.post("/api/scenario/read", json={"name": "x.yaml", "text": text})
    assert told.json()["key"] == "treatments[0]"
    told = client.post("/api/scenario/read", json={"name": "x.yaml", "text": text + " " * 20_000})
    assert told.json()["error"].startswith("x.yaml has 70,")
    assert "at most 60,000 characters" in told.json()["expected"]


def test_a_page_that_does_not_exist_is_html_and_an_api_route_that_does_not_exist_is_json(client):
    page = client.get("/nothing")
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "Page not found" in page.text
    for way in (client.get, client.post):
        answer = way("/api/nothing")
        assert answer.status_code == 404
        assert answer.json()["kind"] == "NotFound"


LONG_TEXTS = [
    "zebra quux flurb " * 28,
    "z" * 480,
    "racemic 0.5 mg/kg IV at '" + "flurb quux " * 40 + "'",
    "quux\nflurb " * 40,
]


@pytest.mark.parametrize("text", LONG_TEXTS, ids=["words", "one word", "quotation", "lines"])
def test_an_error_repeats_little_of_what_was_typed(client, infusion, text):
    dose = {"drug": "racemic ketamine", "dose": "0.5 mg/kg", "route": "IV"}
    keys = [
        {"treatments": [text]}, {"treatments": [{**dose, "route": text}]}, {"treatments": [{**dose, text: "x"}]},
        {"perturbations": [text]}, {"variant": text}, {"species": text}, {"horizon": text}, {"parameters": {text: 1}},
        {"person": {"weight": text}}, {"pathways": {text: False}}, {text: 1},
    ]  # fmt: skip
    answers = [client.post("/api/scenario/check", json={"scenario": {**infusion, **change}}) for change in keys]
    answers.append(client.post("/api/scenario/read", json={"name": "x.yaml", "text": f"treatments: [{text!r}]"}))
    answers.append(client.post("/api/jobs/trial", json={"arms": {"a": text}, "patients_per_arm": 2}))
    for answer in answers:
        assert answer.status_code == 422
        for field, value in answer.json().items():
            pieces = [text[i : i + 100].lower() for i in range(len(text) - 100)]
            assert not any(piece in str(value).lower() for piece in pieces), (field, value)


@pytest.mark.parametrize("name", ["/etc", "../../app", "..", "x" * 400, "reduced_core/.."])
def test_the_name_of_a_variant_says_nothing_about_the_folders_of_this_machine(client, infusion, name):
    answer = client.post("/api/scenario/check", json={"scenario": {**infusion, "variant": name}})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("there is no model variant")


def test_more_values_or_perturbations_than_the_limits_are_refused(client, infusion):
    for change in ({"parameters": {f"a{i}": None for i in range(12_001)}}, {"treatments": [0] * 13_000}):
        told = client.post("/api/curves", json={"scenario": {**infusion, **change}})
        assert (told.status_code, told.json()["error"]) == (422, "more than 12,000 values in one request")
    many = {**infusion, "perturbations": [f"NBQX 10 mg/kg IP at {i} min" for i in range(101)]}
    assert client.post("/api/curves", json={"scenario": many}).json()["error"] == "101 perturbations"


def test_a_scenario_of_too_many_solver_steps_says_what_to_change_and_waits_apart(model, infusion):
    from starlette.testclient import TestClient

    from ketamech.app.app_state import AppState, Limits
    from ketamech.app.server import make_app

    weekly = {**infusion, "treatments": ["esketamine 84 mg nasal weekly for 4 weeks"]}
    queues, limits = [], {"quick_steps": 60, "solver_steps": 150}
    app_state = AppState(model, Limits.model_validate(limits))
    compute = app_state.compute
    app_state.compute = lambda work, queue=Queue.QUICK: (queues.append(queue), compute(work, queue))[1]
    with TestClient(make_app(app_state), base_url="http://127.0.0.1") as own:
        assert own.post("/api/curves", json={"scenario": infusion}).status_code == 200
        assert queues == [Queue.QUICK]
        often = own.post("/api/curves", json={"scenario": weekly})
    assert queues[1:] == [Queue.QUICK, Queue.DOWNLOAD]
    assert (often.status_code, often.json()["kind"]) == (422, "StepLimitExceeded")
    assert "fewer doses or a shorter horizon" in often.json()["expected"]
