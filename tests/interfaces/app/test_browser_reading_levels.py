"""What a reader of the story does: chooses a reading level, draws a guess and reveals the answer, drags numbers."""

import re

import pytest
from browser_helpers import CHAPTERS, at_sizes, findings, fits_the_width, new_page, open_story, settle, until

from ketamech.app.routes.metadata import load_story, load_story_texts

TABLES = load_story_texts()
GUESSES = {row["id"]: row for row in TABLES["guesses"]}
SHOWN = "[...document.querySelectorAll('.chapter .text > p')].filter(e => e.checkVisibility()).map(e => e.textContent)"
CLAIMS = """[...document.querySelectorAll('.chapter .text .claims [data-claim]')].filter(e => e.checkVisibility())
  .map(e => e.dataset.claim)"""
LEVEL = "document.documentElement.dataset.reading"


def texts(level):
    return {row["text"] for row in TABLES["paragraphs"] if row["level"] == level}


def choose(page, level):
    page.locator(f"#reading-level input[value={level}]").check(force=True)


def test_student_adds_to_the_plain_text_and_expert_replaces_it(story):
    assert story.evaluate(LEVEL) == "plain", "the default"
    for level in ("plain", "student", "expert"):
        choose(story, level)
        shown = set(story.evaluate(SHOWN))
        wanted = {"plain": ("plain",), "student": ("plain", "student"), "expert": ("student", "expert")}[level]
        assert texts("every").union(*map(texts, wanted)) <= shown
        assert not shown & set().union(*(texts(one) for one in ("plain", "student", "expert") if one not in wanted))
        claims = story.evaluate(CLAIMS)
        assert len(claims) == len(set(claims)), "no claim stands twice"
        rows = [row for row in TABLES["paragraphs"] if row["level"] in ("plain", "every", *wanted)]
        assert set(claims) == {name for row in rows for name in row["claims"].split(";") if name}


def test_a_level_says_at_the_top_what_it_adds(story):
    """Also where its first paragraph is far below, and in the names of the drawing."""
    names = """[...document.querySelectorAll('.drawing[data-level=synapse] .label')]
      .filter(e => e.getBoundingClientRect().width > 0).map(e => e.textContent)"""
    assert "Helper celltakes up glutamate" in story.evaluate(names)
    choose(story, "student")
    note = story.locator("#level-note")
    count = sum(row["level"] == "student" for row in TABLES["paragraphs"])
    assert f"{count} paragraphs with a line at the left" in note.inner_text()
    box = note.bounding_box()
    assert box["y"] < 150
    assert {"Astrocytetakes up glutamate", "ribosomes"} <= set(story.evaluate(names))
    assert "Helper celltakes up glutamate" not in story.evaluate(names)
    note.get_by_role("button", name="Show the next").click()
    settle(story)
    first = story.locator(".chapter .text > p[data-from=student]").first
    assert 0 < first.bounding_box()["y"] < story.viewport_size["height"]
    assert "Student" in first.evaluate("e => getComputedStyle(e, '::before').content")
    choose(story, "plain")
    assert note.count() == 0


@at_sizes("laptop", "phone")
def test_words_of_the_first_screen_have_cards(story):
    until(story, "document.querySelector('#leading-way .term') !== null")
    words = story.locator("#mood-figure .term, #leading-way .term, #fall-bar .term").all_inner_texts()
    assert {"MADRS", "felt effects", "habenula", "expectancy"} <= set(words)
    story.locator("#mood-figure .term").click()
    assert "0 is well, 60 is the worst" in story.locator(".term-card:popover-open").inner_text()
    story.keyboard.press("Escape")
    until(story, "!document.querySelector(':popover-open') && !history.state.isOpen")


def test_the_level_is_in_the_address_and_remembered(page, address):
    open_story(page, address)
    choose(page, "student")
    until(page, "location.hash.includes('read=student')")
    link = page.url
    open_story(page, address)
    assert page.evaluate(LEVEL) == "student", "remembered for the next visit"
    choose(page, "plain")
    until(page, "!location.hash.includes('read=')")
    page.goto("about:blank")
    open_story(page, link)
    assert page.evaluate(LEVEL) == "student", "the address counts more than the memory"
    assert page.locator("#reading-level input[value=student]").is_checked()
    page.goto("about:blank")
    open_story(page, f"{address}/#read=expert")
    assert page.evaluate(LEVEL) == "expert", "a setting without a chapter"


