"""Claims: the rule can go either way, the evidence exists, and the committed page says what the experiments give."""

import csv
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ketamech.analysis.claims import (
    DIRECTORY,
    claim_verdict,
    evaluate_claims,
    load_claims,
    load_rule,
    load_rule_variants,
)
from ketamech.core import InputError, UnknownNameError
from ketamech.evidence import load_evidence

PAGE = Path(__file__).parents[3] / "docs" / "claims.md"
LINE = re.compile(
    r"^\| \[`([\w-]+)`\]\(#[\w-]+\) \| .* \| ([\w ]+) \| (shown|not shown) \| \w+ \| [\d/]+ \| [^|]*\|$", re.M
)
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
    assert committed == {name: (a.verdict.verdict, "shown" if a.shown else "not shown") for name, a in answers.items()}


def test_every_statement_people_meet_is_there(claims):
    text = " ".join(claim.statement.lower() for claim in claims.values())
    for word in (
        "1970", "2019", "nmda", "glutamate", "ampa", "bdnf", "connections", "within hours", "dissociative",
        "communication", "inflammation", "several ways", "suicidal", "chronic pain", "hallucinogen", "opioid",
        "hydroxynorketamine", "r-ketamine", "habenula", "memantine", "blood pressure", "repeated",
    ):  # fmt: skip
        assert word in text, word


def test_no_number_of_an_experiment_is_missing(answers):
    values = [result.value for answer in answers.values() for result in answer.test_results]
    assert len(values) > 40
    assert all(value == value for value in values)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def verdict_from_tables(claim, level):
    """The verdict on a claim computed a second time, from the CSV files alone, as docs/claims.md describes the rule."""
    rule = {row["name"]: float(row["value"]) for row in rows_of(DIRECTORY / "rule.csv")}
    tables = (DIRECTORY.parent / "evidence").glob("*.csv")
    published = {row["id"]: row for path in tables for row in rows_of(path)}
    humans = ("record", "human trial", "human")
    sums, human_sums = {}, {}
    for side in ("for", "against"):
        papers = {}
        for item in rows_of(DIRECTORY / "evidence.csv"):
            if (item["claim"], item["side"]) == (claim, side):
                row, strength = published[item["evidence"]], item["strength"]
                weight = rule["weight." + strength.replace(" ", "_")]
                few = row["n"].isdigit() and int(row["n"]) < rule["small.persons"]
                if few and strength in ("human trial", "human") and row["unit"] not in ("studies", "effect sizes"):
                    weight *= rule["small.factor"]
                if row["reading_source"] == "recalled":
                    weight *= rule["recalled.factor"]
                papers[row["reference"]] = max(papers.get(row["reference"], (0.0, "")), (weight, strength))
        total = {kind: sum(w for w, k in papers.values() if k == kind) for kind in (*humans, "animal", "in vitro")}
        if level == "people":
            total["animal"] = min(total["animal"], rule["ceiling.animal"])
            total["in vitro"] = min(total["in vitro"], rule["ceiling.in_vitro"])
        sums[side] = sum(total.values())
        human_sums[side] = sum(total[kind] for kind in humans) if level == "people" else sums[side]
    whole = sums["for"] + sums["against"]
    if whole < rule["enough.total"]:
        return "not supported"
    balance = (sums["for"] - sums["against"]) / whole
    if balance >= rule["lean"]:
        return "supported" if human_sums["for"] >= rule["enough.people"] else "mixed"
    if balance > -rule["lean"]:
        return "mixed"
    return "contradicted" if human_sums["against"] >= rule["enough.people"] else "not supported"


def test_every_verdict_is_what_the_tables_give(answers, claims):
    again = {name: verdict_from_tables(name, claim.evidence_level) for name, claim in claims.items()}
    assert again == {name: answer.verdict.verdict for name, answer in answers.items()}
    assert len(set(again.values())) == 4


def test_what_the_model_shows_is_what_its_numbers_and_the_bounds_give(answers):
    bounds = {}
    for row in rows_of(DIRECTORY / "experiments.csv"):
        bounds.setdefault(row["claim"], []).append((row["relation"], float(row["bound"])))
    for name, answer in answers.items():
        values = [result.value for result in answer.test_results]
        met = [x < b if sign == "<" else x > b for x, (sign, b) in zip(values, bounds[name], strict=True)]
        assert answer.shown == all(met), name
        for i, (result, (sign, bound)) in enumerate(zip(answer.test_results, bounds[name], strict=True)):
            failing = replace(result, value=bound + 1 if sign == "<" else bound - 1)
            others = [
                replace(r, value=r.test.bound - 1 if r.test.relation == "<" else r.test.bound + 1)
                for r in answer.test_results
            ]
            assert replace(answer, test_results=tuple(others)).shown
            assert not replace(answer, test_results=(*others[:i], failing, *others[i + 1 :])).shown


