"""Downloads: data for other programs, and the one-page report."""

import io

import numpy as np
import pandas as pd
import pytest

from ketamech import simulate


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
def test_the_scenario_is_exported_as_text(client, infusion, kind, holds):
    assert holds in client.post(f"/api/export/{kind}", json={"scenario": infusion}).text


def test_the_one_page_report_states_results_limits_and_the_disclaimer(client, infusion):
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


def test_the_one_page_report_has_one_page(client, infusion):
    content = client.post("/api/report/pdf", json={"scenario": infusion}).content
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page ") + content.count(b"/Type /Page\n") == 1


def test_the_one_page_report_keeps_limits_and_sources_with_many_treatments(model):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from ketamech.report.patient_summary import LEFT, LIMITS, RIGHT, patient_summary, sheet, wrapped
    from ketamech.report.run_folder import collect_report
    from ketamech.simulation.load_scenario import load_scenario

    many = "; ".join(f"racemic 0.{i} mg/kg IV over 40 min at day {i}" for i in range(1, 10))
    scenario = load_scenario(many)
    found = patient_summary(collect_report(simulate(scenario, model=model), scenario, model, "typed"))
    assert "and 5 more treatments" in found.simulated[0]
    assert set(LIMITS) < set(found.limits)
    assert found.papers
    figure = sheet(8.27, 11.69)
    room = (RIGHT - LEFT) * 8.27 * figure.dpi
    for line in wrapped("; ".join(found.papers) + " " + "W" * 300, (RIGHT - LEFT) * 8.27 * 72, 7.4):
        drawn = figure.text(0, 0, line, size=7.4)
        assert drawn.get_window_extent(FigureCanvasAgg(figure).get_renderer()).width <= 1.02 * room, line


def test_a_long_title_and_special_characters_do_not_break_the_report(client, infusion):
    infusion["title"] = "$\\frac{1}{0}$ " + "ü" * 150
    assert client.post("/api/report/pdf", json={"scenario": infusion}).status_code == 200


def test_a_table_too_large_for_a_browser_is_refused_before_it_is_written(client, infusion):
    infusion |= {"treatments": ["racemic 0.5 mg/kg IV over 40 min daily for 60 weeks"], "horizon": "600 days"}
    answer = client.post("/api/export/csv", json={"scenario": infusion})
    assert answer.status_code == 429
    assert "Parquet" in answer.json()["expected"]
