//! Gateways as gates see them, and what their programs can do.

use crate::plan::{Abilities, GateBook};
use crate::standing::Probe;
use config::{Place, Secrets, Vault};
use host::{Caller, Folder, Listed, Programs};
use notice::{Fields, GatewayId, Mask};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{Direction, Gateway};
use wire::params::{read_xmlparams, xmlparams_text};
use wire::xml::{Document, Element};

/// A gateway opened for one call: what a gate may see, and the mask over it.
pub struct Opened {
    /// The row's columns.
    pub columns: Arc<Fields>,
    /// `xmlparams` as text, secrets merged in.
    pub xmlparams: String,
    /// Hides the secrets.
    pub mask: Mask,
    params: Fields,
}

/// A gateway's row as it was read last, without its secrets.
struct Read {
    columns: Arc<Fields>,
    params: Fields,
}

/// The rows of the gateways that are in use: read once, not once a message. Secrets stay sealed in between.
pub struct Openings {
    vault: Option<Vault>,
    known: Mutex<HashMap<GatewayId, Known>>,
}

struct Known {
    row: Gateway,
    read: Arc<Read>,
}

impl Openings {
    /// `vault`: None where `etc/secret.key` can't be read.
    pub fn new(vault: Option<Vault>) -> Self {
        Self { vault, known: Mutex::default() }
    }

    /// The same as [`open`].
    pub fn open(&self, gateway: &Gateway) -> Result<Opened, String> {
        self.read(gateway)?.open(gateway, self.vault.as_ref())
    }

    fn read(&self, gateway: &Gateway) -> Result<Arc<Read>, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&gateway.id).filter(|known| known.row == *gateway) {
            return Ok(Arc::clone(&known.read));
        }
        let read = Arc::new(Read::of(gateway)?);
        known.insert(gateway.id, Known { row: gateway.clone(), read: Arc::clone(&read) });
        Ok(read)
    }
}

/// Opens a gateway's secrets: only while the input of its gate is built. The error says what to do.
pub fn open(gateway: &Gateway, vault: Option<&Vault>) -> Result<Opened, String> {
    Read::of(gateway)?.open(gateway, vault)
}

impl Read {
    fn of(gateway: &Gateway) -> Result<Self, String> {
        let params = read_xmlparams(&gateway.xmlparams).map_err(|error| {
            format!(
                "the xmlparams of gateway {} are no document: {error}; edit the gateway",
                gateway.id
            )
        })?;
        Ok(Self { columns: Arc::new(columns_of(gateway)), params })
    }

    fn open(&self, gateway: &Gateway, vault: Option<&Vault>) -> Result<Opened, String> {
        let secrets = match (gateway.secret.is_empty(), vault) {
            (true, _) => Secrets::default(),
            (false, Some(vault)) => {
                vault.open(Place::of_gateway(gateway.id, &gateway.gate), &gateway.secret).map_err(
                    |error| format!("can't open the secrets of gateway {}: {error}", gateway.id),
                )?
            }
            (false, None) => {
                return Err(format!(
                    "can't open the secrets of gateway {}: etc/secret.key can't be read",
                    gateway.id
                ));
            }
        };
        let mask = secrets.mask();
        let params = secrets.merged_into(self.params.clone());
        let xmlparams = xmlparams_text(&params);
        Ok(Opened { columns: Arc::clone(&self.columns), xmlparams, mask, params })
    }
}

impl Opened {
    /// The form `check_connection` gets: the fields, the columns, `xmlparams` as direct child of the root.
    pub fn form(&self) -> Document {
        let mut root = Element::new("doc");
        for (name, text) in self.columns.iter().chain(self.params.iter()) {
            root.push(Element::new(name).with_text(text));
        }
        root.push(Element::new("xmlparams").with_text(self.xmlparams.as_str()));
        Document::new(root)
    }
}

