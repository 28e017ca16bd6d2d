"""Speed without a clock: the instructions of every kernel, counted in its LLVM text, against a table."""

from dataclasses import replace

import pytest

from benchmarks.kernel_size import (
    MACHINE_KERNELS,
    SLOWER,
    TASKS,
    KernelSize,
    changed_sizes,
    instruction_counts,
    kernel_cost,
    kernel_sizes,
    kernels_of_package,
    machine_code,
    read_machine_code,
    read_sizes,
    write_sizes,
)
from ketamech.engine.codegen.native_code import llvm_version

TEXT = """
define internal <4 x double> @vector_exp(<4 x double> %x) #1 {
entry:
  %v1 = fmul <4 x double> %x, %x
  %v2 = fadd <4 x double> %v1, %x
  ret <4 x double> %v2
}
define i64 @run(ptr %w) #0 {
entry:
  %v1 = getelementptr double, ptr %w, i64 8
  %v2 = load <4 x double>, ptr %v1, align 32
  br label %before3
before3:
  br label %loop3
loop3:
  %row3 = phi i64 [ 0, %before3 ], [ %next3, %loop3 ]
  %v4 = call <4 x double> @vector_exp(<4 x double> %v2)
  %v5 = call <4 x double> @llvm.fma.v4f64(<4 x double> %v4, <4 x double> %v2, <4 x double> %v2)
  store <4 x double> %v5, ptr %v1, align 32
  %next3 = add i64 %row3, 1
  %more3 = icmp ult i64 %next3, 10
  br i1 %more3, label %loop3, label %after3
after3:
  store <4 x double> %v2, ptr %v1, align 32
  ret i64 0
}
"""


def test_instructions_of_loops_and_called_functions_are_counted():
    assert instruction_counts(TEXT) == {"vector_exp": 2, "run": 1 + 10 * (2 + 1 + 1) + 1}


def test_operations_and_bytes_are_weights_of_instructions():
    assert instruction_counts(TEXT, lambda line: 8 * ("load" in line)) == {"vector_exp": 0, "run": 8}
    assert instruction_counts(TEXT, lambda line: 2 * ("fma" in line) + ("fadd" in line))["run"] == 10 * (1 + 2)


def test_a_table_is_read_as_it_was_written(tmp_path):
    sizes = [KernelSize("all outputs", 3, 100, 20, 10, 90), KernelSize("levels, any", 2, 50, 10, 5, 40)]
    write_sizes(sizes, tmp_path / "sizes.csv")
    assert read_sizes(tmp_path / "sizes.csv") == sizes


def test_no_kernel_is_slower_than_in_the_table(model):
    """After a change that is worth its time: `python -m benchmarks kernels --repeats 0`."""
    assert changed_sizes(read_sizes(), kernel_sizes(model)) == []


@pytest.mark.parametrize("task", TASKS)
def test_five_percent_more_instructions_of_any_task_of_any_kernel_fail(task):
    before = read_sizes()
    for i, size in enumerate(before):
        more = replace(size, **{task: 1 + getattr(size, task) * 105 // 100})
        (found,) = changed_sizes(before, [*before[:i], more, *before[i + 1 :]])
        assert size.kernel in found
        assert task in found
    assert changed_sizes(before, before) == []


def test_no_machine_code_is_longer_than_in_the_table(model):
    """What the optimiser and the allocation of registers add is counted for one processor, by the same LLVM only."""
    before = read_machine_code()
    if before[0].llvm != llvm_version():
        pytest.skip(f"the table is of LLVM {before[0].llvm}")
    for old, new in zip(before, machine_code(model), strict=True):
        assert (old.kernel, old.function) == (new.kernel, new.function)
        assert old.instructions / SLOWER < new.instructions < old.instructions * SLOWER, new
        assert new.stack < old.stack * SLOWER, new


def test_operations_and_bytes_of_a_step_follow_its_instructions(model):
    code = dict(kernels_of_package(model))[MACHINE_KERNELS[0]]
    (size,) = [one for one in read_sizes() if one.kernel == MACHINE_KERNELS[0]]
    cost = kernel_cost(size.kernel, code)
    assert cost.states == size.states
    assert 0.5 * size.step < cost.operations < 2 * size.step
    assert 0.2 * size.step < cost.bytes / 8 < size.step


@pytest.mark.parametrize("kernel", ["depression, esketamine", "depression, ketamine"])
def test_a_slice_for_trials_has_less_than_two_thirds_of_the_instructions(kernel):
    sizes = {one.kernel: one for one in read_sizes()}
    assert sizes[kernel].step < 0.67 * sizes["all outputs"].step
