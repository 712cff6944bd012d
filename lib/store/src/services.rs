//! Rows of what is sold and of who takes part in it: accounts, products, services, provisioning handlers, agents.

use crate::Result;
use notice::{AccountId, HandlerId, Ms, ProcessingId, ProductId, ProjectId, ServiceId, UserId};

/// A row of `account`: who pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// 0 for a new one.
    pub id: AccountId,
    /// Whose client.
    pub project: ProjectId,
    /// For people.
    pub name: String,
    /// For people.
    pub note: String,
    /// In minor units. Taken when the account is made; only payments move it from then on.
    pub balance: i64,
}

/// A payment to take in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayment {
    /// Whose.
    pub account: AccountId,
    /// In minor units; negative for a charge.
    pub amount: i64,
    /// When.
    pub at: Ms,
    /// The payer's key: a repeated one is the same payment.
    pub key: Option<String>,
    /// For people.
    pub comment: String,
}

/// A row of `payment`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Its id.
    pub id: i64,
    /// What was paid.
    pub payment: NewPayment,
}

/// What a payment did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paid {
    /// The balance moved.
    New {
        /// The payment's row.
        id: i64,
        /// The balance before.
        before: i64,
        /// The balance now.
        after: i64,
    },
    /// The key was known: the first payment's row; nothing moved.
    Duplicate(i64),
    /// The key is that of a payment of another amount or account: that payment's row; nothing moved.
    Other(i64),
}

/// A row of `processing`: a server that services are processed on, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processing {
    /// 0 for a new one.
    pub id: ProcessingId,
    /// For people.
    pub name: String,
    /// The program in `processing/`.
    pub module: String,
    /// Products of this type may be processed here.
    pub product_type: String,
    /// `active` is `on`.
    pub active: bool,
    /// The lower number is taken first.
    pub priority: i64,
    /// The responsible department.
    pub department: String,
    /// At most so many operations at once; None: the default.
    pub concurrency: Option<u32>,
    /// The form's fields but the secret ones: an XML document with root `doc`.
    pub xmlparams: String,
    /// The secret fields, sealed.
    pub secret: Vec<u8>,
    /// Rises with each save.
    pub version: i64,
}

/// A row of `product`: what may be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// 0 for a new one.
    pub id: ProductId,
    /// For people.
    pub name: String,
    /// Column `type`.
    pub kind: String,
    /// Who processes it when the order does not say.
    pub processing: Option<ProcessingId>,
}

/// Where a service stands (S1-35).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceState {
    /// Ordered, not yet open.
    Opening,
    /// Open.
    Active,
    /// Stopped for a time.
    Suspended,
    /// Gone.
    Closed,
}

/// A row of `service`: an ordered product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// 0 for a new one.
    pub id: ServiceId,
    /// Whose.
    pub user: UserId,
    /// What.
    pub product: ProductId,
    /// Where.
    pub processing: ProcessingId,
    /// The generated account name (S1-18).
    pub username: String,
    /// Its password, sealed.
    pub secret: Vec<u8>,
    /// Where it stands.
    pub state: ServiceState,
    /// Its id on the server; empty before it is open.
    pub externalid: String,
    /// When it was ordered.
    pub made: Ms,
}

/// Which services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceFilter {
    /// Only of this user.
    pub user: Option<UserId>,
    /// Only of this product.
    pub product: Option<ProductId>,
    /// Only of this server.
    pub processing: Option<ProcessingId>,
    /// Only in this state.
    pub state: Option<ServiceState>,
}

/// A row of `itemparam`: what a program answered (S1-23).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemParam {
    /// Its name.
    pub name: String,
    /// Its value; empty when it is sealed.
    pub value: String,
    /// The sealed value; empty when it is plain.
    pub secret: Vec<u8>,
}

/// What a value of an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ParamKind {
    /// An addon resource (S1-15).
    Addon,
    /// A parameter of the plan (S1-16).
    Param,
}

