-- Sessions that are gone from the database and may still be on their router. Nothing refers to what is gone with them, so they
-- hold names and numbers of their own. At one address of a router at most one is remembered.

CREATE TABLE peering_deletedsession (
    id {identity},
    router_id {integer} NOT NULL REFERENCES devices_router (id) ON DELETE CASCADE,
    kind {text} NOT NULL CHECK (kind IN ('direct', 'ixp')),
    ip_address {address} NOT NULL,
    remote_asn {integer} NOT NULL,
    remote_name {text} NOT NULL,
    local_asn {integer},
    group_name {text},
    group_slug {text},
    vrf {text},
    deleted_at {time} NOT NULL,
    deleted_by {text} NOT NULL,
    UNIQUE (router_id, ip_address)
);
CREATE INDEX peering_deletedsession_time ON peering_deletedsession (deleted_at);

-- The VRF in which the router has the neighbour, as the last poll that saw it there says.
ALTER TABLE peering_sessionpoll ADD COLUMN vrf {text};
