"""Jobs: progress, result, cancel, failure report, and limits."""

import io
import json
import re
import threading
import time
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from ketamech.app.app_state import Limits, LruCache
from ketamech.app.jobs import Job, Jobs, LimitExceeded, ResultWithFiles, differing_settings
from ketamech.app.schemas import SampleSizeRequest, TrialRequest
from ketamech.app.trial_tasks import TrialTask, _verdict, _why_ended, planned_trial
from ketamech.core import SolverError
from ketamech.evidence import load_evidence
from ketamech.trials.analysis.sample_size import SampleSize
from waits import PATIENCE, until_true

TRIAL = {"arms": {"drug": "racemic 0.5 mg/kg IV over 40 min", "none": "placebo IV"}, "patients_per_arm": 12,
         "replicates": 3, "days": [1, 7, 14]}  # fmt: skip
ADAPTIVE = "esketamine 56 mg nasal on day 1, then 56 to 84 mg by response and tolerability on days 4, 8, 11"


def finished(client, number):
    states = []
    with client.stream("GET", f"/api/jobs/{number}/events") as news:
        for line in news.iter_lines():
            if line.startswith("data: "):
                states.append(json.loads(line[6:]))
    return states


def test_a_trial_reports_its_progress_and_ends_with_its_tables(client):
    begun = client.post("/api/jobs/trial", json=TRIAL).json()
    states = finished(client, begun["id"])
    assert states[-1]["state"] == "done"
    assert [s["progress"] for s in states] == sorted(s["progress"] for s in states)
    found = client.get(f"/api/jobs/{begun['id']}").json()["result"]
    assert {row["arm"] for row in found["means"]["MADRS"]} == {"drug", "none"}
    assert found["power"][-1]["patients_per_arm"] == 12
    again = client.post("/api/jobs/trial", json=TRIAL).json()
    finished(client, again["id"])
    assert client.get(f"/api/jobs/{again['id']}").json()["result"] == found, "the same seed, the same trial"


def done(client, path, request):
    begun = client.post(path, json=request)
    assert begun.status_code == 200, begun.text
    assert finished(client, begun.json()["id"])[-1]["state"] == "done"
    return client.get(f"/api/jobs/{begun.json()['id']}").json()


def test_relapse_in_a_published_trial_stands_beside_its_simulation(engine, monkeypatch):
    import ketamech.app.trial_tasks as tasks

    monkeypatch.setattr(tasks, "statistic", lambda target, data: np.array([0.4, 0.6]))
    request = TrialRequest.model_validate({"shipped": "sustain1", "replicates": 2})
    task = tasks.TrialTask.of(engine, request)
    rows = {row["id"]: row for row in tasks._published(task, task.trial, None)}
    ratio, observations = rows["sustain1-hr-rem"], load_evidence().observations
    assert (ratio["statistic"], ratio["unit"], ratio["against"]) == ("hazard ratio", "ratio", "placebo")
    assert ratio["published"] == observations["sustain1-hr-rem"].value
    assert ratio["published_low"] < ratio["published"] < ratio["published_high"]
    assert rows["sustain1-relapse-esk"]["unit"] == "% of patients"


def test_the_placebo_of_a_trial_has_the_visits_of_the_arm_with_the_most(client):
    arms = {"infusion": "racemic 0.5 mg/kg IV over 40 min", "spray": "esketamine 84 mg nasal twice weekly for 2 weeks"}
    found = done(client, "/api/jobs/trial", {**TRIAL, "arms": arms, "control": "placebo"})["result"]
    placebo = next(arm for arm in found["arms"] if arm["name"] == "placebo")
    assert placebo["treatment"] == "placebo nasal twice weekly for 2 weeks"
    assert any("those of 'infusion' differ" in text for text in found["assumptions"])


