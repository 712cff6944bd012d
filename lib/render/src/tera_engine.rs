//! Tera 2: escaped by default for HTML, output and time limited where it writes.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value as Json;
use tera::{Context, ErrorKind, Kwargs, State, StringInput, Tera, TeraResult, Value};
use wire::json::json_of;
use wire::rendering::{BodyKind, Bundle, Engine, TemplateError, included};
use wire::xml::Element;

use crate::ask::{Ask, Made, Templates};
use crate::moments::{self, Locale};
use crate::{Limits, amounts, limits};

/// Compiled bundles kept.
const MOST_KEPT: usize = 64;
/// Context name of the user's zone, unless the notice uses it.
const TIMEZONE: &str = "timezone";

pub(crate) struct TeraTemplates {
    limits: Limits,
    compiles: u32,
    /// By bundle and template.
    bundles: Made<(String, String), Tera>,
    /// By notice: its values, made once.
    contexts: Made<String, Context>,
    /// The values of the message that was asked for last: its parts share them.
    last: Option<(u64, Context)>,
    /// The project of the message before, and its value: mostly the next one has the same.
    project: Option<(Element, Value)>,
}

impl TeraTemplates {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            compiles: 0,
            bundles: Made::at_most(MOST_KEPT),
            contexts: Made::at_most(MOST_KEPT),
            last: None,
            project: None,
        }
    }

    fn values_of(&mut self, ask: &Ask<'_>) -> Result<Context, TemplateError> {
        let shared = self.contexts.get_or_make(&ask.notice.0.to_owned(), || context_of(ask))?;
        let mut context = shared.clone();
        if let Some(user) = ask.user {
            context.insert("user", &json_of(user));
        }
        if let Some(project) = ask.project {
            context.insert_value("project", self.project_value(project));
        }
        context.insert("lang", &ask.locale.lang);
        if !context.contains_key(TIMEZONE) {
            context.insert(TIMEZONE, &ask.locale.timezone);
        }
        Ok(context)
    }

    fn project_value(&mut self, project: &Element) -> Value {
        if let Some((_, value)) = self.project.as_ref().filter(|(known, _)| known == project) {
            return value.clone();
        }
        let value = Value::from_serializable(&json_of(project));
        self.project = Some((project.clone(), value.clone()));
        value
    }
}

impl Templates for TeraTemplates {
    fn render(&mut self, ask: &Ask<'_>) -> Result<String, TemplateError> {
        let context = match self.last.take() {
            Some((message, context)) if message == ask.message => context,
            Some(_) | None => self.values_of(ask)?,
        };
        let (_, context) = self.last.insert((ask.message, context));
        if !ask.template.text.contains('{') {
            return Ok(ask.template.text.to_owned());
        }
        let key = (ask.bundle.0.to_owned(), ask.template.name.to_owned());
        let compiles = &mut self.compiles;
        let tera = self.bundles.get_or_make(&key, || {
            *compiles += 1;
            compile(ask)
        })?;
        let mut page = Page::new(&self.limits);
        let ended = tera.render_to(ask.template.name, context, &mut page);
        match (ended, page.stopped) {
            (_, Some(reason)) => Err(ask.error(reason)),
            (Err(error), None) => Err(placed(&error, ask)),
            (Ok(()), None) => {
                String::from_utf8(page.bytes).map_err(|_| ask.error("the result is not UTF-8"))
            }
        }
    }

    fn compiles(&self) -> u32 {
        self.compiles
    }
}

/// What a template writes on: it ends past its limit of bytes or of time.
struct Page {
    bytes: Vec<u8>,
    most_bytes: usize,
    cpu_ms: u64,
    /// None before the first look: a page that is soon done does not pay for a clock.
    until: Option<Duration>,
    /// When to look at the clock again; on every write it would cost more than the template.
    next_look_bytes: usize,
    stopped: Option<String>,
}

impl Page {
    const LOOK_EVERY_BYTES: usize = 64 << 10;

    fn new(limits: &Limits) -> Self {
        Self {
            bytes: Vec::with_capacity(4 << 10),
            most_bytes: limits.output_bytes,
            cpu_ms: limits.cpu_ms,
            until: None,
            next_look_bytes: Self::LOOK_EVERY_BYTES,
            stopped: None,
        }
    }

    fn stop(&mut self, reason: String) -> io::Result<usize> {
        self.stopped = Some(reason);
        Err(io::Error::other("stopped"))
    }
}

