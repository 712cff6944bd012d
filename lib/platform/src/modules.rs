//! The modules a notice can go out by.

use crate::context::Context;
use crate::refusal::Refusal;
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

/// Every module: the standard ones, then what stands in `notify/`.
pub(crate) fn all(_context: &mut Context<'_>) -> Vec<Module> {
    STANDARD
        .iter()
        .filter_map(|(name, contact)| {
            Some(Module {
                name: ModuleName::new(name).ok()?,
                contact: contact.map(str::to_owned),
                queue: QueueOf::Gatepost,
                broken: None,
            })
        })
        .collect()
}

/// The module of that name.
pub(crate) fn find(context: &mut Context<'_>, name: &str) -> Result<Module, Refusal> {
    let modules = all(context);
    let known: Vec<_> = modules.iter().map(|module| module.name.to_string()).collect();
    match modules.into_iter().find(|module| module.name.as_str() == name) {
        Some(Module { broken: Some(reason), .. }) => Err(Refusal::Conflict {
            operation: format!("use module {name}"),
            reason: format!(
                "{reason}; run `notify/{name} --command features` to see what it prints"
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