def test_arms_of_a_double_dummy_trial_have_the_same_visits(engine):
    arms = {"infusion": "racemic 0.5 mg/kg IV over 40 min", "spray": "esketamine 84 mg nasal twice weekly for 2 weeks"}
    request = {**TRIAL, "arms": arms, "control": "double-dummy"}
    trial, text = planned_trial(engine, TrialRequest.model_validate(request))
    treatments = {arm.name: arm.treatment for arm in trial.arms}
    assert treatments["infusion"] == "racemic ketamine 0.5 mg/kg IV over 40 min; placebo nasal twice weekly for 2 weeks"
    assert "placebo IV over 40 min" in treatments["spray"]
    visits = {tuple(arm.regimen.starts(trial.horizon)) for arm in trial.arms}
    assert len(visits) == 1, "the arms differ in their drug only"
    assert "double-dummy" in text
    assert not any("differ" in assumption for assumption in trial.assumptions)
    for other in ({"blinding": "open"}, {"arms": {**arms, "adaptive": ADAPTIVE}}):
        trial, _ = planned_trial(engine, TrialRequest.model_validate({**request, **other}))
        assert trial.assumptions[0].startswith("no placebo visits are added to the arms, because ")
        assert any("those of 'infusion' differ" in assumption for assumption in trial.assumptions)
    same = {**request, "arms": {"low": arms["infusion"].replace("0.5", "0.2"), "high": arms["infusion"]}}
    trial, _ = planned_trial(engine, TrialRequest.model_validate(same))
    assert trial.assumptions == ()
    assert [arm.treatment for arm in trial.arms][-1] == "placebo IV over 40 min"


def test_a_shipped_trial_has_its_own_number_of_patients(client):
    request = {"shipped": "murrough2013", "replicates": 1, "patients_per_arm": None}
    found = done(client, "/api/jobs/trial", request)["result"]
    assert [arm["n"] for arm in found["arms"]] == [47, 25]


def test_a_shipped_trial_stands_beside_what_was_published(client):
    request = {"shipped": "murrough2013", "replicates": 3, "patients_per_arm": None}
    found = done(client, "/api/jobs/trial", request)["result"]
    rows = {(row["arm"], row["statistic"]): row for row in found["published"]}
    difference = rows["ketamine", "difference"]
    assert difference["published"] == pytest.approx(load_evidence().observations["murrough13-diff-24h"].value)
    assert difference["published_low"] < difference["published"] < difference["published_high"]
    (effect,) = found["effects"]
    assert abs(difference["simulated"]) == pytest.approx(abs(effect["difference"]), abs=2), "not adjusted for baseline"
    assert rows["ketamine", "response"]["unit"] == "% of patients"
    assert {row["verdict"] for row in found["published"]} == {""}, "three trials give no range"
    trials = np.linspace(30.0, 60.0, 40)
    assert [_verdict(number, trials) for number in (27.0, 45.0)] == ["outside", "inside"]
    assert _verdict(27.0, trials[:10]) == ""
    assert effect["success_low"] <= effect["success_share"] <= effect["success_high"]


def test_no_placebo_is_added_beside_another_control_and_it_is_said(client):
    arms = {"drug": "racemic 0.5 mg/kg IV over 40 min", "active": "midazolam 0.045 mg/kg IV over 40 min"}
    found = done(client, "/api/jobs/trial", {**TRIAL, "arms": arms, "control": "placebo"})["result"]
    assert [arm["name"] for arm in found["arms"]] == ["drug", "active"]
    assert "no placebo arm is added, because 'active' is a control arm" in found["assumptions"]
    assert found["published"] == []


