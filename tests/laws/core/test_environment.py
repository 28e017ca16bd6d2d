"""The number of threads and short hashes."""

import hashlib
import os

from ketamech.core.environment import available_threads, short_hash


def test_threads_are_those_stated_else_all_cores_else_one_on_a_cluster():
    assert available_threads() == available_threads(None, None) == os.cpu_count()
    assert available_threads(None, "tcp://127.0.0.1:8786") == 1
    assert available_threads(3) == available_threads(3, "tcp://127.0.0.1:8786") == 3


def test_a_short_hash_is_the_first_digits_of_sha_256():
    whole = hashlib.sha256("µmol".encode()).hexdigest()
    assert (short_hash("µmol"), short_hash("µmol".encode(), 8)) == (whole[:16], whole[:8])
