"""A small stack for the tests: `python stack.py PORT VAR` runs it as `sx up` would.

Its web process is a real HTTP server that is ready at once; the database and the broker are the
embedded ones unless the environment says otherwise.
"""

import os
import sys
from pathlib import Path

from webapp.devstack.up import Plan, run_stack

WEB = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["DATABASE_URL"].encode()
        self.send_response(200 if self.path in ("/readyz", "/database") else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
print("web listens", os.getpid(), flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
WORKER = """
import os, time
print("worker runs", os.getpid(), flush=True)
time.sleep(60)
"""
SEED = """
print("a log line")
print('{"organization": "Demo", "api_key": "sx_live_demo", "mail": "nowhere"}')
"""
PLAN = Plan(
    migrate=[sys.executable, "-c", os.environ.get("MIGRATE", "print('migrated')")],
    services={
        "worker": [sys.executable, "-c", WORKER],
        "web": [sys.executable, "-c", WEB],
    },
    seed=[sys.executable, "-c", SEED],
)

if __name__ == "__main__":
    sys.exit(run_stack(int(sys.argv[1]), Path(sys.argv[2]), PLAN))
