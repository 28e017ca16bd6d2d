"""Every stage passes the standard examination inside the whole system."""

import pytest

from ketamech.analysis.examination import examine
from ketamech.core import UnknownName
from ketamech.stages import STORY


@pytest.fixture(scope="module")
def findings(model):
    return examine(model)


@pytest.mark.parametrize("stage", [*STORY, "whole system"])
def test_the_standard_examination_of(stage, findings):
    mine = [f for f in findings if f.stage == stage]
    assert mine
    assert not [f for f in mine if not f.passed]


def test_an_unknown_stage_names_the_nearest(model):
    with pytest.raises(UnknownName, match="spines"):
        examine(model, "spine")
