"""A GPU gives the same bits as the processor. Where there is none, a pretended driver runs its threads."""

import re

import numpy as np
import pytest

from ketamech.core import InputError, SolverError
from ketamech.engine import Kernel, drug_free_steady_state, events, gpu_kernel, solve
from ketamech.engine.codegen.compile_system import equation_code
from ketamech.engine.gpu_kernel import WARP, CudaDevice
from ketamech.engine.kernel import ARGUMENTS, SINGLE_LANE_ARGUMENTS, driver_texts
from simulated_cuda import PretendedDriver, threads_of
from toy_models import TABLE

TIMES = np.array([0.5, 1.0, 4.0, 24.0, 48.0])
COUNT = 75
SICK = 13


@pytest.fixture(scope="module")
def threads(system):
    return threads_of(equation_code(system))


@pytest.fixture
def pretend(threads, monkeypatch):
    """Put a pretended driver in place, with facts of the test's choice."""

    def put(code=threads, **facts):
        driver = PretendedDriver(code, **facts)
        gpu = CudaDevice(driver)
        for name in ("kernel.open_device", "gpu_kernel.open_device"):
            monkeypatch.setattr(f"ketamech.engine.{name}", lambda: gpu)
        return driver

    return put


@pytest.fixture
def kernel(system):
    return Kernel(system.layout, lambda: system)


@pytest.fixture(scope="module")
def people(system):
    """Inputs of patients who differ, one of whom cannot be solved, and a treatment of their own for each."""
    chance = np.random.Generator(np.random.Philox(7))
    usual = np.array([TABLE[name].canonical for name in system.layout.parameter_names])
    inputs = np.column_stack([usual * np.exp(0.3 * chance.standard_normal((COUNT, usual.size))), np.zeros(COUNT)])
    inputs[SICK, system.layout.parameter_names.index("toy.delay")] = np.nan
    return inputs, [treatment(i) for i in range(COUNT)]


def treatment(i):
    """Boluses for all, an infusion for every other."""
    rows = [(0.1 * (i % 4), 0, 0, 20.0 + i), (20.0 + 0.05 * i, 0, 0, 10.0)]
    return events(rows + [(2.0, 1, 0, 5.0 + i), (3.0 + 0.1 * i, 1, 0, -5.0 - i)] * (i % 2))


def course(kernel, people, device, **how):
    """Rest, then treatment: start, found, inputs with resting values, and the solution."""
    inputs = people[0].copy()
    start, found = drug_free_steady_state(kernel, inputs, device=device)
    start[SICK] = start[0]
    return start, found, inputs, solve(kernel, start, inputs, people[1], TIMES, device=device, **how)


def assert_same(one, other):
    for a, b in zip(one[:3], other[:3], strict=True):
        assert np.array_equal(a, b, equal_nan=True)
    for part in ("values", "final_state", "status", "steps", "tries", "failed_at"):
        assert np.array_equal(getattr(one[3], part), getattr(other[3], part), equal_nan=True), part
    assert one[3].state_at_fault == other[3].state_at_fault


def test_every_bit_is_that_of_the_processor(kernel, people, pretend):
    driver = pretend()
    there = course(kernel, people, "cuda")
    assert_same(there, course(kernel, people, "cpu"))
    assert there[3].status[SICK] == 2
    assert np.isnan(there[3].values[SICK]).all()
    assert (there[3].status != 0).sum() == 1
    assert driver.launches == [("settle", 3), ("follow", 3)]
    assert not driver.memory


def test_each_thread_has_a_workspace_of_its_own(kernel, people, pretend):
    driver = pretend()
    solution = course(kernel, people, "cuda")[3]
    rows, n = kernel.compiled_for("cuda").rows, len(kernel.layout.states)
    workspace = driver.workspace.reshape(-1, rows.total, WARP)
    assert len(driver.places) == COUNT
    for patient, (group, lane) in driver.places.items():
        state = workspace[group, rows.starts["Y"] : rows.starts["Y"] + n, lane]
        assert np.array_equal(state, solution.final_state[patient], equal_nan=True)


def test_little_memory_or_a_small_gpu_takes_longer_and_changes_no_bit(kernel, people, pretend):
    here = course(kernel, people, "cpu")
    for facts in ({"free": 100_000}, {"multiprocessors": 0}):
        driver = pretend(**facts)
        assert_same(course(Kernel(kernel.layout, kernel.build_system), people, "cuda"), here)
        assert driver.launches == [("settle", 1), ("follow", 1)]


