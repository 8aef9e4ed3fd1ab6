"""The small HTTP server in which a process tells about itself.

Guarantees: where nobody can listen the process ends, and names the setting. Does not belong here: what is told.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from streams.settings import joined
from streams.transport.failstop import AGENT_ERROR, die


async def listen(routes: Iterable[web.RouteDef], host: str, port: int, setting: str) -> web.AppRunner:
    """Serves from here on, until its `cleanup`. `setting`: the variable that says where. `port` 0: any that is free."""
    app = web.Application(client_max_size=1024)
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        die(AGENT_ERROR, f"{setting}={joined(host, port)}: {error.strerror or error}")
    return runner
