"""The drawing of the story: what every part shows, the tables of its texts, and how a reader opens the evidence."""

import re
from itertools import pairwise
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
from browser_helpers import new_page, open_story, until

import ketamech.app
from ketamech.analysis.claims import load_claims
from ketamech.app.routes.metadata import PRESETS, load_story_texts
from ketamech.core.csv_table import read_records
from ketamech.evidence import load_evidence
from ketamech.report.tracks import load_tracks

STATIC = Path(ketamech.app.__file__).parent / "static"
MODULES = {path.stem: path.read_text(encoding="utf-8") for path in (STATIC / "js" / "scene").glob("*.js")}
TABLES = load_story_texts()
BINDINGS = {row["id"]: row for row in TABLES["bindings"]}
READING_LEVELS = ("plain", "student", "expert", "every")
LEVEL_MODULES = {
    "body": ("body",),
    "brain": ("brain",),
    "synapse": ("synapse",),
    "spine": ("spine",),
    "always": (),
    "mood": (),
}


@pytest.mark.parametrize("row", BINDINGS.values(), ids=lambda row: row["id"])
def test_every_part_of_the_drawing_has_an_output_a_legend_and_a_text_equivalent(row, model):
    names = [name.strip() for name in row["outputs"].split("+") if name.strip()]
    assert names or row["id"] == "bag", "the remainder of the dose is the only part without an output"
    assert set(names) <= set(model.layout.output_names)
    assert row["label"]
    assert row["text"].count("{}") == 1
    assert row["measured_in"]
    assert f"  {row['mapping']}: " in MODULES["bindings"] or row["mapping"] == "share"
    assert f"  {row['display']}: " in MODULES["bindings"]
    assert f"  {row['glyph']}: " in MODULES["glyphs"]


def test_the_drawing_shows_every_binding_and_nothing_without_one():
    for row in BINDINGS.values():
        if row["level"] in ("always",) or (
            row["legend"] != "no" and row["mapping"] in ("bar", "area", "width", "share")
        ):
            continue  # drawn as the sign of its legend
        sources = " ".join(MODULES[name] for name in LEVEL_MODULES[row["level"]])
        assert re.search(rf"\b{row['id']}\b", sources), f"{row['id']} is not drawn"
    for name, source in MODULES.items():
        for used in re.findall(r'(?:amount|ratio|short|peak|rest|value|text)\("([a-z_]+)"\)', source):
            assert used in BINDINGS, f"{name}.js draws {used}, which has no binding"


def test_the_tables_of_the_story_name_things_that_exist():
    evidence = load_evidence()
    claims, tracks = load_claims(evidence), load_tracks()
    chapters = {row["id"]: row for row in TABLES["chapters"]}
    for row in chapters.values():
        assert row["title"].endswith("?"), "a chapter states its question"
        assert row["level"] in LEVEL_MODULES
        assert row["from"] <= row["hours"] <= row["to"]
        assert set(row["tracks"].split()) <= set(tracks)
    for row in TABLES["paragraphs"]:
        assert row["chapter"] in chapters
        assert row["level"] in READING_LEVELS
        assert set(filter(None, row["claims"].split(";"))) <= set(claims)
        assert set(filter(None, row["evidence"].split(";"))) <= set(evidence.observations)
    texts = {(row["chapter"], row["level"]) for row in TABLES["paragraphs"]}
    for chapter in chapters:
        own = {level for name, level in texts if name == chapter}
        assert own >= {"student", "expert"}, "each level has a text"
        assert own & {"plain", "every"}, "each level has a text"
    text = " ".join(row["text"] for row in TABLES["paragraphs"])
    for row in TABLES["glossary"]:
        assert f"  {row['glyph']}: " in MODULES["glyphs"]
        assert re.search(rf"\b(?:{row['words']})\b", text), f"no text uses {row['term']}"
    edges = [(row["from"], row["to"]) for row in TABLES["severity"]]
    assert edges[0][0] == 0
    assert edges[-1][1] == 60
    assert all(left[1] == right[0] for left, right in pairwise(edges))


def test_every_line_of_the_summary_names_a_chapter_and_rows_of_the_drawing():
    chapters = {row["id"] for row in TABLES["chapters"]}
    for row in TABLES["summary"]:
        assert row["chapter"] in chapters
        assert row["from"] != "" or row["to"] != "", "every statement has a bound"
        named = set(re.findall(r"{(\w+)}", row["text"]))
        if row["measure"] == "share":
            assert row["hours"] == ""
            assert named <= {"score", "without", "way"}
            continue
        assert {row["shows"], *named} - {"before"} <= set(BINDINGS), row["text"]
        assert row["measure"] in ("value", "ratio", "of_peak")


