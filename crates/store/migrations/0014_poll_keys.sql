-- PostgreSQL looks every referenced row up by itself, twice for each session of a router's first poll, which takes longer than
-- to store it. What keeps the references true there: a poll locks the sessions whose rows it adds, and whatever deletes a
-- session, in whichever way, takes them along, all at once. SQLite looks up as fast as any of that, and keeps its keys.
{postgres} ALTER TABLE peering_sessionpoll DROP CONSTRAINT peering_sessionpoll_direct_id_fkey, DROP CONSTRAINT peering_sessionpoll_ixp_id_fkey;
{postgres} ALTER TABLE peering_sessionsample DROP CONSTRAINT peering_sessionsample_direct_id_fkey, DROP CONSTRAINT peering_sessionsample_ixp_id_fkey;
{postgres} CREATE FUNCTION peering_forget_direct() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM peering_sessionpoll WHERE direct_id IN (SELECT id FROM gone); DELETE FROM peering_sessionsample WHERE direct_id IN (SELECT id FROM gone); RETURN NULL; END $$;
{postgres} CREATE FUNCTION peering_forget_ixp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM peering_sessionpoll WHERE ixp_id IN (SELECT id FROM gone); DELETE FROM peering_sessionsample WHERE ixp_id IN (SELECT id FROM gone); RETURN NULL; END $$;
{postgres} CREATE TRIGGER peering_forget_direct AFTER DELETE ON peering_directpeeringsession REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION peering_forget_direct();
{postgres} CREATE TRIGGER peering_forget_ixp AFTER DELETE ON peering_internetexchangepeeringsession REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION peering_forget_ixp();