/// The columns of a gateway's row under their documented names (ancestor-facts 1.1).
pub fn columns_of(gateway: &Gateway) -> Fields {
    let direction = match gateway.direction {
        Direction::Outgoing => "1",
        Direction::Ingoing => "2",
    };
    let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
    [
        ("id", gateway.id.to_string()),
        ("name", gateway.name.clone()),
        ("project", gateway.project.map(|id| id.to_string()).unwrap_or_default()),
        ("notify_module", gateway.module.to_string()),
        ("gateway_module", gateway.gate.clone()),
        ("gateway_type", direction.to_owned()),
        ("active", if gateway.active { "on" } else { "off" }.to_owned()),
        ("priority", gateway.priority.to_string()),
        ("concurrency", number(gateway.concurrency)),
        ("rate_per_sec", number(gateway.rate_per_sec)),
        ("on_unknown", gateway.on_unknown.map(|word| word.word().to_owned()).unwrap_or_default()),
    ]
    .into_iter()
    .collect()
}

/// What gates can do, asked in the background: a gate that hangs in `features` keeps nobody waiting.
pub struct Gates {
    shared: Arc<Shared>,
    most: u32,
}

struct Shared {
    programs: Arc<Programs>,
    known: Mutex<HashMap<String, Found>>,
    news: Condvar,
}

struct Found {
    abilities: Option<Abilities>,
    asked: Instant,
    asking: bool,
    /// It was never heard.
    is_silent: bool,
}

/// An answer is looked up anew after that: a program may be replaced at any time.
const FRESH: Duration = Duration::from_secs(2);
/// A gate seen for the first time is waited for so long.
const FIRST_LOOK: Duration = Duration::from_millis(500);

impl Gates {
    /// `most`: how many messages at once a gate with the feature `parallel` may get.
    pub fn new(programs: Arc<Programs>, most: u32) -> Self {
        let shared = Shared { programs, known: Mutex::new(HashMap::new()), news: Condvar::new() };
        Self { shared: Arc::new(shared), most }
    }

    fn look(&self, gate: &str) {
        let (shared, name, most) = (Arc::clone(&self.shared), gate.to_owned(), self.most);
        std::thread::spawn(move || {
            let listed = shared.programs.one(Folder::Gate, &name);
            let known = Found {
                abilities: abilities_of(&listed, most),
                asked: Instant::now(),
                asking: false,
                is_silent: false,
            };
            shared.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name, known);
            shared.news.notify_all();
        });
    }
}

impl GateBook for Gates {
    fn abilities(&self, gate: &str) -> Option<Abilities> {
        let mut known = self.shared.known.lock().unwrap_or_else(PoisonError::into_inner);
        let first = !known.contains_key(gate);
        let entry = known.entry(gate.to_owned()).or_insert_with(|| Found {
            abilities: None,
            asked: Instant::now(),
            asking: false,
            is_silent: true,
        });
        if !entry.asking && (first || entry.asked.elapsed() > FRESH) {
            entry.asking = true;
            self.look(gate);
        }
        if first {
            let waits =
                |known: &mut HashMap<String, Found>| known.get(gate).is_some_and(|one| one.asking);
            known = self
                .shared
                .news
                .wait_timeout_while(known, FIRST_LOOK, waits)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        known.get(gate).and_then(|one| one.abilities)
    }

    fn is_silent(&self, gate: &str) -> bool {
        let known = self.shared.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(gate).is_some_and(|one| one.is_silent)
    }
}

fn abilities_of(listed: &Listed, most: u32) -> Option<Abilities> {
    let features = listed.features.as_ref().ok()?;
    let probe = if features.has("check_connection") { Probe::Check } else { Probe::Task };
    if features.has("serve") {
        let takes = features.window.unwrap_or(1).clamp(1, most);
        return Some(Abilities { probe, concurrency: takes, most: takes });
    }
    let concurrency = if features.has("parallel") { most } else { 1 };
    Some(Abilities { probe, concurrency, most })
}

/// Asks a gateway's `check_connection`; the error is masked.
pub fn check(caller: &Caller, listed: &Listed, opened: &Opened) -> Result<(), String> {
    host::gates::check_connection(caller, listed, &opened.form(), &opened.mask)
        .map(|_| ())
        .map_err(|failure| opened.mask.apply(&failure.to_string()))
}
