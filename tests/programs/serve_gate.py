#!/usr/bin/python3 -IS
"""A gate in serve mode that keeps a ledger of its own, and can be told to misbehave once.

var/ledger: a line for each message it has read. var/served: what became of its children, with their pids.
SERVE_WINDOW: what its features announce. SERVE_MODE: how it answers; a fault is committed once, and var/faulted says so.
"""
import os
import re
import select
import signal
import struct
import sys
import time

WINDOW = int(os.environ.get("SERVE_WINDOW", "8"))
MODE = os.environ.get("SERVE_MODE", "")
EACH = float(os.environ.get("SERVE_MS", "0")) / 1000
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT


def append(name, line):
    file = os.open("var/" + name, FLAGS, 0o600)
    os.write(file, (line + "\n").encode())
    os.close(file)


def tell(text):
    append("served", "%s %d" % (text, os.getpid()))


def frame(document):
    return struct.pack(">I", len(document)) + document


def send(*documents):
    os.write(1, b"".join(frame(one) for one in documents))


def answer(number):
    return b'<doc id="%s"/>' % number


def fault():
    """True once in the life of the installation."""
    try:
        os.close(os.open("var/faulted", FLAGS | os.O_EXCL))
        return True
    except FileExistsError:
        return False


def of(pattern, text):
    found = re.search(pattern, text)
    return found.group(1).decode() if found else ""


class Gate:
    def __init__(self):
        self.rest = b""
        self.held = []
        self.most = 0
        self.is_hung = False
        self.struck = ""

    def documents(self):
        """What one read brings, as whole documents; None at the end."""
        chunk = os.read(0, 1 << 20)
        if not chunk:
            return None
        self.rest += chunk
        found = []
        while len(self.rest) >= 4:
            length = struct.unpack(">I", self.rest[:4])[0]
            if len(self.rest) < 4 + length:
                break
            found.append(self.rest[4 : 4 + length])
            self.rest = self.rest[4 + length :]
        return found

    def read(self, document):
        command = of(rb'^<doc command="([a-z]+)"', document)
        if command == "configure":
            tell("configure " + of(rb"<name>([^<]*)</name>", document))
        elif command == "ping":
            tell("ping")
            send(b'<doc command="ping"/>')
        else:
            number = re.search(rb'<doc command="outgoing" id="(\d+)"', document).group(1)
            words = [of(rb'<task id="(\d+)"', document), of(rb' key="([^"]*)"', document)]
            words += [of(rb' attempt="(\d+)"', document), of(rb' maybe_sent="(\d)"', document)]
            words += [of(rb"<email>([^<]*)</email>", document), str(os.getppid())]
            append("ledger", " ".join(words))
            if words[4].startswith("u7@"):
                if MODE == "hang" and fault():
                    self.is_hung = True
                    return
                if MODE == "poison" and not os.path.exists("var/cured"):
                    self.struck = words[2]
            self.held.append(number)
            self.most = max(self.most, len(self.held))

    def fall(self):
        """Dies of a message, and whoever is on its way falls along."""
        if select.select([0], [], [], 0.05)[0]:
            for document in self.documents() or []:
                self.read(document)
        tell("poisoned-%s-%d" % (self.struck, len(self.held) - 1))
        os.kill(os.getpid(), signal.SIGKILL)

    def work(self):
        """Answers what it holds, as it was told to."""
        if MODE in ("garbage", "wrong", "twice", "huge") and fault():
            first = answer(self.held[0])
            odd = {
                "garbage": b"HTTP/1.1 200 OK\r\n\r\n",
                "wrong": frame(answer(b"424242")),
                "twice": frame(first) + frame(first),
                "huge": struct.pack(">I", 1 << 30) + b"<doc",
            }
            tell("fault-%d" % len(self.held))
            os.write(1, odd[MODE])
            signal.pause()
        elif self.is_up_to_something():
            if len(self.held) >= 4 and fault():
                tell("fault-%d" % len(self.held))
                if MODE == "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()
        elif MODE == "reverse":
            send(*[answer(number) for number in reversed(self.held)])
            self.held = []
        else:
            time.sleep(EACH)
            send(answer(self.held.pop(0)))

    def is_up_to_something(self):
        return MODE in ("die", "never") and not os.path.exists("var/faulted")

    def serve(self):
        tell("start")
        while True:
            patience = 0
            if self.is_up_to_something() or MODE == "reverse" and len(self.held) < WINDOW:
                patience = 0.3
            if not self.held or select.select([0], [], [], patience)[0]:
                documents = self.documents()
                if documents is None:
                    break
                for document in documents:
                    self.read(document)
                if self.struck:
                    self.fall()
            elif self.held:
                self.work()
        for number in self.held:
            send(answer(number))
        if self.is_hung:
            signal.pause()
        tell("most-%d" % self.most)
        tell("end")


if sys.argv[1:] == ["--command", "features"]:
    print(
        '<doc><features><feature name="outgoing"/><feature name="serve"/></features>'
        "<notify_module>ntemail</notify_module><window>%d</window></doc>" % WINDOW
    )
elif sys.argv[1:] == ["--command", "serve"]:
    if MODE == "unfit" and fault():
        print("no such account", file=sys.stderr)
        sys.exit(1)
    try:
        Gate().serve()
    except BrokenPipeError:
        tell("end")
else:
    sys.exit(64)