def test_a_trial_begins_with_its_difference_and_its_files_can_be_saved(client):
    arm = {"drug": "racemic 0.5 mg/kg IV over 40 min twice weekly for 2 weeks\nantidepressant daily"}
    request = {**TRIAL, "arms": arm, "control": "placebo", "dropout": "2 %", "alpha": 0.1, "margin": 3}
    job = done(client, "/api/jobs/trial", request)
    found = job["result"]
    placebo = next(arm for arm in found["arms"] if arm["name"] == "placebo")
    assert placebo["treatment"] == "placebo IV over 40 min twice weekly for 2 weeks; antidepressant daily"
    assert found["reference"] == "placebo"
    assert re.match(r"MADRS at 14 d: [\d.]+ points (lower|higher) on drug than on placebo", found["differences"][0])
    assert found["criterion"] == "not inferior by 3 points, two-sided alpha 0.1"
    successes = sum(row["met"] for row in found["comparison"])
    assert any(f"in {successes} of {len(found['comparison'])} trials" in text for text in found["differences"])
    (error,) = found["errors"]
    assert error["arm"] == "drug"
    assert error["share"] in (None, *(pytest.approx(n / 3, abs=1e-4) for n in range(4)))
    assert not found["enrolled_by_rating"]
    assert "'placebo', a control without the drug" in found["warnings"][0]
    assert found["size"] == "12 patients in each arm"
    assert "mean of 3 trials with 12 patients in each arm" in found["differences"][0]
    (effect,) = found["effects"]
    assert effect["success_share"] == pytest.approx(successes / 3, abs=1e-4)
    limits = [f"{abs(effect[name]):.1f}" for name in ("difference", "low", "high")]
    assert re.findall(r"\d+\.\d", found["differences"][0])[:3] == limits
    assert '"2 %"' in found["reproduction"]["file"]
    assert found["reproduction"]["command"].endswith("--alpha 0.1 --margin 3")
    listed = client.get("/api/jobs").json()
    assert listed[0]["id"] == job["id"]
    assert listed[0]["has_files"]
    assert listed[0]["result"] is None
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"/api/jobs/{job['id']}/files").content))
    names = set(archive.namelist())
    assert {"trial/report.html", "trial/adsl.csv", "trial/summary.json", "trial/trial.yaml", "trial/power.csv"} <= names
    assert client.get("/api/jobs/none/files").status_code == 404


def test_the_sample_size_comes_with_its_interval_and_the_script_that_finds_it(client, tmp_path, monkeypatch):
    request = {**TRIAL, "days": [1], "replicates": 20, "target_power": 0.6}
    found = done(client, "/api/jobs/sample-size", request)["result"]
    (size,) = found["sample_size"]
    assert size["low"] <= size["patients"] <= size["high"]
    assert sum(size["patients_per_arm"].values()) == size["patients"]
    assert "for a power of 60 %" in size["text"]
    missed = f"{100 * size['type_2_error']:.0f} %"
    assert f"does not show the difference with a chance of {missed} (type II error)" in size["text"]
    assert found["search_ends"] == []
    assert found["request_size"] == TRIAL["patients_per_arm"]
    simulated = found["arms"][0]["n"]
    assert f"mean of 20 trials with {simulated} patients in each arm" in found["differences"][0]
    assert "(assurance)" in found["notes_on_size"][0]
    assert "are assumed" in found["caveat"]
    methods = " ".join(found["methods"])
    assert "ANCOVA of the change in MADRS at 1 d" in methods
    assert "Nobody leaves the trial" in methods
    residual, published = found["residual_sd"], load_evidence().observations["murrough13-ket-24h-abs"]
    assert f"residual SD {residual:.1f} points" in methods
    assert published.reference.split("-")[0].title() in methods, "an SD of the change at 24 h"
    assert "--sample-size 0.6" in found["reproduction"]["command"]
    assert re.findall(r'"n": (\d+)', found["reproduction"]["found_file"]) == [
        str(n) for n in size["patients_per_arm"].values()
    ]
    assert found["power"][-1]["patients_per_arm"] == found["arms"][0]["n"]
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(found["reproduction"]["python"], "shown", "exec"), names)
    assert names["result"].sample_size(0.6)["text"].tolist() == [size["text"]]
    alone = client.post("/api/jobs/sample-size", json={**request, "arms": {"drug": TRIAL["arms"]["drug"]}})
    assert alone.status_code == 422
    assert alone.json()["key"] == "arms"


