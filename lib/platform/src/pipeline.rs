//! The one way a call goes (DESIGN 8): session, before handlers, middleware, plan, apply, after handlers, answer.

use crate::access;
use crate::announce::Announcer;
use crate::answer::Answer;
use crate::call::{Along, Call, CallId, Outside};
use crate::caller::Caller;
use crate::context::Context;
use crate::error::PlatformError;
use crate::function::{Function, Kind, Request};
use crate::handlers::Before;
use crate::installation::Installation;
use crate::journal;
use crate::late;
use crate::plan::{self, Applied, NotApplied, Pages, Plan, Planned};
use crate::refusal::{Refusal, nearest};
use crate::registry::Registry;
use crate::table;
use config::{Config, Level, Log, Root};
use notice::{Clock, Fields, Mask, Secret, SystemClock};
use std::sync::Arc;
use store::{Accepted, Durability, NewEvent, Store};

/// One installation, opened: the platform is whoever holds this, daemon or not. Each thread has its own, with
/// a store connection of its own ([`Platform::another`]); they share everything else.
pub struct Platform {
    pub(crate) shared: Arc<Installation>,
    pub(crate) store: Box<dyn Store>,
    /// A plugin's: the plugins do not stay because of it.
    is_guest: bool,
}

impl Platform {
    /// Opens the installation at `root`: its configuration and its database.
    pub fn open(root: Root) -> Result<Self, PlatformError> {
        let config = Config::load(&root)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = store::open(&config.database, &root.path("var"))?;
        let log = Log::open(&root, &config, "external").ok();
        Ok(Self::at(Installation::new((root, config), clock, log), store))
    }

    /// The same over a store that is open already: for the daemon and for tests.
    pub fn over(root: Root, config: Config, clock: Arc<dyn Clock>, store: Box<dyn Store>) -> Self {
        let log = Log::open(&root, &config, "external").ok();
        Self::at(Installation::new((root, config), clock, log), store)
    }

    fn at(shared: Arc<Installation>, store: Box<dyn Store>) -> Self {
        shared.enter();
        Self { shared, store, is_guest: false }
    }

    /// A door for what a plugin calls back.
    pub(crate) fn guest(shared: Arc<Installation>) -> Result<Self, PlatformError> {
        let store = shared.connect()?;
        Ok(Self { shared, store, is_guest: true })
    }

    /// Another door to the same installation, for another thread: a store connection of its own, the same
    /// registry, plugins and clock.
    pub fn another(&self) -> Result<Self, PlatformError> {
        Ok(Self::at(Arc::clone(&self.shared), self.shared.connect()?))
    }

    /// Every function, in the order of the tables.
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
        &self.shared.root
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Its clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// Its database, for what is no function: following the log, metrics.
    pub fn store(&mut self) -> &mut dyn Store {
        self.store.as_mut()
    }

    /// Reads handlers and notices again and puts the new registry in place of the old one; calls on their way
    /// keep theirs. Loaded plugins stay as they are.
    pub fn reload(&self) -> Result<(), Refusal> {
        self.shared.reload().map(drop)
    }

    /// True once `exit` was called: a daemon finishes what it does, leaves, and is started again.
    pub fn is_to_leave(&self) -> bool {
        self.shared.is_to_leave()
    }

    /// What a plan may look at, with the secrets known so far.
    pub(crate) fn context(&mut self, mask: Mask) -> Context<'_> {
        Context {
            root: &self.shared.root,
            config: &self.shared.config,
            clock: self.shared.clock.as_ref(),
            store: self.store.as_mut(),
            starter: &self.shared.starter,
            programs: &self.shared.programs,
            installation: &self.shared,
            registry: None,
            journal: Vec::new(),
            mask,
            along: Along::Nothing,
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
        self.call_with(Along::Nothing, (name, params), caller)
    }

    /// The same; its transaction does something beside what is asked.
    pub(crate) fn call_with(
        &mut self,
        along: Along,
        (name, params): (&str, &Fields),
        caller: &Caller,
    ) -> Result<Answer, Refusal> {
        let registry = self.shared.registry()?;
        let shared = Arc::clone(&self.shared);
        let mut call = Call { along, ..self.new_call((name, params), caller)? };
        let mut outside = shared.outside();
        let mut told = Vec::new();
        let result = self.steps(&registry, &mut call, (&mut outside, &mut told));
        journal::write(self.store.as_mut(), &call, (outside.journal, shared.clock.now()));
        registry.emit(&told);
        result.map_err(|refusal| refusal.masked(&call.mask))
    }

