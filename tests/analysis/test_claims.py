"""Claims: the rule can go either way, the evidence exists, and the committed page says what the experiments give."""

import csv
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ketamech.analysis import claims as room
from ketamech.analysis.claims.evaluate_claims import evaluate_claims
from ketamech.analysis.claims.tables import DIRECTORY, load_claims, load_rule, load_rule_variants
from ketamech.analysis.claims.verdict_rule import claim_verdict
from ketamech.core import InputError, UnknownNameError
from ketamech.evidence import load_evidence

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"
LINE = re.compile(r"^\| \[`([\w-]+)`\]\(#[\w-]+\) \| .* \| ([\w ]+) \| (shown|not shown) \| \w+ \| [\d/]+ \|$", re.M)
ESKETAMINE = "esketamine-no-dissociation"


@pytest.fixture(scope="module")
def claims():
    return load_claims(load_evidence())


@pytest.fixture(scope="module")
def rule():
    return load_rule()[0]


@pytest.fixture(scope="module")
def answers(model):
    return evaluate_claims(model)


def turned(exhibits):
    return [replace(e, side="for" if e.side == "against" else "against") for e in exhibits]


def verdict(exhibits, level, rule):
    return claim_verdict(exhibits, level, rule).verdict


def test_every_experiment_gives_what_the_committed_page_says(answers):
    committed = {name: (word, model) for name, word, model in LINE.findall(PAGE.read_text(encoding="utf-8"))}
    assert committed == {
        name: (a.judgement.verdict, "shown" if a.shown else "not shown") for name, a in answers.items()
    }


def test_every_statement_people_meet_is_there(claims):
    text = " ".join(claim.statement.lower() for claim in claims.values())
    for word in (
        "1970", "2019", "nmda", "glutamate", "ampa", "bdnf", "connections", "within hours", "dissociative",
        "communication", "inflammation", "several ways", "suicidal", "chronic pain", "hallucinogen", "opioid",
        "hydroxynorketamine", "r-ketamine", "habenula", "memantine", "blood pressure", "repeated",
    ):  # fmt: skip
        assert word in text, word


def test_no_number_of_an_experiment_is_missing(answers):
    values = [result.value for answer in answers.values() for result in answer.outcomes]
    assert len(values) > 40
    assert all(value == value for value in values)


def test_every_verdict_follows_from_the_rule_and_not_from_the_model(answers, claims, rule):
    for name, answer in answers.items():
        assert answer.judgement == claim_verdict(claims[name].exhibits, claims[name].level, rule)


def test_a_model_that_shows_the_opposite_differs_and_bends_no_verdict(answers):
    answer = answers[ESKETAMINE]
    assert answer.agreement == "agrees"
    result = answer.outcomes[0]
    opposite = replace(answer, test_results=(replace(result, value=result.test.bound - 1),))
    assert (opposite.shown, opposite.agreement) == (True, "differs")
    assert opposite.judgement == answer.judgement


def test_the_esketamine_claim_is_contradicted_by_its_own_label_rows(claims, rule):
    label = [e for e in claims[ESKETAMINE].exhibits if e.row.id.startswith("spravato-diss-")]
    assert len(label) == 9
    assert verdict(claims[ESKETAMINE].exhibits, "people", rule) == "contradicted"
    assert verdict(label, "people", rule) == "contradicted"


def test_turning_its_rows_round_turns_the_esketamine_verdict(claims, rule):
    label = [e for e in claims[ESKETAMINE].exhibits if e.row.id.startswith("spravato-diss-")]
    assert verdict(turned(label), "people", rule) == "supported"
    assert verdict(turned(claims[ESKETAMINE].exhibits), "people", rule) == "supported"
    assert verdict([], "people", rule) == "not supported"


def test_rows_of_one_paper_count_once(claims, rule):
    rows = [e for e in claims[ESKETAMINE].exhibits if e.row.reference == "jnj-dissociation"]
    assert (
        claim_verdict(rows, "people", rule).weight_against
        == claim_verdict(rows[:1], "people", rule).weight_against
        == 4
    )


