//! EJS: real JavaScript in sloppy mode, `QuickJS` under our own compiler of tags.
//!
//! A runtime lives as long as its bundle is in use. Within it intrinsics are frozen and the global object is swept
//! after each message; bundles never meet. There is no loader, no job is ever run, and no function of ours
//! reaches outside.

mod compile;
mod fault;
mod runtime;

use wire::json::json_of;
use wire::rendering::TemplateError;

use crate::Limits;
use crate::ask::{Ask, Made, Templates};
use runtime::{Call, Runtime};

/// Runtimes kept; each may hold the memory limit.
const MOST_KEPT: usize = 8;

pub(crate) struct EjsTemplates {
    limits: Limits,
    compiles: u32,
    /// By bundle.
    runtimes: Made<String, Runtime>,
}

impl EjsTemplates {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, compiles: 0, runtimes: Made::at_most(MOST_KEPT) }
    }
}

impl Templates for EjsTemplates {
    fn render(&mut self, ask: &Ask<'_>) -> Result<String, TemplateError> {
        let bundle = ask.bundle.0.to_owned();
        let (compiles, limits) = (&mut self.compiles, &self.limits);
        let runtime = self.runtimes.get_or_make(&bundle, || {
            *compiles += 1;
            Runtime::new(ask.bundle.1, *limits).map_err(|reason| ask.error(reason))
        })?;
        let json = |element: Option<_>| {
            element.map_or_else(String::new, |element| json_of(element).to_string())
        };
        let call = Call {
            template: ask.template,
            doc: ask.notice.1.json_text()?,
            user: &json(ask.user),
            project: &json(ask.project),
            locale: ask.locale,
        };
        let rendered = runtime.render(&call);
        if rendered.is_err() || !runtime.is_clean() {
            self.runtimes.forget(&bundle);
        }
        rendered
    }

    fn compiles(&self) -> u32 {
        self.compiles
    }
}
