"""`smokehouse`: the commands, by name. Each stands in a short file of `streams.commands` and is loaded when called.

Does not belong here: anything a command does.
"""

from __future__ import annotations

import errno
import os
import signal
import sys

from cyclopts import App

app = App(
    name="smokehouse",
    help="Real-time stock and orders: never oversold, no order lost, no reservation leaked.",
    version="0.1.0",
)
_COMMANDS = {
    "up": "operating:up",
    "worker": "working:worker",
    "api": "serving:api",
    "forecast": "forecasting:forecast_app",
    "import": "importing:import_app",
    "demo": "demo:demo",
    "topics": "topics:topics_app",
    "status": "operating:status",
    "tell": "telling:tell",
    "stock": "reading:stock_app",
    "orders": "reading:orders_app",
    "shortages": "shortages:shortages",
    "reorders": "reorders:reorders_app",
    "pick-list": "picking:pick_list",
    "explain": "explaining:explain",
    "replay": "replaying:replay",
    "tail": "reading:tail",
    "recall": "recalling:recall_app",
    "export": "exporting:export",
    "audit": "auditing:audit",
    "prove": "proving:prove_app",
    "partition": "operating:partition_app",
}
for _name, _place in _COMMANDS.items():
    app.command(f"streams.commands.{_place}", name=_name)


def _is_no_text(argument: str) -> bool:
    """Whether it holds bytes that are no UTF-8: Python hands them over as halves of characters."""
    return any("\ud800" <= c <= "\udfff" for c in argument)


def _open_what_was_closed() -> None:
    """Nobody reads a standard stream that was closed before we began; the next file opened would have its number, and
    what is said there would be written into a store or sent to the broker."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def main() -> None:
    """The entry of the installed command."""
    _open_what_was_closed()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts `smokehouse up &` with it ignored
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # at the interpreter's own end nobody can be told that the reader has gone
    except KeyboardInterrupt:
        sys.exit(130)
    except UnicodeEncodeError:
        if not any(map(_is_no_text, sys.argv)):
            raise
        from streams.commands.output import fail
        from streams.commands.session import EXIT_ARGUMENTS

        fail("an argument is no UTF-8 text", EXIT_ARGUMENTS)
    except BrokenPipeError:  # the reader of our output has seen enough
        _drop_rest()
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        from streams.commands.output import fail

        _drop_rest()
        fail(f"{error.filename or 'stdout'}: {error.strerror}")


def _drop_rest() -> None:
    """What could not be written would fail once more at the interpreter's end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
