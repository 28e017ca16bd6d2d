"""Speed without a clock: the instructions of every kernel, counted in its LLVM text, against a table."""

import pytest

from benchmarks.kernel_size import KernelSize, instruction_counts, kernel_sizes, read_sizes, write_sizes

SLOWER = 1.05

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


def test_a_table_is_read_as_it_was_written(tmp_path):
    sizes = [KernelSize("all outputs", 3, 100, 20, 10), KernelSize("levels, any", 2, 50, 10, 5)]
    write_sizes(sizes, tmp_path / "sizes.csv")
    assert read_sizes(tmp_path / "sizes.csv") == sizes


def test_no_kernel_is_slower_than_in_the_table(model):
    """After a change that is worth its time: `python -m benchmarks kernels --repeats 0`."""
    before, now = ({one.kernel: one for one in sizes} for sizes in (read_sizes(), kernel_sizes(model)))
    assert before.keys() == now.keys()
    for name, size in now.items():
        for task in ("step", "correction", "outputs"):
            counts = getattr(size, task), getattr(before[name], task)
            assert counts[0] <= SLOWER * counts[1], (name, task)
            assert counts[0] >= counts[1] / SLOWER, f"{name}, {task}: faster now; write the table again"


@pytest.mark.parametrize("kernel", ["depression, esketamine", "depression, ketamine"])
def test_a_slice_for_trials_has_less_than_two_thirds_of_the_instructions(kernel):
    sizes = {one.kernel: one for one in read_sizes()}
    assert sizes[kernel].step < 0.67 * sizes["all outputs"].step
