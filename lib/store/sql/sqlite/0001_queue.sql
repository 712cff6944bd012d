-- The queue, its bodies, keys, log, events and workers (docs: queue). {slack} is the worth of one step of
-- priority in milliseconds of waiting: chosen when the database is made, rebuilt by `gatepost queue order`.

CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO setting(name,value) VALUES('uuid', lower(hex(randomblob(16))));

-- The first eight columns are the documented ones. An INSERT that names only these, NULLs included, makes a
-- valid row. The checks on types keep a row out that could not be read again.
CREATE TABLE notifytask(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  modulename TEXT NOT NULL ON CONFLICT REPLACE DEFAULT ''
    CHECK(typeof(modulename)='text' AND modulename<>'' AND modulename NOT GLOB '*[^A-Za-z0-9_.-]*'),
  filename TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '' CHECK(typeof(filename)='text'),
  priority INTEGER NOT NULL ON CONFLICT REPLACE DEFAULT 0
    CHECK(typeof(priority)='integer' AND priority BETWEEN -1000000 AND 1000000),
  error_count INTEGER NOT NULL ON CONFLICT REPLACE DEFAULT 0
    CHECK(typeof(error_count)='integer' AND error_count BETWEEN 0 AND 1000000000),
  forcedonothing TEXT COLLATE NOCASE NOT NULL ON CONFLICT REPLACE DEFAULT 'off',
  err_info TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
  createdate TEXT NOT NULL ON CONFLICT REPLACE DEFAULT (datetime('now')),
  lane TEXT NOT NULL DEFAULT '' CHECK(typeof(lane)='text' AND lane NOT GLOB '*[^A-Za-z0-9_.-]*'),
  object TEXT NOT NULL DEFAULT '',
  follows INTEGER,
  state INTEGER NOT NULL DEFAULT 0 CHECK(state IN (0,1,2,3,4)),
  queued_ms INTEGER NOT NULL DEFAULT (CAST((julianday('now')-2440587.5)*86400000 AS INTEGER)),
  ready_ms INTEGER NOT NULL DEFAULT (CAST((julianday('now')-2440587.5)*86400000 AS INTEGER)),
  run_at INTEGER,
  expires_ms INTEGER,
  attempt INTEGER NOT NULL DEFAULT 0,
  maybe_sent INTEGER NOT NULL DEFAULT 0,
  last_gateway INTEGER,
  lease_until INTEGER,
  lease_owner TEXT,
  lease_seq INTEGER NOT NULL DEFAULT 0,
  ord INTEGER GENERATED ALWAYS AS (ready_ms - {slack}*priority) VIRTUAL);
CREATE INDEX nt_ready  ON notifytask(modulename,lane,ord,id) WHERE state=0 AND maybe_sent=0;
CREATE INDEX nt_forced ON notifytask(modulename,lane,ord,id) WHERE state=0 AND maybe_sent=0 AND forcedonothing='on';
CREATE INDEX nt_bound  ON notifytask(modulename,last_gateway,ord,id) WHERE state=0 AND maybe_sent=1;
CREATE INDEX nt_lease  ON notifytask(lease_owner,lease_until) WHERE state=1;
CREATE INDEX nt_wait   ON notifytask(run_at) WHERE state=2;
CREATE INDEX nt_failed ON notifytask(run_at) WHERE state=3;
CREATE INDEX nt_asked  ON notifytask(run_at) WHERE state=4;
CREATE INDEX nt_expire ON notifytask(expires_ms) WHERE expires_ms IS NOT NULL;
CREATE INDEX nt_object ON notifytask(modulename,lane,object,id) WHERE object<>'' AND state<3;
CREATE INDEX nt_follow ON notifytask(follows) WHERE follows IS NOT NULL;

-- Template bundles and notices, each once by its SHA-256.
CREATE TABLE notifyblob(hash BLOB PRIMARY KEY, body BLOB NOT NULL, last_ms INTEGER NOT NULL);
CREATE INDEX nbl_last ON notifyblob(last_ms);

CREATE TABLE notifybody(
  id INTEGER PRIMARY KEY,
  bundle BLOB REFERENCES notifyblob,
  notice BLOB NOT NULL REFERENCES notifyblob,
  user TEXT NOT NULL DEFAULT '',
  project_id INTEGER);
CREATE INDEX nb_bundle ON notifybody(bundle) WHERE bundle IS NOT NULL;
CREATE INDEX nb_notice ON notifybody(notice);
-- A trigger and no cascade: it also works for a program that deletes rows with foreign keys switched off.
CREATE TRIGGER nt_gone AFTER DELETE ON notifytask BEGIN DELETE FROM notifybody WHERE id=OLD.id; END;

-- Keys that producers gave; a task without one is known as <uuid>:<id>, which needs no row.
CREATE TABLE notifykey(key TEXT PRIMARY KEY, task_id INTEGER NOT NULL, made_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX nk_task ON notifykey(task_id);
CREATE INDEX nk_made ON notifykey(made_ms);

CREATE TABLE notifylog(
  id INTEGER PRIMARY KEY,
  task INTEGER NOT NULL, key TEXT, module TEXT NOT NULL, notice TEXT, user INTEGER, project INTEGER,
  gateway INTEGER, contact TEXT, attempt INTEGER NOT NULL, outcome TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '', reference TEXT, segments INTEGER,
  queued INTEGER NOT NULL, at INTEGER NOT NULL, took INTEGER);
CREATE INDEX nl_task      ON notifylog(task);
CREATE INDEX nl_contact   ON notifylog(contact) WHERE contact IS NOT NULL;
CREATE INDEX nl_user      ON notifylog(user,at) WHERE user IS NOT NULL;
CREATE INDEX nl_reference ON notifylog(gateway,reference) WHERE reference IS NOT NULL;

CREATE TABLE event(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL, events_id TEXT NOT NULL, object_id TEXT NOT NULL, data TEXT NOT NULL);
CREATE INDEX ev_object ON event(events_id,object_id,id);

CREATE TABLE notifyworker(
  owner TEXT PRIMARY KEY, host TEXT NOT NULL, boot_id TEXT NOT NULL, pid INTEGER NOT NULL,
  beat_ms INTEGER NOT NULL) WITHOUT ROWID;
