"""Evidence, claims, equations and attribution as the page gets them."""

import re

import pytest

INFUSION = {"treatments": ["racemic 0.5 mg/kg IV over 40 min"], "person": {"weight": "70 kg"}, "horizon": "7 days"}


def test_evidence_comes_with_its_source(client):
    rows = client.get("/api/evidence", params={"ids": "murrough13-ket-24h-abs,none-such"}).json()
    assert rows["total"] == 1
    assert "Murrough 2013" in rows["rows"][0]["citation"]
    assert client.get("/api/evidence", params={"text": "norketamine"}).json()["total"] > 10
    assert client.get("/api/evidence", params={"text": "no such words at all"}).json()["rows"] == []


def test_evidence_comes_in_pages_that_the_filters_choose(client):
    def get(**query):
        return client.get("/api/evidence", params=query).json()

    whole, human = get(text="ketamine", limit=400), get(text="ketamine", species="human", limit=10)
    assert whole["counts"]["species"]["human"] == human["total"] < whole["total"]
    assert len(human["rows"]) == 10
    second = get(text="ketamine", species="human", limit=10, first=10)
    assert second["first"] == 10
    assert not {row["id"] for row in human["rows"]} & {row["id"] for row in second["rows"]}
    assert {row["species"] for row in second["rows"]} == {"human"}
    assert sum(human["counts"]["use"].values()) == human["total"], "numbers of a filter count what the others choose"
    assert client.get("/api/evidence", params={"limit": 0}).status_code == 422


def test_the_chain_places_every_stage_below_what_it_reads(client, model):
    chain = client.get("/api/chain").json()
    place = {node["name"]: node for node in chain["nodes"]}
    assert list(place) == [stage.name for stage in model.system.stages]
    assert len({(node["layer"], node["place"]) for node in chain["nodes"]}) == len(place), "no two in one place"
    for link in chain["links"]:
        lower = place[link["source"]]["layer"] < place[link["target"]]["layer"]
        assert lower or link["feedback"], link
        assert set(link["quantities"]) <= set(model.system.stage_of)
    read = {(link["source"], link["target"]) for link in chain["links"]}
    assert {("pharmacokinetics", "brain"), ("brain", "nmda"), ("plasticity", "spines"), ("mood", "suicidality")} <= read
    assert place["nmda"]["parameters"] >= place["nmda"]["assumed"] > 0


def test_every_stage_has_a_label(model):
    from ketamech.report.model_page import load_stage_labels

    assert set(load_stage_labels()) == {stage.name for stage in model.system.stages}


def test_layers_are_untangled():
    from ketamech.report.model_page import crossings, ordered_layers

    links = [("a", "d"), ("b", "c")]
    assert ordered_layers("abcd", links) in ([["a", "b"], ["d", "c"]], [["b", "a"], ["c", "d"]])
    assert crossings(["ab", "cd"], links) == 1
    with pytest.raises(ValueError, match="against the order"):
        ordered_layers("ab", [("b", "a")])


def test_a_stage_comes_with_equations_reasons_and_sources(client):
    page = client.get("/api/stages/spines").json()
    assert any("d nascent / dt" in equation["left"] for equation in page["equations"])
    assert all(len(why) > 5 for equation in page["equations"] for _, why in equation["terms"])
    named = {row[0] for row in page["parameters"]}
    assert page["papers"]
    assert all(set(paper["parameters"]) <= named and paper["evidence"] for paper in page["papers"])
    assert client.get("/api/stages/spine").status_code == 404


def test_every_badge_of_the_story_names_a_claim_that_exists(client):
    claims = client.get("/api/claims").json()
    paragraphs = client.get("/api/metadata").json()["story"]["paragraphs"]
    named = {name for row in paragraphs for name in row["claims"].split(";") if name}
    assert len(named) >= 15
    assert named <= set(claims)
    assert claims["esketamine-no-dissociation"]["verdict"] == "contradicted"
    one = client.get("/api/claims/esketamine-no-dissociation").json()
    assert {"description", "passed", "value", "unit", "relation", "bound", "with_expectancy"} == set(one["results"][0])
    (habenula,) = client.get("/api/claims/habenula-alone").json()["results"]
    assert (habenula["relation"], habenula["bound"], habenula["with_expectancy"]) == ("<", 0.2, False)
    assert habenula["passed"] == (habenula["value"] < habenula["bound"])
    assert client.get("/api/claims/mood").json()["results"][0]["with_expectancy"]
    assert one["n_same_verdict"] <= one["n_rule_variants"]
    assert client.get("/api/claims/none").status_code == 404
    for name, row in ((name, claim["robustness"]) for name, claim in claims.items()):
        assert row is None or (0 <= row["holds_share"] <= 1 and row["is_consequence"] == (row["holds_share"] < 0.9)), (
            name
        )
        assert row is None or ("consequence of an assumption" in row["text"]) == row["is_consequence"]
        assert row is None or "sets of" in row["note"]
    assert any(claim["robustness"] for claim in claims.values())


