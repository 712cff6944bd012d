//! `notify.send`: subscribed? has a contact? -> notice, bundle, user -> one task for each module (DESIGN 2).

use crate::addressee::{self, Addressee, Times};
use crate::answer::Answer;
use crate::attachments;
use crate::bundles::{BundleWanted, bundle, has_template};
use crate::caller::Level;
use crate::context::Context;
use crate::function::Request;
use crate::modules::{self, Module, QueueOf};
use crate::notice_xml::{self, Content};
use crate::notices::{self, Notice};
use crate::plan::{Applied, Change, Plan, Planned};
use crate::projects;
use crate::queue_files;
use crate::refusal::Refusal;
use crate::replies;
use crate::users;
use crate::when;
use config::Root;
use notice::{ModuleName, Ms, Priority, Route, TaskId};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use store::{Accepted, Blob, Body, Hash, NewTask, Project, ReplyToken, StoredBody};
use wire::rendering::Bundle;
use wire::xml::Element;

/// How the modules of a send were chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chosen {
    /// The sender named them: what can't be sent ends *never*, in the log.
    Named,
    /// The notice or its templates did: a module that can't reach him is passed over, visibly.
    ByNotice,
}

/// Everything of a send that is the same for all who get it.
pub(crate) struct Sending {
    notice: Notice,
    project: Project,
    modules: Vec<Module>,
    chosen: Chosen,
    notice_xml: String,
    notice_blob: Blob,
    priority: Priority,
    forced: bool,
    times: Times,
    key: Option<String>,
    now: Ms,
    bundles: HashMap<(String, String), Option<Bundled>>,
    /// One for each task made so far, where the notice gives them.
    tokens: Vec<ReplyToken>,
}

/// In whose name it goes out, and by what it is read.
pub(crate) struct Purpose {
    pub(crate) project: Project,
    /// Time zone of `at` and `expires`.
    pub(crate) zone: String,
    /// The module of a bare contact when none is named.
    pub(crate) by_contact: Option<&'static str>,
}

/// A bundle, ready to be stored.
#[derive(Clone)]
struct Bundled {
    blob: Blob,
    bundle: Bundle,
}

/// What became of one module for one addressee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    Task { module: String, contact: String },
    Skipped { module: String, reason: &'static str },
}

/// `notify.send`.
pub(crate) fn send(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let (addressee, project, by_contact) = who(context, request)?;
    let zone = zone_of(&addressee, &project);
    let purpose = Purpose { project, zone, by_contact };
    let mut sending = Sending::prepare(context, request, purpose)?;
    let (tasks, made) = sending.tasks_for(context.root, &addressee)?;
    let mut changes = vec![Change::Enqueue(tasks)];
    changes.extend(sending.take_tokens().into_iter().map(Change::AddReplyToken));
    Ok(Planned::Once(Plan::new(changes, move |applied| sending.answer(applied, &made))))
}

/// The addressee, in whose name, and for a bare contact the module it is for.
fn who(
    context: &mut Context<'_>,
    request: &Request,
) -> Result<(Addressee, Project, Option<&'static str>), Refusal> {
    match (request.given("user"), request.given("to")) {
        (Some(name), None) => context.read(|snapshot| {
            let named = request.given("project").map(|text| projects::find(snapshot, text));
            let named = named.transpose()?;
            let user = users::find(snapshot, name, named.as_ref().map(|project| project.id))?;
            let project = match named {
                Some(project) => project,
                None => projects::find(snapshot, &user.project.to_string())?,
            };
            let subscriptions = snapshot.subscriptions(user.id)?;
            Ok((Addressee::User { user, subscriptions }, project, None))
        }),
        (None, Some(contact)) => {
            let project = context
                .read(|snapshot| projects::named_or_only(snapshot, request.given("project")))?;
            let (addressee, module) = addressee::bare(contact, request.text("lang"))?;
            Ok((addressee, project, Some(module)))
        }
        (Some(_), Some(_)) => Err(Refusal::Conflict {
            operation: "send".to_owned(),
            reason: "both user and to are given; name one of them".to_owned(),
        }),
        (None, None) => Err(Refusal::Missing {
            field: "user".to_owned(),
            remedy: "name a user (id, ext:EXTERNAL_ID, email), or a contact with to=".to_owned(),
        }),
    }
}

