"""Rules of the code base: one path for every run, what is public, what a stage may contain."""

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ketamech

sys.path.insert(0, str(Path(__file__).parent))
import architecture

ROOT = Path(ketamech.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "ketamech":
            yield from (f"ketamech.{alias.name}" for alias in node.names if not alias.name.startswith("__"))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ketamech."):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("ketamech"))


def package(path):
    return path.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_import_of_the_package_names_something_that_exists(path):
    """Also those inside functions, which only run when their command does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "ketamech":
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")


def test_every_package_has_a_readme():
    for name in architecture.PACKAGES:
        text = (ROOT / name / "README.md").read_text(encoding="utf-8")
        assert "In:" in text
        assert "Out:" in text


STAGE_FILES = [f for f in FILES if f.parent.name == "stages" and f.stem != "__init__"]


MODEL = STAGE_FILES[0].parents[1]
EQUATION_FILES = [*STAGE_FILES, MODEL / "kinetics.py", MODEL / "reduced_core.py"]


def numbers_in_equations(text):
    """Numbers of a source text but those that declare a state: `stage.state(..., initial_guess=, bounds=, scale=)`."""
    tree = ast.parse(text)
    declared = {
        id(leaf)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "state"
        for keyword in node.keywords
        if keyword.arg in {"initial_guess", "bounds", "scale"}
        for leaf in ast.walk(keyword.value)
    }
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in declared)
    return {node.value for node in constants if type(node.value) in (int, float)}


@pytest.mark.parametrize("path", EQUATION_FILES, ids=lambda p: p.stem)
def test_equations_hold_no_number_and_import_no_stage(path):
    numbers = numbers_in_equations(path.read_text(encoding="utf-8"))
    assert numbers <= {0, 1, 2, 3}, f"{path.name} holds {sorted(numbers - {0, 1, 2, 3})}"
    allowed = {"ketamech.model.stage", "ketamech.model.functions", "ketamech.model.kinetics"}
    if path.stem == "reduced_core":  # replaces some stages of the list
        allowed |= {"ketamech.model", "ketamech.model.stages"}
    assert set(imports(path)) <= allowed


def test_a_number_in_an_equation_is_found():
    assert numbers_in_equations("stage.state('a.b', '1', initial_guess=0.7, bounds=(0, 60))") == set()
    assert numbers_in_equations("stage.rate(level, hill(drug, scale=0.7))") == {0.7}


@pytest.mark.parametrize("path", STAGE_FILES, ids=lambda p: p.stem)
def test_a_stage_file_has_one_public_function(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
    assert functions == [path.stem]


def test_every_stage_file_is_used():
    from ketamech.model.stages import STAGES

    assert sorted(STAGES) == sorted(path.stem for path in STAGE_FILES)


PROCESSES = {  # reasons of one word
    "clearance", "dehydrogenation", "elimination", "healing", "hydroxylation", "relaxation", "turnover",
}  # fmt: skip


def test_every_flux_has_a_reason_and_every_output_a_meaning(model):
    """A reason is a process, or says in words of its own more than the name of the state."""
    for flux in model.system.fluxes:
        words = set(re.findall(r"[a-z0-9]+", flux.because.lower()))
        more = words - set(re.split(r"[._]", flux.state))
        assert flux.because in PROCESSES or (len(words) > 1 and more), flux
    for name, description in model.system.descriptions.items():
        assert description, f"{name} has no description"


def test_a_class_name_means_one_thing():
    """Two classes of one name in different modules would be two things with one word."""
    modules = {}
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                modules.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in modules.items() if len(paths) > 1} == {}


SOLVERS = {"drug_free_steady_state", "solve", "integrate", "IntegrationState"}
APART = {"exchange/sbml/simulate.py"}  # models that are not this one


DESCRIBED = re.compile(r"`([a-z_]\w*)`(?=:| \[)")  # in a docstring: `name`: ..., or `name` [shape]


def described_names(node):
    """Names that the docstring of a class describes, and those that the class has."""
    fields = {
        part.target.id for part in node.body if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    }
    functions = [part for part in node.body if isinstance(part, ast.FunctionDef)]
    arguments = {
        one.arg
        for part in functions
        if part.name == "__init__"
        for one in ast.walk(part.args)
        if isinstance(one, ast.arg)
    }
    return set(DESCRIBED.findall(ast.get_docstring(node) or "")), fields | arguments | {part.name for part in functions}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_class_has_every_field_that_its_docstring_describes(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and any(isinstance(part, ast.AnnAssign) for part in node.body):
            described, own = described_names(node)
            assert described <= own, (node.name, described - own)


def test_a_described_field_that_a_class_has_not_is_found():
    text = 'class A:\n    """`old` [person]; `new`: a number."""\n    new: int\n'
    described, own = described_names(ast.parse(text).body[0])
    assert described - own == {"old"}


def test_every_runner_solves_through_an_ensemble():
    """One path: parameter values, baseline, steady state and dose events are put together in one place."""
    for path in FILES:
        if package(path) in ("engine", "simulation") or str(path.relative_to(ROOT)) in APART:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ketamech.engine"):
                assert not SOLVERS & {alias.name for alias in node.names}, path


def test_public_names():
    assert sorted(ketamech.__all__) == [
        "KetaMechError",
        "Model",
        "Population",
        "Regimen",
        "Scenario",
        "Trial",
        "attribute",
        "calibrate",
        "check",
        "cite",
        "ev",
        "export",
        "fit",
        "load_connectome",
        "load_evidence",
        "load_parameters",
        "sample_parameters",
        "scorecard",
        "sensitivity",
        "simulate",
    ]
    assert set(ketamech.__all__) <= set(dir(ketamech))


def test_a_wrong_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError):
        ketamech.simulat  # noqa: B018


FORBIDDEN = re.compile(r"/work/|/root/|pypi\.org|registry\.npmjs|pythonhosted", re.IGNORECASE)


def test_the_project_names_no_machine():
    project = ROOT.parent.parent
    for folder, folders, names in os.walk(project):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in ("runs", "build")]
        for path in (Path(folder, name) for name in names if not name.startswith(".")):
            is_text = path.suffix in (".py", ".md", ".yaml", ".toml", ".csv", ".lock")
            if is_text and path.name != "test_code_rules.py":  # which holds the pattern itself
                assert not FORBIDDEN.search(path.read_text(encoding="utf-8")), path


def test_one_version_everywhere():
    project = ROOT.parent.parent
    for name, pattern in (("pyproject.toml", r'^version = "(.+)"'), ("CITATION.cff", r"^version: (.+)")):
        found = re.search(pattern, (project / name).read_text(encoding="utf-8"), re.M)
        assert found, name
        assert found[1] == ketamech.__version__, name


def test_importing_the_package_loads_no_library():
    program = "import sys; import ketamech; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, timeout=60
    ).stdout.split()
    assert not {"numpy", "sympy", "numba", "xarray", "pandas", "distributed"} & set(loaded)


def test_every_file_of_tests_has_a_name_of_its_own():
    """Two files of one name in folders without __init__ cannot be collected together."""
    names = [path.name for path in Path(__file__).parents[1].rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)
