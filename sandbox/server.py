"""A real HTTP server for an ASGI app on a port that the system chooses: for tests and experiments.

What is not here: the demo's own start-up, which mounts the sandbox beside Baton.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp


def free_socket(host: str = "127.0.0.1") -> socket.socket:
    """A bound socket; its port is `sock.getsockname()[1]`, known before anything answers there."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, 0))
    return sock


@asynccontextmanager
async def serve(app: ASGIApp, sock: socket.socket | None = None) -> AsyncIterator[str]:
    """Serve `app` in this event loop; yields `http://127.0.0.1:<port>`."""
    bound = sock or free_socket()
    # No Date header of uvicorn's own: a skewed one of the sandbox would stand beside it.
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", date_header=False
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]), name="sandbox server")
    try:
        while not server.started:
            if task.done():
                task.result()
                raise RuntimeError("the server did not start")
            await asyncio.sleep(0.005)
        host, port = bound.getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        server.force_exit = True
        await task
        bound.close()
