"""The trial desk, the drawing of the chain, evidence in pages, and the teacher's sheet in a browser."""

import json

import pytest
from browser_helpers import LINK_CONTENT, findings, fits_the_width, open_story, open_workbench, until

from ketamech.analysis.exercises import load_exercises

BAR_NOTE = "getComputedStyle(document.querySelector('#time-bar'), '::after').content"
ARM = "esketamine 56 mg nasal on day 1, then 56 to 84 mg by response and tolerability on days 4, 8"


def run_small_trial(page):
    page.locator("[data-key='treatments[0]']").nth(1).fill("esketamine 84 mg nasal twice weekly for 4 weeks")
    page.click("#tab-trial")
    page.get_by_label("Patients per arm", exact=True).fill("8")
    page.get_by_role("spinbutton", name="Replicates", exact=True).fill("2")
    page.get_by_label("Visit days").fill("1, 7")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .findings")


def test_a_run_begins_with_its_difference_is_stored_compared_and_exported(page, address):
    open_workbench(page, address)
    run_small_trial(page)
    first = page.locator("#panel .findings .finding").first.inner_text()
    assert "points lower on" in first or "points higher on" in first
    assert "than on placebo" in first
    assert "MADRS at 7 d" in first, "the last visit, because one arm has repeated doses"
    text = page.locator("#panel .findings").inner_text()
    sentences = text.count("the chance to miss them is ") + text.count("that the difference of the model is missed")
    assert sentences == text.count("points lower on"), "one for each arm that is better"
    figure = page.locator("#panel figure").first
    assert figure.locator("h3").inner_text().startswith("Day 7 – ")
    notes = page.locator("#panel").inner_text()
    assert "Response: MADRS falls by at least 50 % of baseline." in notes
    assert "regression to the mean" in notes.split("Patients enter by the scores of the population")[1].split("\n")[0]
    visits = page.get_by_role("region", name="MADRS at every visit").locator("thead th").all_inner_texts()
    assert visits == ["arm", "Day 1", "Day 7"]
    assert {"1", "7"} <= set(figure.locator("svg text").all_text_contents()), "the axis has the days of the visits"
    assert "follow the selected time" in page.evaluate(BAR_NOTE)
    figure.locator("summary").click()
    first_visit = figure.locator("table tr").nth(1).locator("td")
    assert [first_visit.nth(i).inner_text() for i in (0, 2)] == ["0", "–"], "no interval of a change at baseline"
    captions = page.locator("#panel [role=region]").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert any("compared with" in text and "adjusted for baseline" in text for text in captions)
    for name in ("Small", "Again"):
        page.get_by_label("Name of this run").fill(name)
        page.get_by_role("button", name="Store this run").click()
        until(page, "n => document.querySelector('#panel .runs')?.textContent.includes(n)", arg=name)
        page.locator(".jobs").evaluate("one => { one.open = true }")
        page.evaluate("document.querySelector('#panel .findings').classList.add('before')")
        page.get_by_role("button", name="Show Trial:").first.click()  # the result of the job again
        page.wait_for_selector("#panel .findings:not(.before)")
    assert page.locator("#panel .runs thead").first.locator("th").all_inner_texts()[1:] == ["Small", "Again"]
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the comparison as CSV").click()
    assert saved.value.path().read_text(encoding="utf-8").startswith(",Small,Again\n")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save all files (ZIP)").click()
    assert saved.value.path().read_bytes().startswith(b"PK")
    page.reload()
    page.wait_for_selector("#panel .runs thead")
    page.get_by_role("button", name="Show Small").click()
    assert page.locator("#panel .findings .finding").first.inner_text() == first
    patients = page.get_by_role("spinbutton", name="Patients per arm")
    patients.fill("9")
    page.get_by_role("button", name="Use the settings of Small").click()
    assert patients.input_value() == "8"
    assert page.get_by_label("Visit days").input_value() == "1, 7"
    assert page.get_by_role("combobox", name="Trial").locator("option:checked").inner_text() == "Arms written here"
    assert page.get_by_label("Name of arm 1").input_value() == "Ketamine infusion"
    page.get_by_role("button", name="Remove Again").click()
    assert page.locator("#panel .runs thead").first.locator("th").all_inner_texts()[1:] == ["Small"]
    assert page.locator(".jobs summary").inner_text().startswith("Jobs: 0 open")
    assert findings(page) == []
    assert page.console_errors == []


