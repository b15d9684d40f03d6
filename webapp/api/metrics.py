"""What an operator's monitoring asks for: the backlog of the lanes and the jobs, in numbers.

All of it comes from the database, so that it does not matter which process answers (jobs.md, *Seen
from outside*).
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterator

from flask import Blueprint, Response, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from webapp.auth.guard import open_to_all
from webapp.services.common.exceptions import Forbidden
from webapp.services.jobs.backlog import job_counts, lane_ages
from webapp.services.jobs.kinds import LANES

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@open_to_all("monitoring asks it, with METRICS_TOKEN or from this machine; it tells of no tenant")
def metrics() -> Response:
    """The metrics in Prometheus's text form. Raises Forbidden."""
    _check_caller()
    registry = CollectorRegistry()
    registry.register(_Jobs())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _check_caller() -> None:
    token: str | None = current_app.config["SETTINGS"].metrics_token
    if token is None:
        if not _is_this_machine(request.remote_addr):
            raise Forbidden("Set METRICS_TOKEN and send it as `Authorization: Bearer …`.")
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), token.encode()):
        raise Forbidden("Send METRICS_TOKEN as `Authorization: Bearer …`.")


def _is_this_machine(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


class _Jobs(Collector):
    def collect(self) -> Iterator[Metric]:
        """The metrics of lanes and jobs, asked for at each scrape."""
        oldest = GaugeMetricFamily(
            "sx_lane_oldest_seconds",
            "How long the oldest due job of the lane has been due",
            labels=["lane"],
        )
        aim = GaugeMetricFamily(
            "sx_lane_aim_seconds",
            "How long after it is due a job of the lane should have begun",
            labels=["lane"],
        )
        for name, seconds in lane_ages().items():
            oldest.add_metric([name], seconds)
            aim.add_metric([name], LANES[name].aim)
        jobs = GaugeMetricFamily(
            "sx_jobs", "Jobs that wait, run or are dead", labels=["kind", "lane", "state"]
        )
        for row in job_counts():
            jobs.add_metric([row["kind"], row["lane"], row["state"]], row["jobs"])
        yield from (oldest, aim, jobs)
