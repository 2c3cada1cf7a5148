-- The order of the queue: what is asked for twice, what goes first, who serves what.

-- Higher goes first.
ALTER TABLE core_job ADD COLUMN priority {integer} NOT NULL DEFAULT 0;
-- Which workers run it; NULL for what is not on the queue.
ALTER TABLE core_job ADD COLUMN queue {text};
-- The jobs that were asked for together.
ALTER TABLE core_job ADD COLUMN batch {text};
-- 1, and one more for each time that it was asked for again because it did not work.
ALTER TABLE core_job ADD COLUMN attempt {integer} NOT NULL DEFAULT 1;
-- What was asked for: the task with its arguments, in short.
ALTER TABLE core_job ADD COLUMN task_key {text};
-- The exit status that a command ends with that ran it.
ALTER TABLE core_job ADD COLUMN exit_code {integer};
-- Whether it did harm that keeps the rest of its batch from being begun.
ALTER TABLE core_job ADD COLUMN spoilt {boolean} NOT NULL DEFAULT FALSE;

UPDATE core_job SET queue = CASE
    WHEN task IN ('poll_bgp_sessions', 'configure_routers', 'drift') THEN 'routers'
    WHEN task IN ('peeringdb_sync', 'get_irr_data', 'grab_prefixes', 'irr_accept', 'peeringdb_link') THEN 'data'
    ELSE 'default' END
WHERE queued;

-- Asking for what waits already finds it: there is one job of a kind that waits.
CREATE UNIQUE INDEX core_job_task_key ON core_job (task_key)
    WHERE status = 'pending' AND queued AND owner IS NULL AND cancel_asked IS NULL;
-- In which order workers look.
CREATE INDEX core_job_waiting ON core_job (priority DESC, id)
    WHERE status = 'pending' AND queued AND owner IS NULL;
CREATE INDEX core_job_batch ON core_job (batch) WHERE batch IS NOT NULL;
CREATE INDEX core_job_repeat_of ON core_job (repeat_of) WHERE repeat_of IS NOT NULL;

-- The queues that a worker serves, separated by commas; empty: all.
ALTER TABLE core_worker ADD COLUMN queues {text} NOT NULL DEFAULT '';
