//! Every statement of the platform's rows, one under one name. Those of `user` and `project` that name every
//! column are made by `wide`, since these tables grow.

use super::statements::Statement;

macro_rules! statements {
    ($($constant:ident $name:literal $sql:literal)*) => {
        $(pub(super) const $constant: Statement = Statement { name: $name, sql: $sql };)*
        /// Every statement above.
        #[cfg(test)]
        pub(super) const PLATFORM: &[Statement] = &[$($constant),*];
    };
}

statements! {
    PROJECT "read a project"
    "SELECT * FROM project WHERE id=:id"
    PROJECTS "read the projects"
    "SELECT * FROM project WHERE id>0 ORDER BY id"
    DELETE_PROJECT "delete a project"
    "DELETE FROM project WHERE id=:id"
    USER "read a user"
    "SELECT * FROM user WHERE id=:id"
    USERS "read the users"
    "SELECT * FROM user WHERE id>:after ORDER BY id"
    USERS_OF_PROJECT "read the users of a project"
    "SELECT * FROM user WHERE project=:project AND id>:after ORDER BY id"
    USERS_BY_EXTERNAL_ID "read users by external id"
    "SELECT * FROM user WHERE external_id=:text AND id>:after ORDER BY id"
    USERS_BY_EMAIL "read the users of an email"
    "SELECT * FROM user WHERE email=:text AND id>:after ORDER BY id"
    USERS_BY_PHONE "read the users of a phone"
    "SELECT * FROM user WHERE phone=:text AND id>:after ORDER BY id"
    USERS_BY_NAME "read the users of a name"
    "SELECT * FROM user WHERE name=:text AND id>:after ORDER BY id"
    USERS_BY_ACCOUNT "read the users of an account"
    "SELECT * FROM user WHERE account<>'' AND account=:text AND id>:after ORDER BY id"
    DELETED_USER "look for a deleted user"
    "SELECT 1 FROM sqlite_sequence WHERE rowid>0 AND name='user' AND :id>0 AND seq>=:id
       AND NOT EXISTS(SELECT 1 FROM user WHERE id=:id)"
    DELETE_USER "delete a user"
    "DELETE FROM user WHERE id=:id"
    DELETE_INBOX "delete an inbox"
    "DELETE FROM inbox WHERE user=:id"
    GATEWAY "read a gateway"
    "SELECT * FROM gateway WHERE id=:id"
    GATEWAYS "read the gateways"
    "SELECT * FROM gateway WHERE id>0"
    ADD_GATEWAY "add a gateway"
    "INSERT INTO gateway(name,project,notify_module,gateway_module,gateway_type,active,priority,concurrency,
       rate_per_sec,on_unknown,xmlparams,secret)
     VALUES(:name,:project,:module,:gate,:direction,:active,:priority,:concurrency,:rate,:on_unknown,:xmlparams,
       :secret)"
    SAVE_GATEWAY "save a gateway"
    "UPDATE gateway SET name=:name, project=:project, notify_module=:module, gateway_module=:gate,
       gateway_type=:direction, active=:active, priority=:priority, concurrency=:concurrency, rate_per_sec=:rate,
       on_unknown=:on_unknown, xmlparams=:xmlparams, secret=:secret, version=version+1
     WHERE id=:id"
    DELETE_GATEWAY "delete a gateway"
    "DELETE FROM gateway WHERE id=:id"
    STATES "read the states of the gateways"
    "SELECT * FROM gatewaystate WHERE gateway>0 ORDER BY gateway"
    SAVE_STATE "save the state of a gateway"
    "INSERT INTO gatewaystate(gateway,condition,reason,by_person,since_ms,next_probe_ms,probes,strikes,holds,
       last_error_ms,last_error)
     VALUES(:gateway,:condition,:reason,:by_person,:since,:next_probe,:probes,:strikes,:holds,:error_at,:error)
     ON CONFLICT(gateway) DO UPDATE SET condition=:condition, reason=:reason, by_person=:by_person,
       since_ms=:since, next_probe_ms=:next_probe, probes=:probes, strikes=:strikes, holds=:holds,
       last_error_ms=:error_at, last_error=:error"
    OPEN_DOWNTIME "open a downtime"
    "INSERT INTO gatewaydown(gateway,from_ms) VALUES(:gateway,:now) ON CONFLICT(gateway) WHERE to_ms IS NULL DO NOTHING"
    CLOSE_DOWNTIME "close a downtime"
    "UPDATE gatewaydown SET to_ms=:now WHERE gateway=:gateway AND to_ms IS NULL"
    DOWNTIMES "read downtimes"
    "SELECT from_ms,to_ms FROM gatewaydown WHERE gateway=:gateway AND (to_ms IS NULL OR to_ms>:since)
     ORDER BY from_ms"
    SUBSCRIPTIONS "read subscriptions"
    "SELECT notice,module,active FROM subscription WHERE user=:user ORDER BY notice,module"
    SAVE_SUBSCRIPTION "save a subscription"
    "INSERT INTO subscription(user,notice,module,active) VALUES(:user,:notice,:module,:active)
     ON CONFLICT(user,notice,module) DO UPDATE SET active=:active"
    ADD_INBOX "write to an inbox"
    "INSERT INTO inbox(user,subject,text,at_ms) VALUES(:user,:subject,:text,:now)"
    INBOX "read an inbox"
    "SELECT id,subject,text,at_ms,read_ms FROM inbox WHERE user=:user AND id<:before ORDER BY id DESC LIMIT :count"
    MARK_READ "mark a row of an inbox as read"
    "UPDATE inbox SET read_ms=:now WHERE id=:id AND user=:user AND read_ms IS NULL"
    ACCEPT_INCOMING "store an incoming message"
    "INSERT INTO gateway_message(gateway,uid,sender,user,project,reason,subject,source,date_post,followed)
     VALUES(:gateway,:uid,:sender,:user,:project,:reason,:subject,:source,:now,0)
     ON CONFLICT(gateway,uid) DO NOTHING"
    TELL_AGAIN "tell a gate again"
    "UPDATE gateway_message SET told=0 WHERE gateway=:gateway AND uid=:uid"
    INCOMING "read incoming messages"
    "SELECT * FROM gateway_message WHERE id<:before ORDER BY id DESC LIMIT :count"
    INCOMING_OF "read the incoming messages of a gateway"
    "SELECT * FROM gateway_message WHERE gateway=:gateway AND id<:before ORDER BY id DESC LIMIT :count"
    UNFOLLOWED "read which incoming messages are to be followed"
    "SELECT id FROM gateway_message INDEXED BY gm_unfollowed WHERE followed<2 AND id>0 ORDER BY id LIMIT :count"
    FOLLOW "note what was done of an incoming message"
    "UPDATE gateway_message SET followed=:after WHERE id=:id AND followed=:before"
    UNTOLD "read what a gate has not been told"
    "SELECT uid FROM gateway_message INDEXED BY gm_untold WHERE told=0 AND gateway=:gateway ORDER BY id LIMIT 1000"
    MARK_TOLD "note what a gate was told"
    "UPDATE gateway_message SET told=1 WHERE gateway=:gateway AND uid=:uid"
    CONTACT_STATE "read the state of a contact"
    "SELECT state,reason,since_ms FROM contact_state WHERE kind=:kind AND contact=:contact"
    SAVE_CONTACT_STATE "save the state of a contact"
    "INSERT INTO contact_state(kind,contact,state,reason,since_ms) VALUES(:kind,:contact,:state,:reason,:since)
     ON CONFLICT(kind,contact) DO UPDATE SET state=:state, reason=:reason, since_ms=:since"
    SETTING "read a setting"
    "SELECT value FROM setting WHERE name=:name"
    SAVE_SETTING "save a setting"
    "INSERT INTO setting(name,value) VALUES(:name,:value) ON CONFLICT(name) DO UPDATE SET value=:value"
    FORGET_LOG_OF_USER "forget the log of a user"
    "UPDATE notifylog SET contact=NULL, key=NULL, reference=NULL,
       reason=CASE WHEN reason=:kept THEN reason ELSE '' END WHERE user=:user"
    FORGET_LOG_OF_CONTACT "forget the log of a contact"
    "UPDATE notifylog SET contact=NULL, key=NULL, reference=NULL,
       reason=CASE WHEN reason=:kept THEN reason ELSE '' END WHERE contact=:contact"
    FORGET_INCOMING_OF_USER "forget the incoming messages of a user"
    "DELETE FROM gateway_message WHERE user=:user"
    FORGET_INCOMING_OF_CONTACT "forget the incoming messages of a contact"
    "DELETE FROM gateway_message WHERE sender=:contact"
}
