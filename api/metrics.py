"""Counts for Prometheus, in a registry of their own."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from api.services.health import Health

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_TOTALS = ("packets", "bytes", "flows", "sightings", "live_flows")
_BY_CAUSE = ("shed", "malformed", "detector_failures", "detector_shed")


class Metrics:
    """What the API counts itself; the collector's counts join in when they are asked for."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "mimawari_http_requests", "Requests answered", ("method", "route", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._took = Histogram(
            "mimawari_http_request_seconds", "Time to answer", ("route",), registry=self._registry
        )
        self.streams = Gauge(
            "mimawari_live_streams", "Live streams open now", registry=self._registry
        )

    def count_request(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count one request under its route's pattern, so that labels stay few."""
        self._requests.labels(method if method in _METHODS else "OTHER", route, status).inc()
        self._took.labels(route).observe(took_s)

    def render(self, health: Health) -> bytes:
        """Everything as Prometheus text."""
        now = CollectorRegistry()
        now.register(_Told(health))
        return generate_latest(self._registry) + generate_latest(now)


class _Told:
    """The collector's health and the alerts, as metrics."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        alerts = GaugeMetricFamily("mimawari_alerts", "Alerts kept", labels=("severity", "state"))
        for labels, count in sorted(self._health.alert_counts.items()):
            alerts.add_metric(labels, count)
        yield alerts
        told = self._health.collector
        for name in _TOTALS:
            if name in told:
                yield GaugeMetricFamily(
                    f"mimawari_collector_{name}", f"{name} since the collector started", told[name]
                )
        for name in _BY_CAUSE:
            family = GaugeMetricFamily(f"mimawari_{name}", f"{name} by cause", labels=("cause",))
            for cause, count in sorted(dict(told.get(name, {})).items()):
                family.add_metric((cause,), count)
            yield family
        if "event_ns" in told:
            yield GaugeMetricFamily(
                "mimawari_event_time_seconds", "How far event time has come", told["event_ns"] / 1e9
            )
