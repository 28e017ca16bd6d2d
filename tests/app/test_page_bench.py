"""The bench as a trial designer uses it: whom and how, trials at their fields, links, failures, keyboard, paper."""

import json

import pytest
from walking import HELD, bench, serious, story, until

from ketamech.core import SolveFailed


def case(page, number=0):
    return page.locator(".case").nth(number)


def test_a_rat_a_wiring_and_what_is_done_beside_are_chosen_and_said_as_a_command(page, address):
    bench(page, address)
    case(page).locator("summary", has_text="Species and wiring").click()
    case(page).locator("[data-key=wiring]").select_option("opioid-gate")
    case(page).locator("[data-key=species]").select_option("rat")
    case(page).locator("[data-key='treatments[0]']").fill("racemic 10 mg/kg IP")
    case(page).locator("summary", has_text="Blocked or added").click()
    case(page).get_by_label("Add what is done beside").select_option("NBQX 10 mg/kg IP at -30 min")
    assert case(page).locator(".shares input").first.is_disabled(), "phrases or shares, not both"
    page.click("#tab-take")
    until(page, "document.querySelector('#panel')?.textContent.includes('--species rat')")
    shown = page.locator("#panel pre").all_inner_texts()
    said = "ketamech simulate 'racemic 10 mg/kg IP' --with 'NBQX 10 mg/kg IP at -30 min' --species rat --wiring"
    assert any(text.startswith(f"{said} opioid-gate") for text in shown)
    assert any("species='rat'" in text for text in shown)
    assert serious(page) == []


def test_what_cannot_be_done_beside_is_complained_about_at_its_field(page, address):
    bench(page, address)
    case(page).locator("summary", has_text="Blocked or added").click()
    case(page).locator("[data-key=perturbations]").fill("NBQXX 10 mg/kg IP")
    page.wait_for_selector(".case [data-key=perturbations][aria-invalid=true]")
    assert "nearest: NBQX" in case(page).locator(".field", has_text="Done beside").locator(".complaint").inner_text()


def test_a_trial_complains_at_its_field_runs_and_is_taken_away(page, address):
    bench(page, address)
    page.click("#tab-trial")
    page.get_by_label("Visit days").fill("0, 4000")
    page.get_by_label("Patients an arm").fill("6")
    page.get_by_role("spinbutton", name="Trials", exact=True).fill("2")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .field [aria-invalid=true]")
    assert "days from 1 to 730" in page.locator("#panel .field .complaint:not(:empty)").inner_text()
    page.get_by_label("Visit days").fill("1, 7, 28")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .many figure", timeout=60_000)
    assert page.locator("#panel [aria-invalid=true]").count() == 0
    assert "left early" in page.locator("#panel table").first.inner_text()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save: Trial file").click()
    assert saved.value.path().read_text(encoding="utf-8").startswith("title: ")
    with page.expect_download() as saved:
        page.locator("#panel figure").first.get_by_role("button", name="as CSV").click()
    assert saved.value.path().read_text(encoding="utf-8").startswith("what,days,value,low,high,unit\n")


def test_a_link_carries_what_is_looked_at(page, address, browser):
    bench(page, address)
    page.click("#tab-people")
    page.locator("#panel select").first.select_option("plasma")
    page.focus("#clock")
    page.keyboard.press("End")
    page.click("#tab-trial")
    page.get_by_label("Patients an arm").fill("33")
    page.keyboard.press("Tab")
    until(page, f"{HELD}.includes('33')")
    other = browser.new_context(viewport={"width": 900, "height": 800}).new_page()
    other.goto(page.url)
    other.wait_for_selector("#panel form")
    assert other.get_by_label("Patients an arm").input_value() == "33"
    assert "30 days" in other.locator("#dock .when").inner_text()
    other.click("#tab-people")
    assert other.locator("#panel select").first.input_value() == "plasma"
    other.context.close()


def test_a_failed_job_keeps_the_case_and_offers_the_report_of_what_failed(page, address, monkeypatch):
    import ketamech.app.long_work as work

    def fails(*_):
        raise SolveFailed("the trial could not be solved")

    monkeypatch.setattr(work, "_trial", fails)
    bench(page, address)
    case(page).locator("[data-key='treatments[0]']").fill("esketamine 56 mg nasal")
    page.click("#tab-trial")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .trouble")
    assert "the trial could not be solved" in page.locator("#panel .trouble").inner_text()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the report of what failed").click()
    report = json.loads(saved.value.path().read_text(encoding="utf-8"))
    assert "esketamine 56 mg nasal" in report["asked"]["arms"].values()
    assert report["problem"]["kind"] == "SolveFailed"
    assert case(page).locator("[data-key='treatments[0]']").input_value() == "esketamine 56 mg nasal"


def test_a_program_started_anew_meanwhile_is_said(page, address):
    bench(page, address)
    page.route("**/api/jobs/*/events", lambda route: route.fulfill(status=404, body="{}"))
    page.click("#tab-trial")
    page.get_by_label("Patients an arm").fill("2")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .trouble")
    assert "no longer knows this job" in page.locator("#panel .trouble").inner_text()
    assert page.get_by_role("button", name="Run the trial").is_enabled()