fn zone_of(addressee: &Addressee, project: &Project) -> String {
    let own = match addressee {
        Addressee::User { user, .. } => user.fields.text("timezone"),
        Addressee::Contact { .. } => "",
    };
    let zone = if own.is_empty() { project.fields.text("timezone") } else { own };
    zone.to_owned()
}

impl Sending {
    /// Reads the notice, its modules and times, and builds the notice XML.
    pub(crate) fn prepare(
        context: &mut Context<'_>,
        request: &Request,
        purpose: Purpose,
    ) -> Result<Self, Refusal> {
        let project = &purpose.project;
        if project.fields.text("active") == "off" {
            return Err(Refusal::Conflict {
                operation: format!("send for project {}", project.id),
                reason: format!(
                    "it is not active; `gatepost project edit {} active=on` changes that",
                    project.id
                ),
            });
        }
        let notice = notices::load(context.root, request.text("notice"))?;
        let (modules, chosen) = modules_of(context, request, &notice, &purpose)?;
        let attached = request.group("attach");
        if !attached.is_empty() {
            request.require(Level::Super, "attach=")?; // it reads any file that the owner of ROOT may
        }
        let attachments =
            attachments::take(context.root, &attached, context.config.gate.attachments_bytes)?;
        let content = Content {
            notice: &notice.name,
            project,
            xml: request.text("xml"),
            values: &request.extra,
            attachments,
        };
        let notice_xml = notice_xml::build(content)?.to_xml();
        let now = context.now();
        Ok(Self {
            notice_blob: blob_of(notice_xml.as_bytes()),
            notice_xml,
            priority: priority_of(request, &notice)?,
            forced: request.is_on("while_paused"),
            times: times_of(request, now, &purpose.zone)?,
            key: request.given("key").map(str::to_owned),
            bundles: HashMap::new(),
            tokens: Vec::new(),
            notice,
            project: purpose.project,
            modules,
            chosen,
            now,
        })
    }

    /// The same for an event: its notice, in the name of a project, with ready children of the notice
    /// document. A module without a template, or one that can't reach him, is passed over.
    pub(crate) fn of_event(
        (notice, modules): (Notice, Vec<Module>),
        (project, now): (Project, Ms),
        (given, key): (Element, String),
    ) -> Result<Self, Refusal> {
        let values = notice::Fields::new();
        let content = Content {
            notice: &notice.name,
            project: &project,
            xml: &given.to_xml(),
            values: &values,
            attachments: Vec::new(),
        };
        let notice_xml = notice_xml::build(content)?.to_xml();
        Ok(Self {
            notice_blob: blob_of(notice_xml.as_bytes()),
            notice_xml,
            priority: notice.priority,
            forced: false,
            times: Times::default(),
            key: Some(key),
            bundles: HashMap::new(),
            tokens: Vec::new(),
            notice,
            project,
            modules,
            chosen: Chosen::ByNotice,
            now,
        })
    }

    /// How many tasks one addressee makes at most.
    pub(crate) fn modules(&self) -> usize {
        self.modules.len()
    }

    /// The tasks of one addressee, and what became of each module.
    pub(crate) fn tasks_for(
        &mut self,
        root: &Root,
        addressee: &Addressee,
    ) -> Result<(Vec<NewTask>, Vec<Made>), Refusal> {
        let mut tasks = Vec::new();
        let mut made = Vec::new();
        for at in 0..self.modules.len() {
            let module = self.modules[at].clone();
            let name = module.name.to_string();
            if let Some(reason) = self.passed_over(addressee, &module) {
                made.push(Made::Skipped { module: name, reason });
                continue;
            }
            let Some(bundled) = self.bundle(root, addressee, &module)? else {
                made.push(Made::Skipped { module: name, reason: "no_template" });
                continue;
            };
            let contact = addressee.contact(&module).unwrap_or_default().to_owned();
            tasks.push(self.task(root, (addressee, &module), bundled)?);
            made.push(Made::Task { module: name, contact });
        }
        Ok((tasks, made))
    }

