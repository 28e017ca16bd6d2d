"""The served pages simulate in the browser with the packaged module, and ask the server only where it cannot."""

import gzip
import hashlib
import json

import pytest
from browser_helpers import card, open_story, open_workbench, set_slider, until

from ketamech.app.browser.engine_files import ENGINE_FILES
from ketamech.engine import kernel, packaged_kernel
from ketamech.engine.codegen import ptx_and_wasm
from scripts.package_kernel import builders

NOW = "document.querySelector('#mood-now').textContent"


def requests_of(page):
    found = []
    page.on("request", lambda request: found.append((request.method, request.url)))
    return found


def move_a_slider(page):
    before = page.locator("#mood-now").inner_text()
    set_slider(page, page.locator("[data-dose]").first, 0.0)
    until(page, f"t => {NOW} !== t", arg=before)


def test_the_story_never_asks_the_server_for_a_simulation(page, address):
    requested = requests_of(page)
    open_story(page, address)
    move_a_slider(page)
    page.locator("#comparison").scroll_into_view_if_needed()
    page.wait_for_selector("#comparison path.curve")
    assert {method for method, _ in requested} == {"GET"}
    assert page.console_errors == []


def test_the_story_asks_the_server_where_the_module_is_not_installed(page, address):
    page.route("**/engine/kernel.wasm", lambda route: route.fulfill(status=404, body="{}"))
    requested = requests_of(page)
    open_story(page, address)
    move_a_slider(page)
    assert any(method == "POST" and url.endswith("/api/outputs") for method, url in requested)


def test_the_workbench_never_asks_the_server_for_what_the_browser_simulates(page, address):
    requested = requests_of(page)
    open_workbench(page, address)
    until(page, "document.querySelectorAll('#panel .published-point').length > 3")
    set_slider(page, card(page).locator("[data-dose]"), 0.6)
    until(page, "document.querySelector('.parsed-treatments').textContent.includes('ketamine 1.2 mg/kg')")
    until(page, "document.querySelector('#curves-notes').textContent.includes('A: ')")  # why it has no published values
    page.click("#tab-population")
    page.wait_for_selector("#panel path.band")
    assert {method for method, _ in requested} == {"GET"}
    page.get_by_label("Patients", exact=True).select_option("1000")  # more than the browser has
    until(page, "document.querySelector('#panel figure').textContent.includes('1,000 virtual patients')")
    assert {url for method, url in requested if method == "POST"} == {f"{address}/api/population"}
    assert page.console_errors == []


def test_the_server_reads_what_the_browser_refuses(page, address):
    open_workbench(page, address)
    card(page).locator("summary", has_text="Patient").click()
    card(page).locator("[data-key='person.weight']").fill("70000 g")
    requested = requests_of(page)
    card(page).locator("[data-key='treatments[0]']").fill("racemic 1 mg/kg IM")
    until(page, "document.querySelector('.parsed-treatments').textContent.includes('1 mg/kg IM')")
    assert any(method == "POST" and url.endswith("/api/curves") for method, url in requested)
    assert page.locator(".case [aria-invalid=true]").count() == 0


def test_the_workbench_works_on_while_the_server_is_lost(page, address):
    open_workbench(page, address)
    until(page, "document.querySelectorAll('#panel .published-point').length > 3")
    page.context.set_offline(True)
    set_slider(page, card(page).locator("[data-dose]"), 0.6)
    until(page, "document.querySelector('.parsed-treatments').textContent.includes('ketamine 1.2 mg/kg')")
    card(page).locator("[data-key='treatments[0]']").fill("racemc 1 mg/kg IM")
    page.wait_for_selector(".case [aria-invalid=true]")  # the words of the browser's own parser


def test_the_story_works_on_while_the_server_is_lost(page, address):
    open_story(page, address)
    until(page, "document.querySelector('.people-row') !== null")  # all files of the model are loaded
    page.context.set_offline(True)
    move_a_slider(page)


