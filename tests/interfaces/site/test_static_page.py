"""The static site in Chromium, served as plain files below a path: chapters, sliders, evidence, no other server."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
from static_server import served_folder

from ketamech.app.server import STATIC

APP = Path(__file__).parents[1] / "app"


def _module(name):
    """A module of the tests of the served page, which has the browser and its helpers."""
    spec = importlib.util.spec_from_file_location(f"served_page_{name}", APP / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


helpers, served = _module("browser_helpers"), _module("conftest")
browser, width, page = served.browser, served.width, served.page
NOW = "document.querySelector('#mood-now').textContent"


def open_page(page, address):
    page.goto(address)
    page.wait_for_selector("path.curve", timeout=20_000)
    helpers.until(page, f"{NOW}.length > 20")


@pytest.fixture
def story(page, site_address):
    """The story, opened; `requested` holds method and address of every request."""
    page.requested = []
    page.context.on("request", lambda request: page.requested.append((request.method, request.url)))
    open_page(page, site_address)
    return page


@helpers.at_both_widths
def test_every_chapter_is_drawn_without_asking_a_server(story, site_address):
    chapters = story.locator("section.chapter")
    assert chapters.count() > 8
    for i in range(chapters.count()):
        chapters.nth(i).scroll_into_view_if_needed()
        story.wait_for_timeout(200)
    drawn = "[...document.querySelectorAll('figure[data-track]')].every(f => f.querySelector('path.curve'))"
    helpers.until(story, drawn)
    helpers.until(
        story, "document.querySelector('#pathways tbody tr') && document.querySelector('#comparison path.curve')"
    )
    helpers.until(story, "document.querySelectorAll('.point, .published').length > 3")
    assert {method for method, _ in story.requested} == {"GET"}
    assert all(url.startswith((site_address, "data:", "blob:")) for _, url in story.requested)
    assert story.console_errors == []


def test_a_slider_changes_the_curves_and_reset_restores_them(story):
    before = story.locator("#mood-now").inner_text()
    helpers.set_slider(story, story.locator("[data-dose]").first, 0.0)
    helpers.until(story, f"t => {NOW} !== t", arg=before)
    story.locator("#reset").evaluate("button => button.click()")
    helpers.until(story, f"t => {NOW} === t", arg=before)


def test_a_worker_that_does_not_load_is_started_again(page, site_address):
    failures = []

    def fails_once(route):
        route.continue_() if failures else failures.append(route.abort())

    page.route("**/engine/worker.js", fails_once)
    page.goto(site_address)
    page.wait_for_timeout(2000)
    assert failures
    helpers.set_slider(page, page.locator("[data-dose]").first, 0.3)
    page.wait_for_selector("path.curve", timeout=20_000)


def test_virtual_patients_are_shown_as_a_band(story):
    box = story.get_by_label("Show 200 simulated people").first
    box.scroll_into_view_if_needed()
    box.check()
    story.wait_for_selector("figure[data-track=mood] path.band", timeout=20_000)
    assert "of 200" in story.locator("figure[data-track=mood]").inner_text()


def test_badges_open_claims_and_evidence_from_files(story):
    for kind in ("claim", "evidence"):
        badge = story.locator(f".chapter [data-{kind}][aria-haspopup]:visible").first
        badge.wait_for()
        badge.scroll_into_view_if_needed()
        badge.click()
        story.wait_for_selector("dialog[open] .evidence-list li")
        story.keyboard.press("Escape")
    assert story.console_errors == []


def test_what_needs_the_server_is_not_offered(story):
    assert story.locator("a[href^=workbench]:visible").count() == 0
    assert "nothing is sent to a server" in story.locator(".site-footer").inner_text()


def test_the_page_opens_without_a_connection_after_the_first_visit(page, site):
    with served_folder(site) as address:
        open_page(page, f"{address}/some/path/")
        helpers.until(page, "navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    page.wait_for_selector("path.curve", timeout=20_000)
    helpers.until(page, f"{NOW}.length > 20")
    before = page.locator("#mood-now").inner_text()
    helpers.set_slider(page, page.locator("[data-dose]").first, 0.0)
    helpers.until(page, f"t => {NOW} !== t", arg=before)


def test_the_numbers_are_those_of_the_server(story, app_state):
    from ketamech.app.curves import outputs_of
    from ketamech.app.schemas import OutputsRequest

    scenario = {"treatments": ["esketamine 84 mg nasal twice weekly for 4 weeks"], "person": {}, "horizon": "31 days"}
    body = {
        "scenario": scenario,
        "outputs": ["mood.madrs", "plasma.esketamine"],
        "times": [0.0, 2.0, 26.0, 168.0, 600.0],
    }
    found = json.loads(
        story.evaluate(
            """async body => {
                const { simulate } = await import("./simulate.js");
                const { values } = await simulate(body);
                return JSON.stringify(Object.fromEntries(Object.entries(values).map(([k, v]) => [k, Array.from(v)])));
            }""",
            body,
        )
    )
    expected = outputs_of(app_state, OutputsRequest.model_validate(body))["values"]
    for name in body["outputs"]:
        assert found[name] == pytest.approx(expected[name], rel=1e-3, abs=1e-4)


def test_the_worker_requests_all_of_its_modules_at_once():
    engine = STATIC / "engine"
    listed = re.search(r"MODULES = \[(.*?)\]", (engine / "worker.js").read_text(encoding="utf-8"), re.S)[1]
    assert {f"{name}.js" for name in re.findall(r'"([\w-]+)"', listed)} | {"worker.js"} == {
        path.name for path in engine.glob("*.js")
    }


def test_the_same_model_gives_the_same_files(site, app_state, tmp_path):
    from ketamech.site.build_site import build_site

    build_site(tmp_path, app_state)
    first = site / "some" / "path"
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert all((first / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)