def test_the_lines_of_the_summary_are_short():
    times = {row["hours"] for row in TABLES["summary"]} - {""}
    score = max((row["text"] for row in TABLES["summary"] if row["hours"] == ""), key=lambda text: len(text.split()))
    for hours in times:
        rows = [row for row in TABLES["summary"] if row["hours"] == hours]
        longest = {row["shows"]: row["text"] for row in sorted(rows, key=lambda row: len(row["text"]))}
        assert len(" ".join([*longest.values(), score]).split()) <= 40, hours


def test_the_plain_text_is_easy_to_read():
    pytest.importorskip("textstat", reason="pip install 'textstat==0.7.8'")
    command = run_path(str(Path(__file__).parents[3] / "scripts" / "reading_level.py"))
    assert command["main"]() == 0, "a chapter is outside the bounds; the table is printed above"
    bounds = command["BOUNDS"]
    assert bounds == {"Flesch-Kincaid": 8, "SMOG": 9, "Dale-Chall": 8}
    assert set(command["plain_texts"]()) == {row["id"] for row in TABLES["chapters"]} | {"summary"}
    student = " ".join(row["text"] for row in TABLES["paragraphs"] if row["level"] == "student")
    assert command["reading_level"](student)["SMOG"] > bounds["SMOG"], "the bounds tell a plain text from another"


def test_every_crisis_line_has_a_number_a_source_and_the_date_of_its_check(client):
    rows = client.get("/api/metadata").json()["story"]["crisis_lines"]
    assert len({row["country"] for row in rows}) == len(rows) > 20
    for row in rows:
        assert re.fullmatch(r"[\d ]+( or [\d ]+)?", row["number"]), row
        assert re.match(r"https?://\S+$", row["source"]), row
        assert re.fullmatch(r"20\d\d-\d\d-\d\d|", row["checked"]), row
    assert sum(bool(row["checked"]) for row in rows) > 0.7 * len(rows)


def test_the_largest_tested_dose_comes_from_the_evidence(client):
    routes = {row["id"]: row for row in client.get("/api/metadata").json()["story"]["routes"]}
    assert routes["infusion"]["tested"] == 1.0  # Fava 2018
    assert {0.1, 0.2, 0.5, 1.0} <= set(routes["infusion"]["tested_doses"]["racemic"])
    assert routes["nasal"]["tested_doses"]["esketamine"][-1] == 84.0
    assert routes["nasal"]["tested"] == 84.0
    assert routes["rat"]["tested"] == 0.0


def test_single_patients_are_ranked_by_their_fall(client, infusion):
    request = {"scenario": infusion, "track": "mood", "patients": 40, "individuals": 8, "until": 48}
    answer = client.post("/api/population", json=request).json()
    at = min(range(len(answer["time"])), key=lambda i: abs(answer["time"][i] - 24))
    falls = [score[at] / score[0] for score in answer["curves"][0]["individuals"]]
    assert len(falls) == 8
    assert falls == sorted(falls)
    control = client.post("/api/population", json={**request, "control": True}).json()
    without = [score[at] / score[0] for score in control["curves"][0]["individuals"]]
    assert all(drug < other for drug, other in zip(falls, without, strict=True))


AMOUNTS_JS = """async ([rows, values]) => {
  const { Bindings, partsOf } = await import('/js/scene/bindings.js');
  const bindings = new Bindings(rows);
  const series = Object.fromEntries(bindings.outputs.map(name => [name, values[name] ?? [1, 1, 1]]));
  bindings.setCurves([0, 1, 2], series);
  const frame = bindings.at(1);
  const ids = rows.map(({ id }) => id);
  return {
    amounts: Object.fromEntries(ids.map(id => [id, frame.amount(id)])),
    texts: Object.fromEntries(ids.map(id => [id, frame.text(id)])),
    short: Object.fromEntries(ids.map(id => [id, frame.short(id)])),
    parts: [partsOf([1, 1, 1]), partsOf([0.2, 99.7, 0.1]), partsOf([0, 0])],
  };
}"""