/// A row of `serviceparam`: what was ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceParam {
    /// Addon or parameter.
    pub kind: ParamKind,
    /// Its internal name.
    pub name: String,
    /// The ordered value.
    pub value: String,
}

/// Whether a provisioning handler acts (S2-16 to S2-18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandlerStatus {
    /// It acts.
    Enabled,
    /// It does not.
    Disabled,
    /// Kept, not active, hidden from the list.
    Archived,
}

/// How a provisioning handler is reached (S2-6, S2-13, S2-14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskType {
    /// A program on this server.
    Script,
    /// A POST over http.
    Http,
    /// A POST over https.
    Https,
}

/// A row of `provisioning`: a provisioning handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioning {
    /// 0 for a new one.
    pub id: HandlerId,
    /// A title.
    pub name: String,
    /// The `events_id` it listens to.
    pub event: String,
    /// How it is reached.
    pub task_type: TaskType,
    /// Path of the script, or address without scheme.
    pub task: String,
    /// Whether it acts.
    pub status: HandlerStatus,
    /// The lower number goes first, then the lower id (S2-19, S2-20).
    pub priority: i64,
    /// The secret its deliveries are signed with, sealed; empty: not signed.
    pub secret: Vec<u8>,
    /// The secret before it, still signed with, sealed; empty: none.
    pub old_secret: Vec<u8>,
    /// Rises with each save.
    pub version: i64,
}

/// The live status of a staff member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgentStatus {
    /// 0: not there.
    Offline,
    /// 1: takes notices.
    Ready,
    /// 2: there, but busy.
    Aux,
}

/// A row of `agent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Who.
    pub user: UserId,
    /// How.
    pub status: AgentStatus,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Ms,
}

