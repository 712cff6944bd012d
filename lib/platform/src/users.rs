//! Users: who gets notices.

use crate::added_fields::{self, AddedField};
use crate::answer::Answer;
use crate::caller::Level;
use crate::context::Context;
use crate::events::{self, Raise};
use crate::function::{Asked, Request, line};
use crate::plan::{Access, Applied, Change, Fact, Plan, Planned};
use crate::refusal::{Refusal, nearest};
use crate::{passwords, projects, sessions};
use notice::{Fields, ProjectId, UserId};
use store::{Snapshot, USER_FIELDS, User, UserFilter};
use wire::xml::Element;

/// Rows of a list when `limit` is not given.
const LIST_ROWS: u32 = 100;

/// `user`: lists, filtered by its parameters; `after` pages.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let limit = request.number("limit").and_then(|n| u32::try_from(n).ok()).unwrap_or(LIST_ROWS);
    let after = request.number("after").map(UserId);
    let users = context.read(|snapshot| {
        let filter = filter(snapshot, request)?;
        if let Some(id) = request.number("id") {
            return Ok(snapshot.user(UserId(id))?.into_iter().collect());
        }
        Ok(snapshot.users(&filter, after, limit)?)
    })?;
    Ok(Planned::Answer(Answer::list(users.iter().map(element))))
}

/// The filter that the parameters of a call name: project, `external_id`, and at most one column.
pub(crate) fn filter(
    snapshot: &mut dyn Snapshot,
    request: &Request,
) -> Result<UserFilter, Refusal> {
    let project = match request.given("project") {
        Some(text) => Some(projects::find(snapshot, text)?.id),
        None => None,
    };
    let added = snapshot.user_columns()?;
    let known = || USER_FIELDS.iter().copied().chain(added.iter().map(String::as_str));
    if let Some((name, _)) = request.extra.iter().find(|(name, _)| !known().any(|one| one == *name))
    {
        return Err(Refusal::NoParameter {
            function: request.function.name.to_owned(),
            name: name.to_owned(),
            nearest: nearest(name, known()),
        });
    }
    let mut fields = known()
        .filter_map(|name| {
            let value = request.given(name).or_else(|| request.extra.get(name));
            value.map(|value| (name.to_owned(), value.to_owned()))
        })
        .collect::<Vec<_>>();
    if fields.len() > 1 {
        return Err(Refusal::Value {
            field: fields[1].0.clone(),
            value: fields[1].1.clone(),
            reason: "a list is filtered by project, external_id and one more column".to_owned(),
        });
    }
    Ok(UserFilter {
        project,
        external_id: request.given("external_id").map(str::to_owned),
        field: fields.pop(),
    })
}

/// `user.edit`: shows, changes, creates; with a known `external_id` a creation is a change (upsert).
pub(crate) fn edit(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let added = added_fields::read(context.root, context.config)?;
    match request.asked() {
        Asked::Show("") => {
            let blank = blank(ProjectId(0), &added);
            Ok(Planned::Answer(Answer::of(as_document(&blank))))
        }
        Asked::Show(elid) => {
            let user = context.read(|snapshot| find(snapshot, elid, None))?;
            Ok(Planned::Answer(Answer::of(as_document(&user))))
        }
        Asked::Change(elid) => {
            let user = context.read(|snapshot| find(snapshot, elid, None))?;
            plan_save(context, request, &added, Some(&user))
        }
        Asked::Create => {
            let known = context.read(|snapshot| known_external(snapshot, request))?;
            plan_save(context, request, &added, known.as_ref())
        }
    }
}

fn known_external(snapshot: &mut dyn Snapshot, request: &Request) -> Result<Option<User>, Refusal> {
    let Some(external_id) = request.given("external_id") else { return Ok(None) };
    let project = projects::named_or_only(snapshot, request.given("project"))?.id;
    by_external_id(snapshot, project, external_id)
}

