//! The threads behind the store thread: file readers, preparers, a sender for each gateway (queue 3.13).
//!
//! Nothing is started before there is work: a `process` on an empty queue costs no thread.

use crate::files::read_file;
use crate::handover::Heard;
use crate::lane::{Courier, Lane};
use crate::module::{Module, OwnWay, Tools};
use crate::oneshot::OneShotTools;
use crate::pipeline::{Ended, Event, How, Message, Order, Outcomes, Pipeline, Sender, Work};
use crate::prepare::{Preparation, Prepared};
use crate::render_child::{RenderChildren, RenderSettings};
use crate::rules::{Outlet, Way};
use crate::serve::Serve;
use host::Folder;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use store::Claimed;

/// Batches that may wait for a preparer; more make the store thread wait.
const BATCHES: usize = 8;

/// Messages at once that the module sends itself.
const OWN_AT_ONCE: u32 = 4;

/// What the threads are made with.
pub struct WorkersParts {
    /// Who the messages are of.
    pub module: Arc<dyn Module>,
    /// ROOT and settings.
    pub root: config::Root,
    /// Settings.
    pub config: Arc<config::Config>,
    /// How gates are called.
    pub tools: Arc<OneShotTools>,
    /// Where events go.
    pub outcomes: Outcomes,
}

/// The pipeline of a worker.
pub struct Workers {
    parts: Arc<WorkersParts>,
    lanes: Arc<Lanes>,
    orders: Option<SyncSender<Vec<Order>>>,
    files: Option<SyncSender<Box<Claimed>>>,
}

struct Lanes {
    parts: Arc<WorkersParts>,
    open: Mutex<HashMap<Outlet, Senders>>,
    windows: Mutex<HashMap<Outlet, u32>>,
}

/// The senders of one outlet. Each message takes the one that fits what its gate can do now: a program may be
/// replaced at any time.
#[derive(Default)]
struct Senders {
    lane: Option<Lane>,
    serve: Option<Serve>,
}

/// How a message reaches its gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speed {
    /// By a process of its own, or without one.
    OneShot,
    /// By the gate's child.
    Serve,
}

impl Workers {
    /// Nothing is started yet.
    pub fn new(parts: Arc<WorkersParts>) -> Self {
        let lanes = Lanes {
            parts: Arc::clone(&parts),
            open: Mutex::new(HashMap::new()),
            windows: Mutex::new(HashMap::new()),
        };
        Self { parts, lanes: Arc::new(lanes), orders: None, files: None }
    }

    fn preparers(&mut self) -> &SyncSender<Vec<Order>> {
        let (parts, lanes) = (&self.parts, &self.lanes);
        self.orders.get_or_insert_with(|| {
            let (sender, receiver) = sync_channel(BATCHES);
            let receiver = Arc::new(Mutex::new(receiver));
            for _ in 0..parts.config.render.children.max(1) {
                let (receiver, lanes) = (Arc::clone(&receiver), Arc::clone(lanes));
                let preparation = parts.preparation();
                std::thread::spawn(move || prepare_all(&receiver, preparation, &lanes));
            }
            sender
        })
    }

    fn readers(&mut self) -> &SyncSender<Box<Claimed>> {
        let parts = &self.parts;
        self.files.get_or_insert_with(|| {
            let (sender, receiver) = sync_channel::<Box<Claimed>>(64);
            let (root, outcomes) = (parts.root.folder().to_path_buf(), parts.outcomes.clone());
            std::thread::spawn(move || {
                for claimed in receiver {
                    let _ = outcomes.send(Event::Read(Box::new(read_file(&root, &claimed))));
                }
            });
            sender
        })
    }
}

impl Pipeline for Workers {
    fn take(&mut self, work: Vec<Work>) {
        let mut orders = Vec::new();
        for piece in work {
            match piece {
                Work::Deliver(order) => orders.push(*order),
                Work::Read(claimed) => {
                    let _ = self.readers().send(claimed);
                }
                Work::Probe(gateway) => {
                    let (tools, outcomes) =
                        (Arc::clone(&self.parts.tools), self.parts.outcomes.clone());
                    std::thread::spawn(move || {
                        let _ = outcomes.send(Event::Probed(gateway.id, tools.probe(&gateway)));
                    });
                }
            }
        }
        let batch = self.parts.config.render.frame_messages.max(1) as usize;
        while !orders.is_empty() {
            let rest = orders.split_off(batch.min(orders.len()));
            let _ = self.preparers().send(std::mem::replace(&mut orders, rest));
        }
    }

    fn set_window(&mut self, outlet: &Outlet, open: u32) {
        let known = {
            let mut windows = self.lanes.windows.lock().unwrap_or_else(PoisonError::into_inner);
            windows.insert(outlet.clone(), open)
        };
        if known == Some(open) {
            return;
        }
        let lanes = self.lanes.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(senders) = lanes.get(outlet) {
            senders.set_window(open);
        }
    }
}

impl Drop for Workers {
    /// Gates that stay are sent home before we leave, all at once.
    fn drop(&mut self) {
        let mut open = self.lanes.open.lock().unwrap_or_else(PoisonError::into_inner);
        let senders = std::mem::take(&mut *open);
        drop(open);
        senders.values().filter_map(|senders| senders.serve.as_ref()).for_each(Serve::close);
        drop(senders);
    }
}

impl Senders {
    fn set_window(&self, open: u32) {
        if let Some(lane) = &self.lane {
            lane.set_window(open);
        }
        if let Some(serve) = &self.serve {
            serve.set_window(open);
        }
    }
}

