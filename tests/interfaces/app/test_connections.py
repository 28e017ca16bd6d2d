"""Half-open connections, Ctrl-C, memory of stored responses, and the time that a long text takes."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvicorn

from ketamech.app import server as app_server
from ketamech.app.app_state import AppState, Limits, LruCache
from ketamech.app.routes import scenario as scenario_routes
from ketamech.app.server import make_app, server_config
from ketamech.core import InputError
from ketamech.core.progress import check_interrupt
from ketamech.dosing.regimen import Regimen
from waits import PATIENCE, until_true


@pytest.fixture(scope="module")
def server(model):
    """A server that waits one second for a request, and refuses requests above 40 connections."""
    limits = Limits.model_validate({"body_seconds": 1.0})
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app_server, "REFUSED_ABOVE", 40)
        server = uvicorn.Server(server_config(make_app(AppState(model, limits))))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    before, app_server.REQUEST_SECONDS = app_server.REQUEST_SECONDS, 1.0
    thread.start()
    until_true(lambda: server.started)
    yield server
    app_server.REQUEST_SECONDS = before
    server.should_exit = True
    thread.join(5)


@pytest.fixture(scope="module")
def port(server):
    return server.servers[0].sockets[0].getsockname()[1]


def until_closed(connection):
    """What arrives until the server closes."""
    connection.settimeout(PATIENCE)
    found = b""
    while part := connection.recv(65536):
        found += part
    return found


HEAD = b"GET /icon.svg HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BODY = b"POST /api/curves HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
HALF_OPEN = {"nothing": b"", "half a head": HEAD, "one letter": b"G"}


@pytest.mark.parametrize("name", HALF_OPEN)
def test_a_connection_without_a_complete_request_is_closed(port, name):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(HALF_OPEN[name])
        assert until_closed(connection) == b""


def test_a_head_that_arrives_letter_by_letter_is_closed_too(port):
    letters, sent = HEAD * 20, 0
    with socket.create_connection(("127.0.0.1", port)) as connection, pytest.raises(OSError):  # noqa: PT012
        for letter in letters:
            connection.sendall(bytes([letter]))
            sent += 1
            time.sleep(0.05)
    assert 0.05 * sent < 8, "one second is the limit"


def test_half_a_head_after_a_first_request_is_closed(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(HEAD + b"\r\n")
        answer = connection.recv(65536)
        connection.sendall(HEAD)
        answer += until_closed(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1


def test_half_a_body_is_refused(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(BODY)
        answer = until_closed(connection)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"did not arrive completely" in answer


def test_a_body_in_chunks_is_refused_before_it_is_read(port):
    head = BODY.removesuffix(b"{").replace(b"Content-Length: 900", b"Transfer-Encoding: chunked")
    began = time.process_time()
    with socket.create_connection(("127.0.0.1", port)) as connection, contextlib.suppress(OSError):
        connection.sendall(head + b"1\r\na\r\n" * 300_000)
        assert until_closed(connection).startswith(b"HTTP/1.1 411")
    assert time.process_time() - began < 2


def test_a_long_answer_is_not_cut_off(port, infusion):
    often = {**infusion, "treatments": ["racemic 0.5 mg/kg IV daily for 4 weeks"]}
    body = json.dumps({"scenario": often, "patients": 200}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/population", body, headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        assert answer.status == 200
        assert len(json.loads(answer.read())["time"]) > 20


@pytest.mark.skipif(os.name == "nt", reason="a signal of POSIX")
def test_ctrl_c_ends_the_server_within_three_seconds_while_a_job_runs():
    """Seconds of its processor: what others do on the machine does not count."""
    psutil = pytest.importorskip("psutil")
    command = [sys.executable, "-m", "ketamech", "serve", "--port", "0", "--no-browser"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        address = re.search(r"http://\S+:\d+/", running.stdout.readline())[0]
        arms = {name: "racemic 0.5 mg/kg IV over 40 min every 12 h for 300 days" for name in "ab"}  # a minute of work
        trial = {"arms": arms, "patients_per_arm": 200, "replicates": 1, "days": [299]}
        headers = {"content-type": "application/json"}
        job = urllib.request.Request(f"{address}api/jobs/trial", json.dumps(trial).encode(), headers)
        with urllib.request.urlopen(job, timeout=PATIENCE) as answer:
            name = json.loads(answer.read())["id"]
        process = psutil.Process(running.pid)
        with urllib.request.urlopen(f"{address}api/jobs/{name}/events", timeout=PATIENCE) as events:
            events.readline()
            before = used = sum(process.cpu_times()[:2])
            began = time.monotonic()
            running.send_signal(signal.SIGINT)
            while running.poll() is None and used - before < 3:
                with contextlib.suppress(psutil.NoSuchProcess):
                    used = sum(process.cpu_times()[:2])
                assert time.monotonic() - began < 20
                time.sleep(0.01)
        assert used - before < 3
    finally:
        running.kill()
        running.stdout.close()


def test_stored_responses_are_bounded_in_number_and_bytes():
    cache = LruCache(3, 100)
    for i in range(5):
        cache.get(i, lambda: b"x" * 10)
    assert cache.keys == [2, 3, 4]
    cache.get(5, lambda: b"x" * 85)
    assert cache.keys == [4, 5]
    cache.get(6, lambda: b"x" * 500)
    assert cache.keys == [6], "the last response is stored, whatever its size"
    cache.get(6, lambda: pytest.fail("computed again"))


def test_a_response_that_several_wait_for_is_computed_once():
    cache, made = LruCache(3, 100), []

    def make():
        made.append(1)
        time.sleep(0.1)
        if len(made) == 1:
            raise ValueError
        return b"x"

    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(cache.get, "same", make) for _ in range(4)]
    assert [one.exception() is None for one in waiting].count(True) == 3
    assert len(made) == 2, "once after the failure"


TEXTS = [
    "racemic 0.5 mg/kg IV ",
    "then ",
    "daily ",
    "(",
    "1 ",
    "racemic ",
    "at 1 h and ",
    ",",
    "x",
    "\u00b5",
    "weekly for 4 weeks then ",
]


@pytest.mark.parametrize("part", TEXTS)
def test_the_time_to_parse_a_text_rises_with_its_length_alone(part):
    """The time of the processor: what others do on the machine does not count."""

    def seconds(characters):
        text = ("racemic 0.5 mg/kg IV " + part * characters)[:characters]
        best = float("inf")
        for _ in range(3):
            began = time.thread_time()
            with contextlib.suppress(InputError):
                Regimen.parse(text)
            best = min(best, time.thread_time() - began)
        return best

    seconds(60)  # the first parse builds the parser
    assert seconds(500) < 12 * (seconds(250) + 2e-3)
    assert seconds(500) < 0.5


def longest_hold(work):
    """The longest time (s) that `work` kept other threads from running; other programs of the machine do not count."""
    gaps, ended = [], threading.Event()

    def watch():
        wall, used = time.perf_counter(), time.process_time()
        while not ended.is_set():
            time.sleep(0.001)
            now, now_used = time.perf_counter(), time.process_time()
            gaps.append(min(now - wall, now_used - used))
            wall, used = now, now_used

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        ended.set()
        watcher.join()
    return max(gaps)


def test_the_largest_requests_do_not_hold_the_interpreter_lock(engine, infusion):
    from ketamech.app.routes.downloads import export_scenario
    from ketamech.app.routes.scenario import MAX_ROWS_OF_SUBJECT, subjects_of_table
    from ketamech.app.schemas import DoseTableRequest
    from ketamech.simulation.scenario_schema import ScenarioFile

    keys = ScenarioFile.model_validate({**infusion, "treatments": ["racemic 0.5 mg/kg IV daily for 2 weeks"]})
    assert longest_hold(lambda: export_scenario(engine, keys, "csv")) < 0.5
    rows = "".join(f"1,{hour},35,IV,70\n" for hour in range(MAX_ROWS_OF_SUBJECT))
    table = DoseTableRequest(name="x.csv", text=f"ID,TIME,AMT,ROUTE,WEIGHT\n{rows}", drug="racemic ketamine")
    assert longest_hold(lambda: subjects_of_table(table, engine.model)) < 0.5


@pytest.mark.parametrize(("count", "what"), [(3000, "3000 doses of ID 1"), (5000, "5000 records in one table")])
def test_a_dose_table_with_too_many_doses_is_refused_at_once(client, count, what):
    rows = "".join(f"1,{hour},35,IV,70\n" for hour in range(count))
    began = time.process_time()
    body = {"name": "x.csv", "text": f"ID,TIME,AMT,ROUTE,WEIGHT\n{rows}", "drug": "racemic ketamine"}
    answer = client.post("/api/scenario/dose-table", json=body)
    assert answer.status_code == 422
    assert what in answer.json()["error"]
    assert time.process_time() - began < 30


def test_a_connection_whose_answer_is_not_read_is_closed(server, port, infusion, monkeypatch):
    monkeypatch.setattr(app_server, "WRITE_SECONDS", 0.5)
    often = {**infusion, "treatments": ["racemic 0.5 mg/kg IV daily for 8 weeks"]}
    body = json.dumps({"scenario": often}).encode()
    head = BODY.removesuffix(b"{").replace(b"/api/curves", b"/api/export/parquet")
    head = head.replace(b"900", str(len(body)).encode())
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", port))
        connection.sendall(head + body)
        first = connection.recv(1000).decode("latin-1")
        assert first.startswith("HTTP/1.1 200")
        length = int(re.search(r"content-length: (\d+)", first)[1])
        until_true(lambda: not server.server_state.connections)
        read = len(first)
        with contextlib.suppress(ConnectionResetError):
            read += len(until_closed(connection))
    assert read < length, "the rest is not kept for a client that does not read"


def served(port, connection=None):
    """The status of a small file, asked for over a new connection or a given one."""
    with contextlib.ExitStack() as stack:
        if connection is None:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        connection.settimeout(PATIENCE)
        connection.sendall(HEAD + b"Connection: close\r\n\r\n")
        return connection.recv(100)[:12]


@pytest.mark.parametrize(
    "sent", [b"", HEAD, HEAD + b"\r\n", BODY], ids=["nothing", "half a head", "idle", "half a body"]
)
def test_others_get_through_where_one_client_holds_too_many_connections(port, sent, monkeypatch):
    monkeypatch.setattr(app_server, "MAX_PER_ADDRESS", 20)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(60)]
        for connection in held:
            with contextlib.suppress(OSError):
                connection.sendall(sent)
        time.sleep(0.5)  # until what they sent is read
        assert served(port) == b"HTTP/1.1 200"


def test_the_connection_that_waits_longest_is_closed_and_a_request_that_is_answered_is_not(port, infusion, monkeypatch):
    monkeypatch.setattr(app_server, "MAX_PER_ADDRESS", 5)
    begun, may_end, population_of = threading.Event(), threading.Event(), scenario_routes.population_of

    def slow(*request):
        begun.set()
        assert may_end.wait(PATIENCE)
        return population_of(*request)

    monkeypatch.setattr(scenario_routes, "population_of", slow)
    body = json.dumps({"scenario": infusion, "patients": 20, "seed": 77}).encode()
    with contextlib.ExitStack() as stack:
        stack.callback(may_end.set)
        busy = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        head = BODY.removesuffix(b"{").replace(b"/api/curves", b"/api/population")
        busy.sendall(head.replace(b"900", str(len(body)).encode()) + body)
        assert begun.wait(PATIENCE)
        first = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        for _ in range(8):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        with contextlib.suppress(ConnectionResetError):
            assert until_closed(first) == b""
        may_end.set()
        busy.settimeout(PATIENCE)
        assert busy.recv(100).startswith(b"HTTP/1.1 200")


def test_connections_of_many_addresses_are_limited_together():
    class Connection:
        waits_for_client = True

        def __init__(self, address, waits_since):
            self.address, self.waits_since, self.transport, self.is_open = address, waits_since, self, True

        def abort(self):
            self.is_open = False

        def is_closing(self):
            return not self.is_open

    def close_one(*counts):
        made = [Connection(address, i) for address, count in enumerate(counts) for i in range(count)]
        app_server.close_one_of_too_many(made[-1], made)
        return [(one.address, one.waits_since) for one in made if not one.is_open]

    assert close_one(100, 100, 100) == []
    assert close_one(100, 140, 101) == [(1, 0)]
    assert close_one(1, 301) == [(1, 0)]
    assert close_one(301, 1) == [(0, 0)]


def test_work_of_a_client_that_has_gone_is_not_started(model, infusion):
    """A request that waits in the queue is dropped, one that runs is ended."""
    import anyio

    app_state, began, going = AppState(model, Limits.model_validate({"max_parallel": 1})), [], threading.Event()
    gave_up = threading.Event()

    def slow(name):
        began.append(name)
        going.set()
        while not gave_up.wait(0.01):
            check_interrupt()

    async def leave():
        async with anyio.create_task_group() as group:
            group.start_soon(app_state.compute, lambda: slow("runs"))
            while not going.is_set():
                await anyio.sleep(0.01)
            group.start_soon(app_state.compute, lambda: slow("waits"))
            await anyio.sleep(0.1)
            group.cancel_scope.cancel()

    with ThreadPoolExecutor(1) as own_thread:
        left = own_thread.submit(anyio.run, leave)
        try:
            left.result(PATIENCE)
        finally:
            gave_up.set()
    assert began == ["runs"]


def test_a_closed_connection_cancels_its_request(port, infusion):
    """The next population is computed at once, although an earlier, slow one was asked for before it."""

    def send(connection, seed, sentence, patients):
        scenario = {**infusion, "treatments": [sentence]}
        body = json.dumps({"scenario": scenario, "patients": patients, "seed": seed}).encode()
        head = BODY.removesuffix(b"{").replace(b"/api/curves", b"/api/population")
        connection.sendall(head.replace(b"900", str(len(body)).encode()) + body)

    slow = "racemic 0.5 mg/kg IV over 40 min every 12 h for 300 days"
    for seed in range(6):
        with socket.create_connection(("127.0.0.1", port)) as left:
            send(left, seed, slow, 2000)
            time.sleep(0.1)
    with socket.create_connection(("127.0.0.1", port)) as stays:
        stays.settimeout(PATIENCE)  # the six that were left would take 20 s each, one after another
        send(stays, 1, infusion["treatments"][0], 10)
        assert stays.recv(100).startswith(b"HTTP/1.1 200")
