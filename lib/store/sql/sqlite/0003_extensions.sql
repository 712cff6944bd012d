-- What calls leave behind (events, journal, sign-ins, keys), and the rows that services, provisioning handlers
-- and plugins live on (docs: handler, service, provisioning, plugin).

-- Ordered objects in constant time, however many tasks stand behind one another (queue 3.6): which tasks
-- somebody follows, which have been tried in vain, which are ready.
ALTER TABLE notifytask ADD COLUMN followed INTEGER NOT NULL DEFAULT 0;
UPDATE notifytask SET followed=1 WHERE id IN (SELECT follows FROM notifytask WHERE follows IS NOT NULL);
CREATE INDEX nt_followed ON notifytask(modulename,lane,object,id) WHERE object<>'' AND followed=1;
CREATE INDEX nt_trouble  ON notifytask(modulename,lane,object,id) WHERE object<>'' AND state<3 AND (error_count>0 OR err_info<>'');
CREATE INDEX nt_next     ON notifytask(modulename,lane,object,id) WHERE object<>'' AND state=0;

-- 0: written by a turn, its tasks are still to be made; a call writes its events with their tasks, told.
ALTER TABLE event ADD COLUMN told INTEGER NOT NULL DEFAULT 1;
CREATE INDEX ev_kind   ON event(events_id,id);
CREATE INDEX ev_at     ON event(at_ms);
CREATE INDEX ev_untold ON event(id) WHERE told=0;

-- Every run of a handler, hook or middleware inside a call.
CREATE TABLE journal(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  call TEXT NOT NULL, at_ms INTEGER NOT NULL, function TEXT NOT NULL, place TEXT NOT NULL, name TEXT NOT NULL,
  outcome TEXT NOT NULL, took_ms INTEGER NOT NULL, output TEXT NOT NULL DEFAULT '');
CREATE INDEX jo_call ON journal(call,id);
CREATE INDEX jo_name ON journal(name,id);

-- A table of its own, so that no reader of `user` sees a hash.
CREATE TABLE password(user INTEGER PRIMARY KEY REFERENCES user ON DELETE CASCADE, hash TEXT NOT NULL);

