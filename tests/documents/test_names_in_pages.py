"""Modules, functions and source files that a page names exist, and numbers in words are those of the tables."""

import csv
import importlib
import re
from pathlib import Path

import architecture
import pytest
from document_texts import ROOT, documents

SOURCE = ROOT / "src" / "ketamech"
HISTORY = ("docs/decisions/", "docs/renamed.md")  # these also name what no longer exists
EXAMPLE = "docs/notebooks/new_mechanism.py"  # names a file that the reader would write
FILE_SUFFIXES = {
    "R", "cpp", "csv", "html", "js", "json", "nc", "omex", "parquet", "png", "py", "sedml", "svg", "tsv", "xml", "yaml",
    "zarr",
}  # fmt: skip


def texts():
    """{page: text} of the pages and of the README files of packages and tables, without those that tell history."""
    readmes = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in SOURCE.rglob("README.md")}
    return {name: text for name, text in (documents() | readmes).items() if not name.startswith((*HISTORY, EXAMPLE))}


TEXTS = texts()


def python_names(text):
    """Dotted names that begin with the package or one of its packages, as (name, attributes)."""
    for name in dict.fromkeys(re.findall(r"`([a-z_]+(?:\.[A-Za-z_]\w*)+)(?:\([^`]*\))?`", text)):
        first, *rest = name.split(".")
        if first == "ketamech" or (first in architecture.PACKAGES and rest[-1] not in FILE_SUFFIXES):
            yield name


