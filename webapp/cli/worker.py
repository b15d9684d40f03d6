"""`sx worker`: the processes that do the jobs."""

from __future__ import annotations

import click

MAX_CONSUMERS = 64


@click.command()
@click.option(
    "--consumers",
    "given",
    multiple=True,
    envvar="WORKER_CONSUMERS",
    metavar="LANE=N",
    help="How many processes take jobs of a lane, such as outside=4; 0 for none. May be repeated,"
    " and in WORKER_CONSUMERS stands between spaces. Default: signature=2 short=1 document=2"
    " outside=2 webhook=2 bulk=1.",
)
def worker(given: tuple[str, ...]) -> None:
    """Do the jobs: processes for each lane, replaced when they end (any number may run)."""
    from webapp.devstack.beside import use_settings_beside

    wanted = _consumers(given)
    use_settings_beside()
    from celery_worker import celery  # it reads the settings
    from tasks.runtime.consumers import Consumers

    Consumers(celery, wanted).run()


def _consumers(given: tuple[str, ...]) -> dict[str, int]:
    """The number of consumers of each lane. Raises BadParameter for what is not understood."""
    from webapp.services.jobs.kinds import LANES

    wanted = {lane.name: lane.consumers for lane in LANES.values()}
    for one in given:
        name, _, number = one.partition("=")
        if name not in wanted:
            raise click.BadParameter(f"no lane {name!r}; there are: {', '.join(wanted)}")
        if not number.isascii() or not number.isdigit() or int(number) > MAX_CONSUMERS:
            raise click.BadParameter(f"{one!r}: send a whole number from 0 to {MAX_CONSUMERS}")
        wanted[name] = int(number)
    if not any(wanted.values()):
        raise click.BadParameter("with no consumer at all there is nothing to do")
    return wanted
