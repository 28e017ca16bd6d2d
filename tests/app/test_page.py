"""A person walks through both pages, at a phone's and at a desk's width: moves, breaks, uploads, saves, shares."""

import base64
import json
import re
from pathlib import Path

import pytest
from walking import CHAPTERS, HELD, at_both_widths, bench, no_sideways, serious, set_slider, story, until, upload


@at_both_widths
def test_the_story_is_walked_from_the_first_to_the_last_chapter(page, address):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    story(page, address)
    for name in CHAPTERS:
        page.locator(f"#{name}").scroll_into_view_if_needed()
        page.wait_for_selector(f"#{name} figure path.curve, #{name} tbody tr", timeout=20_000)
        until(page, f"document.querySelector('#{name} .now').textContent.length > 20")
    assert no_sideways(page)
    assert all(url.startswith((address, "data:", "blob:")) for url in asked), "a third party was asked"
    assert serious(page) == []
    assert page.complaints == []


def test_a_slider_moves_the_curves_and_start_over_brings_them_back(page, address):
    story(page, address)
    before = page.locator("#dose .now").inner_text()
    set_slider(page, page.locator("#dose [data-dose]"), 1.0)
    until(page, "t => document.querySelector('#dose .now').textContent !== t", arg=before)
    assert "2 mg/kg" in page.locator("#dock").inner_text()
    until(page, "document.querySelectorAll('#dose figure > svg path.before').length === 1")
    page.click("#reset")
    until(page, "t => document.querySelector('#dose .now').textContent === t", arg=before)


def test_blocking_ampa_takes_most_of_the_mood_effect_away(page, address):
    story(page, address)
    page.locator("#feeling").scroll_into_view_if_needed()
    until(page, "document.querySelector('#feeling .now').textContent.includes('lowest')")
    lowest = lambda: float(re.search(r"lowest, ([\d.]+)", page.locator("#feeling .now").inner_text())[1])  # noqa: E731
    usual = lowest()
    page.locator("#glutamate [data-toggle=nbqx]").check()
    until(page, "u => !document.querySelector('#feeling .now').textContent.includes('lowest, ' + u)", arg=usual)
    assert lowest() > usual + 4


def test_the_clock_runs_by_keyboard_through_every_figure(page, address):
    story(page, address)
    page.focus("#clock")
    before = page.locator("#dose .keys").first.inner_text()
    page.keyboard.press("End")
    assert "30 days" in page.locator("#dock .when").inner_text()
    assert page.locator("#dose .keys").first.inner_text() != before
    page.keyboard.press("Home")
    assert "1 minute" in page.locator("#dock .when").inner_text()


@at_both_widths
def test_a_badge_opens_its_evidence_with_papers_and_gives_the_focus_back(page, address):
    story(page, address)
    page.wait_for_selector("#feeling .badge")
    badge = page.locator("#feeling [data-claim=esketamine-no-dissociation]")
    badge.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open] .papers a")
    assert page.locator("dialog .papers li").count() > 1
    assert serious(page) == []
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert badge.evaluate("e => e === document.activeElement")


def test_every_figure_has_a_table_behind_it(page, address):
    story(page, address)
    details = page.locator("#dose .fig details").first
    details.locator("summary").focus()
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('#dose .fig details tbody tr').length > 6")
    assert "24 h" in details.inner_text()


def test_dark_is_readable_too_and_is_remembered(page, address):
    bench(page, address)
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") in ("dark", "light")
    chosen = page.evaluate("document.documentElement.dataset.theme")
    assert serious(page) == []
    page.reload()
    page.wait_for_selector("#panel path.curve", timeout=20_000)
    assert page.evaluate("document.documentElement.dataset.theme") == chosen


