"""The web server's entry point, of `sx web` and of any other WSGI server: `webapp.wsgi:app`."""

from webapp import create_app

app = create_app()
