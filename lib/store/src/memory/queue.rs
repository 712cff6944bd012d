//! The rules of the queue (queue 2 and 3).

use super::{Tables, Task};
use crate::calendar::createdate;
use crate::failed::failed_event;
use crate::retention::before;
use crate::untried::{Untried, untried};
use crate::{
    Accepted, Blob, Body, Claimed, Demand, Done, Effect, Finish, InboxRow, Lease, NewLog, NewTask,
    Owner, Pool, Result, Retention, Settlement, StoreError, StoredBody, TaskRow, Told, Turn,
};
use notice::{Ms, State, TaskId, UserId};

/// Rows of each kind that time moves in one turn.
const MOVED_A_TURN: usize = 500;
/// Rows of each kind that one `prune` removes.
const PRUNED: usize = 1_000;
/// Age at which a blob's use is noted again, in ms.
const BLOB_NOTE_MS: i64 = 3_600_000;

impl Task {
    fn is_live(&self) -> bool {
        matches!(self.row.state, State::Ready | State::Sending | State::Waiting)
    }

    /// Whether its first attempt has ended, and not well.
    fn is_in_trouble(&self) -> bool {
        self.row.error_count > 0 || !self.row.err_info.is_empty()
    }

    fn has_object_of(&self, other: &TaskRow) -> bool {
        !other.object.is_empty()
            && self.row.object == other.object
            && self.row.module == other.module
            && self.row.route == other.route
    }

    fn unlease(&mut self) {
        self.row.lease_owner = None;
        self.row.lease_until = None;
    }

    fn is_leased_by(&self, owner: &Owner, lease: Lease) -> bool {
        self.row.state == State::Sending
            && self.row.lease_owner.as_ref() == Some(&owner.0)
            && self.seq == lease.seq
    }
}

impl Tables {
    pub(super) fn uuid(&self) -> &str {
        self.settings.get("uuid").map_or("", String::as_str)
    }

    pub(super) fn ord(&self, row: &TaskRow) -> i64 {
        let slack = if self.strict { 1_000_000_000_000 } else { Ms::DAY };
        row.ready.0 - slack * row.priority.number()
    }

    pub(super) fn key_of(&self, id: TaskId) -> String {
        let known = self.keys.iter().find(|(_, (task, _))| *task == id.0);
        known.map_or_else(|| format!("{}:{id}", self.uuid()), |(key, _)| key.clone())
    }

    fn older_of_object(&self, row: &TaskRow) -> bool {
        self.tasks.range(..row.id.0).any(|(_, task)| task.is_live() && task.has_object_of(row))
    }

    pub(super) fn take_in(&mut self, new: &NewTask, now: Ms) -> Accepted {
        if let Some((first, _)) = new.key.as_ref().and_then(|key| self.keys.get(key)) {
            return Accepted::Duplicate(TaskId(*first));
        }
        let id = TaskId(self.last_task + 1);
        self.last_task = id.0;
        let follows = new.follows.filter(|followed| self.is_to_wait_for(*followed));
        let run_at = new.not_before.filter(|at| *at > now);
        let mut row = TaskRow {
            id,
            key: None,
            module: new.module.as_str().to_owned(),
            filename: match &new.body {
                Body::File(name) => name.clone(),
                Body::Stored(_) => String::new(),
            },
            priority: new.priority,
            error_count: 0,
            forced: new.forced,
            err_info: String::new(),
            createdate: createdate(now),
            route: new.route.clone(),
            object: new.object.clone(),
            state: State::Ready,
            queued: now,
            ready: now,
            run_at,
            expires: new.expires,
            attempt: 0,
            maybe_sent: false,
            last_gateway: None,
            lease_until: None,
            lease_owner: None,
            project: None,
        };
        if follows.is_some() || run_at.is_some() || self.older_of_object(&row) {
            row.state = State::Waiting;
        }
        let body = match &new.body {
            Body::File(_) => None,
            Body::Stored(body) => Some(self.keep_body(body, now)),
        };
        self.tasks.insert(id.0, Task { row, follows, seq: 0, body });
        if let Some(key) = &new.key {
            self.keys.insert(key.clone(), (id.0, now));
        }
        Accepted::New(id)
    }

    fn is_to_wait_for(&self, followed: TaskId) -> bool {
        let Some(task) = self.tasks.get(&followed.0) else { return false };
        let held_up = self.tasks.range(..followed.0).any(|(_, older)| {
            older.is_live() && older.is_in_trouble() && older.has_object_of(&task.row)
        });
        task.is_live() && !task.is_in_trouble() && !held_up
    }

