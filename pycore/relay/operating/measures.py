"""What Prometheus is told of one relay, `GET /metrics`: counts, durations, and how things are at the moment.

What an input passes adds to a dictionary; nothing is summed or formatted before somebody asks. Labels have values from
lists of ours alone, so that no stranger makes a new series.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from pycore.version import __version__

TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
STORES: Final = (
    "p2p_session_metrics", "pycore_rows", "pycore_records", "pycore_experienced", "p2p_connection_type",
)  # fmt: skip
"""Events by which something is stored."""
LAG_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
STORE_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
WAITED_S: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
GAME_S: Final = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)


class Measures:
    """The measures of one relay."""

    def __init__(self) -> None:
        self.known: Collection[str] = ()
        """The names of events that there are; any other one counts as `unknown`."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.events: Counter[str] = Counter()
        """How many there were, by name."""
        self.outcomes: Counter[str] = Counter()
        """What participants' visits came to, by outcome."""
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._begun: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(_Counted(self))

        def histogram(name: str, told: str, buckets: Sequence[float], labels: Sequence[str] = ()) -> Histogram:
            return Histogram(f"pycore_{name}_seconds", told, labels, registry=self._registry, buckets=buckets)

        self._stores = histogram("store", "From a store's arrival to its acknowledgement", STORE_S, ["event"])
        self._waited = histogram("waited", "In the waiting room, before a game", WAITED_S)
        self._lasted = histogram("game", "From a game's start to its end", GAME_S)
        self._lag = histogram("loop_lag", "How late the event loop is", LAG_S)
        self._states: list[tuple[str, str, str, Callable[[], float | Mapping[str, float]]]] = []

    # What happens

    def event(self, event: str, code: str | None, seconds: float) -> None:
        """An event was carried out, or refused with that code."""
        if event not in self.known:
            event = "unknown"
        self.events[event] += 1
        if code is not None:
            self._refusals[event, code] += 1
        elif event in STORES:
            self._stores.labels(event).observe(seconds)

    def connection_refused(self, code: str) -> None:
        """A socket was not let in."""
        self._refusals["connect", code] += 1

    def games_begun(self, how: str) -> None:
        """`paired` here, `taken_up` from another process, or `resumed` though it was taken for over."""
        self._begun[how] += 1

    def games_ended(self, how: str, seconds: float | None) -> None:
        """`finished`, `left` (fewer than two were there) or `dropped` (somebody was silent)."""
        self._ended[how] += 1
        if seconds is not None:
            self._lasted.observe(seconds)

    def waited(self, seconds: float) -> None:
        """Somebody has a game."""
        self._waited.observe(seconds)

    def late(self, seconds: float) -> None:
        """The event loop did something so much later than it was to."""
        self._lag.observe(seconds)

    # What is asked

    def state(self, name: str, told: str, look: Callable[[], float | Mapping[str, float]], label: str = "") -> None:
        """How something is at the moment it is asked for; with a `label`, by the values of that. A name that ends with
        `_total` is one of what only grows."""
        self._states.append((name, told, label, look))

    @property
    def refusals(self) -> dict[str, int]:
        """How many there were, by code."""
        found: Counter[str] = Counter()
        for (_, code), count in self._refusals.items():
            found[code] += count
        return dict(found.most_common())

    def text(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self._registry)

    def counted(self) -> Iterable[Metric]:
        """What is counted here, as Prometheus has it."""
        yield InfoMetricFamily("pycore", "This server", value={"version": __version__})
        events = CounterMetricFamily("pycore_events", "Events of pages", labels=["event"])
        for event, count in self.events.items():
            events.add_metric([event], count)
        yield events
        refusals = CounterMetricFamily("pycore_refusals", "Events that were refused", labels=["event", "code"])
        for (event, code), count in self._refusals.items():
            refusals.add_metric([event, code], count)
        yield refusals
        for name, of, told in (
            ("pycore_games_started", self._begun, "Games that began"),
            ("pycore_games_ended", self._ended, "Games that ended"),
        ):
            family = CounterMetricFamily(name, told, labels=["how"])
            for how, count in of.items():
                family.add_metric([how], count)
            yield family
        outcomes = CounterMetricFamily("pycore_outcomes", "What participants' visits came to", labels=["outcome"])
        for outcome, count in self.outcomes.items():
            outcomes.add_metric([outcome], count)
        yield outcomes
        crossed = CounterMetricFamily("pycore_socket_bytes", "Payload of all sockets", labels=["direction"])
        crossed.add_metric(["in"], self.bytes_in)
        crossed.add_metric(["out"], self.bytes_out)
        yield crossed
        for name, told, label, look in self._states:
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            gauge = kind(f"pycore_{name}", told, labels=[label] if label else None)
            found = look()
            for value, number in found.items() if isinstance(found, Mapping) else [("", found)]:
                gauge.add_metric([value] if label else [], number)
            yield gauge


class _Counted(Collector):
    """What `Measures` counts by itself."""

    def __init__(self, measures: Measures) -> None:
        self._measures = measures

    def collect(self) -> Iterable[Metric]:
        return self._measures.counted()

