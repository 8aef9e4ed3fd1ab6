"""Bytes that look for trouble: coverage-guided fuzzing of every decoder that meets bytes of others.

Half a minute each, beside other tests; ten minutes with SMOKEHOUSE_NIGHTLY=1. The first bytes are one of each record
and of each row.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec import inspect

from tables import examples, rows
from tables.codec import encode, pack

PROGRAM = Path(__file__).with_name("fuzzed.py")
ROOT = Path(__file__).resolve().parents[2]
SECONDS = 600 if os.environ.get("SMOKEHOUSE_NIGHTLY") == "1" else 30
BYTES_MAX = 4_096
RUNS_MIN = 10_000
PLAIN = {inspect.IntType: 1, inspect.StrType: "2026-03-02", inspect.BoolType: True, inspect.BytesType: b"12345678"}

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="no atheris: it has wheels for Linux and Python 3.11 to 3.13"
)


def _log_seeds(records):
    encoded = [encode(record) for record in records]
    return [*encoded, pack(encoded[:3]), pack([])]


def _row_seeds():
    """Two of each kind: with everything that a field may hold, and with as little as it may."""
    kinds = enumerate(sorted(rows.TYPES))
    return [bytes([n]) + rows.encode(_filled(rows.TYPES[kind], full)) for n, kind in kinds for full in (True, False)]


def _filled(kind, full):
    return msgspec.convert(_value(inspect.type_info(kind), full), kind)


def _value(kind, full):
    match kind:
        case inspect.StructType():
            if not kind.array_like:  # the limits of a log, as its first record has them
                return {}
            tag = [] if kind.tag is None else [kind.tag]
            return tag + [_value(field.type, full) for field in kind.fields]
        case inspect.UnionType():
            return _value(next(t for t in kind.types if isinstance(t, inspect.NoneType) != full), full)
        case inspect.ListType() | inspect.VarTupleType():
            one = kind.item_type
            types = one.types if isinstance(one, inspect.UnionType) else [one]
            return [_value(t, full) for t in types] if full else []
        case inspect.TupleType():
            return [_value(item, full) for item in kind.item_types]
        case inspect.LiteralType():
            return kind.values[0]
        case inspect.NoneType():
            return None
    return PLAIN[type(kind)]


@pytest.mark.timeout(SECONDS + 100)
@pytest.mark.parametrize("name", ["orders", "warehouse", "rows"])
def test_a_decoder_raises_nothing_but_what_it_says(name, tmp_path):
    seeds = {
        "orders": lambda: _log_seeds([*examples.BOTH_LOGS, *examples.ORDER_LOG]),
        "warehouse": lambda: _log_seeds([*examples.BOTH_LOGS, *examples.STOCK_LOG]),
        "rows": _row_seeds,
    }[name]()
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for n, seed in enumerate(seeds):
        (corpus / str(n)).write_bytes(seed)
    options = [f"-max_total_time={SECONDS}", f"-max_len={BYTES_MAX}", "-seed=1", "-print_final_stats=1",
               "-rss_limit_mb=1000", f"-artifact_prefix={tmp_path}/"]  # fmt: skip
    path = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
    told = subprocess.run(
        [sys.executable, str(PROGRAM), name, str(corpus), *options], capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path}, timeout=SECONDS + 90, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-2000:] + told.stderr[-4000:]
    runs = int(re.search(r"number_of_executed_units: (\d+)", told.stderr)[1])
    kept = len(list(corpus.iterdir()))
    print(f"injected: {runs:,} byte strings into {name} in {SECONDS} s, from {len(seeds)}; {kept} kept")
    assert runs >= RUNS_MIN