pub(crate) fn by_external_id(
    snapshot: &mut dyn Snapshot,
    project: ProjectId,
    external_id: &str,
) -> Result<Option<User>, Refusal> {
    let filter = UserFilter {
        project: Some(project),
        external_id: Some(external_id.to_owned()),
        field: None,
    };
    Ok(snapshot.users(&filter, None, 1)?.pop())
}

fn plan_save(
    context: &mut Context<'_>,
    request: &Request,
    added: &[AddedField],
    known: Option<&User>,
) -> Result<Planned, Refusal> {
    let mut values = Fields::new();
    for name in USER_FIELDS {
        if let Some(value) = request.given.get(name) {
            values.set(name, value);
        }
    }
    for (name, value) in request.extra.iter() {
        values.set(name, value);
    }
    let project = context.read(|snapshot| match (request.given("project"), known) {
        (None, Some(user)) => Ok(user.project),
        (text, _) => Ok(projects::named_or_only(snapshot, text)?.id),
    })?;
    let mut user = known.cloned().unwrap_or_else(|| blank(project, added));
    user.project = project;
    if let Some(external_id) = request.given("external_id") {
        user.external_id = Some(external_id.to_owned());
    }
    fill(&mut user, &values, added)?;
    refuse_empty(&user)?;
    refuse_above(request, &user, known)?;
    let mut changes = context.read(|snapshot| missing_columns(snapshot, added))?;
    let facts = facts_of(context, &user, known.cloned())?;
    changes.push(Change::SaveUser(user.clone()));
    changes.extend(password_changes(request, &user, known)?);
    changes.extend(events_of(&user, known).map(|raise| Change::Raise(raise.quiet(request))));
    Ok(Planned::Once(Plan::new(changes, saved).based_on(facts)))
}

/// Nobody makes or changes somebody who may more than himself.
fn refuse_above(request: &Request, user: &User, known: Option<&User>) -> Result<(), Refusal> {
    let level = user.fields.text("level");
    let changed = known.is_none_or(|known| known.fields.text("level") != level);
    if changed && Level::read(level).is_none() {
        let words: Vec<_> = Level::ALL.iter().map(|level| level.word()).collect();
        return Err(refused("level", level, format!("write one of {}", words.join(", "))));
    }
    let wanted = known.map_or(Level::Nobody, sessions::level_of).max(sessions::level_of(user));
    request.require(wanted, "of a user who may that much")
}

/// A new password, and the end of the sessions that the old one, or the old level, has opened.
fn password_changes(
    request: &Request,
    user: &User,
    known: Option<&User>,
) -> Result<Vec<Change>, Refusal> {
    let mut changes = Vec::new();
    let password = request.given("passwd");
    if let Some(password) = password {
        let hash = passwords::hash(password)?;
        changes.push(Change::Access(Access::SetPassword(known.map(|known| known.id), Some(hash))));
    }
    let Some(known) = known else { return Ok(changes) };
    if password.is_some() || sessions::level_of(known) != sessions::level_of(user) {
        changes.push(Change::Access(Access::SignOutUser(known.id)));
    }
    Ok(changes)
}

/// `clients.create`; `clients.update`; and `clients.custom_fields.update` when a field of somebody's own
/// changes, alone if nothing else does.
pub(crate) fn events_of(user: &User, known: Option<&User>) -> impl Iterator<Item = Raise> {
    let data = events::client(user);
    let raise = move |kind| Raise::of_saved(kind, 0, data.clone());
    let kinds = match known {
        None => vec![events::CLIENTS_CREATE],
        Some(known) => {
            let changed = |(name, value): (&str, &str)| known.fields.text(name) != value;
            let is_own = |name: &str| !USER_FIELDS.contains(&name);
            let own = user.fields.iter().any(|field| is_own(field.0) && changed(field));
            let others = known.external_id != user.external_id
                || known.project != user.project
                || user.fields.iter().any(|field| !is_own(field.0) && changed(field));
            match (own, others) {
                (true, false) => vec![events::CUSTOM_FIELDS],
                (true, true) => vec![events::CLIENTS_UPDATE, events::CUSTOM_FIELDS],
                // Saved as he was is saved all the same: who waits for the call hears of it.
                (false, _) => vec![events::CLIENTS_UPDATE],
            }
        }
    };
    kinds.into_iter().map(raise)
}

