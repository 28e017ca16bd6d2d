"""The workbench in a browser: species, perturbations, trials, links, failures, keyboard; and more of the story."""

import json

import pytest
from browser_helpers import (
    LINK_CONTENT,
    LINK_TIME,
    card,
    findings,
    new_page,
    open_story,
    open_workbench,
    press_until,
    until,
)

from ketamech.core import SolverError


def test_species_model_variant_and_perturbation_appear_in_the_command(page, address):
    open_workbench(page, address)
    card(page).locator("summary", has_text="Species and model variant").click()
    card(page).locator("[data-key=variant]").select_option("opioid-gate")
    card(page).locator("[data-key=species]").select_option("rat")
    card(page).locator("[data-key='treatments[0]']").fill("racemic 10 mg/kg IP")
    card(page).locator("summary", has_text="Perturbations").click()
    card(page).get_by_label("Add a perturbation").select_option("NBQX 10 mg/kg IP at -30 min")
    assert card(page).locator(".fraction-fields input").first.is_disabled(), "phrases or constant fractions, not both"
    page.click("#tab-downloads")
    until(page, "document.querySelector('#panel')?.textContent.includes('--species rat')")
    shown = page.locator("#panel pre").all_inner_texts()
    command = "ketamech simulate 'racemic 10 mg/kg IP' --perturb 'NBQX 10 mg/kg IP at -30 min' --species rat --variant"
    assert any(text.startswith(f"{command} opioid-gate") for text in shown)
    assert any("species='rat'" in text for text in shown)
    assert findings(page) == []


def test_an_error_in_a_perturbation_appears_at_its_field(page, address):
    open_workbench(page, address)
    card(page).locator("summary", has_text="Perturbations").click()
    card(page).locator("[data-key=perturbations]").fill("NBQXX 10 mg/kg IP")
    page.wait_for_selector(".case [data-key=perturbations][aria-invalid=true]")
    field = card(page).locator(".field", has_text="Perturbations, one per line")
    assert "nearest: NBQX" in field.locator(".field-error").inner_text()


def test_a_trial_shows_errors_at_its_fields_and_can_be_downloaded(page, address):
    open_workbench(page, address)
    page.click("#tab-trial")
    page.get_by_label("Visit days").fill("0, 4000")
    page.get_by_label("Patients per arm", exact=True).fill("6")
    page.get_by_role("spinbutton", name="Replicates", exact=True).fill("2")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .field [aria-invalid=true]")
    assert "days from 1 to 730" in page.locator("#panel .field .field-error:not(:empty)").inner_text()
    page.get_by_label("Visit days").fill("1, 7, 28")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .figure-grid figure")
    assert page.locator("#panel [aria-invalid=true]").count() == 0
    assert "drop-out" in page.get_by_role("region", name="Arms, 2 trials").inner_text()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save: Trial file").click()
    assert saved.value.path().read_text(encoding="utf-8").startswith("title: ")
    with page.expect_download() as saved:
        page.locator("#panel figure").first.get_by_role("button", name="as CSV").click()
    assert saved.value.path().read_text(encoding="utf-8").startswith("what,days,value,low,high,unit\n")


def test_a_link_holds_the_settings_of_the_tabs_and_the_selected_time(page, address, browser):
    open_workbench(page, address)
    page.click("#tab-population")
    page.locator("#panel select").first.select_option("plasma")
    page.focus("#time-slider")
    page.keyboard.press("End")
    page.click("#tab-trial")
    page.get_by_label("Patients per arm", exact=True).fill("33")
    page.keyboard.press("Tab")
    until(page, f"{LINK_CONTENT}.includes('33') && {LINK_TIME} > 700")  # 30 days, in hours
    other = new_page(browser, 900, 800)
    other.goto(page.url)
    other.wait_for_selector("#panel form")
    assert other.get_by_label("Patients per arm", exact=True).input_value() == "33"
    assert "30 days" in other.locator("#time-bar .selected-time").inner_text()
    other.click("#tab-population")
    assert other.locator("#panel select").first.input_value() == "plasma"
    other.context.close()