def test_an_expert_sees_equation_parameters_and_links_of_each_chapter(story):
    choose(story, "expert")
    for chapter in {row["chapter"] for row in TABLES["equations"]}:
        rows = [row for row in TABLES["equations"] if row["chapter"] == chapter]
        for i, row in enumerate(rows):
            place = story.locator(f"#{chapter} .stage-excerpt").nth(i)
            place.scroll_into_view_if_needed()
            place.locator(".equation").wait_for()
            assert row["quantity"] in place.locator(".equation").inner_text()
            names = place.locator("tbody th").all_inner_texts()
            assert [name.split("\n")[0] for name in names] == row["parameters"].split(";")
            assert all(name.split("\n")[1] for name in names), "each name has its meaning below"
            assert "tab=equations" in place.locator("a").get_attribute("href")
    story.locator("#mood .stage-excerpt button").first.click()
    assert story.locator("dialog[open]").is_visible()
    story.keyboard.press("Escape")


def draw(page, guess, shares):
    """A line by mouse through heights, as shares of the axis, evenly spaced from left to right."""
    area = guess.locator(".guess-area")
    area.scroll_into_view_if_needed()
    settle(page)
    box = area.bounding_box()
    places = [
        (box["x"] + 1 + (box["width"] - 2) * i / (len(shares) - 1), box["y"] + box["height"] * (1 - share))
        for i, share in enumerate(shares)
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


@pytest.mark.parametrize("name", list(GUESSES))
def test_a_guess_is_drawn_and_revealed(story, name):
    row = GUESSES[name]
    guess = story.locator(f"#guess-{name}")
    assert guess.locator(".guess-curve, .published-point").count() == 0
    guess.get_by_role("button", name="Reveal").click()
    assert "Draw your line first" in guess.locator(".guess-result").inner_text()
    draw(story, guess, [0.5, 0.5])
    guess.get_by_role("button", name="Reveal").click()
    until(story, f"document.querySelector('#guess-{name}').classList.contains('revealed')")
    said = guess.locator(".guess-comparison").inner_text()
    mean, _, own, model = map(float, re.findall(r"\d+(?:\.\d+)?", said.replace("model's", "")))
    assert own == pytest.approx((row["y_from"] + row["y_to"]) / 2, abs=0.02 * (row["y_to"] - row["y_from"]) + 0.5)
    assert mean <= abs(own - model) + 1, "the mean distance is at most the largest one"
    assert row["lesson"] in guess.locator(".guess-result").inner_text()
    assert guess.locator(".guess-curve").count() == 1
    assert guess.locator(".published-point").count() >= 4
    legend = guess.locator(".legend").inner_text()
    kinds = {"mood": "square: used to fit", "glutamate": "published, not confirmed", "felt": "published"}
    assert kinds[name] in legend
    assert guess.get_by_role("button", name="Try again").evaluate("e => e === document.activeElement")
    guess.locator("summary").click()
    cells = guess.locator("table").first.locator("tbody td").all_inner_texts()
    assert len(cells) == 2 * len(row["points"].split(";")), "the numbers for readers who do not see the chart"
    assert not {"not revealed", "–"} & set(cells)
    guess.locator("summary").click()
    guess.get_by_role("button", name="Try again").click()
    assert guess.locator(".guess-curve").count() == 0
    assert story.console_errors == []


def test_a_guess_is_of_a_curve_that_the_page_has_not_shown_and_can_be_skipped(story):
    tables = load_story()
    regimens = {row["regimen"] for row in (*tables["routes"], *tables["compared_treatments"])}
    for row in GUESSES.values():
        assert row["reads"] != "course" or row["regimen"] not in regimens | {"racemic 0.5 mg/kg IV over 40 min"}
    guess = story.locator("#guess-mood")
    assert guess.locator(".guess-curve").count() == 0
    guess.get_by_role("button", name="Show without a guess").press("Enter")
    until(story, "document.querySelector('#guess-mood').classList.contains('revealed')")
    assert guess.locator(".guess-curve").count() == 1
    assert guess.locator(".guess-comparison").count() == 0
    assert GUESSES["mood"]["lesson"] in guess.locator(".guess-result").inner_text()
    assert "your line" not in guess.locator(".legend").inner_text()
    assert guess.locator(".guess-curve").evaluate("e => getComputedStyle(e).animationName") == "none", "less motion"
    guess.get_by_role("button", name="Try again").click()


def test_a_guess_is_drawn_by_the_keyboard_alone(story):
    guess = story.locator("#guess-mood")
    handle = guess.locator("[role=slider]")
    handle.first.focus()
    assert handle.first.get_attribute("aria-valuetext") == "not drawn"
    story.keyboard.press("ArrowDown")
    first = int(handle.first.get_attribute("aria-valuenow"))
    assert first == 32, "one point below the score before the dose"
    story.keyboard.press("ArrowRight")
    story.keyboard.press("PageDown")
    assert handle.nth(1).evaluate("e => e === document.activeElement")
    assert int(handle.nth(1).get_attribute("aria-valuenow")) == first - 5
    guess.get_by_role("button", name="Reveal").press("Enter")
    until(story, "document.querySelector('#guess-mood').classList.contains('revealed')")
    assert "On average" in guess.locator("[role=status]").inner_text()
    guess.get_by_role("button", name="Try again").press("Enter")
    assert handle.first.get_attribute("aria-valuetext") == "not drawn"


def test_a_guess_is_drawn_by_touch(browser, address):
    page = new_page(browser, 390, 844, has_touch=True)
    open_story(page, address)
    area = page.locator("#guess-felt .guess-area")
    area.evaluate("e => e.scrollIntoView({ block: 'end' })")
    settle(page)
    box = area.bounding_box()
    page.touchscreen.tap(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    assert page.locator("#guess-felt .guess-handle.is-drawn").count() == 1
    assert page.locator("#guess-felt svg").first.evaluate("e => getComputedStyle(e).touchAction") == "none"
    page.context.close()


def test_numbers_in_the_text_can_be_dragged(story):
    until(story, "document.querySelector('#mood-now').textContent.includes('nine in ten')")
    until(story, "document.querySelector('#leading-way').textContent.length > 20")  # nothing above moves any more
    dose = story.locator("#mood-now .drag-number[aria-label=dose]")
    box = dose.bounding_box()
    story.mouse.move(box["x"] + 5, box["y"] + 5)
    story.mouse.down()
    story.mouse.move(box["x"] + 45, box["y"] + 5, steps=4)
    story.mouse.up()
    until(story, "document.querySelector('.current-scenario strong').textContent.includes('0.8 mg/kg')")
    assert dose.inner_text() == "0.8 mg/kg"
    assert dose.is_visible(), "the same node, so that a drag goes on"
    time = story.locator("#glutamate .drag-number")
    time.scroll_into_view_if_needed()
    time.focus()
    story.keyboard.press("End")
    until(story, "document.querySelector('#glutamate .drag-number').textContent.includes('30')")
    assert story.locator(".selected-time").inner_text().startswith("30")


def test_one_word_for_expectancy(story):
    until(story, "document.querySelector('.people-row') !== null")
    for level in ("plain", "expert"):
        choose(story, level)
        text = story.locator("body").inner_text()
        assert "expectancy" in text
        assert not re.search(r"\b(?:expectation|hope)\b", text)


@at_sizes("desktop", "phone")
def test_levels_and_guesses_have_no_accessibility_findings(story):
    choose(story, "expert")
    until(story, "document.querySelector('.people-row') !== null")
    story.locator("#guess-felt .guess-area").scroll_into_view_if_needed()
    story.locator("#mood .stage-excerpt").scroll_into_view_if_needed()
    story.locator("#mood .stage-excerpt .equation").wait_for()
    assert findings(story) == []
    assert fits_the_width(story)


def test_every_chapter_of_the_list_has_its_place(story):
    ids = story.evaluate("[...document.querySelectorAll('section.chapter')].map(e => e.id)")
    assert ids == list(CHAPTERS)
    titles = story.locator("section.chapter h2").all_inner_texts()
    assert all(title.endswith("?") for title in titles)


def test_of_100_people_how_many_are_affected(story, client):
    for row in TABLES["shares"]:
        request = {"track": row["track"], "until": 4, "patients": 100, "individuals": 100}
        scenario = {"treatments": ["racemic 0.5 mg/kg IV over 40 min"], "person": {"weight": "70 kg"}}
        answer = client.post("/api/population", json={"scenario": scenario, **request}).json()
        people = answer["curves"][0]["individuals"]
        count = sum(max(values) > row["threshold"] for values in people)
        place = story.locator(f"#share-{row['id']}")
        place.scroll_into_view_if_needed()
        until(story, f"/like these, [0-9]/.test(document.querySelector('#share-{row['id']} h3').textContent)")
        said = int(re.search(r"like these, (\d+)", place.locator("h3").inner_text())[1])
        assert said == pytest.approx(count, abs=2)
        assert 0 < said < 100
        assert place.locator("circle.is-affected").count() == said
        until(story, f"document.querySelector('#share-{row['id']} .caption').textContent.length > 20")
        assert not re.search(r"[{}?]", place.locator(".caption").inner_text())


def test_every_term_of_a_level_opens_its_card(story):
    choose(story, "expert")
    shown = story.evaluate("[...document.querySelectorAll('.chapter .term')].map(e => e.title.slice(8, -1))")
    assert {row["term"] for row in TABLES["glossary"]} == set(shown)
    for level in ("plain", "student", "expert"):
        choose(story, level)
        term = story.locator("#receptor .term:visible").first
        term.click()
        card = story.locator(".term-card:popover-open")
        assert len(card.locator("p").first.inner_text()) > 20
        story.keyboard.press("Escape")
