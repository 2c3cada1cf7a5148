-- What is run by itself, and when. A slot is a time that a schedule names; each is claimed once, by moving next_run on.
CREATE TABLE core_schedule (
    id {identity},
    name {text} NOT NULL UNIQUE,
    task {text} NOT NULL,
    arguments {json} NOT NULL,
    -- Either five fields in the schedule's time zone, or seconds from one slot to the next.
    cron {text},
    interval_seconds {integer},
    -- NULL: the one of the settings.
    time_zone {text},
    jitter_seconds {integer} NOT NULL DEFAULT 0,
    enabled {boolean} NOT NULL,
    misfire {text} NOT NULL,
    conditions {json} NOT NULL,
    -- The next slot that nobody has claimed, and the time to claim it: the slot and its jitter. NULL: not planned yet.
    next_run {time},
    due {time},
    -- Slots count from here on; NULL: from the first time a scheduler sees it.
    counts_from {time},
    last_slot {time},
    last_run {time},
    last_job {integer},
    -- Why the last slot was not run.
    note {text},
    -- Counts the changes that people make, so that a scheduler never acts on what it read before one.
    revision {integer} NOT NULL DEFAULT 1,
    created {time} NOT NULL,
    CHECK ((cron IS NULL) <> (interval_seconds IS NULL))
);

-- What became of each slot. One row may stand for several missed ones, from slot to last_slot.
CREATE TABLE core_scheduleslot (
    schedule_id {integer} NOT NULL REFERENCES core_schedule (id) ON DELETE CASCADE,
    slot {time} NOT NULL,
    last_slot {time} NOT NULL,
    slots {integer} NOT NULL,
    state {text} NOT NULL,
    job_id {integer},
    reason {text},
    recorded {time} NOT NULL,
    PRIMARY KEY (schedule_id, slot)
);
CREATE UNIQUE INDEX core_scheduleslot_job ON core_scheduleslot (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX core_scheduleslot_recorded ON core_scheduleslot (recorded);

-- Schedulers that are at work, or were when they last gave a sign of life.
CREATE TABLE core_scheduler (
    owner {text} PRIMARY KEY,
    started {time} NOT NULL,
    heartbeat {time} NOT NULL
);

-- The five lines that cron files have had. Whoever deletes or changes one of these is not overruled: they are made here,
-- once. A configuration goes to routers by itself only after somebody has said so.
INSERT INTO core_schedule (name, task, arguments, cron, enabled, misfire, conditions, created) VALUES
    ('housekeeping', 'housekeeping', '{}', '30 1 * * *', TRUE, 'run once', '[]', {now}),
    ('peeringdb_sync', 'peeringdb_sync', '{}', '30 2 * * *', TRUE, 'run once', '[]', {now}),
    ('configure_routers', 'configure_routers', '{"user":"schedule configure_routers","wait":true}', '55 * * * *', FALSE,
        'skip', '[]', {now}),
    ('poll_bgp_sessions', 'poll_bgp_sessions', '{}', '0 * * * *', TRUE, 'run once', '[]', {now}),
    ('grab_prefixes', 'grab_prefixes', '{}', '30 4 * * *', TRUE, 'run once', '[]', {now});