    fn keep_body(&mut self, body: &StoredBody, now: Ms) -> StoredBody {
        for blob in body.bundle.iter().chain([&body.notice]) {
            self.keep_blob(blob, now);
        }
        body.clone()
    }

    fn keep_blob(&mut self, blob: &Blob, now: Ms) {
        let kept = self.blobs.entry(blob.hash).or_insert_with(|| (blob.bytes.clone(), now));
        if kept.1.0 < now.0 - BLOB_NOTE_MS {
            kept.1 = now;
        }
    }

    pub(super) fn one_turn(
        &mut self,
        owner: &Owner,
        done: &[Done],
        want: &[Demand],
        now: Ms,
    ) -> Turn {
        let mut turn = Turn::default();
        for one in done {
            if !self.settle(owner, one, now) {
                turn.lost.push(one.lease);
            }
        }
        turn.promoted = self.promote(now);
        turn.expired = self.expire(now);
        turn.unanswered = self.fail_unanswered(now);
        for demand in want {
            let room = crate::sqlite::CLAIMS_A_TURN - turn.claimed.len();
            let limit = room.min(demand.count as usize).min(self.left_under(demand));
            for id in self.fitting(demand, limit) {
                self.claim(owner, demand, id, now, &mut turn);
            }
        }
        turn
    }

    fn settle(&mut self, owner: &Owner, done: &Done, now: Ms) -> bool {
        let id = done.lease.task;
        let Some(task) = self.tasks.get_mut(&id.0) else { return false };
        if !task.is_leased_by(owner, done.lease) {
            return false;
        }
        task.unlease();
        let row = &mut task.row;
        match done.settlement {
            Settlement::Gone => {}
            Settlement::Wait { at, spent, maybe_sent } => {
                row.state = State::Waiting;
                row.run_at = Some(at);
                if spent {
                    row.error_count += 1;
                } else {
                    row.attempt -= 1;
                }
                row.maybe_sent = row.last_gateway.is_some() && (row.maybe_sent || maybe_sent);
            }
            Settlement::Back => {
                row.state = State::Ready;
                row.run_at = None;
                row.attempt -= 1;
            }
            Settlement::Fail => {
                row.state = State::Failed;
                row.run_at = Some(now);
                row.error_count += 1;
                row.expires = None;
            }
            Settlement::Ask { until } => {
                row.state = State::Asked;
                row.run_at = Some(until);
                row.error_count += 1;
                row.maybe_sent = true;
            }
        }
        if done.settlement != Settlement::Back {
            row.err_info.clone_from(&done.reason);
        }
        let left = row.clone();
        self.leave_behind(done, now);
        match done.settlement {
            Settlement::Gone => {
                self.tasks.remove(&id.0);
                self.let_next_go(&left, now);
            }
            Settlement::Fail | Settlement::Ask { .. } => self.let_next_go(&left, now),
            Settlement::Wait { .. } => self.let_followers_go(&left, now),
            Settlement::Back => self.stay_behind(id),
        }
        true
    }

    /// The log row, the effects and the news of an outcome that hit its row.
    fn leave_behind(&mut self, done: &Done, now: Ms) {
        let mut log_id = None;
        if let Some(log) = &done.log {
            self.write_log(log.clone());
            log_id = Some(self.last_log);
        }
        for effect in &done.effects {
            self.apply(effect, log_id, now);
        }
        if let (Settlement::Fail, Some(log)) = (&done.settlement, &done.log) {
            self.tell_failed(log, &done.reason, now);
        }
    }

    fn apply(&mut self, effect: &Effect, log: Option<i64>, now: Ms) {
        match effect {
            Effect::Inbox { user, subject, text } => {
                self.last_inbox += 1;
                let (subject, text) = (subject.clone(), text.clone());
                let row = InboxRow {
                    id: self.last_inbox,
                    user: *user,
                    subject,
                    text,
                    at: now,
                    read_at: None,
                };
                self.inbox.insert(self.last_inbox, row);
            }
            Effect::Event(event) => {
                self.put_event(event, Told::NotYet);
            }
            Effect::ItemParam { service, param } => self.sold.keep_item_param(*service, param),
            Effect::ServiceParam { service, param } => {
                self.sold.keep_service_param(*service, param);
            }
            Effect::ServiceState { service, from, to, externalid } => {
                let moved = self.sold.step(*service, *from, *to);
                if let (true, Some(externalid)) = (moved, externalid) {
                    self.sold.note_external_id(*service, externalid);
                }
            }
            Effect::Handler { handler, status } => self.sold.switch_handler(*handler, *status),
            Effect::Response(delivery) => {
                if let Some(log) = log {
                    self.calls.deliveries.insert(log, delivery.clone());
                }
            }
        }
    }