def test_amounts_follow_the_outputs(story):
    values = {
        "glutamate.extracellular": [1, 1.26, 1], "ampa.surface": [1, 1.5, 1], "nmda.blocked_interneuron": [0, 0.124, 0],
        "brain.esketamine": [0, 0.1, 0], "brain.arketamine": [0, 0.1, 0], "plasticity.mtorc1": [1, 1.8, 1],
        "plasticity.synaptic_protein": [1, 1.5, 1], "spines.density": [0.8, 0.85, 0.8], "circuit.pv_rate": [1, 0.75, 1],
        "plasticity.trkb": [1, 1.36, 1], "brain_network.amygdala_activity": [1.2, 1.1, 1.2],
        "dissociation.cadss": [0, 23, 0], "brain_network.salience": [0.9, 0.9, 0.9],
    }  # fmt: skip
    found = story.evaluate(AMOUNTS_JS, [list(BINDINGS.values()), values])
    amounts = found["amounts"]
    assert amounts["glutamate"] == pytest.approx(26)
    assert amounts["ampa"] == pytest.approx(3.5)
    assert amounts["blocked_interneuron"] == 12
    assert amounts["trapped_interneuron"] == 1
    assert amounts["ketamine"] == pytest.approx(10)
    assert amounts["mtorc1"] == pytest.approx(0.8)
    assert amounts["protein"] == pytest.approx(13)
    assert amounts["sites"] == pytest.approx(2)
    assert amounts["interneuron"] == pytest.approx(-2.5)
    assert amounts["trkb"] == 2
    assert amounts["amygdala"] == pytest.approx(1.2)
    assert amounts["salience"] == pytest.approx(7 * 0.7)
    assert amounts["dissociation"] == pytest.approx(0.25)
    assert found["short"]["glutamate"] == "+26 %"
    assert found["texts"]["glutamate"] == "Glutamate outside the cells is 26 percent above rest."
    assert found["short"]["bdnf"] == "at rest"
    assert [sum(parts) for parts in found["parts"]] == [100, 100, 0]


def test_the_hundred_parts_of_the_dose_always_add_up(story):
    sums = story.evaluate("""async () => {
      const { selectedTime } = await import('/js/time-slider.js');
      document.querySelector('button[data-level=body]').click();
      const shares = [...document.querySelectorAll('.scene-legend li')].slice(0, 9);
      const found = [];
      for (const hours of [1 / 60, 0.3, 0.7, 2, 9, 24, 100, 700]) {
        selectedTime.set(hours);
        await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
        found.push(shares.reduce((sum, one) => sum + Number(one.querySelector('b').textContent), 0));
      }
      return found;
    }""")
    assert sums == [100] * 8


ROUTES = list(read_records(PRESETS / "story_routes.csv"))


@pytest.mark.parametrize("route", ROUTES, ids=lambda row: row["id"])
def test_no_part_of_a_dose_is_lost_by_any_route(client, route):
    """What is given stays in the places that are drawn: otherwise the bag would fill again."""
    names = [
        name.strip() for row in BINDINGS.values() if row["mapping"] == "share" for name in row["outputs"].split("+")
    ]
    drug = route["only_drug"] or "racemic"
    human = {"person": {"weight": "70 kg"}} if not route["species"] else {"species": route["species"], "person": {}}
    treatment = f"{drug} {route['usual']} {route['unit']} {route['regimen']}"
    request = {
        "scenario": {"treatments": [treatment], "horizon": "31 days", **human},
        "outputs": [name for name in names if name],
        "times": [0.8, 4, 24, 168, 700],
    }
    values = client.post("/api/outputs", json=request).json()["values"]
    totals = [sum(column) for column in zip(*values.values(), strict=True)]
    assert totals == pytest.approx([totals[0]] * 5, rel=1e-3)


BLOCKS = {row["id"]: row["phrase"] for row in read_records(PRESETS / "story_perturbations.csv")}


@pytest.mark.parametrize("phrase", BLOCKS.values())
def test_a_block_does_not_change_the_level_before_it_is_given(client, infusion, phrase):
    names = ["plasticity.mtorc1", "spines.density", "ampa.current", "plasticity.bdnf", "inflammation.tnf"]
    request = {"outputs": names, "times": [-1, 0.5]}
    rest = client.post("/api/outputs", json={"scenario": infusion, **request}).json()["values"]
    scenario = {**infusion, "perturbations": [phrase]}
    blocked = client.post("/api/outputs", json={"scenario": scenario, **request}).json()["values"]
    assert rest["spines.density"][0] < 1
    for name in names:
        assert blocked[name][0] == pytest.approx(rest[name][0], rel=1e-3), name
    assert any(abs(blocked[name][1] / rest[name][1] - 1) > 0.5 for name in names)