impl WorkersParts {
    fn preparation(&self) -> Preparation {
        let render = &self.config.render;
        let settings = RenderSettings {
            program: self.root.path("libexec/gatepost-render"),
            dir: self.root.folder().to_path_buf(),
            frame_messages: render.frame_messages as usize,
            message: render.message,
            reply_bytes: render.text_bytes.saturating_mul(3 * render.frame_messages as usize),
        };
        Preparation {
            root: PathBuf::from(self.root.folder()),
            style: self.module.profile().style,
            module: Arc::clone(&self.module),
            attachments_bytes: self.config.gate.attachments_bytes,
            renderer: Box::new(RenderChildren::new(settings)),
            bundles: HashMap::new(),
        }
    }
}

fn prepare_all(
    receiver: &Mutex<Receiver<Vec<Order>>>,
    mut preparation: Preparation,
    lanes: &Lanes,
) {
    loop {
        let received = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(orders) = received else { return };
        let mut ready = Vec::new();
        for prepared in preparation.prepare(orders) {
            match prepared {
                Prepared::Ready(message) => ready.push(*message),
                Prepared::Ended(event) => {
                    let _ = lanes.parts.outcomes.send(event);
                }
            }
        }
        lanes.send(ready);
    }
}

impl Lanes {
    /// Messages that were made ready together arrive together.
    fn send(&self, messages: Vec<Message>) {
        if self.parts.module.profile().way == Way::Module {
            return messages.into_iter().for_each(|message| self.settle(message));
        }
        let mut outlets: HashMap<Outlet, Vec<Message>> = HashMap::new();
        for message in messages {
            match outlets.get_mut(&message.order.outlet) {
                Some(others) => others.push(message),
                None => drop(outlets.insert(message.order.outlet.clone(), vec![message])),
            }
        }
        for (outlet, messages) in outlets {
            let speed = self.speed(&outlet, &messages);
            self.send_by((outlet, speed), messages);
        }
    }

    fn send_by(&self, (outlet, speed): (Outlet, Speed), messages: Vec<Message>) {
        let mut lanes = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let senders = lanes.entry(outlet.clone()).or_default();
        let made = match speed {
            Speed::Serve => self.serve(senders),
            Speed::OneShot => Ok(self.lane(senders, &outlet)),
        };
        let sender = match made {
            Ok(sender) => sender,
            Err(error) => {
                let why = format!("can't attend to a gate: {error}");
                return messages.into_iter().for_each(|message| self.not_ready(message, &why));
            }
        };
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        match windows.get(&outlet) {
            Some(open) => sender.set_window(*open),
            None if outlet == Outlet::Own => sender.set_window(OWN_AT_ONCE),
            None => {}
        }
        sender.send(messages);
    }

    fn not_ready(&self, message: Message, why: &str) {
        let (lease, how) = (message.order.claimed.lease, How::NotReady(why.to_owned()));
        let _ = self.parts.outcomes.send(Ended::before_a_gate(lease, how, message.details));
    }

    /// By the features of the outlet's gate alone; asked once for messages that arrive together.
    fn speed(&self, outlet: &Outlet, messages: &[Message]) -> Speed {
        let gateway = messages.first().and_then(|message| message.order.gateway.as_ref());
        let is_gate = matches!(outlet, Outlet::Gateway(_));
        let serves = gateway.filter(|_| is_gate).is_some_and(|gateway| {
            let listed = self.parts.tools.programs.one(Folder::Gate, &gateway.gate);
            listed.offers("serve") && listed.offers("outgoing")
        });
        if serves { Speed::Serve } else { Speed::OneShot }
    }

    fn lane<'a>(&self, senders: &'a mut Senders, outlet: &Outlet) -> &'a dyn Sender {
        senders.lane.get_or_insert_with(|| {
            let courier: Arc<dyn Courier> = match outlet {
                Outlet::Gateway(_) => Arc::clone(&self.parts.tools) as Arc<dyn Courier>,
                Outlet::Own | Outlet::Route(_) => Arc::clone(&self.parts) as Arc<dyn Courier>,
            };
            Lane::new(courier, self.parts.outcomes.clone())
        })
    }

    fn serve<'a>(&self, senders: &'a mut Senders) -> std::io::Result<&'a dyn Sender> {
        let serve = if let Some(serve) = senders.serve.take() {
            serve
        } else {
            let gateway = &self.parts.config.gateway;
            let pauses = (gateway.breaker_first, gateway.breaker_most);
            Serve::start(Arc::clone(&self.parts.tools), self.parts.outcomes.clone(), pauses)?
        };
        Ok(senders.serve.insert(serve))
    }

    /// The module's own way where it is part of the settling turn: at once.
    fn settle(&self, message: Message) {
        let how = match self.parts.notify(&message) {
            Ok(Heard { answer, spoke, check, effects }) => {
                How::Answered { answer, spoke, check, effects }
            }
            Err(how) => how,
        };
        let lease = message.order.claimed.lease;
        let _ = self.parts.outcomes.send(Ended::before_a_gate(lease, how, message.details));
    }
}

impl WorkersParts {
    fn notify(&self, message: &Message) -> Result<Heard, How> {
        self.module.user_notify(message, &self.tools())
    }

    fn tools(&self) -> Tools<'_> {
        Tools {
            root: &self.root,
            config: &self.config,
            caller: &self.tools.caller,
            log: &*self.tools.log,
            turns: &self.tools.door.turns,
        }
    }

    /// Has the module tell what nobody was told of.
    pub fn tell(&self) -> Result<(), String> {
        self.module.tell(&self.tools())
    }

    /// Whether the module can send by itself here.
    pub fn own_way(&self) -> OwnWay {
        self.module.has_own_way(&self.tools())
    }
}

impl Courier for WorkersParts {
    fn deliver(&self, message: &Message, outcomes: &Outcomes) {
        self.tools.door.hand_over(message, outcomes, |message| self.notify(message));
    }
}