/// Reads accounts, services, provisioning handlers, agents and shared values.
pub trait ServicesSnapshot {
    /// One account.
    fn account(&mut self, id: AccountId) -> Result<Option<Account>>;
    /// Accounts by id upwards; `after` pages.
    fn accounts(
        &mut self,
        project: Option<ProjectId>,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<Account>>;
    /// Payments of an account from the newest down; `before` pages.
    fn payments(
        &mut self,
        account: AccountId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Payment>>;
    /// One product.
    fn product(&mut self, id: ProductId) -> Result<Option<Product>>;
    /// Every product by id.
    fn products(&mut self) -> Result<Vec<Product>>;
    /// One server.
    fn processing(&mut self, id: ProcessingId) -> Result<Option<Processing>>;
    /// Every server by priority (the lower number first), then id.
    fn processings(&mut self) -> Result<Vec<Processing>>;
    /// One service.
    fn service(&mut self, id: ServiceId) -> Result<Option<Service>>;
    /// Services by id upwards; `after` pages.
    fn services(
        &mut self,
        filter: &ServiceFilter,
        after: Option<ServiceId>,
        limit: u32,
    ) -> Result<Vec<Service>>;
    /// What the program answered for a service, by name.
    fn item_params(&mut self, service: ServiceId) -> Result<Vec<ItemParam>>;
    /// What was ordered with a service: addons, then parameters, each by name.
    fn service_params(&mut self, service: ServiceId) -> Result<Vec<ServiceParam>>;
    /// One provisioning handler as it was saved last.
    fn provisioning(&mut self, id: HandlerId) -> Result<Option<Provisioning>>;
    /// Every provisioning handler as it was saved last, by priority, then id.
    fn provisionings(&mut self) -> Result<Vec<Provisioning>>;
    /// The provisioning handlers that are acted from (S2-23), by priority, then id; archived ones too.
    fn active_provisionings(&mut self) -> Result<Vec<Provisioning>>;
    /// The status of a staff member; None: it was never set.
    fn agent(&mut self, user: UserId) -> Result<Option<Agent>>;
    /// Every status that was ever set, by user.
    fn agents(&mut self) -> Result<Vec<Agent>>;
    /// A shared value, as tagged JSON.
    fn shared(&mut self, id: &str) -> Result<Option<String>>;
    /// Every shared value by id.
    fn all_shared(&mut self) -> Result<Vec<(String, String)>>;
}

/// Writes accounts, services, provisioning handlers, agents and shared values.
pub trait ServicesTx {
    /// Inserts (id 0) or rewrites an account; the balance of one that is there stays.
    fn save_account(&mut self, account: &Account) -> Result<AccountId>;
    /// Removes an account and its payments; refused while users have it.
    fn delete_account(&mut self, id: AccountId) -> Result<bool>;
    /// Writes a payment and moves the balance, once for each key.
    fn add_payment(&mut self, payment: &NewPayment) -> Result<Paid>;
    /// Inserts (id 0) or rewrites a product.
    fn save_product(&mut self, product: &Product) -> Result<ProductId>;
    /// Removes a product; refused while it has services.
    fn delete_product(&mut self, id: ProductId) -> Result<bool>;
    /// Inserts (id 0) or rewrites a server; its version rises.
    fn save_processing(&mut self, processing: &Processing) -> Result<ProcessingId>;
    /// Removes a server; refused while products or services name it.
    fn delete_processing(&mut self, id: ProcessingId) -> Result<bool>;
    /// Inserts (id 0) or rewrites a service.
    fn save_service(&mut self, service: &Service) -> Result<ServiceId>;
    /// Removes a service and its parameters.
    fn delete_service(&mut self, id: ServiceId) -> Result<bool>;
    /// Moves a service from one state to another; false: it is in another state by now.
    fn move_service(&mut self, id: ServiceId, from: ServiceState, to: ServiceState)
    -> Result<bool>;
    /// Sets ordered values of a service; those not named stay.
    fn save_service_params(&mut self, service: ServiceId, params: &[ServiceParam]) -> Result<()>;
    /// Inserts (id 0) or rewrites a provisioning handler; its version rises. It acts after
    /// [`ServicesTx::activate_provisionings`].
    fn save_provisioning(&mut self, handler: &Provisioning) -> Result<HandlerId>;
    /// Removes a provisioning handler, as far as nobody acts from it.
    fn delete_provisioning(&mut self, id: HandlerId) -> Result<bool>;
    /// `cachemanager.restart`: from now on what is saved is acted from, as a whole.
    fn activate_provisionings(&mut self) -> Result<u32>;
    /// Sets the status of a staff member.
    fn save_agent(&mut self, agent: &Agent) -> Result<()>;
    /// Sets a shared value, tagged JSON; None removes it.
    fn set_shared(&mut self, id: &str, value: Option<&str>) -> Result<()>;
}

impl ServiceState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Opening, Self::Active, Self::Suspended, Self::Closed];

    /// The word of the column.
    pub fn word(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

impl ParamKind {
    /// The word of the column.
    pub fn word(self) -> &'static str {
        match self {
            Self::Addon => "addon",
            Self::Param => "param",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Addon, Self::Param].into_iter().find(|kind| kind.word() == word)
    }
}

impl HandlerStatus {
    /// The word of the column and the form.
    pub fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Archived => "archived",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Enabled, Self::Disabled, Self::Archived];
        all.into_iter().find(|status| status.word() == word)
    }
}

impl TaskType {
    /// The word of the column and the form.
    pub fn word(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Script, Self::Http, Self::Https].into_iter().find(|kind| kind.word() == word)
    }
}

impl AgentStatus {
    /// The number that plugins see.
    pub fn number(self) -> i64 {
        match self {
            Self::Offline => 0,
            Self::Ready => 1,
            Self::Aux => 2,
        }
    }

    /// Reads the number.
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Offline, Self::Ready, Self::Aux].into_iter().find(|one| one.number() == number)
    }
}
