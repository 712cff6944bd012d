//! What follows from a message that came in: a command, if it carries a reply token of ours; and one more open
//! mail for a member of staff (extensions 3.4, 1.5).
//!
//! `From` can be forged, so it commands nothing. A notice whose `notice.toml` says `reply_token = true` gives its
//! user a token; a mail with it in subject or address is that user's command, once. Any other mail is stored.

use crate::call::{Call, CallId, Place, Run};
use crate::caller::{Caller, Level};
use crate::journal;
use crate::passwords;
use crate::pipeline::Platform;
use crate::refusal::Refusal;
use crate::sessions;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use notice::{Fields, Mask, Secret};
use serde_json::{Map, Value, json};
use store::{Agent, AgentStatus, Durability, Event, Hash, Incoming, ReplyToken, User};

/// The event of a stored message, written untold by whoever received it.
pub(crate) const INCOMING: &str = "incoming.message";
/// Stands before a token, so that it is found in a subject or an address.
const PREFIX: &str = "gp-";
/// Hexadecimal digits of a token.
const TOKEN_DIGITS: usize = 40;
/// The shared value with the open mails of each agent.
const AGENT_EMAILS: &str = "agent_emails";
/// Most of a body that is looked at, bytes.
const BODY_BYTES: usize = 65_536;

impl Platform {
    /// Called once for each told event of a message. What goes wrong stays with that message.
    pub(crate) fn follow_incoming(&mut self, event: &Event) {
        let Ok(message) = self.incoming(event) else { return };
        let Some(message) = message else { return };
        match self.command_of(&message) {
            Ok(Some(command)) => self.obey(command),
            Ok(None) => {}
            Err(refusal) => self.warn(&format!("incoming message {}: {refusal}", message.uid)),
        }
        if let Err(refusal) = self.count_mail() {
            self.warn(&format!("`{AGENT_EMAILS}` was not raised: {refusal}"));
        }
    }

    fn warn(&self, text: &str) {
        self.shared.outside().line(config::Level::Warning, text);
    }

    fn incoming(&mut self, event: &Event) -> Result<Option<Incoming>, Refusal> {
        let Ok(id) = event.event.object_id.parse::<i64>() else { return Ok(None) };
        store::read(self.store.as_mut(), |snapshot| {
            let page = snapshot.incoming(None, Some(id + 1), 1)?;
            Ok(page.into_iter().find(|row| row.id == id).map(|row| row.message))
        })
    }

    /// The command of a mail: a token that is good, and a line that is a command. The token is used up here.
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
        let Some((function, params)) = line_of(&text).and_then(|line| parse(&line, &known)) else {
            return Ok(None);
        };
        let now = self.shared.clock.now();
        let used = store::write(self.store.as_mut(), Durability::Power, |tx| {
            Ok::<_, Refusal>(tx.use_reply_token(&hash, now)?)
        })?;
        Ok(used.then_some(Command { function, params, user, token }))
    }

    /// A command is a call at step 1, by the user and at a client's level, whatever else he is.
    fn obey(&mut self, command: Command) {
        let level = sessions::level_of(&command.user).min(Level::User);
        let name = command.user.fields.text("name").to_owned();
        let caller = Caller { user: Some(command.user.id), ..Caller::new(name, level) };
        let started = std::time::Instant::now();
        let result = self.call(&command.function, &command.params, &caller);
        let (outcome, output) = match result {
            Ok(answer) => ("ok", answer.to_lines()),
            Err(refusal) => ("refused", refusal.to_string()),
        };
        let Some(function) = Self::function(&command.function) else {
            return self.warn(&format!("a mail of user {} asks: {output}", command.user.id));
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
            keyed: None,
        };
        let run = Run {
            place: Place::Mail,
            name: format!("user {}", command.user.id),
            outcome: outcome.to_owned(),
            took_ms: i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX),
            output,
        };
        journal::write(self.store.as_mut(), &call, (vec![run], now));
    }

    /// One more open mail for the agent who takes it: READY before AUX before OFFLINE, who has fewest first.
    fn count_mail(&mut self) -> Result<(), Refusal> {
        let (agents, value) = store::read(self.store.as_mut(), |snapshot| {
            let mut agents = Vec::new();
            for agent in snapshot.agents()? {
                if let Some(user) = snapshot.user(agent.user)? {
                    agents.push((agent, user));
                }
            }
            Ok::<_, Refusal>((agents, snapshot.shared(AGENT_EMAILS)?))
        })?;
        let value = value.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(json!({}));
        let Some(counts) = counts_with_one_more(&agents, &value) else { return Ok(()) };
        let params = [("id", AGENT_EMAILS.to_owned()), ("value", counts.to_string())];
        let caller = Caller::new("getmessage", Level::Super);
        self.call("shared.set", &params.into_iter().collect(), &caller).map(drop)
    }
}