def test_a_failed_job_keeps_the_case_and_offers_a_failure_report(page, address, monkeypatch):
    import ketamech.app.trial_tasks as work

    def fails(*_):
        raise SolverError("the trial could not be solved")

    monkeypatch.setattr(work, "run_planned_trial", fails)
    open_workbench(page, address)
    card(page).locator("[data-key='treatments[0]']").fill("esketamine 56 mg nasal")
    page.click("#tab-trial")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .error-box")
    assert "the trial could not be solved" in page.locator("#panel .error-box").inner_text()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save failure report").click()
    report = json.loads(saved.value.path().read_text(encoding="utf-8"))
    assert "esketamine 56 mg nasal" in report["request"]["arms"].values()
    assert report["error"]["kind"] == "SolverError"
    assert card(page).locator("[data-key='treatments[0]']").input_value() == "esketamine 56 mg nasal"


def test_a_job_that_the_server_no_longer_knows_is_reported(page, address):
    open_workbench(page, address)
    page.route("**/api/jobs/*/events", lambda route: route.fulfill(status=404, body="{}"))
    page.click("#tab-trial")
    page.get_by_label("Patients per arm", exact=True).fill("2")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .error-box")
    assert "no longer knows this job" in page.locator("#panel .error-box").inner_text()
    assert page.get_by_role("button", name="Run the trial").is_enabled()


def test_tabs_recover_from_a_lost_connection(page, address):
    open_workbench(page, address)
    page.route("**/api/**", lambda route: route.abort())
    page.click("#tab-equations")
    page.wait_for_selector("#panel .error-box")
    assert "does not respond" in page.locator("#panel .error-box").inner_text()
    page.wait_for_selector(".connection-lost:not([hidden])")
    page.unroute("**/api/**")
    page.wait_for_selector("#panel .equation")
    page.wait_for_selector(".connection-lost", state="hidden")


def test_a_case_is_edited_and_downloaded_by_keyboard_alone(page, address):
    open_workbench(page, address)
    here = "document.activeElement"
    press_until(page, "Tab", f"{here}.dataset.key === 'treatments[0]'")
    page.keyboard.press("Control+A")
    page.keyboard.type("racemic 1 mg/kg IM")
    press_until(page, "Tab", f"{here}.matches('[data-dose]')")
    page.keyboard.press("ArrowRight")
    assert "1.04 mg/kg" in card(page).locator("output").inner_text()
    press_until(page, "Tab", f"{here}.role === 'tab'", most=200)
    page.keyboard.press("End")
    page.wait_for_selector("#panel pre")
    assert page.locator("#tab-downloads").get_attribute("aria-selected") == "true"
    press_until(page, "Tab", f"{here}.textContent === 'CSV'")
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    assert saved.value.path().read_bytes().startswith(b"patient,time_h")


def test_tab_leads_past_the_published_points_of_a_figure(page, address):
    """A point says beside it what it is while it has the focus; neither takes the focus away."""
    open_workbench(page, address)
    page.wait_for_selector("#panel .published-point")
    page.wait_for_load_state("networkidle")
    page.locator("#panel figure").first.locator(".save-buttons button").last.focus()
    names = []
    in_point = "document.activeElement.matches('.published-point')"
    for _ in range(60):
        page.keyboard.press("Tab")
        if not page.evaluate(in_point):
            break
        names.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
        note = page.locator("#panel .point-note").first
        assert note.inner_text() == names[-1]
        mark = page.evaluate("document.activeElement.querySelector('.hit').getBoundingClientRect().bottom")
        assert abs(note.bounding_box()["y"] - mark) < 20, "beside its point"
    assert len(names) == page.locator("#panel figure").first.locator(".published-point").count() > 1
    assert page.evaluate("document.activeElement.matches('#panel figure summary')"), "the table comes next"


