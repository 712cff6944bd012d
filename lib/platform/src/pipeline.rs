//! The one way a call goes (DESIGN 8): session, before handlers, middleware, plan, apply, after handlers, answer.

use crate::answer::Answer;
use crate::caller::Caller;
use crate::context::Context;
use crate::error::PlatformError;
use crate::function::{Function, Kind, Request};
use crate::plan::{self, Applied, NotApplied, Pages, Plan, Planned};
use crate::refusal::{Refusal, nearest};
use crate::registry::Registry;
use crate::table;
use config::{Config, Root};
use notice::{Clock, Fields, Mask, Secret, SystemClock};
use std::sync::Arc;
use store::{Accepted, Durability, Store};

/// One installation, opened: the platform is whoever holds this, daemon or not.
pub struct Platform {
    pub(crate) root: Root,
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Box<dyn Store>,
    pub(crate) starter: host::Caller,
    pub(crate) programs: host::Programs,
    registry: Arc<Registry>,
}

impl Platform {
    /// Opens the installation at `root`: its configuration and its database.
    pub fn open(root: Root) -> Result<Self, PlatformError> {
        let config = Config::load(&root)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = store::open(&config.database, &root.path("var"))?;
        Ok(Self::over(root, config, clock, store))
    }

    /// The same over a store that is open already: for the daemon and for tests.
    pub fn over(root: Root, config: Config, clock: Arc<dyn Clock>, store: Box<dyn Store>) -> Self {
        let starter = host::Caller::new(&root, &config);
        let programs = host::Programs::new(&starter);
        let registry = Arc::new(Registry::default());
        Self { root, config, clock, store, starter, programs, registry }
    }

    /// Every function, in the order of the table.
    pub fn functions() -> impl Iterator<Item = &'static Function> + Clone {
        table::TABLES.iter().copied().flatten()
    }

    /// The function of that name or alias.
    pub fn function(name: &str) -> Option<&'static Function> {
        Self::functions().find(|function| {
            function.name == name || function.aliases.iter().any(|alias| alias.name() == name)
        })
    }

    /// Where the installation stands.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Its database, for what is no function: following the log, metrics.
    pub fn store(&mut self) -> &mut dyn Store {
        self.store.as_mut()
    }

    /// What a plan may look at, with the secrets known so far.
    pub(crate) fn context(&mut self, mask: Mask) -> Context<'_> {
        Context {
            root: &self.root,
            config: &self.config,
            clock: self.clock.as_ref(),
            store: self.store.as_mut(),
            starter: &self.starter,
            programs: &self.programs,
            mask,
        }
    }

    /// Calls a function. A refusal means that nothing was changed; for a function that works in pages
    /// (`notify.mass`) that the page was not.
    pub fn call(
        &mut self,
        name: &str,
        params: &Fields,
        caller: &Caller,
    ) -> Result<Answer, Refusal> {
        let function = Self::function(name).ok_or_else(|| unknown(name))?;
        let mask = mask_of(function, params);
        let registry = Arc::clone(&self.registry);
        let mut context = self.context(mask);
        let result = (|| {
            let params = registry.before(function, params)?;
            let request = Request::check(function, name, &params, caller)?;
            let answer = registry.around(function, || run(&mut context, &request))?;
            registry.after(function, answer)
        })();
        result.map_err(|refusal: Refusal| refusal.masked(&context.mask))
    }
}

/// Steps 4 and 5: plan, apply; once more when what was planned on has moved.
fn run(context: &mut Context<'_>, request: &Request) -> Result<Answer, Refusal> {
    let mut moved = String::new();
    for _ in 0..2 {
        match (request.function.plan)(context, request)? {
            Planned::Answer(answer) => return Ok(answer),
            Planned::Pages(pages) => return run_pages(context, pages),
            Planned::Once(plan) => match commit(context, &plan)? {
                Ok(applied) => return Ok((plan.answer)(&applied)),
                Err(what) => moved = what,
            },
        }
    }
    Err(Refusal::Changed { what: moved })
}

fn run_pages(context: &mut Context<'_>, mut pages: Pages) -> Result<Answer, Refusal> {
    let mut all = Applied::default();
    while let Some(plan) = (pages.next)(context)? {
        match commit(context, &plan)? {
            Ok(applied) => all.add(applied),
            Err(what) => return Err(Refusal::Changed { what }),
        }
    }
    Ok((pages.answer)(&all))
}

/// THE transaction. The inner error: what has moved.
fn commit(context: &mut Context<'_>, plan: &Plan) -> Result<Result<Applied, String>, Refusal> {
    let now = context.now();
    let written = store::write(context.store, Durability::Power, |tx| plan::apply(plan, tx, now));
    remove_unused(context, plan, written.as_ref().map_or(&[], |applied| &applied.accepted));
    match written {
        Ok(applied) => {
            if !applied.accepted.is_empty() || applied.touched > 0 {
                context.store.wake();
            }
            Ok(Ok(applied))
        }
        Err(NotApplied::Changed(what)) => Ok(Err(what)),
        Err(NotApplied::Store(error)) => Err(error.into()),
    }
}

/// Files written for tasks that did not become rows of their own: nobody will ever read them.
fn remove_unused(context: &Context<'_>, plan: &Plan, accepted: &[Accepted]) {
    for (at, file) in plan.files().into_iter().enumerate() {
        let used = matches!(accepted.get(at), Some(Accepted::New(_)));
        if let Some(file) = file.filter(|_| !used) {
            let _ = std::fs::remove_file(context.root.path(file));
        }
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::NoFunction {
        name: name.to_owned(),
        nearest: nearest(name, Platform::functions().map(|function| function.name)),
    }
}

/// A password that arrives as a parameter joins the mask when it arrives (extensions 1.6, 6).
fn mask_of(function: &Function, params: &Fields) -> Mask {
    let mut mask = Mask::default();
    for (name, value) in params.iter() {
        let declared = function.parameters.iter().find(|parameter| parameter.name == name);
        let secret = declared.map_or_else(
            || name.contains("passw") || name.contains("secret") || name.contains("token"),
            |parameter| parameter.kind == Kind::Secret,
        );
        if secret {
            mask.add(&Secret::new(value));
        }
    }
    mask
}
