-- The moment of the database that a configuration was made from, so that an older one never takes the place of a newer one.
ALTER TABLE devices_deployment ADD COLUMN rendered {time};

-- The template that was chosen for all routers of a plan, if one was.
ALTER TABLE devices_deploymentplan ADD COLUMN configuration {text};

-- A sample is of one kind, so each index holds the samples of its kind only.
DROP INDEX peering_sessionsample_direct;
DROP INDEX peering_sessionsample_ixp;
CREATE INDEX peering_sessionsample_direct ON peering_sessionsample (direct_id, time) WHERE direct_id IS NOT NULL;
CREATE INDEX peering_sessionsample_ixp ON peering_sessionsample (ixp_id, time) WHERE ixp_id IS NOT NULL;

-- Every poll changes every session of its router. With room left on its page a row stays there, and no index is touched.
{postgres} ALTER TABLE peering_sessionpoll SET (fillfactor = 50);
{postgres} ALTER TABLE peering_directpeeringsession SET (fillfactor = 50);
{postgres} ALTER TABLE peering_internetexchangepeeringsession SET (fillfactor = 50);