def test_the_whole_model_is_the_same_to_the_last_bit(pretend):
    from ketamech.simulation.model import load_model

    model = load_model()
    pretend(threads_of(model.kernel._equation_code()))  # stored: to generate it takes longer than all else here
    layout, names = model.layout, model.layout.parameter_names
    usual = np.array(
        [[*(model.parameters[name].canonical for name in names), *([0.0] * len(layout.baseline_names))]] * 2
    )
    usual[1, names.index("pharmacokinetics.central_volume")] *= 1.3
    into = layout.state_names.index("pharmacokinetics.central_s")
    given = [events([(0.0, 1, into, 200.0), (0.7, 1, into, -200.0)])] * 2
    found = []
    for device in ("cpu", "cuda"):
        inputs = usual.copy()
        start, rested = drug_free_steady_state(model.kernel, inputs, device=device)
        assert rested.all()
        found.append((start, inputs, solve(model.kernel, start, inputs, given, np.array([0.5, 1.0]), device=device)))
    here, there = found
    assert (here[2].status == 0).all()
    assert (here[2].values[0, -1] != here[2].values[1, -1]).sum() > 50
    assert (here[0] == there[0]).all()
    assert (here[1] == there[1]).all()
    assert (here[2].values == there[2].values).all()


def test_ptx_rounds_every_operation_and_needs_nothing_else(system):
    from ketamech.engine.codegen.ptx_and_wasm import ptx_files

    text = ptx_files(equation_code(system), driver_texts(SINGLE_LANE_ARGUMENTS), ARGUMENTS)["kernel.ptx"].decode()
    used = set(re.findall(r"^\s*(?:@\S+ )?([a-z]+[a-z0-9.]*)", text, re.MULTILINE))
    arithmetic = {
        op for op in used if op.split(".")[0] in ("add", "sub", "mul", "fma", "div", "sqrt", "rcp") and "f64" in op
    }
    assert {"fma.rn.f64", "div.rn.f64", "mul.rn.f64"} <= arithmetic
    assert all(".rn" in op for op in arithmetic)
    assert not [op for op in used if "approx" in op]
    assert ".extern" not in text
    for name, kinds in ARGUMENTS.items():
        assert f".visible .entry {name}(" in text
        assert f"{name}_param_{len(kinds) - 1}" in text
        assert f"{name}_param_{len(kinds)}" not in text


def test_progress_is_reported_and_ctrl_c_starts_no_further_patient(kernel, people, pretend):
    driver, told = pretend(), []
    course(kernel, people, "cuda", progress=told.append)
    assert told
    assert all(0 <= n <= COUNT for n in told)

    def interrupt(begun):
        raise KeyboardInterrupt

    inputs = people[0].copy()
    start, _ = drug_free_steady_state(kernel, inputs, device="cuda")
    before = start.copy()
    with pytest.raises(KeyboardInterrupt):
        solve(kernel, start, inputs, people[1], TIMES, device="cuda", progress=interrupt)
    assert np.array_equal(start, before, equal_nan=True)
    assert driver.stopped_before_anybody
    assert not driver.memory


def test_without_a_gpu_the_error_says_what_to_type(kernel, people, monkeypatch):
    monkeypatch.setattr(gpu_kernel, "LIBRARY", "no-such-driver.so")
    gpu_kernel.open_device.cache_clear()
    with pytest.raises(InputError, match="no CUDA device") as error:
        drug_free_steady_state(kernel, people[0].copy(), device="cuda")
    assert error.value.type_this == "--device cpu"


def test_a_gpu_too_old_is_refused(threads):
    with pytest.raises(InputError, match="older than Volta"):
        CudaDevice(PretendedDriver(threads, version=6))


def test_too_many_patients_for_the_memory_are_reported(kernel, people, pretend):
    pretend(free=1000)
    with pytest.raises(SolverError, match="out of memory; try fewer patients"):
        drug_free_steady_state(kernel, people[0].copy(), device="cuda")


@pytest.mark.parametrize(("device", "near"), [("gpu", "cuda"), ("CUDA", "cuda"), ("cup", "cpu"), ("abacus", None)])
def test_an_unknown_device_is_refused(kernel, people, device, near):
    with pytest.raises(InputError, match=f"no device '{device}'") as error:
        drug_free_steady_state(kernel, people[0].copy(), device=device)
    assert error.value.nearest == near


def test_a_real_gpu_gives_the_same_bits(kernel, people):
    gpu_kernel.open_device.cache_clear()
    try:
        gpu_kernel.open_device()
    except InputError as reason:
        pytest.skip(str(reason).splitlines()[0])
    assert_same(course(kernel, people, "cuda"), course(kernel, people, "cpu"))
