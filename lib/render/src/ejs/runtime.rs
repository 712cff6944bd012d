//! One `QuickJS` runtime for one bundle.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use rquickjs::context::EvalOptions;
use rquickjs::{Context, Ctx, Exception, Function, Object, Persistent, Value};
use wire::rendering::{BodyKind, Bundle, TemplateError};

use super::compile::{Compiled, compile};
use super::fault::{Thrown, thrown};
use crate::ask::Template;
use crate::moments::{self, Locale};
use crate::{Limits, amounts, escape, limits};

/// Names of the prelude's own frames.
const PRELUDE: &str = "gatepost";

/// One rendering: the template and its values as JSON; an empty `user` or `project` is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) template: Template<'a>,
    pub(super) doc: &'a str,
    pub(super) user: &'a str,
    pub(super) project: &'a str,
    pub(super) locale: &'a Locale,
}

/// The functions are dropped before the context, the context before the runtime.
pub(super) struct Runtime {
    render: Persistent<Function<'static>>,
    sweep: Persistent<Function<'static>>,
    context: Context,
    #[expect(dead_code, reason = "kept to be dropped last")]
    engine: rquickjs::Runtime,
    shared: Rc<Shared>,
    limits: Limits,
    clean: bool,
}

/// What the functions that templates reach may touch.
struct Shared {
    files: RefCell<HashMap<String, String>>,
    compiled: RefCell<HashMap<String, Compiled>>,
    /// Where the first throw happened: file and line of the template.
    place: RefCell<Option<(String, u32)>>,
    kind: Cell<BodyKind>,
    locale: RefCell<Locale>,
    until: Cell<Duration>,
}

impl Runtime {
    pub(super) fn new(bundle: &Bundle, limits: Limits) -> Result<Self, String> {
        let shared = Rc::new(Shared {
            files: RefCell::new(bundle.files.iter().cloned().collect()),
            compiled: RefCell::default(),
            place: RefCell::default(),
            kind: Cell::new(BodyKind::Html),
            locale: RefCell::default(),
            until: Cell::new(Duration::MAX),
        });
        Self::start(Rc::clone(&shared), limits)
            .map_err(|error| format!("JavaScript can't be started: {error}"))
    }

    fn start(shared: Rc<Shared>, limits: Limits) -> rquickjs::Result<Self> {
        let runtime = rquickjs::Runtime::new()?;
        runtime.set_memory_limit(limits.memory_bytes);
        runtime.set_max_stack_size(limits.stack_bytes);
        let watched = Rc::clone(&shared);
        runtime.set_interrupt_handler(Some(Box::new(move || {
            limits::cpu_used() > watched.until.get()
        })));
        let context = Context::full(&runtime)?;
        let (render, sweep) = context.with(|ctx| {
            let options = options(PRELUDE);
            let prelude: Function<'_> =
                ctx.eval_with_options(include_str!("prelude.js"), options)?;
            let made: Object<'_> = prelude.call((host(&ctx, &shared)?,))?;
            let function =
                |name| made.get::<_, Function<'_>>(name).map(|found| Persistent::save(&ctx, found));
            Ok::<_, rquickjs::Error>((function("render")?, function("sweep")?))
        })?;
        Ok(Self { render, sweep, context, engine: runtime, shared, limits, clean: true })
    }

    /// False when the runtime must not be used again.
    pub(super) fn is_clean(&self) -> bool {
        self.clean
    }

    pub(super) fn render(&mut self, call: &Call<'_>) -> Result<String, TemplateError> {
        self.prepare(call);
        let name = call.template.name;
        let (rendered, clean) = self.context.with(|ctx| {
            let rendered = self.render.clone().restore(&ctx).and_then(|render| {
                let arguments =
                    (name, call.doc, call.user, call.project, call.locale.lang.as_str());
                render.call::<_, rquickjs::String<'_>>(arguments)?.to_string()
            });
            let rendered = rendered.map_err(|error| thrown(&ctx, error));
            let swept =
                self.sweep.clone().restore(&ctx).and_then(|sweep| sweep.call::<_, bool>(()));
            (rendered, swept.unwrap_or(false))
        });
        self.clean = clean;
        rendered.map_err(|thrown| self.error(name, thrown))
    }

    fn prepare(&self, call: &Call<'_>) {
        let shared = &self.shared;
        shared.kind.set(call.template.kind);
        shared.place.replace(None);
        if *shared.locale.borrow() != *call.locale {
            shared.locale.replace(call.locale.clone());
        }
        if !shared.files.borrow().contains_key(call.template.name) {
            shared
                .files
                .borrow_mut()
                .insert(call.template.name.to_owned(), call.template.text.to_owned());
        }
        shared.until.set(limits::cpu_used() + Duration::from_millis(self.limits.cpu_ms));
    }

    /// The place is the first frame that stands in a template, else where the throw was noticed.
    fn error(&self, entry: &str, thrown: Thrown) -> TemplateError {
        let compiled = self.shared.compiled.borrow();
        let in_template = thrown.frames.iter().find_map(|(file, line)| {
            compiled.get(file).map(|found| (file.clone(), found.template_line(*line)))
        });
        let noticed = self.shared.place.borrow().clone();
        let (template, line) = in_template.or(noticed).unwrap_or_else(|| (entry.to_owned(), 0));
        TemplateError { template, line, message: self.plain_words(thrown.message) }
    }

