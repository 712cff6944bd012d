//! Identifiers: a number or a name that can't be mistaken for another.

use std::fmt;
use std::str::FromStr;

macro_rules! row_id {
    ($(#[$doc:meta] $name:ident),* $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.trim().parse().map(Self)
            }
        }
    )*};
}

row_id! {
    /// A row of `notifytask`; never used again after the row is gone.
    TaskId,
    /// A row of `user`.
    UserId,
    /// A row of `project`.
    ProjectId,
    /// A row of `gateway` (for service tasks: of `processing`, for event deliveries: the handler).
    GatewayId,
    /// A row of `notifylog`.
    LogId,
    /// A row of `event`.
    EventId,
    /// A row of `account`.
    AccountId,
    /// A row of `product`.
    ProductId,
    /// A row of `processing`: a server that services are processed on.
    ProcessingId,
    /// A row of `service`: an ordered product.
    ServiceId,
    /// A row of `provisioning`: a provisioning handler.
    HandlerId,
}

/// A name that can't stand for a program: empty, over 64 bytes, or with a letter outside `[A-Za-z0-9_.-]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` can't be the name of a program: use 1 to 64 of A-Z a-z 0-9 _ . - and no leading dot"
)]
pub struct InvalidName(pub String);

/// The name of a program in `notify/`, column `modulename` (S3-26).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleName(String);

impl ModuleName {
    /// Email (S3-5).
    pub const EMAIL: &'static str = "ntemail";
    /// SMS (S3-4).
    pub const SMS: &'static str = "ntsms";
    /// The inbox of the client area (S3-6).
    pub const INTERNAL: &'static str = "ntinternal";
    /// Deliveries to provisioning handlers (extensions 3.6).
    pub const HANDLER: &'static str = "nthandler";

    /// Takes a name as it stands in a column or an argument.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.bytes().all(plain) {
            return Err(InvalidName(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ModuleName {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

/// A stream of tasks with one choice of gateways, column `lane`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route(String);

impl Route {
    /// The route of a row whose file nobody has read yet: empty.
    pub fn unread() -> Self {
        Self(String::new())
    }

    /// Notices of one project: `p<id>`.
    pub fn project(id: ProjectId) -> Self {
        Self(format!("p{id}"))
    }

    /// Deliveries to one provisioning handler: `h<id>`.
    pub fn handler(id: HandlerId) -> Self {
        Self(format!("h{id}"))
    }

    /// Operations on one server: `s<processing row>`.
    pub fn server(id: ProcessingId) -> Self {
        Self(format!("s{id}"))
    }

    /// True of deliveries to a provisioning handler.
    pub fn is_handler(&self) -> bool {
        self.0.starts_with('h')
    }

    /// The row of an `h` or `s` route, as column `last_gateway` holds it.
    pub fn row(&self) -> Option<GatewayId> {
        self.0.strip_prefix(['h', 's'])?.parse().ok()
    }

    /// Takes a route as it stands in the column.
    pub fn from_column(text: String) -> Self {
        Self(text)
    }

    /// The project of a `p` route.
    pub fn project_id(&self) -> Option<ProjectId> {
        self.0.strip_prefix('p')?.parse().ok()
    }

    /// True while the file has not been read.
    pub fn is_unread(&self) -> bool {
        self.0.is_empty()
    }

    /// The column's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_name_can_not_leave_its_folder() {
        for bad in ["", "../x", "a/b", ".hidden", "a b", &"x".repeat(65)] {
            assert!(ModuleName::new(bad).is_err(), "{bad}");
        }
        for good in ["ntemail", "name.php", "nt-x_1"] {
            assert_eq!(ModuleName::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_project_route_names_its_project() {
        assert_eq!(Route::project(ProjectId(7)).project_id(), Some(ProjectId(7)));
        assert_eq!(Route::from_column("h3".into()).project_id(), None);
        assert_eq!(Route::handler(HandlerId(3)).row(), Some(GatewayId(3)));
        assert_eq!(Route::server(ProcessingId(4)).as_str(), "s4");
        assert_eq!(Route::project(ProjectId(7)).row(), None);
        assert!(Route::unread().is_unread());
    }
}