def test_values_with_a_block_are_compared_with_rest(page, address):
    open_story(page, f"{address}/#&block=rapamycin&hours=24")
    until(page, "document.querySelector('[data-track=mtor] h3').textContent.includes('falls by 9')")
    assert "gone by" not in page.locator("[data-track=protein] h3").inner_text()
    chip = page.locator("[data-row=mtorc1] b").inner_text()
    assert chip.startswith("−8")
    page.click("button[data-level=spine]")
    sentence = page.locator("#scene-sentence").inner_text()
    before, now = (int(re.search(rf"{verb} (\d+)", sentence)[1]) for verb in ("it had", "one has"))
    assert before <= now < 100


BODY_SENTENCE_JS = """async hours => {
  const { selectedTime } = await import('/js/time-slider.js');
  document.querySelector('button[data-level=body]').click();
  selectedTime.set(hours);
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return document.querySelector('#scene-sentence').textContent;
}"""


def test_the_bag_stays_empty_and_the_sentence_names_all_hundred_parts(story):
    for hours in (0.2, 0.7, 4, 24, 312):
        sentence = story.evaluate(BODY_SENTENCE_JS, hours)
        first, *numbers = map(int, re.findall(r"\d+", sentence))
        assert first == 100
        assert sum(numbers) == 100, sentence
        assert ("not yet given" in sentence) == (hours < 0.5), sentence


def test_after_a_spray_no_bag_hangs_and_nothing_is_left_to_give(page, address):
    open_story(page, f"{address}/#&route=nasal&hours=0.667")
    page.click("button[data-level=body]")
    until(page, "document.querySelector('.infusion').getAttribute('opacity') === '0'")
    assert "not yet given" not in page.evaluate(BODY_SENTENCE_JS, 2 / 3)
    shown = "document.querySelector('.scene-legend').innerText"
    assert "Not yet given" not in page.evaluate(shown)
    assert "In the nose" in page.evaluate(shown)


def test_the_clock_and_the_levels_drive_the_drawing_and_its_sentence(story):
    until(story, "document.querySelector('#scene-sentence').textContent.includes('12 of 100') || true")
    before = story.locator("#scene-sentence").inner_text()
    story.focus("#time-slider")
    story.keyboard.press("End")
    until(story, "t => document.querySelector('#scene-sentence').textContent !== t", arg=before)
    for level in ("body", "brain", "spine", "synapse"):
        story.click(f"button[data-level={level}]")
        assert story.locator(".drawing[data-state=shown]").get_attribute("data-level") == level
        assert len(story.locator("#scene-sentence").inner_text()) > 20
    story.locator(".scene-values summary").click()
    until(story, f"document.querySelectorAll('.scene-values tbody tr').length === {len(BINDINGS)}")
    story.locator(".scene-values summary").click()


def test_a_published_point_opens_its_paper_by_mouse_and_by_keyboard(story):
    story.wait_for_selector("#mood-figure .published-point .hit", state="attached")
    area = "document.querySelector('#mood-figure .published-point .hit').getBoundingClientRect()"
    story.wait_for_load_state("networkidle")  # the figure is drawn again while the page loads
    box = story.evaluate(f"{area}.toJSON()")
    assert box["width"] >= 24
    assert box["height"] >= 24
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    time = story.locator(".selected-time").inner_text()
    story.mouse.click(x, y)
    story.wait_for_selector("dialog[open] .evidence-list a")
    assert story.locator(".selected-time").inner_text() == time, "a point opens its source and does not move the clock"
    story.keyboard.press("Escape")
    story.locator("#mood-figure .published-point").first.focus()
    story.keyboard.press("Enter")
    story.wait_for_selector("dialog[open] .evidence-list a")
    story.keyboard.press("Escape")


def test_a_published_point_opens_its_paper_by_touch(browser, address):
    page = new_page(browser, 1366, 768, has_touch=True)
    open_story(page, address)
    page.wait_for_selector("#mood-figure .published-point .hit", state="attached")
    page.wait_for_load_state("networkidle")  # the figure is drawn again while the page loads
    page.locator("#mood-figure .published-point .hit").first.tap()  # at the node that is drawn by then
    page.wait_for_selector("dialog[open] .evidence-list a")
    page.context.close()


