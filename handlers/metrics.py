"""`GET /metrics` for Prometheus: what was counted in this process, and gauges read from the database.

Each house has a registry of its own. The gauges are read at most every 15 s, however often somebody asks, and nobody
waits for them longer than `PATIENCE`. Labels come from fixed sets: no name, address or id ever is one. With a token it
must be shown; without one only this machine may ask, and whoever comes through a reverse proxy is not this machine.
What is not here: where things are counted (`bot.services.meter`), alert rules (docs/alerts.yml).
"""

from __future__ import annotations

import asyncio
import hmac
import platform
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bot.logs import get_logger
from bot.services.meter import Seen
from bot.services.runtime import Runtime
from storage.gauges import Gauges, read_gauges
from storage.revisions import HEAD

log = get_logger(__name__)

FRESH = 15.0
PATIENCE = 3.0
#: A label that is not among those seen before is `other` from here on: nothing from outside makes series without end.
MOST_SERIES = 100
_LATE = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600)
_ACK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_DELIVERY = (0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600)
#: A header that reverse proxies add: with it, the caller is not who connects to us.
_PROXIED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class PrometheusMeter:
    """Counts what happens. A `bot.services.meter.Meter`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(
            name: str, about: str, labels: Iterable[str], steps: Iterable[float]
        ) -> Histogram:
            return Histogram(name, about, labels, buckets=tuple(steps), registry=registry)

        def counter(name: str, about: str, labels: Iterable[str]) -> Counter:
            return Counter(name, about, labels, registry=registry)

        self._histograms: Mapping[Seen, Histogram] = {
            Seen.TIMER_LATE: histogram(
                "baton_timer_late_seconds", "How late steps of clocks fired", (), _LATE
            ),
            Seen.DELIVERED: histogram(
                "baton_delivery_seconds",
                "From when a message might be shown until Slack had it",
                ("template",),
                _DELIVERY,
            ),
            Seen.ACKED: histogram(
                "baton_ack_seconds", "Until a request was answered, committed", ("door",), _ACK
            ),
        }
        self._counters: Mapping[Seen, Counter] = {
            Seen.SLACK_CALLED: counter(
                "baton_slack_calls", "Calls of Slack by what came of them", ("method", "outcome")
            ),
            Seen.TAKEN_IN: counter(
                "baton_items_taken_in", "Leads and touches that came in", ("status",)
            ),
            Seen.REFUSED: counter("baton_refusals", "What people were refused, by code", ("code",)),
            Seen.CLOCK_ENDED: counter(
                "baton_clocks_ended", "Clocks by how they ended", ("kind", "outcome")
            ),
        }
        self._known: dict[Seen, set[tuple[str, ...]]] = {what: set() for what in Seen}

    def see(self, what: Seen, value: float, *labels: str) -> None:
        """Take note."""
        known = self._known[what]
        if labels and labels not in known:
            if len(known) >= MOST_SERIES:
                labels = tuple("other" for _ in labels)
            known.add(labels)
        counter = self._counters.get(what)
        if counter is not None:
            counter.labels(*labels).inc(value)
        else:
            histogram = self._histograms[what]
            (histogram.labels(*labels) if labels else histogram).observe(max(0.0, value))


class Metrics:
    """The registry of one house and its door. `meter` counts; `about`: gauges of this process, read at each request."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        token: str = "",
        about: Mapping[str, tuple[str, Callable[[], float]]] | None = None,
    ) -> None:
        # Else each series has another that says when it began: twice as much for nobody to look at.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
        self._runtime, self._token = runtime, token.encode()
        self.registry = CollectorRegistry(auto_describe=False)
        self.meter = PrometheusMeter(self.registry)
        self._read: Gauges | None = None
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self.registry.register(_FromDatabase(self))
        build = Gauge("baton_build_info", "1", ("schema", "python"), registry=self.registry)
        build.labels(HEAD, platform.python_version()).set(1)
        pool = getattr(runtime.database.engine.pool, "checkedout", lambda: 0)
        of_process = {"baton_database_connections": ("Connections in use", pool), **(about or {})}
        for name, (what, ask) in of_process.items():
            Gauge(name, what, registry=self.registry).set_function(ask)

    def route(self) -> BaseRoute:
        """The door."""
        return Route("/metrics", self._answer)

    def latest(self) -> tuple[Gauges | None, datetime]:
        """What the database said last, and the business time now."""
        return self._read, self._runtime.clock.business()

    async def _answer(self, request: Request) -> Response:
        if not self._may_ask(request):
            refusal = (
                "Show BATON_METRICS_TOKEN as a bearer token; without one only this machine may ask."
            )
            return PlainTextResponse(refusal, 401 if self._token else 403)
        await self._refresh()
        text = await asyncio.to_thread(generate_latest, self.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST, headers={"cache-control": "no-store"})

    def _may_ask(self, request: Request) -> bool:
        if self._token:
            shown = request.headers.get("authorization", "").encode("utf-8", "replace")
            scheme, _, token = shown.partition(b" ")
            return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)
        if any(name in request.headers for name in _PROXIED) or request.client is None:
            return False
        try:
            return ip_address(request.client.host.partition("%")[0]).is_loopback
        except ValueError:
            return False

    async def _refresh(self) -> None:
        """Fresh gauges, unless the database is slow: then the last ones."""
        loop = asyncio.get_running_loop()
        if self._reading is None or self._reading.done():
            if loop.time() - self._read_at < FRESH:
                return
            self._reading = loop.create_task(self._read_now())
        await asyncio.wait({self._reading}, timeout=PATIENCE)

    async def _read_now(self) -> None:
        try:
            self._read = await self._runtime.read(lambda work: read_gauges(work.conn, work.now))
            self._read_at = asyncio.get_running_loop().time()
        except Exception as error:
            self._read = None  # no figure is better than an old one that looks fresh
            log.warning("gauges_not_read", error=type(error).__name__)


