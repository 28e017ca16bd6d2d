"""Random numbers that belong to a patient: the same whoever else is drawn, in whatever order, by whatever worker.

NumPy's Philox (4x64, 10 rounds; Salmon and others, SC 2011) is a function of a key and a counter. The key is (seed,
replicate); the counter starts at (0, block, stream, patient), and only its first word counts up as numbers are drawn.
A block other than 0 is a fresh stretch of a stream, so that needing more numbers for one thing shifts no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ketamech.core import InputError

STREAMS = (
    "parameters",
    "adherence",
    "people",
    "trial",
    "scores",
    "steps",
    "setting",
)  # add at the end: a stream's number is part of every draw
_WORD = 2**64


def patient_streams(
    seed: int, patients: Iterable[int], stream: str, *, replicate: int = 0, block: int = 0
) -> Iterator[np.random.Generator]:
    """A generator for each patient in turn; each is good until the next is asked for.

    Raises BadInput for a seed, replicate or patient that is not a whole number from 0 to 2^64 - 1.
    """
    key = np.array([_uint64(seed, "seed"), _uint64(replicate, "replicate")], dtype=np.uint64)
    source = np.random.Philox(key=key)
    state, generator, number = source.state, np.random.Generator(source), STREAMS.index(stream)
    for patient in patients:
        state["state"]["counter"] = np.array([0, block, number, _uint64(patient, "patient")], dtype=np.uint64)
        state["buffer_pos"], state["has_uint32"] = 4, 0
        source.state = state
        yield generator


def _uint64(number: int, what: str) -> int:
    if int(number) != number or not 0 <= number < _WORD:
        raise InputError(f"{what} {number}", key=what, expected="a whole number from 0 on")
    return int(number)
