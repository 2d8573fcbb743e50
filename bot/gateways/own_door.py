"""Asks the address that Baton should listen on: nobody, Baton itself, or another program.

What is not here: what the answers mean (`bot.services.examine_doors`).
"""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

TIMEOUT = 3.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - asked, not bound


@dataclass(frozen=True, slots=True)
class Door:
    """`who`: nobody, baton, stranger, silent (it takes the connection and says nothing). `faults`: what Baton says is
    wrong with it, in its own sentences."""

    who: str
    faults: tuple[str, ...] = ()


async def knock(host: str, port: int) -> Door:
    """GET /healthz, then /readyz of whoever listens there. Never raises."""
    host = _EVERYWHERE.get(host, host)
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    limits = aiohttp.ClientTimeout(total=TIMEOUT)
    try:
        async with aiohttp.ClientSession(timeout=limits, trust_env=False) as session:
            faults: list[str] = []
            for path in ("/healthz", "/readyz"):
                async with session.get(address + path, allow_redirects=False) as answer:
                    body = await answer.json(content_type=None)
                told = body.get("faults") if isinstance(body, dict) else None
                if not isinstance(told, list) or body.get("status") not in ("ok", "failing"):
                    return Door("stranger")
                faults += [str(each)[:300] for each in told]
            return Door("baton", tuple(dict.fromkeys(faults)))
    except aiohttp.ClientConnectorError:
        return Door("nobody")
    except (TimeoutError, aiohttp.ConnectionTimeoutError):
        return Door("silent")
    except (aiohttp.ClientError, OSError, ValueError):
        return Door("stranger")
