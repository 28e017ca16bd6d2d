"""Shared set-up: one compiled model for all tests, and the helper modules of the tests on the path."""

import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))
settings.register_profile("same every time", derandomize=True, deadline=None)
settings.load_profile("same every time")
# a shell that starts the tests in the background lets them ignore Ctrl-C, which some tests send
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def model():
    """The shipped model, built, checked and compiled once."""
    from ketamech.simulation.model import load_model

    return load_model(announce=print)
