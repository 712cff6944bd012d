#!/usr/bin/python3 -IS
"""A gate that behaves as its file is called, by a process a message or, with FAIR_SERVES, in serve mode.

gwgood, gwfree: take everything. gwdead: can't reach its service, or even start. gwslow: holds what it is given until var/go is there.
gwbusy: asks to be left alone for ten minutes. gwmute: does not even say what it can do until then. var/handed: a line for each message one of them was given.
"""
import os
import re
import struct
import sys
import time

NAME = os.path.basename(sys.argv[0])
SERVES = "FAIR_SERVES" in os.environ
ANSWERS = {
    "gwgood": "<doc%s/>",
    "gwfree": "<doc%s/>",
    "gwslow": "<doc%s/>",
    "gwmute": "<doc%s/>",
    "gwdead": '<doc%s><error type="unreached"><msg>no route to host</msg></error></doc>',
    "gwbusy": '<doc%s><error type="later"><msg>too many</msg></error><retry_after secs="600"/></doc>',
}


def note(document):
    contact = re.search(rb"<email>([^<]*)</email>", document).group(1).decode()
    file = os.open("var/handed", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, ("%s %s\n" % (NAME, contact)).encode())
    os.close(file)


def wait(name="gwslow"):
    while NAME == name and not os.path.exists("var/go"):
        time.sleep(0.02)


def documents():
    rest = b""
    while True:
        chunk = os.read(0, 1 << 20)
        if not chunk:
            return
        rest += chunk
        found = []
        while len(rest) >= 4 and len(rest) >= 4 + struct.unpack(">I", rest[:4])[0]:
            end = 4 + struct.unpack(">I", rest[:4])[0]
            found.append(rest[4:end])
            rest = rest[end:]
        yield found


def say(document):
    os.write(1, struct.pack(">I", len(document)) + document.encode())


def serve():
    for found in documents():
        given = []
        for document in found:
            if document.startswith(b'<doc command="ping"'):
                say('<doc command="ping"/>')
            elif document.startswith(b'<doc command="outgoing"'):
                note(document)
                given.append(re.search(rb' id="(\d+)"', document).group(1).decode())
        if given:
            wait()
        for number in given:
            say(ANSWERS[NAME] % (' id="%s"' % number))


if sys.argv[1:] == ["--command", "features"]:
    wait("gwmute")
    serve_too = '<feature name="serve"/>' if SERVES else ""
    print(
        '<doc><features><feature name="outgoing"/>%s</features>'
        "<notify_module>ntemail</notify_module><window>8</window></doc>" % serve_too
    )
elif sys.argv[1:] == ["--command", "outgoing"]:
    note(sys.stdin.buffer.read())
    wait()
    print(ANSWERS[NAME] % "")
elif sys.argv[1:] == ["--command", "serve"]:
    if NAME == "gwdead":
        sys.exit("no route to host")
    serve()
else:
    sys.exit(64)
