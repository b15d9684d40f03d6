"""The entry point of worker and beat: `celery -A celery_worker:celery worker`."""

import gc

from celery.signals import worker_init, worker_process_init

import tasks
from models.db.base import db
from tasks.runtime.worker import give_freed_memory_back
from webapp.core.application import create_core

assert tasks  # registers every kind of job

app = create_core()
celery = app.extensions["celery"]
celery.flask_app = app
celery.conf.broker_transport_options = app.config["SETTINGS"].celery_worker_transport()
celery.conf.worker_consumer = "tasks.runtime.worker:ReturningConsumer"
celery.conf.beat_scheduler = "tasks.runtime.schedule:SlotScheduler"


@worker_init.connect
def keep_pages_shared(**_: object) -> None:
    """The children's collector leaves alone what was there before the fork, and so copies none."""
    gc.collect()
    gc.freeze()


@worker_process_init.connect
def prepare_child(**_: object) -> None:
    """A forked child keeps its size, and must not speak on its parent's database connections."""
    give_freed_memory_back()
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose(close=False)