def test_the_dose_is_set_and_a_badge_opened_by_keyboard_alone(story):
    story.wait_for_selector("#dose .claim.supported")
    here = "document.activeElement"
    press_until(story, "Tab", f"{here}.classList.contains('claim')")
    story.keyboard.press("Enter")
    story.wait_for_selector("dialog[open] .evidence-list")
    story.keyboard.press("Escape")
    press_until(story, "Tab", f"{here}.matches('#dose [data-dose]')", most=300)
    story.keyboard.press("End")
    assert "2 mg/kg" in story.locator("#time-bar").inner_text()


def test_simulating_a_rat_shows_the_points_measured_in_rats(story):
    story.locator("#signalling").scroll_into_view_if_needed()
    until(story, "document.querySelectorAll('#signalling path.curve').length > 3")
    assert story.locator("#signalling .point").count() == 0
    story.locator("#signalling [data-rat]").check()
    until(story, "document.querySelectorAll('#signalling .point').length > 10")
    assert "in a rat" in story.locator("#time-bar").inner_text()
    assert "does not apply to a rat" in story.locator("#pathways .empty-state").first.inner_text()


def test_published_means_of_the_compared_treatments_are_shown(page, address):
    open_story(page, address)
    page.locator("#comparison").scroll_into_view_if_needed()
    until(page, "document.querySelectorAll('#comparison .published.stroke-3').length > 0")  # those of ECT
    page.locator("#comparison label", has_text="ECT").click()
    until(page, "document.querySelectorAll('#comparison .published.stroke-3').length === 0")
    until(page, "location.hash.includes('without=ect')")
    address_of_choice = page.url
    page.goto("about:blank")
    page.goto(address_of_choice)
    page.locator("#comparison").scroll_into_view_if_needed()
    until(page, "document.querySelectorAll('#comparison .published').length > 0")
    assert not page.locator("#comparison label", has_text="ECT").locator("input").is_checked()
    assert page.locator("#comparison .published.stroke-3").count() == 0


def test_bands_of_people_are_shown_on_the_time_courses_and_kept_in_the_link(page, address):
    open_workbench(page, address)
    page.get_by_label("Add an output").fill("plasticity.bdnf")
    page.get_by_label("Add an output").press("Enter")
    card(page, 1).get_by_role("button", name="Remove case B").click()
    page.locator("#curves-people").check()
    in_every = "[...document.querySelectorAll('#panel figure')].filter((one) => !one.hidden)"
    until(page, f"{in_every}.every((one) => one.querySelectorAll('path.band').length === 2)")
    assert "5th to 95th percentile" in page.locator("#panel figure").first.inner_text()
    until(page, f"{LINK_CONTENT}.includes('curves.people')")
    address_with_people = page.url
    page.goto("about:blank")
    page.goto(address_with_people)
    page.wait_for_selector("#panel path.band")
    assert page.locator("#curves-people").is_checked()
    page.locator("#curves-people").uncheck()
    until(page, "document.querySelector('#panel path.band') === null")


def test_every_chapter_has_controls_of_dose_route_drug_and_pathways(story):
    story.evaluate("document.querySelectorAll('.dose-panel .more-controls').forEach((box) => { box.open = true; })")
    until(story, "document.querySelectorAll('.dose-panel .more-controls[open] input').length > 50")
    wanted = ["[data-dose]", "[aria-label='Route']", "[aria-label='Drug']", "[data-toggle=habenula]"]
    missing = story.evaluate(
        "all => [...document.querySelectorAll('[data-chapter]:has(.dose-panel)')].flatMap((part) => all"
        ".filter((one) => !part.querySelector(one)).map((one) => `${part.id}: ${one}`))", wanted,
    )  # fmt: skip
    assert missing == []
    story.evaluate("document.querySelectorAll('.dose-panel .more-controls').forEach((box) => { box.open = false; })")


@pytest.mark.parametrize("width", ["phone"], indirect=True)
def test_printed_pages_are_light_and_without_controls(page, address):
    page.emulate_media(color_scheme="dark", media="print")
    open_story(page, address)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("#time-bar").is_visible()
    assert not page.locator("#dose .dose-panel").is_visible()
    assert page.locator("#dose figure > svg").first.is_visible()


