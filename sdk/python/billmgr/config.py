"""Settings of the installation."""

import os
import re

from billmgr import HOME


def get_param(name, default=""):
    """A top-level setting of etc/gatepost.toml that is a text; `default` where it is not set."""
    try:
        with open(os.path.join(HOME, "etc", "gatepost.toml"), encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return default
    top = re.split(r"(?m)^\s*\[", text, maxsplit=1)[0]
    found = re.search(rf'(?m)^\s*{re.escape(name)}\s*=\s*"([^"]*)"', top)
    return found.group(1) if found else default
