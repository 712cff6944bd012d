"""requests_loop.py PORT MESSAGES < FORM: a Session of requests, its one connection kept, no queue."""
import sys

import requests

port, messages = int(sys.argv[1]), int(sys.argv[2])
form = sys.stdin.read()
with requests.Session() as session:
    session.trust_env = False
    for _ in range(messages):
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        session.post(f"http://127.0.0.1:{port}/send", data=form, headers=kind).raise_for_status()