@at_both_widths
def test_an_impossible_treatment_is_complained_about_at_its_field_and_mended(page, address):
    bench(page, address)
    field = page.locator("[data-key='treatments[0]']").first
    field.fill("racemc 0.5 mg/kg IV over 40 min")
    page.wait_for_selector(".case [aria-invalid=true]")
    said = page.locator(".treatment .complaint").first.inner_text()
    assert "'racemc' (character 1) is not a treatment that is known" in said
    assert "nearest: racemic" in said
    assert page.locator(f"#{field.get_attribute('aria-describedby')}").count() == 1
    assert serious(page) == []
    field.fill("ketamine 0.5mg/kg i.v. 40min BIW x2w")
    page.wait_for_selector(".case [aria-invalid=true]", state="detached")
    until(page, "document.querySelector('.case .understood').textContent.includes('twice weekly')")
    said = page.locator(".case .understood").first.inner_text()
    assert said == "Understood: racemic ketamine 0.5 mg/kg IV over 40 min twice weekly for 2 weeks."


def test_a_case_is_shared_as_a_link_and_opened_again(page, address, browser):
    bench(page, address)
    page.locator("[data-key='treatments[0]']").first.fill("esketamine 0.3 mg/kg IV over 40 min")
    page.locator(".case").first.locator("summary", has_text="Pathways").click()
    page.locator("[data-key='pathways.habenula']").first.uncheck()
    page.click("#tab-people")
    until(page, "location.hash.includes('tab=people')")
    until(page, f"{HELD}.includes('habenula') && {HELD}.includes('esketamine 0.3')")
    link = page.url
    other = browser.new_context(viewport={"width": 900, "height": 800}).new_page()
    other.goto(link)
    other.wait_for_selector("#panel path.area", timeout=20_000)
    assert other.locator("[data-key='treatments[0]']").first.input_value() == "esketamine 0.3 mg/kg IV over 40 min"
    assert not other.locator("[data-key='pathways.habenula']").first.is_checked()
    assert other.locator("#tab-people").get_attribute("aria-selected") == "true"
    other.context.close()


def link(held):
    return "#s=" + base64.urlsafe_b64encode(json.dumps(held).encode()).decode().rstrip("=")


BROKEN = [
    "#s=%%%", "#s=bm90IGpzb24", link({"cases": []}) + "&tab=<b>", link({"cases": [{"treatments": [None]}]}),
    link({"cases": [{"treatments": ["placebo IV"], "title": {"a": 1}}]}), link({"cases": [1]}),
]  # fmt: skip


@pytest.mark.parametrize("hash_", BROKEN)
def test_a_broken_link_is_said_and_the_bench_starts_as_usual(page, address, hash_):
    bench(page, address, hash_)
    assert "could not be read" in page.locator("#notice").inner_text()
    assert page.locator(".case").count() == 2
    assert page.complaints == []


def test_rubbish_uploads_are_refused_and_a_scenario_is_opened(page, address):
    bench(page, address)
    for name, content in (
        ("x.yaml", b"\x00\xff\xfe"),
        ("y.yaml", b"a: &x [*x]"),
        ("z.csv", b"hello"),
        ("big.yaml", b"x" * 250_000),
    ):
        page.evaluate("document.querySelector('#file-complaint').textContent = ''")
        upload(page, name, content)
        until(page, "document.querySelector('#file-complaint').textContent.length > 10")
        assert page.locator(".case").count() == 2
    upload(page, "mine.yaml", b"title: Mine\ntreatments:\n  - racemic 1 mg/kg IM\nperson: {weight: 60 kg}\n")
    until(page, "document.querySelectorAll('.case').length === 3")
    assert page.locator(".case header input").last.input_value() == "Mine"


def test_a_dose_table_asks_which_drug_and_its_people_become_cases(page, address):
    bench(page, address)
    upload(page, "doses.csv", b"ID,TIME,AMT,RATE,CMT,EVID\n1,0,35,52.5,1,1\n1,72,35,52.5,1,1\n2,0,50,75,1,1\n")
    page.wait_for_selector("#file-complaint select")
    assert "which drug is given?" in page.locator("#file-complaint").inner_text()
    page.get_by_role("button", name="Open", exact=True).click()
    until(page, "document.querySelectorAll('.case').length === 4")
    treatments = [case.locator("[data-key^=treatments]").count() for case in page.locator(".case").all()]
    assert treatments == [1, 1, 1, 1]
    typed = page.locator(".case").nth(2).locator("[data-key='treatments[0]']").input_value()
    assert typed == "racemic ketamine 35 mg IV over 40 min on days 1 and 4"
    assert "CMT by number is 1 IV" in page.locator("#file-complaint").inner_text()


