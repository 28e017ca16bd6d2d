"""How long tests wait for something that must become true: one limit for all, so that a slow machine fails none."""

import time

PATIENCE = 120  # s that one step of the program may take; a test that waits longer fails


def until_true(question, pause=time.sleep, what=""):
    """Ask until the answer is true; `pause` lets some seconds pass between two questions."""
    end = time.monotonic() + PATIENCE
    while not question():
        assert time.monotonic() < end, f"never true: {what or question}"
        pause(0.02)
