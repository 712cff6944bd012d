//! Sessions: who has signed in, and for how long.

use crate::answer::Answer;
use crate::caller::{Caller, Level};
use crate::context::Context;
use crate::function::Request;
use crate::passwords;
use crate::plan::{Access, Change, Plan, Planned};
use crate::refusal::Refusal;
use crate::users;
use notice::Ms;
use store::{Durability, Hash, SignIn, Store, User};
use wire::xml::Element;

/// A session nobody uses ends after this.
const IDLE_MS: i64 = 3_600_000;
/// How often a session that is used is written: a call that only reads should not write each time.
const SEEN_MS: i64 = 60_000;

/// `session.open`: signs in with name and password; the owner of the installation needs no password.
pub(crate) fn open(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let name = request.text("username");
    let found = context.read(|snapshot| {
        let user = match users::find(snapshot, name, None) {
            Ok(user) => user,
            Err(Refusal::NotFound { .. } | Refusal::Ambiguous { .. }) => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        Ok(Some((snapshot.password_hash(user.id)?, user)))
    })?;
    let password = request.text("password");
    let trusted = request.caller.level == Level::Super && password.is_empty();
    let known = found.as_ref().and_then(|(hash, _)| hash.as_deref());
    let fits = trusted || passwords::fits(password, known);
    let user = found.map(|(_, user)| user).filter(|user| fits && !users::is_archived(user));
    let Some(user) = user else {
        return Err(Refusal::NotSignedIn {
            reason: "no user has this name and password".to_owned(),
        });
    };
    let level = level_of(&user);
    let (id, hash) = passwords::token()?;
    let now = context.now();
    let sign_in = SignIn {
        hash,
        user: Some(user.id),
        name: user.fields.text("name").to_owned(),
        level: level.word().to_owned(),
        made: now,
        seen: now,
        expires: now.plus(IDLE_MS),
    };
    let answer = Element::new("doc")
        .with_child(Element::new("auth").with_text(id))
        .with_child(Element::new("user").with_text(user.id.to_string()))
        .with_child(Element::new("level").with_text(level.word()));
    Ok(Planned::Once(Plan::new(vec![Change::Access(Access::SignIn(sign_in))], move |_| {
        Answer::of(answer.clone())
    })))
}

/// `session.close`: ends the caller's own session, or the one named.
pub(crate) fn close(_: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let id = match (request.given("elid"), &request.caller.session) {
        (Some(id), _) => id.to_owned(),
        (None, Some(id)) => id.clone(),
        (None, None) => {
            return Err(Refusal::Missing {
                field: "elid".to_owned(),
                remedy: "name the session to end; this call came by none".to_owned(),
            });
        }
    };
    let changes = vec![Change::Access(Access::SignOut(Hash::of(id.as_bytes())))];
    Ok(Planned::Once(Plan::new(changes, |_| Answer::ok())))
}

/// `session.check`: who the caller is.
#[expect(clippy::unnecessary_wraps, reason = "the form of every plan")]
pub(crate) fn check(_: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let caller = &request.caller;
    let user = caller.user.map(|id| id.to_string()).unwrap_or_default();
    Ok(Planned::Answer(Answer::of(
        Element::new("doc")
            .with_child(Element::new("name").with_text(&caller.name))
            .with_child(Element::new("user").with_text(user))
            .with_child(Element::new("level").with_text(caller.level.word())),
    )))
}

/// What a user may, by his column `level`.
pub(crate) fn level_of(user: &User) -> Level {
    Level::read(user.fields.text("level")).unwrap_or(Level::User)
}

/// Who has signed in with that id; he is seen.
pub(crate) fn resume(store: &mut dyn Store, id: &str, now: Ms) -> Result<Caller, Refusal> {
    let hash = Hash::of(id.as_bytes());
    let found = store::read(store, |snapshot| snapshot.sign_in(&hash))?;
    let Some(known) = found.filter(|known| known.expires > now) else {
        return Err(Refusal::NotSignedIn {
            reason: "the session is unknown or has ended".to_owned(),
        });
    };
    if now.since(known.seen) > SEEN_MS {
        store.write(Durability::Crash, &mut |tx| {
            tx.see_sign_in(&hash, now, now.plus(IDLE_MS)).map(drop)
        })?;
    }
    let level = Level::read(&known.level).unwrap_or(Level::Nobody);
    Ok(Caller { user: known.user, session: Some(id.to_owned()), ..Caller::new(known.name, level) })
}