def test_the_packaged_module_belongs_to_the_shipped_equations_and_engine(model):
    advice = "run: python scripts/package_kernel.py"
    assert packaged_kernel.packaged_files(model.layout.fingerprint), advice


def test_a_fresh_build_gives_the_bytes_of_the_packaged_module(model):
    facts = json.loads((packaged_kernel.FOLDER / packaged_kernel.FACTS_FILE).read_text(encoding="utf-8"))
    if facts["built_with"] != builders():
        pytest.skip(f"packaged with {facts['built_with']}, here {builders()}")
    packaged = packaged_kernel.packaged_files(model.layout.fingerprint)
    fresh = model.kernel.built_webassembly()
    assert packaged["kernel.wasm"] == fresh["kernel.wasm"]
    assert json.loads(packaged["facts.json"]) == json.loads(fresh["facts.json"])


def test_the_loops_of_the_module_do_not_depend_on_the_processor():
    import llvmlite.binding as llvm

    text = "".join(kernel.driver_texts(kernel.ARGUMENTS))
    assert llvm.get_host_cpu_name() == "generic" or llvm.get_host_cpu_name() not in text
    assert "+avx" not in text


@pytest.mark.parametrize("change", [{"fingerprint": "other"}, {"engine": "other"}, {"sha256": "other"}, {}])
def test_a_module_of_other_equations_or_a_damaged_one_is_not_used(tmp_path, model, change):
    stored = {"fingerprint": "equations", "engine": packaged_kernel.engine_sources(), "layout": {"rows": {}}}
    stored["sha256"] = hashlib.sha256(b"\0asm").hexdigest()
    (tmp_path / packaged_kernel.MODULE_FILE).write_bytes(gzip.compress(b"\0asm"))
    (tmp_path / packaged_kernel.FACTS_FILE).write_text(json.dumps({**stored, **change}))
    if not change:
        assert packaged_kernel.packaged_files("equations", tmp_path)["kernel.wasm"] == b"\0asm"
        (tmp_path / packaged_kernel.MODULE_FILE).write_bytes(b"damaged")
    assert packaged_kernel.packaged_files("equations", tmp_path) is None


def test_the_files_of_the_engine_are_served_and_are_missing_without_module_and_linker(client, model, monkeypatch):
    from starlette.testclient import TestClient

    from ketamech.app.app_state import AppState
    from ketamech.app.server import make_app

    for name in ENGINE_FILES:
        assert client.get(f"/engine/{name}").status_code == 200, name
    assert client.get("/engine/kernel.wasm").headers["content-type"] == "application/wasm"
    assert client.get("/api/metadata").json()["story_patients"] == 200

    monkeypatch.setattr(kernel, "packaged_files", lambda fingerprint: None)
    monkeypatch.setattr("ketamech.app.app_state.packaged_files", lambda fingerprint: None)
    monkeypatch.setattr("ketamech.app.app_state.find_spec", lambda name: None)
    monkeypatch.setattr(kernel, "cached_files", lambda folder, make: make())
    monkeypatch.setattr(kernel, "driver_texts", lambda entries: [])
    monkeypatch.setattr(ptx_and_wasm, "find_spec", lambda name: None)
    monkeypatch.setattr(ptx_and_wasm.native_code, "wasm_object", lambda texts, exported: b"")
    with TestClient(make_app(AppState(model)), base_url="http://127.0.0.1") as other:
        assert other.get("/engine/kernel.wasm").status_code == 404
        assert other.get("/api/metadata").json()["story_patients"] == 1000


def test_only_the_story_and_its_worker_may_compile_webassembly(client):
    for path, may in (
        ("/", True),
        ("/engine/worker.js", True),
        ("/workbench", False),
        ("/404", False),
        ("/js/api.js", False),
    ):
        policy = client.get(path).headers["content-security-policy"]
        assert ("'wasm-unsafe-eval'" in policy) is may, path
        assert "unsafe-inline" not in policy
        assert "frame-ancestors 'none'" in policy
