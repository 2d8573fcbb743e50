"""A sandbox put together: workspace, Web API, sockets and page, as routes to mount or as an app of its own.

What is not here: any of those, and Baton itself.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from sandbox.config import ClockControl, SandboxConfig, UnsafeSandbox
from sandbox.page import page_routes
from sandbox.web_api import WebApi
from sandbox.workspace import Workspace

__all__ = ["ClockControl", "Sandbox", "SandboxConfig", "UnsafeSandbox", "create_sandbox"]


class Sandbox:
    """A workspace that can be reached over HTTP. `routes` are to be mounted without a prefix."""

    def __init__(self, config: SandboxConfig) -> None:
        config.check()
        self.config = config
        self.workspace = Workspace(config)
        self.api = WebApi(self.workspace)
        self.routes: list[BaseRoute] = [
            *self.api.routes(),
            *self.workspace.dispatch.sockets.routes(),
            *page_routes(self.workspace),
        ]
        self.asgi = Starlette(routes=self.routes)

    async def start(self) -> None:
        """Open the way to the bot. Call it in the event loop that serves the routes."""
        await self.workspace.start()

    async def stop(self) -> None:
        """Close everything; what was to be kept is in the state file already."""
        await self.workspace.stop()


def create_sandbox(config: SandboxConfig) -> Sandbox:
    """A sandbox from its configuration. `UnsafeSandbox` beside a real token or off loopback."""
    return Sandbox(config)
