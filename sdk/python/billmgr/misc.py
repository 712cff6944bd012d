"""Calls of functions, of services over HTTP, and what the call that runs us came with."""

import base64
import json
import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree

from billmgr import HOME
from billmgr.exception import XmlException

#: Longest wait for a service, seconds.
HTTP_SECONDS = 30


def _mgrctl(function, form, given):
    command = [os.path.join(HOME, "sbin", "mgrctl"), "-m", "billmgr", "-o", form, function, "-"]
    texts = {name: _text(value) for name, value in given.items()}
    query = urllib.parse.urlencode(texts, quote_via=urllib.parse.quote)
    ran = subprocess.run(command, input=query.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=HOME)
    if not ran.stdout.strip():
        raise XmlException("mgrctl", function, ran.stderr.decode(errors="replace").strip())
    return ran.stdout


def _text(value):
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def MgrctlXml(func, **kwargs):
    """Calls a function; its document as an Element. An error document is raised as XmlException."""
    root = ElementTree.fromstring(_mgrctl(func, "xml", kwargs))
    error = root.find("./error")
    if error is not None:
        value = error.find("./param[@name='value']")
        text = value.text if value is not None else error.findtext("./msg")
        raise XmlException(error.get("type", "error"), error.get("object", ""), text or "")
    return root


def Mgrctl(func, **kwargs):
    """The same as what JSON holds: an object, or a list of them."""
    answer = json.loads(_mgrctl(func, "json", kwargs))
    if isinstance(answer, dict) and "error" in answer:
        error = answer["error"] if isinstance(answer["error"], dict) else {}
        raise XmlException(error.get("$type", "error"), error.get("$object", ""), error.get("msg", ""))
    return answer


def HttpQuery(url, param="", requesttype="POST", username="", password="", header=("Content-Type:application/json",)):
    """Asks a service; the body it answered, as text. Certificates are checked, redirects are not followed."""
    body = urllib.parse.urlencode(param) if isinstance(param, dict) else str(param)
    request = urllib.request.Request(url, data=body.encode() or None, method=requesttype)
    for line in header:
        name, _, value = line.partition(":")
        request.add_header(name.strip(), value.strip())
    if username or password:
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {pair}")
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=HTTP_SECONDS) as answer:
            return answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.read().decode(errors="replace")
    except (urllib.error.URLError, OSError) as error:
        raise XmlException("connection", "url", url.partition("?")[0]) from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def CgiInput():
    """The parameters of the call as texts: of the body when it is a POST, else of the query."""
    text = os.environ.get("QUERY_STRING", "")
    if os.environ.get("REQUEST_METHOD") == "POST":
        size = int(os.environ.get("CONTENT_LENGTH") or 0)
        text = sys.stdin.buffer.read(size).decode(errors="replace")
    return dict(urllib.parse.parse_qsl(text, keep_blank_values=True))


def ClientIp():
    """The address the call came from; empty when nobody knows."""
    names = ("HTTP_X_REAL_IP", "REMOTE_ADDR", "AUTH_IP")
    return next((os.environ[name] for name in names if os.environ.get(name)), "")