def test_a_claim_states_its_words_verdict_lean_and_in_whom(story):
    until(story, "document.querySelector('#signalling [data-claim=mtor-needed]')?.textContent.includes('Mixed')")
    text = story.locator("#signalling [data-claim=mtor-needed]:visible").inner_text()
    assert "The effect needs mTORC1" in text
    assert "leans slightly against it" in text
    assert "animals for" in text
    assert "people against" in text
    leans = """[...document.querySelectorAll('.claim')].map((claim) =>
        [claim.querySelector('.verdict').textContent, claim.querySelector('.lean').textContent])"""
    words = [lean for verdict, lean in story.evaluate(leans) if verdict in ("Mixed", "Not supported")]
    assert words
    assert not any("clearly" in lean for lean in words), "a clear lean without a verdict names too little evidence"


def test_a_term_opens_its_card_and_the_crisis_note_stands_beside_suicidality(story):
    story.locator("#signalling .term").first.scroll_into_view_if_needed()
    story.locator("#signalling .term").first.click()
    assert story.locator(".term-card:popover-open h3").inner_text().startswith("AMPA receptor")
    story.keyboard.press("Escape")
    note = story.locator("[data-track=suicidality] + .crisis")
    assert "crisis line" in note.inner_text()
    assert "not treatment or dosing advice" in story.locator("#disclaimer").inner_text()


def test_ten_people_and_the_bands_of_the_score_are_computed(story):
    story.wait_for_selector("#ten-people .ten-person", state="attached")
    assert story.locator("#ten-people .people-row").count() == 2
    assert story.locator("#ten-people .ten-person").count() == 20
    heading = story.locator("#ten-people h3").first.inner_text()
    shown = story.locator("#ten-people .people-row").first.locator(".responds").count()
    assert heading == "In trials of this treatment, 52 to 64 of 100 people responded", "the trials stand first"
    assert f"{shown} of 10 respond in this way" in story.locator("#ten-people .ten-people").inner_text()
    assert "severe 35 to 60" in story.locator("#score-bar .score-drawing").get_attribute("aria-label")


# All that depends on the time of the clock; and for a number of frames of a clock that plays: how many texts were
# shown, how many places of the cursor, and in how many seconds.
SHOWN_JS = """[...document.querySelectorAll(
  '.selected-time, #mood-now, #scene-sentence, .scene-legend, #fall-bar, #mood-figure, #ways, [data-state=shown]',
)].map((one) => one.outerHTML)"""
PLAYED_JS = """async (frames) => {
  const [texts, places, began] = [new Set(), new Set(), performance.now()];
  for (let i = 0; i < frames; i++) {
    await new Promise(requestAnimationFrame);
    texts.add(document.querySelector('#mood-now').textContent);
    places.add(document.querySelector('#mood-figure .time-marks').getAttribute('transform'));
  }
  return [texts.size, places.size, (performance.now() - began) / 1000];
}"""


@pytest.mark.parametrize("level", ["body", "brain", "synapse", "spine"])
def test_a_clock_that_plays_moves_in_every_frame_and_is_exact_where_it_stops(page, address, level):
    page.emulate_media(reduced_motion="no-preference")
    open_story(page, f"{address}/#&hours=73")  # after the last stop
    page.click(f"button[data-level={level}]")
    page.click("#play")
    texts, places, seconds = page.evaluate(PLAYED_JS, 40)
    assert places > 35, "shapes follow every frame"
    assert 1 < texts <= 3 + 8 * seconds, "texts take turns"  # that of before, and one in the first frame
    page.click("#play")
    shown = page.evaluate(SHOWN_JS)
    page.evaluate("import('/js/time-slider.js').then(({ selectedTime: time }) => time.set(time.hours))")
    assert page.evaluate(SHOWN_JS) == shown


def test_the_play_button_steps_through_stills_where_motion_is_not_wanted(story):
    assert story.evaluate("matchMedia('(prefers-reduced-motion: reduce)').matches")
    before = story.locator(".selected-time").inner_text()
    story.click("#play")
    assert story.locator(".selected-time").inner_text() != before
    assert story.locator("#play").get_attribute("aria-label") == "Play"


