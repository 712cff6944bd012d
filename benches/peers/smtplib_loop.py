"""smtplib_loop.py PORT MESSAGES < TEXT: Python's smtplib over one kept connection, no queue. TEXT is the body."""
import smtplib
import sys

port, messages = int(sys.argv[1]), int(sys.argv[2])
text = sys.stdin.read().replace("\n", "\r\n")
with smtplib.SMTP("127.0.0.1", port) as server:
    for number in range(messages):
        to = f"u{number}@example.com"
        head = f"From: bench@example.com\r\nTo: {to}\r\nSubject: Invoice {number}\r\n\r\n"
        server.sendmail("bench@example.com", [to], head + text)
