"""How every command behaves: it has help, data alone is on stdout, and without a broker it says what to do."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import get_args

import pytest
from cyclopts import App
from cyclopts.argument import Argument

from bench.__main__ import app as bench
from streams.brokers.process import free_port
from streams.cli import app

WITHOUT_BROKER_SECONDS = 45.0  # they wait 10 s for it; all of them start at once
JSON_COMMANDS = [
    ("topics", "list", "--json"),
    ("topics", "apply", "--json"),
    ("stock", "get", "BJ-1", "--json"),
    ("orders", "get", "o-1", "--json"),
    ("shortages", "--json"),
    ("pick-list", "W1", "--json"),
    ("tell", "received", "sku=BJ-1", "location=W1", "quantity=1", "lot=L1", "--dry-run"),
    ("export", "decisions", "--format", "jsonl", "--out", "decisions.jsonl", "--json"),
    ("audit", "--json", "--settle", "0", "--allow-undecided"),
]


def _commands(of: App, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name in of:
        if not name.startswith("-"):
            yield (*path, name)
            yield from _commands(of[name], (*path, name))


@pytest.mark.parametrize("command", [(), *_commands(app)], ids=" ".join)
def test_every_command_explains_itself(commands, command: tuple[str, ...]):
    told = commands.run(*command, "--help")
    assert told.stdout.startswith(f"Usage: {' '.join(('smokehouse', *command))}")
    assert told.stderr == ""


@pytest.mark.parametrize("command", JSON_COMMANDS, ids=" ".join)
def test_json_is_one_document_and_talk_is_not_on_stdout(shop, command: tuple[str, ...]):
    shop.stock("BJ-1", (1, 5, 0), shop.at("W1", {"L1": 7}, (1, 5, 0), shortage=2))
    shop.order("o-1", "confirmed", (1, 9, 0), shop.line("BJ-1", 2))
    process = shop.start(*command)
    out, err = process.communicate(timeout=60)
    assert json.loads(out), err.decode()


def test_a_status_that_is_not_ready_is_still_json(shop):
    told = shop.run("status", "--no-api", "--json", code=1)
    assert json.loads(told.stdout)["ready"] is False


@pytest.mark.parametrize(
    ("body", "why"),
    [(b'{"detail": "the view is catching up", "status": 503}', "the view is catching up"), (b"Busy", "503 Busy")],
)  # fmt: skip
def test_a_status_says_in_words_why_the_api_is_not_ready(shop, body: bytes, why: str):
    class Behind(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()
            self.wfile.write(body)

    with HTTPServer(("127.0.0.1", 0), Behind) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        api = f"127.0.0.1:{server.server_port}"
        told = shop.with_settings(api=api).run("status", "--json", code=1)
    assert f"the API at {api} is not ready: {why}" in json.loads(told.stdout)["problems"]


def test_what_cannot_change_where_a_log_is_is_told(shop):
    told = shop.run("topics", "apply", "--replication", "3", "--undecided-seconds", "60", "--json")
    assert json.loads(told.stdout) == {"created": [], "opened": [], "partitions": 4}
    assert "keep their copies: --replication is for new ones" in told.stderr
    assert "the logs were open: --undecided-seconds is for new ones" in told.stderr
    assert "new ones" not in shop.run("topics", "apply").stderr


def test_without_a_broker_every_reading_command_says_what_to_set(commands):
    lost = commands.with_settings(bootstrap=f"127.0.0.1:{free_port()}")
    policy = lost.settings.home / "policy.toml"
    policy.write_text('[[policy_set]]\nsku = "*"\n')
    began = time.monotonic()
    running = [
        lost.start(*command)
        for command in (
            ("stock", "get", "BJ-1"), ("orders", "get", "o-1"), ("tail", "orders"), ("topics", "list"), ("audit",),
            ("shortages",), ("pick-list", "W1"), ("tell", "order_delivered", "order_id=o-1"),
            ("export", "levels", "--format", "csv", "--out", "levels.csv"), ("explain", "o-1"),
            ("stock", "get", "BJ-1", "--at", "7"), ("replay", "--policy", str(policy)),
        )
    ]  # fmt: skip
    for process in running:
        out, err = process.communicate(timeout=WITHOUT_BROKER_SECONDS)
        assert process.returncode == 1, process.args
        assert b"SMOKEHOUSE_BOOTSTRAP" in err, process.args
        assert out == b"", process.args
    assert time.monotonic() - began < WITHOUT_BROKER_SECONDS
    assert not (lost.settings.home / "levels.csv").exists()


def test_a_setting_that_cannot_be_used_is_named(commands):
    told = commands.with_settings(bootstrap="nowhere").run("tail", "orders", code=2)
    assert "SMOKEHOUSE_BOOTSTRAP='nowhere'" in told.stderr


@pytest.mark.parametrize("command", [
    ("stock", "get", "BJ-\udcff"), ("stock", "get", "BJ-\udcff", "--at", "7"), ("orders", "get", "\udcff"),
    ("explain", "\udcff"), ("recall", "open", "L1", "--reason", "\udcff"),
    ("recall", "close", "\udcff", "--reason", "x"),
], ids=ascii)  # fmt: skip
def test_an_argument_that_is_no_text_is_refused_in_words(shop, command: tuple[str, ...]):
    told = shop.run(*command, code=2)
    assert (told.stdout, told.stderr) == ("", "smokehouse: an argument is no UTF-8 text\n")


@pytest.mark.parametrize("command", [
    ("tell",), ("tell", "received"), ("tell", "received", "sku=A", "location=B", "quantity=1", "lot=C", "--dry-run"),
], ids=" ".join)  # fmt: skip
def test_output_whose_reader_has_gone_ends_a_command_quietly(commands, command: tuple[str, ...]):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as gone:
        process = commands.start(*command, stdout=gone)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, b"")


def _numbers(of: App, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Argument]]:
    """Every option that takes a number, with the words that lead to it."""
    if of.default_command is not None:
        for option in of.assemble_argument_collection():
            if {int, float} & {option.hint, *get_args(option.hint)}:
                yield " ".join((*path, option.name)), option
    for name in of:
        if not name.startswith("-"):
            yield from _numbers(of[name], (*path, name))


NUMBERS = dict(_numbers(app)) | {f"bench {words}": option for words, option in _numbers(bench)}


@pytest.mark.parametrize("words", NUMBERS)
def test_every_option_that_takes_a_number_has_a_range(words: str):
    [in_range] = NUMBERS[words].parameter.validator
    for absurd in (-1, float("nan"), 10**400):
        with pytest.raises(ValueError, match="Must be"):
            in_range(int, absurd)


@pytest.mark.parametrize("words", [
    "up --workers -1", "up --workers 0", "audit --settle -5", "partition retry orders -1",
])  # fmt: skip
def test_a_number_out_of_range_is_refused_before_anything_is_asked(commands, words: str):
    *_, number = words.split()
    told = commands.run(*words.split(), code=2)
    assert f'Invalid value "{number}' in told.stderr
    assert "Must be >=" in told.stderr


@pytest.mark.parametrize("stream", [0, 1, 2])
def test_a_standard_stream_that_was_closed_before_is_no_traceback_and_no_files_number(commands, stream: int):
    streams = {"stdin": None, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    streams[["stdin", "stdout", "stderr"][stream]] = None
    process = commands.start("topics", "list", "--json", **streams, preexec_fn=lambda: os.close(stream))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err or b"") == (0, b"")
    assert out is None or json.loads(out)


@pytest.mark.parametrize("port", ["-1", "0", "65536"])
def test_a_port_that_is_none_is_refused_before_anything_is_asked(commands, port: str):
    told = commands.run("api", "--port", port, code=2)
    assert f'"{port}" for --port. Must be {"<= 65535" if port == "65536" else ">= 1"}' in told.stderr


@pytest.mark.parametrize("command", [
    ("tell",), ("tell", "received", "sku=A", "location=B", "quantity=1", "lot=C", "--dry-run"),
], ids=" ".join)  # fmt: skip
def test_output_that_fits_no_disk_is_said_in_words(commands, command: tuple[str, ...]):
    with open("/dev/full", "wb") as full:
        process = commands.start(*command, stdout=full)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, b"smokehouse: stdout: No space left on device\n")
