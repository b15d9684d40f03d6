"""`sx web`: the processes that answer requests."""

from __future__ import annotations

import functools
import gc
import multiprocessing
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from flask import Flask

KILL_SECONDS = 10  # for the requests at hand, when a process is told to end


@click.command()
@click.option("--host", envvar="HOST", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="PORT", type=click.IntRange(1, 65535), default=8000)
@click.option(
    "--workers",
    envvar="WEB_WORKERS",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="How many processes; one for each core.",
)
def web(host: str, port: int, workers: int) -> None:
    """Answer requests (any number may run, each on its own port)."""
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    from webapp.config import Settings
    from webapp.devstack.beside import use_settings_beside

    use_settings_beside()
    settings = Settings.from_environment()
    if sys.platform == "linux":
        _load_before_the_fork()
    # Backpressure stays at its default (backlog / workers = 512): it counts connections, and
    # idle ones that are kept alive would use up a smaller number.
    server = Server(
        "webapp.wsgi:app",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=settings.web_threads,
        websockets=False,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_SECONDS,
    )
    server.serve(target_loader=application, wrap_loader=False)


def _load_before_the_fork() -> None:
    """Load the application once for all processes, which then have its memory in common."""
    multiprocessing.set_start_method("fork")
    # Nothing of it is garbage: to look for it takes a tenth of the time, and in the children, where
    # looking writes, would copy the memory.
    gc.disable()
    application()
    gc.freeze()
    gc.enable()


@functools.cache
def application() -> Flask:
    """The application of this process: its own, or the one it was forked with."""
    from webapp import create_app

    return create_app()