    fn plain_words(&self, message: String) -> String {
        if message.contains("interrupted") && limits::cpu_used() > self.shared.until.get() {
            return limits::too_long(self.limits.cpu_ms);
        }
        if message.contains("out of memory") || message.is_empty() || message == "null" {
            return limits::TOO_MUCH_MEMORY.to_owned();
        }
        message
    }
}

/// Sloppy mode, as EJS needs it for `with`.
fn options(file: &str) -> EvalOptions {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(file.to_owned());
    options
}

/// What the prelude gets from us.
fn host<'js>(ctx: &Ctx<'js>, shared: &Rc<Shared>) -> rquickjs::Result<Object<'js>> {
    let host = Object::new(ctx.clone())?;
    let own = Rc::clone(shared);
    host.set(
        "escape",
        Function::new(ctx.clone(), move |text: rquickjs::String<'js>| own.escaped(text))?,
    )?;
    let own = Rc::clone(shared);
    host.set(
        "compile",
        Function::new(ctx.clone(), move |ctx: Ctx<'js>, name: String| own.function(&ctx, &name))?,
    )?;
    let own = Rc::clone(shared);
    let resolve = move |ctx: Ctx<'js>, from: String, name: String| {
        own.resolve(&from, &name).ok_or_else(|| {
            Exception::throw_message(
                &ctx,
                &format!("the bundle has no template `{name}` to include"),
            )
        })
    };
    host.set("resolve", Function::new(ctx.clone(), resolve)?)?;
    let own = Rc::clone(shared);
    host.set(
        "failed",
        Function::new(ctx.clone(), move |name: String, line: u32| own.failed(name, line))?,
    )?;
    set_words(&host, shared)?;
    Ok(host)
}

/// `date`, `rusdate`, `money`, `list`.
fn set_words<'js>(host: &Object<'js>, shared: &Rc<Shared>) -> rquickjs::Result<()> {
    let ctx = host.ctx().clone();
    let own = Rc::clone(shared);
    let date = move |value: Value<'js>, format: rquickjs::function::Opt<String>| {
        moments::date(&text_of(&value), &format.0.unwrap_or_default(), &own.locale.borrow())
    };
    host.set("date", Function::new(ctx.clone(), date)?)?;
    let own = Rc::clone(shared);
    let rusdate = move |value: Value<'js>| moments::rusdate(&text_of(&value), &own.locale.borrow());
    host.set("rusdate", Function::new(ctx.clone(), rusdate)?)?;
    let own = Rc::clone(shared);
    let money = move |value: Value<'js>, currency: rquickjs::function::Opt<String>| {
        amounts::money(&text_of(&value), &currency.0.unwrap_or_default(), &own.locale.borrow().lang)
    };
    host.set("money", Function::new(ctx.clone(), money)?)?;
    let list = |ctx: Ctx<'js>, value: Value<'js>| -> rquickjs::Result<Value<'js>> {
        if value.is_array() {
            return Ok(value);
        }
        let array = rquickjs::Array::new(ctx)?;
        if !value.is_undefined() && !value.is_null() {
            array.set(0, value)?;
        }
        Ok(array.into_value())
    };
    host.set("list", Function::new(ctx.clone(), list)?)
}

/// A string, a number, or the own text of an element.
fn text_of(value: &Value<'_>) -> String {
    let own = || value.as_object().and_then(|object| object.get::<_, String>("$").ok());
    let string = || value.as_string().and_then(|text| text.to_string().ok());
    string()
        .or_else(|| value.as_number().map(|number| number.to_string()))
        .or_else(own)
        .unwrap_or_default()
}

impl Shared {
    fn escaped<'js>(&self, text: rquickjs::String<'js>) -> rquickjs::Result<rquickjs::String<'js>> {
        if self.kind.get() == BodyKind::Text {
            return Ok(text);
        }
        let plain = text.to_string()?;
        match escape::html(&plain) {
            std::borrow::Cow::Borrowed(_) => Ok(text),
            std::borrow::Cow::Owned(escaped) => {
                rquickjs::String::from_str(text.ctx().clone(), &escaped)
            }
        }
    }

    fn function<'js>(&self, ctx: &Ctx<'js>, name: &str) -> rquickjs::Result<Function<'js>> {
        let text = self.files.borrow().get(name).cloned().unwrap_or_default();
        let compiled = compile(&text).map_err(|bad| {
            self.failed(name.to_owned(), bad.line);
            Exception::throw_syntax(ctx, &bad.message)
        })?;
        let source = compiled.source.clone();
        self.compiled.borrow_mut().insert(name.to_owned(), compiled);
        ctx.eval_with_options(source, options(name))
    }

    /// An include is looked for beside its includer, then as it is written; `.ejs` may be left out.
    fn resolve(&self, from: &str, name: &str) -> Option<String> {
        let files = self.files.borrow();
        let beside =
            from.rsplit_once('/').map(|(folder, _)| plain_path(&format!("{folder}/{name}")));
        let candidates = beside.into_iter().chain([plain_path(name), name.to_owned()]);
        candidates
            .flat_map(|name| [name.clone(), format!("{name}.ejs")])
            .find(|name| files.contains_key(name))
    }

    fn failed(&self, name: String, line: u32) {
        self.place.borrow_mut().get_or_insert((name, line));
    }
}

/// `a/./b/../c` is `a/c`; what leads above the top stays at the top.
fn plain_path(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
