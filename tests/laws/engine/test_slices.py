"""Scopes and slices: parts of a system give the bits of the whole system with the same outputs."""

import numpy as np
import pytest

from ketamech.core import UnknownNameError
from ketamech.engine import Kernel, cache_folder, drug_free_steady_state, events, jacobian, solve
from ketamech.engine import kernel as kernels
from ketamech.engine.codegen.compile_system import equation_code
from ketamech.engine.codegen.constant_folding import fold_zeros, used_instructions
from ketamech.engine.codegen.equation_code import EquationCode
from ketamech.engine.codegen.ir import Instruction, Slot
from ketamech.engine.codegen.program import by_store
from ketamech.engine.events import to_table
from ketamech.engine.gpu_kernel import CudaDevice
from ketamech.engine.scope import Scope, Slice
from ketamech.engine.tangent_solve import EventTangents, solve_with_tangents, steady_state_with_tangents
from ketamech.engine.tangents import Tangents
from ketamech.model.assemble import build_system
from ketamech.model.functions import hill
from simulated_cuda import PretendedDriver, threads_of
from toy_models import TABLE, kinetics

TIMES = np.array([0.0, 0.5, 2.0, 9.0])
DOSES = [(0.0, 0, 0, 20.0), (1.0, 1, 0, 4.0), (3.0, 1, 0, -4.0)]


def antagonist(m):
    """A compound with elimination that blocks the effect."""
    level = m.state("antagonist.level", "umol/L")
    m.rate(level, -m.parameter("toy.turnover") * level, because="elimination")
    m.output("antagonist.share", level / (level + m.parameter("toy.half")), "1")


def effect(m):
    """An effect of the drug that the antagonist blocks, relative to the drug-free effect."""
    share, drug = m.input("antagonist.share", "1"), m.input("kinetics.concentration", "umol/L")
    turnover, half = m.parameter("toy.turnover"), m.parameter("toy.half")
    level = m.state("effect.level", "1", initial_guess=0.7)
    m.rate(level, turnover * (1 + hill(drug, half, m.parameter("toy.steepness")) * (1 - share)), because="production")
    m.rate(level, -turnover * level, because="loss")
    m.output("effect.change", level / m.baseline("effect.level", "1") - 1, "1")


def consequence(m):
    """What follows the effect and changes nothing: fast, so that it would shorten the steps."""
    change, delay = m.input("effect.change", "1"), m.parameter("toy.delay")
    level = m.state("consequence.level", "1", scale=0.001)
    m.rate(level, delay * (change - level), because="equilibration")


@pytest.fixture(scope="module")
def system():
    return build_system(TABLE, [kinetics, antagonist, effect, consequence])


@pytest.fixture(scope="module")
def scope(system):
    layout = system.layout
    return Scope.of(
        layout, "effect", ["effect.change"], (Slice("drug", frozenset({0})), Slice("any", frozenset(range(5))))
    )


@pytest.fixture
def kernel(system, tmp_path, monkeypatch):
    """A kernel of which nothing is compiled but the loops."""
    kernels.loops_object()
    monkeypatch.setattr("ketamech.core.environment.PREBUILT", cache_folder())
    monkeypatch.setenv("KETAMECH_CACHE", str(tmp_path))
    return Kernel(system.layout, lambda: system)


@pytest.fixture
def inputs(system):
    usual = np.array([*(TABLE[name].canonical for name in system.parameter_names), 0.0])
    return usual * np.exp(0.2 * np.random.default_rng(1).standard_normal((7, usual.size)))


def run(kernel, inputs, given=DOSES, device="cpu", outputs=("effect.change", "antagonist.level")):
    own = inputs.copy()
    start, found = drug_free_steady_state(kernel, own, device=device)
    assert found.all()
    return solve(kernel, start, own, [events(given)] * len(own), TIMES, outputs=outputs, tolerance=1e-5, device=device)


def whole_only(monkeypatch):
    monkeypatch.setattr(Kernel, "fitting_slices", lambda kernel, device, receivers: [])


def test_a_scope_holds_what_its_outputs_need_and_what_is_computed_from_that(system, scope):
    names = system.layout.output_names
    left_out = {name for i, name in enumerate(names) if i not in scope.outputs}
    assert left_out == {"kinetics.gone", "consequence.level"}
    assert scope.covers(["antagonist.share", "kinetics.other"])
    assert not scope.covers(["kinetics.gone"])


