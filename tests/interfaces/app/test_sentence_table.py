"""Every sentence of the story is in data/story/sentences.csv: those about a figure are compared with the model, those
before a badge with the verdict of its claim.

sentence_checks.csv holds the number and its bound (columns of data/claims/experiments.csv) for each sentence about a
figure, sentence_arms.csv the treatments (columns of data/claims/arms.csv).
"""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from ketamech.analysis.claims import claim_verdict, load_claims, load_rule
from ketamech.analysis.reference_protocols import load_protocols, simulate_protocols
from ketamech.analysis.scorecard_targets import measure
from ketamech.app.server import STATIC
from ketamech.core.csv_table import read_records, read_table
from ketamech.core.environment import DATA
from ketamech.evidence import load_evidence

FOLDER, CHECKS = DATA / "story", Path(__file__).parent
SENTENCES = {row["id"]: row for row in read_records(FOLDER / "sentences.csv")}
PARAGRAPHS = list(read_records(FOLDER / "paragraphs.csv"))
CHECK_COLUMNS = (
    "sentence", "protocol", "output", "relative_to", "statistic", "time", "level", "control_contrast", "factor",
    "relation", "bound",
)  # fmt: skip
VERDICTS = {
    "asserts": {"supported"},
    "denies": {"contradicted", "not supported"},
    "open": {"mixed", "not supported"},
}


def divided(text):
    return re.split(r"(?<=[.?!])\s+(?=[A-Z])", text)


def of_the_page():
    """Every sentence of the page by its id: title, lead, and those of each chapter in order."""
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    yield "title", re.search(r'<h1 id="title">(.*?)</h1>', html)[1]
    yield "lead", divided(re.search(r'id="lead">(.*?)</p>', html)[1])[0]
    counts = defaultdict(int)
    for row in PARAGRAPHS:
        for sentence in divided(row["text"]):
            counts[row["chapter"]] += 1
            yield f"{row['chapter']}-{counts[row['chapter']]}", sentence
    for row in read_records(FOLDER / "guesses.csv"):
        for i, sentence in enumerate(divided(row["lesson"]), start=1):
            yield f"guess-{row['id']}-{i}", sentence


def checks():
    found = defaultdict(list)
    for row in read_table(CHECKS / "sentence_checks.csv", CHECK_COLUMNS):
        found[row["sentence"]].append((row["protocol"], measure(row), row["relation"], row.number("bound")))
    return found


def test_the_table_has_every_sentence_of_all_chapters():
    page = dict(of_the_page())
    assert {name: row["sentence"] for name, row in SENTENCES.items()} == page
    chapters = {row["id"] for row in read_records(FOLDER / "chapters.csv")}
    assert {name.split("-")[0] for name in page} == chapters | {"title", "lead", "guess"}


def test_every_sentence_about_a_figure_has_a_check_and_no_other_has_one():
    tests = ast.parse(Path(__file__).with_name("test_story_sentences.py").read_text(encoding="utf-8"))
    functions = {node.name for node in tests.body if isinstance(node, ast.FunctionDef)}
    checked = set(checks())
    for name, row in SENTENCES.items():
        assert row["kind"] in ("figure", "published", "background"), name
        assert (row["kind"] == "figure") == (name in checked or bool(row["test"])), name
        assert not row["test"] or row["test"] in functions, name
    words = re.compile(r"^In the model|[Tt]he model (?:includes|contains)|[Tt]he dashed line|(?:every|each) curve")
    for name, row in SENTENCES.items():
        if words.search(row["sentence"]):
            assert row["kind"] == "figure", f"{name} states what a figure shows"


@pytest.fixture(scope="module")
def courses(model):
    """Protocols by id, and the time course of each."""
    arms = load_protocols(CHECKS / "sentence_arms.csv")
    moments = {
        float(hour)
        for ones in checks().values()
        for _, observable, _, _ in ones
        for hour in re.findall(r"[\d.]+", observable.time)
    }
    return arms, simulate_protocols(model, arms.values(), sorted(moments))


@pytest.mark.parametrize("name", list(checks()))
def test_the_model_shows_what_the_sentence_states(courses, name):
    arms, curves = courses
    for arm, observable, relation, bound in checks()[name]:
        value = observable.read(curves[arm], curves.get(arms[arm].control))
        passed = value < bound if relation == "<" else value > bound
        assert passed, f"{arm}: {observable.output} is {value:g}, not {relation} {bound:g}"


def test_every_protocol_is_used():
    arms = load_protocols(CHECKS / "sentence_arms.csv")
    used = {arm for ones in checks().values() for arm, *_ in ones}
    assert used | {arms[name].control for name in used} >= set(arms)


def test_each_badge_follows_one_sentence_that_agrees_with_its_verdict():
    claims, (rule, _) = load_claims(load_evidence()), load_rule()
    verdicts = {
        name: claim_verdict(one.evidence_items, one.evidence_level, rule).verdict for name, one in claims.items()
    }
    said = {name: row["says"] for row in SENTENCES.values() for name in filter(None, row["claims"].split(";"))}
    badges = [name for row in PARAGRAPHS for name in filter(None, row["claims"].split(";"))]
    assert sorted(badges) == sorted(said), "each badge has one sentence that speaks of its claim"
    for name, says in said.items():
        assert verdicts[name] in VERDICTS[says], f"the sentence {says} {name}, which is {verdicts[name]}"
    own = {id_: set(filter(None, row["claims"].split(";"))) for id_, row in SENTENCES.items()}
    ids = iter(list(own)[2:])
    for row in PARAGRAPHS:
        of_paragraph = [own[next(ids)] for _ in divided(row["text"])]
        assert set().union(*of_paragraph) == set(filter(None, row["claims"].split(";"))), row["text"]


def test_a_false_sentence_would_be_found(courses):
    arms, curves = courses
    _, weeks, _, _ = checks()["title"][1]
    later = type(weeks)(weeks.output, weeks.relative_to, weeks.statistic, "504", 0.0, weeks.control_contrast)
    assert later.read(curves["infusion"], curves[arms["infusion"].control]) > -1, "the effect does not last three weeks"
