//! What follows from a message that came in: a command, if it carries a reply token of ours; and one more open
//! mail for a member of staff (extensions 3.4, 1.5).
//!
//! `From` can be forged, so it commands nothing. A notice whose `notice.toml` says `reply_token = true` gives its
//! user a token; a mail with it in subject or address is that user's command, once. Any other mail is stored.

mod followers;
mod mail;
#[cfg(test)]
mod tests;

pub(crate) use followers::Followers;
pub(crate) use mail::token;

use crate::answer::Answer;
use crate::call::{Along, Call, CallId, Place, Run};
use crate::caller::{Caller, Level};
use crate::context::Context;
use crate::function::Request;
use crate::journal;
use crate::pipeline::Platform;
use crate::plan::{NotApplied, Planned};
use crate::refusal::Refusal;
use crate::sessions;
use mail::{line_of, parse, token_in};
use notice::{Fields, Mask, Ms, Secret};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use store::{Agent, AgentStatus, Durability, Followed, Hash, Incoming, IncomingRow, Tx, User};

/// The shared value with the open mails of each agent.
const AGENT_EMAILS: &str = "agent_emails";
/// How often counts that others change at the same moment are read anew, before it is left for the next time.
const COUNT_TRIES: u32 = 10;

/// A step of what follows from a message, taken in the transaction that does it: whoever is killed, and however many
/// try, it is done once.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    message: i64,
    from: Followed,
    to: Followed,
    /// The token that is used up.
    token: Option<Hash>,
    /// The new counts hold only over these.
    counts: Option<Counts>,
}

/// [`AGENT_EMAILS`] as it was read; None: nobody has set it yet.
#[derive(Clone, Debug)]
struct Counts(Option<String>);

impl Step {
    fn command(message: i64, token: Option<Hash>) -> Self {
        let (from, to) = (Followed::Nothing, Followed::Command);
        Self { message, from, to, token, counts: None }
    }

    fn count(message: i64, known: Option<String>) -> Self {
        let (from, to) = (Followed::Command, Followed::Whole);
        Self { message, from, to, token: None, counts: Some(Counts(known)) }
    }

    /// Inside the transaction, before anything else.
    pub(crate) fn take(&self, tx: &mut dyn Tx, now: Ms) -> Result<(), NotApplied> {
        let changed = |what: &str| Err(NotApplied::Changed(what.to_owned()));
        if !tx.follow(self.message, self.from, self.to)? {
            return changed(&format!("incoming message {}", self.message));
        }
        if let Some(Counts(known)) = &self.counts
            && tx.shared(AGENT_EMAILS)? != *known
        {
            return changed(&format!("shared data `{AGENT_EMAILS}`"));
        }
        match &self.token {
            Some(hash) if !tx.use_reply_token(hash, now)? => changed("the reply token"),
            _ => Ok(()),
        }
    }
}

/// `incoming.follow`: does what follows from a message and is not done yet. Where that is under way it is not done a
/// second time: a command may take longer than who asked waits.
pub(crate) fn follow(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let id = request.number("elid").unwrap_or_default();
    let Some(_following) = context.installation.followers.enter(id) else {
        return Err(Refusal::Conflict {
            operation: format!("follow incoming message {id}"),
            reason: "that is under way; it is seen next time what came of it".to_owned(),
        });
    };
    // a command is a call of its own, and so enters where every call does
    let mut door = Platform::guest(Arc::clone(context.installation))?;
    door.follow_incoming(id)?;
    Ok(Planned::Answer(Answer::ok()))
}

/// The agents, and the counts as they stand.
type Counted = (Vec<(Agent, User)>, Option<String>);

impl Platform {
    /// What can't be done now is left for the next time: the database is busy, others count at the same moment.
    fn follow_incoming(&mut self, id: i64) -> Result<(), Refusal> {
        let Some(row) = self.incoming(id)? else { return Ok(()) };
        if row.followed == Followed::Nothing {
            self.follow_command(&row)?;
        }
        self.count_mail(id)
    }

