//! Accounts: what clients have paid and owe; `user.account` names one.

use crate::answer::Answer;
use crate::context::Context;
use crate::events::{self, Notices, Raise};
use crate::function::{Asked, Request};
use crate::money;
use crate::plan::{Applied, Change, Fact, Plan, Planned};
use crate::projects;
use crate::refusal::Refusal;
use notice::AccountId;
use serde_json::{Value, json};
use store::{Account, NewPayment, Paid, Snapshot, User, UserFilter};
use wire::xml::Element;

/// Rows of a list when `limit` is not given.
const LIST_ROWS: u32 = 100;
/// Most users of one account that hear of its balance.
const HOLDERS: u32 = 100;

/// `account`: lists.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let limit = request.number("limit").and_then(|n| u32::try_from(n).ok()).unwrap_or(LIST_ROWS);
    let after = request.number("after").map(AccountId);
    let rows = context.read(|snapshot| {
        let project = match request.given("project") {
            Some(text) => Some(projects::find(snapshot, text)?.id),
            None => None,
        };
        Ok(match request.number("id") {
            Some(id) => snapshot.account(AccountId(id))?.into_iter().collect(),
            None => snapshot.accounts(project, after, limit)?,
        })
    })?;
    Ok(Planned::Answer(Answer::list(rows.iter().map(element))))
}

/// `account.edit`: shows, changes, creates. The balance is changed by `payment.add` alone.
pub(crate) fn edit(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let elid = match request.asked() {
        Asked::Show("") => return Ok(Planned::Answer(Answer::of(as_document(&blank())))),
        Asked::Show(elid) => {
            let account = context.read(|snapshot| find(snapshot, elid))?;
            return Ok(Planned::Answer(Answer::of(as_document(&account))));
        }
        Asked::Change(elid) => Some(elid),
        Asked::Create => None,
    };
    let known = match elid {
        Some(elid) => Some(context.read(|snapshot| find(snapshot, elid))?),
        None => None,
    };
    let mut account = if let Some(account) = &known {
        account.clone()
    } else {
        let project = request.given("project");
        let project = context.read(|snapshot| projects::named_or_only(snapshot, project))?;
        Account { project: project.id, ..blank() }
    };
    for (name, column) in [("name", &mut account.name), ("note", &mut account.note)] {
        if let Some(value) = request.given.get(name) {
            value.clone_into(column);
        }
    }
    let kind = if known.is_some() { events::ACCOUNTS_UPDATE } else { events::ACCOUNTS_CREATE };
    let raise = Raise::of_saved(kind, 0, data(&account)).quiet(request);
    let facts = known.map(|known| Fact::Account(known.id, Some(known)));
    let changes = vec![Change::SaveAccount(account), Change::Raise(raise)];
    Ok(Planned::Once(Plan::new(changes, saved).based_on(facts)))
}

/// `account.delete`: payments go with it; users who name it keep the number.
pub(crate) fn delete(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let names = request.group("elid");
    let accounts = context.read(|snapshot| {
        names.iter().map(|name| find(snapshot, name)).collect::<Result<Vec<_>, _>>()
    })?;
    let mut changes = Vec::new();
    for account in &accounts {
        let raise = Raise::of(events::ACCOUNTS_DELETE, account.id.0, events::nothing());
        changes.push(Change::DeleteAccount(account.id));
        changes.push(Change::Raise(raise.quiet(request)));
    }
    let facts: Vec<_> =
        accounts.into_iter().map(|account| Fact::Account(account.id, Some(account))).collect();
    Ok(Planned::Once(Plan::new(changes, |_| Answer::ok()).based_on(facts)))
}

