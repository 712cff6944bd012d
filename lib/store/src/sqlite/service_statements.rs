//! Every statement of accounts, services, provisioning handlers and agents, one under one name.

use super::statements::Statement;

macro_rules! statements {
    ($($constant:ident $name:literal $sql:literal)*) => {
        $(pub(super) const $constant: Statement = Statement { name: $name, sql: $sql };)*
        /// Every statement above.
        #[cfg(test)]
        pub(super) const SERVICES: &[Statement] = &[$($constant),*];
    };
}

statements! {
    // money
    ACCOUNT "read an account"
    "SELECT * FROM account WHERE id=:id"
    ACCOUNTS "read the accounts"
    "SELECT * FROM account WHERE id>:after ORDER BY id LIMIT :count"
    ACCOUNTS_OF_PROJECT "read the accounts of a project"
    "SELECT * FROM account WHERE project=:project AND id>:after ORDER BY id LIMIT :count"
    ADD_ACCOUNT "add an account"
    "INSERT INTO account(project,name,note,balance) VALUES(:project,:name,:note,:balance)"
    SAVE_ACCOUNT "save an account"
    "UPDATE account SET project=:project, name=:name, note=:note WHERE id=:id"
    ACCOUNT_IS_USED "look for users of an account"
    "SELECT 1 FROM user WHERE account<>'' AND account=:account LIMIT 1"
    DELETE_ACCOUNT "delete an account"
    "DELETE FROM account WHERE id=:id"
    PAYMENT_OF_KEY "look up a payment"
    "SELECT id, account=:account AND amount=:amount FROM payment WHERE key=:key"
    ADD_PAYMENT "add a payment"
    "INSERT INTO payment(account,amount,at_ms,key,comment) VALUES(:account,:amount,:at,:key,:comment)"
    SET_BALANCE "move a balance"
    "UPDATE account SET balance=:balance WHERE id=:id"
    PAYMENTS "read the payments of an account"
    "SELECT * FROM payment WHERE account=:account AND id<:before ORDER BY id DESC LIMIT :count"

    // what is sold
    PRODUCT "read a product"
    "SELECT * FROM product WHERE id=:id"
    PRODUCTS "read the products"
    "SELECT * FROM product WHERE id>0 ORDER BY id"
    ADD_PRODUCT "add a product"
    "INSERT INTO product(name,type,processing) VALUES(:name,:type,:processing)"
    SAVE_PRODUCT "save a product"
    "UPDATE product SET name=:name, type=:type, processing=:processing WHERE id=:id"
    DELETE_PRODUCT "delete a product"
    "DELETE FROM product WHERE id=:id"
    PROCESSING "read a service handler"
    "SELECT * FROM processing WHERE id=:id"
    PROCESSINGS "read the service handlers"
    "SELECT * FROM processing WHERE id>0"
    ADD_PROCESSING "add a service handler"
    "INSERT INTO processing(name,module,product_type,active,priority,department,concurrency,xmlparams,secret)
     VALUES(:name,:module,:product_type,:active,:priority,:department,:concurrency,:xmlparams,:secret)"
    SAVE_PROCESSING "save a service handler"
    "UPDATE processing SET name=:name, module=:module, product_type=:product_type, active=:active,
       priority=:priority, department=:department, concurrency=:concurrency, xmlparams=:xmlparams,
       secret=:secret, version=version+1
     WHERE id=:id"
    DELETE_PROCESSING "delete a service handler"
    "DELETE FROM processing WHERE id=:id"
    SERVICE "read a service"
    "SELECT * FROM service WHERE id=:id"
    ALL_SERVICES "read the services"
    "SELECT * FROM service WHERE id>:after ORDER BY id"
    SERVICES_OF_USER "read the services of a user"
    "SELECT * FROM service WHERE user=:of AND id>:after ORDER BY id"
    SERVICES_OF_PROCESSING "read the services of a service handler"
    "SELECT * FROM service WHERE processing=:of AND id>:after ORDER BY id"
    ADD_SERVICE "add a service"
    "INSERT INTO service(user,product,processing,username,secret,state,externalid,made_ms)
     VALUES(:user,:product,:processing,:username,:secret,:state,:externalid,:made)"
    SAVE_SERVICE "save a service"
    "UPDATE service SET user=:user, product=:product, processing=:processing, username=:username, secret=:secret,
       state=:state, externalid=:externalid, made_ms=:made
     WHERE id=:id"
    MOVE_SERVICE "move a service"
    "UPDATE service SET state=:to WHERE id=:id AND state=:from"
    OPEN_SERVICE "note the id of a service on its server"
    "UPDATE service SET externalid=:externalid WHERE id=:id"
    DELETE_SERVICE "delete a service"
    "DELETE FROM service WHERE id=:id"
    DELETE_CLOSED "delete the closed services of a user"
    "DELETE FROM service WHERE user=:id AND state='closed'"
    ITEM_PARAMS "read the parameters of a service"
    "SELECT * FROM itemparam WHERE service=:service ORDER BY name"
    SAVE_ITEM_PARAM "keep a parameter of a service"
    "INSERT INTO itemparam(service,name,value,secret) SELECT id,:name,:value,:secret FROM service WHERE id=:service
     ON CONFLICT(service,name) DO UPDATE SET value=:value, secret=:secret"
    SERVICE_PARAMS "read what was ordered with a service"
    "SELECT * FROM serviceparam WHERE service=:service ORDER BY kind,name"
    SAVE_SERVICE_PARAM "keep what was ordered with a service"
    "INSERT INTO serviceparam(service,kind,name,value) SELECT id,:kind,:name,:value FROM service WHERE id=:service
     ON CONFLICT(service,kind,name) DO UPDATE SET value=:value"

    // provisioning handlers
    PROVISIONING "read a provisioning handler"
    "SELECT * FROM provisioning WHERE id=:id"
    PROVISIONINGS "read the provisioning handlers"
    "SELECT * FROM provisioning WHERE id>0"
    ACTIVE_PROVISIONINGS "read the provisioning handlers that act"
    "SELECT * FROM provisioning_active WHERE id>0"
    ADD_PROVISIONING "add a provisioning handler"
    "INSERT INTO provisioning(name,event,task_type,task,status,priority,secret,old_secret)
     VALUES(:name,:event,:task_type,:task,:status,:priority,:secret,:old_secret)"
    SAVE_PROVISIONING "save a provisioning handler"
    "UPDATE provisioning SET name=:name, event=:event, task_type=:task_type, task=:task, status=:status,
       priority=:priority, secret=:secret, old_secret=:old_secret, version=version+1
     WHERE id=:id"
    DELETE_PROVISIONING "delete a provisioning handler"
    "DELETE FROM provisioning WHERE id=:id"
    DEACTIVATE "put the provisioning handlers out of action"
    "DELETE FROM provisioning_active WHERE id>0"
    ACTIVATE "put the provisioning handlers into action"
    "INSERT INTO provisioning_active(id,name,event,task_type,task,status,priority,secret,old_secret,version)
     SELECT id,name,event,task_type,task,status,priority,secret,old_secret,version FROM provisioning WHERE id>0"
    SWITCH_PROVISIONING "switch a provisioning handler"
    "UPDATE provisioning SET status=:status, version=version+1 WHERE id=:id AND status='enabled'"
    SWITCH_ACTIVE "switch a provisioning handler that acts"
    "UPDATE provisioning_active SET status=:status WHERE id=:id AND status='enabled'"

    // agents and shared values
    AGENT "read the status of an agent"
    "SELECT * FROM agent WHERE user=:user"
    AGENTS "read the status of the agents"
    "SELECT * FROM agent WHERE user>0 ORDER BY user"
    SAVE_AGENT "set the status of an agent"
    "INSERT INTO agent(user,status,reason,since_ms) VALUES(:user,:status,:reason,:since)
     ON CONFLICT(user) DO UPDATE SET status=:status, reason=:reason, since_ms=:since"
    SHARED "read a shared value"
    "SELECT value FROM shared WHERE id=:id"
    ALL_SHARED "read the shared values"
    "SELECT id,value FROM shared WHERE id>='' ORDER BY id"
    SET_SHARED "set a shared value"
    "INSERT INTO shared(id,value) VALUES(:id,:value) ON CONFLICT(id) DO UPDATE SET value=:value"
    DROP_SHARED "remove a shared value"
    "DELETE FROM shared WHERE id=:id"
}