def test_a_linear_time_range_is_chosen_and_kept_in_the_link(page, address, browser):
    open_workbench(page, address)
    page.select_option("#time-range", "course")
    until(page, "document.querySelector('#panel figure > svg').textContent.includes('12 weeks')")
    page.focus("#time-slider")
    page.keyboard.press("End")
    assert "84 days" in page.locator("#time-bar .selected-time").inner_text()
    until(page, f"{LINK_CONTENT}.includes('course') && {LINK_TIME} > 2000")  # 84 days, in hours
    other = new_page(browser, 900, 800)
    other.goto(page.url)
    other.wait_for_selector("#panel path.curve")
    assert other.locator("#time-range").input_value() == "course"
    assert "84 days" in other.locator("#time-bar .selected-time").inner_text()
    other.context.close()


def test_links_of_the_former_address_open_the_workbench(page, address):
    page.goto(f"{address}/bench#tab=evidence")
    page.wait_for_selector("#panel tbody tr")
    assert page.url.startswith(f"{address}/workbench#")
    assert page.locator("#tab-evidence").get_attribute("aria-selected") == "true"


def test_text_fields_take_500_characters_and_titles_200(page, address):
    open_workbench(page, address)
    longest = page.evaluate("[...document.querySelectorAll('textarea')].map((one) => one.maxLength)")
    assert set(longest) == {200, 500}
    assert page.evaluate(
        "[...document.querySelectorAll('.case header textarea')].every((one) => one.maxLength === 200)"
    )
    short = page.evaluate(
        "[...document.querySelectorAll('input')].filter((one) => ['text', 'search'].includes(one.type))"
        ".map((one) => one.maxLength)"
    )
    assert all(0 < limit <= 500 for limit in short)


def test_pathway_contributions_are_drawn_in_the_colours_of_the_table(page, address):
    from ketamech.analysis.attribution_text import load_components, load_pathways

    open_story(page, f"{address}/#&read=student")
    page.locator("#pathways").scroll_into_view_if_needed()
    until(page, f"document.querySelectorAll('#pathways table:has(rect) tbody tr').length === {len(load_pathways())}")
    bars = page.evaluate(
        "[...document.querySelectorAll('#pathways table:has(rect) tbody rect')].map((one) => one.getAttribute('fill'))"
    )
    assert set(bars) == {row.colour for row in load_pathways().values()}
    times = page.locator("#pathways table:has(rect) thead th").all_inner_texts()
    assert times == ["pathway off", "1 h", "1 day", "3 days", "7 days"]
    assert "by the felt effects" in page.locator("#pathways table:has(rect) caption").inner_text()
    page.get_by_role("button", name="Attribute").click()
    cancel, drawn = (
        "document.querySelector('#pathways .job-progress button')",
        "document.querySelector('#pathways path.band')",
    )
    until(page, f"{cancel} || {drawn}")
    page.evaluate(f"{cancel}?.click()")  # in one step: the job may end between looking and a click of the mouse
    until(page, f"document.querySelector('#pathways').textContent.includes('Cancelled.') || {drawn}")
    page.get_by_role("button", name="Attribute").click()
    until(page, "document.querySelectorAll('#pathways path.band').length > 3")
    fills = page.evaluate(
        "[...document.querySelectorAll('#pathways path.band')].map((one) => one.getAttribute('fill'))"
    )
    assert {fill for fill in fills if fill} <= {row.colour for row in load_components().values()}
    assert "Lateral habenula" in page.locator("#pathways .legend").last.inner_text()
    assert findings(page) == []


def test_a_page_that_does_not_exist_leads_back_to_the_story(page, address):
    response = page.goto(f"{address}/no/such/page")
    assert response.status == 404
    assert "Page not found" in page.locator("h1").inner_text()
    assert findings(page) == []
    page.get_by_role("link", name="story", exact=True).click()
    page.wait_for_selector("#dose path.curve")