class _FromDatabase(Collector):
    """Gauges of the whole installation: each process that is asked shows the same."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Any]:
        """As they were read last."""
        gauges, now = self._metrics.latest()
        yield _family(
            "baton_database_readable",
            "1 when the gauges could be read",
            (),
            {(): float(gauges is not None)},
        )
        if gauges is None:
            return
        messages: dict[tuple[str, ...], float] = {}
        for (way, state, priority), many in gauges.messages.items():
            messages[(way, state, _PRIORITIES.get(priority, "rest"))] = many
        yield _family("baton_messages", "Messages not settled", ("way", "state", "class"), messages)
        ages: _Values = {
            (way,): max(0.0, (now - at).total_seconds()) for way, at in gauges.oldest.items()
        }
        about = "How long the oldest message that may go has waited"
        yield _family("baton_oldest_message_seconds", about, ("way",), {("slack",): 0.0, **ages})
        yield _family("baton_leads", "Leads by status", ("status",), _keyed(gauges.leads))
        timers = {("armed",): 0, ("parked",): 0, **_keyed(gauges.timers)}
        yield _family("baton_timers", "Timers by state", ("state",), timers)
        yield _family("baton_timers_due", "Armed timers whose time has come", (), {(): gauges.late})
        yield _family(
            "baton_alarms", "Alarms that go on, by kind", ("kind",), _keyed(gauges.alarms)
        )
        total: _Values = {(): float(sum(gauges.alarms.values()))}
        yield _family("baton_alarms_going_on", "Alarms that go on", (), total)
        yield _family(
            "baton_audit_took_seconds", "The watchdog's last look", (), {(): gauges.audit_ms / 1000}
        )
        real = self._metrics._runtime.clock.real()
        for name, what, at in (
            ("baton_audit_age_seconds", "Since the watchdog's last look", gauges.audited_at),
            ("baton_backup_age_seconds", "Since the last nightly backup", gauges.backed_up_at),
        ):
            age: _Values = {(): max(0.0, (real - at).total_seconds())} if at is not None else {}
            yield _family(name, what, (), age)


_PRIORITIES = {1: "escalation", 2: "offer", 3: "edit", 4: "rest"}


_Values = dict[tuple[str, ...], float]


def _keyed(counts: Mapping[str, int]) -> _Values:
    return {(name,): many for name, many in counts.items()}


def _family(name: str, about: str, labels: tuple[str, ...], values: _Values) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=labels)
    for label_values, value in values.items():
        family.add_metric(list(label_values), value)
    return family
