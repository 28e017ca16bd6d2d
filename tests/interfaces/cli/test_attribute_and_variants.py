"""`ketamech attribute` and `ketamech variants`: what they write, and one clear error for bad input."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from command_line import run
from ketamech.analysis.network import load_readouts
from ketamech.exchange.result_io import metadata_of
from ketamech.report.bibliography import cite
from scripts import publish

INFUSION = "racemic 0.5 mg/kg IV over 40 min"


def test_a_scenario_is_attributed_in_a_table_in_words_and_on_a_page(tmp_path):
    code, out, err = run("attribute", INFUSION, "--draws", "8", "--out", "why", cwd=tmp_path)
    assert code == 0
    assert out.startswith("endpoint\tpathway\tshapley")
    assert "Lateral habenula:" in err
    assert "parameters, " in err
    assert "not treatment or dosing advice" in " ".join(err.split())
    page = (tmp_path / "why" / "attribution.html").read_text(encoding="utf-8")
    assert "not treatment or dosing advice" in page
    assert "course.svg" in page
    table = pd.read_csv(tmp_path / "why" / "shapley.csv", comment="#")
    assert table["endpoint"].nunique() >= 12
    assert metadata_of(tmp_path / "why" / "course.csv")["ketamech seed"] == "1"
    assert cite(tmp_path / "why" / "shapley.csv")
    for name in ("course.svg", "shares.png", "totals.csv", "dependence.csv"):
        assert (tmp_path / "why" / name).is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["attribute", INFUSION, "--endpoints", "mood.madrss at 24 h"], "mood.madrs"),
        (["attribute", INFUSION, "--model-average", INFUSION], "'attribute' has no option '--model-average'"),
        (["variants", "--draws", "5"], "'variants' has no option '--draws'"),
        (["attribute", INFUSION, "--variant", "opiod-gate"], "opioid-gate"),
        (["variants", "--model-average", "ketamin 1 mg/kg IV"], "ketamin"),
        (["attribute", "variant"], "ketamech variants"),
        (["simulate", INFUSION, "--variant", "metabolit"], "metabolite"),
    ],
)
def test_what_makes_no_sense_is_one_clear_error(arguments, words, tmp_path):
    code, _, err = run(*arguments, cwd=tmp_path)
    assert code == 2
    assert words in err
    assert "Traceback" not in err
    assert not any(tmp_path.iterdir())


def test_variants_are_compared_on_a_page(tmp_path):
    code, out, _ = run("variants", "--out", "w", cwd=tmp_path)
    assert code == 0
    lines = out.strip().splitlines()
    assert lines[0].startswith("variant\tprobability")
    assert {line.split("\t")[0] for line in lines[1:]} >= {"several-routes", "metabolite", "averaged"}
    page = (tmp_path / "w" / "variants.html").read_text(encoding="utf-8")
    assert "several-routes: for it gerhard-kd-gad1; eef2k-ko; miller-occl; against it gideons-mem-behav" in page
    rows = pd.read_csv(tmp_path / "w" / "rows.csv", comment="#")
    assert {"clinical", "perturbation", "unfitted"} == set(rows["kind"])
    assert cite(tmp_path / "w" / "variants.csv") == cite(tmp_path / "w" / "rows.csv")


def test_the_network_is_predicted_in_a_table_and_a_figure(tmp_path):
    ended = run("network", INFUSION, "--draws", "20", "--out", "areas", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("readout\thours\trelative_change\tlow\thigh\trising_share")
    for name in ("areas/areas.csv", "areas/areas.svg"):
        assert (tmp_path / name).stat().st_size > 200


def test_the_page_of_predicted_networks_has_every_readout_and_its_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "DOCS", tmp_path)
    publish.network(INFUSION, draws=20)
    text = (tmp_path / "predictions" / "network.md").read_text(encoding="utf-8")
    assert all(f"| {label} |" in text for label in load_readouts().values())
    assert (tmp_path / "predictions" / re.search(r"\((\S+\.png)\)", text)[1]).stat().st_size > 200
