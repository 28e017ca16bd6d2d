"""Parts computed two at a time: in order, on how many threads, how many at once, and what ends them early."""

from threading import Event, Lock
from time import sleep

import pytest

from ketamech.core.concurrency import in_pairs
from ketamech.core.progress import check_interrupt


@pytest.mark.parametrize(("threads", "half"), [(1, 1), (2, 1), (3, 2), (8, 4)])
@pytest.mark.parametrize("n", [0, 1, 2, 5, 6])
def test_results_are_in_order_and_a_last_part_alone_has_all_threads(threads, half, n):
    found = list(in_pairs(lambda part, many: (part, many), range(n), threads))
    assert found == [(i, threads if n % 2 and i == n - 1 else half) for i in range(n)]


def test_two_parts_are_computed_at_a_time_and_one_waits():
    both, lock, now, most = Event(), Lock(), [], []

    def compute(part, threads):
        with lock:
            now.append(part)
            most.append(len(now))
        if len(most) > 1:
            both.set()
        assert both.wait(60)
        with lock:
            now.remove(part)
        return part

    results = in_pairs(compute, range(40), 2)
    assert next(results) == 0
    sleep(0.2)
    assert len(most) <= 3, "others wait until the first results are taken"
    assert list(results) == list(range(1, 40))
    assert max(most) == 2


def test_the_failure_of_a_part_arrives_in_its_place_and_ends_the_others():
    begun = []

    def compute(part, threads):
        begun.append(part)
        if part == 2:
            raise ValueError(part)
        for _ in range(6000) if part > 2 else ():
            check_interrupt()
            sleep(0.01)
        return part

    results = in_pairs(compute, range(100), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="2"):
        next(results)
    assert len(begun) <= 5


def test_an_iterator_that_is_left_ends_what_checks_for_interrupts():
    ended = []

    def compute(part, threads):
        for _ in range(6000 if part else 0):
            try:
                check_interrupt()
            except KeyboardInterrupt:
                ended.append(part)
                raise
            sleep(0.01)
        return part

    results = in_pairs(compute, range(10), 2)
    assert next(results) == 0
    results.close()
    assert set(ended) <= {1, 2}
    assert 1 in ended
