"""Everything a hand can get wrong ends in one clear error, exit code 2, and nothing half-written."""

import pytest

from command_line import refused, run, run_alone

CASES = {
    "unknown key": ("title: x\ntretments:\n  - racemic 1 mg IV\n", ["bad.yaml:2", "nearest: treatments"]),
    "synonym of a key": ("treatments: [racemic 1 mg IV]\nduration: 3 days\n", ["bad.yaml:2", "type: horizon: 3 days"]),
    "misspelled synonym": (
        "treatments: [racemic 1 mg IV]\nduratoin: 3 d\n",
        ["bad.yaml:2", "nearest: horizon\n", "type: horizon: 3 d\n"],
    ),
    "synonym with another value": (
        "treatments: [racemic 1 mg IV]\nweight: 70 kg\n",
        ["bad.yaml:2", "nearest: person\n", "type: person: {weight: 82 kg}\n"],
    ),
    "key of another place": (
        "treatments: [racemic 1 mg IV]\nover: 40 min\n",
        ["bad.yaml:2", "nearest: over, in treatments\n", "type: over: 40 min\n"],
    ),
    "misspelled key of another place": (
        "treatments: [{drug: ketamine, dose: 1 mg, route: IV, horzion: 3 d}]\n",
        ["bad.yaml:1", "nearest: horizon, at the top of the file\n", "type: horizon: 3 d\n"],
    ),
    "synonym of a key of a dose": (
        "treatments: [{drug: ketamine, dose: 1 mg, route: IV, duratoin: 40 min}]\n",
        ["bad.yaml:1", "nearest: over\n", "type: over: 40 min\n"],
    ),
    "key with capitals": ("treatments: [racemic 1 mg IV]\nHorizon: 3 days\n", ["bad.yaml:2", "nearest: horizon"]),
    "comma between braces": (
        "treatments: [{drug: placebo, route: nasal, schedule: on days 1, 4, 8}]\n",
        ["the key 4 is not a word", "quotes"],
    ),
    "a value between two comments": (
        "treatments: [racemic 1 mg IV]\nhorizon: 3 days\ntitle: # one\n Q\n\r",
        ["bad.yaml:3", "a comment before it and another after it"],
    ),
    "a list as a key": ("title: x\n? [a, {b: c}]\n: 1\n? [a, {b: c}]\n: 2\n", ["a key is a list or a mapping"]),
    "unknown person": ("treatments: [racemic 1 mg IV]\nperson:\n  wieght: 70 kg\n", ["bad.yaml:3", "nearest: weight"]),
    "wrong unit": ("treatments: [racemic 1 mg IV]\nperson:\n  weight: 70 L\n", ["bad.yaml:3", "quantity in kg"]),
    "negative weight": (
        "treatments: [racemic 1 mg IV]\nperson:\n  weight: -5 kg\n",
        ["bad.yaml:3", "between 5 and 300"],
    ),
    "negative dose": ("treatments:\n  - racemic 0.5 mg/kg IV\n  - racemic -1 mg IV\n", ["bad.yaml:3", "positive"]),
    "unknown route": (
        "treatments:\n  - drug: memantine\n    dose: 20 mg\n    route: IV\n",
        ["bad.yaml:4", "cannot be given by route", "expected: oral"],
    ),
    "missing weight": ("treatments: [racemic 0.5 mg/kg IV]\n", ["bad.yaml:1", "needs a body weight", "weight: 70 kg"]),
    "null weight": (
        "treatments: [racemic 0.5 mg/kg IV]\nperson:\n  weight:\n",
        ["bad.yaml:3", "needs a body weight"],
    ),
    "absurd dose": ("treatments: [racemic 9000 mg IV]\n", ["above the limit"]),
    "overlapping": (
        "treatments:\n  - surgery over 2 h\n  - surgery over 2 h at 1 h\n",
        ["overlap", "at 2 h"],
    ),
    "out of order": (
        "treatments:\n  - racemic 70 mg IV at 5 h\n  - racemic 70 mg IV at 1 h\n",
        ["out of order", "listed after one at 5 h"],
    ),
    "unknown pathway": (
        "treatments: [racemic 1 mg IV]\npathways:\n  habenulla: off\n",
        ["bad.yaml:3", "nearest: habenula"],
    ),
    "unknown parameter": (
        "treatments: [racemic 1 mg IV]\nparameters:\n  spines.maximum_densty: 2\n",
        ["bad.yaml:3", "nearest: spines.maximum_density"],
    ),
    "doubled key": ("title: a\ntitle: b\ntreatments: [racemic 1 mg IV]\n", ["bad.yaml:2", "duplicate key"]),
    "not a mapping": ("- a\n- b\n", ["has no keys"]),
    "broken yaml": ("title: [a\ntreatments: b\n", ["bad.yaml"]),
    "no treatments": ("title: x\n", ["treatments", "missing"]),
    "empty treatments": ("treatments: []\n", ["bad.yaml:1"]),
    "bomb": ("a: &a [x, x]\nb: [*a, *a]\n", ["bad.yaml:2", "aliases"]),
    "deep": ("a: " + "[" * 60 + "]" * 60 + "\n", ["nested too deeply"]),
    "nan": ("treatments: [racemic 1 mg IV]\nperson:\n  age: .nan\n", ["bad.yaml:3", "quantity in year"]),
    "number for a time": ("treatments: [racemic 1 mg IV]\nhorizon: 28\n", ["bad.yaml:2", "type: horizon: 28 days"]),
    "text for a list": ("treatments: racemic 1 mg IV\n", ["bad.yaml:1", 'type: treatments: ["racemic 1 mg IV"]']),
    "horizon": ("treatments: [racemic 1 mg IV]\nhorizon: 90 years\n", ["bad.yaml:2", "2 years"]),
    "late dose": (
        "treatments:\n  - racemic 35 mg IV\n  - racemic 35 mg IV at day 40\nhorizon: 28 days\n",
        ["bad.yaml:3", "after the horizon of 672 h"],
    ),
    "absurd second dose": (
        "treatments:\n  - racemic 35 mg IV\n  - racemic 9000 mg IV at day 2\n  - racemic 35 mg IV at day 3\n",
        ["bad.yaml:3", "above the limit"],
    ),
    "number for a dose": (
        "treatments:\n  - drug: esketamine\n    dose: 84\n    route: nasal\n",
        ["bad.yaml:3", "treatments[0].dose", "amount with unit"],
    ),
    "misspelled route": (
        "treatments:\n  - drug: esketamine\n    dose: 84 mg\n    route: nasel\n",
        ["bad.yaml:4", "nearest: nasal"],
    ),
    "wrong unit of time": (
        "treatments:\n  - drug: esketamine\n    dose: 84 mg\n    route: IV\n    over: 40 kg\n",
        ["bad.yaml:5", "treatments[0].over"],
    ),
    "wrong unit of dose": (
        "treatments:\n  - drug: esketamine\n    dose: 84 mL\n    route: nasal\n",
        ["bad.yaml:3", "one of mg"],
    ),
    "misspelled key of a dose": (
        "treatments:\n  - drug: esketamine\n    dos: 84 mg\n    route: nasal\n",
        ["bad.yaml:3", "nearest: dose"],
    ),
    "unknown salt": (
        "treatments:\n  - {drug: esketamine, dose: 84 mg, route: nasal, salt: citrate}\n",
        ["bad.yaml:2", "base or hydrochloride"],
    ),
    "misspelled salt": (
        "treatments:\n  - {drug: esketamine, dose: 84 mg, route: nasal, salt: hydrochlorid}\n",
        ["bad.yaml:2", "nearest: hydrochloride\n", "type: salt: hydrochloride\n"],
    ),
    "decimal comma": (
        "treatments: [racemic 1 mg IV]\nperson:\n  weight: 15,5 kg\n",
        ["bad.yaml:3", "not a quantity in kg"],
    ),
    "half a switch": ("treatments: [racemic 1 mg IV]\npathways: {habenula: 0.5}\n", ["bad.yaml:2", "on or off"]),
    "switch of 7": (
        "treatments: [racemic 1 mg IV]\nparameters: {pathway.habenula: 7}\n",
        ["bad.yaml:2", "between 0 and 1"],
    ),
    "person through the back door": (
        "treatments: [racemic 1 mg/kg IV]\nparameters: {person.weight: 1000}\n",
        ["bad.yaml:2", "between 5 and 300 kg"],
    ),
    "negative volume": (
        "treatments: [racemic 1 mg IV]\nparameters:\n  pharmacokinetics.central_volume: -3 L\n",
        ["bad.yaml:3", "0 or more"],
    ),
    "no molar mass": (
        "treatments: [racemic 1 mg IV]\nparameters: {drug.ketamine_molar_mass: 0}\n",
        ["bad.yaml:2", "more than 0"],
    ),
    "infinite": (
        "treatments: [racemic 1 mg IV]\nparameters: {spines.maximum_density: .inf}\n",
        ["bad.yaml:2", "quantity"],
    ),
    "merge": ("treatments: [racemic 1 mg IV]\n<<: {a: 1}\n", ["bad.yaml:2", "merges"]),
    "tag": ("treatments: [racemic 1 mg IV]\ntitle: !!python/object:os.system x\n", ["bad.yaml:2", "tags"]),
    "key that is no word": ("treatments: [racemic 1 mg IV]\n1: x\n", ["bad.yaml:2", "not a word"]),
    "not a list": ("treatments: racemic 1 mg IV\n", ["bad.yaml:1", "a list"]),
    "markup": ('"[/bold]": x\ntreatments: [racemic 1 mg IV]\n', ["[/bold]"]),
    "empty": ("", ["empty"]),
    "too many doses": ("treatments:\n  - racemic 1 mg IV every 1 min for 60 days\nhorizon: 90 days\n", ["5000 doses"]),
}