def test_everything_can_be_saved(page, address):
    bench(page, address)
    for kind in ("SVG", "PNG"):
        with page.expect_download() as saved:
            page.locator("#panel .fig .tools button", has_text=kind).first.click()
        assert saved.value.suggested_filename.endswith(kind.lower())
        if kind == "SVG":
            text = saved.value.path().read_text(encoding="utf-8")
            assert "not treatment or dosing advice" in text
            assert "class=" not in text, "colours must be in the file"
    page.click("#tab-take")
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
    assert serious(page) == []


@at_both_widths
def test_a_thousand_people_follow_the_slider(page, address):
    bench(page, address)
    page.click("#tab-people")
    page.wait_for_selector("#panel path.area", timeout=20_000)
    before = page.locator("#panel path.area").first.get_attribute("d")
    set_slider(page, page.locator(".case [data-dose]").first, 0.6)
    until(page, "d => document.querySelector('#panel path.area').getAttribute('d') !== d", arg=before)
    assert page.locator("#panel path.area").count() == 4


def test_a_trial_runs_with_progress_and_can_be_cancelled(page, address):
    bench(page, address)
    page.click("#tab-trial")
    page.get_by_role("spinbutton", name="Patients an arm").fill("12")
    page.get_by_role("spinbutton", name="Trials", exact=True).fill("2")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .many figure", timeout=60_000)
    assert serious(page) == []
    page.get_by_role("spinbutton", name="Patients an arm").fill("300")
    page.get_by_role("spinbutton", name="Trials", exact=True).fill("100")
    page.get_by_role("button", name="Run the trial").click()
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector("text=Cancelled.", timeout=30_000)
    page.get_by_role("spinbutton", name="Trials", exact=True).fill("500")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .trouble")
    assert "virtual patients" in page.locator("#panel .trouble").inner_text()
    assert page.locator(".case").count() == 2


@at_both_widths
def test_a_lost_connection_is_said_and_recovered_from(page, address):
    story(page, address)
    page.route("**/api/**", lambda route: route.abort())
    set_slider(page, page.locator("#dose [data-dose]"), 0.9)
    page.wait_for_selector(".lost:not([hidden])")
    assert "Trying again" in page.locator(".lost").inner_text()
    page.unroute("**/api/**")
    page.wait_for_selector(".lost", state="hidden", timeout=15_000)
    until(page, "document.querySelector('#dose .now').textContent.includes('ng/mL')")
    assert "1.8" in page.locator("#dock").inner_text()


TABS = [("ways", "desktop"), ("model", "phone"), ("evidence", "phone"), ("scorecard", "desktop")]


@pytest.mark.parametrize(("tab", "width"), TABS, indirect=["width"])
def test_the_other_tabs_open_without_a_finding(page, address, tab, width):
    page.goto(f"{address}/bench#tab={tab}")
    shown = {"ways": "form, #panel .nothing", "model": ".equation", "evidence": "tbody tr", "scorecard": "tbody tr"}
    page.wait_for_selector(f"#panel {shown[tab]}", timeout=120_000)
    assert serious(page) == []
    assert no_sideways(page)
    assert page.complaints == []


def test_presets_can_all_be_computed(client):
    import ketamech.app

    text = (Path(ketamech.app.__file__).parent / "static" / "js" / "presets.js").read_text(encoding="utf-8")
    body = (
        text[text.index("PRESETS = [") + 10 : text.rindex("]") + 1]
        .replace("person }", 'person: {"weight": "70 kg"} }')
        .replace("person,", 'person: {"weight": "70 kg"},')
    )
    presets = json.loads(re.sub(r",\s*]", "]", re.sub(r"([{,]\s*)(\w+):", r'\1"\2":', body)))
    assert len(presets) > 10
    for preset in presets:
        answer = client.post("/api/curves", json={"scenario": preset, "lanes": ["mood"]})
        assert answer.status_code == 200, (preset["title"], answer.json())
