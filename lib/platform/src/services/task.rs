//! The task of a service: what stands in its body, what its program gets (extensions 1.2), and what its answer
//! changes. Whoever drains the queue asks here; nothing is started from here.

use super::operation::ServiceOperation;
use super::rows;
use crate::projects;
use config::{Place, Root, Vault};
use notice::{Answer, Fields, Mask, Ms, Outcome, Secret, ServiceId};
use store::{
    Effect, ItemParam, NewEvent, ParamKind, Processing, Product, Project, Service, ServiceParam,
    Store, StoreError,
};
use wire::outgoing::TaskAttributes;
use wire::params::{read_xmlparams, xmlparams_text};
use wire::xml::{Document, Element};

/// The name of the sealed field of a service.
pub(crate) const PASSWORD: &str = "password";

/// What the body of a processing task says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceTask {
    /// What is to be done.
    pub operation: ServiceOperation,
    /// To which service.
    pub service: ServiceId,
    /// Ordered values that hold once it is done (S1-37).
    pub params: Vec<ServiceParam>,
}

impl ServiceTask {
    /// Reads the body; None: it is none of ours.
    pub fn read(body: &[u8]) -> Option<Self> {
        let root = Document::parse(body).ok()?.root;
        let param = |element: &Element| {
            let kind = ParamKind::from_word(&element.name)?;
            let name = element.attribute("name")?.to_owned();
            Some(ServiceParam { kind, name, value: element.text() })
        };
        Some(Self {
            operation: ServiceOperation::from_command(root.attribute("command")?)?,
            service: root.attribute("service")?.parse().ok()?,
            params: root.elements().filter_map(param).collect(),
        })
    }

    /// The body.
    pub fn to_bytes(&self) -> Vec<u8> {
        let root = Element::new("doc")
            .with_attribute("command", self.operation.command())
            .with_attribute("service", self.service.to_string());
        let root = self.params.iter().fold(root, |root, param| root.with_child(element(param)));
        Document::new(root).to_bytes()
    }

    /// What it is about, for the log: `service.open`.
    pub fn subject(&self) -> String {
        format!("service.{}", self.operation.command())
    }
}

/// A claimed task, as far as its program is told of it.
pub struct ServiceTurn<'a> {
    /// The body.
    pub body: &'a [u8],
    /// Number, key, attempt.
    pub task: TaskAttributes<'a>,
    /// The user as of the order: an element `<user>`; may be empty.
    pub user_xml: &'a str,
}

/// A program of `processing/` and what it is to be given.
pub struct ServiceCall {
    /// Its file name in `processing/`.
    pub program: String,
    /// The word after `--command`.
    pub command: &'static str,
    /// Its stdin.
    pub input: Vec<u8>,
    /// Every secret in it.
    pub mask: Mask,
    task: ServiceTask,
    service: Service,
    product: Option<Product>,
    /// Every ordered value, those of the task over those of the rows.
    ordered: Vec<ServiceParam>,
    secrets: Vec<Secret>,
    vault: Vault,
}

struct Rows {
    service: Service,
    product: Option<Product>,
    processing: Processing,
    params: Vec<ServiceParam>,
    project: Option<Project>,
}

/// What is to be run for a task, from the rows as they are now. An answer instead: there is nothing to run.
pub fn service_call(
    store: &mut dyn Store,
    root: &Root,
    turn: &ServiceTurn<'_>,
) -> Result<ServiceCall, Answer> {
    let never = |reason: String| Answer::not_sent(Outcome::Never, reason);
    let task = ServiceTask::read(turn.body)
        .ok_or_else(|| never("its body is no order for a service".to_owned()))?;
    let rows = store::read(store, |snapshot| read(snapshot, &task))
        .map_err(|error: StoreError| Answer::unreached(error.to_string()))?;
    let Some(rows) = rows else {
        return Err(never(format!("service {} or its server is gone", task.service)));
    };
    if !task.operation.may_begin_in(rows.service.state) {
        let reason = format!("service {} is {} by now", task.service, rows.service.state.word());
        return Err(never(reason));
    }
    prepared(root, turn, task, rows).map_err(Answer::unreached)
}

fn read(snapshot: &mut dyn store::Snapshot, task: &ServiceTask) -> store::Result<Option<Rows>> {
    let Some(service) = snapshot.service(task.service)? else { return Ok(None) };
    let Some(processing) = snapshot.processing(service.processing)? else { return Ok(None) };
    let user = snapshot.user(service.user)?;
    let project = user.map(|user| snapshot.project(user.project)).transpose()?.flatten();
    Ok(Some(Rows {
        product: snapshot.product(service.product)?,
        params: snapshot.service_params(service.id)?,
        service,
        processing,
        project,
    }))
}

