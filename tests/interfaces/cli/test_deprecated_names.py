"""Old names of commands, options, parameters and outputs still work, with one warning line."""

import inspect
import re
import warnings

import pytest
import typer

from command_line import run
from ketamech.analysis.sensitivity import parse_endpoints
from ketamech.cli.main import app
from ketamech.cli.options import fraction, listed_names
from ketamech.cli.suggestions import current_arguments, renamed_words
from ketamech.core import InputError
from ketamech.core.deprecated_names import (
    current_name,
    renamed_arguments,
    renamed_names,
    with_current_names,
)
from ketamech.core.errors import RenamedWarning, warn_renamed
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.scenario import Scenario
from ketamech.trials.trial_reader import load_trial

PROGRAM = typer.main.get_command(app)
OPTIONS = {
    name: {text for p in command.params for text in (*p.opts, *p.secondary_opts)}
    for name, command in PROGRAM.commands.items()
}
OLD, NEW = "mood.hope_weight", "mood.expectancy_weight"


@pytest.fixture
def unwarned():
    """No old name has been warned of yet."""
    warn_renamed.cache_clear()
    yield
    warn_renamed.cache_clear()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (
            "simulate x --with NBQX --with=BDNF --every 24",
            "simulate x --perturb NBQX --perturb=BDNF --output-interval 24",
        ),
        ("people --n 5 --keep a --target=b", "population --patients 5 --plausible a --weight-to=b"),
        ("sensitivity --n=4 --keep 2 --base 8", "sensitivity --trajectories=4 --sobol-top 2 --sobol-n 8"),
        ("explain wirings --average x", "variants --model-average x"),
        ("explain --fit wirings", "variants --refit"),
        ("explain experiments", "perturbations"),
        ("explain x --outcomes y --wiring z", "attribute x --endpoints y --variant z"),
        ("--debug certify --resume", "--debug compare-simulators --resume"),
    ],
)
def test_old_commands_and_options_become_new_ones_with_one_warning_line(typed, meant, capsys):
    assert current_arguments(typed.split()) == meant.split()
    assert re.fullmatch(
        r"Warning: '[^\n]*; the old names will stop working in the next release\n", capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "typed",
    [
        "simulate x --perturb NBQX",
        "--help",
        "",
        "trial murrough2013 --n",
        "design --doses x -- --over",
        "simulate explain",
    ],
)
def test_present_names_are_left_alone_without_a_warning(typed, capsys):
    assert current_arguments(typed.split()) == typed.split()
    assert capsys.readouterr().err == ""


def test_every_row_leads_from_a_name_that_is_gone_to_one_that_exists():
    for command, words in renamed_words().items():
        for old, new in words.items():
            if not old.startswith("--"):
                assert old.split()[-1] not in OPTIONS
                assert new in OPTIONS
            elif command:
                assert old not in OPTIONS[command]
                assert new in OPTIONS[command], (command, new)
            else:
                assert not any(old in known for known in OPTIONS.values())
                assert any(new in known for known in OPTIONS.values())


def test_an_old_command_runs_as_the_new_one(tmp_path):
    ended = run("describe", "--help", cwd=tmp_path)
    assert not ended.returncode
    assert "ketamech equations" in ended.stdout
    assert ended.stderr.startswith("Warning: 'describe' is now 'equations'")


def test_an_old_name_of_a_parameter_or_output_warns_once(unwarned):
    assert renamed_names()[OLD] == NEW
    with pytest.warns(RenamedWarning, match=re.escape(f"'{OLD}' was renamed to '{NEW}'")):
        assert current_name(OLD) == NEW
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert current_name(OLD) == NEW
        assert current_name(NEW) == NEW
        assert current_name("anything else") == "anything else"


def test_no_old_name_is_a_present_one(model):
    present = {*model.parameters, *model.layout.output_names}
    assert not present.intersection(renamed_names())


