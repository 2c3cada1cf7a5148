-- What routers say of sessions. The session's own row holds what people and templates see; these hold how old and how sure
-- that is, and what it was before. A session is a direct one or one at an exchange, never both.

CREATE TABLE peering_sessionpoll (
    direct_id {integer} UNIQUE REFERENCES peering_directpeeringsession (id) ON DELETE CASCADE,
    ixp_id {integer} UNIQUE REFERENCES peering_internetexchangepeeringsession (id) ON DELETE CASCADE,
    polled {time} NOT NULL,
    seen {time},
    state {text} NOT NULL,
    since {time} NOT NULL,
    last_error {text},
    flaps {integer} NOT NULL DEFAULT 0,
    CHECK ((direct_id IS NULL) <> (ixp_id IS NULL))
);

-- One row when the state or a counter differs from the row before.
CREATE TABLE peering_sessionsample (
    id {identity},
    direct_id {integer} REFERENCES peering_directpeeringsession (id) ON DELETE CASCADE,
    ixp_id {integer} REFERENCES peering_internetexchangepeeringsession (id) ON DELETE CASCADE,
    time {time} NOT NULL,
    state {text} NOT NULL,
    received {integer} NOT NULL,
    accepted {integer} NOT NULL,
    advertised {integer} NOT NULL,
    CHECK ((direct_id IS NULL) <> (ixp_id IS NULL))
);
CREATE INDEX peering_sessionsample_direct ON peering_sessionsample (direct_id, time);
CREATE INDEX peering_sessionsample_ixp ON peering_sessionsample (ixp_id, time);
CREATE INDEX peering_sessionsample_time ON peering_sessionsample (time);
