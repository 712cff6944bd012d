"""apprise_loop.py PORT MESSAGES < TEXT: Apprise, its json:// service, no queue."""
import logging
import sys

import apprise

logging.disable(logging.CRITICAL)
port, messages = int(sys.argv[1]), int(sys.argv[2])
text = sys.stdin.read()
out = apprise.Apprise()
out.add(f"json://127.0.0.1:{port}/send")
for _ in range(messages):
    assert out.notify(title="Shop", body=text)