    fn passed_over(&self, addressee: &Addressee, module: &Module) -> Option<&'static str> {
        if matches!(addressee, Addressee::User { user, .. } if users::is_archived(user)) {
            return Some("archived");
        }
        let has_inbox = matches!(addressee, Addressee::User { .. });
        if self.notice.email_only && module.name.as_str() != ModuleName::EMAIL {
            return Some("email_only"); // S3-7
        }
        if self.notice.unsubscribable && addressee.left(&self.notice.name, &module.name) {
            return Some("not_subscribed"); // S3-10
        }
        if module.contact.is_none() && !has_inbox {
            return Some("no_inbox");
        }
        let may_skip = self.chosen == Chosen::ByNotice;
        (may_skip && !addressee.is_reached_by(module)).then_some("no_contact")
    }

    fn bundle(
        &mut self,
        root: &Root,
        addressee: &Addressee,
        module: &Module,
    ) -> Result<Option<Bundled>, Refusal> {
        let language = addressee.language().to_owned();
        let known = (module.name.to_string(), language.clone());
        if let Some(bundle) = self.bundles.get(&known) {
            return Ok(bundle.clone());
        }
        let wanted = BundleWanted {
            module: &module.name,
            project: self.project.id,
            languages: [&language, self.project.fields.text("language")],
        };
        let made = bundle(root, &self.notice, &wanted)?;
        let made = made.map(|bundle| Bundled { blob: blob_of(&bundle.to_bytes()), bundle });
        self.bundles.insert(known, made.clone());
        Ok(made)
    }

    fn task(
        &mut self,
        root: &Root,
        (addressee, module): (&Addressee, &Module),
        bundled: Bundled,
    ) -> Result<NewTask, Refusal> {
        let mut user = addressee.element(module, &self.project);
        if let Addressee::User { user: person, .. } = addressee
            && self.notice.reply_token
        {
            let (token, hash) = replies::token()?;
            user.push(Element::new("reply_token").with_text(token));
            self.tokens.push(ReplyToken {
                hash,
                user: person.id,
                notice: self.notice.name.clone(),
                task: TaskId(0),
                made: self.now,
                used: None,
            });
        }
        let body = match module.queue {
            QueueOf::Gatepost => Body::Stored(StoredBody {
                bundle: Some(bundled.blob),
                notice: self.notice_blob.clone(),
                user: user.to_xml(),
                project: Some(self.project.id),
            }),
            QueueOf::Itself => {
                let bytes = queue_files::bytes_of(&bundled.bundle, &self.notice_xml, user);
                Body::File(queue_files::write(root, &bytes.unwrap_or_default(), self.now)?)
            }
        };
        Ok(NewTask {
            module: module.name.clone(),
            body,
            priority: self.priority,
            forced: self.forced,
            route: Route::project(self.project.id),
            object: String::new(),
            follows: None,
            not_before: self.times.not_before,
            expires: self.times.expires,
            key: addressee::key(self.key.as_deref(), addressee, &module.name),
        })
    }

    /// The changes that make the tokens of the tasks good; they stand after the tasks.
    pub(crate) fn take_tokens(&mut self) -> Vec<ReplyToken> {
        std::mem::take(&mut self.tokens)
    }

    fn answer(&self, applied: &Applied, made: &[Made]) -> Answer {
        let mut document = Element::new("doc");
        let new = applied.accepted.iter().filter(|a| matches!(a, Accepted::New(_))).count();
        document.push(Element::new("queued").with_text(new.to_string()));
        let mut accepted = applied.accepted.iter();
        for one in made {
            document.push(match one {
                Made::Task { module, contact } => task_element(accepted.next(), module, contact),
                Made::Skipped { module, reason } => skipped_element(module, reason),
            });
        }
        for (name, said) in &self.times.said {
            document.push(Element::new(*name).with_text(said));
        }
        Answer::of(document)
    }

    /// What was understood of `at` and `expires`.
    pub(crate) fn said(&self) -> Vec<(&'static str, String)> {
        self.times.said.clone()
    }
}