def test_arms_written_here_may_be_adaptive_and_errors_appear_at_them(page, address):
    open_workbench(page, address)
    page.click("#tab-trial")
    page.get_by_role("combobox", name="Trial").select_option("Arms written here")
    page.get_by_role("button", name="Remove arm 2").click()
    page.get_by_label("Treatment of arm 1").fill("esketamin 56 mg nasally")
    page.get_by_role("button", name="Find the sample size").click()
    page.wait_for_selector("#panel .arm .field-error:not(:empty)")
    page.get_by_label("Treatment of arm 1").fill(ARM)
    bodies = []
    page.on("request", lambda request: bodies.append(request.post_data) if "sample-size" in request.url else None)
    page.get_by_label("Target power").fill("50")
    page.get_by_label("Primary endpoint: MADRS at day").select_option("7")
    page.get_by_role("spinbutton", name="Replicates", exact=True).fill("2")
    page.get_by_role("button", name="Find the sample size").click()
    page.wait_for_selector("#panel .job-progress, #panel .findings")
    request = json.loads(bodies[-1])
    assert list(request["arms"].values()) == [ARM]
    assert (request["control"], request["target_power"], request["dropout"]) == ("double-dummy", 0.5, "2 %")
    assert request["primary_day"] == 7
    page.locator(".jobs").evaluate("one => { one.open = true }")
    until(page, "document.querySelector('.job-list')?.textContent.includes('Sample size')")
    page.evaluate("document.querySelector('[aria-label^=\"Cancel Sample size\"]')?.click()")  # it may have ended
    until(page, "/(cancelled|finished)/.test(document.querySelector('.job-list li').textContent)")
    former = {"effects": [{"arm": "a", "success_percent": 60}], "dropout_percent": {"a": 12}, "failed_percent": 0,
              "missed": ["a: an old sentence"],
              "response_rates": {"MADRS": [{"arm": "a", "response": 50, "response_low": None, "hour": 24}]},
              "power": [{"n_per_arm": 10, "power": 80, "low": 70, "high": 90, "trials": 3}],
              "sample_size": [{"per_arm": {"a": 10}, "target": 80, "limit": 99, "type_2_error": 20}]}  # fmt: skip
    script = "async run => (await import('/js/trial-runs.js')).inPresentForm(run).result"
    result = page.evaluate(script, {"name": "stored by the former page", "result": former})
    assert result["errors"] == [{"arm": "a", "text": "an old sentence", "answer": None, "share": None}]
    assert (result["effects"], result["dropout_share"]) == ([{"arm": "a", "success_share": 0.6}], {"a": 0.12})
    assert result["response_rates"]["MADRS"] == [{"arm": "a", "response": 0.5, "response_low": None, "hour": 24}]
    assert (result["power"][0]["power"], result["power"][0]["patients_per_arm"]) == (0.8, 10)
    assert (result["sample_size"][0]["target"], result["sample_size"][0]["patients_per_arm"]) == (0.8, {"a": 10})


def test_the_drawing_of_the_chain_opens_a_stage_with_its_papers(page, address):
    open_workbench(page, address)
    page.click("#tab-equations")
    page.wait_for_selector("#panel .stage-box")
    page.locator("[data-stage=spines]").press("Enter")
    until(page, "document.querySelector('#panel .equation')?.textContent.includes('nascent')")
    assert page.locator("[data-stage=spines]").get_attribute("aria-pressed") == "true"
    assert page.locator("#panel path.reads").count() > 1
    page.get_by_role("region", name="Papers").get_by_role("button").first.click()
    page.wait_for_selector("dialog[open] .evidence-list li")
    page.keyboard.press("Escape")
    assert findings(page) == []


