"""The worker that plugins live in: `python3 -I`, standard library only, CPython 3.8 and later.

Its other end is the PluginHost. Both sides speak frames (four bytes of length, big-endian, then JSON):
    host:   {"id", "do": begin|load|unload|run|ping|stop, ...}   {"re", "ok"} or {"re", "error"}
    worker: {"id", "call", "args", "in"}                         {"re", "ok"}, {"re", "gone"} or {"re", "error"}
            {"add": registration}  {"drop": number}  {"log", "text", "plugin"}  {"ready"}
Values keep their types by tags: {"$t": [...]} a tuple, {"$m": [[key, value], ...]} a map whose keys are no
plain strings, {"$b": base64} bytes, {"$f": "nan"} a number that JSON lacks.

The main thread loads and stops plugins, one thread reads frames, a few run hooks. What a plugin prints goes to
stderr. At the end of the input the plugins are stopped and the process ends.
"""

import base64
import faulthandler
import itertools
import json
import linecache
import math
import os
import queue
import resource
import signal
import struct
import sys
import threading
import traceback
import types

FRAME_BYTES = 16 << 20
VALUE_DEPTH = 32
TRACE_BYTES = 16 << 10
HOOK_THREADS = 64
RETIRED = 256
STOP_SECS = 2.0
LEAVE_SECS = 5.0
HERE = '<gatepost plugins>'


# Values


def tag(value, depth=0):
    """What JSON can carry without losing the type."""
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise OverflowError('a whole number beyond 64 bits can not leave a plugin')
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {'$f': repr(float(value))}
    if depth == VALUE_DEPTH:
        raise ValueError('a value nested deeper than %d levels can not leave a plugin' % VALUE_DEPTH)
    depth += 1
    if isinstance(value, dict):
        if all(type(key) is str and key[:1] != '$' for key in value):
            return {key: tag(one, depth) for key, one in value.items()}
        return {'$m': [[tag(key, depth), tag(one, depth)] for key, one in value.items()]}
    if isinstance(value, list):
        return [tag(one, depth) for one in value]
    if isinstance(value, tuple):
        return {'$t': [tag(one, depth) for one in value]}
    if isinstance(value, (bytes, bytearray)):
        return {'$b': base64.b64encode(value).decode('ascii')}
    raise TypeError('a value of type %s can not leave a plugin' % kind.__name__)


def untag(value):
    """The value that was tagged."""
    if isinstance(value, list):
        return [untag(one) for one in value]
    if not isinstance(value, dict):
        return value
    if '$t' in value:
        return tuple(untag(one) for one in value['$t'])
    if '$m' in value:
        return {untag(key): untag(one) for key, one in value['$m']}
    if '$b' in value:
        return base64.b64decode(value['$b'])
    if '$f' in value:
        return float(value['$f'])
    return {key: untag(one) for key, one in value.items()}


