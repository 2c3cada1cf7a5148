-- Configurations on their way to routers. Texts that hold passwords are sealed; differences are kept with passwords hidden.

CREATE TABLE devices_deploymentplan (
    id {identity},
    created {time} NOT NULL,
    user_name {text} NOT NULL,
    job_id {integer} REFERENCES core_job (id) ON DELETE SET NULL
);

-- One router, one configuration. Its row is written before the router is changed, so that a process that dies leaves a trace.
CREATE TABLE devices_deployment (
    id {identity},
    router_id {integer} REFERENCES devices_router (id) ON DELETE SET NULL,
    router_name {text} NOT NULL,
    plan_id {integer} REFERENCES devices_deploymentplan (id) ON DELETE SET NULL,
    job_id {integer} REFERENCES core_job (id) ON DELETE SET NULL,
    user_name {text} NOT NULL,
    begun {time} NOT NULL,
    ended {time},
    status {text} NOT NULL,
    template {text} NOT NULL,
    load_mode {text} NOT NULL,
    forced {boolean} NOT NULL,
    input_hash {text} NOT NULL,
    candidate {text} NOT NULL,
    running {text} NOT NULL,
    diff {text} NOT NULL,
    added {integer} NOT NULL,
    removed {integer} NOT NULL,
    sessions {json} NOT NULL,
    warnings {json} NOT NULL,
    pending {json},
    message {text},
    configuration {text},
    in_force {text}
);
CREATE INDEX devices_deployment_router ON devices_deployment (router_id, id);
CREATE INDEX devices_deployment_plan ON devices_deployment (plan_id);
CREATE INDEX devices_deployment_begun ON devices_deployment (begun);

-- At most one row has no end.
CREATE TABLE devices_deploymentfreeze (
    id {identity},
    begun {time} NOT NULL,
    user_name {text} NOT NULL,
    reason {text} NOT NULL,
    ended {time},
    ended_by {text}
);
