"""One law for all runners: the same scenario gives the same numbers, or a refusal that names what is not supported."""

from pathlib import Path

import pytest
import runner_law as law

PAGE = Path(__file__).parents[2] / "docs" / "runner-law.md"


@pytest.mark.parametrize("case", law.CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("runner", law.RUNNERS, ids=lambda runner: runner.name)
def test_a_runner_gives_the_numbers_of_simulate_or_refuses(runner, case, model):
    verdict = law.judge(runner, case, model)
    assert verdict.word != "different", verdict.why
    if verdict.word == "refused":
        assert len(verdict.why) > 10


def test_the_scenarios_can_tell_a_wrong_runner(model):
    """Each scenario differs from the plain one in what is read, or the law would say nothing."""
    plain, scales = law.expected(law.CASES[0], model)
    for case in law.CASES[1:]:
        other, _ = law.expected(case, model)
        shared = plain.keys() & other.keys()  # an animal has no rating
        assert max(abs(other[name] - plain[name]) / scales[name] for name in shared) > 1e-3, case.name


@pytest.mark.parametrize("case", law.CASES, ids=lambda case: case.name)
def test_runs_of_all_outputs_and_of_some_agree_within_the_tolerance_of_the_solver(case, model):
    """Their steps differ, because the error of a step covers the states that the outputs need."""
    part, scales = law.expected(case, model)
    whole, _ = law.expected(case, model, everything=True)
    assert max(abs(whole[name] - part[name]) / scales[name] for name in part) < 1e-5


def test_the_table_in_the_documents_is_the_programs(model):
    """Made by `python tests/runners/runner_law.py`."""
    assert law.table(model) in PAGE.read_text(encoding="utf-8")