def test_evidence_is_read_in_pages_with_filters_and_a_figure(page, address):
    open_workbench(page, address)
    page.click("#tab-evidence")
    panel = page.locator("#panel")
    page.wait_for_selector("#panel tbody tr")
    first = panel.locator("tbody tr").first.inner_text()
    panel.get_by_role("button", name="Next page").click()
    until(page, "t => document.querySelector('#panel tbody tr').innerText !== t", arg=first)
    assert "Page 2 of" in panel.locator(".pages").inner_text()
    panel.get_by_label("Species").select_option("rat")
    until(page, "document.querySelector('#panel .pages').textContent.includes('Page 1 of')")
    assert all("rat" in text for text in panel.locator("tbody tr td:nth-child(4)").all_inner_texts())
    panel.locator("summary", has_text="Figure").click()
    page.wait_for_selector("#panel figure .published-point")
    panel.locator("figure .published-point").first.press("Enter")
    page.wait_for_selector("dialog[open] .evidence-list li")
    page.keyboard.press("Escape")
    assert findings(page) == []


def test_contributions_follow_the_selected_time(page, address):
    open_workbench(page, address)
    page.click("#tab-attribution")
    page.get_by_role("button", name="Attribute").click()
    page.wait_for_selector("#panel .contributions tbody tr")
    before = page.locator("#panel .contributions").inner_text()
    page.focus("#time-slider")
    page.keyboard.press("End")
    until(page, "t => document.querySelector('#panel .contributions').innerText !== t", arg=before)
    assert "after the start" in page.locator("#panel .contributions caption").inner_text()


def test_the_exercises_show_their_answers_and_open_in_the_workbench(page, address):
    page.goto(f"{address}/exercises")
    page.wait_for_selector("#exercises details")
    assert page.locator("#exercises > li").count() == len(load_exercises())
    assert not page.locator("#exercises .answer").first.is_visible()
    page.get_by_role("button", name="Show all answers").click()
    assert "ng/mL" in page.locator("#exercises .answer").first.inner_text()
    assert fits_the_width(page)
    assert findings(page) == []
    page.get_by_role("link", name="Simulate it in the workbench").last.click()
    page.wait_for_selector("#panel path.curve")
    assert page.locator(".case").count() == 2
    assert page.locator(".selected-time").inner_text() == "7 days after the start", "the time of the question"
    legend = page.locator("#panel figure[data-figure=depression-madrs] .legend").inner_text()
    assert "A habenula off" in legend and "B habenula on" in legend
    assert page.console_errors == []


def test_the_printed_sheet_has_a_figure_for_every_exercise_and_no_word_for_the_teacher(page, address):
    page.goto(f"{address}/exercises")
    page.wait_for_selector("#exercises path.curve", state="attached")
    assert not page.locator(".task-figure svg").first.is_visible(), "on the screen the workbench shows the curves"
    page.emulate_media(media="print")
    for figure in page.locator("#exercises > li").all():
        assert figure.locator(".task-figure path.curve").first.is_visible()
        assert figure.locator(".task-figure .legend b:visible").count() == 0, "its values may be the answer"
        assert figure.locator(".answer:visible").count() == 0
    assert page.locator("#sheet-address").inner_text() == f"{address}/exercises"
    text = page.locator("main").inner_text()
    assert not any(word in text for word in ("close the answers", "workbench", "Simulate", "lesson"))
    for term in ("Venous plasma:", "Unbound:", "Dendritic spines:"):
        assert term in text


def test_a_figure_gives_a_link_to_itself_and_html_without_a_server(page, address):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    open_workbench(page, address)
    figure = page.locator("#panel figure").last
    title = figure.locator("h3").inner_text()
    figure.get_by_role("button", name="Copy a link").click()
    until(page, "navigator.clipboard.readText().then((text) => text.includes('&figure='))")
    link = page.evaluate("navigator.clipboard.readText()")
    figure.get_by_role("button", name="Copy HTML").click()
    until(page, "navigator.clipboard.readText().then((text) => text.startsWith('<figure>'))")
    content = page.evaluate("navigator.clipboard.readText()")
    assert f"<figcaption>{title}".replace("&", "&amp;") in content
    assert "table below" not in content, "the table stays on the page"
    assert "hours after the start" in content.split("alt=")[1] or "minutes after the start" in content.split("alt=")[1]
    back = f'<a href="{link.replace("&", "&amp;")}">'
    assert back in content, "a link back"
    assert "http" not in content.replace("http%3A%2F%2Fwww.w3.org", "").replace(back, ""), "nothing is loaded from anywhere"
    page.goto("about:blank")
    page.set_content(content)
    until(page, "document.querySelector('img').naturalWidth > 100")
    page.goto(link)
    name = link.rpartition("=")[2]
    until(
        page, f"document.querySelector('[data-figure={name}]:not(.empty)')?.getBoundingClientRect().top < innerHeight"
    )