    fn tell_failed(&mut self, log: &NewLog, reason: &str, now: Ms) {
        if let Some(event) = failed_event(log, reason, now) {
            self.put_event(&event, Told::NotYet);
        }
    }

    pub(super) fn write_log(&mut self, row: NewLog) {
        self.last_log += 1;
        self.log.insert(self.last_log, row);
    }

    /// A row that was given back waits while an older one of its object, put back meanwhile, is live.
    fn stay_behind(&mut self, id: TaskId) {
        let Some(row) = self.tasks.get(&id.0).map(|task| task.row.clone()) else { return };
        if self.older_of_object(&row) {
            self.tasks.entry(id.0).and_modify(|task| {
                task.row.state = State::Waiting;
                task.row.run_at = None;
            });
        }
    }

    fn let_next_go(&mut self, left: &TaskRow, now: Ms) {
        self.let_go(&[left.id], now);
        self.start_next_of(left, now);
    }

    fn let_followers_go(&mut self, left: &TaskRow, now: Ms) {
        let mut held = vec![left.id];
        let younger = self.tasks.range(left.id.0 + 1..);
        let behind = younger.filter(|(_, task)| task.is_live() && task.has_object_of(left));
        held.extend(behind.map(|(id, _)| TaskId(*id)));
        self.let_go(&held, now);
    }

    fn let_go(&mut self, followed: &[TaskId], now: Ms) {
        let mut freed = Vec::new();
        for task in self.tasks.values_mut() {
            if task.follows.is_some_and(|id| followed.contains(&id)) {
                task.follows = None;
                freed.push(task.row.clone());
            }
        }
        for row in freed {
            if row.object.is_empty() {
                self.start(row.id, now);
            } else {
                self.start_next_of(&row, now);
            }
        }
    }

    fn start(&mut self, id: TaskId, now: Ms) {
        let Some(task) = self.tasks.get_mut(&id.0) else { return };
        if task.row.state == State::Waiting && task.row.run_at.is_none() && task.follows.is_none() {
            task.row.state = State::Ready;
            task.row.ready = now;
        }
    }

    fn start_next_of(&mut self, left: &TaskRow, now: Ms) {
        let mut live = self.tasks.iter().filter(|(_, task)| task.is_live());
        let next = live.find(|(_, task)| task.has_object_of(left)).map(|(id, _)| TaskId(*id));
        if let Some(id) = next {
            self.start(id, now);
        }
    }

    pub(super) fn start_stuck(&mut self, now: Ms) {
        let ids: Vec<i64> = self.tasks.keys().copied().collect();
        for id in ids {
            let Some(task) = self.tasks.get(&id) else { continue };
            let gone = task.follows.is_some_and(|followed| !self.tasks.contains_key(&followed.0));
            let row = task.row.clone();
            if gone && let Some(task) = self.tasks.get_mut(&id) {
                task.follows = None;
            }
            if !self.older_of_object(&row) {
                self.start(TaskId(id), now);
            }
        }
    }

    /// Ids of the rows of a state that are due, the earliest first, as many as time moves in one turn.
    fn due(&self, due_at: impl Fn(&TaskRow) -> Option<Ms>, now: Ms) -> Vec<i64> {
        let mut due: Vec<(Ms, i64)> = self
            .tasks
            .iter()
            .filter_map(|(id, task)| due_at(&task.row).filter(|at| *at <= now).map(|at| (at, *id)))
            .collect();
        due.sort_unstable();
        due.into_iter().take(MOVED_A_TURN).map(|(_, id)| id).collect()
    }

    fn promote(&mut self, now: Ms) -> u32 {
        let due = self.due(|row| row.run_at.filter(|_| row.state == State::Waiting), now);
        let mut promoted = 0;
        for id in due {
            let Some(task) = self.tasks.get_mut(&id) else { continue };
            task.row.run_at = None;
            task.row.ready = now;
            if task.row.attempt == 0 {
                task.row.queued = now;
            }
            let (row, follows) = (task.row.clone(), task.follows);
            if follows.is_none() && !self.older_of_object(&row) {
                self.start(TaskId(id), now);
                promoted += 1;
            }
        }
        promoted
    }