def test_a_slice_has_the_bits_of_the_whole_system(kernel, scope, inputs, monkeypatch):
    part = kernel.within(scope)
    code = part.slice_code(scope.slices[0], kernels.LANES)
    assert list(code.absent) == [3]
    assert list(code.states) == [0, 1, 4]
    sliced = run(part, inputs)
    with monkeypatch.context() as patch:
        whole_only(patch)
        whole = run(part, inputs)
    assert np.array_equal(sliced.values, whole.values)
    assert np.array_equal(sliced.steps, whole.steps)
    assert np.ptp(sliced.of("effect.change")) > 0.1
    assert (sliced.of("antagonist.level") == 0).all()
    everything = run(kernel, inputs)
    assert (everything.steps > whole.steps).any()  # the error covers the consequence as well
    assert everything.values == pytest.approx(whole.values, abs=2e-4)


def test_the_whole_system_on_a_gpu_leaves_the_same_states_out_of_the_error(system, kernel, scope, inputs, monkeypatch):
    whole_only(monkeypatch)
    here = run(kernel.within(scope), inputs)
    gpu = CudaDevice(PretendedDriver(threads_of(equation_code(system))))
    for name in ("kernel.open_device", "gpu_kernel.open_device"):
        monkeypatch.setattr(f"ketamech.engine.{name}", lambda: gpu)
    there = run(kernel.within(scope), inputs, device="cuda")
    assert np.array_equal(here.values, there.values)
    assert np.array_equal(here.steps, there.steps)


def test_a_dose_elsewhere_or_a_level_above_zero_needs_the_whole_system(kernel, scope, inputs):
    part = kernel.within(scope)
    kernel.compiled, part.slice_code(scope.slices[0], kernels.LANES)
    level = np.zeros((7, 6))
    assert part.code_for_run("cpu", {0}, [level]).states is not None
    level[2, 3] = 1.0
    assert part.code_for_run("cpu", {0}, [level]).states is None
    assert part.code_for_run("cpu", {1}, [0 * level]).states is None
    level[2] = np.nan
    assert part.code_for_run("cpu", {0}, [level]).states is not None


def test_a_compound_that_is_given_acts(kernel, scope, inputs):
    blocked = run(kernel.within(scope), inputs, [(0.0, 0, 3, 5.0), *DOSES])
    assert blocked.of("effect.change").max() < 0.8 * run(kernel.within(scope), inputs).of("effect.change").max()


def test_an_event_outside_the_scope_changes_no_bit(kernel, scope, inputs):
    once = run(kernel.within(scope), inputs)
    again = run(kernel.within(scope), inputs, [*DOSES, (0.7, 0, 5, 1.0)])
    assert np.array_equal(once.values, again.values)


def test_values_with_derivatives_have_the_bits_of_the_slice(system, kernel, scope, inputs):
    part, given, outputs = kernel.within(scope), [*DOSES, (0.7, 0, 5, 1.0)], ["effect.change"]
    own, tangents = inputs.copy(), np.zeros((7, 1, inputs.shape[1]))
    tangents[:, 0, system.parameter_names.index("toy.half")] = 1.0
    start, slopes, _ = steady_state_with_tangents(part, own, Tangents.of_all(tangents))
    table = to_table([events(given)] * 7)
    fixed = EventTangents(*np.zeros((2, len(table.time), 1)))
    found, derivatives, _ = solve_with_tangents(
        part, (start, slopes), (own, Tangents.of_all(tangents)), table, fixed, TIMES, outputs=outputs, tolerance=1e-5
    )
    sliced = run(part, inputs, given, outputs=outputs)
    assert np.array_equal(found.values, sliced.values)
    assert np.array_equal(found.steps, sliced.steps)
    moved = [run(part, inputs + step * tangents[:, 0], given, outputs=outputs).values for step in (1e-4, -1e-4)]
    assert derivatives[:, 0] == pytest.approx((moved[0] - moved[1]) / 2e-4, abs=1e-3)
    assert np.ptp(derivatives) > 0.01


def with_derivatives(kernel, inputs, doses, output, name, *, tolerance=1e-5):
    """Solution and derivatives by a parameter of patients with these doses each."""
    own, tangents = inputs.copy(), np.zeros((len(inputs), 1, inputs.shape[1]))
    tangents[:, 0, kernel.layout.parameter_names.index(name)] = 1.0
    table = to_table([events(given) for given in doses])
    moving = Tangents.of_all(tangents)
    start, slopes, _ = steady_state_with_tangents(kernel, own, moving, receivers=np.unique(table.state).tolist())
    fixed = EventTangents(*np.zeros((2, len(table.time), 1)))
    found, derivatives, _ = solve_with_tangents(
        kernel, (start, slopes), (own, moving), table, fixed, TIMES, outputs=[output], tolerance=tolerance
    )
    return found, derivatives


