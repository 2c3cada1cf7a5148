-- The job record is the queue: a job that was asked for and waits for a worker is a row that is pending and has no owner.

-- Whether it was put on the queue, or is run by the process that recorded it.
ALTER TABLE core_job ADD COLUMN queued {boolean} NOT NULL DEFAULT FALSE;
-- The lock that its task will take; jobs of one lock are begun in the order in which they were asked for.
ALTER TABLE core_job ADD COLUMN lock_key {text};
-- No worker begins it earlier.
ALTER TABLE core_job ADD COLUMN not_before {time};
-- When somebody asked for its end; the process that runs it looks once a second.
ALTER TABLE core_job ADD COLUMN cancel_asked {time};
-- The lost job that this one does again.
ALTER TABLE core_job ADD COLUMN repeat_of {integer};

CREATE INDEX core_job_open ON core_job (lock_key, id) WHERE status IN ('pending', 'running');

-- Workers that are at work, or were when they last gave a sign of life.
CREATE TABLE core_worker (
    owner {text} PRIMARY KEY,
    started {time} NOT NULL,
    heartbeat {time} NOT NULL,
    concurrency {integer} NOT NULL
);
