-- What was refused before any gate was asked, by its time: `gatepost status` tells of the last hour.
CREATE INDEX nl_refused ON notifylog(at) WHERE outcome='never' AND took IS NULL;
