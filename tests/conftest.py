"""Shared set-up: one compiled model for all tests, and the toys on the path."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))
settings.register_profile("same every time", derandomize=True, deadline=None)
settings.load_profile("same every time")


@pytest.fixture(scope="session")
def model():
    """The whole story, built, checked and compiled once."""
    from ketamech.simulation.model import load_model

    return load_model(announce=print)