/// A failure is one of ours: the server has seen nothing.
fn prepared(
    root: &Root,
    turn: &ServiceTurn<'_>,
    task: ServiceTask,
    rows: Rows,
) -> Result<ServiceCall, String> {
    let in_words = |error: config::ConfigError| notice::chain(&error);
    let vault = Vault::load(root).map_err(in_words)?;
    let server_place = Place::of_server(rows.processing.id.0, &rows.processing.module);
    let id = rows.service.id;
    let own = match vault.open_as_stored(Place::of_service(id.0), &rows.service.secret) {
        Ok(own) => own,
        Err(error) if task.operation == ServiceOperation::Open => {
            let cure = format!("`gatepost service password {id}` makes another password");
            return Err(format!("{}; {cure}", in_words(error)));
        }
        // who opened it knows its password, and nobody else is told
        Err(_) => config::Secrets::default(),
    };
    let server = vault.open(server_place, &rows.processing.secret).map_err(in_words)?;
    let secrets: Vec<Secret> = own.iter().chain(server.iter()).map(|(_, it)| it.clone()).collect();
    let public = read_xmlparams(&rows.processing.xmlparams)
        .map_err(|error| format!("xmlparams of processing row {}: {error}", rows.processing.id))?;
    let ordered = merged(&rows.params, &task.params);
    let mut item = item(&rows.service, &ordered);
    if let (ServiceOperation::Open, Some(password)) = (task.operation, own.get(PASSWORD)) {
        item.push(Element::new(PASSWORD).with_text(password.expose()));
    }
    let row = super::servers::columns(&rows.processing);
    let row = projects::with_fields(
        Element::new("processing")
            .with_child(Element::new("id").with_text(rows.processing.id.to_string())),
        &row,
    );
    let row = row.with_child(
        Element::new("xmlparams").with_text(xmlparams_text(&server.merged_into(public))),
    );
    let user = Document::parse_text(turn.user_xml).map(|document| document.root);
    let document = Element::new("doc")
        .with_child(attributes(&turn.task))
        .with_child(row)
        .with_child(item)
        .with_child(user.unwrap_or_else(|_| Element::new("user")))
        .with_child(
            rows.project.as_ref().map_or_else(|| Element::new("project"), projects::element),
        );
    Ok(ServiceCall {
        program: rows.processing.module,
        command: task.operation.command(),
        input: Document::new(document).to_bytes(),
        mask: Mask::new(&secrets),
        task,
        service: rows.service,
        product: rows.product,
        ordered,
        secrets,
        vault,
    })
}

fn attributes(task: &TaskAttributes<'_>) -> Element {
    Element::new("task")
        .with_attribute("id", task.id.to_string())
        .with_attribute("key", task.key)
        .with_attribute("attempt", task.attempt.to_string())
        .with_attribute("maybe_sent", if task.maybe_sent { "1" } else { "0" })
}

fn item(service: &Service, ordered: &[ServiceParam]) -> Element {
    let item = Element::new("item")
        .with_attribute("id", service.id.to_string())
        .with_attribute("externalid", &service.externalid)
        .with_attribute("username", &service.username);
    ordered.iter().fold(item, |item, param| item.with_child(element(param)))
}

fn element(param: &ServiceParam) -> Element {
    Element::new(param.kind.word()).with_attribute("name", &param.name).with_text(&param.value)
}

/// The new values in the places of the old ones.
pub(crate) fn merged(old: &[ServiceParam], new: &[ServiceParam]) -> Vec<ServiceParam> {
    let mut all = old.to_vec();
    for param in new {
        match all.iter_mut().find(|one| one.kind == param.kind && one.name == param.name) {
            Some(one) => one.value.clone_from(&param.value),
            None => all.push(param.clone()),
        }
    }
    all.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    all
}

impl ServiceCall {
    /// What a success changes (S1-22 to S1-25, S1-35, S1-37): `document` is the program's answer. Fails in
    /// words when a secret can't be sealed.
    pub fn effects(&self, document: &Element, now: Ms) -> Result<Vec<Effect>, String> {
        let service = self.service.id;
        let params = self.item_params(document)?;
        let given = params.iter().find(|param| param.name == "externalid");
        let externalid = given.map(|param| param.value.clone()).filter(|id| !id.is_empty());
        let mut effects = Vec::new();
        if let Some(to) = self.task.operation.ends_in() {
            let from = self.service.state;
            effects.push(Effect::ServiceState {
                service,
                from,
                to,
                externalid: externalid.clone(),
            });
        }
        if let Some(events_id) = self.task.operation.event() {
            effects.push(Effect::Event(self.event(events_id, (externalid, &params), now)));
        }
        let kept = params.into_iter().map(|param| Effect::ItemParam { service, param });
        effects.extend(kept);
        let ordered = self.task.params.iter().cloned();
        effects.extend(ordered.map(|param| Effect::ServiceParam { service, param }));
        Ok(effects)
    }

    /// The parameters a program answers with; passwords are sealed.
    fn item_params(&self, document: &Element) -> Result<Vec<ItemParam>, String> {
        let printed: Fields = document
            .children_named("itemparam")
            .filter_map(|one| Some((one.attribute("name")?.to_owned(), one.text())))
            .collect();
        printed
            .iter()
            .map(|(name, value)| {
                let is_secret = name.contains("passw")
                    || self.secrets.iter().any(|secret| secret.expose() == value);
                if !is_secret || value.is_empty() {
                    let value = value.to_owned();
                    return Ok(ItemParam { name: name.to_owned(), value, secret: Vec::new() });
                }
                let place = Place::of_service(self.service.id.0);
                let fields: Fields = [(name, value)].into_iter().collect();
                let secret = self.vault.seal(place, &fields).map_err(|error| error.to_string())?;
                Ok(ItemParam { name: name.to_owned(), value: String::new(), secret })
            })
            .collect()
    }

    fn event(
        &self,
        events_id: &str,
        (externalid, params): (Option<String>, &[ItemParam]),
        now: Ms,
    ) -> NewEvent {
        let mut service = self.service.clone();
        service.state = self.task.operation.ends_in().unwrap_or(service.state);
        service.externalid = externalid.unwrap_or(service.externalid);
        let data = rows::told(&service, self.product.as_ref(), &self.ordered, params);
        NewEvent {
            events_id: events_id.to_owned(),
            object_id: service.id.to_string(),
            data: data.to_string(),
            at: now,
        }
    }
}
