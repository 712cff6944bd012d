//! Step 1 of the pipeline: who calls, and whether he may.

use crate::call::Call;
use crate::caller::{Caller, Level};
use crate::function::{Extra, Function};
use crate::passwords;
use crate::refusal::Refusal;
use crate::sessions;
use notice::{Fields, Ms};
use store::Store;

/// The parameter that names a session.
const AUTH: &str = "auth";
/// The parameter of functions that a client may call for himself alone.
const USER: &str = "user";

/// Resolves `auth=`, and refuses who may not: before any handler hears of the call.
pub(crate) fn enter(store: &mut dyn Store, call: &mut Call, now: Ms) -> Result<(), Refusal> {
    // The value that `session.close` is about stays where it is.
    if names_a_session(call.function, &call.params)
        && let Some(id) = call.params.remove(AUTH).filter(|id| !id.is_empty())
    {
        let session = sessions::resume(store, &id, now)?;
        call.caller = Caller {
            ip: call.caller.ip.clone(),
            manager: call.caller.manager.clone(),
            within: call.caller.within.clone(),
            ..session
        };
    }
    refuse_depth(call)?;
    let (function, caller) = (call.function, &call.caller);
    if caller.level < function.level {
        return Err(denied(call));
    }
    if caller.level < Level::Admin && function.parameters.iter().any(|one| one.name == USER) {
        return himself(call);
    }
    Ok(())
}

/// Whether `auth` stands for a session. The form of a gate may have a field of that name (`auth=password` of gwsmtp):
/// then only what has the form of a session's id is one.
pub(crate) fn names_a_session(function: &Function, params: &Fields) -> bool {
    !matches!(function.extra, Extra::Planned) || passwords::is_token(params.text(AUTH))
}

/// A handler of a function may not call it again.
fn refuse_depth(call: &Call) -> Result<(), Refusal> {
    let name = call.function.name;
    if !call.caller.within.iter().any(|one| one == name) {
        return Ok(());
    }
    Err(Refusal::Conflict {
        operation: format!("call `{name}`"),
        reason: format!(
            "a handler of `{name}` is calling it again; register it as final=\"yes\", or let it \
             answer with what it wants changed"
        ),
    })
}

/// Below the staff a call is about the caller himself.
fn himself(call: &mut Call) -> Result<(), Refusal> {
    let Some(own) = call.caller.user else { return Err(denied(call)) };
    let own = own.to_string();
    let given = call.params.text(USER);
    if !given.is_empty() && given != own && given != call.caller.name {
        return Err(denied(call));
    }
    call.params.set(USER, own);
    Ok(())
}

fn denied(call: &Call) -> Refusal {
    let (function, caller) = (call.function, &call.caller);
    let needed = if caller.level < function.level { function.level } else { Level::Admin };
    Refusal::Denied {
        function: function.name.to_owned(),
        needed: needed.word(),
        level: caller.level.word(),
    }
}