def test_keys_lead_through_the_chapters_in_full_screen_only(page, address):
    open_story(page, address)
    top = "id => Math.abs(document.getElementById(id).getBoundingClientRect().top) < 160"
    assert page.get_by_role("link", name="Exercises").count() == 1
    page.keyboard.press("ArrowRight")
    assert page.evaluate("scrollY") == 0
    page.click("#full-screen")
    page.keyboard.press("ArrowRight")
    until(page, top, arg="mood")
    page.keyboard.press("PageDown")
    until(page, top, arg="felt")
    page.get_by_role("button", name="Previous").click()
    until(page, top, arg="mood")
    page.get_by_role("button", name="Leave full screen").click()
    until(page, "!document.body.classList.contains('presentation')")
    assert page.console_errors == []


@pytest.mark.parametrize("width", ["phone"], indirect=True)
def test_on_a_phone_the_cases_are_folded_so_that_a_tab_is_reached_at_once(page, address):
    page.goto(f"{address}/workbench")
    page.wait_for_selector("#panel path.curve")
    assert not page.locator(".case").first.is_visible()
    assert page.locator("#cases-summary span").all_inner_texts()[0] == "A Ketamine infusion"
    page.click("#tab-trial")
    trial = page.get_by_role("combobox", name="Trial").bounding_box()
    assert trial["y"] + trial["height"] < page.locator("#time-bar").bounding_box()["y"], "in the first screen"
    assert findings(page) == []
    page.get_by_role("button", name="Edit the cases").click()
    page.get_by_label("Title of case A").fill("Another name")
    assert findings(page) == []
    page.get_by_role("button", name="Close the cases").click()
    assert page.locator("#cases-summary span").first.inner_text() == "A Another name"
    assert fits_the_width(page)
    page.click("#tab-curves")
    page.get_by_role("button", name="Edit the cases").click()
    page.locator("[data-key='treatments[0]']").first.fill("ketamin")
    page.wait_for_selector(".case [aria-invalid=true]")
    until(page, f"{LINK_CONTENT}.includes('ketamin\"')")
    page.reload()
    page.wait_for_selector(".case [aria-invalid=true]")
    assert page.locator(".case .field-error").first.is_visible(), "an error opens the cases"


def test_the_reference_arm_is_chosen_and_jobs_of_one_title_have_their_settings(page, address):
    open_workbench(page, address)
    page.click("#tab-trial")
    reference = page.get_by_role("combobox", name="Reference arm")
    assert reference.locator("option").all_inner_texts()[0] == "by the design"
    page.get_by_role("combobox", name="Trial").select_option("Arms written here")
    reference.select_option("Ketamine infusion")
    page.get_by_label("Name of arm 1").fill("Infusion")
    assert reference.input_value() == "Infusion", "a new name of the arm"
    run_small_trial(page)
    assert "than on Infusion" in page.locator("#panel .findings").inner_text()
    survival = page.locator("#panel figure", has_text="Responders without relapse")
    assert survival.count() == 0, "two visits have no relapse"
    page.get_by_role("spinbutton", name="Random seed").fill("2")
    page.get_by_label("Visit days").fill("1, 7, 14")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .findings")
    survival.wait_for()
    assert "% of responders" in survival.inner_text()
    assert "100" in survival.locator("svg text").all_text_contents()
    page.locator(".jobs").evaluate("one => { one.open = true }")
    until(page, "document.querySelectorAll('.job-list li').length > 1")
    names = [text for text in page.locator(".job-list .job-name").all_inner_texts() if "Infusion or" in text]
    assert "days 1, 7, 14; seed 2" in names[0]
    assert "days 1, 7; seed 1" in names[1]
    assert all(", started " in name for name in names)
    reference.select_option("by the design")
    page.get_by_role("button", name="Store this run").click()
    page.get_by_role("button", name="Use the settings of Run").first.click()
    assert reference.input_value() == "Infusion"
    page.get_by_role("combobox", name="Trial").select_option("murrough2013")
    assert not reference.is_visible(), "a shipped trial has its own"