def test_an_error_begins_with_file_and_line(tmp_path):
    (tmp_path / "bad.yaml").write_text("title: x\ntretments:\n  - racemic 1 mg IV\n", encoding="utf-8")
    message = refused(run("simulate", "bad.yaml", cwd=tmp_path), folder=tmp_path)
    assert message.startswith("Error: bad.yaml:2: ")


@pytest.mark.parametrize("case", CASES)
def test_a_bad_scenario_file(case, tmp_path):
    text, expected = CASES[case]
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    message = refused(run("simulate", "bad.yaml", cwd=tmp_path), folder=tmp_path)
    for part in expected:
        assert part in message, message


def test_a_binary_file(tmp_path):
    (tmp_path / "bad.yaml").write_bytes(bytes(range(256)))
    assert "not text" in refused(run("simulate", "bad.yaml", cwd=tmp_path), folder=tmp_path)


def test_a_number_without_a_unit_gets_no_unit_that_it_may_not_have(tmp_path):
    text = "treatments: [{drug: ketamine, dose: 35, route: IV}]\n"
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    assert "type:" not in refused(run("simulate", "bad.yaml", cwd=tmp_path), folder=tmp_path)
    text = "title: x\narms: {a: {treatment: placebo IV, n: 4}}\nvisits: {MADRS: [24 h]}\ndropout: 0.02\n"
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    assert "type: dropout: 2 %" in refused(run("trial", "bad.yaml", cwd=tmp_path), folder=tmp_path)