def test_tabs_recover_from_a_lost_connection(page, address):
    bench(page, address)
    page.route("**/api/**", lambda route: route.abort())
    page.click("#tab-model")
    page.wait_for_selector("#panel .trouble")
    assert "does not answer" in page.locator("#panel .trouble").inner_text()
    page.wait_for_selector(".lost:not([hidden])")
    page.unroute("**/api/**")
    page.wait_for_selector("#panel .equation", timeout=30_000)
    page.wait_for_selector(".lost", state="hidden")


def press_until(page, key, found, most=120):
    """Press a key until something has the focus."""
    for _ in range(most):
        if page.evaluate(f"Boolean({found})"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} never reached {found}")


def test_a_case_is_changed_looked_at_and_taken_away_by_keyboard_alone(page, address):
    bench(page, address)
    here = "document.activeElement"
    press_until(page, "Tab", f"{here}.dataset.key === 'treatments[0]'")
    page.keyboard.press("Control+A")
    page.keyboard.type("racemic 1 mg/kg IM")
    press_until(page, "Tab", f"{here}.matches('[data-dose]')")
    page.keyboard.press("ArrowRight")
    assert "1.04 mg/kg" in case(page).locator("output").inner_text()
    press_until(page, "Tab", f"{here}.role === 'tab'", most=200)
    page.keyboard.press("End")
    page.wait_for_selector("#panel pre")
    assert page.locator("#tab-take").get_attribute("aria-selected") == "true"
    press_until(page, "Tab", f"{here}.textContent === 'CSV'")
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    assert saved.value.path().read_bytes().startswith(b"patient,time_h")


def test_a_dose_is_pushed_and_a_badge_opened_by_keyboard_alone(page, address):
    story(page, address)
    page.wait_for_selector("#dose .badge.supported")
    here = "document.activeElement"
    press_until(page, "Tab", f"{here}.classList.contains('badge')")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open] .papers")
    page.keyboard.press("Escape")
    press_until(page, "Tab", f"{here}.matches('#dose [data-dose]')")
    page.keyboard.press("End")
    assert "2 mg/kg" in page.locator("#dock").inner_text()


def test_following_a_rat_brings_what_was_measured_in_rats(page, address):
    story(page, address)
    page.locator("#growth").scroll_into_view_if_needed()
    until(page, "document.querySelectorAll('#growth path.curve').length > 3")
    assert page.locator("#growth .point").count() == 0
    page.locator("#growth [data-animal]").check()
    until(page, "document.querySelectorAll('#growth .point').length > 10")
    assert "into a rat" in page.locator("#dock").inner_text()
    assert "no MADRS score" in page.locator("#ways .nothing").first.inner_text()


def test_published_means_stand_beside_the_other_treatments(page, address):
    story(page, address)
    page.locator("#beside").scroll_into_view_if_needed()
    until(page, "document.querySelectorAll('#beside .published.s3').length > 0")  # those of ECT
    page.locator("#beside label", has_text="ECT").click()
    until(page, "document.querySelectorAll('#beside .published.s3').length === 0")


def test_every_chapter_lets_dose_route_drug_and_pathways_be_pushed(page, address):
    story(page, address)
    page.evaluate("document.querySelectorAll('.push .more').forEach((box) => { box.open = true; })")
    until(page, "document.querySelectorAll('.push .more[open] input').length > 50")
    wanted = ["[data-dose]", "[aria-label='How it is given']", "[aria-label='Drug']", "[data-toggle=habenula]"]
    missing = page.evaluate(
        "all => [...document.querySelectorAll('[data-chapter]')].flatMap((part) => all.filter((one) => "
        "!part.querySelector(one)).map((one) => `${part.id}: ${one}`))", wanted,
    )  # fmt: skip
    assert missing == []


@pytest.mark.parametrize("width", ["phone"], indirect=True)
def test_on_paper_the_pages_are_light_and_without_controls(page, address):
    page.emulate_media(color_scheme="dark", media="print")
    story(page, address)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("#dock").is_visible()
    assert not page.locator("#dose .push").is_visible()
    assert page.locator("#dose figure > svg").first.is_visible()


def test_a_long_course_is_looked_at_on_an_even_clock_and_the_link_carries_it(page, address, browser):
    bench(page, address)
    page.select_option("#span", "course")
    until(page, "document.querySelector('#panel figure > svg').textContent.includes('12 weeks')")
    page.focus("#clock")
    page.keyboard.press("End")
    assert "84 days" in page.locator("#dock .when").inner_text()
    until(page, f"{HELD}.includes('course')")
    other = browser.new_context(viewport={"width": 900, "height": 800}).new_page()
    other.goto(page.url)
    other.wait_for_selector("#panel path.curve")
    assert other.locator("#span").input_value() == "course"
    assert "84 days" in other.locator("#dock .when").inner_text()
    other.context.close()
