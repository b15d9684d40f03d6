"""The entry point: `granian --interface wsgi benchmarks.peers.drf.wsgi:app`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.peers.drf.settings")
app = get_wsgi_application()