def test_a_search_that_ends_says_why_and_what_to_type(engine):
    search = {**TRIAL, "days": [1], "replicates": 200, "target_power": 0.8}
    task = TrialTask.of(engine, SampleSizeRequest.model_validate(search))
    size = SampleSize("drug", 0.8, None, 500, None, {}, 0.95, 0.7, 300, 1000, "r")
    text = _why_ended(task, size, 300)
    assert "at most 300 with 200 replicates" in text
    assert "Type 100 replicates: trials of up to 600 patients" in text
    few = replace(task, request=task.request.model_copy(update={"replicates": 100}))
    text = _why_ended(few, replace(size, low=613), 600)
    assert "613 or more are needed" in text
    assert "Fewer" not in text
    assert "To search up to 4000 patients, save the trial file below as trial.yaml" in text
    assert "more than the 4000 of the command line" in _why_ended(few, replace(size, low=5000), 600)
    hopeless = _why_ended(few, replace(size, low=None, limit=0.7), 600)
    assert "no number of patients gives a power of 80 %, which stays below 70 %" in hopeless
    assert _why_ended(few, replace(size, patients=100), 600) == ""


def test_without_drug_effects_the_share_of_successes_is_the_type_1_error(client, engine):
    request = {**TRIAL, "no_effect": True, "alpha": 0.5, "replicates": 8}
    found = done(client, "/api/jobs/trial", request)["result"]
    assert [arm["treatment"] for arm in found["arms"]] == ["placebo IV over 40 min", "placebo IV"]
    (error,) = found["errors"]
    assert "the type I error. Expected: 25 %" in error["text"]
    assert f"{100 * found['effects'][0]['success_share']:.1f} % of the trials succeed" in error["text"]
    for path, change in (("trial", {"margin": 3}), ("sample-size", {"replicates": 20}), ("trial", {"shipped": "ssri"})):
        refused = client.post(f"/api/jobs/{path}", json={**request, **change})
        assert (refused.status_code, refused.json()["key"]) == (422, "no_effect")


def test_the_last_dose_long_before_the_primary_endpoint_is_said(client):
    arms = {"short": "racemic 0.5 mg/kg IV over 40 min twice weekly for 1 week", "long": "placebo IV"}
    found = done(client, "/api/jobs/trial", {**TRIAL, "arms": arms, "replicates": 1, "primary_day": 14})["result"]
    last = {arm["name"]: arm["last_dose_day"] for arm in found["arms"]}
    assert last["long"] is None
    gap = 14 - last["short"] + 1
    expected = f"the last dose of 'short' is on day {last['short']}, {gap} days before the primary endpoint"
    assert expected in found["cautions"]


def test_a_browser_sees_the_jobs_that_it_has_started(client):
    ours = client.post("/api/jobs/trial", json=TRIAL, headers={"x-browser": "ours"}).json()["id"]
    client.post("/api/jobs/trial", json=TRIAL, headers={"x-browser": "theirs"})
    assert [job["id"] for job in client.get("/api/jobs", headers={"x-browser": "ours"}).json()] == [ours]
    assert len(client.get("/api/jobs").json()) >= 2, "a program without a number sees all"
    finished(client, ours)


def test_an_arm_may_be_adapted_to_the_patient(client):
    sentence = "esketamine 56 mg nasal on day 1, then 56 to 84 mg by response and tolerability on days 4, 8"
    request = {**TRIAL, "arms": {"flexible": sentence}, "control": "placebo", "replicates": 1}
    found = done(client, "/api/jobs/trial", request)["result"]
    assert "titrated (56, 84 mg)" in found["arms"][0]["treatment"]
    assert found["arms"][1]["treatment"] == "placebo nasal on days 1, 4 and 8"


def test_the_files_of_old_trials_are_no_longer_stored(tmp_path):
    jobs = small(jobs_with_files=1, jobs_waiting=9)
    made = [jobs.start("x", str(i), {}, lambda tell: ResultWithFiles(1, lambda folder: None)) for i in range(3)]
    for job in made:
        waiting(jobs, job)
    assert [job.write_files is not None for job in jobs.newest_first()] == [True, False, False]
    assert [job.result for job in made] == [1, 1, 1]


