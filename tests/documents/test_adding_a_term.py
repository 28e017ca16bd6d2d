"""docs/adding-a-term.md: a receptor target with a pathway switch and a blocker needs at most six files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ketamech
from loop_cache import copy_compiled_loops

PACKAGE = Path(ketamech.__file__).parent
MAX_FILES = 6
STAGE = '''"""A toy: a sigma receptor bound by ketamine."""

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def sigma(stage: Stage) -> None:
    """Receptor occupied by ketamine, unless a blocker holds it."""
    blocker = stage.state("sigma.blocker", "1", description="blocker at the receptor, in usual doses")
    stage.rate(blocker, -stage.parameter("sigma.blocker_elimination") * blocker, because="elimination of the blocker")
    free = stage.parameter("pathway.sigma") * (1 - hill(blocker, stage.parameter("sigma.blocker_ec50"), 1))
    drug = stage.input("brain.esketamine", "umol/L") + stage.input("brain.arketamine", "umol/L")
    signal = stage.state("sigma.signal", "1", bounds=(0, 1), description="signal of the receptor, 0 without drug")
    rate_constant = stage.parameter("sigma.rate_constant")
    stage.rate(signal, +rate_constant * free * hill(drug, stage.parameter("sigma.affinity"), 1), because="occupancy")
    stage.rate(signal, -rate_constant * signal, because="decay of the signal")
'''
VALUES = """name,value,unit,spread,status,evidence,locator,reason
sigma.affinity,1,umol/L,lognormal 0.3,assumed,robson-s2,none,half occupancy
sigma.rate_constant,0.1,1/h,lognormal 0.3,assumed,,none,signal over ten hours
sigma.blocker_elimination,0.05,1/h,lognormal 0.3,assumed,,none,elimination of the blocker
sigma.blocker_ec50,0.02,1,lognormal 0.3,assumed,,none,half block
sigma.mood_weight,2,1,lognormal 0.3,assumed,,none,log odds of the scale at full signal
pathway.sigma,1,1,fixed,assumed,,none,Switch: the sigma receptor acts on mood
"""
PROGRAM = """
import json
from pathlib import Path
from ketamech.analysis.attribution import switched_on_pathways
from ketamech.analysis.attribution_text import load_pathways
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import load_model
from ketamech import simulate
model = load_model()
text = "racemic 0.5 mg/kg IV over 40 min"
Path("off.yaml").write_text(
    f"treatments: [{text}]\\npathways: {{sigma: 0}}\\nperson: {{weight: 70 kg}}\\n", encoding="utf-8"
)
def madrs(scenario, *perturbations):
    curves = simulate(scenario, model=model, times=[0.0, 6.0], perturb=perturbations)
    return float(curves["mood.madrs"].sel(patient="treated")[-1])
print(json.dumps({
    "on": madrs(text), "off": madrs(Path("off.yaml")), "blocked": madrs(text, "toy blocker"),
    "label": load_pathways()["sigma"].label,
    "switches": switched_on_pathways(model, load_scenario(text, model.parameters)),
}))
"""


class Changes:
    """Edits of a copied package, and the files that they touched."""

    def __init__(self, package: Path) -> None:
        self.package, self.files = package, set()

    def write(self, path: str, text: str) -> None:
        self.files.add(path)
        (self.package / path).write_text(text, encoding="utf-8")

    def append(self, path: str, line: str) -> None:
        self.write(path, (self.package / path).read_text(encoding="utf-8").rstrip("\n") + f"\n{line}\n")

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.package / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, (path, old)
        self.write(path, text.replace(old, new))


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    root = tmp_path_factory.mktemp("package")
    shutil.copytree(PACKAGE, root / "ketamech", ignore=shutil.ignore_patterns("__pycache__"))
    copy_compiled_loops(root / "cache")  # of the engine, in which nothing changes
    changes = Changes(root / "ketamech")
    changes.write("model/stages/sigma.py", STAGE)
    changes.write("data/parameters/sigma.csv", VALUES)
    changes.replace("model/stages/__init__.py", '    "nmda",\n', '    "nmda",\n    "sigma",\n')
    changes.replace(
        "model/stages/mood.py",
        "        + _other_treatments(stage)\n",
        "        + _other_treatments(stage)\n"
        '        + stage.parameter("sigma.mood_weight") * stage.input("sigma.signal", "1")\n',
    )
    changes.append("data/pathways/pathways.csv", "sigma,Sigma receptor,#CC79A7,A toy receptor,robson-s2,")
    changes.append(
        "data/perturbations/perturbations.csv",
        "toy blocker,sigma blocker,drug,sigma receptors,,sigma.blocker,1,oral 10 mg,-0.5,,robson-s2,a full dose",
    )
    return changes


def _run(changed, *words):
    environment = {
        **os.environ,
        "PYTHONPATH": str(changed.package.parent),
        "KETAMECH_CACHE": str(changed.package.parent / "cache"),
    }
    done = subprocess.run(
        [sys.executable, *words], env=environment, cwd=changed.package.parent, capture_output=True, encoding="utf-8",
        check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_receptor_target_needs_six_files_and_works(changed):
    result = json.loads(_run(changed, "-c", PROGRAM).splitlines()[-1])
    assert result["label"] == "Sigma receptor"
    assert "pathway.sigma" in result["switches"]
    assert result["on"] < result["off"] - 0.5
    assert result["on"] < result["blocked"] < result["off"] + 1e-6
    assert len(changed.files) <= MAX_FILES


def test_the_new_stage_passes_the_checks_of_the_model(changed):
    assert "sigma" in _run(changed, "-m", "ketamech", "verify", "sigma")
