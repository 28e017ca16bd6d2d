"""Random streams of patients, which do not depend on the other patients, their order, or the worker.

NumPy's Philox (4x64, 10 rounds; Salmon and others, SC 2011) is a function of a key and a counter. The key is (seed,
replicate); the counter starts at (0, block, stream, patient), and only its first word counts up as numbers are drawn.
Each block is a separate part of a stream, so that drawing more numbers for one purpose shifts no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ketamech.core import InputError

STREAMS = ("parameters", "adherence", "people", "trial", "scores", "steps", "study_effects", "course")
# Append only: the index of a stream determines its numbers.
_WORD = 2**64


def patient_streams(
    seed: int, patients: Iterable[int], stream: str, *, replicate: int = 0, block: int = 0
) -> Iterator[np.random.Generator]:
    """A generator for each patient in turn, which is valid until the next one is requested.

    Raises InputError for a seed, replicate or patient that is not an integer from 0 to 2^64 - 1.
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
        raise InputError(f"{what} {number}", key=what, expected="a whole number of 0 or more")
    return int(number)