class Agent(dict):
    """A member of staff: `agent['status']` and `agent.status` are the same."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError("an agent has no '%s'" % name) from None


# What plugins import


class ProcessingError(Exception):
    """The request can not be done; the text says why."""


class InvalidDataInput(Exception):
    """A map from field to what is wrong with it."""


class PermissionDenied(Exception):
    """The caller may not do that."""


EXPECTED = {kind.__name__: kind for kind in (ProcessingError, InvalidDataInput, PermissionDenied)}
EVENT_AGENT_STATUS = 'agents.status'


def offer(name, content):
    """A module that plugins import by this name."""
    module = types.ModuleType(name, 'Offered by Gatepost to plugins.')
    for key, value in content.items():
        if isinstance(value, type):
            value.__module__ = name
        setattr(module, key, value)
    sys.modules[name] = module
    return module


def offer_modules(folder, events):
    """constants, events, error; the folder itself is the package `plugins`, and last on the path."""
    offer('constants', {'AGENT_OFFLINE': 0, 'AGENT_READY': 1, 'AGENT_AUX': 2})
    names = {'EVENT_' + event.upper().replace('.', '_'): event for event in events}
    offer('events', dict(names, EVENT_AGENT_STATUS=EVENT_AGENT_STATUS))
    offer('error', dict(EXPECTED))
    offer('plugins', {'__path__': [folder]})
    sys.path.append(folder)


def mend_threads():
    """`super().__init__(self)` hands a thread to itself as its group: taken as no group (S4-52)."""
    plain = threading.Thread.__init__

    def init(self, group=None, *args, **kwargs):
        plain(self, None if group is self else group, *args, **kwargs)

    threading.Thread.__init__ = init


# The other end


class Pipe:
    """Frames to and from the host, on descriptors of our own: 0 and 1 are no longer them."""

    def __init__(self):
        self.source = os.fdopen(os.dup(0), 'rb', 1 << 16)
        self.sink = os.dup(1)
        self.lock = threading.Lock()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        sys.stdout.reconfigure(line_buffering=True)
        os.register_at_fork(after_in_child=self.leave)

    def leave(self):
        """In a child of a plugin: what it says is none of the worker's answers."""
        os.close(self.sink)
        os.close(self.source.fileno())
        self.sink = -1

    def send(self, message):
        body = json.dumps(message, ensure_ascii=False, separators=(',', ':'), allow_nan=False)
        body = body.encode('utf-8', 'replace')
        if len(body) > FRAME_BYTES:
            raise ValueError('%d bytes are more than a frame may hold' % len(body))
        frame = struct.pack('>I', len(body)) + body
        with self.lock:
            sent = os.write(self.sink, frame)
            while sent < len(frame):
                sent += os.write(self.sink, frame[sent:sent + (1 << 20)])

    def receive(self):
        """The next message; None at the end of the input."""
        head = self.source.read(4)
        if len(head) < 4:
            return None
        length = struct.unpack('>I', head)[0]
        body = self.source.read(length)
        return json.loads(body.decode('utf-8')) if len(body) == length else None


class Host:
    """Calls of ours that wait for their answers."""

    def __init__(self, pipe):
        self.pipe = pipe
        self.numbers = itertools.count(1)
        self.waiting = {}

    def call(self, name, args, within=None):
        number = next(self.numbers)
        box = self.waiting[number] = queue.SimpleQueue()
        if within is None:
            within = getattr(CURRENT, 'request', None)
        try:
            self.pipe.send({'id': number, 'call': name, 'args': [tag(one) for one in args], 'in': within})
            answer = box.get()
        finally:
            self.waiting.pop(number, None)
        if 'error' in answer:
            raise exception_of(answer['error'])
        return untag(answer.get('ok'))

    def answered(self, message):
        box = self.waiting.get(message['re'])
        if box is not None:
            box.put(message)

    def log(self, weight, plugin, text):
        self.pipe.send({'log': weight, 'text': text, 'plugin': plugin})


def exception_of(error):
    """The host's error as one of the three; `origin` leads back to the host's own error."""
    kind = EXPECTED.get(error.get('kind'), ProcessingError)
    exception = kind(untag(error.get('value')))
    exception.gatepost_origin = error.get('origin')
    return exception


def error_of(exception):
    """What is told of an exception that left a plugin."""
    kind = next((name for name, one in EXPECTED.items() if isinstance(exception, one)), 'unexpected')
    try:
        value = tag(exception.args[0]) if len(exception.args) == 1 else str(exception)
    except BaseException:
        value = type(exception).__name__
    if not isinstance(value, (str, dict)):
        value = str(value)
    return {
        'kind': kind,
        'value': value,
        'trace': trace_of(exception),
        'origin': getattr(exception, 'gatepost_origin', None),
    }


def trace_of(exception):
    """The backtrace without our own frames above the plugin's."""
    step = exception.__traceback__
    while step is not None and step.tb_frame.f_code.co_filename == HERE:
        step = step.tb_next
    try:
        text = ''.join(traceback.format_exception(type(exception), exception, step))
    except BaseException:
        text = type(exception).__name__
    return text.strip()[-TRACE_BYTES:]


# Registrations


class Registration:
    """Code of a plugin at one place: kind is callback, status, shared or middleware."""

    def __init__(self, number, place, plugin, code):
        self.number = number
        self.kind, self.key = place
        self.plugin = plugin
        self.code = code