def test_a_model_that_shows_the_opposite_differs_and_bends_no_verdict(answers):
    answer = answers[ESKETAMINE]
    assert answer.agreement == "agrees"
    result = answer.test_results[0]
    opposite = replace(answer, test_results=(replace(result, value=result.test.bound - 1),))
    assert (opposite.shown, opposite.agreement) == (True, "differs")
    assert opposite.verdict == answer.verdict


def test_the_esketamine_claim_is_contradicted_by_its_own_label_rows(claims, rule):
    label = [e for e in claims[ESKETAMINE].evidence_items if e.row.id.startswith("spravato-diss-")]
    assert len(label) == 9
    assert verdict(claims[ESKETAMINE].evidence_items, "people", rule) == "contradicted"
    assert verdict(label, "people", rule) == "contradicted"


def test_swapping_the_sides_of_its_rows_reverses_the_esketamine_verdict(claims, rule):
    label = [e for e in claims[ESKETAMINE].evidence_items if e.row.id.startswith("spravato-diss-")]
    assert verdict(turned(label), "people", rule) == "supported"
    assert verdict(turned(claims[ESKETAMINE].evidence_items), "people", rule) == "supported"
    assert verdict([], "people", rule) == "not supported"


def test_rows_of_one_paper_count_once(claims, rule):
    rows = [e for e in claims[ESKETAMINE].evidence_items if e.row.reference == "jnj-dissociation"]
    assert (
        claim_verdict(rows, "people", rule).weight_against
        == claim_verdict(rows[:1], "people", rule).weight_against
        == 4
    )


def test_animals_alone_never_support_a_claim_about_people(claims, rule):
    mice = [e for claim in claims.values() for e in claim.evidence_items if e.strength == "animal"]
    all_for = [replace(e, side="for") for e in mice]
    assert claim_verdict(all_for, "people", rule).weight_for == rule["ceiling.animal"]
    assert verdict(all_for, "people", rule) == "mixed"
    assert verdict(all_for, "molecule", rule) == "supported"
    assert verdict(turned(all_for), "people", rule) == "not supported"


def test_more_evidence_for_never_worsens_a_verdict(claims, rule):
    order = ["contradicted", "not supported", "mixed", "supported"]
    strong = next(e for e in claims["mood"].evidence_items if e.row.id == "kishimoto16-peak")
    for claim in claims.values():
        before = claim_verdict(claim.evidence_items, claim.evidence_level, rule)
        extra = [*claim.evidence_items, replace(strong, row=replace(strong.row, reference="another paper"))]
        if before.weight_for + before.weight_against >= rule["enough.total"]:
            assert order.index(verdict(extra, claim.evidence_level, rule)) >= order.index(before.verdict), claim.id


def test_small_and_recalled_rows_weigh_half(claims, rule):
    williams = next(e for e in claims["opioid-needed"].evidence_items if e.row.id == "williams-block")
    memantine = next(e for e in claims["memantine"].evidence_items if e.row.id == "mem-mdd-null")
    review = next(e for e in claims["inflammation"].evidence_items if e.row.id == "kopra21-n")
    assert rule.weight(williams) == rule.weight(memantine) == rule["weight.human_trial"] / 2
    assert rule.weight(review) == rule["weight.human"]  # nine studies, not nine persons


def test_other_rules_move_some_verdicts(claims, rule):
    variants = load_rule_variants(rule)
    moved = {
        name
        for name, claim in claims.items()
        for other in variants.values()
        if verdict(claim.evidence_items, claim.evidence_level, other)
        != verdict(claim.evidence_items, claim.evidence_level, rule)
    }
    assert 0 < len(moved) < len(claims)
    assert ESKETAMINE not in moved


def test_every_claim_has_evidence_and_contested_ones_on_both_sides(claims):
    assert [name for name, claim in claims.items() if not claim.evidence_items] == []
    for name in ("suicidality", "faster", "inflammation", "glutamate-rises", "many-ways", "mood", "opioid-needed"):
        assert claims[name].evidence_of_side("for"), name
        assert claims[name].evidence_of_side("against"), name


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


def test_a_single_claim_gives_the_same_bits(model, answers):
    alone = evaluate_claims(model, ["suicidality"])
    assert list(alone) == ["suicidality"]
    assert [o.value for o in alone["suicidality"].test_results] == [
        o.value for o in answers["suicidality"].test_results
    ]
