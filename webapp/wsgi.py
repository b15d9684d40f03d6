"""The web server's entry point: `granian --interface wsgi webapp.wsgi:app`."""

from webapp import create_app

app = create_app()
