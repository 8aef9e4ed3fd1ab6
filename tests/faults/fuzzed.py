"""One decoder under coverage-guided bytes: `fuzzed.py NAME CORPUS_FOLDER [libFuzzer's options]`.

Guarantees of what is called: a log's codec says `Unreadable` or a record, and raises nothing; a row's decoder raises
msgspec's own errors alone. What was read is written and read again as the same. Any other exception ends the process,
as libFuzzer does, with 77, and leaves the bytes in a file. Needs atheris; run by `test_fuzzed_bytes`.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["tables"]):
    import msgspec

    from tables import codec, rows

ROW_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
KINDS = sorted(rows.TYPES)


def log(decoder):
    def one(data):
        for item in decoder.items(data):
            if isinstance(item, codec.Unreadable):
                assert str(item), "without a reason"
            else:
                (again,) = decoder.items(codec.encode(item))
                assert again == item

    return one


def row(data):
    """The first byte chooses the kind, the rest is the payload."""
    if not data:
        return
    key = f"{KINDS[data[0] % len(KINDS)]}|x"
    try:
        found = rows.decode(key, data[1:])
    except ROW_ERRORS:
        return
    assert rows.decode(key, rows.encode(found)) == found


TARGETS = {"orders": log(codec.ORDER_LOG), "warehouse": log(codec.STOCK_LOG), "rows": row}

if __name__ == "__main__":
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()