/// `<task>` of an answer: a row of its own, or the first of its key.
pub(crate) fn task_element(accepted: Option<&Accepted>, module: &str, contact: &str) -> Element {
    let (id, duplicate) = match accepted {
        Some(Accepted::New(id)) => (id.to_string(), "off"),
        Some(Accepted::Duplicate(id)) => (id.to_string(), "on"),
        None => (String::new(), "off"),
    };
    Element::new("task")
        .with_attribute("is_json_array", "yes")
        .with_child(Element::new("id").with_text(id))
        .with_child(Element::new("module").with_text(module))
        .with_child(Element::new("contact").with_text(contact))
        .with_child(Element::new("duplicate").with_text(duplicate))
}

fn skipped_element(module: &str, reason: &str) -> Element {
    let words = match reason {
        "not_subscribed" => "the user has left this notice",
        "no_contact" => "the user has no address for this module",
        "archived" => "the user was archived",
        "no_inbox" => "a bare contact has no inbox",
        "email_only" => "this notice goes out by email alone",
        _ => "the notice has no template for this module",
    };
    Element::new("skipped")
        .with_attribute("is_json_array", "yes")
        .with_child(Element::new("module").with_text(module))
        .with_child(Element::new("reason").with_text(reason))
        .with_child(Element::new("text").with_text(words))
}

/// Those named; else those of the notice; else all that have a template for it. A bare contact: its own.
fn modules_of(
    context: &mut Context<'_>,
    request: &Request,
    notice: &Notice,
    purpose: &Purpose,
) -> Result<(Vec<Module>, Chosen), Refusal> {
    let project = &purpose.project;
    let named = request.group("module");
    if !named.is_empty() || purpose.by_contact.is_some() {
        let named = if named.is_empty() { purpose.by_contact.into_iter().collect() } else { named };
        let modules =
            named.iter().map(|name| modules::find(context, name)).collect::<Result<Vec<_>, _>>()?;
        for module in &modules {
            require_template(context.root, notice, module, project)?;
        }
        return Ok((modules, Chosen::Named));
    }
    let usable = modules::usable(context).into_iter();
    let modules: Vec<_> = if notice.modules.is_empty() {
        usable
            .filter(|module| {
                has_template(context.root, &notice.name, module.name.as_str(), project.id)
            })
            .collect()
    } else {
        usable.filter(|module| notice.modules.contains(&module.name)).collect()
    };
    Ok((modules, Chosen::ByNotice))
}

fn require_template(
    root: &Root,
    notice: &Notice,
    module: &Module,
    project: &Project,
) -> Result<(), Refusal> {
    if notice.email_only && module.name.as_str() != ModuleName::EMAIL
        || has_template(root, &notice.name, module.name.as_str(), project.id)
    {
        return Ok(());
    }
    Err(Refusal::NotFound {
        noun: "template",
        value: format!("{} for {}", notice.name, module.name),
        remedy: format!(
            "put one into templates/{}/, like en.{}.text.ejs",
            notice.name, module.name
        ),
    })
}

fn priority_of(request: &Request, notice: &Notice) -> Result<Priority, Refusal> {
    let Some(text) = request.given("priority") else { return Ok(notice.priority) };
    text.parse().map_err(|error: notice::InvalidPriority| Refusal::Value {
        field: "priority".to_owned(),
        value: text.to_owned(),
        reason: error.to_string(),
    })
}

/// `at` and `expires`; what is past the end already is refused.
pub(crate) fn times_of(request: &Request, now: Ms, zone: &str) -> Result<Times, Refusal> {
    let mut times = Times::default();
    if let Some(text) = request.given("at") {
        let moment = when::read("at", text, now, zone)?;
        times.not_before = Some(moment.at).filter(|at| *at > now);
        times.said.push(("at", moment.understood));
    }
    if let Some(text) = request.given("expires") {
        let moment = when::read("expires", text, now, zone)?;
        if moment.at <= times.not_before.unwrap_or(now) {
            return Err(Refusal::Value {
                field: "expires".to_owned(),
                value: text.to_owned(),
                reason: format!("{} is past before it could be sent", moment.understood),
            });
        }
        times.expires = Some(moment.at);
        times.said.push(("expires", moment.understood));
    }
    Ok(times)
}

fn blob_of(bytes: &[u8]) -> Blob {
    Blob { hash: Hash(Sha256::digest(bytes).into()), bytes: Arc::from(bytes) }
}