/// A new token with its prefix, and what we keep of it.
pub(crate) fn token() -> Result<(String, Hash), Refusal> {
    let (digits, _) = passwords::token()?;
    let token = format!("{PREFIX}{digits}");
    let hash = Hash::of(token.as_bytes());
    Ok((token, hash))
}

struct Command {
    function: String,
    params: Fields,
    user: User,
    token: String,
}

/// `gp-` and forty digits, anywhere in the headers that a reply keeps.
fn token_in(source: &str) -> Option<String> {
    let head = source.split("\r\n\r\n").next().unwrap_or_default();
    let head = head.split("\n\n").next().unwrap_or_default();
    let mut kept = false;
    for line in head.lines() {
        if !line.starts_with([' ', '\t']) {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            kept = matches!(name.as_str(), "subject" | "to" | "cc" | "delivered-to");
        }
        for (at, _) in line.match_indices(PREFIX).filter(|_| kept) {
            let digits: String =
                line[at + PREFIX.len()..].chars().take_while(char::is_ascii_hexdigit).collect();
            if digits.len() == TOKEN_DIGITS {
                return Some(format!("{PREFIX}{digits}"));
            }
        }
    }
    None
}

/// The first line of the text that is neither empty nor quoted.
fn line_of(source: &str) -> Option<String> {
    let source = source.replace("\r\n", "\n");
    let (head, body) = source.split_once("\n\n")?;
    let (head, body) = text_part(head, body).unwrap_or((head.to_owned(), body.to_owned()));
    let body: String = body.chars().take(BODY_BYTES).collect();
    let encoding = header(&head, "content-transfer-encoding").to_ascii_lowercase();
    let text = match encoding.as_str() {
        "base64" => {
            let packed: String = body.split_whitespace().collect();
            String::from_utf8_lossy(&STANDARD.decode(packed).ok()?).into_owned()
        }
        // A command is ASCII; only the soft line ends matter.
        "quoted-printable" => body.replace("=\n", "").replace("=3D", "="),
        _ => body,
    };
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| !line.is_empty() && !line.starts_with('>')).map(str::to_owned)
}

/// The first `text/plain` part of a multipart body.
fn text_part(head: &str, body: &str) -> Option<(String, String)> {
    let kind = header(head, "content-type");
    let boundary = kind.split_once("boundary=")?.1.split(';').next()?.trim().trim_matches('"');
    body.split(&format!("--{boundary}"))
        .filter_map(|part| part.trim_start_matches('\n').split_once("\n\n"))
        .find(|(head, _)| header(head, "content-type").starts_with("text/plain"))
        .map(|(head, body)| (head.to_owned(), body.to_owned()))
}

fn header(head: &str, name: &str) -> String {
    let mut found = String::new();
    let mut inside = false;
    for line in head.lines() {
        if line.starts_with([' ', '\t']) {
            if inside {
                found.push(' ');
                found.push_str(line.trim());
            }
            continue;
        }
        inside = found.is_empty()
            && line.split_once(':').is_some_and(|(known, _)| known.eq_ignore_ascii_case(name));
        if inside {
            found.push_str(line.split_once(':').map_or("", |(_, value)| value.trim()));
        }
    }
    found
}

