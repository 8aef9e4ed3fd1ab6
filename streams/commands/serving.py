"""`smokehouse api`: serves the query API until it is told to stop.

Reads: settings. Writes: its log on stderr. Guarantees: listens where the settings say (loopback unless told
otherwise); one signal ends it within 3 s, live streams included. Does not belong here: endpoints.
"""

from __future__ import annotations

import errno
import logging
import socket
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Annotated, Any

from streams.commands.options import between
from streams.commands.output import fail, say
from streams.commands.session import connected
from streams.reader import ReadError
from streams.settings import Settings, asked_at, joined, split_address
from streams.topics import WAREHOUSE
from streams.turns import take_short_turns
from tables.murmur2 import partition_of_sku

BROKER_SECONDS = 60.0  # it may be started beside us
PORT_MAX = 65_535
GRACE_SECONDS = 1  # then what still runs is cut: with the second that the feed may take well below the three promised
SWITCH_SECONDS = 0.0005  # 0.005 by default: so long an answer waited for the thread that feeds the view


def api(*, host: str = "", port: Annotated[int, between(1, PORT_MAX)] | None = None) -> None:
    """Serve the query API and the page, in the foreground.

    Parameters
    ----------
    host
        Address to listen on; default: the one of SMOKEHOUSE_API.
    port
        Port to listen on; default: the one of SMOKEHOUSE_API.
    """
    settings = connected(BROKER_SECONDS)
    known_host, known_port = split_address(settings.api)
    serve(settings, host or known_host, port or known_port)


def serve(settings: Settings, host: str, port: int) -> None:
    """Until SIGINT or SIGTERM; exits with 1 when the address is taken or the view cannot go on."""
    import uvicorn

    from api.app import build_app

    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    take_short_turns()  # before any thread starts
    sys.setswitchinterval(SWITCH_SECONDS)
    listening = _listen(host, port)
    app = build_app(settings, partial(_explain, settings), partial(_past, settings))

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            app.state.live.close()  # else open streams hold the server until its grace ends
            super().handle_exit(sig, frame)

        async def on_tick(self, counter: int) -> bool:
            return app.state.feed.failed or await super().on_tick(counter)

    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=15, limit_concurrency=1_000, lifespan="on", ws="none",
    )  # fmt: skip
    say(f"Query API and page: http://{asked_at(joined(host, port))}/")
    Server(config).run(sockets=[listening])
    if app.state.feed.failed:
        fail("the read view cannot go on; its log names the reason")


def _explain(settings: Settings, order_id: str, advance: Callable[[], None]) -> Any:
    """An order's explanation, folded in this process; `advance` may end the reading."""
    from proof.history.explain import explain  # the agents take a moment to load, and few ask
    from proof.history.fold import Halted
    from streams.commands.folding import ROLES, logs_of

    try:
        return explain(order_id, logs_of(settings, logging.getLogger("smokehouse").warning), ROLES, _Waited(advance))
    except Halted as error:
        raise ReadError(str(error)) from error


def _past(settings: Settings, sku: str, at: str, advance: Callable[[], None]) -> Any:
    """A SKU as it stood. `ValueError`: no moment."""
    from proof.history.fold import Halted
    from proof.history.logs import partitions
    from proof.history.moment import parse
    from streams.commands.folding import NoSuchMoment, fold_to
    from streams.commands.past_stock import stock_then

    moment = parse(at)
    home = partition_of_sku(sku, partitions(settings))
    try:
        return stock_then(sku, home, fold_to(settings, WAREHOUSE.name, home, moment, _Waited(advance)))
    except NoSuchMoment as error:
        raise ValueError(str(error)) from error
    except Halted as error:
        raise ReadError(str(error)) from error


class _Waited:
    """Reads on while somebody waits."""

    def __init__(self, advance: Callable[[], None]) -> None:
        self._advance = advance

    def expect(self, records: int) -> None:
        self._advance()

    def advance(self, records: int) -> None:
        self._advance()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else no TCP_NODELAY: 45 ms each
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(512)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        fail(f"{joined(host, port)}: " + ("the port is taken; set SMOKEHOUSE_API to another" if taken else str(error)))
    return listening
