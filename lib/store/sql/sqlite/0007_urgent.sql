-- What is urgent (a priority above 0) is watched: what waits, by its route and since when it may go, and how long each
-- such message had waited when it was handed over first, in ms, by the time its outcome was written.
CREATE INDEX nt_urgent ON notifytask(modulename,lane,ready_ms) WHERE state=0 AND maybe_sent=0 AND priority>0;
ALTER TABLE notifylog ADD COLUMN waited INTEGER;
CREATE INDEX nl_urgent ON notifylog(at,waited) WHERE waited IS NOT NULL;
