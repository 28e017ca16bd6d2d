"""The static site in Chromium, served as plain files below a path: story, workbench and exercises, no other server."""

import json
import re

import browser_helpers as helpers
import pytest
from static_server import served_folder

from ketamech.app.routes.evidence import EvidenceQuery, evidence_rows
from ketamech.app.server import STATIC

NOW = "document.querySelector('#mood-now').textContent"


def open_page(page, address):
    page.goto(address)
    page.wait_for_selector("path.curve")
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
        helpers.settle(story)
    drawn = "[...document.querySelectorAll('figure[data-track]')].every(f => f.querySelector('path.curve'))"
    helpers.until(story, drawn)
    helpers.until(
        story, "document.querySelector('#pathways tbody tr') && document.querySelector('#comparison path.curve')"
    )
    helpers.until(story, "document.querySelectorAll('.point, .published').length > 3")
    assert {method for method, _ in story.requested} == {"GET"}
    assert all(url.startswith((site_address, "data:", "blob:")) for _, url in story.requested)
    assert story.console_errors == []


LOADED = re.compile(r"""(?:from|import)\s*\(?\s*"(\.[^"]+\.js)"|new URL\("(\.[^"]+)", import""")
IN_PAGE = re.compile(r"""(?:href|src)="([\w./-]+\.(?:js|css|json|html|woff2|svg))\"""")
LIST = re.compile(r"const (MODULES|TABLES) = \[(.*?)\];", re.DOTALL)
ENGINE_FILE = re.compile(r"""(?:getJson|file)\("([\w.-]+)"\)""")


def test_every_file_that_a_page_or_a_worker_loads_is_in_the_site(site):
    folder = site / "some" / "path"
    loaded = {
        (page, folder / name) for page in folder.glob("*.html") for name in IN_PAGE.findall(page.read_text("utf-8"))
    }
    for script in folder.rglob("*.js"):
        text = script.read_text("utf-8")
        loaded |= {(script, script.parent / (own or url)) for own, url in LOADED.findall(text)}
    worker = folder / "engine" / "worker.js"
    listed = {kind: re.findall(r'"([\w-]+)"', names) for kind, names in LIST.findall(worker.read_text("utf-8"))}
    names = [f"{name}.js" for name in listed["MODULES"]] + [f"{name}.json" for name in listed["TABLES"]]
    loaded |= {(worker, folder / "engine" / name) for name in names + ENGINE_FILE.findall(worker.read_text("utf-8"))}
    assert len(loaded) > 150
    assert {(page.name, str(file)) for page, file in loaded if not file.resolve().is_file()} == set()


def test_without_a_module_of_the_engine_the_pages_say_that_it_could_not_be_loaded(page, site_address):
    text = "The program could not be loaded. Reload the page."
    page.route("**/engine/virtual-patients.js", lambda route: route.fulfill(status=404))
    page.goto(site_address)
    helpers.until(page, f"document.querySelector('#page-message').textContent === '{text}'")
    helpers.until(page, f"document.querySelector('#mood-figure .caption').textContent === '{text}'")
    helpers.until(page, "document.getElementById('mood') !== null")
    page.evaluate("document.getElementById('mood').scrollIntoView()")
    helpers.settle(page)
    helpers.until(page, "!document.querySelector('#story').innerText.includes('Computing …')")
    assert not re.search(r"Failed to fetch|a rat is simulated", page.locator("#story").inner_text())
    page.goto(f"{site_address}workbench.html")
    helpers.until(page, f"document.querySelector('.case > .field-error').textContent === '{text}'")
    assert page.locator("[aria-invalid=true]").count() == 0


SHIFTS = """window.shifts = []; new PerformanceObserver((list) => { for (const one of list.getEntries())
if (!one.hadRecentInput) window.shifts.push([one.startTime, one.value]);
}).observe({ type: "layout-shift", buffered: true });"""


@pytest.mark.parametrize(
    ("name", "ready", "width"),
    [
        ("", "#dose path.curve", "desktop"), ("", "#dose path.curve", "phone"),
        ("workbench.html", "#panel path.curve", "phone"), ("exercises.html", "#exercises li h2", "phone"),
    ],
    indirect=["width"],
)  # fmt: skip
def test_nothing_moves_while_a_page_loads(page, site_address, name, ready):
    page.add_init_script(SHIFTS)
    page.goto(site_address + name)
    page.wait_for_selector(ready)
    helpers.settle(page, 1500)
    assert sum(value for _, value in page.evaluate("window.shifts")) < 0.05