class Register:
    """Who registered what. Kinds `status` and `shared` have one owner for each key."""

    def __init__(self, host):
        self.host = host
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.all = {}
        self.retired = {}

    def add(self, place, plugin, code):
        if not callable(code):
            raise TypeError('%r can not be called' % (code,))
        kind, key = place
        if not isinstance(key, str):
            raise TypeError('the name must be a text, it is %r' % (key,))
        with self.lock:
            held = next((one for one in self.all.values() if (one.kind, one.key) == place), None)
            if held and kind in ('status', 'shared'):
                if held.plugin != plugin:
                    raise ProcessingError('%s is held by plugin %s' % (words_of(place), held.plugin))
                self.forget(held)
            one = Registration(next(self.numbers), place, plugin, code)
            self.all[one.number] = one
            shown = {'number': one.number, 'kind': kind, 'key': key, 'plugin': plugin}
            self.host.pipe.send({'add': shown})

    def remove(self, place, fits):
        """Bound methods are made anew each time they are named: they are compared by equality (S4-14)."""
        with self.lock:
            for one in self.all.values():
                if (one.kind, one.key) == place and fits(one):
                    self.forget(one)
                    return
        raise ProcessingError('%s is not registered' % words_of(place))

    def forget(self, one):
        del self.all[one.number]
        if one.kind == 'middleware':
            # Calls in flight finish with the chain they began with.
            self.retired[one.number] = one
            if len(self.retired) > RETIRED:
                del self.retired[next(iter(self.retired))]
        self.host.pipe.send({'drop': one.number})

    def of(self, plugin):
        with self.lock:
            return [one for one in self.all.values() if one.plugin == plugin]

    def drop(self, ones):
        with self.lock:
            for one in ones:
                if one.number in self.all:
                    self.forget(one)

    def find(self, number):
        return self.all.get(number) or self.retired.get(number)


def words_of(place):
    kind, key = place
    words = {'callback': 'the callback of %s', 'shared': 'the change hook of shared data %s',
             'middleware': 'the middleware of %s'}
    return words[kind] % key if kind in words else 'the status change hook'


# The object that plugins get


class Log:
    """printf style, and plain texts."""

    def __init__(self, plugin):
        self._plugin = plugin

    def _line(self, weight, text, args):
        text = str(text)
        if args:
            try:
                text = text % (args[0] if len(args) == 1 and isinstance(args[0], dict) and args[0] else args)
            except Exception as exception:
                text = '%s %r (%s)' % (text, args, exception)
        HOST.log(weight, self._plugin, text[:TRACE_BYTES])

    def info(self, text, *args):
        self._line('info', text, args)

    def dbug(self, text, *args):
        self._line('dbug', text, args)

    def warn(self, text, *args):
        self._line('warn', text, args)

    def dev(self, text, *args):
        self._line('dev', text, args)

    def error(self, text, *args):
        self._line('error', text, args)

    debug, warning = dbug, warn


class Agents:
    """`ucs.agents`"""

    def __init__(self, ucs):
        self._ucs = ucs

    def getAgents(self):
        return [Agent(one) for one in HOST.call('agents.getAgents', [])]

    def addChangeStatusHook(self, callback):
        REGISTER.add(('status', ''), self._ucs._plugin, callback)

    def removeChangeStatusHook(self):
        REGISTER.remove(('status', ''), lambda one: one.plugin == self._ucs._plugin)

    def removeChangeHook(self, identificator):
        self._ucs.shared.removeChangeHook(identificator)


class Shared:
    """`ucs.shared`"""

    def __init__(self, ucs):
        self._ucs = ucs

    def get(self, identificator):
        return HOST.call('shared.get', [identificator])

    def addChangeHook(self, identificator, callback):
        REGISTER.add(('shared', identificator), self._ucs._plugin, callback)

    def removeChangeHook(self, identificator):
        REGISTER.remove(('shared', identificator), lambda one: one.plugin == self._ucs._plugin)


class Tree:
    """`ucs.tree`"""

    def getUsers(self, attribute='username'):
        return HOST.call('tree.getUsers', [attribute])