    /// A call that has not begun.
    pub(crate) fn new_call(
        &self,
        (name, params): (&str, &Fields),
        caller: &Caller,
    ) -> Result<Call, Refusal> {
        let function = Self::function(name).ok_or_else(|| unknown(name))?;
        Ok(Call {
            id: CallId::new(self.shared.clock.now()),
            function,
            called_as: name.to_owned(),
            manager: caller.manager.clone(),
            caller: caller.clone(),
            params: params.clone(),
            mask: mask_of(function, params),
            along: Along::Nothing,
        })
    }

    /// Steps 1 to 9.
    fn steps(
        &mut self,
        registry: &Arc<Registry>,
        call: &mut Call,
        (outside, told): (&mut Outside<'_>, &mut Vec<NewEvent>),
    ) -> Result<Answer, Refusal> {
        access::enter(self.store.as_mut(), call, self.shared.clock.now())?;
        if let Before::Skip(document) = registry.handlers.before(call, outside)? {
            journal::skipped(&mut outside.journal);
            return Ok(Answer::of(document));
        }
        let mut answer = self.around(registry, call, (outside, told))?;
        registry.handlers.after(call, &mut answer.document, outside);
        late::modify(&mut self.context(Mask::default()), call, &mut answer);
        registry.handlers.late(call, &mut answer.document, outside);
        Ok(answer)
    }

    /// Step 3, with 4 and 5 inside.
    fn around(
        &mut self,
        registry: &Arc<Registry>,
        call: &mut Call,
        (outside, told): (&mut Outside<'_>, &mut Vec<NewEvent>),
    ) -> Result<Answer, Refusal> {
        let mut mask = call.mask.clone();
        let mut along = call.along.clone();
        let mut hooks = Vec::new();
        let mut inner = |params: &Fields| {
            let mut context = self.context(mask.clone());
            context.registry = Some(Arc::clone(registry));
            context.along = std::mem::take(&mut along);
            add_secrets(&mut context.mask, call.function, params);
            let result = Request::check(call.function, &call.called_as, params, &call.caller)
                .and_then(|request| run(&mut context, &request, told));
            hooks.append(&mut context.journal);
            (mask, along) = (context.mask, context.along);
            result
        };
        let result = match &registry.plugins {
            Some(plugins) => plugins.around(call, &mut outside.journal, &mut inner),
            None => inner(&call.params),
        };
        outside.journal.append(&mut hooks);
        call.mask = mask;
        result
    }

    /// Turns events that nobody was told of yet into tasks: those that a settling turn has written (the
    /// finished opening of a service, a dead task). At most `limit`; answers with how many there were. It acts from
    /// the notices of this moment and needs nothing else of the registry, so it starts no plugins.
    pub fn fan_out(&mut self, limit: u32) -> Result<usize, Refusal> {
        let waiting = |snapshot: &mut dyn store::Snapshot| Ok(snapshot.untold_events(limit)?);
        let events = self.context(Mask::default()).read(waiting)?;
        if events.is_empty() {
            return Ok(0);
        }
        let registry = self.shared.registry_of_notices();
        let mut context = self.context(Mask::default());
        context.registry = Some(Arc::clone(&registry));
        let kinds = events.iter().map(|event| event.event.events_id.as_str());
        let announcer = Announcer::prepare(&mut context, kinds);
        let now = context.now();
        let (told, events) = store::write(context.store, Durability::Power, |tx| {
            plan::tell(tx, limit, (&announcer, now))
        })?;
        if told.touched > 0 {
            context.store.wake();
        }
        report(&context, &told.problems);
        registry.emit(&told.told);
        Ok(events)
    }

    /// Incoming messages that are still to be followed (function `incoming.follow`), at most `limit`.
    pub fn unfollowed(&mut self, limit: u32) -> Result<Vec<i64>, Refusal> {
        self.context(Mask::default()).read(|snapshot| Ok(snapshot.unfollowed(limit)?))
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if !self.is_guest {
            self.shared.leave();
        }
    }
}

/// Steps 4 and 5: plan, apply; once more when what was planned on has moved.
fn run(
    context: &mut Context<'_>,
    request: &Request,
    told: &mut Vec<NewEvent>,
) -> Result<Answer, Refusal> {
    let mut moved = String::new();
    for _ in 0..2 {
        match (request.function.plan)(context, request)? {
            Planned::Answer(answer) => return Ok(answer),
            Planned::Pages(pages) => return run_pages(context, pages),
            Planned::Once(plan) => match commit(context, &plan, Kept::Answer)? {
                Ok((mut applied, answer)) => {
                    told.append(&mut applied.told);
                    return Ok(answer);
                }
                Err(what) => moved = what,
            },
        }
    }
    Err(Refusal::Changed { what: moved })
}

fn run_pages(context: &mut Context<'_>, mut pages: Pages) -> Result<Answer, Refusal> {
    let mut all = Applied::default();
    while let Some(plan) = (pages.next)(context)? {
        match commit(context, &plan, Kept::Begun)? {
            Ok((applied, _)) => all.add(applied),
            Err(what) => return Err(Refusal::Changed { what }),
        }
    }
    Ok((pages.answer)(&all))
}

/// What a transaction keeps under the key of its call.
#[derive(Clone, Copy)]
enum Kept {
    /// The answer.
    Answer,
    /// That a part is done, and is not to be done again.
    Begun,
}

/// THE transaction. The inner error: what has moved.
fn commit(
    context: &mut Context<'_>,
    plan: &Plan,
    kept: Kept,
) -> Result<Result<(Applied, Answer), String>, Refusal> {
    let announcer = Announcer::prepare(context, plan.events());
    let now = context.now();
    let along = context.along.clone();
    let written = store::write(context.store, Durability::Power, |tx| {
        if let Along::Step(step) = &along {
            step.take(tx, now)?;
        }
        let applied = plan::apply(plan, tx, (&announcer, now))?;
        let answer = (plan.answer)(&applied);
        if let Along::Key(keyed) = &along {
            let text = match kept {
                Kept::Answer => answer.document.to_xml(),
                Kept::Begun => String::new(),
            };
            tx.answer_call_key(&keyed.caller, &keyed.key, &text)?;
        }
        Ok::<_, NotApplied>((applied, answer))
    });
    remove_unused(context, plan, written.as_ref().map_or(&[], |(applied, _)| &applied.accepted));
    match written {
        Ok((applied, answer)) => {
            if matches!(along, Along::Step(_)) {
                context.along = Along::Nothing;
            }
            if !applied.accepted.is_empty() || applied.touched > 0 {
                context.store.wake();
            }
            report(context, &applied.problems);
            Ok(Ok((applied, answer)))
        }
        Err(NotApplied::Changed(what)) => Ok(Err(what)),
        Err(NotApplied::Conflict { operation, reason }) => {
            Err(Refusal::Conflict { operation: operation.to_owned(), reason })
        }
        Err(NotApplied::Store(error)) => Err(error.into()),
    }
}

/// Notices that events could not send: what was done is done, and somebody reads the log.
fn report(context: &Context<'_>, problems: &[String]) {
    for problem in problems {
        context.installation.outside().line(Level::Warning, problem);
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

fn mask_of(function: &Function, params: &Fields) -> Mask {
    let mut mask = Mask::default();
    add_secrets(&mut mask, function, params);
    mask
}

/// A password that arrives as a parameter joins the mask when it arrives (extensions 1.6, 6).
fn add_secrets(mask: &mut Mask, function: &Function, params: &Fields) {
    for (name, value) in params.iter() {
        let declared = function.parameters.iter().find(|parameter| parameter.name == name);
        let secret = declared.map_or_else(
            || {
                (name == "auth" && access::names_a_session(function, params))
                    || ["passw", "secret", "token"].iter().any(|word| name.contains(word))
            },
            |parameter| parameter.kind == Kind::Secret,
        );
        if secret {
            mask.add(&Secret::new(value));
        }
    }
}
