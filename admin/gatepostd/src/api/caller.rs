//! Who calls: by the kernel's word on the socket, by a token over TCP.

use super::Shared;
use super::answer::Problem;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap};
use notice::Secret;
use platform::{Caller, Level};
use std::sync::Arc;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    /// A process of this user of this machine.
    Local(u32),
    /// Somebody over TCP.
    Remote,
}

/// Which of the `manager_names` is called: the control tool says it.
const MANAGER: &str = "gatepost-manager";

/// Functions whose handlers make this call: the control tool hands its environment on.
const WITHIN: &str = "gatepost-within";

const ROOT_USER: u32 = 0;

/// The caller of one request. A token counts on the socket too: it narrows what the caller may.
pub(super) async fn of(
    peer: Peer,
    headers: &HeaderMap,
    shared: &Arc<Shared>,
) -> Result<Caller, Problem> {
    let caller = match (token_of(headers)?, peer) {
        (Some(token), _) => by_token(token, shared).await,
        (None, Peer::Local(uid)) => Ok(local(uid, shared.owner)),
        (None, Peer::Remote) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "auth",
            "a call over TCP needs `Authorization: Bearer TOKEN`; `gatepost token add` makes one",
        )),
    }?;
    let named = |header| headers.get(header).and_then(|value| value.to_str().ok()).unwrap_or("");
    let caller = match named(MANAGER) {
        "" => caller,
        manager => caller.of_manager(manager),
    };
    let within = named(WITHIN).split(',').filter(|name| !name.is_empty());
    Ok(caller.called_within(within.map(str::to_owned).collect()))
}

/// The owner of the installation and root may everything; who else can open the socket is in the group
/// that may enqueue, and is trusted like a member of staff.
fn local(uid: u32, owner: u32) -> Caller {
    if uid == owner || uid == ROOT_USER {
        return Caller::operator();
    }
    Caller::new(format!("uid {uid}"), Level::Admin)
}

fn token_of(headers: &HeaderMap) -> Result<Option<Secret>, Problem> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
    match token.map(str::trim).filter(|token| !token.is_empty()) {
        Some(token) => Ok(Some(Secret::new(token))),
        None => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "auth",
            "the header Authorization must read `Bearer TOKEN`",
        )),
    }
}

async fn by_token(token: Secret, shared: &Arc<Shared>) -> Result<Caller, Problem> {
    let platforms = shared.platforms.clone();
    let asked = tokio::task::spawn_blocking(move || {
        platforms.with(|platform| platform.caller_of_token(&token))
    });
    let refuse = || {
        Problem::new(StatusCode::UNAUTHORIZED, "auth", "the token is not known, or was taken back")
    };
    match asked.await {
        Ok(Ok(Ok(Some(caller)))) => Ok(caller),
        Ok(Ok(Ok(None))) => Err(refuse()),
        Ok(Ok(Err(refusal))) => Err(Problem::refused(&refusal)),
        Ok(Err(_)) | Err(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store",
            "the database can't be opened; see var/gatepost.log",
        )),
    }
}
