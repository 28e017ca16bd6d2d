"""Both pages in a browser, at the width of a phone and of a desktop: controls, errors, uploads, downloads, links."""

import base64
import json
import re

import pytest
from browser_helpers import (
    CHAPTERS,
    LINK_CONTENT,
    at_both_widths,
    at_sizes,
    findings,
    fits_the_width,
    new_page,
    open_story,
    open_workbench,
    set_slider,
    settle,
    show_few_people,
    until,
    upload,
)


@at_both_widths
def test_every_chapter_of_the_story_is_drawn_and_captioned(page, address):
    requested = []
    page.on("request", lambda request: requested.append(request.url))
    open_story(page, address)
    for name in CHAPTERS:
        page.locator(f"#{name}").scroll_into_view_if_needed()
        content = page.locator(f"#{name} figure path.curve, #{name} tbody tr, #{name} .claim")
        content.locator("visible=true").first.wait_for()
        until(page, f"document.querySelector('#{name} [data-caption], #{name} .claim').textContent.length > 20")
    assert fits_the_width(page)
    assert all(url.startswith((address, "data:", "blob:")) for url in requested), "another server was contacted"
    assert findings(page) == []
    assert page.console_errors == []


def test_the_dose_slider_changes_the_curves_and_reset_restores_them(page, address):
    open_story(page, address)
    before = page.locator("#dose [data-caption]").inner_text()
    set_slider(page, page.locator("#dose [data-dose]"), 1.0)
    until(page, "t => document.querySelector('#dose [data-caption]').textContent !== t", arg=before)
    assert "2 mg/kg" in page.locator("#time-bar").inner_text()
    until(page, "document.querySelectorAll('#dose figure > svg path.reference').length === 2")
    page.click("#reset")
    until(page, "t => document.querySelector('#dose [data-caption]').textContent === t", arg=before)


def test_blocking_ampa_receptors_raises_the_lowest_score(story):
    story.locator("#mood").scroll_into_view_if_needed()
    until(story, "document.querySelector('#mood [data-caption]').textContent.includes('lowest')")

    def lowest():
        return float(re.search(r"lowest, ([\d.]+)", story.locator("#mood [data-caption]").inner_text())[1])

    usual = lowest()
    story.locator("#signalling [data-toggle=nbqx]").check()
    changed = "u => !document.querySelector('#mood [data-caption]').textContent.includes('lowest, ' + u)"
    until(story, changed, arg=usual)
    assert lowest() > usual + 1


def test_the_time_slider_works_by_keyboard_and_sets_the_time_of_every_figure(story):
    story.locator("#dose .legend").first.scroll_into_view_if_needed()  # figures out of view do not follow the clock
    story.focus("#time-slider")
    story.keyboard.press("Home")
    before = story.locator("#dose .legend").first.inner_text()
    story.keyboard.press("End")
    assert "30 days" in story.locator("#time-bar .selected-time").inner_text()
    until(story, "t => document.querySelector('#dose .legend').innerText !== t", arg=before)
    assert "–" not in story.locator("#dose .legend").first.inner_text(), "the curves reach the end of the time slider"
    story.keyboard.press("Home")
    assert "1 minute" in story.locator("#time-bar .selected-time").inner_text()


@at_sizes("phone", "desktop")
def test_a_badge_opens_its_evidence_and_returns_the_focus_when_closed(story):
    story.wait_for_selector("#felt .claim")
    badge = story.locator("#felt [data-claim=esketamine-no-dissociation]")
    badge.focus()
    story.keyboard.press("Enter")
    story.wait_for_selector("dialog[open] .evidence-list a")
    assert story.locator("dialog .evidence-list li").count() > 1
    assert findings(story) == []
    story.keyboard.press("Escape")
    assert story.locator("dialog[open]").count() == 0
    assert badge.evaluate("e => e === document.activeElement")


