//! The rows of the platform.

use super::{Down, Tables};
use crate::sqlite::{ASK_MS, fits, is_column_name};
use crate::{
    Condition, ContactState, Downtime, FORGOTTEN, Followed, Gateway, GatewayState, InboxRow,
    Incoming, IncomingRow, PROJECT_FIELDS, Project, Result, StoreError, Subscription, USER_FIELDS,
    User, UserFilter,
};
use notice::{Fields, GatewayId, Ms, ProjectId, State, UserId};

/// Uids that a gate is told at once.
const UIDS_LIMIT: usize = 1_000;

pub(super) fn refused(operation: &'static str, reason: impl Into<String>) -> StoreError {
    StoreError::Refused { operation, reason: reason.into() }
}

/// Every column in its order, empty where nothing was given.
fn whole(fixed: &[&str], added: &[String], given: &Fields) -> Fields {
    let names = fixed.iter().copied().chain(added.iter().map(String::as_str));
    names.map(|name| (name, given.text(name))).collect()
}

impl Tables {
    pub(super) fn whole_project(&self, project: &Project) -> Project {
        let fields = whole(&PROJECT_FIELDS, &self.project_columns, &project.fields);
        Project { fields, ..project.clone() }
    }

    pub(super) fn whole_user(&self, user: &User) -> User {
        User { fields: whole(&USER_FIELDS, &self.user_columns, &user.fields), ..user.clone() }
    }

    pub(super) fn put_project(&mut self, project: &Project) -> Result<ProjectId> {
        let operation = "save a project";
        for (name, _) in project.fields.iter() {
            let known =
                PROJECT_FIELDS.contains(&name) || self.project_columns.iter().any(|k| k == name);
            if !known && (name == "id" || !is_column_name(name)) {
                return Err(refused(operation, format!("`{name}` can't be the name of a column")));
            }
            if !known {
                self.project_columns.push(name.to_owned());
            }
        }
        let id = row_id(project.id.0, &mut self.last_project, |id| self.projects.contains_key(&id));
        let id =
            id.ok_or_else(|| refused(operation, format!("there is no project {}", project.id)))?;
        self.projects.insert(id, Project { id: ProjectId(id), ..project.clone() });
        Ok(ProjectId(id))
    }

    pub(super) fn drop_project(&mut self, id: ProjectId) -> Result<bool> {
        let has_users = self.users.values().any(|user| user.project == id);
        let has_gateways = self.gateways.values().any(|gateway| gateway.project == Some(id));
        let has_accounts = self.sold.accounts.values().any(|account| account.project == id);
        if has_users || has_gateways || has_accounts {
            let reason = "it still has accounts, users or gateways";
            return Err(refused("delete a project", reason));
        }
        Ok(self.projects.remove(&id.0).is_some())
    }