    fn expire(&mut self, now: Ms) -> u32 {
        let due = self.due(|row| row.expires.filter(|_| row.state != State::Sending), now);
        let ended =
            due.iter().filter(|id| self.end_one(TaskId(**id), "expired", "its time was up", now));
        u32::try_from(ended.count()).unwrap_or(u32::MAX)
    }

    fn fail_unanswered(&mut self, now: Ms) -> u32 {
        let due = self.due(|row| row.run_at.filter(|_| row.state == State::Asked), now);
        for id in &due {
            let reason = "nobody answered in time";
            self.log_end(TaskId(*id), "unanswered", reason, now);
            if let Some(log) = self.log.get(&self.last_log).cloned() {
                self.tell_failed(&log, reason, now);
            }
            if let Some(task) = self.tasks.get_mut(id) {
                task.row.state = State::Failed;
                task.row.run_at = Some(now);
                task.row.expires = None;
            }
        }
        u32::try_from(due.len()).unwrap_or(u32::MAX)
    }

    fn fitting(&self, demand: &Demand, limit: usize) -> Vec<i64> {
        let fits = |task: &&Task| {
            let row = &task.row;
            row.state == State::Ready
                && row.module == demand.module.as_str()
                && (row.forced || !demand.forced_only)
                && match &demand.pool {
                    Pool::Route(route) => !row.maybe_sent && row.route == *route,
                    Pool::Bound => {
                        row.maybe_sent
                            && demand.gateway.is_some()
                            && row.last_gateway == demand.gateway
                    }
                }
        };
        let mut rows: Vec<(i64, i64)> = self
            .tasks
            .values()
            .filter(fits)
            .map(|task| (self.ord(&task.row), task.row.id.0))
            .collect();
        rows.sort_unstable();
        rows.into_iter().take(limit).map(|(_, id)| id).collect()
    }

    fn left_under(&self, demand: &Demand) -> usize {
        let Some(ceiling) = &demand.ceiling else { return usize::MAX };
        let is_one = |row: &TaskRow| {
            row.state == State::Sending
                && row.module == demand.module.as_str()
                && row.route == ceiling.route
        };
        let sending = self.tasks.values().filter(|task| is_one(&task.row)).count();
        (ceiling.at_once as usize).saturating_sub(sending)
    }

