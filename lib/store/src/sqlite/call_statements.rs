//! Every statement of what calls leave behind, one under one name.

use super::statements::Statement;

macro_rules! statements {
    ($($constant:ident $name:literal $sql:literal)*) => {
        $(pub(super) const $constant: Statement = Statement { name: $name, sql: $sql };)*
        /// Every statement above.
        #[cfg(test)]
        pub(super) const CALLS: &[Statement] = &[$($constant),*];
    };
}

statements! {
    // events
    ADD_EVENT "write an event"
    "INSERT INTO event(at_ms,events_id,object_id,data,told) VALUES(:at,:events_id,:object,:data,:told)"
    EVENTS "read events"
    "SELECT * FROM event WHERE id>:after ORDER BY id"
    EVENTS_OF_KIND "read the events of a kind"
    "SELECT * FROM event WHERE events_id=:events_id AND id>:after ORDER BY id"
    EVENTS_OF_OBJECT "read the events of an object"
    "SELECT * FROM event WHERE events_id=:events_id AND object_id=:object AND id>:after ORDER BY id"
    FIRST_EVENT_SINCE "find the first event since a time"
    "SELECT min(id) FROM event WHERE at_ms>=:from"
    UNTOLD_EVENTS "read the events that are still to be told"
    "SELECT * FROM event INDEXED BY ev_untold WHERE told=0 AND id>0 ORDER BY id LIMIT :count"
    MARK_EVENT_TOLD "note that an event was told"
    "UPDATE event SET told=1 WHERE id=:id AND told=0"
    FORGET_EVENTS "forget the events of a user"
    "UPDATE event SET data='{}' WHERE events_id IN ('clients.create','clients.update',
       'clients.custom_fields.update') AND object_id=:object AND data<>'{}'"

    // the journal
    ADD_JOURNAL "write the journal"
    "INSERT INTO journal(call,at_ms,function,place,name,outcome,took_ms,output)
     VALUES(:call,:at,:function,:place,:name,:outcome,:took,:output)"
    JOURNAL "read the journal"
    "SELECT * FROM journal WHERE id<:before ORDER BY id DESC"
    JOURNAL_OF_CALL "read the journal of a call"
    "SELECT * FROM journal WHERE call=:text AND id<:before ORDER BY id DESC"
    JOURNAL_OF_NAME "read the journal of a handler"
    "SELECT * FROM journal WHERE name=:text AND id<:before ORDER BY id DESC"

    // who calls
    PASSWORD "read the hash of a password"
    "SELECT hash FROM password WHERE user=:user"
    SET_PASSWORD "set the hash of a password"
    "INSERT INTO password(user,hash) VALUES(:user,:hash) ON CONFLICT(user) DO UPDATE SET hash=:hash"
    DROP_PASSWORD "remove the hash of a password"
    "DELETE FROM password WHERE user=:user"
    SIGN_IN "read a session"
    "SELECT * FROM session WHERE hash=:hash"
    ADD_SIGN_IN "write a session"
    "INSERT INTO session(hash,user,name,level,made_ms,seen_ms,expires_ms)
     VALUES(:hash,:user,:name,:level,:made,:seen,:expires)"
    SEE_SIGN_IN "note that a session was used"
    "UPDATE session SET seen_ms=:seen, expires_ms=:expires WHERE hash=:hash"
    END_SIGN_IN "end a session"
    "DELETE FROM session WHERE hash=:hash"
    END_SIGN_INS "end the sessions of a user"
    "DELETE FROM session WHERE user=:user"
    TOKEN "read a token"
    "SELECT * FROM token WHERE hash=:hash"
    TOKENS "read the tokens"
    "SELECT * FROM token WHERE name>'' ORDER BY name"
    ADD_TOKEN "add a token"
    "INSERT INTO token(hash,name,user,level,made_ms) VALUES(:hash,:name,:user,:level,:made)"
    DELETE_TOKEN "delete a token"
    "DELETE FROM token WHERE name=:name"
    KEYED_CALL "read the key of a call"
    "SELECT * FROM idempotency WHERE caller=:caller AND key=:key"
    TAKE_CALL_KEY "take the key of a call"
    "INSERT INTO idempotency(caller,key,function,request,answer,made_ms)
     VALUES(:caller,:key,:function,:request,:answer,:made) ON CONFLICT(caller,key) DO NOTHING"
    ANSWER_CALL_KEY "keep the answer of a call"
    "UPDATE idempotency SET answer=:answer WHERE caller=:caller AND key=:key"
    DROP_CALL_KEY "give the key of a call back"
    "DELETE FROM idempotency WHERE caller=:caller AND key=:key AND answer IS NULL"
    REPLY_TOKEN "read a reply token"
    "SELECT * FROM reply_token WHERE hash=:hash"
    ADD_REPLY_TOKEN "write a reply token"
    "INSERT INTO reply_token(hash,user,notice,task,made_ms,used_ms)
     VALUES(:hash,:user,:notice,:task,:made,:used)"
    USE_REPLY_TOKEN "use a reply token"
    "UPDATE reply_token SET used_ms=:now WHERE hash=:hash AND used_ms IS NULL"

    // deliveries
    DELIVERY "read what a receiver answered"
    "SELECT status,response FROM delivery WHERE log=:log"
    ADD_DELIVERY "keep what a receiver answered"
    "INSERT INTO delivery(log,status,response) VALUES(:log,:status,:response)"
    FORGET_DELIVERIES "forget what receivers answered about a user"
    "DELETE FROM delivery WHERE log IN (SELECT id FROM notifylog WHERE user=:user)"

    // retention, in chunks
    PRUNE_JOURNAL "remove old rows of the journal"
    "DELETE FROM journal WHERE id<(SELECT min(id) FROM journal)+1000 AND at_ms<:cut"
    PRUNE_SIGN_INS "remove sessions that have ended"
    "DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE expires_ms<:cut ORDER BY expires_ms LIMIT 1000)"
    PRUNE_CALL_KEYS "remove old keys of calls"
    "DELETE FROM idempotency WHERE (caller,key) IN
       (SELECT caller,key FROM idempotency WHERE made_ms<:cut ORDER BY made_ms LIMIT 1000)"
    PRUNE_REPLY_TOKENS "remove old reply tokens"
    "DELETE FROM reply_token WHERE hash IN (SELECT hash FROM reply_token WHERE made_ms<:cut ORDER BY made_ms LIMIT 1000)"
}