def test_the_python_and_the_command_of_a_trial_give_its_numbers(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begun = client.post("/api/jobs/trial", json=TRIAL).json()
    finished(client, begun["id"])
    found = client.get(f"/api/jobs/{begun['id']}").json()["result"]
    said = {}
    exec(compile(found["reproduction"]["python"], "shown", "exec"), said)
    mine = said["result"].analyse().means["MADRS"]
    theirs = [row["mean"] for row in found["means"]["MADRS"]]
    assert mine["mean"].tolist() == pytest.approx(theirs, rel=1e-3)
    assert found["reproduction"]["command"] == "ketamech trial trial.yaml --replicates 3 --patients 24 --seed 1"
    assert (tmp_path / "trial.yaml").read_text(encoding="utf-8") == found["reproduction"]["file"]


@pytest.mark.parametrize(
    ("change", "what"),
    [({"arms": {}}, "without arms"), ({"days": [0]}, "day 0"), ({"shipped": "murrough2012"}, "no trial"),
     ({"arms": {"a": "racemc 1 mg/kg IV"}}, "racemc"), ({"population": "martians"}, "martians"),
     ({"margin": -1}, "margin"), ({"dropout": "80 %"}, "dropout")],
)  # fmt: skip
def test_an_invalid_trial_is_refused_before_it_starts(client, change, what):
    answer = client.post("/api/jobs/trial", json={**TRIAL, **change})
    assert answer.status_code == 422
    assert what in answer.json()["text"]


def waiting(jobs, job):
    until_true(lambda: job.state in ("done", "failed", "cancelled"))
    return job.state


def small(**limits):
    return Jobs(Limits.model_validate({"jobs_running": 1, "jobs_waiting": 1, **limits}))


def test_a_cancelled_job_stops_at_its_next_progress_report_and_a_waiting_one_never_starts():
    jobs, went_on = small(), threading.Event()

    def endless(tell):
        while True:
            tell(0.1, "on and on")
            went_on.set()
            time.sleep(0.005)

    first, second = jobs.start("x", "first", {}, endless), jobs.start("x", "second", {}, endless)
    assert went_on.wait(PATIENCE)
    with pytest.raises(LimitExceeded, match="2 jobs"):
        jobs.start("x", "third", {}, endless)
    jobs.cancel(second)
    jobs.cancel(first)
    assert waiting(jobs, first) == "cancelled"
    assert second.state == "cancelled"
    assert second.progress == 0


LONG_TRIAL = {"arms": {name: "racemic 0.5 mg/kg IV over 40 min every 12 h for 300 days" for name in "ab"},
              "patients_per_arm": 200, "replicates": 1, "days": [1, 299]}  # fmt: skip


def test_a_trial_is_cancelled_within_a_step(client):
    """The single step of this trial would take a minute."""
    begun = client.post("/api/jobs/trial", json=LONG_TRIAL).json()
    until_true(lambda: client.get(f"/api/jobs/{begun['id']}").json()["state"] == "running")
    time.sleep(0.5)  # the step has begun
    cancelled = time.process_time()
    client.delete(f"/api/jobs/{begun['id']}")
    assert finished(client, begun["id"])[-1]["state"] == "cancelled"
    assert time.process_time() - cancelled < 3


def test_the_doses_of_a_trial_are_limited_and_its_replicates_are_solved_in_parts(client, engine, monkeypatch):
    from ketamech.app import trial_tasks
    from ketamech.app.schemas import TrialRequest

    told = client.post("/api/jobs/trial", json={**LONG_TRIAL, "patients_per_arm": 2000})
    assert told.status_code == 429
    assert told.json()["error"] == "4,000 patients with 599 doses each"
    monkeypatch.setattr(trial_tasks, "run_trial", lambda *_, replicates, **__: parts.append(replicates) or parts[1_000])
    request = TrialRequest.model_validate({**LONG_TRIAL, "patients_per_arm": 100, "replicates": 60})
    parts, task = [], trial_tasks.TrialTask.of(engine, request)
    with pytest.raises(IndexError):
        task.simulate(lambda *_: None, task.patients)
    assert parts == [2], "200 patients with 599 doses each, of 250,000"


def test_the_analysis_of_a_trial_can_be_interrupted(monkeypatch):
    import numpy as np
    import pandas as pd

    from ketamech.core.progress import interrupted_by
    from ketamech.trials.analysis.survival import median_times

    days = np.arange(1.0, 201.0)
    events = pd.DataFrame({"replicate": np.arange(200) // 4, "days": days, "relapsed": True})
    checks = []
    with interrupted_by(lambda: checks.append(1)):
        median_times(events, "drug")
    assert len(checks) == events["replicate"].nunique() + 1, "each replicate, and all together"


def test_a_job_that_waits_for_the_result_of_another_can_be_cancelled(engine):
    cache, jobs, going, done = LruCache(2, 100), small(jobs_running=2), threading.Event(), threading.Event()

    def slow():
        going.set()
        done.wait(PATIENCE)
        return b"x"

    jobs.start("x", "first", {}, lambda tell: cache.get("same", slow))
    assert going.wait(PATIENCE)
    second = jobs.start("x", "second", {}, lambda tell: cache.get("same", slow))
    time.sleep(0.2)
    jobs.cancel(second)
    state = waiting(jobs, second)
    done.set()
    assert state == "cancelled"


def test_the_data_behind_files_are_bounded_in_bytes():
    jobs = small(jobs_file_bytes=100)
    made = []
    for size in (40, 50, 60):
        made.append(jobs.start("x", "one", {}, lambda tell, size=size: ResultWithFiles(size, print, size)))
        waiting(jobs, made[-1])
    assert [job.write_files is not None for job in made] == [False, False, True]
    last = jobs.start("x", "large", {}, lambda tell: ResultWithFiles(1, print, 500))
    waiting(jobs, last)
    assert [job.write_files is not None for job in (*made, last)] == [False, False, False, True]


def test_a_job_that_takes_too_long_is_stopped_with_an_error():
    jobs = small(job_seconds=0.0)
    job = jobs.start("x", "slow", {}, lambda tell: tell(0.5, "half"))
    assert waiting(jobs, job) == "failed"
    assert isinstance(job.error, LimitExceeded)


def test_a_failed_job_keeps_its_request_and_a_defect_does_not_end_the_server(client, monkeypatch):
    import ketamech.app.trial_tasks as work

    def fails(*_):
        raise SolverError("the trial could not be solved")

    monkeypatch.setattr(work, "run_planned_trial", fails)
    begun = client.post("/api/jobs/trial", json=TRIAL).json()
    assert finished(client, begun["id"])[-1]["error"]["error"] == "the trial could not be solved"
    report = client.get(f"/api/jobs/{begun['id']}/failure").json()
    assert report["request"]["arms"] == TRIAL["arms"]
    assert report["error"]["kind"] == "SolverError"
    monkeypatch.setattr(work, "run_planned_trial", lambda *_: 1 / 0)
    begun = client.post("/api/jobs/trial", json=TRIAL).json()
    assert "ZeroDivisionError" in finished(client, begun["id"])[-1]["error"]["error"]
    assert client.get("/api/metadata").status_code == 200


def test_old_jobs_are_removed():
    jobs = small(jobs_stored=2, jobs_waiting=9)
    made = [jobs.start("x", str(i), {}, lambda tell: None) for i in range(5)]
    for job in made:
        waiting(jobs, job)
    jobs.start("x", "last", {}, lambda tell: None)
    assert jobs.get(made[0].id) is None


def test_an_unknown_job_is_not_found(client):
    assert client.get("/api/jobs/none").status_code == 404
    assert client.delete("/api/jobs/none").json()["kind"] == "NotFound"


def primary_of(client, **change):
    keys = {**TRIAL, "replicates": 1, "patients_per_arm": 2, "days": [1, 7, 14, 40], **change}
    return done(client, "/api/jobs/trial", keys)["result"]["primary"]


def test_the_primary_endpoint_is_the_day_of_the_request_or_follows_the_number_of_doses(client):
    repeated = {"drug": "racemic 0.5 mg/kg IV over 40 min weekly for 2 weeks", "none": "placebo IV"}
    assert primary_of(client) == "MADRS at 1 d"
    assert primary_of(client, arms=repeated) == "MADRS at 14 d", "the last within 28 days"
    assert primary_of(client, primary_day=7) == "MADRS at 7 d"
    refused = client.post("/api/jobs/trial", json={**TRIAL, "primary_day": 8})
    assert (refused.status_code, refused.json()["key"]) == (422, "primary_day")
    assert "1, 7, 14" in refused.json()["expected"]


def test_shipped_trials_are_sorted_by_the_author_and_year_of_their_paper(client):
    titles = [trial["title"] for trial in client.get("/api/trials").json()]
    cited = [title for title in titles if re.match(r"[A-Z][\w-]+ \d{4}( and others)?: ", title)]
    assert titles[: len(cited)] == sorted(cited)
    assert len(cited) > 20
    assert "Zheng 2019: Six open infusions in 77 Chinese patients" in cited


def test_requests_of_the_former_page_with_percentages_as_numbers_are_read():
    former = SampleSizeRequest.model_validate({"dropout": 2, "target_power": 60})
    assert (former.dropout, former.target_power) == ("2 %", 0.6)
    for wrong in ({"target_power": 10**400}, {"target_power": 120}, {"target_power": 0.2}, {"dropout": 10**400}):
        with pytest.raises(ValidationError):
            SampleSizeRequest.model_validate(wrong)


def test_the_reference_arm_of_a_trial_is_the_chosen_one(client, engine):
    arms = {"infusion": "racemic 0.5 mg/kg IV over 40 min", "spray": "esketamine 84 mg nasal", "none": "placebo IV"}
    request = {**TRIAL, "arms": arms, "replicates": 1}
    assert done(client, "/api/jobs/trial", request)["result"]["reference"] == "none"
    found = done(client, "/api/jobs/trial", {**request, "reference": "infusion", "margin": 3})["result"]
    assert found["reference"] == "infusion"
    assert {row["arm"] for row in found["effects"]} == {"spray", "none"}
    assert all("than on infusion" in text for text in found["differences"])
    assert {row["arm"] for row in found["power"]} == {"spray", "none"}
    assert not found["reference_is_control"]
    assert 'reference: "infusion"' in found["reproduction"]["file"]
    added = {**request, "arms": {"infusion": arms["infusion"]}, "control": "placebo", "reference": "placebo"}
    trial, _ = planned_trial(engine, TrialRequest.model_validate(added))
    assert trial.reference == "placebo"
    answer = client.post("/api/jobs/trial", json={**request, "reference": "infusoin"})
    assert (answer.status_code, answer.json()["key"], answer.json()["nearest"]) == (422, "reference", "infusion")


def test_jobs_of_one_title_are_told_apart_by_their_settings_and_time():
    def job(**request):
        return Job("trial", "A or B", {"arms": {"A": "x"}, "seed": 1, "patients_per_arm": 60, **request})

    first, second, same, other = job(), job(patients_per_arm=80), job(), Job("scorecard", "Scorecard", {})
    texts = differing_settings([first, second, same, other])
    assert texts[second.id] == "patients per arm 80"
    assert texts[first.id] == texts[same.id] == "patients per arm 60"
    assert texts[other.id] == ""
    assert set(differing_settings([first, same]).values()) == {""}
    long = job(arms={"A": "y" * 200})
    assert differing_settings([first, long])[long.id] == f"arms A {'y' * 59}…"
    assert abs(first.started - time.time()) < 60


def test_a_withdrawal_by_lot_begins_with_its_hazard_ratio(client):
    request = {"shipped": "withdrawal", "replicates": 2, "patients_per_arm": None}
    found = done(client, "/api/jobs/trial", request)["result"]
    (text,) = found["differences"]
    assert re.match(r"Relapse: the hazard on placebo is \d+\.\d\d times that on goes on, geometric mean of 2", text)
    assert found["is_withdrawal"]
    assert found["relapse_note"] == ""
