//! Projects, users, gateways and what is known of them.

use super::call_statements as calls;
use super::ending::number;
use super::platform_statements as sql;
use super::services::unless_there;
use super::session::{Next, Session, count, text, text_or_none};
use super::statements::{self as queue};
use super::wide::{self, PROJECT, USER};
use crate::{
    Condition, ContactState, Direction, Downtime, FORGOTTEN, Followed, Gateway, GatewayState,
    InboxRow, Incoming, IncomingRow, Project, Result, StoreError, Subscription, User, UserFilter,
};
use notice::{GatewayId, ModuleName, Ms, OnUnknown, ProjectId, UserId};
use rusqlite::types::Value;
use rusqlite::{Row, named_params};

/// How long a person is asked about the tasks of a gateway that was deleted, in ms.
pub(crate) const ASK_MS: i64 = Ms::DAY;
/// The id under which the downtimes of the whole queue stand.
const WHOLE_QUEUE: i64 = 0;

impl Session<'_> {
    pub(super) fn save_one_project(&self, project: &Project) -> Result<ProjectId> {
        for (name, _) in project.fields.iter() {
            PROJECT.add_column(self, name)?;
        }
        PROJECT.save(self, project.id.0, &[], &project.fields).map(ProjectId)
    }

    pub(super) fn delete_one_project(&self, id: ProjectId) -> Result<bool> {
        let deleted = self.change(sql::DELETE_PROJECT, named_params! {":id": id.0});
        match deleted {
            Err(StoreError::Refused { operation, .. }) => Err(StoreError::Refused {
                operation,
                reason: "it still has accounts, users or gateways".to_owned(),
            }),
            other => other.map(|rows| rows > 0),
        }
    }

    pub(super) fn list_users(
        &self,
        filter: &UserFilter,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<User>> {
        if let Some((name, _)) = &filter.field {
            let columns = USER.columns(self)?;
            if !columns.contains(name) {
                return Err(StoreError::Refused {
                    operation: sql::USERS.name,
                    reason: format!("there is no field `{name}`"),
                });
            }
        }
        let after = after.map_or(0, |id| id.0);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut users = Vec::new();
        let look = |row: &Row<'_>| {
            if users.len() == limit {
                return Ok(Next::Stop);
            }
            let user = user_row(row)?;
            if fits(&user, filter) {
                users.push(user);
            }
            Ok(Next::Go)
        };
        if let Some(text) = &filter.external_id {
            let params = named_params! {":text": text, ":after": after};
            self.each(sql::USERS_BY_EXTERNAL_ID, params, look)?;
        } else if let Some((statement, text)) = indexed(filter) {
            self.each(statement, named_params! {":text": text, ":after": after}, look)?;
        } else if let Some(project) = filter.project {
            let params = named_params! {":project": project.0, ":after": after};
            self.each(sql::USERS_OF_PROJECT, params, look)?;
        } else {
            self.each(sql::USERS, named_params! {":after": after}, look)?;
        }
        Ok(users)
    }

    pub(super) fn save_one_user(&self, user: &User) -> Result<UserId> {
        let external_id = user.external_id.clone().map_or(Value::Null, Value::Text);
        let first = [("project", Value::Integer(user.project.0)), ("external_id", external_id)];
        USER.save(self, user.id.0, &first, &user.fields).map(UserId)
    }

    pub(super) fn find_deleted_users(&self, users: &[UserId]) -> Result<Vec<UserId>> {
        let mut deleted = Vec::new();
        for id in users {
            let hit = self.one(sql::DELETED_USER, named_params! {":id": id.0}, |_| Ok(()))?;
            deleted.extend(hit.map(|()| *id));
        }
        Ok(deleted)
    }

    pub(super) fn delete_one_user(&self, id: UserId) -> Result<bool> {
        self.change(sql::DELETE_INBOX, named_params! {":id": id.0})?;
        self.drop_closed_services(id)?;
        let deleted = self.change(sql::DELETE_USER, named_params! {":id": id.0});
        let deleted = deleted.map_err(|error| unless_there(error, "he still has services"));
        Ok(deleted? > 0)
    }

    pub(super) fn forget(&self, id: UserId, contacts: &[String]) -> Result<u32> {
        let mut rows = 0;
        // First, while the log still says whose they were.
        rows += self.change(calls::FORGET_DELIVERIES, named_params! {":user": id.0})?;
        rows += self.change(calls::FORGET_EVENTS, named_params! {":object": id.to_string()})?;
        let his = named_params! {":user": id.0, ":kept": FORGOTTEN};
        rows += self.change(sql::FORGET_LOG_OF_USER, his)?;
        rows += self.change(sql::FORGET_INCOMING_OF_USER, named_params! {":user": id.0})?;
        rows += self.change(sql::DELETE_INBOX, named_params! {":id": id.0})?;
        for contact in contacts {
            let his = named_params! {":contact": contact, ":kept": FORGOTTEN};
            rows += self.change(sql::FORGET_LOG_OF_CONTACT, his)?;
            rows +=
                self.change(sql::FORGET_INCOMING_OF_CONTACT, named_params! {":contact": contact})?;
        }
        Ok(number(rows))
    }

    pub(super) fn save_one_gateway(&self, gateway: &Gateway) -> Result<GatewayId> {
        let direction = match gateway.direction {
            Direction::Outgoing => 1,
            Direction::Ingoing => 2,
        };
        let active = if gateway.active { "on" } else { "off" };
        let project = gateway.project.map(|id| id.0);
        let on_unknown = gateway.on_unknown.map(OnUnknown::word);
        let module = gateway.module.as_str();
        let mut params: Vec<(&str, &dyn rusqlite::ToSql)> = named_params! {
            ":name": gateway.name, ":project": project, ":module": module,
            ":gate": gateway.gate, ":direction": direction, ":active": active,
            ":priority": gateway.priority, ":concurrency": gateway.concurrency,
            ":rate": gateway.rate_per_sec, ":on_unknown": on_unknown,
            ":xmlparams": gateway.xmlparams, ":secret": gateway.secret,
        }
        .to_vec();
        if gateway.id.0 == 0 {
            self.change(sql::ADD_GATEWAY, params.as_slice()).map_err(no_project)?;
            return Ok(GatewayId(self.last_id()));
        }
        params.push((":id", &gateway.id.0));
        match self.change(sql::SAVE_GATEWAY, params.as_slice()).map_err(no_project)? {
            0 => Err(StoreError::Refused {
                operation: sql::SAVE_GATEWAY.name,
                reason: format!("there is no gateway {}", gateway.id),
            }),
            _ => Ok(gateway.id),
        }
    }

    pub(super) fn delete_one_gateway(&self, id: GatewayId, now: Ms) -> Result<bool> {
        let Some(gateway) = self.read_gateway(id)? else { return Ok(false) };
        let module = gateway.module.as_str();
        let params = named_params! {":module": module, ":gateway": id.0};
        let in_flight: i64 = self.one(queue::IN_FLIGHT, params, |row| row.get(0))?.unwrap_or(0);
        if in_flight > 0 {
            return Err(StoreError::Refused {
                operation: sql::DELETE_GATEWAY.name,
                reason: format!("it is sending {in_flight} tasks: hold it, then try again"),
            });
        }
        for statement in [queue::ASK_READY, queue::ASK_WAITING] {
            let until = now.plus(ASK_MS).0;
            let params = named_params! {":module": module, ":gateway": id.0, ":until": until};
            self.change(statement, params)?;
        }
        self.change(sql::CLOSE_DOWNTIME, named_params! {":gateway": id.0, ":now": now.0})?;
        Ok(self.change(sql::DELETE_GATEWAY, named_params! {":id": id.0})? > 0)
    }

    pub(super) fn read_gateway(&self, id: GatewayId) -> Result<Option<Gateway>> {
        self.one(sql::GATEWAY, named_params! {":id": id.0}, gateway_row)
    }

    pub(super) fn list_gateways(&self) -> Result<Vec<Gateway>> {
        let mut gateways = self.all(sql::GATEWAYS, [], gateway_row)?;
        gateways.sort_by_key(|gateway| (gateway.priority, gateway.id));
        Ok(gateways)
    }

    pub(super) fn list_states(&self) -> Result<Vec<GatewayState>> {
        self.all(sql::STATES, [], state_row)
    }

    pub(super) fn save_state(&self, state: &GatewayState, now: Ms) -> Result<()> {
        let (condition, reason, by_person) = match &state.condition {
            Condition::Open => (0, "", false),
            Condition::Held { reason, by_person } => (1, reason.as_str(), *by_person),
            Condition::Down { reason } => (2, reason.as_str(), false),
        };
        let error = state.last_error.as_ref();
        self.change(
            sql::SAVE_STATE,
            named_params! {
                ":gateway": state.gateway.0, ":condition": condition, ":reason": reason,
                ":by_person": by_person, ":since": state.since.0,
                ":next_probe": state.next_probe.map(|at| at.0), ":probes": state.probes,
                ":strikes": state.strikes, ":holds": state.holds,
                ":error_at": error.map(|(at, _)| at.0), ":error": error.map(|(_, text)| text),
            },
        )?;
        self.mark_down(state.gateway.0, state.condition != Condition::Open, now)
    }

    pub(super) fn mark_paused(&self, paused: bool, now: Ms) -> Result<()> {
        self.mark_down(WHOLE_QUEUE, paused, now)
    }

    fn mark_down(&self, gateway: i64, is_down: bool, now: Ms) -> Result<()> {
        let statement = if is_down { sql::OPEN_DOWNTIME } else { sql::CLOSE_DOWNTIME };
        self.change(statement, named_params! {":gateway": gateway, ":now": now.0})?;
        Ok(())
    }

    pub(super) fn list_downtimes(
        &self,
        gateway: Option<GatewayId>,
        since: Ms,
    ) -> Result<Vec<Downtime>> {
        let gateway = gateway.map_or(WHOLE_QUEUE, |id| id.0);
        let params = named_params! {":gateway": gateway, ":since": since.0};
        self.all(sql::DOWNTIMES, params, |row| {
            Ok(Downtime { from: Ms(row.get(0)?), to: row.get::<_, Option<i64>>(1)?.map(Ms) })
        })
    }

    pub(super) fn list_subscriptions(&self, user: UserId) -> Result<Vec<Subscription>> {
        self.all(sql::SUBSCRIPTIONS, named_params! {":user": user.0}, |row| {
            Ok(Subscription { user, notice: row.get(0)?, module: row.get(1)?, active: row.get(2)? })
        })
    }

    pub(super) fn save_one_subscription(&self, subscription: &Subscription) -> Result<()> {
        let Subscription { user, notice, module, active } = subscription;
        let params = named_params! {
            ":user": user.0, ":notice": notice, ":module": module, ":active": active,
        };
        self.change(sql::SAVE_SUBSCRIPTION, params)?;
        Ok(())
    }

    pub(super) fn list_inbox(
        &self,
        user: UserId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<InboxRow>> {
        let params = named_params! {
            ":user": user.0, ":before": before.unwrap_or(i64::MAX), ":count": limit,
        };
        self.all(sql::INBOX, params, |row| {
            Ok(InboxRow {
                id: row.get(0)?,
                user,
                subject: text(row, "subject")?,
                text: text(row, "text")?,
                at: Ms(row.get(3)?),
                read_at: row.get::<_, Option<i64>>(4)?.map(Ms),
            })
        })
    }

    pub(super) fn mark_rows_read(&self, user: UserId, ids: &[i64], now: Ms) -> Result<u32> {
        let mut marked = 0;
        for id in ids {
            let params = named_params! {":user": user.0, ":id": id, ":now": now.0};
            marked += self.change(sql::MARK_READ, params)?;
        }
        Ok(number(marked))
    }

    pub(super) fn accept(&self, message: &Incoming, now: Ms) -> Result<Option<i64>> {
        let params = named_params! {
            ":gateway": message.gateway.0, ":uid": message.uid, ":sender": message.sender,
            ":user": message.user.map(|id| id.0), ":project": message.project.map(|id| id.0),
            ":reason": message.reason, ":subject": message.subject, ":source": message.source,
            ":now": now.0,
        };
        if self.change(sql::ACCEPT_INCOMING, params)? > 0 {
            return Ok(Some(self.last_id()));
        }
        // Handed over again: the gate has not understood that it was stored, so it is told once more.
        let params = named_params! {":gateway": message.gateway.0, ":uid": message.uid};
        self.change(sql::TELL_AGAIN, params)?;
        Ok(None)
    }

    pub(super) fn list_incoming(
        &self,
        gateway: Option<GatewayId>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<IncomingRow>> {
        let before = before.unwrap_or(i64::MAX);
        match gateway {
            None => {
                let params = named_params! {":before": before, ":count": limit};
                self.all(sql::INCOMING, params, incoming_row)
            }
            Some(id) => {
                let params = named_params! {":gateway": id.0, ":before": before, ":count": limit};
                self.all(sql::INCOMING_OF, params, incoming_row)
            }
        }
    }

    pub(super) fn list_unfollowed(&self, limit: u32) -> Result<Vec<i64>> {
        self.all(sql::UNFOLLOWED, named_params! {":count": limit}, |row| row.get(0))
    }

    pub(super) fn mark_followed(&self, id: i64, from: Followed, to: Followed) -> Result<bool> {
        let params = named_params! {":id": id, ":before": from.number(), ":after": to.number()};
        Ok(self.change(sql::FOLLOW, params)? > 0)
    }

    pub(super) fn untold(&self, gateway: GatewayId) -> Result<Vec<String>> {
        self.all(sql::UNTOLD, named_params! {":gateway": gateway.0}, |row| text(row, "uid"))
    }

    pub(super) fn mark_all_told(&self, gateway: GatewayId, uids: &[String]) -> Result<()> {
        for uid in uids {
            self.change(sql::MARK_TOLD, named_params! {":gateway": gateway.0, ":uid": uid})?;
        }
        Ok(())
    }

    pub(super) fn list_contact_states(
        &self,
        kind: &str,
        contacts: &[&str],
    ) -> Result<Vec<ContactState>> {
        let mut states = Vec::new();
        for contact in contacts {
            let params = named_params! {":kind": kind, ":contact": contact};
            states.extend(self.one(sql::CONTACT_STATE, params, |row| {
                Ok(ContactState {
                    kind: kind.to_owned(),
                    contact: (*contact).to_owned(),
                    state: row.get(0)?,
                    reason: row.get(1)?,
                    since: Ms(row.get(2)?),
                })
            })?);
        }
        Ok(states)
    }

    pub(super) fn save_contact_state(&self, state: &ContactState) -> Result<()> {
        let params = named_params! {
            ":kind": state.kind, ":contact": state.contact, ":state": state.state,
            ":reason": state.reason, ":since": state.since.0,
        };
        self.change(sql::SAVE_CONTACT_STATE, params)?;
        Ok(())
    }

    pub(super) fn read_setting(&self, name: &str) -> Result<Option<String>> {
        self.one(sql::SETTING, named_params! {":name": name}, |row| row.get(0))
    }

    pub(super) fn save_setting(&self, name: &str, value: &str) -> Result<()> {
        self.change(sql::SAVE_SETTING, named_params! {":name": name, ":value": value})?;
        Ok(())
    }

    /// The columns that `user` has beyond those it was made with.
    pub(super) fn added_user_columns(&self) -> Result<Vec<String>> {
        let mut columns = USER.columns(self)?;
        columns.retain(|name| !crate::rows::USER_FIELDS.contains(&name.as_str()));
        Ok(columns)
    }

    pub(super) fn grow_user(&self, name: &str) -> Result<()> {
        wide::USER.add_column(self, name)
    }
}

fn no_project(error: StoreError) -> StoreError {
    unless_there(error, "there is no such project")
}

/// The statement that walks an index for the field of a filter.
fn indexed(filter: &UserFilter) -> Option<(super::statements::Statement, &str)> {
    let (name, text) = filter.field.as_ref()?;
    let statement = match name.as_str() {
        "email" => sql::USERS_BY_EMAIL,
        "phone" => sql::USERS_BY_PHONE,
        "name" => sql::USERS_BY_NAME,
        "account" if !text.is_empty() => sql::USERS_BY_ACCOUNT,
        _ => return None,
    };
    Some((statement, text))
}

/// Whether a user fits every part of a filter.
pub(crate) fn fits(user: &User, filter: &UserFilter) -> bool {
    let field_fits = filter.field.as_ref().is_none_or(|(name, wanted)| {
        let found = user.fields.text(name);
        if name == "email" { found.eq_ignore_ascii_case(wanted) } else { found == wanted }
    });
    field_fits
        && filter.project.is_none_or(|project| project == user.project)
        && (filter.external_id.is_none() || filter.external_id == user.external_id)
}

pub(super) fn project_row(row: &Row<'_>) -> rusqlite::Result<Project> {
    Ok(Project { id: ProjectId(row.get("id")?), fields: PROJECT.fields(row)? })
}

pub(super) fn user_row(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId(row.get("id")?),
        project: ProjectId(row.get("project")?),
        external_id: text_or_none(row, "external_id")?,
        fields: USER.fields(row)?,
    })
}

