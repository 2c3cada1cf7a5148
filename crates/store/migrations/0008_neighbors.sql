-- Neighbours that routers have and for which there is no session, as the last poll of each router saw them.

CREATE TABLE peering_strangeneighbor (
    id {identity},
    router_id {integer} NOT NULL REFERENCES devices_router (id) ON DELETE CASCADE,
    vrf {text} NOT NULL,
    ip_address {address} NOT NULL,
    asn {integer},
    local_asn {integer},
    local_ip_address {address},
    description {text},
    state {text} NOT NULL,
    first_seen {time} NOT NULL,
    last_seen {time} NOT NULL,
    UNIQUE (router_id, vrf, ip_address)
);

-- Whether the session was near its limit of prefixes, or past it, when it was last asked for.
ALTER TABLE peering_sessionpoll ADD COLUMN near_limit {boolean} NOT NULL DEFAULT FALSE;
