"""The entry point of worker and beat: `celery -A celery_worker:celery worker`."""

from celery.signals import worker_process_init

import tasks
from models.base import db
from webapp import create_app

assert tasks  # registers every kind of job

app = create_app()
celery = app.extensions["celery"]
celery.flask_app = app
celery.conf.broker_transport_options = app.config["SETTINGS"].celery_worker_transport()
celery.conf.worker_consumer = "tasks.worker:ReturningConsumer"
celery.conf.beat_scheduler = "tasks.schedule:SlotScheduler"


@worker_process_init.connect
def forget_inherited_connections(**_: object) -> None:
    """A forked child must not speak on its parent's database connections."""
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose(close=False)
