//! `notify.mass`: one notice to many users, page by page, each page one transaction.

use crate::addressee::Addressee;
use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::plan::{Applied, Change, Pages, Plan, Planned};
use crate::projects;
use crate::refusal::{Refusal, nearest};
use crate::sending::{Made, Purpose, Sending};
use notice::UserId;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use store::{Accepted, USER_FIELDS, User, UserFilter};
use wire::xml::Element;

/// Rows of one transaction.
const PAGE_ROWS: usize = 100;

/// What was passed over, by reason.
type Skipped = Rc<RefCell<BTreeMap<&'static str, u64>>>;

/// Walks over the users.
struct Walk {
    sending: Sending,
    filter: UserFilter,
    language: Option<String>,
    after: Option<UserId>,
    page_users: u32,
    skipped: Skipped,
}

/// `notify.mass`.
pub(crate) fn mass(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let project =
        context.read(|snapshot| projects::named_or_only(snapshot, request.given("project")))?;
    let filter = filter_of(request, &project)?;
    if let Some((column, _)) = &filter.field {
        refuse_unknown_column(context, column)?;
    }
    let zone = project.fields.text("timezone").to_owned();
    let purpose = Purpose { project, zone, by_contact: None };
    let sending = Sending::prepare(context, request, purpose)?;
    let skipped = Skipped::default();
    let said = sending.said();
    let mut walk = Walk {
        page_users: u32::try_from(PAGE_ROWS / sending.modules().max(1)).unwrap_or(1).max(1),
        sending,
        filter,
        language: request.given("language").map(str::to_owned),
        after: None,
        skipped: Rc::clone(&skipped),
    };
    Ok(Planned::Pages(Pages {
        next: Box::new(move |context| walk.next(context)),
        answer: Box::new(move |applied| answer(applied, &skipped.borrow(), &said)),
    }))
}

/// Of the project, and `where=COLUMN=VALUE`.
fn filter_of(request: &Request, project: &store::Project) -> Result<UserFilter, Refusal> {
    let field = match request.given("where") {
        None => None,
        Some(text) => match text.split_once('=') {
            Some((column, value)) if !column.is_empty() => {
                Some((column.trim().to_owned(), value.trim().to_owned()))
            }
            _ => {
                return Err(Refusal::Value {
                    field: "where".to_owned(),
                    value: text.to_owned(),
                    reason: "write COLUMN=VALUE, like `level=16`".to_owned(),
                });
            }
        },
    };
    Ok(UserFilter { project: Some(project.id), external_id: None, field })
}

fn refuse_unknown_column(context: &mut Context<'_>, column: &str) -> Result<(), Refusal> {
    let added = context.read(|snapshot| Ok(snapshot.user_columns()?))?;
    let known = || USER_FIELDS.iter().copied().chain(added.iter().map(String::as_str));
    if known().any(|name| name == column) {
        return Ok(());
    }
    Err(Refusal::Value {
        field: "where".to_owned(),
        value: column.to_owned(),
        reason: format!("users have no such column{}", nearest(column, known())),
    })
}

impl Walk {
    /// The next page that has tasks.
    fn next(&mut self, context: &mut Context<'_>) -> Result<Option<Plan>, Refusal> {
        loop {
            let (filter, after, limit) = (self.filter.clone(), self.after, self.page_users);
            let users = context.read(|snapshot| {
                let users = snapshot.users(&filter, after, limit)?;
                users
                    .into_iter()
                    .map(|user| Ok((snapshot.subscriptions(user.id)?, user)))
                    .collect::<Result<Vec<_>, Refusal>>()
            })?;
            let Some((_, last)) = users.last() else { return Ok(None) };
            self.after = Some(last.id);
            let mut tasks = Vec::new();
            let language = self.language.clone();
            let wanted = |user: &User| {
                language.as_ref().is_none_or(|wanted| wanted == user.fields.text("language"))
            };
            for (subscriptions, user) in users.into_iter().filter(|(_, user)| wanted(user)) {
                let addressee = Addressee::User { user, subscriptions };
                let (more, made) = self.sending.tasks_for(context.root, &addressee)?;
                tasks.extend(more);
                self.count(&made);
            }
            if !tasks.is_empty() {
                let mut changes = vec![Change::Enqueue(tasks)];
                changes.extend(self.sending.take_tokens().into_iter().map(Change::AddReplyToken));
                return Ok(Some(Plan::new(changes, |_| Answer::ok())));
            }
        }
    }

    fn count(&self, made: &[Made]) {
        for one in made {
            if let Made::Skipped { reason, .. } = one {
                *self.skipped.borrow_mut().entry(reason).or_default() += 1;
            }
        }
    }
}

fn answer(
    applied: &Applied,
    skipped: &BTreeMap<&'static str, u64>,
    said: &[(&'static str, String)],
) -> Answer {
    let new = applied.accepted.iter().filter(|one| matches!(one, Accepted::New(_))).count();
    let duplicates = applied.accepted.len() - new;
    let mut document = Element::new("doc")
        .with_child(Element::new("queued").with_text(new.to_string()))
        .with_child(Element::new("duplicates").with_text(duplicates.to_string()));
    for (reason, count) in skipped {
        document.push(
            Element::new("skipped")
                .with_attribute("is_json_array", "yes")
                .with_child(Element::new("reason").with_text(*reason))
                .with_child(Element::new("count").with_text(count.to_string())),
        );
    }
    for (name, words) in said {
        document.push(Element::new(*name).with_text(words));
    }
    Answer::of(document)
}