def test_animals_alone_never_support_a_claim_about_people(claims, rule):
    mice = [e for claim in claims.values() for e in claim.exhibits if e.strength == "animal"]
    all_for = [replace(e, side="for") for e in mice]
    assert claim_verdict(all_for, "people", rule).weight_for == rule["ceiling.animal"]
    assert verdict(all_for, "people", rule) == "mixed"
    assert verdict(all_for, "molecule", rule) == "supported"
    assert verdict(turned(all_for), "people", rule) == "not supported"


def test_more_evidence_for_never_worsens_a_verdict(claims, rule):
    order = ["contradicted", "not supported", "mixed", "supported"]
    strong = next(e for e in claims["mood"].exhibits if e.row.id == "kishimoto16-peak")
    for claim in claims.values():
        before = claim_verdict(claim.exhibits, claim.level, rule)
        extra = [*claim.exhibits, replace(strong, row=replace(strong.row, reference="another paper"))]
        if before.weight_for + before.weight_against >= rule["enough.total"]:
            assert order.index(verdict(extra, claim.level, rule)) >= order.index(before.verdict), claim.id


def test_small_and_recalled_rows_weigh_half(claims, rule):
    williams = next(e for e in claims["opioid-needed"].exhibits if e.row.id == "williams-block")
    memantine = next(e for e in claims["memantine"].exhibits if e.row.id == "mem-mdd-null")
    review = next(e for e in claims["inflammation"].exhibits if e.row.id == "kopra21-n")
    assert rule.weight(williams) == rule.weight(memantine) == rule["weight.human_trial"] / 2
    assert rule.weight(review) == rule["weight.human"]  # nine studies, not nine persons


def test_other_rules_move_some_verdicts(claims, rule):
    variants = load_rule_variants(rule)
    moved = {
        name
        for name, claim in claims.items()
        for other in variants.values()
        if verdict(claim.exhibits, claim.level, other) != verdict(claim.exhibits, claim.level, rule)
    }
    assert 0 < len(moved) < len(claims)
    assert ESKETAMINE not in moved


def test_every_claim_but_an_untested_one_has_evidence(claims):
    assert [name for name, claim in claims.items() if not claim.exhibits] == ["thought-pattern"]


def spoiled(folder, table, change):
    copy = folder / "claims"
    shutil.copytree(DIRECTORY, copy)
    path = copy / table
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    change(rows[0])
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return copy


@pytest.mark.parametrize(
    ("table", "cell", "value", "message"),
    [
        ("evidence.csv", "evidence", "fda-aproval", "fda-approval"),
        ("evidence.csv", "side", "pro", "for | against"),
        ("evidence.csv", "strength", "animal", "no such study"),
        ("evidence.csv", "claim", "mod", "mood"),
        ("experiments.csv", "protocol", "infusio", "infusion"),
        ("experiments.csv", "relation", "=", "< | >"),
        ("claims.csv", "level", "molecules", "people | molecule"),
        ("points.csv", "arm", "tms", "figure of this claim draws"),
    ],
)
def test_a_bad_cell_is_named_with_file_and_line(tmp_path, table, cell, value, message):
    copy = spoiled(tmp_path, table, lambda row: row.update({cell: value}))
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load_claims(load_evidence(), copy)
    assert f"{table}:2:" in str(caught.value)


def test_a_claim_without_an_experiment_is_refused(tmp_path):
    copy = spoiled(tmp_path, "experiments.csv", lambda row: None)
    rest = [line for line in (copy / "experiments.csv").open(encoding="utf-8") if not line.startswith("lasting,")]
    (copy / "experiments.csv").write_text("".join(rest), encoding="utf-8")
    with pytest.raises(InputError, match="'lasting' has no experiment"):
        load_claims(load_evidence(), copy)


def test_an_unknown_claim_suggests_the_nearest(model):
    with pytest.raises(UnknownNameError, match=ESKETAMINE):
        evaluate_claims(model, ["esketamine"])


def test_a_claim_asked_alone_gives_the_same_bits(model, answers):
    alone = evaluate_claims(model, ["suicidality"])
    assert list(alone) == ["suicidality"]
    assert [o.value for o in alone["suicidality"].test_results] == [o.value for o in answers["suicidality"].outcomes]


def test_the_public_names_of_the_room():
    assert all(hasattr(room, name) for name in room.__all__)
