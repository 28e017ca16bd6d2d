"""Every stage passes the standard examination inside the whole system."""

import pytest

from ketamech.analysis.model_checks import run_checks
from ketamech.core import UnknownNameError
from ketamech.model.stages import STAGES


@pytest.fixture(scope="module")
def findings(model):
    return run_checks(model)


@pytest.mark.parametrize("stage", [*STAGES, "whole system"])
def test_the_standard_examination_of(stage, findings):
    mine = [f for f in findings if f.stage == stage]
    assert mine
    assert not [f for f in mine if not f.passed]


def test_an_unknown_stage_names_the_nearest(model):
    with pytest.raises(UnknownNameError, match="spines"):
        run_checks(model, "spine")