    pub(super) fn list_users(
        &self,
        filter: &UserFilter,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<User>> {
        if let Some((name, _)) = &filter.field
            && !USER_FIELDS.contains(&name.as_str())
            && !self.user_columns.contains(name)
        {
            return Err(refused("read the users", format!("there is no field `{name}`")));
        }
        let users = self.users.values().filter(|user| after.is_none_or(|after| user.id > after));
        let users = users.filter(|user| fits(user, filter)).take(limit as usize);
        Ok(users.map(|user| self.whole_user(user)).collect())
    }

    pub(super) fn put_user(&mut self, user: &User) -> Result<UserId> {
        let operation = "save a user";
        let known = |name: &str| {
            USER_FIELDS.contains(&name) || self.user_columns.iter().any(|column| column == name)
        };
        if let Some((name, _)) = user.fields.iter().find(|(name, _)| !known(name)) {
            return Err(refused(operation, format!("there is no field `{name}`")));
        }
        if !self.projects.contains_key(&user.project.0) {
            return Err(refused(operation, "there is no such project"));
        }
        let taken = self.users.values().any(|other| {
            other.id != user.id
                && other.project == user.project
                && other.external_id.is_some()
                && other.external_id == user.external_id
        });
        if taken {
            return Err(refused(operation, "this external id is taken in the project"));
        }
        let id = row_id(user.id.0, &mut self.last_user, |id| self.users.contains_key(&id));
        let id = id.ok_or_else(|| refused(operation, format!("there is no user {}", user.id)))?;
        self.users.insert(id, User { id: UserId(id), ..user.clone() });
        Ok(UserId(id))
    }

    pub(super) fn drop_user(&mut self, id: UserId) -> Result<bool> {
        if !self.sold.drop_user(id) {
            return Err(refused("delete a user", "he still has services"));
        }
        self.inbox.retain(|_, row| row.user != id);
        self.subscriptions.retain(|(user, _, _), _| *user != id.0);
        self.calls.drop_user(id);
        Ok(self.users.remove(&id.0).is_some())
    }

    pub(super) fn forget(&mut self, id: UserId, contacts: &[String]) -> u32 {
        let mut rows = self.forget_calls(id);
        for row in self.log.values_mut() {
            let is_his = row.user == Some(id)
                || row.contact.as_ref().is_some_and(|contact| contacts.contains(contact));
            if is_his {
                rows += 1;
                (row.contact, row.key, row.reference) = (None, None, None);
                if row.reason != FORGOTTEN {
                    row.reason.clear();
                }
            }
        }
        let before = self.incoming.len() + self.inbox.len();
        self.incoming.retain(|_, row| {
            row.message.user != Some(id) && !contacts.contains(&row.message.sender)
        });
        self.inbox.retain(|_, row| row.user != id);
        let removed = before - self.incoming.len() - self.inbox.len();
        rows + u32::try_from(removed).unwrap_or(u32::MAX)
    }

    pub(super) fn grow_user(&mut self, name: &str) -> Result<()> {
        let fixed = USER_FIELDS.iter().copied();
        let mut known = fixed.chain(self.user_columns.iter().map(String::as_str));
        if known.any(|known| known.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        let reserved =
            ["id", "project", "external_id"].iter().any(|r| r.eq_ignore_ascii_case(name));
        if reserved || !is_column_name(name) {
            let reason = format!("`{name}` can't be the name of a column");
            return Err(refused("save a user", reason));
        }
        self.user_columns.push(name.to_owned());
        Ok(())
    }

    pub(super) fn put_gateway(&mut self, gateway: &Gateway) -> Result<GatewayId> {
        let operation = "save a gateway";
        if gateway.project.is_some_and(|project| !self.projects.contains_key(&project.0)) {
            return Err(refused(operation, "there is no such project"));
        }
        let id = row_id(gateway.id.0, &mut self.last_gateway, |id| self.gateways.contains_key(&id));
        let id =
            id.ok_or_else(|| refused(operation, format!("there is no gateway {}", gateway.id)))?;
        let version = self.gateways.get(&id).map_or(1, |known| known.version + 1);
        self.gateways.insert(id, Gateway { id: GatewayId(id), version, ..gateway.clone() });
        Ok(GatewayId(id))
    }

    pub(super) fn list_gateways(&self) -> Vec<Gateway> {
        let mut gateways: Vec<Gateway> = self.gateways.values().cloned().collect();
        gateways.sort_by_key(|gateway| (gateway.priority, gateway.id));
        gateways
    }

    pub(super) fn drop_gateway(&mut self, id: GatewayId, now: Ms) -> Result<bool> {
        let Some(gateway) = self.gateways.get(&id.0) else { return Ok(false) };
        let module = gateway.module.as_str().to_owned();
        let mut mine: Vec<_> = self
            .tasks
            .values_mut()
            .map(|task| &mut task.row)
            .filter(|row| row.module == module && row.last_gateway == Some(id))
            .collect();
        let in_flight = mine.iter().filter(|row| row.state == State::Sending).count();
        if in_flight > 0 {
            let reason = format!("it is sending {in_flight} tasks: hold it, then try again");
            return Err(refused("delete a gateway", reason));
        }
        for row in mine.iter_mut().filter(|row| row.maybe_sent) {
            let waits = row.state == State::Waiting && row.run_at.is_some();
            if row.state == State::Ready || waits {
                row.state = State::Asked;
                row.run_at = Some(now.plus(ASK_MS));
            }
        }
        self.mark_down(id.0, false, now);
        self.states.remove(&id.0);
        Ok(self.gateways.remove(&id.0).is_some())
    }

    pub(super) fn put_state(&mut self, state: &GatewayState, now: Ms) {
        self.states.insert(state.gateway.0, state.clone());
        self.mark_down(state.gateway.0, state.condition != Condition::Open, now);
    }

    pub(super) fn mark_down(&mut self, gateway: i64, is_down: bool, now: Ms) {
        let open = self.downs.iter_mut().find(|down| down.gateway == gateway && down.to.is_none());
        match (open, is_down) {
            (None, true) => self.downs.push(Down { gateway, from: now, to: None }),
            (Some(down), false) => down.to = Some(now),
            (None, false) | (Some(_), true) => {}
        }
    }

    pub(super) fn list_downtimes(&self, gateway: Option<GatewayId>, since: Ms) -> Vec<Downtime> {
        let wanted = gateway.map_or(0, |id| id.0);
        let downs = self
            .downs
            .iter()
            .filter(|down| down.gateway == wanted && down.to.is_none_or(|to| to > since));
        downs.map(|down| Downtime { from: down.from, to: down.to }).collect()
    }

    pub(super) fn list_subscriptions(&self, user: UserId) -> Vec<Subscription> {
        self.subscriptions.values().filter(|row| row.user == user).cloned().collect()
    }

    pub(super) fn put_subscription(&mut self, row: &Subscription) -> Result<()> {
        if !self.users.contains_key(&row.user.0) {
            return Err(refused("save a subscription", "there is no such user"));
        }
        let place = (row.user.0, row.notice.clone(), row.module.clone());
        self.subscriptions.insert(place, row.clone());
        Ok(())
    }

    pub(super) fn list_inbox(
        &self,
        user: UserId,
        before: Option<i64>,
        limit: u32,
    ) -> Vec<InboxRow> {
        let rows = self.inbox.values().rev().filter(|row| row.user == user);
        let rows = rows.filter(|row| before.is_none_or(|before| row.id < before));
        rows.take(limit as usize).cloned().collect()
    }

    pub(super) fn mark_rows_read(&mut self, user: UserId, ids: &[i64], now: Ms) -> u32 {
        let mut marked = 0;
        for id in ids {
            if let Some(row) = self.inbox.get_mut(id)
                && row.user == user
                && row.read_at.is_none()
            {
                row.read_at = Some(now);
                marked += 1;
            }
        }
        marked
    }

    pub(super) fn accept(&mut self, message: &Incoming, now: Ms) -> Option<i64> {
        let same = |row: &&IncomingRow| {
            row.message.gateway == message.gateway && row.message.uid == message.uid
        };
        if let Some(known) = self.incoming.values().find(same).map(|row| row.id) {
            self.untold.insert(known);
            return None;
        }
        self.last_incoming += 1;
        let id = self.last_incoming;
        self.incoming.insert(
            id,
            IncomingRow { id, message: message.clone(), at: now, followed: Followed::Nothing },
        );
        self.untold.insert(id);
        Some(id)
    }

    pub(super) fn list_incoming(
        &self,
        gateway: Option<GatewayId>,
        before: Option<i64>,
        limit: u32,
    ) -> Vec<IncomingRow> {
        let rows = self.incoming.values().rev().filter(|row| {
            gateway.is_none_or(|gateway| gateway == row.message.gateway)
                && before.is_none_or(|before| row.id < before)
        });
        rows.take(limit as usize).cloned().collect()
    }

    pub(super) fn list_unfollowed(&self, limit: u32) -> Vec<i64> {
        let rows = self.incoming.values().filter(|row| row.followed != Followed::Whole);
        rows.map(|row| row.id).take(limit as usize).collect()
    }

    pub(super) fn mark_followed(&mut self, id: i64, from: Followed, to: Followed) -> bool {
        let row = self.incoming.get_mut(&id).filter(|row| row.followed == from);
        row.map(|row| row.followed = to).is_some()
    }

    pub(super) fn list_untold(&self, gateway: GatewayId) -> Vec<String> {
        let rows = self.untold.iter().filter_map(|id| self.incoming.get(id));
        let rows = rows.filter(|row| row.message.gateway == gateway).take(UIDS_LIMIT);
        rows.map(|row| row.message.uid.clone()).collect()
    }

    pub(super) fn mark_all_told(&mut self, gateway: GatewayId, uids: &[String]) {
        let incoming = &self.incoming;
        self.untold.retain(|id| {
            incoming.get(id).is_none_or(|row| {
                row.message.gateway != gateway || !uids.contains(&row.message.uid)
            })
        });
    }

    pub(super) fn list_contacts(&self, kind: &str, contacts: &[&str]) -> Vec<ContactState> {
        let place = |contact: &&&str| (kind.to_owned(), (**contact).to_owned());
        contacts.iter().filter_map(|contact| self.contacts.get(&place(&contact)).cloned()).collect()
    }
}

/// The id of a row to write: the next one for 0, the same if it is there, None if it is not.
pub(super) fn row_id(id: i64, last: &mut i64, is_there: impl Fn(i64) -> bool) -> Option<i64> {
    if id == 0 {
        *last += 1;
        return Some(*last);
    }
    is_there(id).then_some(id)
}