def exists(name):
    """Whether a dotted name is a module of the package or an attribute of one."""
    parts = name.removeprefix("ketamech.").split(".")
    for count in range(len(parts), -1, -1):
        try:
            found = importlib.import_module(".".join(["ketamech", *parts[:count]]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[count:]:
            if not hasattr(found, attribute):
                return False
            found = getattr(found, attribute)
        return True
    return False


def missing_names(text, model):
    """Names of Python in a text that do not exist; outputs, states and parameters of the model have dots too."""
    known = {*model.layout.output_names, *model.layout.states, *model.parameters}
    return [name for name in python_names(text) if name not in known and not exists(name)]


def test_a_module_or_function_named_in_a_page_exists(model):
    wrong = {name: missing_names(text, model) for name, text in TEXTS.items()}
    assert {name: names for name, names in wrong.items() if names} == {}


def test_a_name_that_does_not_exist_is_found(model):
    text = "`exchange.tidy(curves)`, `ketamech.simulate`, `engine.solve.integrate`, `model.csv`, `mood.madrs`"
    assert missing_names(text, model) == ["exchange.tidy"]


def source_files(text):
    return dict.fromkeys(re.findall(r"`([\w/]+\.py)`", text))


def missing_files(name, text):
    """Source files that a page names and that lie neither in its folder nor in the package or the checkout."""
    folder = (ROOT / name).parent
    beside = {path.name for path in folder.rglob("*.py")} if folder.is_relative_to(SOURCE) else set()
    places = (folder, SOURCE, ROOT)
    return [one for one in source_files(text) if one not in beside and not any((at / one).is_file() for at in places)]


def test_a_source_file_named_in_a_page_exists():
    wrong = {name: missing_files(name, text) for name, text in TEXTS.items()}
    assert {name: files for name, files in wrong.items() if files} == {}


def test_a_source_file_that_does_not_exist_is_found():
    text = "`posterior.py`, `posterior_draws.py`, `model/stage.py`, `scripts/publish.py`"
    assert missing_files("src/ketamech/trials/README.md", text) == ["posterior.py"]


def rows(table):
    with (SOURCE / "data" / table).open(encoding="utf-8", newline="") as stream:
        return len(list(csv.DictReader(stream)))


def files(pattern):
    return len(list(ROOT.glob(pattern)))


WORDS = {3: "three", 7: "seven", 8: "eight", 9: "nine", 11: "eleven", 13: "thirteen", 18: "eighteen"}
COUNTS = (  # page, text around the number, how many there are
    ("README.md", "runs {} example scenarios", files("examples/*.yaml")),
    ("README.md", "{} packages; imports go in one direction", len(architecture.PACKAGES)),
    ("README.md", "including {} notebooks", files("docs/notebooks/*.py")),
    ("README.md", "{} brain areas", rows("brain_areas/areas.csv")),
    ("README.md", "{} pathways can be switched off", rows("pathways/pathways.csv")),
    ("docs/app.md", "{} chapters follow", rows("story/chapters.csv")),
    ("docs/app.md", "In {} places the reader draws a guess", rows("story/guesses.csv")),
    ("docs/app.md", "`/exercises` has {} exercises", rows("exercises/exercises.csv")),
    ("docs/attribution.md", "{} switches (`data/parameters/pathways.csv`)", rows("parameters/pathways.csv")),
    ("docs/how-to.md", "# {} common statements", rows("claims/claims.csv")),
    ("docs/scenarios.md", "contains {} scenario files", files("examples/*.yaml")),
    ("docs/scenarios.md", "between the {} brain areas", rows("brain_areas/areas.csv")),
    ("docs/tutorial.md", "An hour: {} notebooks", files("docs/notebooks/*.py")),
)


@pytest.mark.parametrize(("page", "words", "count"), COUNTS, ids=lambda value: str(value)[:40])
def test_a_number_of_things_is_that_of_the_tables(page, words, count):
    text = " ".join(Path(ROOT / page).read_text(encoding="utf-8").split())
    spelled = {words.format(number).lower() for number in (count, WORDS.get(count, count))}
    assert any(one in text.lower() for one in spelled), f"{page} should say: {words.format(count)}"


def test_the_limits_of_the_page_are_those_of_the_server():
    from ketamech.app.app_state import LIMITS
    from ketamech.app.routes.scenario import MAX_SUBJECTS
    from ketamech.app.scenarios import MAX_OCCASIONS, MAX_PERTURBATIONS
    from ketamech.app.server import MAX_CONNECTIONS, MAX_PER_ADDRESS

    million, minute = 1e6, 60
    stated = (
        f"| {LIMITS.body_bytes // 1024} KB; {LIMITS.values:,} |",
        f"| one treatment, perturbation or other text of a scenario | {LIMITS.text_characters} characters |",
        f"| {LIMITS.population_patients:,}, {LIMITS.population_seconds:g} s |",
        f"| doses of a scenario on the page | {MAX_OCCASIONS} (",
        f"| perturbations of a scenario on the page | {MAX_PERTURBATIONS} |",
        f"| solver steps of one patient | {LIMITS.solver_steps:,} (",
        f"curves of more than {LIMITS.quick_steps:,} steps wait",
        f"| {LIMITS.csv_numbers / million:g} million, {10 * LIMITS.csv_numbers / million:g} million |",
        f"| subjects of a dose table | {MAX_SUBJECTS} |",
        f"| {LIMITS.trial_patients:,}; {LIMITS.trial_doses:,} |",
        f"| outputs times times of one request | {LIMITS.output_numbers:,} |",
        f"| {LIMITS.jobs_running}, {LIMITS.jobs_waiting}, {LIMITS.job_seconds / minute:g} minutes |",
        f"| {LIMITS.max_waiting}, {LIMITS.max_waiting_long}, {LIMITS.max_waiting_long} |",
        f"| {MAX_PER_ADDRESS}, {MAX_CONNECTIONS} |",
    )
    assert [text for text in stated if text not in TEXTS["docs/app.md"]] == []


DATA_FOLDERS = sorted(path for path in (SOURCE / "data").iterdir() if path.is_dir())
ONE_FILE_EACH = {"parameters", "trials"}  # one file a stage, one file a trial


@pytest.mark.parametrize("folder", DATA_FOLDERS, ids=lambda path: path.name)
def test_the_readme_of_a_folder_of_data_names_its_files(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    files = [path.name for path in folder.iterdir() if path.is_file() and path.name != "README.md"]
    missing = [name for name in files if f"`{name}`" not in text]
    assert missing == [] or folder.name in ONE_FILE_EACH
