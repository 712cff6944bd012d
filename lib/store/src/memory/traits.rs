//! The two traits, word by word: which method does what stands here, how it does it in the files beside.

use super::Tables;
use crate::{
    Accepted, Blob, ContactState, Count, Demand, Done, Downtime, Finish, Followed, Gateway,
    GatewayState, Hash, InboxRow, Incoming, IncomingRow, Lease, LogFilter, LogRow, NewLog, NewTask,
    Owner, Project, Result, Retention, Snapshot, StoredBody, Subscription, TaskFilter, TaskRow,
    Turn, Tx, Urgent, User, UserFilter, Worker,
};
use notice::{GatewayId, LogId, ModuleName, Ms, ProjectId, Route, TaskId, UserId};
use std::sync::Arc;

impl Snapshot for Tables {
    fn ready_routes(&mut self, module: &ModuleName, forced_only: bool) -> Result<Vec<Route>> {
        Ok(self.routes(module, forced_only))
    }

    fn bound_gateways(&mut self, module: &ModuleName, forced_only: bool) -> Result<Vec<GatewayId>> {
        Ok(self.bound(module, forced_only))
    }

    fn task(&mut self, id: TaskId) -> Result<Option<TaskRow>> {
        Ok(self.tasks.get(&id.0).map(|task| self.shown(task)))
    }

    fn tasks_of_object(
        &mut self,
        module: &ModuleName,
        route: &Route,
        object: &str,
    ) -> Result<Vec<TaskId>> {
        Ok(self.live_of_object(module, route, object))
    }

    fn body(&mut self, id: TaskId) -> Result<Option<StoredBody>> {
        Ok(self.tasks.get(&id.0).and_then(|task| task.body.clone()))
    }

    fn blob(&mut self, hash: &Hash) -> Result<Option<Blob>> {
        Ok(self.blobs.get(hash).map(|(bytes, _)| Blob { hash: *hash, bytes: Arc::clone(bytes) }))
    }

    fn tasks(
        &mut self,
        filter: &TaskFilter,
        before: Option<TaskId>,
        limit: u32,
    ) -> Result<Vec<TaskRow>> {
        Ok(self.list_tasks(filter, before, limit))
    }

    fn counts(&mut self) -> Result<Vec<Count>> {
        Ok(self.count_all())
    }

    fn tasks_of_key(&mut self, key: &str) -> Result<Vec<TaskId>> {
        Ok(self.ids_of_key(key))
    }

    fn tasks_of_user(&mut self, user: UserId) -> Result<Vec<TaskId>> {
        Ok(self.find_tasks_of(user))
    }

    fn deleted_users(&mut self, users: &[UserId]) -> Result<Vec<UserId>> {
        let was_here = |id: &&UserId| id.0 > 0 && id.0 <= self.last_user;
        let gone = users.iter().filter(was_here).filter(|id| !self.users.contains_key(&id.0));
        Ok(gone.copied().collect())
    }

    fn key_of_task(&mut self, id: TaskId) -> Result<Option<String>> {
        Ok(self.tasks.get(&id.0).map(|_| self.key_of(id)).or_else(|| self.stored_key(id)))
    }

    fn log(
        &mut self,
        filter: &LogFilter,
        before: Option<LogId>,
        limit: u32,
    ) -> Result<Vec<LogRow>> {
        Ok(self.list_log(filter, before, limit))
    }

    fn refused(&mut self, since: Ms, limit: u32) -> Result<Vec<LogRow>> {
        Ok(self.list_refused(since, limit))
    }

    fn urgent_routes(&mut self, module: &ModuleName) -> Result<Vec<Urgent>> {
        Ok(self.list_urgent(module))
    }

    fn urgent_waits(&mut self, since: Ms, limit: u32) -> Result<Vec<i64>> {
        Ok(self.list_urgent_waits(since, limit))
    }

    fn next_due(&mut self) -> Result<Option<Ms>> {
        Ok(self.earliest_due())
    }

    fn workers(&mut self) -> Result<Vec<Worker>> {
        Ok(self.workers.values().cloned().collect())
    }

    fn lease_owners(&mut self) -> Result<Vec<String>> {
        Ok(self.owners())
    }

    fn leases_of(&mut self, owner: &str) -> Result<Vec<(Lease, Ms, Option<GatewayId>)>> {
        Ok(self.leases(owner))
    }

    fn project(&mut self, id: ProjectId) -> Result<Option<Project>> {
        Ok(self.projects.get(&id.0).map(|project| self.whole_project(project)))
    }

    fn projects(&mut self) -> Result<Vec<Project>> {
        Ok(self.projects.values().map(|project| self.whole_project(project)).collect())
    }

    fn user(&mut self, id: UserId) -> Result<Option<User>> {
        Ok(self.users.get(&id.0).map(|user| self.whole_user(user)))
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
        Ok(self.user_columns.clone())
    }

    fn gateway(&mut self, id: GatewayId) -> Result<Option<Gateway>> {
        Ok(self.gateways.get(&id.0).cloned())
    }

    fn gateways(&mut self) -> Result<Vec<Gateway>> {
        Ok(self.list_gateways())
    }

    fn gateway_states(&mut self) -> Result<Vec<GatewayState>> {
        Ok(self.states.values().cloned().collect())
    }

    fn downtimes(&mut self, gateway: Option<GatewayId>, since: Ms) -> Result<Vec<Downtime>> {
        Ok(self.list_downtimes(gateway, since))
    }

    fn subscriptions(&mut self, user: UserId) -> Result<Vec<Subscription>> {
        Ok(self.list_subscriptions(user))
    }