def test_old_names_inside_text_are_replaced(unwarned):
    with pytest.warns(RenamedWarning):
        assert with_current_names("mood.drive peak; x.mood.drive") == "mood.log_odds_shift peak; x.mood.drive"


def test_endpoints_take_old_names(model, unwarned):
    old = next(o for o, new in renamed_names().items() if new in model.layout.output_names)
    with pytest.warns(RenamedWarning):
        assert parse_endpoints(f"{old} at 24 h", model)[0].output == renamed_names()[old]


def test_options_that_list_names_take_old_names(unwarned):
    with pytest.warns(RenamedWarning):
        assert listed_names(f"{OLD}, {NEW}, spines.density") == (NEW, "spines.density")


def test_scenario_and_trial_files_take_old_names(tmp_path, unwarned):
    scenario = tmp_path / "s.yaml"
    scenario.write_text(f"treatments: [racemic 35 mg IV]\nparameters:\n  {OLD}: 0.5\n", encoding="utf-8")
    with pytest.warns(RenamedWarning):
        assert load_scenario(scenario).values[NEW] == 0.5
    keys = {
        "title": "x",
        "arms": {"drug": {"treatment": "racemic 0.5 mg/kg IV over 40 min", "n": 10}},
        "visits": {"MADRS": ["baseline", "24 h"]},
        "parameters": {OLD: 0.5},
    }
    assert load_trial(keys).values[NEW] == 0.5


def test_the_old_key_of_the_model_variant_is_read_with_a_warning(tmp_path, unwarned):
    files = {}
    for key in ("wiring", "variant"):
        files[key] = tmp_path / f"{key}.yaml"
        files[key].write_text(f"treatments: [racemic 35 mg IV over 40 min]\n{key}: opioid-gate\n", encoding="utf-8")
    with pytest.warns(RenamedWarning, match="'wiring' was renamed to 'variant'"):
        old = load_scenario(files["wiring"])
    new = load_scenario(files["variant"])
    assert old.values == new.values
    assert old.model_variant == new.model_variant == "opioid-gate"


def test_the_old_and_the_new_key_of_the_model_variant_together_are_refused(tmp_path, unwarned):
    file = tmp_path / "both.yaml"
    text = "treatments: [racemic 35 mg IV over 40 min]\nwiring: opioid-gate\nvariant: opioid-gate\n"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="wiring"):
        load_scenario(file)


def test_an_old_argument_works_with_a_warning_and_not_beside_the_new_one():
    @renamed_arguments(patients="patients_per_arm")
    def counted(*, patients_per_arm=1):
        return patients_per_arm

    with pytest.warns(RenamedWarning, match="counted: the argument 'patients' is now 'patients_per_arm'"):
        assert counted(patients=7) == 7
    with pytest.raises(TypeError, match="which are the same"):
        counted(patients=7, patients_per_arm=8)
    assert counted(patients_per_arm=8) == 8
    assert "patients" not in inspect.signature(counted).parameters


def test_parameter_values_are_also_taken_as_parameters():
    with pytest.warns(RenamedWarning, match="'parameters' is now 'parameter_values'"):
        old = Scenario.read("racemic 35 mg IV", parameters={NEW: 0.5})
    assert old.values == Scenario.read("racemic 35 mg IV", parameter_values={NEW: 0.5}).values
    assert old.values[NEW] == 0.5


def test_a_percentage_without_its_sign_is_a_fraction_with_a_warning():
    assert (fraction("0.8", "--sample-size", "0.8"), fraction("80 %", "--sample-size", "0.8")) == (0.8, 0.8)
    with pytest.warns(RenamedWarning, match="--sample-size 80 is read as 80 %; type 0.8 or '80 %'"):
        assert fraction("80", "--sample-size", "0.8") == 0.8
    for wrong in ("", "%", "nan", "80 % of", "many"):
        with pytest.raises(InputError, match="is not a number"):
            fraction(wrong, "--sample-size", "0.8")