/// What the saved row rests on: the row as it was, and nobody else with its external id.
fn facts_of(
    context: &mut Context<'_>,
    user: &User,
    known: Option<User>,
) -> Result<Vec<Fact>, Refusal> {
    let mut facts = Vec::new();
    if let Some(external_id) = &user.external_id {
        let holder = context
            .read(|snapshot| by_external_id(snapshot, user.project, external_id))?
            .map(|holder| holder.id);
        if let Some(other) = holder.filter(|other| *other != user.id) {
            return Err(Refusal::Exists {
                noun: "user",
                id: other.0,
                field: "external_id",
                value: external_id.clone(),
            });
        }
        facts.push(Fact::ExternalId(user.project, external_id.clone(), holder));
    }
    facts.extend(known.map(|known| Fact::User(known.id, Some(known))));
    Ok(facts)
}

fn saved(applied: &Applied) -> Answer {
    let id = applied.ids.first().copied().unwrap_or_default();
    Answer::of(Element::new("doc").with_child(Element::new("id").with_text(id.to_string())))
}

/// A user without values.
pub(crate) fn blank(project: ProjectId, added: &[AddedField]) -> User {
    let fixed = USER_FIELDS.iter().map(|name| ((*name).to_owned(), String::new()));
    let fields = fixed.chain(added.iter().map(|field| (field.name.clone(), field.default.clone())));
    User { id: UserId(0), project, external_id: None, fields: fields.collect() }
}

/// Puts checked values into a user.
pub(crate) fn fill(user: &mut User, values: &Fields, added: &[AddedField]) -> Result<(), Refusal> {
    for (name, value) in values.iter() {
        let extra = added.iter().find(|field| field.name == name);
        if !USER_FIELDS.contains(&name) && extra.is_none() {
            let known = USER_FIELDS.iter().copied().chain(added.iter().map(|f| f.name.as_str()));
            return Err(Refusal::NoParameter {
                function: "user.edit".to_owned(),
                name: name.to_owned(),
                nearest: nearest(name, known),
            });
        }
        let value = value.trim();
        line(name, value)?;
        if let Some(limit) = extra.and_then(|field| field.size).filter(|size| value.len() > *size) {
            return Err(refused(name, value, format!("the column takes {limit} bytes")));
        }
        user.fields.set(name, checked(name, value)?);
    }
    Ok(())
}

fn checked(name: &str, value: &str) -> Result<String, Refusal> {
    if value.is_empty() {
        return Ok(String::new());
    }
    match name {
        "email" if !is_email(value) => {
            Err(refused(name, value, "write an address like `name@example.com`".to_owned()))
        }
        "language" if !crate::function::is_language(value) => {
            Err(refused(name, value, "write a language tag like `ru` or `pt-BR`".to_owned()))
        }
        "timezone" => crate::when::time_zone(name, value).map(|_| value.to_owned()),
        _ => Ok(value.to_owned()),
    }
}

fn refused(field: &str, value: &str, reason: String) -> Refusal {
    Refusal::Value { field: field.to_owned(), value: value.to_owned(), reason }
}

/// Something before and after one `@`, no white space: whether the mailbox exists, the server says.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    !local.is_empty()
        && !domain.is_empty()
        && text.len() <= 254
        && !text.chars().any(|letter| letter.is_whitespace() || matches!(letter, '<' | '>' | ','))
}

pub(crate) fn refuse_empty(user: &User) -> Result<(), Refusal> {
    let named =
        user.external_id.is_some() || user.fields.iter().any(|(_, value)| !value.is_empty());
    if named {
        return Ok(());
    }
    Err(Refusal::Missing {
        field: "name".to_owned(),
        remedy: "give at least a name, a contact or an external_id".to_owned(),
    })
}

