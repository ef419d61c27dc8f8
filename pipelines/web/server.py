"""An ASGI application served on this machine alone, behind the guard."""

from collections.abc import Callable
from threading import Thread

import uvicorn
from starlette.types import ASGIApp

from pipelines.web.guard import HOST, LARGEST_BODY, Guard

# How long requests under way may take to end after Ctrl-C.
PATIENCE_SECONDS = 5


def serve(app: ASGIApp, port: int, until: Callable[[], object]) -> None:
    """Serve an application on a port until interrupted, or until a function returns that waits for something."""
    server = uvicorn.Server(
        uvicorn.Config(
            Guard(app, port),
            host=HOST,
            port=port,
            log_level="warning",
            ws_max_size=LARGEST_BODY,
            timeout_graceful_shutdown=PATIENCE_SECONDS,
        )
    )

    def end_afterwards() -> None:
        until()
        server.should_exit = True

    Thread(target=end_afterwards, daemon=True).start()
    server.run()