def test_every_figure_has_a_table(story):
    details = story.locator("#dose .figure details").first
    details.locator("summary").focus()
    story.keyboard.press("Enter")
    until(story, "document.querySelectorAll('#dose .figure details tbody tr').length > 6")
    assert "24 h" in details.inner_text()
    story.keyboard.press("Enter")


def test_the_other_theme_is_accessible_and_is_kept_after_a_reload(page, address):
    open_workbench(page, address)
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") in ("dark", "light")
    chosen = page.evaluate("document.documentElement.dataset.theme")
    assert findings(page) == []
    page.reload()
    page.wait_for_selector("#panel path.curve")
    assert page.evaluate("document.documentElement.dataset.theme") == chosen


@at_both_widths
def test_an_error_in_a_treatment_appears_at_its_field_and_goes_when_corrected(page, address):
    open_workbench(page, address)
    field = page.locator("[data-key='treatments[0]']").first
    field.fill("racemc 0.5 mg/kg IV over 40 min")
    page.wait_for_selector(".case [aria-invalid=true]")
    error = page.locator(".treatment .field-error").first.inner_text()
    assert "'racemc' (character 1) is not a known treatment" in error
    assert "nearest: racemic" in error
    assert "key:" not in error, "the error stands at its field"
    described_by = field.get_attribute("aria-describedby").split()
    assert len(described_by) == 2, "the hint and the error"
    assert all(page.locator(f"#{name}").count() == 1 for name in described_by)
    assert findings(page) == []
    field.fill("ketamine 0.5mg/kg i.v. 40min BIW x2w")
    page.wait_for_selector(".case [aria-invalid=true]", state="detached")
    until(page, "document.querySelector('.parsed-treatments').textContent.includes('twice weekly')")
    shown = page.locator(".parsed-treatments").first.inner_text()
    assert shown == "Simulated: racemic ketamine 0.5 mg/kg IV over 40 min twice weekly for 2 weeks."


def test_a_link_reopens_a_case(page, address, browser):
    open_workbench(page, address)
    page.locator("[data-key='treatments[0]']").first.fill("esketamine 0.3 mg/kg IV over 40 min")
    page.locator(".case").first.locator("summary", has_text="Pathways").click()
    page.locator("[data-key='pathways.habenula']").first.uncheck()
    page.click("#tab-population")
    until(page, "location.hash.includes('tab=population')")
    until(page, f"{LINK_CONTENT}.includes('habenula') && {LINK_CONTENT}.includes('esketamine 0.3')")
    link = page.url
    other = new_page(browser, 900, 800)
    other.goto(link)
    other.wait_for_selector("#panel path.band")
    assert other.locator("[data-key='treatments[0]']").first.input_value() == "esketamine 0.3 mg/kg IV over 40 min"
    assert not other.locator("[data-key='pathways.habenula']").first.is_checked()
    assert other.locator("#tab-population").get_attribute("aria-selected") == "true"
    other.context.close()


def link(content):
    return "#s=" + base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def test_a_link_of_version_0_2_opens_with_its_cases_and_settings(page, address):
    case = {
        "title": "Old", "treatments": ["esketamine 84 mg nasal twice weekly for 4 weeks"],
        "person": {"weight": "60 kg"}, "wiring": "opioid-gate", "pathways": {"habenula": False},
        "perturbations": {"nbqx": 0.5},
    }  # fmt: skip
    view = {"trial.patientsperarm": "33", "trial.population": "mdd", "range": "course", "equations.stage": "spines"}
    page.goto(f"{address}/bench{link({'cases': [case], 'view': view})}&tab=trial")
    page.wait_for_selector("#panel form")
    assert page.locator("#page-message").inner_text() == ""
    assert page.get_by_label("Patients per arm", exact=True).input_value() == "33"
    assert page.get_by_label("Population", exact=True).input_value() == "mdd"
    assert page.locator("#time-range").input_value() == "course"
    assert page.locator("[data-key=variant]").input_value() == "opioid-gate"
    assert page.locator("[data-key='perturbations.nbqx']").input_value() == "0.5"
    page.click("#tab-equations")
    page.wait_for_selector("#panel .equation")
    assert page.locator("#panel select").input_value() == "spines"