class Method:
    """A method of the API: `ucs.api.plugins.load(sid, name)`."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, part):
        if part.startswith('_'):
            raise AttributeError(part)
        return Method(self._name + '.' + part)

    def __call__(self, *args):
        if threading.current_thread() is threading.main_thread() and self._name.startswith('plugins.'):
            raise ProcessingError('a plugin can not load or unload plugins while it starts or stops')
        return HOST.call('api', [self._name] + list(args))


class Api:
    """`ucs.api`: the methods, and the middleware around them."""

    def __init__(self, ucs):
        self._ucs = ucs

    def addMiddleware(self, method, middleware):
        REGISTER.add(('middleware', method), self._ucs._plugin, middleware)

    def removeMiddleware(self, method, middleware):
        REGISTER.remove(('middleware', method), lambda one: one.code == middleware)

    def __getattr__(self, part):
        if part.startswith('_'):
            raise AttributeError(part)
        return Method(part)


class Ucs:
    """The server as a plugin sees it. Each plugin has its own: what it registers is known as its."""

    def __init__(self, plugin):
        self._plugin = plugin
        self.log = Log(plugin)
        self.agents = Agents(self)
        self.shared = Shared(self)
        self.tree = Tree()
        self.api = Api(self)

    def addCallback(self, event, callback):
        REGISTER.add(('callback', event), self._plugin, callback)

    def removeCallback(self, event, callback):
        REGISTER.remove(('callback', event), lambda one: one.code == callback)


# Loading and stopping: in the main thread


class Plugins:
    """Every plugin that runs."""

    def __init__(self):
        self.running = {}

    def load(self, name, path, source):
        """The name of its class; None: the file is no plugin (S4-4)."""
        self.stop(name)
        older = REGISTER.of(name)
        linecache.checkcache(path)
        module = types.ModuleType('plugins.' + name)
        module.__file__ = path
        module.__package__ = 'plugins'
        sys.modules[module.__name__] = module
        try:
            exec(compile(source, path, 'exec', dont_inherit=True), module.__dict__)
            wanted = getattr(module, 'UCS_PLUGIN', None)
            if wanted is None:
                return None
            if not isinstance(wanted, str) or not isinstance(getattr(module, wanted, None), type):
                raise NameError('UCS_PLUGIN names %r, the file has no such class' % (wanted,))
            instance = getattr(module, wanted)(Ucs(name))
            start = getattr(instance, 'start', None)
            if callable(start):
                start()
        except BaseException:
            REGISTER.drop([one for one in REGISTER.of(name) if one not in older])
            raise
        self.running[name] = instance
        return wanted

    def stop(self, name):
        """What goes wrong in `stop` is logged and holds nothing up (S4-22)."""
        instance = self.running.pop(name, None)
        if instance is None:
            return False
        try:
            stop = getattr(instance, 'stop', None)
            if callable(stop):
                stop()
            if isinstance(instance, threading.Thread) and instance.is_alive():
                instance.join(STOP_SECS)
                if instance.is_alive():
                    HOST.log('warn', name, 'the plugin has stopped, its thread still runs')
        except BaseException as exception:
            HOST.log('error', name, 'stop failed\n' + trace_of(exception))
        return True

    def unload(self, name, leftovers):
        if not self.stop(name):
            raise ProcessingError('plugin %s is not loaded' % name)
        left = REGISTER.of(name)
        if left:
            names = ', '.join(words_of((one.kind, one.key)) for one in left)
            if leftovers == 'drop':
                REGISTER.drop(left)
                HOST.log('warn', name, 'its stop left %s registered; dropped' % names)
            else:
                HOST.log('warn', name, 'its stop left %s registered; still called' % names)

    def stop_all(self):
        for name in reversed(list(self.running)):
            self.stop(name)


# Running hooks: in a few threads


class Handler:
    """What a middleware calls to go on: bound to one request."""

    def __init__(self, request):
        self._request = request
        self._over = False

    def __call__(self, *args):
        if self._over:
            raise ProcessingError('the request is over, its handler can not be called any more')
        return HOST.call('handler', args, within=self._request)


def run_callback(one, args):
    if one.key == EVENT_AGENT_STATUS:
        args[0] = Agent(args[0])
    one.code(*args)


def run_status(one, args):
    args[0] = Agent(args[0])
    answer = one.code(*args)
    try:
        status, reason = answer
    except (TypeError, ValueError):
        raise TypeError('the hook must return (status, reason), it returned %r' % (answer,)) from None
    if status is None:
        raise ProcessingError(str(reason) if reason else 'Blocked by hook')
    if isinstance(status, bool) or not isinstance(status, int) or not isinstance(reason, str):
        raise TypeError('the hook must return (int, str), it returned %r' % (answer,))
    if status not in (0, 1, 2):
        raise ValueError('the hook returned status %d; there are 0, 1 and 2' % status)
    return int(status), reason


def run_shared(one, args):
    return one.code(*args)


def run_middleware(one, args):
    handler = Handler(CURRENT.request)
    try:
        return one.code(handler, *args)
    finally:
        handler._over = True


RUNS = {'callback': run_callback, 'status': run_status, 'shared': run_shared,
        'middleware': run_middleware}


def run(message):
    one = REGISTER.find(message['registration'])
    if one is None:
        HOST.pipe.send({'re': message['id'], 'gone': True})
        return
    CURRENT.request = message['id']
    try:
        ok = tag(RUNS[one.kind](one, [untag(arg) for arg in message['args']]))
        HOST.pipe.send({'re': message['id'], 'ok': ok})
    except BaseException as exception:
        HOST.pipe.send({'re': message['id'], 'error': error_of(exception)})
    finally:
        CURRENT.request = None


class Pool:
    """Threads that run hooks, started as they are needed: one that blocks does not block the others."""

    def __init__(self):
        self.wanted = queue.SimpleQueue()
        self.idle = 0
        self.threads = 0
        self.lock = threading.Lock()

    def take(self, message):
        with self.lock:
            starts = self.idle == 0 and self.threads < HOOK_THREADS
            self.threads += starts
            self.idle -= not starts
        self.wanted.put(message)
        if starts:
            threading.Thread(target=self.work, name='hook-%d' % self.threads, daemon=True).start()

    def work(self):
        while True:
            run(self.wanted.get())
            with self.lock:
                self.idle += 1


# The process


def administer(message):
    """Loads, unloads and stops, one after the other."""
    answer = {'re': message['id'], 'ok': None}
    CURRENT.request = message['id']
    try:
        if message['do'] == 'load':
            source = untag(message['source'])
            answer['ok'] = PLUGINS.load(message['name'], message['path'], source)
        elif message['do'] == 'unload':
            PLUGINS.unload(message['name'], message['leftovers'])
        else:
            PLUGINS.stop_all()
    except BaseException as exception:
        answer = {'re': message['id'], 'error': error_of(exception)}
    CURRENT.request = None
    try:
        HOST.pipe.send(answer)
    except OSError:
        return False
    return message['do'] != 'stop'


def read_frames(administration, leave):
    pool = Pool()
    while True:
        try:
            message = HOST.pipe.receive()
        except (OSError, ValueError):
            message = None
        if message is None:
            administration.put({'id': 0, 'do': 'stop'})
            threading.Event().wait(LEAVE_SECS)
            leave(1)
        if 're' in message:
            HOST.answered(message)
        elif message['do'] == 'run':
            pool.take(message)
        elif message['do'] == 'ping':
            HOST.pipe.send({'re': message['id'], 'ok': None})
        else:
            administration.put(message)


def watch(leave):
    """Whatever ends this process from inside says where, on stderr (the host reads who it was)."""
    faulthandler.enable(file=2)
    faulthandler.register(signal.SIGTERM, file=2, all_threads=True, chain=False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def last_words(code):
        os.write(2, b'os._exit was called\n')
        faulthandler.dump_traceback(file=2, all_threads=False)
        leave(code)

    os._exit = last_words


def limit(memory_bytes):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def main():
    leave = os._exit
    begin = HOST.pipe.receive()
    if begin is None:
        leave(0)
    limit(begin['memory_bytes'])
    watch(leave)
    mend_threads()
    offer_modules(begin['folder'], begin['events'])
    administration = queue.SimpleQueue()
    reader = threading.Thread(target=read_frames, args=(administration, leave), daemon=True)
    reader.start()
    HOST.pipe.send({'ready': '%d.%d.%d' % sys.version_info[:3]})
    try:
        while administer(administration.get()):
            pass
    finally:
        leave(0)


CURRENT = threading.local()
HOST = Host(Pipe())
REGISTER = Register(HOST)
PLUGINS = Plugins()
main()