PLAY_JS = """async (pace) => {
  const { selectedTime, STOPS } = await import('/js/time-slider.js');
  selectedTime.set(1 / 60);
  const motion = [window.matchMedia, window.requestAnimationFrame];
  let next = null;
  window.matchMedia = () => ({ matches: false });
  window.requestAnimationFrame = (step) => ((next = step), 1);
  const found = [];
  document.querySelector('#play').click();
  for (let now = 0; found.at(-1)?.hours !== selectedTime.last && now < 90_000; now += pace) {
    next(now);
    found.push({ seconds: now / 1000, hours: selectedTime.hours });
  }
  [window.matchMedia, window.requestAnimationFrame] = motion;
  return { found, stops: STOPS, last: selectedTime.last, name: document.querySelector('#play').ariaLabel };
}"""


def test_play_stops_at_the_times_of_the_summary_and_its_speed_can_be_chosen(story):
    """Frames of a clock of the test: the page's own are not to be waited for."""
    played = story.evaluate(PLAY_JS, 50)
    assert played["name"] == "Play", "it ends by itself"
    length = played["found"][-1]["seconds"]
    for hours in played["stops"]:
        shown = [one["seconds"] for one in played["found"] if one["hours"] == hours]
        assert max(shown) - min(shown) == pytest.approx(2.5, abs=0.11), f"a stop at {hours} h"
    times = list(dict.fromkeys(row["hours"] for row in TABLES["summary"] if row["hours"] != ""))
    assert [*played["stops"], played["last"]] == pytest.approx(times, rel=1e-3)
    story.click("#play-speed")
    assert story.locator("#play-speed").text_content() == "Speed 2×"
    assert story.evaluate(PLAY_JS, 50)["found"][-1]["seconds"] == pytest.approx(length / 2, rel=0.02)
    for _ in range(2):
        story.click("#play-speed")
    assert story.locator("#play-speed").text_content() == "Speed 1×"


def test_at_rest_nothing_is_in_full_colour_or_hollow(story):
    amounts = story.evaluate(AMOUNTS_JS, [list(BINDINGS.values()), {}])["amounts"]
    moving = [
        row["id"] for row in BINDINGS.values() if row["mapping"] in ("marks", "filled", "annulus", "band", "growth")
    ]
    assert len(moving) > 8
    assert {amounts[name] for name in moving} == {0}


def test_headings_of_figures_state_what_the_curves_show(story, client, infusion):
    scenario = {**infusion, "horizon": "31 days"}  # that of the page: the times of the curves depend on it

    def peak(track, curve=0):
        answer = client.post("/api/curves", json={"scenario": scenario, "tracks": [track], "until": 730.5}).json()
        values = answer["tracks"][0]["curves"][curve]["treated"]
        return max(values), min(values), answer["time"][values.index(max(values))]

    def heading(track):
        until(
            story, "t => !document.querySelector(`[data-track=${t}] h3`).textContent.includes('Computing')", arg=track
        )
        return story.locator(f"[data-track={track}] h3").first.inner_text()

    until(story, "document.querySelector('[data-track=glutamate] h3').textContent.startsWith('Glutamate rises')")
    highest, _, hours = peak("plasma")
    assert f"{highest:.0f} ng/mL" in heading("plasma")
    assert f"after {60 * hours:.0f} min" in heading("plasma")
    assert f"rises by {100 * (peak('glutamate')[0] - 1):.0f} percent" in heading("glutamate")
    assert f"in veins, where blood is usually taken, at {peak('plasma', 1)[0]:.0f} ng/mL" in heading("plasma")
    bound, *blocked = (peak("nmda", i)[0] for i in range(3))
    assert f"At most {bound:.0f} of 100 channels hold the drug" in heading("nmda")
    assert f"blocked are {blocked[0]:.0f} of 100 on interneurons and {blocked[1]:.0f} on pyramidal" in heading("nmda")
    assert f"to {peak('mood')[1]:.0f}, lowest" in heading("mood")
    answer = client.post("/api/curves", json={"scenario": scenario, "tracks": ["networks"], "until": 730.5}).json()
    hours, [rest, *connected] = np.array(answer["time"][1:]), answer["tracks"][0]["curves"][0]["treated"]
    early, late = (100 * (max(np.array(connected)[inside]) / rest - 1) for inside in (hours < 8, hours >= 8))
    assert min(early, late) > 5
    stated = re.search(r"rises twice: by (\d+) percent after .* and by (\d+) percent", heading("networks"))
    assert list(map(int, stated.groups())) == [round(early), round(late)]
    until(story, "document.querySelector('[data-track=haemodynamics] h3').textContent.includes('measured')")
    measured = load_evidence().observations["yale24-sbp-40min"].value
    assert f"measured in people: a rise by {measured:g} mmHg" in heading("haemodynamics")
