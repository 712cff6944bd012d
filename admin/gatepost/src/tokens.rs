//! `gatepost token`: who may call over HTTP.

use crate::arguments::Token;
use crate::failure::Result;
use crate::output;
use crate::session::Session;

/// Lists, makes or takes back.
pub(crate) fn run(session: &mut Session, what: Token) -> Result<()> {
    match what {
        Token::List => {
            let answer = session.ask("token", &[])?;
            session.list(&answer, &["name", "level", "made"], 3)
        }
        Token::Add { name, level } => {
            let answer = session.ask("token.add", &[("name", &name), ("level", &level)])?;
            output::tell(&format!(
                "token of `{name}`, for the header `Authorization: Bearer`; it is shown this once:"
            ));
            session.report(&answer, &answer.text("token"))
        }
        Token::Delete { name } => {
            let answer = session.ask("token.delete", &[("elid", &name)])?;
            session.report(&answer, &format!("the token of {name} is taken back"))
        }
    }
}
