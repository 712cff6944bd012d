-- References are as good as random: in one index of them all, each new row of the log is a page written anew. By
-- stretches of the log a turn writes the pages of the last stretch alone; who looks for one asks stretch by stretch.
DROP INDEX nl_reference;
CREATE INDEX nl_reference ON notifylog(id/1000,gateway,reference) WHERE reference IS NOT NULL;