BROKEN = [
    "#s=%%%", "#s=bm90IGpzb24", link({"cases": []}) + "&tab=<b>", link({"cases": [{"treatments": [None]}]}),
    link({"cases": [{"treatments": ["placebo IV"], "title": {"a": 1}}]}), link({"cases": [1]}),
]  # fmt: skip


@pytest.mark.parametrize("hash_", BROKEN)
def test_a_broken_link_is_reported_and_the_default_cases_are_shown(page, address, hash_):
    open_workbench(page, address, hash_)
    assert "could not be read" in page.locator("#page-message").inner_text()
    assert page.locator(".case").count() == 2
    assert page.console_errors == []


def test_unreadable_uploads_are_refused_and_a_scenario_file_is_opened(page, address):
    open_workbench(page, address)
    for name, content in (
        ("x.yaml", b"\x00\xff\xfe"),
        ("y.yaml", b"a: &x [*x]"),
        ("z.csv", b"hello"),
        ("big.yaml", b"x" * 250_000),
    ):
        page.evaluate("document.querySelector('#file-error').textContent = ''")
        upload(page, name, content)
        until(page, "document.querySelector('#file-error').textContent.length > 10")
        assert page.locator(".case").count() == 2
    upload(page, "mine.yaml", b"title: Mine\ntreatments:\n  - racemic 1 mg/kg IM\nperson: {weight: 60 kg}\n")
    until(page, "document.querySelectorAll('.case').length === 3")
    assert page.locator(".case header textarea").last.input_value() == "Mine"


def test_a_dose_table_asks_for_the_drug_and_its_subjects_become_cases(page, address):
    open_workbench(page, address)
    upload(page, "doses.csv", b"ID,TIME,AMT,RATE,CMT,EVID\n1,0,35,52.5,1,1\n1,72,35,52.5,1,1\n2,0,50,75,1,1\n")
    page.wait_for_selector("#file-error select")
    assert "no drug is stated" in page.locator("#file-error").inner_text()
    page.get_by_role("button", name="Open", exact=True).click()
    until(page, "document.querySelectorAll('.case').length === 4")
    treatments = [case.locator("[data-key^=treatments]").count() for case in page.locator(".case").all()]
    assert treatments == [1, 1, 1, 1]
    shown = page.locator(".case").nth(2).locator("[data-key='treatments[0]']").input_value()
    assert shown == "racemic ketamine 35 mg IV over 40 min on days 1 and 4"
    assert "CMT by number is 1 IV" in page.locator("#file-error").inner_text()


def test_figures_data_and_reports_can_be_saved(page, address):
    open_workbench(page, address)
    for kind in ("SVG", "PNG"):
        with page.expect_download() as saved:
            page.locator("#panel .figure .save-buttons button", has_text=kind).first.click()
        assert saved.value.suggested_filename.endswith(kind.lower())
        if kind == "SVG":
            text = saved.value.path().read_text(encoding="utf-8")
            assert "not treatment or dosing advice" in text
            assert "class=" not in text, "colours must be in the file"
            assert "Treatment: A: racemic 0.5 mg/kg IV over 40 min. B: esketamine" in text
            assert re.search(r"Source: KetaMech \d", text)
    page.click("#tab-downloads")
    page.wait_for_selector("#panel pre")
    for words, start in (
        ("CSV", b"patient,time_h"),
        ("Parquet", b"PAR1"),
        ("PDF", b"%PDF"),
        ("HTML", b"<!doctype html>"),
    ):
        with page.expect_download() as saved:
            page.locator("#panel button", has_text=re.compile(f"^{words}$")).click()
        assert saved.value.path().read_bytes().startswith(start)
    assert findings(page) == []


