#!/usr/bin/python3 -IS
"""The least a python3 gate can do: says it is sent. `loop N` does so N times with nobody around it."""
import os
import re
import struct
import sys

LENGTH = struct.Struct(">I")
ID = re.compile(rb'^<doc command="outgoing" id="(\d+)"')
TEXT = re.compile(rb"<message>([^<]*)</message>")


def answer(document):
    """Reads what a gate would send, and answers."""
    found = ID.match(document)
    if not found:
        return b'<doc command="ping"/>' if b'command="ping"' in document[:24] else None
    TEXT.search(document).group(1).decode()
    return b'<doc id="' + found.group(1) + b'"/>'


def serve():
    rest = b""
    while True:
        chunk = os.read(0, 1 << 16)
        if not chunk:
            return
        rest += chunk
        at, out = 0, []
        while len(rest) - at >= 4:
            length = LENGTH.unpack_from(rest, at)[0]
            if len(rest) - at - 4 < length:
                break
            said = answer(rest[at + 4 : at + 4 + length])
            at += 4 + length
            if said:
                out.append(LENGTH.pack(len(said)) + said)
        rest = rest[at:]
        if out:
            os.write(1, b"".join(out))


def loop(count):
    document = sys.stdin.buffer.read()
    for _ in range(count):
        answer(document)


if sys.argv[1] == "loop":
    loop(int(sys.argv[2]))
elif sys.argv[2] == "serve":
    serve()
elif sys.argv[2] == "outgoing":
    sys.stdin.buffer.read()
    print("<doc/>")
else:
    serves = "" if sys.argv[0].endswith("once") else '<feature name="serve"/>'
    print(
        '<doc><features><feature name="outgoing"/><feature name="parallel"/>%s</features>'
        "<notify_module>ntemail</notify_module><window>64</window></doc>" % serves
    )
