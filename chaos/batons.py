"""Real Batons as processes of their own, for as long as an experiment needs them; and leads sent to them.

What is not here: the Slack that they talk to, what is done to them (each experiment), the demo (`demo_process`).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from chaos.race import ROOT
from chaos.signed import leads_request
from sandbox.server import free_socket

_READY_SECONDS = 60.0
_BATCH = 50


@contextmanager
def batons(
    roles: list[str], env: dict[str, str], folder: Path, *, module: str = "bot"
) -> Iterator[list[str]]:
    """One process a role, all started at once, and their addresses. `module`: what is run as Baton."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BATON_", "SLACK_"))}
    processes: list[subprocess.Popen[bytes]] = []
    addresses: list[str] = []
    try:
        for number, role in enumerate(roles):
            with free_socket() as sock:
                port = int(sock.getsockname()[1])
            addresses.append(f"http://127.0.0.1:{port}")
            with (folder / f"log{number}").open("wb") as log:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", module, role],
                        cwd=ROOT,
                        env={**kept, **env, "HOST": "127.0.0.1", "PORT": str(port)},
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )
                )
        yield addresses
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def ready(session: aiohttp.ClientSession, addresses: list[str], folder: Path) -> None:
    """Wait until all of them take leads. RuntimeError with the log of one that does not."""
    began = time.monotonic()
    for number, address in enumerate(addresses):
        while True:
            try:
                async with session.get(f"{address}/readyz") as answer:
                    if answer.status == 200:
                        break
            except aiohttp.ClientError:
                pass
            if time.monotonic() - began > _READY_SECONDS:
                log = (folder / f"log{number}").read_text()[-3000:]
                raise RuntimeError(f"Baton did not start:\n{log}")
            await asyncio.sleep(0.1)


async def send_leads(
    session: aiohttp.ClientSession, address: str, secret: str, leads: Sequence[Mapping[str, Any]]
) -> None:
    """All of them, signed. RuntimeError when they are not taken."""
    for start in range(0, len(leads), _BATCH):
        body, headers = leads_request(
            secret, f"m-{leads[start]['external_id']}", leads[start : start + _BATCH]
        )
        async with session.post(f"{address}/leads", data=body, headers=headers) as answer:
            if answer.status != 202:
                raise RuntimeError(f"leads were answered with {answer.status}")
