-- Whom to tell of what: webhooks for changes of objects, rules for everything else.

CREATE TABLE extras_webhook (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL UNIQUE,
    content_types {json} NOT NULL,
    type_create {boolean} NOT NULL DEFAULT FALSE,
    type_update {boolean} NOT NULL DEFAULT FALSE,
    type_delete {boolean} NOT NULL DEFAULT FALSE,
    payload_url {text} NOT NULL,
    enabled {boolean} NOT NULL DEFAULT TRUE,
    http_method {text} NOT NULL DEFAULT 'POST',
    http_content_type {text} NOT NULL DEFAULT 'application/json',
    additional_headers {text} NOT NULL DEFAULT '',
    body_template {text} NOT NULL DEFAULT '',
    secret {text} NOT NULL DEFAULT '',
    conditions {json},
    ssl_verification {boolean} NOT NULL DEFAULT TRUE,
    ca_file_path {text},
    UNIQUE (type_create, type_update, type_delete, payload_url)
);

CREATE TABLE extras_notificationrule (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL UNIQUE,
    enabled {boolean} NOT NULL DEFAULT TRUE,
    events {json} NOT NULL,
    tasks {json},
    routers {json},
    minimum {integer} NOT NULL DEFAULT 1,
    fold_minutes {integer} NOT NULL DEFAULT 360,
    recipients {json},
    webhook_id {integer} REFERENCES extras_webhook (id) ON DELETE SET NULL
);
CREATE INDEX extras_notificationrule_webhook ON extras_notificationrule (webhook_id);

-- What happened, written in the transaction in which it happened. `subject` is equal for what is about the same thing.
CREATE TABLE extras_event (
    id {identity},
    time {time} NOT NULL,
    kind {text} NOT NULL,
    subject {text} NOT NULL,
    title {text} NOT NULL,
    message {text} NOT NULL,
    task {text},
    router {text},
    job_id {integer},
    data {json} NOT NULL,
    handled {time}
);
CREATE INDEX extras_event_waiting ON extras_event (id) WHERE handled IS NULL;
CREATE INDEX extras_event_time ON extras_event (time);

-- A message to one receiver. One that is due is taken with a lease, so that it is sent again if its sender vanishes.
CREATE TABLE extras_delivery (
    id {identity},
    delivery_id {text} NOT NULL UNIQUE,
    created {time} NOT NULL,
    receiver {text} NOT NULL,
    recipient {text} NOT NULL,
    webhook_id {integer} REFERENCES extras_webhook (id) ON DELETE SET NULL,
    rule_id {integer} REFERENCES extras_notificationrule (id) ON DELETE SET NULL,
    event_id {integer} REFERENCES extras_event (id) ON DELETE CASCADE,
    change_id {integer},
    summary {text} NOT NULL,
    folded {integer} NOT NULL DEFAULT 0,
    folded_since {time},
    state {text} NOT NULL,
    attempts {integer} NOT NULL DEFAULT 0,
    not_before {time} NOT NULL,
    leased_until {time},
    finished {time},
    status {integer},
    answer {text},
    error {text}
);
CREATE INDEX extras_delivery_due ON extras_delivery (not_before, id) WHERE state IN ('pending', 'failed');
CREATE INDEX extras_delivery_created ON extras_delivery (created);
CREATE INDEX extras_delivery_event ON extras_delivery (event_id);
CREATE INDEX extras_delivery_webhook ON extras_delivery (webhook_id);
CREATE INDEX extras_delivery_rule ON extras_delivery (rule_id);

-- Equal troubles that came one after the other with no recovery in between: what was told of them, and what was not.
CREATE TABLE extras_notificationfold (
    rule_id {integer} NOT NULL REFERENCES extras_notificationrule (id) ON DELETE CASCADE,
    kind {text} NOT NULL,
    subject {text} NOT NULL,
    message {text} NOT NULL,
    since {time} NOT NULL,
    told {time},
    untold {integer} NOT NULL,
    PRIMARY KEY (rule_id, kind, subject)
);