/// `stop`, `start`, or `FUNCTION name=value …`.
fn parse(line: &str, token: &ReplyToken) -> Option<(String, Fields)> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    let active = match first.to_ascii_lowercase().as_str() {
        "stop" | "unsubscribe" => Some("off"),
        "start" | "subscribe" => Some("on"),
        _ => None,
    };
    if let Some(active) = active {
        let params = [("notice", token.notice.as_str()), ("active", active)];
        return Some(("subscription.edit".to_owned(), params.into_iter().collect()));
    }
    Platform::function(first)?;
    let params = words.map(|word| word.split_once('=')).collect::<Option<Fields>>()?;
    Some((first.to_owned(), params))
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

#[cfg(test)]
mod tests {
    use super::*;
    use notice::{Ms, TaskId, UserId};

    const TOKEN: &str = "gp-0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_token_is_found_where_a_reply_keeps_it_and_nowhere_else() {
        for (source, found) in [
            (format!("Subject: Re: hi [{TOKEN}]\r\n\r\nstop"), true),
            (format!("To: <support+{TOKEN}@x.example>\n\nstop"), true),
            (format!("Subject: a\r\n {TOKEN}\r\n\r\nstop"), true),
            (format!("Subject: a\r\n\r\n{TOKEN}"), false),
            (format!("X-Thing: {TOKEN}\r\n\r\nstop"), false),
            (format!("Subject: {TOKEN}0\r\n\r\n"), false),
            ("Subject: gp-12\r\n\r\n".to_owned(), false),
        ] {
            assert_eq!(token_in(&source).is_some(), found, "{source}");
        }
    }

    #[test]
    fn the_line_of_a_command_is_found_in_every_kind_of_mail() {
        let packed = STANDARD.encode("stop\n");
        for source in [
            "Subject: a\r\n\r\n> quoted\r\n\r\nstop\r\n".to_owned(),
            format!("Content-Transfer-Encoding: base64\n\n{packed}\n"),
            "Content-Type: multipart/alternative; boundary=\"b\"\n\n--b\nContent-Type: text/html\n\n<p>x</p>\n\
             --b\nContent-Type: text/plain; charset=utf-8\n\nstop\n--b--\n"
                .to_owned(),
            "Content-Transfer-Encoding: quoted-printable\n\nst=\nop\n".to_owned(),
        ] {
            assert_eq!(line_of(&source).as_deref(), Some("stop"), "{source}");
        }
        assert_eq!(line_of("no body"), None);
    }

    #[test]
    fn a_command_is_a_word_or_a_function() {
        let token = ReplyToken {
            hash: Hash::of(b""),
            user: UserId(1),
            notice: "news".into(),
            task: TaskId(1),
            made: Ms(0),
            used: None,
        };
        let (function, params) = parse("STOP please", &token).unwrap();
        assert_eq!((function.as_str(), params.text("notice")), ("subscription.edit", "news"));
        let (function, params) = parse("subscription.edit notice=a active=on", &token).unwrap();
        assert_eq!((function.as_str(), params.text("active")), ("subscription.edit", "on"));
        assert!(parse("hello there", &token).is_none());
        assert!(parse("user.edit what", &token).is_none());
    }

    #[test]
    fn a_mail_goes_to_who_is_ready_and_has_fewest() {
        let agent = |id: i64, status, name: &str| {
            let fields = [("name", name)].into_iter().collect();
            let (id, project) = (UserId(id), notice::ProjectId(1));
            let user = User { id, project, external_id: None, fields };
            (Agent { user: id, status, reason: String::new(), since: Ms(0) }, user)
        };
        let agents = [
            agent(1, AgentStatus::Aux, "petr"),
            agent(2, AgentStatus::Ready, "jana"),
            agent(3, AgentStatus::Ready, "eva"),
        ];
        let next = counts_with_one_more(&agents, &json!({})).unwrap();
        assert_eq!(next, json!({"jana": 1}));
        let next = counts_with_one_more(&agents, &json!({"$m": [[2, 1]]})).unwrap();
        assert_eq!(next, json!({"jana": 1, "eva": 1}));
        assert!(counts_with_one_more(&[], &json!({})).is_none());
    }
}
