"""`ketamech serve`: missing packages, a port in use, and the load test."""

import socket

import pytest

from ketamech.cli import terminal
from ketamech.cli.serve import serve
from ketamech.core import InputError


def test_missing_packages_are_named_with_the_command_that_installs_them(monkeypatch):
    monkeypatch.setattr(terminal, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"ketamech\[web\]"):
        serve()


def test_a_port_in_use_is_one_clear_error(engine):
    from ketamech.app import server

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} cannot be used"):
            server.serve(port, browser=False, announce=print, app_state=engine)


def test_the_socket_disables_nagles_algorithm():
    from ketamech.app.server import listening_socket

    with listening_socket(0) as listening:
        assert listening.proto == socket.IPPROTO_TCP, "asyncio leaves Nagle's algorithm on otherwise"


def test_concurrent_users_get_no_error():
    from benchmarks.load_test import load_test

    found = load_test(lambda _: None, users=4, seconds=3, in_browser=False)
    assert found["errors"] == 0, found["first_errors"]
    assert found["requests"]["all"]["count"] > 30
    assert set(found["requests"]["move"]) == {"count", "median_ms", "p95_ms", "longest_ms"}