/// `payment.add`: changes a balance; the clients of the account hear of a crossing.
pub(crate) fn pay(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let amount = money::read("amount", request.text("amount"))?;
    let now = context.now();
    let (account, holders) = context.read(|snapshot| {
        let account = find(snapshot, request.text("account"))?;
        let field = Some(("account".to_owned(), account.id.to_string()));
        let filter = UserFilter { field, ..UserFilter::default() };
        let users = snapshot.users(&filter, None, HOLDERS)?;
        Ok((account, users))
    })?;
    let payment = NewPayment {
        account: account.id,
        amount,
        at: now,
        key: request.given("key").map(str::to_owned),
        comment: request.text("comment").to_owned(),
    };
    let holders = holders.iter().map(|user| user.id).collect();
    let changes = vec![Change::Pay(payment, holders, Notices::of(request))];
    Ok(Planned::Once(Plan::new(changes, move |applied| match applied.paid {
        Some(Paid::New { id, after, .. }) => paid(id, after, "off"),
        Some(Paid::Duplicate(id) | Paid::Other(id)) => paid(id, account.balance, "on"),
        None => Answer::ok(),
    })))
}

/// `payment`: the payments of an account, from the newest down.
pub(crate) fn payments(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let limit = request.number("limit").and_then(|n| u32::try_from(n).ok()).unwrap_or(LIST_ROWS);
    let before = request.number("before");
    let rows = context.read(|snapshot| {
        let account = find(snapshot, request.text("account"))?;
        Ok(snapshot.payments(account.id, before, limit)?)
    })?;
    Ok(Planned::Answer(Answer::list(rows.iter().map(|row| {
        let columns = [
            ("id", row.id.to_string()),
            ("at", crate::when::shown(row.payment.at)),
            ("amount", money::shown(row.payment.amount)),
            ("key", row.payment.key.clone().unwrap_or_default()),
            ("comment", row.payment.comment.clone()),
        ];
        columns.into_iter().fold(Element::new("elem"), |element, (name, value)| {
            element.with_child(Element::new(name).with_text(value))
        })
    }))))
}

fn paid(id: i64, balance: i64, duplicate: &str) -> Answer {
    Answer::of(
        Element::new("doc")
            .with_child(Element::new("id").with_text(id.to_string()))
            .with_child(Element::new("balance").with_text(money::shown(balance)))
            .with_child(Element::new("duplicate").with_text(duplicate)),
    )
}

fn saved(applied: &Applied) -> Answer {
    let id = applied.ids.first().copied().unwrap_or_default();
    Answer::of(Element::new("doc").with_child(Element::new("id").with_text(id.to_string())))
}

fn blank() -> Account {
    Account {
        id: AccountId(0),
        project: notice::ProjectId(0),
        name: String::new(),
        note: String::new(),
        balance: 0,
    }
}

fn data(account: &Account) -> Value {
    json!({
        "id": account.id.0,
        "project": account.project.0,
        "name": account.name,
        "note": account.note,
        "balance": money::shown(account.balance),
    })
}

fn element(account: &Account) -> Element {
    let columns = [
        ("id", account.id.to_string()),
        ("project", account.project.to_string()),
        ("name", account.name.clone()),
        ("note", account.note.clone()),
        ("balance", money::shown(account.balance)),
    ];
    columns.into_iter().fold(Element::new("elem"), |element, (name, value)| {
        element.with_child(Element::new(name).with_text(value))
    })
}

fn as_document(account: &Account) -> Element {
    let mut document = element(account);
    "doc".clone_into(&mut document.name);
    document
}

/// The account of that number, or of that user (`user:U`).
pub(crate) fn find(snapshot: &mut dyn Snapshot, text: &str) -> Result<Account, Refusal> {
    let number = match text.strip_prefix("user:") {
        Some(user) => of_user(&crate::users::find(snapshot, user, None)?),
        None => text.parse().ok().map(AccountId),
    };
    let found = match number {
        Some(id) => snapshot.account(id)?,
        None => None,
    };
    found.ok_or_else(|| Refusal::NotFound {
        noun: "account",
        value: text.to_owned(),
        remedy: "name it by its number, or as user:U; `gatepost func account` lists them"
            .to_owned(),
    })
}

/// The account a user names.
pub(crate) fn of_user(user: &User) -> Option<AccountId> {
    user.fields.text("account").parse().ok().map(AccountId)
}
