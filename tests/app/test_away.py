"""Downloads: data that open elsewhere, and one page in plain words."""

import io

import numpy as np
import pandas as pd
import pytest

from ketamech.study import simulate


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_data_hold_every_output_of_treated_and_control(client, model, infusion, kind):
    answer = client.post(f"/api/export/{kind}", json={"scenario": infusion})
    assert f"ketamech-curves.{kind}" in answer.headers["content-disposition"]
    held = io.BytesIO(answer.content)
    table = pd.read_csv(held) if kind == "csv" else pd.read_parquet(held)
    curves = simulate("racemic 0.5 mg/kg IV over 40 min", model=model)
    mine = table[(table.variable == "mood.madrs") & (table.patient == "treated")]
    assert np.allclose(mine["value"], curves["mood.madrs"].values[0], rtol=1e-4)
    assert set(table.variable) == set(map(str, curves.data_vars))


@pytest.mark.parametrize(
    ("kind", "holds"), [("yaml", "treatments:"), ("py", "ketamech.simulate("), ("sh", "ketamech simulate")]
)
def test_the_scenario_travels_as_text(client, infusion, kind, holds):
    assert holds in client.post(f"/api/export/{kind}", json={"scenario": infusion}).text


def test_the_one_page_says_what_happened_how_sure_and_that_it_is_no_advice(client, infusion):
    infusion["title"] = "Mine & <script>alert(1)</script>"
    answer = client.post("/api/report/html", json={"scenario": infusion})
    text = answer.text
    assert "not medical advice" in text
    assert "not treatment or dosing advice" in text
    assert "Depression (MADRS, 0 to 60): 33" in text
    assert "are assumed" in text
    assert "Murrough 2013" in text
    assert "<script>" not in text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_one_page_is_one_page(client, infusion):
    content = client.post("/api/report/pdf", json={"scenario": infusion}).content
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page ") + content.count(b"/Type /Page\n") == 1


def test_a_long_title_and_odd_letters_do_not_break_the_page(client, infusion):
    infusion["title"] = "$\\frac{1}{0}$ " + "ü" * 150
    assert client.post("/api/report/pdf", json={"scenario": infusion}).status_code == 200
