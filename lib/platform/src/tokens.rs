//! Tokens: how a program that calls over TCP is known. The database keeps their hashes alone.

use crate::answer::Answer;
use crate::caller::{Caller, Level};
use crate::context::Context;
use crate::function::{Extra, Function, Kind, Request, optional, required};
use crate::pipeline::Platform;
use crate::plan::{Change, Plan, Planned};
use crate::refusal::Refusal;
use notice::Secret;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use store::{ApiToken, Hash};
use wire::xml::Element;

/// What every token begins with, so that one that leaks is recognised.
const MARK: &str = "gp_";

/// Random bytes of a token.
const RANDOM_BYTES: usize = 32;

const LEVELS: [&str; 4] = ["user", "reseller", "admin", "super"];

pub(crate) static FUNCTIONS: &[Function] = &[
    Function {
        name: "token",
        aliases: &[],
        level: Level::Super,
        help: "Lists the tokens of programs that call over TCP, without their values.",
        parameters: &[],
        extra: Extra::Refused,
        events: &[],
        plan: list,
    },
    Function {
        name: "token.add",
        aliases: &[],
        level: Level::Super,
        help: "Makes a token, and shows its value this once.",
        parameters: &[
            required("name", Kind::Line, "its name: the program that will use it"),
            optional("level", Kind::OneOf(&LEVELS), "what it may: admin unless you say otherwise"),
        ],
        extra: Extra::Refused,
        events: &[],
        plan: add,
    },
    Function {
        name: "token.delete",
        aliases: &[],
        level: Level::Super,
        help: "Takes tokens back: the next call with one is refused.",
        parameters: &[required("elid", Kind::Line, "the tokens by name: `a, b`")],
        extra: Extra::Refused,
        events: &[],
        plan: delete,
    },
];

fn list(context: &mut Context<'_>, _: &Request) -> Result<Planned, Refusal> {
    let tokens = context.read(|snapshot| Ok(snapshot.tokens()?))?;
    let row = |token: ApiToken| {
        Element::new("elem")
            .with_child(Element::new("name").with_text(token.name))
            .with_child(Element::new("level").with_text(token.level))
            .with_child(Element::new("made").with_text(crate::when::shown(token.made)))
    };
    Ok(Planned::Answer(Answer::list(tokens.into_iter().map(row))))
}

fn add(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let name = request.text("name").to_owned();
    if context.read(|snapshot| Ok(snapshot.tokens()?))?.iter().any(|token| token.name == name) {
        return Err(Refusal::Conflict {
            operation: format!("make the token `{name}`"),
            reason: "there is one of that name; `gatepost token delete` takes it back".to_owned(),
        });
    }
    let value = new_token()?;
    let token = ApiToken {
        hash: hash_of(&value),
        name: name.clone(),
        user: None,
        level: request.given("level").unwrap_or("admin").to_owned(),
        made: context.now(),
    };
    let answer = move |_: &_| {
        Answer::of(
            Element::new("doc")
                .with_child(Element::new("name").with_text(name.clone()))
                .with_child(Element::new("token").with_text(value.clone())),
        )
    };
    Ok(Planned::Once(Plan::new(vec![Change::AddToken(token)], answer)))
}

fn delete(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let known = context.read(|snapshot| Ok(snapshot.tokens()?))?;
    let names = request.group("elid");
    if let Some(strange) = names.iter().find(|name| !known.iter().any(|one| one.name == **name)) {
        return Err(Refusal::NotFound {
            noun: "token",
            value: (*strange).to_owned(),
            remedy: "`gatepost token list` shows them".to_owned(),
        });
    }
    let changes = names.into_iter().map(|name| Change::DeleteToken(name.to_owned())).collect();
    Ok(Planned::Once(Plan::new(changes, |_| Answer::ok())))
}

fn new_token() -> Result<String, Refusal> {
    let mut random = [0_u8; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| Refusal::Conflict {
        operation: "make a token".to_owned(),
        reason: format!("the system gives no random numbers: {error}"),
    })?;
    let mut value = MARK.to_owned();
    for byte in random {
        let _ = write!(value, "{byte:02x}");
    }
    Ok(value)
}

/// A token has 256 random bits: one round of a fast hash can't be turned back.
fn hash_of(token: &str) -> Hash {
    Hash(Sha256::digest(token.as_bytes()).into())
}

impl Platform {
    /// The caller whose token this is; None: it is not known, or was taken back.
    pub fn caller_of_token(&mut self, token: &Secret) -> Result<Option<Caller>, Refusal> {
        let hash = hash_of(token.expose());
        let found: Option<ApiToken> =
            store::read::<_, Refusal>(self.store(), |snapshot| Ok(snapshot.token(&hash)?))?;
        Ok(found.map(|token| {
            let level = Level::ALL.into_iter().find(|level| level.word() == token.level);
            Caller::new(format!("token {}", token.name), level.unwrap_or(Level::Nobody))
        }))
    }
}