/// Columns that etc/sql describes and the table doesn't have yet (S3-59).
pub(crate) fn missing_columns(
    snapshot: &mut dyn Snapshot,
    added: &[AddedField],
) -> Result<Vec<Change>, Refusal> {
    let there = snapshot.user_columns()?;
    let missing = added.iter().filter(|field| !there.contains(&field.name));
    Ok(missing.map(|field| Change::AddUserColumn(field.name.clone())).collect())
}

/// `user.delete`; with `archive=on` he stays, marked, without a password, and gets nothing any more.
pub(crate) fn delete(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let names = request.group("elid");
    let users = context.read(|snapshot| {
        names.iter().map(|name| find(snapshot, name, None)).collect::<Result<Vec<_>, _>>()
    })?;
    let mut changes = Vec::new();
    if request.is_on("archive") {
        changes.push(Change::AddUserColumn(ARCHIVED.to_owned()));
    }
    for user in &users {
        request.require(sessions::level_of(user), "of a user who may that much")?;
        let is_kept = request.is_on("archive");
        let reason = if is_kept { "its user was archived" } else { "its user was deleted" };
        changes.push(Change::EndTasksOf(user.id, reason));
        let kind = if is_kept {
            let mut archived = user.clone();
            archived.fields.set(ARCHIVED, "on");
            changes.push(Change::SaveUser(archived));
            changes.push(Change::Access(Access::SetPassword(Some(user.id), None)));
            changes.push(Change::Access(Access::SignOutUser(user.id)));
            events::CLIENTS_ARCHIVE
        } else {
            changes.push(Change::DeleteUser(user.id));
            events::CLIENTS_DELETE
        };
        let raise = Raise::of(kind, user.id.0, events::nothing());
        changes.push(Change::Raise(raise.quiet(request)));
    }
    let facts: Vec<_> = users.into_iter().map(|user| Fact::User(user.id, Some(user))).collect();
    Ok(Planned::Once(Plan::new(changes, |_| Answer::ok()).based_on(facts)))
}

/// The column of those who are kept and no longer served.
const ARCHIVED: &str = "archived";

/// True for a user who was archived.
pub(crate) fn is_archived(user: &User) -> bool {
    user.fields.text(ARCHIVED) == "on"
}

/// The user U: an id, `ext:EXTERNAL_ID`, an email, else a name (DESIGN 9). Several: refused with them.
pub(crate) fn find(
    snapshot: &mut dyn Snapshot,
    text: &str,
    project: Option<ProjectId>,
) -> Result<User, Refusal> {
    if let Ok(id) = text.parse::<UserId>() {
        return snapshot.user(id)?.ok_or_else(|| not_found(text));
    }
    let filter = if let Some(external_id) = text.strip_prefix("ext:") {
        UserFilter { project, external_id: Some(external_id.to_owned()), field: None }
    } else {
        let column = if text.contains('@') { "email" } else { "name" };
        let field = Some((column.to_owned(), text.to_owned()));
        UserFilter { project, external_id: None, field }
    };
    let mut users = snapshot.users(&filter, None, 10)?;
    match users.len() {
        0 => Err(not_found(text)),
        1 => Ok(users.remove(0)),
        _ => Err(Refusal::Ambiguous {
            noun: "user",
            value: text.to_owned(),
            candidates: users
                .iter()
                .map(|user| {
                    format!("{} {} (project {})", user.id, user.fields.text("name"), user.project)
                })
                .collect(),
        }),
    }
}

fn not_found(text: &str) -> Refusal {
    Refusal::NotFound {
        noun: "user",
        value: text.to_owned(),
        remedy: "name him by his id, ext:EXTERNAL_ID or email; `gatepost user list` shows them"
            .to_owned(),
    }
}

/// `<user>` with every column: the row of a list, and the snapshot a task carries.
pub(crate) fn element(user: &User) -> Element {
    let mut element = Element::new("user")
        .with_child(Element::new("id").with_text(user.id.to_string()))
        .with_child(Element::new("project").with_text(user.project.to_string()));
    if let Some(external_id) = &user.external_id {
        element.push(Element::new("external_id").with_text(external_id));
    }
    projects::with_fields(element, &user.fields)
}