@pytest.mark.parametrize(
    ("name", "ready"),
    [
        ("", "#dose path.curve"), ("workbench.html", "#panel path.curve"), ("exercises.html", "#exercises li h2"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("width", ["phone"], indirect=True)
def test_nothing_moves_on_a_phone_where_the_fonts_come_late(page, site_address, name, ready):
    def late(route):
        page.wait_for_timeout(700)
        route.continue_()

    page.route("**/*.woff2", late)
    page.add_init_script(SHIFTS)
    page.goto(site_address + name)
    page.wait_for_selector(ready)
    helpers.until(page, "document.fonts.status === 'loaded' && document.fonts.check('16px Inter')")
    helpers.settle(page, 1500)
    assert sum(value for _, value in page.evaluate("window.shifts")) < 0.05


def largest_window(shifts):
    """The layout shift that browsers report: the largest sum of shifts within a second of each other, 5 s at most."""
    largest = total = began = last = 0.0
    for time, value in shifts:
        if time - last > 1000 or time - began > 5000:
            total, began = 0.0, time
        total, last = total + value, time
        largest = max(largest, total)
    return largest


@pytest.mark.parametrize("width", ["phone"], indirect=True)
def test_little_moves_where_a_chapter_moves_the_clock(page, site_address):
    """Texts that state values at the time of the clock, also those of the chapter above, keep their room.

    Begins when the tables and curves that are computed last are there: before that, a chapter grows when they come.
    """
    page.emulate_media(reduced_motion="no-preference")
    page.add_init_script(SHIFTS)
    open_page(page, site_address)
    helpers.until(page, "document.querySelector('#pathways [data-with]')?.textContent.startsWith('Ticked')")
    helpers.wait_for_computed(page)
    times = set()
    for chapter in ("pathways", "comparison", "safety", "comparison", "pathways"):
        page.evaluate("id => document.getElementById(id).scrollIntoView({ behavior: 'instant' })", chapter)
        helpers.settle(page, 900)  # the clock moves for 700 ms
        times.add(page.locator("#time-bar .selected-time").inner_text())
    assert len(times) > 1
    assert largest_window(page.evaluate("window.shifts")) < 0.05


@pytest.mark.parametrize("chapter", ["networks", "pathways", "comparison"])
@pytest.mark.parametrize("width", ["phone"], indirect=True)
def test_nothing_moves_where_an_address_leads_to_a_chapter(page, site_address, chapter):
    """From the first paint until tables, other treatments and people are computed; the chapter stays at its place."""
    page.add_init_script(SHIFTS)
    page.goto(f"{site_address}#{chapter}")
    top = f"document.getElementById('{chapter}')?.getBoundingClientRect().top"
    helpers.until(page, f"scrollY > 0 && {top} < innerHeight")
    landed = page.evaluate(top)
    helpers.wait_for_computed(page)
    helpers.settle(page, 1000)
    assert page.evaluate(top) == pytest.approx(landed, abs=2)
    assert largest_window(page.evaluate("window.shifts")) < 0.05
    hidden = "getComputedStyle(document.querySelector('#mood')).visibility === 'hidden'"
    assert page.evaluate(hidden), "behind the drawing"
    height = "document.querySelector('#mood').offsetHeight"
    kept = page.evaluate(height)
    page.mouse.wheel(0, 300)
    helpers.until(page, f"!({hidden})")
    helpers.until(page, f"{height} > {kept}")
    helpers.settle(page)
    assert page.evaluate(top) == pytest.approx(landed - 300, abs=2), "the chapters above have their own height"
    assert largest_window(page.evaluate("window.shifts")) < 0.05


SLOW_MACHINE = """{
  const usual = window.setTimeout;
  window.setTimeout = (action, milliseconds, ...values) =>
    usual(action, milliseconds === 12_000 ? 200 : milliseconds, ...values);
  const whatIsLeft = () => [
    2 - document.querySelectorAll('#pathways-figures table').length,
    document.querySelector('#comparison path.curve') ? 0 : 1,
  ];
  new MutationObserver((changes) => {
    for (const { target, oldValue } of changes)
      if (/\\blanded\\b/.test(oldValue) && !target.classList.contains('landed')) window.leftAtTheEnd ??= whatIsLeft();
  }).observe(document, { attributes: true, attributeFilter: ['class'], attributeOldValue: true, subtree: true });
}"""


def test_chapters_above_keep_their_height_until_everything_is_computed(page, site_address):
    """On a machine so slow that the time for what grows later is over before: that time is short here."""
    page.add_init_script(SLOW_MACHINE)
    page.goto(f"{site_address}#networks")
    helpers.until(page, "window.leftAtTheEnd !== undefined")
    assert page.evaluate("window.leftAtTheEnd") == [0, 0]


def test_a_slider_changes_the_curves_and_reset_restores_them(shared_story):
    before = shared_story.locator("#mood-now").inner_text()
    helpers.set_slider(shared_story, shared_story.locator("[data-dose]").first, 0.0)
    helpers.until(shared_story, f"t => {NOW} !== t", arg=before)
    shared_story.locator("#reset").evaluate("button => button.click()")
    helpers.until(shared_story, f"t => {NOW} === t", arg=before)


def test_a_worker_that_does_not_load_is_started_again(page, site_address):
    failures = []

    def fails_once(route):
        route.continue_() if failures else failures.append(route.abort())

    page.route("**/engine/worker.js", fails_once)
    page.goto(site_address)
    helpers.until(page, lambda: failures)
    helpers.set_slider(page, page.locator("[data-dose]").first, 0.3)
    page.wait_for_selector("path.curve")


def test_virtual_patients_are_shown_as_a_band(shared_story):
    box = shared_story.get_by_label("Show 200 simulated people").first
    box.scroll_into_view_if_needed()
    box.check()
    shared_story.wait_for_selector("figure[data-track=mood] path.band")
    assert "of 200" in shared_story.locator("figure[data-track=mood]").inner_text()


def test_badges_open_claims_and_evidence_from_files(shared_story):
    for kind in ("claim", "evidence"):
        badge = shared_story.locator(f".chapter [data-{kind}][aria-haspopup]:visible").first
        badge.wait_for()
        badge.scroll_into_view_if_needed()
        badge.click()
        shared_story.wait_for_selector("dialog[open] .evidence-list li")
        shared_story.keyboard.press("Escape")
    assert shared_story.console_errors == []


def test_the_present_treatment_opens_in_the_workbench_and_the_footer_names_what_needs_the_program(story):
    assert "nothing is sent to a server" in story.locator(".site-footer").inner_text()
    story.locator("#time-bar a", has_text="Open in workbench").click()
    story.wait_for_selector("#panel path.curve")
    assert story.locator(".case").count() == 1
    assert story.url.split("#")[0].endswith("/some/path/workbench.html")


@pytest.mark.parametrize("width", ["phone"], indirect=True)
def test_on_a_phone_a_changed_treatment_opens_in_the_workbench(story):
    helpers.set_slider(story, story.locator("[data-dose]").first, 1.0)
    helpers.until(story, "document.querySelector('nav a[href^=workbench]').href.includes('#s=')")
    story.get_by_role("link", name="Workbench", exact=True).click()
    story.wait_for_selector("#panel path.curve")
    assert story.locator("[data-key='treatments[0]']").input_value().startswith("racemic 2 mg/kg")


@pytest.fixture
def workbench(page, site_address):
    """The workbench, opened; `requested` holds method and address of every request."""
    page.requested = []
    page.context.on("request", lambda request: page.requested.append((request.method, request.url)))
    helpers.open_workbench(page, site_address.rstrip("/"), ".html")
    return page


def open_tab(page, name, content):
    page.click(f"#tab-{name}")
    page.wait_for_selector(f"#panel {content}")


@helpers.at_both_widths
def test_the_workbench_compares_cases_without_asking_a_server(workbench, site_address):
    page = workbench
    page.locator("[data-key='treatments[0]']").first.fill("ketamine 0.5mg/kg i.v. 40min BIW x2w")
    words = "racemic ketamine 0.5 mg/kg IV over 40 min twice weekly for 2 weeks"
    helpers.until(page, f"document.querySelector('.parsed-treatments').textContent.includes('{words}')")
    helpers.until(page, "document.querySelectorAll('#panel .published-point').length > 3")
    helpers.set_slider(page, page.locator(".case [data-dose]").first, 0.6)
    helpers.until(page, "document.querySelector('.parsed-treatments').textContent.includes('ketamine 1.2')")
    page.get_by_label("Add an output").fill("plasticity.bdnf")
    page.get_by_label("Add an output").press("Enter")
    helpers.until(page, "document.querySelector('#panel figure[data-figure*=bdnf] path.curve') !== null")
    for name, content in (
        ("population", "path.band"), ("scorecard", "tbody tr"), ("equations", ".equation"), ("evidence", "tbody tr"),
        ("downloads", "pre"),
    ):  # fmt: skip
        open_tab(page, name, content)
        assert helpers.fits_the_width(page), name
    assert helpers.findings(page) == []
    assert {method for method, _ in page.requested} == {"GET"}
    assert all(url.startswith((site_address, "data:", "blob:")) for _, url in page.requested)
    assert page.console_errors == []


def test_an_error_of_a_case_appears_at_its_field_with_the_nearest_word(workbench):
    field = workbench.locator("[data-key='treatments[0]']").first
    field.fill("racemc 0.5 mg/kg IV over 40 min")
    workbench.wait_for_selector(".case [aria-invalid=true]")
    assert "nearest: racemic" in workbench.locator(".treatment .field-error").first.inner_text()
    workbench.get_by_role("button", name="Use “racemic”").click()
    workbench.wait_for_selector(".case [aria-invalid=true]", state="detached")


def test_what_needs_the_installed_program_says_so(workbench):
    page = workbench
    open_tab(page, "trial", ".empty-state")
    assert "make app" in page.locator("#panel .empty-state").inner_text()
    open_tab(page, "downloads", "pre")
    for name in ("PDF", "HTML", "Parquet"):
        assert page.get_by_role("button", name=name, exact=True).is_disabled()
    assert page.locator("#panel", has_text="make app").count() == 1


CASE = b"title: Mine\ntreatments:\n  - drug: esketamine\n    dose: 56 mg\n    route: nasal\n"
TABLE = b"ID,TIME,AMT,WT\n1,0,28,80\n2,0,56,60\n"


def test_scenarios_and_dose_tables_are_opened_and_a_table_asks_for_drug_and_route(workbench):
    page = workbench
    for _ in range(page.locator(".case").count() - 1):
        page.get_by_role("button", name="Remove case").last.click()
    helpers.upload(page, "mine.yaml", CASE)
    helpers.until(page, "document.querySelectorAll('.case').length === 2")
    assert [helpers.card(page, 1).locator("textarea").nth(row).input_value() for row in (0, 1)] == [
        "Mine",
        "esketamine 56 mg nasal",
    ]
    helpers.upload(page, "broken.json", b'{"treatments": ["esketamin 56 mg nasal"]}')
    helpers.until(page, "document.querySelector('#file-error').textContent.includes('nearest: esketamine')")
    assert "broken.json:1" in page.locator("#file-error").inner_text()
    helpers.upload(page, "doses.csv", TABLE)
    for choice in ("esketamine", "nasal"):
        answer = page.locator("#file-error select", has_text=choice)
        answer.select_option(choice)
        page.locator("#file-error").get_by_role("button", name="Open").click()
    helpers.until(page, "document.querySelectorAll('.case').length === 4")
    assert "every dose is given by the route nasal" in page.locator("#file-error").inner_text()
    assert helpers.card(page, 3).locator("textarea").nth(1).input_value() == "esketamine 56 mg nasal"
    assert {method for method, _ in page.requested} == {"GET"}
    assert page.console_errors == []


@pytest.fixture
def few_people(page):
    helpers.show_few_people(page)


def test_the_endpoint_is_drawn_by_dose_with_published_values_and_a_grey_area_beyond_them(few_people, workbench):
    page = workbench
    open_tab(page, "dose", ".untested-area")
    helpers.set_slider(page, page.locator("#time-slider"), 0.68)  # about a day
    helpers.until(page, "document.querySelectorAll('#panel .published-point').length > 3")
    finding = page.locator("#panel figure h3").inner_text()
    assert finding.startswith("Median ")
    assert "at 1 mg/kg, the largest dose studied" in finding
    assert page.locator("#panel path.band").count() == 2
    page.locator("#panel .published-point").first.press("Enter")
    page.wait_for_selector("dialog[open] .evidence-list li")
    page.keyboard.press("Escape")
    page.get_by_label("Case, or drug and route").select_option("1")  # a spray
    title = "document.querySelector('#panel figure h3').textContent"
    helpers.until(page, f"{title}.includes('84 mg, the largest dose studied')")
    page.get_by_label("Case, or drug and route").select_option("racemic ketamine, oral")
    helpers.until(page, f"{title}.includes('at 200 mg')")
    assert "No study of mood" in page.locator("#panel [role=status]").last.inner_text()
    helpers.until(page, f"{helpers.LINK_CONTENT}.includes('racemic.mouth')")
    assert helpers.findings(page) == []
    assert page.console_errors == []


def test_a_case_is_saved_as_a_table_and_as_a_file(workbench):
    open_tab(workbench, "downloads", "pre")
    for button, start in (
        ("CSV", "patient,time_h,variable,value,unit\ntreated,0,"),
        ("Save: Scenario file", "title: "),
    ):
        with workbench.expect_download() as saved:
            workbench.get_by_role("button", name=button, exact=True).click()
        assert saved.value.path().read_text(encoding="utf-8").startswith(start)


def test_contributions_of_pathways_are_computed_and_read_at_the_selected_time(workbench):
    open_tab(workbench, "attribution", "form")
    workbench.get_by_role("button", name="Attribute").click()
    workbench.wait_for_selector("#panel path.band")
    captions = workbench.locator("#panel .contributions caption")
    helpers.set_slider(workbench, workbench.locator("#time-slider"), 0.3451)
    assert "Change of MADRS 40 minutes after the start: −" in captions.inner_text(), "also within the first hour"
    before = captions.inner_text()
    workbench.focus("#time-slider")
    workbench.keyboard.press("End")
    helpers.until(workbench, "t => document.querySelector('#panel .contributions caption').innerText !== t", arg=before)
    assert {method for method, _ in workbench.requested} == {"GET"}
    assert helpers.findings(workbench) == []


def test_the_story_divides_the_effect_between_the_pathways(story):
    story.locator("#pathways").scroll_into_view_if_needed()
    story.locator("#reading-level input[value=student]").check(force=True)  # Shapley values are not plain
    story.locator("#pathways").get_by_role("button", name="Attribute").click()
    helpers.until(story, "document.querySelectorAll('#pathways path.band').length > 3")
    assert "256 combinations of pathways, at the values of the tables" in story.locator("#pathways").inner_text()


def test_the_address_reopens_cases_and_tab(workbench, site_address):
    workbench.locator("[data-key='treatments[0]']").first.fill("esketamine 0.3 mg/kg IV over 40 min")
    open_tab(workbench, "evidence", "tbody tr")
    workbench.locator("#panel").get_by_label("Species").select_option("rat")
    helpers.until(workbench, f"location.hash.includes('tab=evidence') && {helpers.LINK_CONTENT}.includes('0.3 mg/kg')")
    helpers.until(workbench, "document.querySelector('#panel .pages').textContent.includes('Page 1 of')")
    workbench.get_by_role("button", name="Next page").click()
    helpers.until(workbench, "document.querySelector('#panel .pages').textContent.includes('Page 2 of')")
    count = workbench.locator("#panel caption").inner_text()
    helpers.until(workbench, f"JSON.parse({helpers.LINK_CONTENT}).view['evidence.first'] === 50")
    address = workbench.url
    workbench.goto("about:blank")
    workbench.goto(address)
    workbench.wait_for_selector("#panel tbody tr")
    assert workbench.locator("[data-key='treatments[0]']").first.input_value() == "esketamine 0.3 mg/kg IV over 40 min"
    assert workbench.locator("#panel").get_by_label("Species").input_value() == "rat"
    assert workbench.locator("#panel caption").inner_text() == count


@helpers.at_both_widths
def test_an_exercise_shows_its_answer_and_opens_in_the_workbench(page, site_address):
    page.goto(f"{site_address}exercises.html")
    page.wait_for_selector("#exercises li h2")
    page.locator("#exercises summary").first.click()
    assert "ng/mL" in page.locator("#exercises .answer").first.inner_text()
    assert helpers.findings(page) == []
    assert helpers.fits_the_width(page)
    page.locator("#exercises .open-case a").first.click()
    page.wait_for_selector("#panel path.curve")
    assert page.console_errors == []


def test_the_page_opens_without_a_connection_after_the_first_visit(page, site):
    with served_folder(site) as address:
        open_page(page, f"{address}/some/path/")
        helpers.until(page, "navigator.serviceWorker.ready.then(() => true)")
    page.goto(f"{address}/some/path/workbench.html")
    page.wait_for_selector("#panel path.curve")
    open_tab(page, "evidence", "tbody tr")
    page.get_by_role("link", name="Story", exact=True).click()
    page.wait_for_selector("path.curve")
    helpers.until(page, f"{NOW}.length > 20")
    before = page.locator("#mood-now").inner_text()
    helpers.set_slider(page, page.locator("[data-dose]").first, 0.0)
    helpers.until(page, f"t => {NOW} !== t", arg=before)


def test_the_numbers_are_those_of_the_server(shared_story, app_state):
    from ketamech.app.curve_responses import outputs_of
    from ketamech.app.schemas import OutputsRequest

    scenario = {"treatments": ["esketamine 84 mg nasal twice weekly for 4 weeks"], "person": {}, "horizon": "31 days"}
    body = {
        "scenario": scenario,
        "outputs": ["mood.madrs", "plasma.esketamine"],
        "times": [0.0, 2.0, 26.0, 168.0, 600.0],
    }
    found = json.loads(
        shared_story.evaluate(
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


QUERIES = (
    {"text": "murrough", "limit": 50}, {"stage": "mood", "species": "rat"}, {"text": "il-6", "use": "calibrate"},
    {"drug": "esketamine", "first": 50, "limit": 50}, {"text": "table 2"}, {"text": "mg/kg", "limit": 20},
    {"text": "no such word"},
)  # fmt: skip


def test_evidence_is_found_as_on_the_server(workbench, app_state):
    ask = """async query => {
        const { answerGet } = await import("./js/static-site.js");
        return answerGet(`/api/evidence?${new URLSearchParams(query)}`);
    }"""
    for query in QUERIES:
        found = workbench.evaluate(ask, query)
        expected = evidence_rows(app_state, EvidenceQuery.model_validate(query))
        assert [{name: row[name] for name in row if name != "locator"} for row in found["rows"]] == expected["rows"]
        assert (found["total"], found["first"]) == (expected["total"], expected["first"])
        assert found["counts"] == expected["counts"], query


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


@helpers.at_both_widths
def test_a_reader_keeps_the_place_after_a_reload_back_and_a_turned_screen(page, site_address):
    size = page.viewport_size
    place = (
        "(() => { const middle = innerHeight / 2; const node = [...document.querySelectorAll('.chapter')].findLast("
        "(one) => one.getBoundingClientRect().top <= middle); if (!node) return ['start', scrollY / innerHeight]; "
        "const box = node.getBoundingClientRect(); return [node.id, (middle - box.top) / box.height]; })()"
    )

    def until_at(former):
        """What a reader sees after everything is computed and for some time."""
        for _ in range(2):
            helpers.until(
                page, lambda: (now := page.evaluate(place))[0] == former[0] and abs(now[1] - former[1]) < 0.03
            )
            helpers.settle(page, 1000)

    def until_computed():
        page.wait_for_selector("#unknown", state="attached")
        helpers.wait_for_computed(page)

    page.goto(f"{site_address}/")
    until_computed()
    link = page.locator('a[href="#unknown"]').locator("visible=true").first
    link.click(modifiers=["Control"])
    helpers.settle(page, 1000)
    assert page.evaluate("scrollY") < size["height"], "a link that opens a new tab moves nothing here"
    before = page.evaluate(place)
    link.click()
    helpers.until(page, f"{place}[0] === 'unknown'")
    helpers.settle(page, 1000)
    page.go_back()
    until_at(before)
    page.go_forward()
    helpers.until(page, f"{place}[0] === 'unknown'")
    page.keyboard.press("Shift")
    top = "scrollY + document.getElementById('networks').getBoundingClientRect().top"
    page.evaluate(f"scrollTo({{ top: {top} + 700, behavior: 'instant' }})")
    helpers.settle(page, 1000)
    read = page.evaluate(place)
    assert read[0] == "networks"
    page.reload()
    until_computed()
    until_at(read)
    page.set_viewport_size({"width": size["height"], "height": size["width"]})
    until_at(read)
    page.goto(f"{site_address}/exercises.html")
    page.wait_for_selector("#exercises li h2")
    page.go_back()
    until_computed()
    until_at(read)
