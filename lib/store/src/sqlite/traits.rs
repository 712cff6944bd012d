//! The two traits, word by word: which method does what stands here, how it does it in the files beside.

use super::looking::log_row;
use super::platform::{project_row, user_row};
use super::platform_statements as platform;
use super::session::{Session, text};
use super::statements as queue;
use crate::{
    Accepted, Blob, ContactState, Count, Demand, Done, Downtime, Finish, Followed, Gateway,
    GatewayState, Hash, InboxRow, Incoming, IncomingRow, Lease, LogFilter, LogRow, NewLog, NewTask,
    Owner, Project, Result, Retention, Snapshot, StoredBody, Subscription, TaskFilter, TaskRow,
    Turn, Tx, Urgent, User, UserFilter, Worker,
};
use notice::{GatewayId, LogId, ModuleName, Ms, ProjectId, Route, TaskId, UserId};
use rusqlite::named_params;

impl Snapshot for Session<'_> {
    fn ready_routes(&mut self, module: &ModuleName, forced_only: bool) -> Result<Vec<Route>> {
        self.routes(module, forced_only)
    }

    fn bound_gateways(&mut self, module: &ModuleName, forced_only: bool) -> Result<Vec<GatewayId>> {
        self.bound(module, forced_only)
    }

    fn task(&mut self, id: TaskId) -> Result<Option<TaskRow>> {
        self.read_task(id)
    }

    fn tasks_of_object(
        &mut self,
        module: &ModuleName,
        route: &Route,
        object: &str,
    ) -> Result<Vec<TaskId>> {
        self.live_of_object(module, route, object)
    }

    fn body(&mut self, id: TaskId) -> Result<Option<StoredBody>> {
        self.read_body(id)
    }

    fn blob(&mut self, hash: &Hash) -> Result<Option<Blob>> {
        self.stored_blob(hash)
    }

    fn tasks(
        &mut self,
        filter: &TaskFilter,
        before: Option<TaskId>,
        limit: u32,
    ) -> Result<Vec<TaskRow>> {
        self.list_tasks(filter, before, limit)
    }

    fn counts(&mut self) -> Result<Vec<Count>> {
        self.count_all()
    }

    fn tasks_of_key(&mut self, key: &str) -> Result<Vec<TaskId>> {
        self.ids_of_key(key)
    }

    fn tasks_of_user(&mut self, user: UserId) -> Result<Vec<TaskId>> {
        let params = named_params! {":element": format!("<id>{user}</id>")};
        self.all(queue::TASKS_OF_USER, params, |row| row.get("id").map(TaskId))
    }

    fn deleted_users(&mut self, users: &[UserId]) -> Result<Vec<UserId>> {
        self.find_deleted_users(users)
    }

    fn key_of_task(&mut self, id: TaskId) -> Result<Option<String>> {
        self.read_key(id)
    }

    fn log(
        &mut self,
        filter: &LogFilter,
        before: Option<LogId>,
        limit: u32,
    ) -> Result<Vec<LogRow>> {
        self.read_log(filter, before, limit)
    }

    fn refused(&mut self, since: Ms, limit: u32) -> Result<Vec<LogRow>> {
        let params = named_params! {":since": since.0, ":count": limit};
        self.all(queue::LOG_REFUSED, params, log_row)
    }

    fn urgent_routes(&mut self, module: &ModuleName) -> Result<Vec<Urgent>> {
        self.list_urgent(module)
    }

    fn urgent_waits(&mut self, since: Ms, limit: u32) -> Result<Vec<i64>> {
        let params = named_params! {":since": since.0, ":count": limit};
        self.all(queue::LOG_URGENT, params, |row| row.get(0))
    }

    fn next_due(&mut self) -> Result<Option<Ms>> {
        self.earliest_due()
    }

    fn workers(&mut self) -> Result<Vec<Worker>> {
        self.list_workers()
    }

    fn lease_owners(&mut self) -> Result<Vec<String>> {
        self.owners()
    }

    fn leases_of(&mut self, owner: &str) -> Result<Vec<(Lease, Ms, Option<GatewayId>)>> {
        self.leases(owner)
    }

    fn project(&mut self, id: ProjectId) -> Result<Option<Project>> {
        self.one(platform::PROJECT, named_params! {":id": id.0}, project_row)
    }

    fn projects(&mut self) -> Result<Vec<Project>> {
        self.all(platform::PROJECTS, [], project_row)
    }

    fn user(&mut self, id: UserId) -> Result<Option<User>> {
        self.one(platform::USER, named_params! {":id": id.0}, user_row)
    }

    fn users(
        &mut self,
        filter: &UserFilter,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<User>> {
        self.list_users(filter, after, limit)
    }

    fn user_columns(&mut self) -> Result<Vec<String>> {
        self.added_user_columns()
    }

    fn gateway(&mut self, id: GatewayId) -> Result<Option<Gateway>> {
        self.read_gateway(id)
    }

    fn gateways(&mut self) -> Result<Vec<Gateway>> {
        self.list_gateways()
    }

    fn gateway_states(&mut self) -> Result<Vec<GatewayState>> {
        self.list_states()
    }

    fn downtimes(&mut self, gateway: Option<GatewayId>, since: Ms) -> Result<Vec<Downtime>> {
        self.list_downtimes(gateway, since)
    }

    fn subscriptions(&mut self, user: UserId) -> Result<Vec<Subscription>> {
        self.list_subscriptions(user)
    }

    fn inbox(&mut self, user: UserId, before: Option<i64>, limit: u32) -> Result<Vec<InboxRow>> {
        self.list_inbox(user, before, limit)
    }

    fn incoming(
        &mut self,
        gateway: Option<GatewayId>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<IncomingRow>> {
        self.list_incoming(gateway, before, limit)
    }

    fn unfollowed(&mut self, limit: u32) -> Result<Vec<i64>> {
        self.list_unfollowed(limit)
    }

    fn stored_uids(&mut self, gateway: GatewayId) -> Result<Vec<String>> {
        self.untold(gateway)
    }

    fn contact_states(&mut self, kind: &str, contacts: &[&str]) -> Result<Vec<ContactState>> {
        self.list_contact_states(kind, contacts)
    }

    fn setting(&mut self, name: &str) -> Result<Option<String>> {
        self.read_setting(name)
    }
}

impl Tx for Session<'_> {
    fn enqueue(&mut self, tasks: &[NewTask], now: Ms) -> Result<Vec<Accepted>> {
        self.enqueue_all(tasks, now)
    }

    fn turn(&mut self, owner: &Owner, done: &[Done], want: &[Demand], now: Ms) -> Result<Turn> {
        self.take_turn(owner, done, want, now)
    }

    fn split(
        &mut self,
        owner: &Owner,
        lease: Lease,
        parts: &[NewTask],
        now: Ms,
    ) -> Result<Option<Vec<TaskId>>> {
        self.split_claimed(owner, lease, parts, now)
    }

    fn extend(
        &mut self,
        owner: &Owner,
        leases: &[Lease],
        until: Ms,
        now: Ms,
    ) -> Result<Vec<Lease>> {
        self.extend_all(owner, leases, until, now)
    }

    fn release(&mut self, owner: &Owner, leases: &[Lease], _now: Ms) -> Result<u32> {
        self.release_all(owner, leases)
    }

    fn give_back(&mut self, leases: &[Lease], now: Ms) -> Result<u32> {
        self.give_all_back(leases, now)
    }

    fn add_worker(&mut self, worker: &Worker) -> Result<()> {
        self.register(worker)
    }

    fn remove_worker(&mut self, owner: &str) -> Result<()> {
        self.change(queue::REMOVE_WORKER, named_params! {":owner": owner}).map(|_| ())
    }

    fn retry(&mut self, ids: &[TaskId], now: Ms) -> Result<u32> {
        self.retry_all(ids, now)
    }

    fn end(&mut self, ids: &[TaskId], how: Finish, reason: &str, now: Ms) -> Result<u32> {
        self.end_all(ids, how, reason, now)
    }

    fn prune(&mut self, now: Ms, keep: &Retention) -> Result<bool> {
        self.prune_all(now, keep)
    }

    fn save_project(&mut self, project: &Project) -> Result<ProjectId> {
        self.save_one_project(project)
    }

    fn delete_project(&mut self, id: ProjectId) -> Result<bool> {
        self.delete_one_project(id)
    }

    fn save_user(&mut self, user: &User) -> Result<UserId> {
        self.save_one_user(user)
    }

    fn delete_user(&mut self, id: UserId) -> Result<bool> {
        self.delete_one_user(id)
    }

    fn forget_user(&mut self, id: UserId, contacts: &[String]) -> Result<u32> {
        self.forget(id, contacts)
    }

    fn add_user_column(&mut self, name: &str) -> Result<()> {
        self.grow_user(name)
    }

    fn save_gateway(&mut self, gateway: &Gateway) -> Result<GatewayId> {
        self.save_one_gateway(gateway)
    }

    fn delete_gateway(&mut self, id: GatewayId, now: Ms) -> Result<bool> {
        self.delete_one_gateway(id, now)
    }

    fn set_gateway_state(&mut self, state: &GatewayState, now: Ms) -> Result<()> {
        self.save_state(state, now)
    }

    fn set_paused(&mut self, paused: bool, now: Ms) -> Result<()> {
        self.mark_paused(paused, now)
    }

    fn save_subscription(&mut self, subscription: &Subscription) -> Result<()> {
        self.save_one_subscription(subscription)
    }

    fn mark_read(&mut self, user: UserId, ids: &[i64], now: Ms) -> Result<u32> {
        self.mark_rows_read(user, ids, now)
    }

    fn accept_incoming(&mut self, message: &Incoming, now: Ms) -> Result<Option<i64>> {
        self.accept(message, now)
    }

    fn follow(&mut self, id: i64, from: Followed, to: Followed) -> Result<bool> {
        self.mark_followed(id, from, to)
    }

    fn mark_told(&mut self, gateway: GatewayId, uids: &[String]) -> Result<()> {
        self.mark_all_told(gateway, uids)
    }

    fn set_contact_state(&mut self, state: &ContactState) -> Result<()> {
        self.save_contact_state(state)
    }

    fn add_log(&mut self, rows: &[NewLog]) -> Result<()> {
        rows.iter().try_for_each(|row| self.add_log_row(row))
    }

    fn set_setting(&mut self, name: &str, value: &str) -> Result<()> {
        self.save_setting(name, value)
    }
}

impl Session<'_> {
    fn list_workers(&self) -> Result<Vec<Worker>> {
        self.all(queue::WORKERS, [], |row| {
            Ok(Worker {
                owner: text(row, "owner")?,
                host: text(row, "host")?,
                boot_id: text(row, "boot_id")?,
                pid: row.get("pid")?,
                beat: Ms(row.get("beat_ms")?),
            })
        })
    }

    fn register(&self, worker: &Worker) -> Result<()> {
        let params = named_params! {
            ":owner": worker.owner, ":host": worker.host, ":boot_id": worker.boot_id,
            ":pid": worker.pid, ":beat": worker.beat.0,
        };
        self.change(queue::ADD_WORKER, params)?;
        self.start_stuck(worker.beat)
    }
}