    fn inbox(&mut self, user: UserId, before: Option<i64>, limit: u32) -> Result<Vec<InboxRow>> {
        Ok(self.list_inbox(user, before, limit))
    }

    fn incoming(
        &mut self,
        gateway: Option<GatewayId>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<IncomingRow>> {
        Ok(self.list_incoming(gateway, before, limit))
    }

    fn unfollowed(&mut self, limit: u32) -> Result<Vec<i64>> {
        Ok(self.list_unfollowed(limit))
    }

    fn stored_uids(&mut self, gateway: GatewayId) -> Result<Vec<String>> {
        Ok(self.list_untold(gateway))
    }

    fn contact_states(&mut self, kind: &str, contacts: &[&str]) -> Result<Vec<ContactState>> {
        Ok(self.list_contacts(kind, contacts))
    }

    fn setting(&mut self, name: &str) -> Result<Option<String>> {
        Ok(self.settings.get(name).cloned())
    }
}

impl Tx for Tables {
    fn enqueue(&mut self, tasks: &[NewTask], now: Ms) -> Result<Vec<Accepted>> {
        Ok(tasks.iter().map(|task| self.take_in(task, now)).collect())
    }

    fn turn(&mut self, owner: &Owner, done: &[Done], want: &[Demand], now: Ms) -> Result<Turn> {
        Ok(self.one_turn(owner, done, want, now))
    }

    fn split(
        &mut self,
        owner: &Owner,
        lease: Lease,
        parts: &[NewTask],
        now: Ms,
    ) -> Result<Option<Vec<TaskId>>> {
        self.split_file(owner, lease, parts, now)
    }

    fn extend(
        &mut self,
        owner: &Owner,
        leases: &[Lease],
        until: Ms,
        now: Ms,
    ) -> Result<Vec<Lease>> {
        self.workers.entry(owner.0.clone()).and_modify(|worker| worker.beat = now);
        Ok(self.lengthen(owner, leases, until))
    }

    fn release(&mut self, owner: &Owner, leases: &[Lease], _now: Ms) -> Result<u32> {
        Ok(self.put_back(owner, leases))
    }

    fn give_back(&mut self, leases: &[Lease], now: Ms) -> Result<u32> {
        Ok(self.forgive(leases, now))
    }

    fn add_worker(&mut self, worker: &Worker) -> Result<()> {
        self.workers.insert(worker.owner.clone(), worker.clone());
        self.start_stuck(worker.beat);
        Ok(())
    }

    fn remove_worker(&mut self, owner: &str) -> Result<()> {
        self.workers.remove(owner);
        Ok(())
    }

    fn retry(&mut self, ids: &[TaskId], now: Ms) -> Result<u32> {
        Ok(ids.iter().map(|id| u32::from(self.retry_one(*id, now))).sum())
    }

    fn end(&mut self, ids: &[TaskId], how: Finish, reason: &str, now: Ms) -> Result<u32> {
        Ok(self.end_many(ids, how, reason, now))
    }

    fn prune(&mut self, now: Ms, keep: &Retention) -> Result<bool> {
        Ok(self.prune_old(now, keep))
    }

    fn save_project(&mut self, project: &Project) -> Result<ProjectId> {
        self.put_project(project)
    }

    fn delete_project(&mut self, id: ProjectId) -> Result<bool> {
        self.drop_project(id)
    }

    fn save_user(&mut self, user: &User) -> Result<UserId> {
        self.put_user(user)
    }

    fn delete_user(&mut self, id: UserId) -> Result<bool> {
        self.drop_user(id)
    }

    fn forget_user(&mut self, id: UserId, contacts: &[String]) -> Result<u32> {
        Ok(self.forget(id, contacts))
    }

    fn add_user_column(&mut self, name: &str) -> Result<()> {
        self.grow_user(name)
    }

    fn save_gateway(&mut self, gateway: &Gateway) -> Result<GatewayId> {
        self.put_gateway(gateway)
    }

    fn delete_gateway(&mut self, id: GatewayId, now: Ms) -> Result<bool> {
        self.drop_gateway(id, now)
    }

    fn set_gateway_state(&mut self, state: &GatewayState, now: Ms) -> Result<()> {
        self.put_state(state, now);
        Ok(())
    }

    fn set_paused(&mut self, paused: bool, now: Ms) -> Result<()> {
        self.mark_down(0, paused, now);
        Ok(())
    }

    fn save_subscription(&mut self, subscription: &Subscription) -> Result<()> {
        self.put_subscription(subscription)
    }

    fn mark_read(&mut self, user: UserId, ids: &[i64], now: Ms) -> Result<u32> {
        Ok(self.mark_rows_read(user, ids, now))
    }

    fn accept_incoming(&mut self, message: &Incoming, now: Ms) -> Result<Option<i64>> {
        Ok(self.accept(message, now))
    }

    fn follow(&mut self, id: i64, from: Followed, to: Followed) -> Result<bool> {
        Ok(self.mark_followed(id, from, to))
    }

    fn mark_told(&mut self, gateway: GatewayId, uids: &[String]) -> Result<()> {
        self.mark_all_told(gateway, uids);
        Ok(())
    }

    fn set_contact_state(&mut self, state: &ContactState) -> Result<()> {
        let place = (state.kind.clone(), state.contact.clone());
        self.contacts.insert(place, state.clone());
        Ok(())
    }

    fn add_log(&mut self, rows: &[NewLog]) -> Result<()> {
        for row in rows {
            self.write_log(row.clone());
        }
        Ok(())
    }

    fn set_setting(&mut self, name: &str, value: &str) -> Result<()> {
        self.settings.insert(name.to_owned(), value.to_owned());
        Ok(())
    }
}