fn as_document(user: &User) -> Element {
    let mut document = element(user);
    "doc".clone_into(&mut document.name);
    document
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn the_three_way_rule_shows_changes_and_creates() {
        // S0-35 .. S0-38
        let mut bench = Bench::with_user();
        assert_eq!(bench.ok("user.edit", &[("elid", "1")]).text("name"), "bob");
        assert_eq!(bench.ok("user.edit", &[]).text("name"), "");
        bench.ok("user.edit", &[("sok", "yes"), ("elid", "bob"), ("phone", "8")]);
        let changed = bench.ok("user.edit", &[("elid", "bob@example.com")]);
        assert_eq!((changed.text("phone"), changed.text("name")), ("8".into(), "bob".into()));
        let made = bench.ok("user.edit", &[("sok", "ok"), ("name", "al")]);
        assert_eq!(made.text("id"), "2");
        assert_eq!(bench.ok("user", &[]).rows().count(), 2);
    }

    #[test]
    fn an_external_id_upserts_within_its_project() {
        let mut bench = Bench::with_user();
        bench.ok("user.add", &[("external_id", "B-1"), ("name", "robert")]);
        assert_eq!(bench.ok("user.edit", &[("elid", "ext:B-1")]).text("name"), "robert");
        assert_eq!(bench.ok("user", &[]).rows().count(), 1);
        bench.ok("project.add", &[("name", "Other")]);
        bench.ok("user.add", &[("external_id", "B-1"), ("project", "Other"), ("name", "x")]);
        assert_eq!(bench.ok("user", &[]).rows().count(), 2);
        let several = bench.refused("user.edit", &[("elid", "ext:B-1")]);
        assert!(several.contains("1 robert (project 1), 2 x (project 2)"), "{several}");
    }

    #[test]
    fn a_group_is_deleted_at_once_or_not_at_all() {
        // S0-39
        let mut bench = Bench::with_user();
        bench.ok("user.add", &[("name", "al")]);
        bench.ok("user.add", &[("name", "carol")]);
        let refused = bench.refused("user.delete", &[("elid", "bob, nobody")]);
        assert!(refused.contains("no user `nobody`"), "{refused}");
        assert_eq!(bench.ok("user", &[]).rows().count(), 3);
        bench.ok("user.delete", &[("elid", "bob, al, carol")]);
        assert_eq!(bench.ok("user", &[]).rows().count(), 0);
    }

    #[test]
    fn a_module_adds_a_contact_field() {
        // S3-58, S3-59
        let mut bench = Bench::with_user();
        assert!(bench.refused("user.add", &[("jabber", "x")]).contains("no parameter `jabber`"));
        bench.write("etc/sql/billmgr.user.addon/jabber", "type=string\nsize=10\n");
        bench.ok("user.edit", &[("sok", "ok"), ("elid", "1"), ("jabber", "bob@j")]);
        assert_eq!(bench.ok("user.edit", &[("elid", "1")]).text("jabber"), "bob@j");
        assert_eq!(bench.ok("user", &[("jabber", "bob@j")]).rows().count(), 1);
        let long = bench.refused("user.add", &[("jabber", "12345678901")]);
        assert!(long.contains("10 bytes"), "{long}");
    }

    #[test]
    fn hostile_values_are_refused_with_their_place() {
        let mut bench = Bench::with_user();
        for (name, value) in [
            ("name", "a\nb"),
            ("email", "nobody"),
            ("email", "a@b\r\nBcc: c@d"),
            ("language", "klingon!"),
            ("timezone", "Mars/Base"),
            ("phone", "1\u{0}2"),
        ] {
            let refused = bench.refused("user.add", &[(name, value)]);
            assert!(refused.contains(&format!("`{name}`")), "{refused}");
        }
        assert!(bench.refused("user", &[("nmae", "x")]).contains("did you mean `name`?"));
        assert!(bench.refused("user.add", &[]).contains("at least a name"));
        assert!(bench.refused("user.add", &[("nmae", "x")]).contains("did you mean `name`?"));
    }
}