@pytest.mark.parametrize("lanes", [4, 8])
def test_derivatives_by_a_slice_have_the_bits_of_the_whole_system(kernel, scope, inputs, lanes, monkeypatch):
    part, doses = kernel.within(scope), [DOSES] * 7
    monkeypatch.setattr(kernels, "run_lanes", lambda solves: lanes)
    sliced = with_derivatives(part, inputs, doses, "effect.change", "toy.half")
    assert part.code_with_tangents(7, {0}).lanes == lanes
    assert list(part.code_with_tangents(7, {0}).states) == [0, 1, 4]
    part.scope = Scope(scope.layout, "effect", scope.outputs)  # without slices
    whole = with_derivatives(part, inputs, doses, "effect.change", "toy.half")
    assert np.array_equal(sliced[0].values, whole[0].values)
    assert np.array_equal(sliced[1], whole[1])
    assert np.ptp(whole[1]) > 0.01


def test_derivatives_by_a_linear_slice_do_not_depend_on_other_patients(kernel, system, inputs):
    """A patient whose dose needs the whole system changes no bit of patients whose doses do not."""
    levels = Scope.of(system.layout, "levels", ["kinetics.concentration"], (Slice("drug", frozenset({0})),))
    part = kernel.within(levels)
    other = [(0.0, 0, 1, 5.0), *DOSES]
    mixed = [DOSES, other, *[DOSES] * 5]
    found, slopes = with_derivatives(part, inputs, mixed, "kinetics.concentration", "toy.clearance")
    alone, own = with_derivatives(part, inputs[[0]], [DOSES], "kinetics.concentration", "toy.clearance")
    usual = run(part, inputs[[1]], other, outputs=["kinetics.concentration"])
    assert np.array_equal(found.values[[0]], alone.values)
    assert np.array_equal(found.values[[1]], usual.values)
    assert np.array_equal(slopes[[0]], own)
    part.scope = Scope(levels.layout, "levels", levels.outputs)
    _, whole = with_derivatives(part, inputs, mixed, "kinetics.concentration", "toy.clearance")
    assert np.array_equal(slopes[1], whole[1])
    assert slopes == pytest.approx(whole, rel=1e-11, abs=1e-13)
    assert not np.array_equal(slopes, whole)  # the slice is linear


def test_where_nothing_is_compiled_the_last_slice_that_fits_is(kernel, scope, inputs):
    part = kernel.within(scope)
    assert list(part.code_for_run("cpu", {0}).states) == [0, 1, 3, 4]
    assert not kernel.is_compiled("cpu")
    kernel.compiled  # noqa: B018
    assert part.code_for_run("cpu", {0}).states is not None
    part.scope = Scope(scope.layout, "effect", scope.outputs)  # without slices
    assert part.code_for_run("cpu", {0}).left_out.tolist() == [False, False, True, False, False, True]


def test_a_better_slice_is_compiled_once_the_time_lost_would_have_paid_for_it(kernel, scope, monkeypatch):
    part, announced = kernel.within(scope), []
    monkeypatch.setattr(part, "_announce", announced.append)
    code = kernel.compiled
    for seconds in (0.6, 0.6):
        part.count_time(code, {0}, 1, seconds * kernels.COMPILE_SECONDS / kernels.SLICE_SHARE)
        announced.append("run")
    assert [line[:9] for line in announced] == ["run", "Compiling", "run"]
    part.count_time(code, {5}, 1, 1e9)  # a dose outside the scope: the slice fits, and is compiled
    kernel.within(None).count_time(code, {0}, 1, 1e9)  # all outputs are read: no slice
    assert len(announced) == 3


@pytest.fixture
def wide(monkeypatch):
    """As on a processor on which eight lanes are faster."""
    monkeypatch.setattr(kernels, "cpu_lanes", lambda: kernels.WIDE_LANES)


@pytest.mark.usefixtures("wide")
def test_many_patients_are_solved_in_wide_lanes_and_a_few_in_narrow_ones(kernel, scope, inputs):
    part = kernel.within(scope)
    for patients in (1, 5):
        part.compile_slices(patients)
    used = {patients: part.code_for_run("cpu", {0}, patients=patients) for patients in (1, 4, 5, 1000)}
    assert {patients: code.lanes for patients, code in used.items()} == {1: 4, 4: 4, 5: 8, 1000: 8}
    assert all(list(code.states) == [0, 1, 4] for code in used.values())
    alone, together = run(part, inputs[[2]]), run(part, inputs)
    assert np.array_equal(alone.values[0], together.values[2])


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(("compiled", "asked"), [(1, 5), (5, 1)])
def test_code_of_other_lanes_is_used_until_the_time_lost_would_have_paid_for_better(kernel, scope, compiled, asked):
    part = kernel.within(scope)
    part.compile_slices(compiled)
    code = part.code_for_run("cpu", {0}, patients=asked)
    assert (len(code.states), code.lanes) == (3, kernels.run_lanes(compiled))
    for seconds, lanes in ((0.6, kernels.run_lanes(compiled)), (0.6, kernels.run_lanes(asked))):
        part.count_time(code, {0}, asked, seconds * kernels.COMPILE_SECONDS / kernels.LANES_SHARE)
        assert part.code_for_run("cpu", {0}, patients=asked).lanes == lanes
    whole = kernel.compiled_for("cpu", compiled)
    assert kernel.compiled_for("cpu", asked) is whole
    kernel.count_time(whole, {0}, asked, 1.2 * kernels.COMPILE_SECONDS / kernels.LANES_SHARE)
    assert kernel.compiled_for("cpu", asked).lanes == kernels.run_lanes(asked)
    assert kernel.compiled_for("cpu", compiled) is whole


