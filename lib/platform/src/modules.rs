//! The modules a notice can go out by.

use crate::context::Context;
use crate::refusal::Refusal;
use host::{Folder, Listed};
use notice::ModuleName;

/// A module, as far as taking tasks in needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    pub(crate) name: ModuleName,
    /// The user's field with the address; None: it needs none (ntinternal).
    pub(crate) contact: Option<String>,
    /// Who works on its rows.
    pub(crate) queue: QueueOf,
    /// What is wrong with the program, if it can't be used.
    pub(crate) broken: Option<String>,
}

impl Module {
    /// True when a notice can go out by it: nthandler carries events and service tasks.
    fn carries_notices(&self) -> bool {
        self.name.as_str() != ModuleName::HANDLER
    }
}

/// Who claims and settles a module's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueOf {
    /// We do: its features list `queue`.
    Gatepost,
    /// The module itself; it needs a file for each row (DESIGN 4).
    Itself,
}

/// The three that every installation knows, whether their programs are there yet or not (S3-3).
const STANDARD: [(&str, Option<&str>); 3] = [
    (ModuleName::EMAIL, Some("email")),
    (ModuleName::SMS, Some("phone")),
    (ModuleName::INTERNAL, None),
];

/// Every module: the standard ones, then what else stands in `notify/`. A program's own answer wins.
pub(crate) fn all(context: &mut Context<'_>) -> Vec<Module> {
    let listed = context.programs.list(Folder::Notify);
    let standard = STANDARD.iter().filter_map(|(name, contact)| {
        Some(Module {
            name: ModuleName::new(name).ok()?,
            contact: contact.map(str::to_owned),
            queue: QueueOf::Gatepost,
            broken: None,
        })
    });
    let mut modules: Vec<_> = standard.collect();
    for program in listed {
        let Some(module) = of_program(&program) else { continue };
        match modules.iter_mut().find(|known| known.name == module.name) {
            // A standard module keeps taking tasks in while its program is broken: the queue holds them.
            Some(_) if module.broken.is_some() => {}
            Some(known) => *known = module,
            None => modules.push(module),
        }
    }
    modules
}

fn of_program(program: &Listed) -> Option<Module> {
    let name = ModuleName::new(&program.name).ok()?;
    let (contact, queue, broken) = match &program.features {
        Ok(features) if features.has("queue") => {
            (features.contact_type.clone(), QueueOf::Gatepost, None)
        }
        Ok(features) => (features.contact_type.clone(), QueueOf::Itself, None),
        Err(reason) => (None, QueueOf::Itself, Some(reason.clone())),
    };
    Some(Module { name, contact: contact.filter(|column| !column.is_empty()), queue, broken })
}

/// Those a notice can go out by now.
pub(crate) fn usable(context: &mut Context<'_>) -> Vec<Module> {
    let all = all(context).into_iter();
    all.filter(|module| module.broken.is_none() && module.carries_notices()).collect()
}

/// The module of that name, for notices.
pub(crate) fn find(context: &mut Context<'_>, name: &str) -> Result<Module, Refusal> {
    let modules = all(context);
    let notifying = modules.iter().filter(|module| module.carries_notices());
    let known: Vec<_> = notifying.map(|module| module.name.to_string()).collect();
    match modules.into_iter().find(|module| module.name.as_str() == name) {
        Some(Module { broken: Some(reason), .. }) => Err(Refusal::Conflict {
            operation: format!("use module {name}"),
            reason: format!(
                "{reason}; run `notify/{name} --command features` to see what it prints"
            ),
        }),
        Some(module) if !module.carries_notices() => Err(Refusal::Conflict {
            operation: format!("use module {name}"),
            reason: format!(
                "it calls handlers of events and runs service tasks, no notice goes out by it; there are {}",
                known.join(", ")
            ),
        }),
        Some(module) => Ok(module),
        None => Err(Refusal::NotFound {
            noun: "module",
            value: name.to_owned(),
            remedy: format!("there are {}", known.join(", ")),
        }),
    }
}
