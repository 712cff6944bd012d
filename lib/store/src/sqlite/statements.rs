//! Every statement of the queue, one under one name. A partial index is used only where the statement says
//! its condition literally, so states stand in the text; the test of plans reads them all.

/// One statement. The name finishes the sentence "can't …" of an error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement {
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

macro_rules! statements {
    ($($constant:ident $name:literal $sql:literal)*) => {
        $(pub(super) const $constant: Statement = Statement { name: $name, sql: $sql };)*
        /// Every statement above.
        #[cfg(test)]
        pub(super) const QUEUE: &[Statement] = &[$($constant),*];
    };
}

statements! {
    // taking in
    KNOWN "look up a key"
    "SELECT task_id FROM notifykey WHERE key=:key"
    ADD_KEY "write a key"
    "INSERT INTO notifykey(key,task_id,made_ms) VALUES(:key,:id,:now)"
    ADD_BLOB "store a blob"
    "INSERT INTO notifyblob(hash,body,last_ms) VALUES(:hash,:body,:now)
     ON CONFLICT(hash) DO UPDATE SET last_ms=:now WHERE last_ms<:now-3600000"
    ADD_BODY "store a body"
    "INSERT INTO notifybody(id,bundle,notice,user,project_id) VALUES(:id,:bundle,:notice,:user,:project)"
    ADD_TASK "enqueue a task"
    "INSERT INTO notifytask(modulename,filename,priority,forcedonothing,createdate,lane,object,follows,
       state,queued_ms,ready_ms,run_at,expires_ms)
     VALUES(:module,:filename,:priority,:forced,:createdate,:route,:object,:follows,
       :state,:queued,:ready,:run_at,:expires)"
    OLDEST_OF_OBJECT "look up an ordered object"
    "SELECT min(id) FROM notifytask
     WHERE object<>'' AND state<3 AND modulename=:module AND lane=:route AND object=:object"
    FOLLOW_BLOCKS "look up the task that is followed"
    "SELECT 1 FROM notifytask f WHERE f.id=:id AND f.state<3 AND f.error_count=0 AND f.err_info=''
       AND NOT EXISTS(SELECT 1 FROM notifytask o INDEXED BY nt_trouble WHERE o.object<>'' AND o.state<3
         AND (o.error_count>0 OR o.err_info<>'') AND o.modulename=f.modulename AND o.lane=f.lane
         AND o.object=f.object AND o.id<f.id)"
    MARK_FOLLOWED "note that a task is followed"
    "UPDATE notifytask SET followed=1 WHERE id=:id AND followed=0"

    // routes
    UNREAD_ROUTE "look for unread files"
    "SELECT min(lane) FROM notifytask WHERE state=0 AND maybe_sent=0 AND modulename=:module AND lane=''"
    UNREAD_ROUTE_FORCED "look for forced unread files"
    "SELECT min(lane) FROM notifytask
     WHERE state=0 AND maybe_sent=0 AND forcedonothing='on' AND modulename=:module AND lane=''"
    NEXT_ROUTE "find the next route"
    "SELECT min(lane) FROM notifytask WHERE state=0 AND maybe_sent=0 AND modulename=:module AND lane>:route"
    NEXT_ROUTE_FORCED "find the next route with forced tasks"
    "SELECT min(lane) FROM notifytask
     WHERE state=0 AND maybe_sent=0 AND forcedonothing='on' AND modulename=:module AND lane>:route"
    NEXT_BOUND "find the next gateway with bound tasks"
    "SELECT min(last_gateway) FROM notifytask
     WHERE state=0 AND maybe_sent=1 AND modulename=:module AND last_gateway>:gateway"
    NEXT_BOUND_FORCED "find the next gateway with forced bound tasks"
    "SELECT min(last_gateway) FROM notifytask
     WHERE state=0 AND maybe_sent=1 AND modulename=:module AND last_gateway>:gateway AND forcedonothing='on'"

    NEXT_URGENT "find the next route with urgent tasks"
    "SELECT lane,id,ready_ms FROM notifytask INDEXED BY nt_urgent
     WHERE state=0 AND maybe_sent=0 AND priority>0 AND modulename=:module AND lane>=:from
     ORDER BY lane,ready_ms LIMIT 1"

    // claiming
    CLAIM "claim tasks"
    "UPDATE notifytask SET state=1, attempt=attempt+1, lease_seq=lease_seq+1, lease_owner=:owner,
       lease_until=:until, last_gateway=:gateway
     WHERE id IN (SELECT id FROM notifytask WHERE state=0 AND maybe_sent=0 AND modulename=:module AND lane=:route
       ORDER BY ord,id LIMIT :count)
     RETURNING id,lane,filename,priority,ord,error_count,attempt,maybe_sent,forcedonothing='on' AS forced,object,
       lease_seq,queued_ms,expires_ms"
    CLAIM_FORCED "claim forced tasks"
    "UPDATE notifytask SET state=1, attempt=attempt+1, lease_seq=lease_seq+1, lease_owner=:owner,
       lease_until=:until, last_gateway=:gateway
     WHERE id IN (SELECT id FROM notifytask WHERE state=0 AND maybe_sent=0 AND forcedonothing='on'
       AND modulename=:module AND lane=:route ORDER BY ord,id LIMIT :count)
     RETURNING id,lane,filename,priority,ord,error_count,attempt,maybe_sent,forcedonothing='on' AS forced,object,
       lease_seq,queued_ms,expires_ms"
    CLAIM_BOUND "claim bound tasks"
    "UPDATE notifytask SET state=1, attempt=attempt+1, lease_seq=lease_seq+1, lease_owner=:owner,
       lease_until=:until
     WHERE id IN (SELECT id FROM notifytask WHERE state=0 AND maybe_sent=1 AND modulename=:module
       AND last_gateway=:gateway ORDER BY ord,id LIMIT :count)
     RETURNING id,lane,filename,priority,ord,error_count,attempt,maybe_sent,forcedonothing='on' AS forced,object,
       lease_seq,queued_ms,expires_ms"
    CLAIM_BOUND_FORCED "claim forced bound tasks"
    "UPDATE notifytask SET state=1, attempt=attempt+1, lease_seq=lease_seq+1, lease_owner=:owner,
       lease_until=:until
     WHERE id IN (SELECT id FROM notifytask WHERE state=0 AND maybe_sent=1 AND modulename=:module
       AND last_gateway=:gateway AND forcedonothing='on' ORDER BY ord,id LIMIT :count)
     RETURNING id,lane,filename,priority,ord,error_count,attempt,maybe_sent,forcedonothing='on' AS forced,object,
       lease_seq,queued_ms,expires_ms"
    SENDING "count what is sending on a route"
    "SELECT count(*) FROM notifytask WHERE state=1 AND lease_owner>'' AND modulename=:module AND lane=:route"
    BODY "read a body"
    "SELECT b.bundle,b.notice,b.user,b.project_id,k.key FROM notifybody b LEFT JOIN notifykey k ON k.task_id=b.id
     WHERE b.id=:id"
    KEY_OF_TASK "read the key of a task"
    "SELECT key FROM notifykey WHERE task_id=:id"
    BLOB "read a blob"
    "SELECT body FROM notifyblob WHERE hash=:hash"

    // settling, all under the fence
    FINISHING "look at a task that ends"
    "SELECT modulename,lane,object,EXISTS(SELECT 1 FROM notifytask f WHERE f.follows=:id) AS is_followed
     FROM notifytask WHERE id=:id AND state=1 AND lease_owner=:owner AND lease_seq=:seq"
    FINISH "finish a task"
    "DELETE FROM notifytask WHERE id=:id AND state=1 AND lease_owner=:owner AND lease_seq=:seq"
    LATER "put a task off"
    "UPDATE notifytask SET state=2, run_at=:at, error_count=error_count+:spent, attempt=attempt-1+:spent,
       err_info=:reason, maybe_sent=CASE WHEN last_gateway IS NULL THEN 0 ELSE max(maybe_sent,:unknown) END,
       lease_owner=NULL, lease_until=NULL
     WHERE id=:id AND state=1 AND lease_owner=:owner AND lease_seq=:seq RETURNING modulename,lane,object"
    FAIL "fail a task"
    "UPDATE notifytask SET state=3, run_at=:now, error_count=error_count+1, err_info=:reason, expires_ms=NULL,
       lease_owner=NULL, lease_until=NULL
     WHERE id=:id AND state=1 AND lease_owner=:owner AND lease_seq=:seq RETURNING modulename,lane,object"
    ASK "ask about a task"
    "UPDATE notifytask SET state=4, run_at=:until, error_count=error_count+1, err_info=:reason, maybe_sent=1,
       lease_owner=NULL, lease_until=NULL
     WHERE id=:id AND state=1 AND lease_owner=:owner AND lease_seq=:seq RETURNING modulename,lane,object"
    RELEASE "give a task back"
    "UPDATE notifytask SET state=CASE WHEN object<>'' AND EXISTS(SELECT 1 FROM notifytask o WHERE o.object<>'' AND o.state<3
         AND o.modulename=notifytask.modulename AND o.lane=notifytask.lane AND o.object=notifytask.object
         AND o.id<notifytask.id) THEN 2 ELSE 0 END,
       run_at=NULL, attempt=attempt-1, lease_owner=NULL, lease_until=NULL
     WHERE id=:id AND state=1 AND lease_owner=:owner AND lease_seq=:seq RETURNING modulename,lane,object"
    EXTEND "extend a lease"
    "UPDATE notifytask SET lease_until=:until WHERE id=:id AND state=1 AND lease_owner=:owner AND lease_seq=:seq"
    GIVE_BACK "give an attempt back"
    "UPDATE notifytask SET state=CASE WHEN object<>'' AND EXISTS(SELECT 1 FROM notifytask o WHERE o.object<>'' AND o.state<3
         AND o.modulename=notifytask.modulename AND o.lane=notifytask.lane AND o.object=notifytask.object
         AND o.id<notifytask.id) THEN 2 ELSE 0 END,
       ready_ms=:now, run_at=NULL, attempt=max(0,attempt-1),
       error_count=max(0,error_count-1)
     WHERE id=:id AND state=2 AND lease_seq=:seq"
    SPLIT "split a file"
    "UPDATE notifytask SET state=0, attempt=attempt-1, filename='', lane=:route, object='', last_gateway=NULL,
       expires_ms=coalesce(:expires,expires_ms), lease_owner=NULL, lease_until=NULL
     WHERE id=:id AND state=1 AND lease_owner=:owner AND lease_seq=:seq AND object='' AND maybe_sent=0
     RETURNING modulename,priority,forcedonothing='on' AS forced,createdate,queued_ms,ready_ms,expires_ms"
    ADD_LOG "write the log"
    "INSERT INTO notifylog(task,key,module,notice,user,project,gateway,contact,attempt,outcome,reason,reference,
       segments,queued,at,took,waited)
     VALUES(:task,:key,:module,:notice,:user,:project,:gateway,:contact,:attempt,:outcome,:reason,:reference,
       :segments,:queued,:at,:took,:waited)"

    // what time brings
    PROMOTE "promote what is due"
    "UPDATE notifytask SET ready_ms=:now, run_at=NULL, queued_ms=CASE WHEN attempt=0 THEN :now ELSE queued_ms END,
       state=CASE WHEN follows IS NOT NULL
         OR (object<>'' AND EXISTS(SELECT 1 FROM notifytask o WHERE o.object<>'' AND o.state<3
           AND o.modulename=notifytask.modulename AND o.lane=notifytask.lane AND o.object=notifytask.object
           AND o.id<notifytask.id)) THEN 2 ELSE 0 END
     WHERE id IN (SELECT id FROM notifytask WHERE state=2 AND run_at<=:now ORDER BY run_at LIMIT 500)
     RETURNING state"
    DUE_TO_EXPIRE "look for what lapsed"
    "SELECT id FROM notifytask WHERE expires_ms<=:now AND state<>1 ORDER BY expires_ms LIMIT 500"
    DUE_UNANSWERED "look for what nobody answered"
    "SELECT id FROM notifytask WHERE state=4 AND run_at<=:now ORDER BY run_at LIMIT 500"
    UNANSWERED "fail what nobody answered"
    "UPDATE notifytask SET state=3, run_at=:now, expires_ms=NULL WHERE id=:id AND state=4"
    FOLLOWED "look for who follows"
    "SELECT 1 FROM notifytask WHERE follows=:id LIMIT 1"
    LET_GO "let go who follows"
    "UPDATE notifytask SET follows=NULL WHERE follows=:id RETURNING id,modulename,lane,object"
    LET_GO_BEHIND "let go who follows the tasks behind"
    "UPDATE notifytask SET follows=NULL WHERE follows IN (SELECT id FROM notifytask WHERE object<>'' AND followed=1
       AND modulename=:module AND lane=:route AND object=:object AND id>:id)
     RETURNING id,modulename,lane,object"
    NOBODY_FOLLOWS "note that nobody follows the tasks behind"
    "UPDATE notifytask SET followed=0 WHERE id IN (SELECT id FROM notifytask WHERE object<>'' AND followed=1
       AND modulename=:module AND lane=:route AND object=:object AND id>=:id)"
    START "start a task that was let go"
    "UPDATE notifytask SET state=0, ready_ms=:now
     WHERE id=:id AND object='' AND state=2 AND run_at IS NULL AND follows IS NULL"
    NEXT_OF_OBJECT "start the next of an ordered object"
    "UPDATE notifytask SET state=0, ready_ms=:now
     WHERE id=(SELECT min(id) FROM notifytask WHERE object<>'' AND state<3 AND modulename=:module
       AND lane=:route AND object=:object) AND state=2 AND run_at IS NULL AND follows IS NULL"
    STEP_BACK "hold back the younger ones of an ordered object"
    "UPDATE notifytask SET state=2, run_at=NULL WHERE id IN (SELECT id FROM notifytask INDEXED BY nt_next
       WHERE object<>'' AND state=0 AND modulename=:module AND lane=:route AND object=:object AND id>:id)"
    LET_GO_ORPHANS "let go who follows a task that is gone"
    "UPDATE notifytask SET follows=NULL WHERE follows>0
       AND NOT EXISTS(SELECT 1 FROM notifytask f WHERE f.id=notifytask.follows)"
    START_STUCK "start what waits for nobody"
    "UPDATE notifytask SET state=0, ready_ms=:now WHERE state=2 AND run_at IS NULL AND follows IS NULL
       AND (object='' OR id=(SELECT min(o.id) FROM notifytask o WHERE o.object<>'' AND o.state<3
         AND o.modulename=notifytask.modulename AND o.lane=notifytask.lane AND o.object=notifytask.object))"

    // what people decide
    UNTRIED "read what a task was that nobody tried"
    "SELECT t.modulename, b.user, substr(n.body,1,:most) AS head
     FROM notifytask t JOIN notifybody b ON b.id=t.id LEFT JOIN notifyblob n ON n.hash=b.bundle
     WHERE t.id=:id AND t.state<>1 AND NOT EXISTS(SELECT 1 FROM notifylog WHERE task=t.id)"
    TASKS_OF_USER "look for the tasks of a user"
    "SELECT id FROM notifybody
     WHERE id>0 AND instr(user,:element)>0 AND instr(user,'<id>')=instr(user,:element) ORDER BY id"
    LOG_END "log the end of a task"
    "INSERT INTO notifylog(task,key,module,notice,user,project,gateway,contact,attempt,outcome,reason,queued,at,waited)
     SELECT t.id, coalesce(k.key,:uuid||':'||t.id), t.modulename, coalesce(l.notice,:notice),
       coalesce(l.user, CASE WHEN instr(b.user,'<id>')>0
         THEN CAST(substr(b.user,instr(b.user,'<id>')+4,20) AS INTEGER) END),
       coalesce(l.project,b.project_id), t.last_gateway, coalesce(l.contact,:contact), t.attempt, :outcome, :reason, t.queued_ms, :now,
       CASE WHEN :outcome='expired' AND t.priority>0 AND l.id IS NULL THEN max(0,:now-t.queued_ms) END
     FROM notifytask t LEFT JOIN notifybody b ON b.id=t.id LEFT JOIN notifykey k ON k.task_id=t.id
       LEFT JOIN notifylog l ON l.id=(SELECT max(id) FROM notifylog WHERE task=t.id)
     WHERE t.id=:id AND t.state<>1"
    REMOVE "end a task"
    "DELETE FROM notifytask WHERE id=:id AND state<>1 RETURNING modulename,lane,object"
    RETRY "retry a task"
    "UPDATE notifytask SET state=CASE WHEN object='' THEN 0 ELSE 2 END, ready_ms=:now, queued_ms=:now, run_at=NULL,
       follows=NULL, error_count=0, err_info='', maybe_sent=CASE WHEN maybe_sent=1 AND last_gateway IS NOT NULL
         AND (lane NOT GLOB 'p*' OR EXISTS(SELECT 1 FROM gateway g WHERE g.id=last_gateway
           AND g.notify_module=modulename)) THEN 1 ELSE 0 END
     WHERE id=:id AND state>1 RETURNING modulename,lane,object"
    ASK_READY "ask about the tasks of a deleted gateway"
    "UPDATE notifytask SET state=4, run_at=:until
     WHERE state=0 AND maybe_sent=1 AND modulename=:module AND last_gateway=:gateway"
    ASK_WAITING "ask about the waiting tasks of a deleted gateway"
    "UPDATE notifytask SET state=4, run_at=:until
     WHERE state=2 AND run_at>0 AND maybe_sent=1 AND modulename=:module AND last_gateway=:gateway"
    IN_FLIGHT "count the tasks in a gateway's hands"
    "SELECT count(*) FROM notifytask
     WHERE state=1 AND lease_owner>'' AND modulename=:module AND last_gateway=:gateway"

    // leases and workers
    NEXT_OWNER "find the next owner"
    "SELECT min(lease_owner) FROM notifytask WHERE state=1 AND lease_owner>:owner"
    FIRST_LEASE "find the earliest end of a lease"
    "SELECT min(lease_until) FROM notifytask WHERE state=1 AND lease_owner=:owner"
    LEASES_OF "read the leases of an owner"
    "SELECT id,lease_seq,lease_until,last_gateway FROM notifytask
     WHERE state=1 AND lease_owner=:owner ORDER BY lease_until"
    ADD_WORKER "register a worker"
    "INSERT INTO notifyworker(owner,host,boot_id,pid,beat_ms) VALUES(:owner,:host,:boot_id,:pid,:beat)
     ON CONFLICT(owner) DO UPDATE SET host=:host, boot_id=:boot_id, pid=:pid, beat_ms=:beat"
    REMOVE_WORKER "remove a worker"
    "DELETE FROM notifyworker WHERE owner=:owner"
    BEAT "beat"
    "UPDATE notifyworker SET beat_ms=:now WHERE owner=:owner"
    WORKERS "read the workers"
    "SELECT owner,host,boot_id,pid,beat_ms FROM notifyworker WHERE owner>'' ORDER BY owner"
    DUE_WAITING "find the next waiting task"
    "SELECT min(run_at) FROM notifytask WHERE state=2 AND run_at IS NOT NULL"
    DUE_ASKED "find the next asked task"
    "SELECT min(run_at) FROM notifytask WHERE state=4 AND run_at IS NOT NULL"
    DUE_EXPIRY "find the next expiry"
    "SELECT min(expires_ms) FROM notifytask WHERE expires_ms IS NOT NULL AND state<>1"

    // looking
    LIVE_OF_OBJECT "list the tasks of an ordered object"
    "SELECT id FROM notifytask WHERE object<>'' AND state<3 AND modulename=:module AND lane=:route AND object=:object
     ORDER BY id"
    TASK "read a task"
    "SELECT t.*, k.key, b.project_id FROM notifytask t LEFT JOIN notifykey k ON k.task_id=t.id
       LEFT JOIN notifybody b ON b.id=t.id WHERE t.id=:id"
    IDS_BELOW "list tasks"
    "SELECT id FROM notifytask WHERE id<:before AND (:state IS NULL OR state=:state)
       AND (:module IS NULL OR modulename=:module) AND (:gateway IS NULL OR last_gateway=:gateway)
       AND (:reason IS NULL OR instr(err_info,:reason)>0) AND (:queued_before IS NULL OR queued_ms<:queued_before)
     ORDER BY id DESC LIMIT :count"
    MATCHES "look whether a task fits a filter"
    "SELECT 1 FROM notifytask WHERE id=:id AND (:module IS NULL OR modulename=:module)
       AND (:gateway IS NULL OR last_gateway=:gateway) AND (:reason IS NULL OR instr(err_info,:reason)>0)
       AND (:queued_before IS NULL OR queued_ms<:queued_before)"
    IDS_SENDING "list the tasks that are being sent"
    "SELECT id FROM notifytask WHERE state=1 AND lease_owner>''"
    IDS_WAITING "list the waiting tasks"
    "SELECT id FROM notifytask WHERE state=2 AND run_at>-1"
    IDS_BEHIND "list the tasks that wait for another"
    "SELECT id FROM notifytask WHERE state=2 AND run_at IS NULL"
    IDS_FAILED "list the failed tasks"
    "SELECT id FROM notifytask WHERE state=3 AND run_at>-1"
    IDS_ASKED "list the asked tasks"
    "SELECT id FROM notifytask WHERE state=4 AND run_at>-1"
    NEXT_MODULE "find the next module"
    "SELECT min(modulename) FROM notifytask WHERE state=0 AND maybe_sent=0 AND modulename>:module"
    COUNT_ROUTE "count the ready tasks of a route"
    "SELECT count(*),min(queued_ms) FROM notifytask
     WHERE state=0 AND maybe_sent=0 AND modulename=:module AND lane=:route"
    PLACES_BOUND "count the bound tasks"
    "SELECT modulename,lane,queued_ms FROM notifytask WHERE state=0 AND maybe_sent=1 AND modulename>''"
    PLACES_SENDING "count the tasks that are being sent"
    "SELECT modulename,lane,queued_ms FROM notifytask WHERE state=1 AND lease_owner>''"
    PLACES_WAITING "count the waiting tasks"
    "SELECT modulename,lane,queued_ms FROM notifytask WHERE state=2 AND run_at>-1"
    PLACES_BEHIND "count the tasks that wait for another"
    "SELECT modulename,lane,queued_ms FROM notifytask WHERE state=2 AND run_at IS NULL"
    PLACES_FAILED "count the failed tasks"
    "SELECT modulename,lane,queued_ms FROM notifytask WHERE state=3 AND run_at>-1"
    PLACES_ASKED "count the asked tasks"
    "SELECT modulename,lane,queued_ms FROM notifytask WHERE state=4 AND run_at>-1"
    TASKS_OF_KEYS "look for keys that begin so"
    "SELECT task_id FROM notifykey WHERE key>:key||'/' AND key<:key||'0' LIMIT 10000"
    LOG_OF_TASK "read the log of a task"
    "SELECT * FROM notifylog WHERE task=:task AND id<:before AND id>:after ORDER BY id DESC"
    LOG_OF_CONTACT "read the log of a contact"
    "SELECT * FROM notifylog WHERE contact=:contact AND id<:before AND id>:after ORDER BY id DESC"
    LOG_OF_HANDLER "read the log of a provisioning handler"
    "SELECT * FROM notifylog INDEXED BY nl_handler WHERE module='nthandler' AND gateway=:gateway AND id<:before
       AND id>:after ORDER BY id DESC"
    LOG_OF_REFERENCE "read the log of a reference"
    "SELECT * FROM notifylog WHERE id/1000=:stretch AND gateway=:gateway AND reference=:reference AND id<:before
       AND id>:after ORDER BY id DESC"
    LOG_FIRST "find the first row of the log"
    "SELECT min(id) FROM notifylog"
    LOG_LAST "find the last row of the log"
    "SELECT max(id) FROM notifylog"
    LOG_IDS_OF_USER "list the log of a user"
    "SELECT id FROM notifylog WHERE user=:user AND at>=:since"
    LOG_REFUSED "read what was refused before any gate was asked"
    "SELECT * FROM notifylog INDEXED BY nl_refused WHERE outcome='never' AND took IS NULL AND at>=:since
     ORDER BY at DESC, id DESC LIMIT :count"
    LOG_URGENT "read how long urgent messages waited"
    "SELECT waited FROM notifylog INDEXED BY nl_urgent WHERE waited IS NOT NULL AND at>=:since
     ORDER BY at DESC LIMIT :count"
    LOG_ROW "read a log row"
    "SELECT * FROM notifylog WHERE id=:id"
    LOG "read the log"
    "SELECT * FROM notifylog WHERE id<:before AND id>:after ORDER BY id DESC"

    // retention, in chunks
    PRUNE_FAILED "remove old failed tasks"
    "DELETE FROM notifytask WHERE id IN
       (SELECT id FROM notifytask WHERE state=3 AND run_at<:cut ORDER BY run_at LIMIT 1000)"
    PRUNE_KEYS "remove old keys"
    "DELETE FROM notifykey WHERE key IN (SELECT key FROM notifykey k WHERE made_ms<:cut
       AND NOT EXISTS (SELECT 1 FROM notifytask WHERE id=k.task_id)
       AND NOT EXISTS (SELECT 1 FROM notifylog WHERE task=k.task_id AND at>=:cut) ORDER BY made_ms LIMIT 1000)"
    PRUNE_BLOBS "remove old blobs"
    "DELETE FROM notifyblob WHERE hash IN (SELECT hash FROM notifyblob n WHERE last_ms<:cut
       AND NOT EXISTS (SELECT 1 FROM notifybody WHERE bundle=n.hash)
       AND NOT EXISTS (SELECT 1 FROM notifybody WHERE notice=n.hash) ORDER BY last_ms LIMIT 1000)"
    PRUNE_LOG "remove old log rows"
    "DELETE FROM notifylog WHERE id<(SELECT min(id) FROM notifylog)+1000 AND at<:cut"
    PRUNE_EVENTS "remove old events"
    "DELETE FROM event WHERE id IN
       (SELECT id FROM event INDEXED BY ev_at WHERE at_ms<:cut AND told=1 ORDER BY at_ms LIMIT 1000)"
    PRUNE_DOWNTIMES "remove old downtimes"
    "DELETE FROM gatewaydown WHERE rowid IN
       (SELECT rowid FROM gatewaydown WHERE to_ms<:cut ORDER BY to_ms LIMIT 1000)"
}