    fn warn(&self, text: &str) {
        self.shared.outside().line(config::Level::Warning, text);
    }

    fn incoming(&mut self, id: i64) -> Result<Option<IncomingRow>, Refusal> {
        store::read(self.store.as_mut(), |snapshot| {
            let page = snapshot.incoming(None, Some(id.saturating_add(1)), 1)?;
            Ok(page.into_iter().find(|row| row.id == id))
        })
    }

    fn follow_command(&mut self, row: &IncomingRow) -> Result<(), Refusal> {
        match self.command_of(&row.message) {
            Ok(Some(command)) => return self.obey(row.id, command),
            Ok(None) => {}
            Err(refusal @ Refusal::Store(_)) => return Err(refusal),
            Err(refusal) => self.warn(&format!("incoming message {}: {refusal}", row.message.uid)),
        }
        self.settle(&Step::command(row.id, None)).map(drop)
    }

    /// Takes a step that no call has taken: there was nothing to call, it was refused, or it changed nothing. False:
    /// somebody has taken it.
    fn settle(&mut self, step: &Step) -> Result<bool, Refusal> {
        let now = self.shared.clock.now();
        store::write(self.store.as_mut(), Durability::Power, |tx| {
            let is_mine = tx.follow(step.message, step.from, step.to)?;
            if let Some(hash) = step.token.as_ref().filter(|_| is_mine) {
                tx.use_reply_token(hash, now)?;
            }
            Ok::<_, Refusal>(is_mine)
        })
    }

    /// The command of a mail: a token that is good, and a line that is a command.
    fn command_of(&mut self, message: &Incoming) -> Result<Option<Command>, Refusal> {
        let text = String::from_utf8_lossy(&message.source);
        let Some(token) = token_in(&text) else { return Ok(None) };
        let hash = Hash::of(token.as_bytes());
        let found = store::read(self.store.as_mut(), |snapshot| {
            let Some(token) = snapshot.reply_token(&hash)? else { return Ok::<_, Refusal>(None) };
            Ok(snapshot.user(token.user)?.map(|user| (token, user)))
        })?;
        let Some((known, user)) = found.filter(|(known, _)| known.used.is_none()) else {
            return Err(Refusal::NotSignedIn {
                reason: "its reply token is unknown or was used; it is stored and nothing else"
                    .to_owned(),
            });
        };
        let command = line_of(&text).and_then(|line| parse(&line, &known));
        Ok(command.map(|(function, params)| Command { function, params, user, token }))
    }

    /// A command is a call at step 1, by the user and at a client's level, whatever else he is. Its token is used up
    /// in its transaction, or when it is refused.
    fn obey(&mut self, message: i64, command: Command) -> Result<(), Refusal> {
        let level = sessions::level_of(&command.user).min(Level::User);
        let name = command.user.fields.text("name").to_owned();
        let caller = Caller { user: Some(command.user.id), ..Caller::new(name, level) };
        let started = std::time::Instant::now();
        let step = Step::command(message, Some(Hash::of(command.token.as_bytes())));
        let asked = (command.function.as_str(), &command.params);
        let result = self.call_with(Along::Step(step.clone()), asked, &caller);
        if let Err(refusal @ (Refusal::Store(_) | Refusal::Changed { .. })) = result {
            // done by somebody else at the same moment, or left for the next time
            let row = self.incoming(message)?;
            let is_open = row.is_some_and(|row| row.followed == Followed::Nothing);
            return if is_open { Err(refusal) } else { Ok(()) };
        }
        let is_mine = self.settle(&step)?;
        let (outcome, output) = match result {
            Ok(answer) => ("ok", answer.to_lines()),
            // done by somebody else at the same moment
            Err(_) if !is_mine => return Ok(()),
            Err(refusal) => ("refused", refusal.to_string()),
        };
        let name = format!("user {}", command.user.id);
        let (outcome, took) = (outcome.to_owned(), started.elapsed());
        let run = Run { place: Place::Mail, name, outcome, took, output };
        self.note(command, caller, run);
        Ok(())
    }