fn gateway_row(row: &Row<'_>) -> rusqlite::Result<Gateway> {
    let module: String = row.get("notify_module")?;
    let module = ModuleName::new(&module).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })?;
    let direction: i64 = row.get("gateway_type")?;
    Ok(Gateway {
        id: GatewayId(row.get("id")?),
        name: text(row, "name")?,
        project: row.get::<_, Option<i64>>("project")?.map(ProjectId),
        module,
        gate: text(row, "gateway_module")?,
        direction: if direction == 1 { Direction::Outgoing } else { Direction::Ingoing },
        active: text(row, "active")? == "on",
        priority: row.get("priority")?,
        concurrency: row.get("concurrency")?,
        rate_per_sec: row.get("rate_per_sec")?,
        on_unknown: text(row, "on_unknown")?.parse().ok(),
        xmlparams: text(row, "xmlparams")?,
        secret: row.get("secret")?,
        version: row.get("version")?,
    })
}

fn state_row(row: &Row<'_>) -> rusqlite::Result<GatewayState> {
    let reason = text(row, "reason")?;
    let condition = match row.get::<_, i64>("condition")? {
        1 => Condition::Held { reason, by_person: row.get("by_person")? },
        2 => Condition::Down { reason },
        _ => Condition::Open,
    };
    let error_at: Option<i64> = row.get("last_error_ms")?;
    let error = text(row, "last_error")?;
    Ok(GatewayState {
        gateway: GatewayId(row.get("gateway")?),
        condition,
        since: Ms(row.get("since_ms")?),
        next_probe: row.get::<_, Option<i64>>("next_probe_ms")?.map(Ms),
        probes: count(row, "probes")?,
        strikes: count(row, "strikes")?,
        holds: count(row, "holds")?,
        last_error: error_at.map(|at| (Ms(at), error)),
    })
}

fn incoming_row(row: &Row<'_>) -> rusqlite::Result<IncomingRow> {
    Ok(IncomingRow {
        id: row.get("id")?,
        message: Incoming {
            gateway: GatewayId(row.get("gateway")?),
            uid: text(row, "uid")?,
            sender: text(row, "sender")?,
            user: row.get::<_, Option<i64>>("user")?.map(UserId),
            project: row.get::<_, Option<i64>>("project")?.map(ProjectId),
            reason: text(row, "reason")?,
            subject: text(row, "subject")?,
            source: row.get("source")?,
        },
        at: Ms(row.get("date_post")?),
        followed: Followed::from_number(row.get("followed")?),
    })
}
