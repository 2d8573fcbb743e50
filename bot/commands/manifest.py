"""`baton manifest`: the Slack app's manifest, for Socket Mode as it ships or for a public address.

What is not here: what the app may do; `app.yaml` says that once for both.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from ruamel.yaml import YAML

from bot.commands.failing import CommandFault

_FILE = Path(__file__).parents[2] / "app.yaml"
_PUBLIC = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9._~/-]*)?")
_HEAD = """\
The Slack app manifest for HTTP: Slack calls {url}.
api.slack.com/apps -> Create New App -> From a manifest -> paste this.
"""


def manifest(
    *,
    http: Annotated[
        str | None,
        Parameter(help="Baton's public address; Slack then calls it, without Socket Mode."),
    ] = None,
) -> int:
    """Print the manifest; paste it at api.slack.com/apps."""
    if http is not None and not _PUBLIC.fullmatch(http):
        raise CommandFault(
            f"--http takes a public address such as https://baton.example.com, not {http!r}."
        )
    try:
        shipped = _FILE.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandFault(f"{_FILE} cannot be read: {error.strerror or error}.") from None
    sys.stdout.write(shipped if http is None else _over_http(shipped, http.rstrip("/")))
    return 0


def _over_http(shipped: str, address: str) -> str:
    url = f"{address}/slack/events"
    yaml = YAML()  # round trip: what the comments say holds for both
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 120
    yaml.preserve_quotes = True
    document = yaml.load(shipped)
    document.yaml_set_start_comment(_HEAD.format(url=url))
    settings = document["settings"]
    settings["socket_mode_enabled"] = False
    settings["event_subscriptions"].insert(0, "request_url", url)
    settings["interactivity"]["request_url"] = url
    for command in document["features"]["slash_commands"]:
        command.insert(1, "url", url)
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()