-- Sign-ins, tokens and reply tokens are known by the SHA-256 of what the caller holds.
CREATE TABLE session(
  hash BLOB PRIMARY KEY, user INTEGER REFERENCES user ON DELETE CASCADE, name TEXT NOT NULL, level TEXT NOT NULL,
  made_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX se_user    ON session(user);
CREATE INDEX se_expires ON session(expires_ms);

CREATE TABLE token(
  hash BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, user INTEGER REFERENCES user ON DELETE CASCADE,
  level TEXT NOT NULL, made_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX to_user ON token(user);

CREATE TABLE idempotency(
  caller TEXT NOT NULL, key TEXT NOT NULL, function TEXT NOT NULL, request BLOB NOT NULL, answer TEXT,
  made_ms INTEGER NOT NULL, PRIMARY KEY(caller,key)) WITHOUT ROWID;
CREATE INDEX id_made ON idempotency(made_ms);

CREATE TABLE reply_token(
  hash BLOB PRIMARY KEY, user INTEGER NOT NULL REFERENCES user ON DELETE CASCADE, notice TEXT NOT NULL,
  task INTEGER NOT NULL, made_ms INTEGER NOT NULL, used_ms INTEGER) WITHOUT ROWID;
CREATE INDEX rt_user ON reply_token(user);
CREATE INDEX rt_made ON reply_token(made_ms);

-- Money is in minor units.
CREATE TABLE account(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project INTEGER NOT NULL REFERENCES project,
  name TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '', balance INTEGER NOT NULL DEFAULT 0);
CREATE INDEX ac_project ON account(project);
CREATE INDEX us_account ON user(account) WHERE account<>'';

CREATE TABLE payment(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  amount INTEGER NOT NULL, at_ms INTEGER NOT NULL, key TEXT UNIQUE, comment TEXT NOT NULL DEFAULT '');
CREATE INDEX pa_account ON payment(account,id);

CREATE TABLE processing(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL DEFAULT '', module TEXT NOT NULL, product_type TEXT NOT NULL DEFAULT '',
  active TEXT NOT NULL DEFAULT 'on', priority INTEGER NOT NULL DEFAULT 0, department TEXT NOT NULL DEFAULT '',
  concurrency INTEGER, xmlparams TEXT NOT NULL DEFAULT '<doc/>', secret BLOB NOT NULL DEFAULT x'',
  version INTEGER NOT NULL DEFAULT 1);

CREATE TABLE product(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL DEFAULT '', type TEXT NOT NULL DEFAULT '', processing INTEGER REFERENCES processing);
CREATE INDEX pr_processing ON product(processing);

CREATE TABLE service(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user INTEGER NOT NULL REFERENCES user, product INTEGER NOT NULL REFERENCES product,
  processing INTEGER NOT NULL REFERENCES processing,
  username TEXT NOT NULL DEFAULT '', secret BLOB NOT NULL DEFAULT x'',
  state TEXT NOT NULL CHECK(state IN ('opening','active','suspended','closed')),
  externalid TEXT NOT NULL DEFAULT '', made_ms INTEGER NOT NULL);
CREATE INDEX sv_user       ON service(user,id);
CREATE INDEX sv_product    ON service(product);
CREATE INDEX sv_processing ON service(processing,id);

-- What a program answered; a value is plain or sealed.
CREATE TABLE itemparam(
  service INTEGER NOT NULL REFERENCES service ON DELETE CASCADE, name TEXT NOT NULL,
  value TEXT NOT NULL DEFAULT '', secret BLOB NOT NULL DEFAULT x'', PRIMARY KEY(service,name)) WITHOUT ROWID;

-- What was ordered: kind is addon or param.
CREATE TABLE serviceparam(
  service INTEGER NOT NULL REFERENCES service ON DELETE CASCADE, kind TEXT NOT NULL, name TEXT NOT NULL,
  value TEXT NOT NULL DEFAULT '', PRIMARY KEY(service,kind,name)) WITHOUT ROWID;

CREATE TABLE provisioning(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL DEFAULT '', event TEXT NOT NULL, task_type TEXT NOT NULL, task TEXT NOT NULL,
  status TEXT NOT NULL CHECK(status IN ('enabled','disabled','archived')), priority INTEGER NOT NULL DEFAULT 0,
  secret BLOB NOT NULL DEFAULT x'', old_secret BLOB NOT NULL DEFAULT x'', version INTEGER NOT NULL DEFAULT 1);

-- The only one acted from; rewritten as a whole by `cachemanager.restart` (S2-23).
CREATE TABLE provisioning_active(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, event TEXT NOT NULL, task_type TEXT NOT NULL, task TEXT NOT NULL,
  status TEXT NOT NULL, priority INTEGER NOT NULL, secret BLOB NOT NULL, old_secret BLOB NOT NULL,
  version INTEGER NOT NULL);

-- What a receiver answered, beside the log row of the attempt.
CREATE TABLE delivery(
  log INTEGER PRIMARY KEY, status INTEGER, response BLOB NOT NULL DEFAULT x'');
CREATE INDEX nl_handler ON notifylog(gateway,id) WHERE module='nthandler';
CREATE TRIGGER nl_gone AFTER DELETE ON notifylog BEGIN DELETE FROM delivery WHERE log=OLD.id; END;

-- Staff with their live status: 0 offline, 1 ready, 2 aux.
CREATE TABLE agent(
  user INTEGER PRIMARY KEY REFERENCES user ON DELETE CASCADE,
  status INTEGER NOT NULL, reason TEXT NOT NULL DEFAULT '', since_ms INTEGER NOT NULL);

-- Shared values of plugins, as tagged JSON.
CREATE TABLE shared(id TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
