"""`smokehouse`: the commands, by name. Each stands in a short file of `streams.commands` and is loaded when called.

Does not belong here: anything a command does.
"""

from __future__ import annotations

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


def main() -> None:
    """The entry of the installed command."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts `smokehouse up &` with it ignored
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        sys.exit(141)


if __name__ == "__main__":
    main()
