// Runs once in each new runtime, before any template. Its value is what Rust calls.
(function (host) {
  'use strict';
  const { create, defineProperty, freeze, is, getOwnPropertyNames, getPrototypeOf, getOwnPropertyDescriptor } = Object;
  const { ownKeys, deleteProperty, apply } = Reflect;
  const parse = JSON.parse;
  const text = String;
  const wellFormed = Function.prototype.call.bind(String.prototype.toWellFormed);
  const has = Function.prototype.call.bind(Object.prototype.hasOwnProperty);
  const plainToString = Object.prototype.toString;

  // An element with attributes or children prints its own text.
  function toString() {
    const own = typeof this === 'object' && this !== null ? getOwnPropertyDescriptor(this, '$') : undefined;
    return own !== undefined && typeof own.value === 'string' ? own.value : apply(plainToString, this, []);
  }
  defineProperty(Object.prototype, 'toString', { value: toString, writable: true, enumerable: false, configurable: true });

  // Intrinsics are frozen; what is often overridden in objects of one's own stays overridable there.
  function overridable(prototype) {
    for (const key of getOwnPropertyNames(prototype)) {
      const found = getOwnPropertyDescriptor(prototype, key);
      if (!('value' in found) || !found.configurable) continue;
      const value = found.value;
      defineProperty(prototype, key, {
        get() { return value; },
        set(next) {
          if (this === prototype || this === null || typeof this !== 'object' && typeof this !== 'function') return;
          defineProperty(this, key, { value: next, writable: true, enumerable: true, configurable: true });
        },
        enumerable: false, configurable: false,
      });
    }
  }
  [Object.prototype, Error.prototype, TypeError.prototype, RangeError.prototype, Function.prototype].forEach(overridable);

  const seen = new Set([globalThis]);
  function freezeAll(value) {
    if (value === null || typeof value !== 'object' && typeof value !== 'function' || seen.has(value)) return;
    seen.add(value);
    freeze(value);
    freezeAll(getPrototypeOf(value));
    for (const key of ownKeys(value)) {
      const found = getOwnPropertyDescriptor(value, key);
      if ('value' in found) freezeAll(found.value);
      else { freezeAll(found.get); freezeAll(found.set); }
    }
  }
  for (const key of ownKeys(globalThis)) freezeAll(globalThis[key]);
  for (const value of [function* () {}, async function () {}, [][Symbol.iterator](), new Map()[Symbol.iterator](),
    new Set()[Symbol.iterator](), ''[Symbol.iterator](), 'a'.matchAll(/a/g)]) freezeAll(getPrototypeOf(value));

  for (const name of ['date', 'rusdate', 'money', 'list']) globalThis[name] = host[name];
  const names = ownKeys(globalThis);
  const known = create(null);
  for (const name of names) known[name] = globalThis[name];

  // True when the global object is again as it was.
  function sweep() {
    const now = ownKeys(globalThis);
    if (now.length !== names.length) {
      for (let i = 0; i < now.length; i++) if (!has(known, now[i]) && !deleteProperty(globalThis, now[i])) return false;
    }
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      if (!is(globalThis[name], known[name])) {
        try { globalThis[name] = known[name]; } catch { return false; }
        if (!is(globalThis[name], known[name])) return false;
      }
    }
    return true;
  }

  function copy(to, from) {
    if (from === null || from === undefined) return to;
    for (const key in from) if (has(from, key) && key !== '__proto__' && key !== 'constructor') to[key] = from[key];
    return to;
  }

  const templates = create(null);
  function escapeFn(value) {
    return value === undefined || value === null ? '' : host.escape(wellFormed(text(value)));
  }
  function call(name, given) {
    const template = templates[name] || (templates[name] = host.compile(name));
    const include = (path, more) => call(host.resolve(name, text(path)), copy(copy(create(null), given), more));
    const rethrow = (error, line) => { host.failed(name, line); throw error; };
    return apply(template, undefined, [copy(create(null), given), escapeFn, include, rethrow]);
  }

  function render(name, doc, user, project, lang) {
    const whole = parse(doc);
    const locals = typeof whole === 'string' ? create(null) : copy(create(null), whole);
    locals.doc = whole;
    if (user !== '') locals.user = parse(user);
    if (project !== '') locals.project = parse(project);
    locals.lang = lang;
    return wellFormed(text(call(name, locals)));
  }
  return { render, sweep };
})
