"""The WebAssembly module gives the numbers of the machine code: 1e-6 of the size of each output, on random regimens."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from random_regimens import random_regimen

from ketamech.core import InputError
from ketamech.simulation.ensemble import Ensemble
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.output_times import output_times
from ketamech.simulation.simulate import subjects

pytest.importorskip("wasmtime", reason="pip install wasmtime")
pytest.importorskip("ziglang", reason="pip install 'ketamech[site]'")
from wasm_kernel import solved_by_wasm

HORIZON = 28 * 24.0
RELATIVE, SMALLEST = 1e-6, 1e-6  # outputs without a declared scale that stay below SMALLEST are rounding errors of 0


def scenarios(count, seed, model):
    """Random scenarios that can be simulated: drugs, routes, schedules, sessions."""
    chance, found = random.Random(seed), []
    while len(found) < count:
        try:
            scenario = load_scenario(random_regimen(chance), model.parameters)
        except InputError:
            continue
        if not any(treatment.at_steady_state for treatment in scenario.regimen.treatments):
            found.append(scenario)
    return found


def largest_difference(model, chosen, monkeypatch):
    """Largest difference of any output at any time, relative to its largest value in the patient plus its scale."""
    patients = [subject for scenario in chosen for subject in subjects(scenario, model)]
    starts = sorted({entry.time for one in patients for entry in one.events if 0 <= entry.time < HORIZON})
    times = output_times(HORIZON, starts[:: max(1, len(starts) // 8)], per_dose=12)
    ensemble = Ensemble.of_subjects(model, patients)
    native = ensemble.solve(times)
    with solved_by_wasm(model, monkeypatch):
        wasm = ensemble.solve(times)
    assert (native.reasons == "ok").all()
    assert (wasm.reasons == "ok").all()
    size = np.abs(native.values).max(axis=1, keepdims=True)
    scales = {state.name: state.scale for state in model.layout.states}
    size += np.array([scales.get(name, SMALLEST) for name in native.names])
    return float(np.max(np.abs(wasm.values - native.values) / size))


def test_random_regimens_give_the_numbers_of_the_machine_code(model, monkeypatch):
    assert largest_difference(model, scenarios(10, 1, model), monkeypatch) < RELATIVE


@pytest.mark.slow
def test_two_hundred_random_regimens_give_the_numbers_of_the_machine_code(model, monkeypatch, request):
    if "slow" not in request.config.getoption("-m"):
        pytest.skip("runs with -m slow; the test above runs ten of them")
    for seed in range(10):
        assert largest_difference(model, scenarios(20, 100 + seed, model), monkeypatch) < RELATIVE


def test_the_module_needs_nothing_from_outside_and_exports_the_two_loops(model):
    import wasmtime

    module = wasmtime.Module(wasmtime.Engine(), model.kernel.webassembly().code)
    assert list(module.imports) == []
    assert {one.name for one in module.exports} == {"memory", "follow", "settle", "__heap_base"}


def test_another_process_with_an_empty_cache_writes_the_same_bytes(model, tmp_path):
    target = tmp_path / "kernel.wasm"
    code = (
        "import sys; from pathlib import Path; from ketamech.simulation.model import load_model\n"
        "Path(sys.argv[1]).write_bytes(load_model().kernel.webassembly().code)"
    )
    environment = {**os.environ, "KETAMECH_CACHE": str(tmp_path / "cache"), "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code, target], check=True, env=environment, timeout=240)
    assert Path(target).read_bytes() == model.kernel.webassembly().code