@pytest.mark.parametrize("command", ["simulate", "trial"])
def test_a_folder_is_said_to_be_one(tmp_path, command):
    (tmp_path / "mine").mkdir()
    assert "'mine' is a folder" in refused(run(command, "mine", cwd=tmp_path), folder=tmp_path)


def test_a_link_to_itself_is_no_folder(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    message = refused(run("simulate", "racemic 1 mg IV", "--out", "loop", cwd=tmp_path), folder=tmp_path)
    assert "'loop' is a symbolic link in a circle" in message


def test_two_values_of_one_parameter_and_times_after_two_years_are_refused(tmp_path):
    sentence = "racemic 1 mg IV"
    two = ("--person", "weight=70", "--person", "weight=90 kg")
    assert "'weight' has two values" in refused(run("simulate", sentence, *two, cwd=tmp_path), folder=tmp_path)
    code, _, message = run("simulate", sentence, "--times", "1, 1e9", cwd=tmp_path)
    assert code == 2
    assert "an output time of 1e+09 h" in message


def test_a_file_that_is_not_there(tmp_path):
    assert "cannot be read" in refused(run("simulate", "gone.yaml", cwd=tmp_path), folder=tmp_path)


def test_a_bad_sentence(tmp_path):
    assert "nearest: esketamine" in refused(
        run_alone("simulate", "esketamin 84 mg nasal", cwd=tmp_path), folder=tmp_path
    )


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        ("simulate racemic 0.5 mg/kg IV --no-report", 'type: ketamech simulate "racemic 0.5 mg/kg IV" --no-report'),
        ("site build/web", "type: ketamech site --out build/web"),
        ("claims insula", "type: ketamech claims --help"),
    ],
)
def test_words_beyond_the_arguments_of_a_command(words, instead, tmp_path):
    assert instead in refused(run_alone(*words.split(), cwd=tmp_path), folder=tmp_path)