@at_both_widths
def test_the_population_is_simulated_again_when_the_dose_changes(page, address):
    open_workbench(page, address)
    page.click("#tab-population")
    page.wait_for_selector("#panel path.band")
    before = page.locator("#panel path.band").first.get_attribute("d")
    set_slider(page, page.locator(".case [data-dose]").first, 0.6)
    until(page, "d => document.querySelector('#panel path.band').getAttribute('d') !== d", arg=before)
    assert page.locator("#panel path.band").count() == 4


def test_a_trial_runs_with_progress_and_can_be_cancelled(page, address):
    open_workbench(page, address)
    page.click("#tab-trial")
    page.get_by_role("spinbutton", name="Patients per arm").fill("12")
    page.get_by_role("spinbutton", name="Replicates", exact=True).fill("2")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .figure-grid figure")
    assert findings(page) == []
    page.get_by_role("spinbutton", name="Patients per arm").fill("200")
    page.get_by_role("spinbutton", name="Replicates", exact=True).fill("100")
    page.get_by_role("button", name="Run the trial").click()
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector("text=Cancelled.")
    page.get_by_role("spinbutton", name="Replicates", exact=True).fill("500")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .error-box")
    assert "virtual patients" in page.locator("#panel .error-box").inner_text()
    assert page.locator(".case").count() == 2


@at_both_widths
def test_a_lost_connection_is_reported_and_recovered(page, address):
    page.route("**/engine/kernel.wasm", lambda route: route.fulfill(status=404, body="{}"))  # the server simulates
    open_story(page, address)
    page.route("**/api/**", lambda route: route.abort())
    set_slider(page, page.locator("#dose [data-dose]"), 0.9)
    page.wait_for_selector(".connection-lost:not([hidden])")
    until(page, "document.querySelectorAll('#dose figure.stale').length === 2")  # curves of the dose before
    assert "Trying again" in page.locator(".connection-lost").inner_text()
    page.unroute("**/api/**")
    page.wait_for_selector(".connection-lost", state="hidden")
    until(page, "document.querySelector('#dose [data-caption]').textContent.includes('ng/mL')")
    until(page, "document.querySelectorAll('#dose figure.stale').length === 0")
    assert "1.8" in page.locator("#time-bar").text_content()  # a phone has no room for the treatment


def test_a_late_response_to_an_earlier_request_does_not_end_the_report_of_a_lost_connection(page, address):
    held = []
    page.route("**/engine/kernel.wasm", lambda route: route.fulfill(status=404, body="{}"))  # the server simulates
    page.route("**/api/published-values", lambda route: held.append(route))
    open_story(page, address)
    until(page, lambda: held)
    page.route("**/api/**", lambda route: route.abort())
    set_slider(page, page.locator("#dose [data-dose]"), 0.9)
    page.wait_for_selector(".connection-lost:not([hidden])")
    page.evaluate(
        """() => {
          window.changesOfReport = 0;
          const report = document.querySelector(".connection-lost");
          new MutationObserver(() => (window.changesOfReport += 1)).observe(report, { attributes: true });
        }"""
    )
    with page.expect_response("**/api/published-values") as late:
        held[0].continue_()
    late.value.finished()
    settle(page)
    assert page.evaluate("window.changesOfReport") == 0
    assert "Trying again" in page.locator(".connection-lost").inner_text()


TABS = [
    ("attribution", "desktop"), ("dose", "phone"), ("equations", "phone"), ("evidence", "phone"),
    ("scorecard", "desktop"),
]  # fmt: skip


@pytest.mark.parametrize(("tab", "width"), TABS, indirect=["width"])
def test_the_other_tabs_open_without_an_accessibility_finding(page, address, tab, width):
    show_few_people(page)
    page.goto(f"{address}/workbench#tab={tab}")
    content = {"attribution": "form", "dose": "path.band", "equations": ".equation"}
    page.wait_for_selector(f"#panel {content.get(tab, 'tbody tr')}")
    assert findings(page) == []
    assert fits_the_width(page)
    assert page.console_errors == []
