//! Agents: staff with a live status; it decides who gets staff notices.

use crate::answer::Answer;
use crate::caller::Level;
use crate::context::Context;
use crate::events::{self, Raise};
use crate::function::Request;
use crate::plan::{Change, Fact, Plan, Planned};
use crate::plugins;
use crate::refusal::Refusal;
use crate::{sessions, users, when};
use notice::UserId;
use serde_json::{Value, json};
use store::{Agent, AgentStatus, Snapshot, User};
use wire::xml::Element;

/// The statuses by number (S4-10).
const WORDS: [&str; 3] = ["offline", "ready", "aux"];

/// `agent`: lists.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let rows = context.read(|snapshot| {
        let mut rows = Vec::new();
        for agent in snapshot.agents()? {
            let wanted = request.given("status").is_none_or(|word| word_of(agent.status) == word);
            if let Some(user) = snapshot.user(agent.user)?.filter(|_| wanted) {
                rows.push(element(&agent, &user));
            }
        }
        Ok(rows)
    })?;
    Ok(Planned::Answer(Answer::list(rows)))
}

fn element(agent: &Agent, user: &User) -> Element {
    let columns = [
        ("id", agent.user.to_string()),
        ("username", user.fields.text("name").to_owned()),
        ("displayname", displayname(user)),
        ("status", word_of(agent.status).to_owned()),
        ("reason", agent.reason.clone()),
        ("since", when::shown(agent.since)),
    ];
    columns.into_iter().fold(Element::new("elem"), |element, (name, value)| {
        element.with_child(Element::new(name).with_text(value))
    })
}

fn word_of(status: AgentStatus) -> &'static str {
    match status {
        AgentStatus::Offline => WORDS[0],
        AgentStatus::Ready => WORDS[1],
        AgentStatus::Aux => WORDS[2],
    }
}

fn displayname(user: &User) -> String {
    let realname = user.fields.text("realname");
    let name = if realname.is_empty() { user.fields.text("name") } else { realname };
    name.to_owned()
}

/// `agent.status`: switches an agent; a plugin's hook may change or refuse it, and is asked here, with no
/// transaction open. What it was shown must still hold when it is written.
pub(crate) fn status(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let (user, known) = context.read(|snapshot| {
        let user = users::find(snapshot, request.text("agent"), None)?;
        let known = snapshot.agent(user.id)?;
        Ok((user, known))
    })?;
    if sessions::level_of(&user) < Level::Admin {
        return Err(Refusal::Value {
            field: "agent".to_owned(),
            value: request.text("agent").to_owned(),
            reason: "a client is no agent; give him level=admin if he is one of the staff"
                .to_owned(),
        });
    }
    let wanted = number_of(request.text("status"))?;
    let before = seen(&user, known.as_ref());
    let asked = (wanted, request.text("reason"));
    let (status, reason) = match context.registry.clone().and_then(|one| one.plugins.clone()) {
        Some(plugins) => plugins.status_hook(&before, asked, &mut context.journal)?,
        None => (asked.0, asked.1.to_owned()),
    };
    let Some(taken) = AgentStatus::from_number(status) else {
        return Err(Refusal::Failed {
            what: "plugin",
            name: "status hook".to_owned(),
            reason: format!("it answers status {status}; there are 0, 1 and 2"),
        });
    };
    let agent =
        Agent { user: user.id, status: taken, reason: reason.clone(), since: context.now() };
    let data = data(&plugins::Agent { status, reason, ..before });
    let answer = element(&agent, &user);
    let changes = vec![
        Change::SetAgent(agent),
        Change::Raise(Raise::of(events::AGENT_STATUS, user.id.0, data)),
    ];
    let plan = Plan::new(changes, move |_| {
        let mut document = answer.clone();
        "doc".clone_into(&mut document.name);
        Answer::of(document)
    });
    Ok(Planned::Once(plan.based_on([Fact::Agent(user.id, known)])))
}

fn number_of(text: &str) -> Result<i64, Refusal> {
    let word = text.to_ascii_lowercase();
    let at = WORDS.iter().position(|known| *known == word).or_else(|| word.parse().ok());
    at.filter(|at| *at < WORDS.len()).and_then(|at| i64::try_from(at).ok()).ok_or_else(|| {
        Refusal::Value {
            field: "status".to_owned(),
            value: text.to_owned(),
            reason: "write ready, aux or offline".to_owned(),
        }
    })
}

/// An agent as plugins see him.
fn seen(user: &User, known: Option<&Agent>) -> plugins::Agent {
    plugins::Agent {
        user: user.id,
        username: user.fields.text("name").to_owned(),
        displayname: displayname(user),
        status: known.map_or(0, |agent| agent.status.number()),
        reason: known.map(|agent| agent.reason.clone()).unwrap_or_default(),
    }
}

/// All of them, as plugins see them.
pub(crate) fn all(snapshot: &mut dyn Snapshot) -> Result<Vec<plugins::Agent>, Refusal> {
    let mut agents = Vec::new();
    for agent in snapshot.agents()? {
        if let Some(user) = snapshot.user(agent.user)? {
            agents.push(seen(&user, Some(&agent)));
        }
    }
    Ok(agents)
}

fn data(agent: &plugins::Agent) -> Value {
    json!({
        "id": agent.user.0,
        "username": agent.username,
        "displayname": agent.displayname,
        "status": agent.status,
        "reason": agent.reason,
    })
}

/// The agent that an event's data describes.
pub(crate) fn of_data(data: &Value) -> Option<plugins::Agent> {
    let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(plugins::Agent {
        user: UserId(data.get("id")?.as_i64()?),
        username: text("username"),
        displayname: text("displayname"),
        status: data.get("status")?.as_i64()?,
        reason: text("reason"),
    })
}
