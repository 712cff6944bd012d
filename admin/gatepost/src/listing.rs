//! Lists without commands of their own: notices, inbox, incoming messages, plugins.

use crate::arguments::Plugin;
use crate::failure::Result;
use crate::session::Session;

/// `gatepost notice list`
pub(crate) fn notices(session: &mut Session) -> Result<()> {
    let answer = session.ask("notice", &[])?;
    session.list(
        &answer,
        &[
            "name",
            "title",
            "modules",
            "priority",
            "unsubscribable",
            "email_only",
            "on_unknown",
            "error",
        ],
        5,
    )
}

/// `gatepost inbox USER`
pub(crate) fn inbox(session: &mut Session, user: &str) -> Result<()> {
    let answer = session.ask("inbox", &[("user", user)])?;
    session.list(&answer, &["id", "at", "subject", "read", "text"], 4)
}

/// `gatepost incoming`
pub(crate) fn incoming(session: &mut Session, gateway: Option<&str>) -> Result<()> {
    let answer = session.ask("incoming", &[("gateway", gateway.unwrap_or_default())])?;
    session.list(&answer, &["id", "at", "gateway", "sender", "user", "subject", "reason", "uid"], 7)
}

/// `gatepost plugin …`
pub(crate) fn plugins(session: &mut Session, what: &Plugin) -> Result<()> {
    let answer = match what {
        Plugin::List => {
            let answer = session.ask("plugin", &[])?;
            return session.list(&answer, &["name", "state"], 2);
        }
        Plugin::Load { name } => session.ask("plugins.load", &[("name", name)])?,
        Plugin::Unload { name } => session.ask("plugins.unload", &[("name", name)])?,
    };
    session.print(&answer)
}
