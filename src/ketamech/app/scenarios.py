"""Scenarios sent by the page, read and checked in the same way as scenario files."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ketamech.app.app_state import LIMITS
from ketamech.core import InputError
from ketamech.dosing.lexicon import MAX_TEXT_LENGTH
from ketamech.parameters import HUMAN
from ketamech.report.run_description import describe_run
from ketamech.simulation.load_scenario import keys_from_text, scenario_from_keys, scenario_from_text
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.scenario_schema import ScenarioFile

NAME = Path("scenario.yaml")
FILE_KEYS = ("connectome", "receptors")
MAX_OCCASIONS = 800  # of all treatments together; the command line takes 5,000
MAX_PERTURBATIONS = 100


def scenario_of(keys: ScenarioFile, model: Model) -> Scenario:
    """The checked scenario of keys sent as JSON. Raises InputError with the key it is about."""
    refuse_files(keys)
    refuse_long_texts(keys)
    if len(keys.perturbations) > MAX_PERTURBATIONS:
        what = f"{len(keys.perturbations)} perturbations"
        raise InputError(what, key="perturbations", expected=f"at most {MAX_PERTURBATIONS}")
    try:
        scenario = scenario_from_keys(keys, model.parameters, NAME, {})
    except InputError as problem:
        raise problem.replace(file=None) from None  # a request has no file
    count = scenario.regimen.dose_count(scenario.horizon)
    if count > MAX_OCCASIONS:
        message = f"{count} doses exceed the limit of the page"
        raise InputError(message, key="treatments", expected=f"at most {MAX_OCCASIONS}; the command line takes 5000")
    return scenario


def refuse_files(keys: ScenarioFile) -> None:
    """Refuse keys that name a file of this machine. Raises InputError."""
    for key in FILE_KEYS:
        if getattr(keys, key, None) is not None:
            message = f"'{key}' names a file, and the page reads no files of this machine"
            raise InputError(message, key=key, expected="nothing here; the command line reads it")


def refuse_long_texts(keys: ScenarioFile) -> None:
    """Refuse texts longer than the limit. Raises InputError with the first such key."""
    for key, text in _texts(keys.model_dump(exclude={"title", "description"}), ""):
        if len(text) > LIMITS.text_characters:
            raise InputError(
                f"{len(text)} characters", key=key, expected=f"at most {LIMITS.text_characters} characters"
            )


def _texts(value: object, key: str) -> Iterator[tuple[str, str]]:
    """Every text inside a value, with its key, e.g. treatments[0].schedule."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _texts(item, f"{key}[{i}]")


def parse_uploaded(text: str, name: str, model: Model) -> ScenarioFile:
    """The keys of an uploaded scenario that can be run. Raises InputError with line and key."""
    file_name = shown_name(name)
    if len(text) > LIMITS.file_characters:
        expected = f"at most {LIMITS.file_characters:,} characters; the command line reads longer files"
        raise InputError(f"{file_name} has {len(text):,} characters", expected=expected)
    keys = keys_from_text(text, file_name)
    refuse_files(keys)
    refuse_long_texts(keys)
    scenario_from_text(text, model.parameters, file_name)
    scenario_of(keys, model)
    return keys


def shown_name(name: str) -> str:
    """The name of an uploaded file for messages: last part, printable, at most 60 characters."""
    last_part = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in last_part if letter.isprintable())[:60] or "file"


def scenario_summary(keys: ScenarioFile, model: Model) -> dict[str, Any]:
    """A scenario as text, file, command and Python; see `schemas.ScenarioSummary`."""
    scenario = scenario_of(keys, model)
    return {
        "title": scenario.title,
        "treatments": list(describe_run(scenario, model).treatments),
        "horizon": scenario.horizon,
        "assumptions": list(scenario.assumptions),
        "yaml": keys.text(),
        "command": command(keys),
        "shell": shell(keys),
        "python": python(keys),
    }


END = "END_OF_SCENARIO"
COMMAND_OPTIONS = ("species", "variant")  # keys of a scenario file that are also options
PLAIN = {"title", "description", "treatments", "person", "species", "variant", "perturbations"}


def command(keys: ScenarioFile) -> str:
    """The equivalent command: a sentence with options if they express the scenario, else the scenario file."""
    sentence = _sentence(keys)
    if not sentence:
        return shlex.join(["ketamech", "simulate", str(NAME)])
    options = [word for phrase in _perturbations(keys) for word in ("--perturb", phrase)]
    options += [word for option, value in _options(keys).items() for word in (f"--{option}", value)]
    return shlex.join(["ketamech", "simulate", sentence, *options])


def shell(keys: ScenarioFile) -> str:
    """A complete shell script; it writes the scenario file first if the command needs one."""
    file = "" if _sentence(keys) else f"cat > {NAME} <<'{END}'\n{keys.text()}{END}\n"
    return f"{file}{command(keys)}\n"


def python(keys: ScenarioFile) -> str:
    """A complete Python script for the scenario."""
    sentence = _sentence(keys)
    if not sentence:
        text = f"from pathlib import Path\n\nimport ketamech\n\nscenario = Path({str(NAME)!r})\n"
        text += f"scenario.write_text({keys.text()!r}, encoding={'utf-8'!r})\n"
        return f"{text}curves = ketamech.simulate(scenario)\n{_print_line(keys)}"
    options = "".join(f", {option}={value!r}" for option, value in _options(keys).items())
    perturbations = _perturbations(keys)
    options += f", perturb={perturbations!r}" if perturbations else ""
    return f"import ketamech\n\ncurves = ketamech.simulate({sentence!r}{options})\n{_print_line(keys)}"


def _print_line(keys: ScenarioFile) -> str:
    """A line of Python that prints the main output: MADRS, or the behaviour of an animal."""
    output = "mood.madrs" if keys.species == HUMAN else "forced_swim.immobility"
    return f'print(curves["{output}"].to_series())\n'


def _options(keys: ScenarioFile) -> dict[str, str]:
    """The options of the command that the sentence does not contain."""
    values = keys.model_dump(exclude_defaults=True)
    return {name: values[name] for name in COMMAND_OPTIONS if values.get(name)}


def _perturbations(keys: ScenarioFile) -> list[str]:
    return list(keys.perturbations) if isinstance(keys.perturbations, list) else []


def _sentence(keys: ScenarioFile) -> str:
    """The regimen as a sentence; empty if sentence and options do not express the whole scenario."""
    values: Mapping[str, Any] = keys.model_dump(exclude_defaults=True)
    if not set(values) <= PLAIN or isinstance(values.get("perturbations"), dict) or not _is_default_person(keys):
        return ""
    treatments = (treatment if isinstance(treatment, str) else treatment.sentence() for treatment in keys.treatments)
    sentence = "; ".join(treatments)
    return sentence if len(sentence) <= MAX_TEXT_LENGTH else ""


def _is_default_person(keys: ScenarioFile) -> bool:
    """Whether the person is the default of a sentence: no covariates, or 70 kg."""
    if keys.species != "human":
        return not keys.person
    return all(str(value).strip() in ("70", "70.0", "70 kg") and key == "weight" for key, value in keys.person.items())
