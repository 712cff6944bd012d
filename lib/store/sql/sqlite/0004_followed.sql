-- What follows from a message that came in is done once, whoever is killed: 0 nothing of it yet, 1 its command, 2 all.
-- Messages from before this column are done with, but for those whose event was not told.
ALTER TABLE gateway_message ADD COLUMN followed INTEGER NOT NULL DEFAULT 2;
UPDATE gateway_message SET followed=0
 WHERE id IN (SELECT CAST(object_id AS INTEGER) FROM event WHERE told=0 AND events_id='incoming.message');
CREATE INDEX gm_unfollowed ON gateway_message(id) WHERE followed<2;