    fn claim(&mut self, owner: &Owner, demand: &Demand, id: i64, now: Ms, turn: &mut Turn) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.seq += 1;
        if task.row.expires.is_some_and(|at| at <= now) {
            if demand.pool != Pool::Bound {
                task.row.last_gateway = demand.gateway;
            }
            self.end_one(TaskId(id), "expired", "its time was up", now);
            turn.expired += 1;
            return;
        }
        task.row.state = State::Sending;
        task.row.attempt += 1;
        task.row.lease_owner = Some(owner.0.clone());
        task.row.lease_until = Some(demand.lease_until);
        task.row.last_gateway = demand.gateway;
        let (seq, row, body) = (task.seq, task.row.clone(), task.body.clone());
        turn.claimed.push(Claimed {
            lease: Lease { task: row.id, seq },
            module: demand.module.clone(),
            ord: self.ord(&row),
            route: row.route,
            gateway: demand.gateway,
            filename: row.filename,
            priority: row.priority,
            error_count: row.error_count,
            attempt: row.attempt,
            maybe_sent: row.maybe_sent,
            forced: row.forced,
            object: row.object,
            queued: row.queued,
            expires: row.expires,
            key: self.key_of(TaskId(id)),
            body,
        });
    }

    pub(super) fn split_file(
        &mut self,
        owner: &Owner,
        lease: Lease,
        parts: &[NewTask],
        now: Ms,
    ) -> Result<Option<Vec<TaskId>>> {
        let all_stored = parts.iter().all(|part| matches!(part.body, Body::Stored(_)));
        if parts.is_empty() || !all_stored {
            let reason = "a file without a notification, or a part whose body is a file again";
            return Err(StoreError::Refused {
                operation: "split a file",
                reason: reason.to_owned(),
            });
        }
        let Some(task) = self.tasks.get_mut(&lease.task.0) else { return Ok(None) };
        let is_no_file = task.row.maybe_sent || !task.row.object.is_empty();
        if is_no_file || !task.is_leased_by(owner, lease) {
            return Ok(None);
        }
        task.unlease();
        task.row.state = State::Ready;
        task.row.attempt -= 1;
        task.row.filename.clear();
        task.row.object.clear();
        task.row.last_gateway = None;
        let (row, base) = (task.row.clone(), self.key_of(lease.task));
        let mut ids = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            let Body::Stored(body) = &part.body else { continue };
            let body = Some(self.keep_body(body, now));
            let mut row = TaskRow {
                route: part.route.clone(),
                expires: part.expires.or(row.expires),
                ..row.clone()
            };
            if number == 0 {
                self.tasks.entry(row.id.0).and_modify(|task| {
                    task.row = row.clone();
                    task.body = body;
                });
            } else {
                self.last_task += 1;
                row.id = TaskId(self.last_task);
                row.error_count = 0;
                row.err_info.clear();
                row.attempt = 0;
                row.maybe_sent = false;
                self.keys.insert(format!("{base}/{}", number + 1), (row.id.0, now));
                self.tasks.insert(row.id.0, Task { row: row.clone(), follows: None, seq: 0, body });
            }
            ids.push(row.id);
        }
        Ok(Some(ids))
    }

    pub(super) fn lengthen(&mut self, owner: &Owner, leases: &[Lease], until: Ms) -> Vec<Lease> {
        let mut ours = Vec::new();
        for lease in leases {
            if let Some(task) = self.tasks.get_mut(&lease.task.0)
                && task.is_leased_by(owner, *lease)
            {
                task.row.lease_until = Some(until);
                ours.push(*lease);
            }
        }
        ours
    }

    pub(super) fn put_back(&mut self, owner: &Owner, leases: &[Lease]) -> u32 {
        let mut released = 0;
        for lease in leases {
            if let Some(task) = self.tasks.get_mut(&lease.task.0)
                && task.is_leased_by(owner, *lease)
            {
                task.unlease();
                task.row.state = State::Ready;
                task.row.attempt -= 1;
                task.row.run_at = None;
                released += 1;
                self.stay_behind(lease.task);
            }
        }
        released
    }

    pub(super) fn forgive(&mut self, leases: &[Lease], now: Ms) -> u32 {
        let mut given = 0;
        for lease in leases {
            if let Some(task) = self.tasks.get_mut(&lease.task.0)
                && task.row.state == State::Waiting
                && task.seq == lease.seq
            {
                let row = &mut task.row;
                row.state = State::Ready;
                row.ready = now;
                row.run_at = None;
                row.attempt = row.attempt.saturating_sub(1);
                row.error_count = row.error_count.saturating_sub(1);
                given += 1;
                self.stay_behind(lease.task);
            }
        }
        given
    }

    pub(super) fn retry_one(&mut self, id: TaskId, now: Ms) -> bool {
        let Some(task) = self.tasks.get(&id.0) else { return false };
        if matches!(task.row.state, State::Ready | State::Sending) {
            return false;
        }
        let mut row = task.row.clone();
        let known = row.last_gateway.and_then(|gateway| self.gateways.get(&gateway.0));
        let gateway_is_there = known.is_some_and(|gateway| gateway.module.as_str() == row.module);
        let by_gateway = row.route.as_str().starts_with('p');
        row.maybe_sent =
            row.maybe_sent && row.last_gateway.is_some() && (!by_gateway || gateway_is_there);
        row.state = if row.object.is_empty() { State::Ready } else { State::Waiting };
        (row.ready, row.queued, row.run_at) = (now, now, None);
        row.error_count = 0;
        row.err_info.clear();
        for (_, younger) in self.tasks.range_mut(id.0 + 1..) {
            if younger.row.state == State::Ready && younger.has_object_of(&row) {
                younger.row.state = State::Waiting;
                younger.row.run_at = None;
            }
        }
        self.tasks.entry(id.0).and_modify(|task| {
            task.row = row.clone();
            task.follows = None;
        });
        self.start_next_of(&row, now);
        true
    }

    pub(super) fn end_many(&mut self, ids: &[TaskId], how: Finish, reason: &str, now: Ms) -> u32 {
        let outcome = match how {
            Finish::Done => "sent",
            Finish::Cancel => "cancelled",
        };
        ids.iter().map(|id| u32::from(self.end_one(*id, outcome, reason, now))).sum()
    }

    fn end_one(&mut self, id: TaskId, outcome: &str, reason: &str, now: Ms) -> bool {
        let Some(task) = self.tasks.get(&id.0) else { return false };
        if task.row.state == State::Sending {
            return false;
        }
        let left = task.row.clone();
        self.log_end(id, outcome, reason, now);
        self.tasks.remove(&id.0);
        self.let_next_go(&left, now);
        true
    }

    pub(super) fn find_tasks_of(&self, user: UserId) -> Vec<TaskId> {
        let is_his = |task: &&Task| {
            let body = task.body.as_ref();
            body.and_then(|body| user_of(&body.user)) == Some(user)
        };
        self.tasks.values().filter(is_his).map(|task| task.row.id).collect()
    }

    fn log_end(&mut self, id: TaskId, outcome: &str, reason: &str, now: Ms) {
        let Some(task) = self.tasks.get(&id.0) else { return };
        let last = self.log.values().rev().find(|row| row.task == id).cloned();
        let body = task.body.as_ref();
        let snapshot_user = body.and_then(|body| user_of(&body.user));
        let lapsed_untried =
            outcome == "expired" && last.is_none() && task.row.priority.is_urgent();
        let waited_ms = lapsed_untried.then(|| now.since(task.row.queued).max(0));
        let known = match (&last, body) {
            (None, Some(body)) => {
                let bundle = body.bundle.as_ref().map(|blob| blob.bytes.to_vec());
                untried(&task.row.module, &body.user, &bundle.unwrap_or_default())
            }
            (Some(_), _) | (None, None) => Untried::default(),
        };
        let row = NewLog {
            task: id,
            key: Some(self.key_of(id)),
            module: task.row.module.clone(),
            notice: last.as_ref().and_then(|row| row.notice.clone()).or(known.notice),
            user: last.as_ref().and_then(|row| row.user).or(snapshot_user),
            project: last
                .as_ref()
                .and_then(|row| row.project)
                .or(body.and_then(|body| body.project)),
            gateway: task.row.last_gateway,
            contact: last.and_then(|row| row.contact).or(known.contact),
            attempt: task.row.attempt,
            outcome: outcome.to_owned(),
            reason: reason.to_owned(),
            reference: None,
            segments: None,
            queued: task.row.queued,
            at: now,
            took_ms: None,
            waited_ms,
        };
        self.write_log(row);
    }

    pub(super) fn prune_old(&mut self, now: Ms, keep: &Retention) -> bool {
        let (log_cut, key_cut) = (before(now, keep.log_days), before(now, keep.key_days));
        let (failed_cut, blob_cut) = (before(now, keep.failed_days), before(now, keep.blob_days));
        let old = self.tasks.values().filter(|task| {
            task.row.state == State::Failed && task.row.run_at.is_some_and(|at| at < failed_cut)
        });
        let failed: Vec<i64> = old.map(|task| task.row.id.0).take(PRUNED).collect();
        for id in &failed {
            self.tasks.remove(id);
        }
        let is_needed = |(task, made): &(i64, Ms)| {
            *made >= key_cut
                || self.tasks.contains_key(task)
                || self.log.values().any(|row| row.task.0 == *task && row.at >= key_cut)
        };
        let keys: Vec<String> = self
            .keys
            .iter()
            .filter(|(_, used)| !is_needed(used))
            .map(|(key, _)| key.clone())
            .take(PRUNED)
            .collect();
        for key in &keys {
            self.keys.remove(key);
        }
        let in_use = |hash: &crate::Hash| {
            self.tasks.values().filter_map(|task| task.body.as_ref()).any(|body| {
                body.notice.hash == *hash || body.bundle.as_ref().is_some_and(|b| b.hash == *hash)
            })
        };
        let blobs: Vec<crate::Hash> = self
            .blobs
            .iter()
            .filter(|(hash, (_, used))| *used < blob_cut && !in_use(hash))
            .map(|(hash, _)| *hash)
            .take(PRUNED)
            .collect();
        for hash in &blobs {
            self.blobs.remove(hash);
        }
        self.downs.retain(|down| down.to.is_none_or(|to| to >= log_cut));
        let log: Vec<i64> = self
            .log
            .iter()
            .filter(|(_, row)| row.at < log_cut)
            .map(|(id, _)| *id)
            .take(PRUNED)
            .collect();
        for id in &log {
            self.log.remove(id);
            self.calls.deliveries.remove(id);
        }
        let more = self.prune_calls(now, keep);
        let full = [failed.len(), keys.len(), blobs.len()].contains(&PRUNED);
        more || full || !log.is_empty()
    }
}

/// The id in a user's snapshot.
fn user_of(snapshot: &str) -> Option<UserId> {
    let (_, rest) = snapshot.split_once("<id>")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(UserId(digits.parse().unwrap_or(0)))
}
