-- The rows of the platform. `user` and `project` grow by a column for each added field.

CREATE TABLE project(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL DEFAULT '', site TEXT NOT NULL DEFAULT '', billurl TEXT NOT NULL DEFAULT '',
  notifyemail TEXT NOT NULL DEFAULT '', supportemail TEXT NOT NULL DEFAULT '',
  supportphone TEXT NOT NULL DEFAULT '', theme TEXT NOT NULL DEFAULT '',
  country_default TEXT NOT NULL DEFAULT '', language TEXT NOT NULL DEFAULT '',
  timezone TEXT NOT NULL DEFAULT '', active TEXT NOT NULL DEFAULT '');

CREATE TABLE user(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project INTEGER NOT NULL REFERENCES project,
  external_id TEXT,
  name TEXT NOT NULL DEFAULT '', realname TEXT NOT NULL DEFAULT '',
  email TEXT COLLATE NOCASE NOT NULL DEFAULT '', phone TEXT NOT NULL DEFAULT '',
  language TEXT NOT NULL DEFAULT '', timezone TEXT NOT NULL DEFAULT '',
  account TEXT NOT NULL DEFAULT '', level TEXT NOT NULL DEFAULT '');
CREATE UNIQUE INDEX us_external ON user(project,external_id) WHERE external_id IS NOT NULL;
CREATE INDEX us_ext ON user(external_id) WHERE external_id IS NOT NULL;
CREATE INDEX us_project ON user(project);
CREATE INDEX us_email ON user(email);
CREATE INDEX us_phone ON user(phone);
CREATE INDEX us_name ON user(name);

CREATE TABLE gateway(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL DEFAULT '',
  project INTEGER REFERENCES project,
  notify_module TEXT NOT NULL,
  gateway_module TEXT NOT NULL,
  gateway_type INTEGER NOT NULL CHECK(gateway_type IN (1,2)),
  active TEXT NOT NULL DEFAULT 'on',
  priority INTEGER NOT NULL DEFAULT 0,
  concurrency INTEGER, rate_per_sec INTEGER, on_unknown TEXT,
  xmlparams TEXT NOT NULL DEFAULT '<doc/>',
  secret BLOB NOT NULL DEFAULT x'',
  version INTEGER NOT NULL DEFAULT 1);
CREATE INDEX gw_project ON gateway(project);

-- Whether a gateway may be used: condition 0 open, 1 held, 2 down.
CREATE TABLE gatewaystate(
  gateway INTEGER PRIMARY KEY REFERENCES gateway ON DELETE CASCADE,
  condition INTEGER NOT NULL CHECK(condition IN (0,1,2)),
  reason TEXT NOT NULL DEFAULT '', by_person INTEGER NOT NULL DEFAULT 0,
  since_ms INTEGER NOT NULL, next_probe_ms INTEGER, probes INTEGER NOT NULL DEFAULT 0,
  strikes INTEGER NOT NULL DEFAULT 0, holds INTEGER NOT NULL DEFAULT 0,
  last_error_ms INTEGER, last_error TEXT);

-- Times in which a gateway was not usable; gateway 0 is the whole queue while it is paused.
CREATE TABLE gatewaydown(gateway INTEGER NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER);
CREATE INDEX gd_gateway ON gatewaydown(gateway,from_ms);
CREATE UNIQUE INDEX gd_open ON gatewaydown(gateway) WHERE to_ms IS NULL;
CREATE INDEX gd_ended ON gatewaydown(to_ms) WHERE to_ms IS NOT NULL;

CREATE TABLE subscription(
  user INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
  notice TEXT NOT NULL, module TEXT NOT NULL, active INTEGER NOT NULL,
  PRIMARY KEY(user,notice,module)) WITHOUT ROWID;

CREATE TABLE inbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user INTEGER NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL,
  at_ms INTEGER NOT NULL, read_ms INTEGER);
CREATE INDEX in_user ON inbox(user,id);

CREATE TABLE gateway_message(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  gateway INTEGER NOT NULL, uid TEXT NOT NULL, sender TEXT NOT NULL, user INTEGER, project INTEGER,
  reason TEXT NOT NULL DEFAULT '', subject TEXT NOT NULL, source BLOB NOT NULL,
  date_post INTEGER NOT NULL, told INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX gm_uid ON gateway_message(gateway,uid);
CREATE INDEX gm_untold ON gateway_message(gateway,id) WHERE told=0;
CREATE INDEX gm_gateway ON gateway_message(gateway,id);
CREATE INDEX gm_user ON gateway_message(user) WHERE user IS NOT NULL;
CREATE INDEX gm_sender ON gateway_message(sender);

CREATE TABLE contact_state(
  kind TEXT NOT NULL, contact TEXT NOT NULL, state TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '', since_ms INTEGER NOT NULL,
  PRIMARY KEY(kind,contact)) WITHOUT ROWID;