def test_an_unknown_stage_and_an_unknown_evidence_row(tmp_path):
    assert "nearest: shaffer-ket-ic50" in refused(
        run("evidence", "show", "shafer-ket-ic50", cwd=tmp_path), folder=tmp_path
    )


@pytest.mark.parametrize("command", ["simulate", "attribute", "sensitivity"])
def test_an_endless_sentence_is_refused_at_once(command, tmp_path):
    message = refused(run(command, f"racemic 35 mg{' ' * 100_000}IV", cwd=tmp_path), folder=tmp_path)
    assert "a text of 100,015 characters is too long" in message
    assert len(message) < 500


def test_an_endless_perturbation_and_an_endless_treatment_of_a_file_are_refused_at_once(tmp_path):
    blanks = " " * 100_000
    message = refused(
        run("simulate", "racemic 35 mg IV", "--perturb", f"NBQX{blanks}IP", cwd=tmp_path), folder=tmp_path
    )
    assert "too long" in message
    (tmp_path / "bad.yaml").write_text(f"treatments:\n  - 'racemic 35 mg{blanks}IV'\n", encoding="utf-8")
    message = refused(run("simulate", "bad.yaml", cwd=tmp_path), folder=tmp_path)
    assert "bad.yaml:2: a text of 100,015 characters is too long" in message


def test_a_file_too_large(tmp_path):
    (tmp_path / "bad.yaml").write_text("#" + "x" * 1_100_000, encoding="utf-8")
    assert "too large" in refused(run("simulate", "bad.yaml", cwd=tmp_path), folder=tmp_path)


def test_misspelled_filters_of_the_evidence(tmp_path):
    assert "nearest: nmda" in refused(run("evidence", "list", "--stage", "nmdaa", cwd=tmp_path), folder=tmp_path)
    assert "calibrate" in refused(run("evidence", "list", "--use", "calibrat", cwd=tmp_path), folder=tmp_path)


WRITERS = {
    "simulate": ["simulate", "racemic 35 mg IV", "--out", "taken"],
    "scorecard": ["scorecard", "--out", "taken"],
    "schema": ["schema", "--out", "taken/x.json"],
    "equations": ["equations", "--out", "model.docx"],
    "demo": ["demo", "taken", "--examples", "."],
}


@pytest.mark.parametrize("command", WRITERS)
def test_results_are_not_written_where_they_cannot_be(command, tmp_path):
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    (tmp_path / "x.yaml").write_text("treatments: [racemic 35 mg IV]\n", encoding="utf-8")
    refused(run(*WRITERS[command], cwd=tmp_path), folder=tmp_path)
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"


def test_debug_shows_where_it_happened(tmp_path):
    result = run_alone("--debug", "simulate", "esketamin 84 mg nasal", cwd=tmp_path)
    assert "Traceback" in result.stderr


def test_a_folder_that_is_no_run(tmp_path):
    refused(run("cite", str(tmp_path), cwd=tmp_path), folder=tmp_path)


@pytest.mark.parametrize(
    "command", ["simulate", "scorecard", "verify", "equations", "cite", "demo", "evidence", "schema"]
)
def test_help_teaches(command, tmp_path):
    result = run(command, "--help", cwd=tmp_path)
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) > 6
    assert "For research and education only" in " ".join(result.stdout.split())


def test_an_option_is_not_suggested_for_the_dashes_that_all_have(tmp_path):
    message = refused(run("serve", "--host", "nope", cwd=tmp_path), folder=tmp_path)
    assert "has no option '--host'" in message
    assert "nearest" not in message


def test_a_regimen_after_a_command_without_arguments_is_no_folder(tmp_path):
    """`ketamech design "ketamine 0.5 mg/kg IV"` was told to write to a folder of that name."""
    said = refused(run("design", "ketamine 0.5 mg/kg IV", cwd=tmp_path), folder=tmp_path)
    assert "type: ketamech design --help" in said
