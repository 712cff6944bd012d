"""Lines in var/NAME.log: `logger.init_logging("myhandler")`, then `logger.get_logger("myhandler").info("…")`."""

import logging
import os
import re

from billmgr import BINARY_NAME, HOME

EXTINFO = 15
logging.addLevelName(EXTINFO, "EXTINFO")

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_state = {"name": BINARY_NAME, "loggers": {}}


class _Lines(logging.Formatter):
    """One line is one line, whatever the text holds."""

    def format(self, record):
        text = super().format(record)
        return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)


class Logger(logging.LoggerAdapter):
    """A logger that knows the level EXTINFO too."""

    def extinfo(self, text, *args):
        self.log(EXTINFO, text, *args)


def init_logging(logfile):
    """Names the file: var/LOGFILE.log."""
    _state["name"] = re.sub(r"[^A-Za-z0-9_.-]", "_", str(logfile))
    for known in _state["loggers"].values():
        _attach(known.logger)


def get_logger(name):
    """The logger of that name."""
    if name not in _state["loggers"]:
        logger = logging.getLogger(f"billmgr.{name}")
        logger.propagate = False
        logger.setLevel(logging.DEBUG)
        _attach(logger)
        _state["loggers"][name] = Logger(logger, {})
    return _state["loggers"][name]


def _attach(logger):
    path = os.path.join(HOME, "var", _state["name"] + ".log")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    try:
        handler = logging.NullHandler() if os.path.islink(path) else logging.FileHandler(path, encoding="utf-8")
    except OSError:
        # A log that can't be written must not end the program.
        handler = logging.NullHandler()
    handler.setFormatter(_Lines("%(asctime)s [%(process)d] %(name)s %(levelname)s %(message)s", "%b %d %H:%M:%S"))
    logger.addHandler(handler)