impl Write for Page {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + more.len() > self.most_bytes {
            return self.stop(limits::too_large(self.most_bytes));
        }
        self.bytes.extend_from_slice(more);
        if self.bytes.len() >= self.next_look_bytes {
            self.next_look_bytes = self.bytes.len() + Self::LOOK_EVERY_BYTES;
            let used = limits::cpu_used();
            if used > *self.until.get_or_insert(used + Duration::from_millis(self.cpu_ms)) {
                return self.stop(limits::too_long(self.cpu_ms));
            }
        }
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn compile(ask: &Ask<'_>) -> Result<Tera, TemplateError> {
    let mut tera = Tera::new();
    tera.autoescape_on(match ask.template.kind {
        BodyKind::Html => vec![""],
        BodyKind::Text => Vec::new(),
    });
    register(&mut tera);
    let names = reachable(ask);
    let files = names.iter().filter_map(|name| Some((name.as_str(), ask.text_of(name)?)));
    tera.add_raw_templates(files).map_err(|error| placed(&error, ask))?;
    Ok(tera)
}

/// The template, what it includes, and every file that says it is Tera: those may define components.
fn reachable(ask: &Ask<'_>) -> Vec<String> {
    let mut names = vec![ask.template.name.to_owned()];
    let says_so = |name: &&String| Engine::of_file_name(name) == Some(Engine::Tera);
    names.extend(
        names_of(ask.bundle.1).filter(says_so).filter(|name| *name != ask.template.name).cloned(),
    );
    let mut at = 0;
    while at < names.len() {
        let text = ask.text_of(&names[at]).unwrap_or_default();
        for name in included(Engine::Tera, text) {
            if !names.contains(&name) && ask.text_of(&name).is_some() {
                names.push(name);
            }
        }
        at += 1;
    }
    names
}

fn names_of(bundle: &Bundle) -> impl Iterator<Item = &String> {
    bundle.files.iter().map(|(name, _)| name)
}

fn context_of(ask: &Ask<'_>) -> Result<Context, TemplateError> {
    let whole = ask.notice.1.json()?;
    let mut context = Context::new();
    if let Json::Object(object) = whole {
        for (name, value) in object {
            context.insert(name.clone(), value);
        }
    }
    context.insert("doc", whole);
    Ok(context)
}

fn placed(error: &tera::Error, ask: &Ask<'_>) -> TemplateError {
    match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => TemplateError {
            template: report.filename().to_owned(),
            line: u32::try_from(report.span().start_line).unwrap_or(0),
            message: report.message().to_owned(),
        },
        _ => ask.error(error.to_string()),
    }
}

fn register(tera: &mut Tera) {
    tera.register_filter("date", |value: StringInput, options: Kwargs, state: &State| {
        date(value.as_str(), &options, state)
    });
    tera.register_filter("rusdate", |value: StringInput, _: Kwargs, state: &State| {
        locale(state).map(|locale| moments::rusdate(value.as_str(), &locale))
    });
    tera.register_filter("money", |value: Value, options: Kwargs, state: &State| {
        money(&value, &options, state)
    });
    tera.register_filter("list", |value: Value, _: Kwargs, _: &State| list(value));
    tera.register_function("date", |options: Kwargs, state: &State| {
        date(options.must_get::<&str>("value")?, &options, state)
    });
    tera.register_function("rusdate", |options: Kwargs, state: &State| {
        let value = options.must_get::<&str>("value")?;
        locale(state).map(|locale| moments::rusdate(value, &locale))
    });
    tera.register_function("money", |options: Kwargs, state: &State| {
        let value: Value = options.must_get("value")?;
        money(&value, &options, state)
    });
    tera.register_function("list", |options: Kwargs, _: &State| {
        Ok::<_, tera::Error>(list(options.get::<Value>("value")?.unwrap_or_else(Value::undefined)))
    });
}

fn locale(state: &State<'_>) -> TeraResult<Locale> {
    let text = |name| state.get::<String>(name).map(Option::unwrap_or_default);
    Ok(Locale { lang: text("lang")?, timezone: text(TIMEZONE)? })
}

fn date(value: &str, options: &Kwargs, state: &State<'_>) -> TeraResult<String> {
    let format = options.get::<&str>("format")?.unwrap_or_default();
    Ok(moments::date(value, format, &locale(state)?))
}

fn money(value: &Value, options: &Kwargs, state: &State<'_>) -> TeraResult<String> {
    let currency = options.get::<&str>("currency")?.unwrap_or_default();
    Ok(amounts::money(&value.to_string(), currency, &locale(state)?.lang))
}

/// One row or many: undefined is none, one is a list of one.
fn list(value: Value) -> Value {
    if value.is_undefined() || value.is_none() {
        return Value::from(Vec::<Value>::new());
    }
    if value.is_array() { value } else { Value::from(vec![value]) }
}