    /// The journal's row of a command.
    fn note(&mut self, command: Command, caller: Caller, run: Run) {
        let Some(function) = Self::function(&command.function) else {
            return self.warn(&format!("a mail of {} asks: {}", run.name, run.output));
        };
        let now = self.shared.clock.now();
        let call = Call {
            id: CallId::new(now),
            function,
            called_as: command.function,
            manager: caller.manager.clone(),
            caller,
            params: command.params,
            mask: Mask::new([&Secret::new(command.token)]),
            along: Along::Nothing,
        };
        journal::write(self.store.as_mut(), &call, (vec![run], now));
    }

    /// One more open mail for the agent who takes it: READY before AUX before OFFLINE, who has fewest first. Counts
    /// that somebody else has changed in the meantime are read again.
    fn count_mail(&mut self, message: i64) -> Result<(), Refusal> {
        let mut moved = None;
        for _ in 0..COUNT_TRIES {
            let row = self.incoming(message)?;
            if row.is_none_or(|row| row.followed == Followed::Whole) {
                return Ok(());
            }
            let (agents, known) = self.agents_and_counts()?;
            let value = known.as_deref().and_then(|text| serde_json::from_str(text).ok());
            let counts = counts_with_one_more(&agents, &value.unwrap_or(json!({})));
            let step = Step::count(message, known);
            let Some(counts) = counts else { return self.settle(&step).map(drop) };
            let params = [("id", AGENT_EMAILS.to_owned()), ("value", counts.to_string())];
            let caller = Caller::new("getmessage", Level::Super);
            let params = params.into_iter().collect();
            match self.call_with(Along::Step(step.clone()), ("shared.set", &params), &caller) {
                Err(refusal @ Refusal::Changed { .. }) => moved = Some(refusal),
                Err(refusal @ Refusal::Store(_)) => return Err(refusal),
                Err(refusal) => {
                    self.warn(&format!("`{AGENT_EMAILS}` was not raised: {refusal}"));
                    return self.settle(&step).map(drop);
                }
                Ok(_) => return self.settle(&step).map(drop),
            }
        }
        moved.map_or(Ok(()), Err)
    }

    fn agents_and_counts(&mut self) -> Result<Counted, Refusal> {
        store::read(self.store.as_mut(), |snapshot| {
            let mut agents = Vec::new();
            for agent in snapshot.agents()? {
                if let Some(user) = snapshot.user(agent.user)? {
                    agents.push((agent, user));
                }
            }
            Ok((agents, snapshot.shared(AGENT_EMAILS)?))
        })
    }
}

struct Command {
    function: String,
    params: Fields,
    user: User,
    token: String,
}

/// `{username: count}` of all agents with one more for who takes the mail; None: there is no agent. A hook may
/// have turned names into ids (`{"$m": [[2, 7]]}`): both are read.
fn counts_with_one_more(agents: &[(Agent, User)], value: &Value) -> Option<Value> {
    let count_of = |agent: &Agent, user: &User| -> i64 {
        let by_name = value.get(user.fields.text("name"));
        let pairs = value.get("$m").and_then(Value::as_array);
        let by_id = pairs.into_iter().flatten().find_map(|pair| {
            (pair.get(0)?.as_i64()? == agent.user.0).then(|| pair.get(1)).flatten()
        });
        by_name.or(by_id).and_then(Value::as_i64).unwrap_or(0)
    };
    let rank = |status: AgentStatus| match status {
        AgentStatus::Ready => 0,
        AgentStatus::Aux => 1,
        AgentStatus::Offline => 2,
    };
    let taker = agents
        .iter()
        .min_by_key(|(agent, user)| (rank(agent.status), count_of(agent, user), agent.user))?;
    let mut counts = Map::new();
    for (agent, user) in agents {
        let more = i64::from(agent.user == taker.0.user);
        let count = count_of(agent, user) + more;
        if count > 0 {
            counts.insert(user.fields.text("name").to_owned(), Value::from(count));
        }
    }
    Some(Value::Object(counts))
}