def test_every_track_of_the_story_exists(client):
    import re
    from pathlib import Path

    import ketamech.app

    text = (Path(ketamech.app.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    named = {key for keys in re.findall(r'data-tracks="([^"]+)"', text) for key in keys.split()}
    assert named <= {track["key"] for track in client.get("/api/metadata").json()["tracks"]}


def test_tracks_of_animals_are_marked(client):
    tracks = client.get("/api/metadata").json()["tracks"]
    assert {track["key"] for track in tracks if track["animals_only"]} == {"behaviour"}


def test_attribution_adds_up(client):
    begun = client.post("/api/jobs/attribution", json={"scenario": INFUSION, "draws": 0}).json()
    with client.stream("GET", f"/api/jobs/{begun['id']}/events") as news:
        assert list(news.iter_lines())
    found = client.get(f"/api/jobs/{begun['id']}").json()["result"]
    day = next(row for row in found["totals"] if row["endpoint"].startswith("MADRS at 24 h"))
    shares = [row["shapley"] for row in found["table"] if row["endpoint"] == day["endpoint"]]
    assert sum(shares) == pytest.approx(day["pathways"], rel=1e-3)
    assert found["sentences"]
    assert len(found["contributions"]) == len(found["components"])


def test_every_badge_of_the_story_names_a_claim_or_rows_that_exist(client):
    from ketamech.evidence import load_evidence

    claims = client.get("/api/claims").json()
    metadata = client.get("/api/metadata").json()
    paragraphs, pathways = metadata["story"]["paragraphs"], metadata["pathways"]
    named = [name for row in paragraphs for name in row["claims"].split(";") if name]
    named += [name for row in pathways for name in row["claims"]]
    assert len(named) > 25
    assert set(named) <= set(claims)
    assert {claims[name]["verdict"] for name in named} == {"supported", "mixed", "contradicted", "not supported"}
    rows = [name for row in paragraphs for name in row["evidence"].split(";") if name]
    rows += [name for row in pathways for name in row["evidence"]]
    assert set(rows) <= set(load_evidence().observations)


def test_the_card_of_blood_pressure_states_the_value_of_each_row(client):
    claim = client.get("/api/claims").json()["blood-pressure"]
    rows = claim["evidence_for"] + claim["evidence_against"]
    assert len({row["description"] for row in rows}) == len(rows), "each row has a description of its own"
    for row in rows:
        assert "placebo" not in row["drug"], "a control arm is no evidence of its own"
        value = float(row["value"])
        assert re.search(rf"\b(?:{value:g}|{value:.0f}) (?:%|mmHg|h)", row["description"]), row["id"]
    stated = {row["id"]: row["value"] for row in rows}
    assert (stated["label-bp-sbp40-esk"], stated["label-bp-sbp40-esk65"]) == ("8", "17")
    assert "8 of 100 patients on the spray and in 17 of 100 from 65 years, against 0.5 and 2 of 100" in claim["note"]


def test_a_drug_is_one_entry_of_the_filter_and_keeps_the_words_of_its_sources(client):
    def get(**query):
        return client.get("/api/evidence", params=query).json()

    counts = get(limit=1)["counts"]["drug"]
    assert not {"S-ketamine", "R-ketamine", "saline"} & set(counts)
    found = get(drug="esketamine", limit=400)
    assert found["total"] == counts["esketamine"] > 400
    assert {"esketamine", "S-ketamine"} <= {row["drug"] for row in found["rows"]}
    assert all("esketamine" in row["compounds"] for row in found["rows"])
    together = get(drug="naltrexone")
    assert {row["drug"] for row in together["rows"]} >= {"racemic ketamine + naltrexone"}, "with another drug, too"
    assert get(drug="esketamine", text="olofsen")["total"] > 0