@pytest.mark.parametrize(
    ("name", "feature", "lanes"),
    [("znver5", "avx512f", 8), ("rocketlake", "amx-tile", 8), ("rocketlake", "avx512f", 4), ("haswell", "avx2", 4)],
)
def test_eight_lanes_need_a_processor_on_which_they_were_measured_to_be_faster(name, feature, lanes, monkeypatch):
    monkeypatch.setattr(kernels.native_code, "processor_name", lambda: name)
    monkeypatch.setattr(kernels.native_code, "has_feature", lambda asked: asked == feature)
    assert kernels.cpu_lanes.__wrapped__() == lanes


def test_outputs_outside_the_scope_are_refused(kernel, scope, inputs):
    with pytest.raises(UnknownNameError, match=r"consequence\.level"):
        run(kernel.within(scope), inputs, outputs=["consequence.level"])


def test_code_of_equations_is_read_as_it_was_written(system):
    code = equation_code(system)
    assert EquationCode.from_json(code.to_json()) == code
    for text in ("{}", "[]", "7"):
        with pytest.raises(ValueError, match="not equation code"):
            EquationCode.from_json(text)


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),
    [
        ("add", (0.0, "x"), "x"), ("sub", ("x", 0.0), "x"), ("mul", ("x", 1.0), "x"), ("mul", (0.0, "x"), 0.0),
        ("div", (0.0, "x"), 0.0), ("div", ("x", 1.0), "x"), ("fma", ("x", 0.0, "y"), "y"),
        ("fnma", (0.0, "x", "y"), "y"), ("if_positive", (0.0, "x", "y"), "y"), ("if_zero", (0.0, "x", "y"), "x"),
        ("if_positive", ("x", "y", "y"), "y"), ("exp", (0.0,), 1.0), ("log", (1.0,), 0.0), ("neg", (2.0,), -2.0),
        ("div", ("x", 0.0), None), ("exp", (1.0,), None), ("add", ("x", "y"), None), ("fma", ("x", "y", "x"), None),
    ],
)  # fmt: skip
def test_only_what_is_exact_is_folded(kind, arguments, expected):
    remaining, known = fold_zeros([Instruction("r", kind, arguments)], ())
    assert known.get("r") == expected
    assert len(remaining) == (expected is None)


def test_a_product_with_one_becomes_a_sum_and_unused_instructions_go():
    code = [Instruction("a", "fma", ("x", 1.0, Slot("U", 0))), Instruction("b", "fnma", (1.0, "x", "y")),
            Instruction("c", "sub", (0.0, "a")), Instruction("d", "mul", ("a", Slot("Y", 1)))]  # fmt: skip
    remaining, known = fold_zeros(code, {1})
    assert [one.kind for one in remaining] == ["add", "sub", "neg"]
    assert known == {"d": 0.0}
    assert [one.target for one in used_instructions(remaining, ["c"])] == ["a", "c"]


def test_a_block_in_parts_computes_the_same_bits(system, kernel, inputs, tmp_path, monkeypatch):
    whole = run(kernel, inputs)
    slope = jacobian(kernel, whole.final_state[0], inputs[0])
    monkeypatch.setattr("ketamech.engine.codegen.program.PART_LENGTH", 3)
    monkeypatch.setenv("KETAMECH_CACHE", str(tmp_path / "other"))
    parts = Kernel(system.layout, lambda: system)
    assert parts.compiled.rows.sizes["X"] > kernel.compiled.rows.sizes["X"]
    assert np.array_equal(run(parts, inputs).values, whole.values)
    assert np.array_equal(jacobian(parts, whole.final_state[0], inputs[0]), slope)


def test_a_store_follows_what_it_needs():
    code = [Instruction("a", "neg", (Slot("P", 0),)), Instruction("b", "neg", (Slot("P", 1),)),
            Instruction("c", "add", ("b", 1.0)), Instruction(Slot("Q", 0), "copy", ("c",)),
            Instruction(Slot("Q", 1), "mul", ("a", "b"))]  # fmt: skip
    assert [one.target for one in by_store(code)] == ["b", "c", Slot("Q", 0), "a", Slot("Q", 1)]
