-- What IRR databases say about each autonomous system. A list is kept once, however many autonomous systems and
-- generations share it, and is never loaded with the autonomous system.

ALTER TABLE peering_autonomoussystem DROP COLUMN prefixes;
ALTER TABLE peering_autonomoussystem DROP COLUMN as_list;

-- One distinct list: its octets, found by their SHA-256. shortest is the length of its shortest prefix.
CREATE TABLE peering_irrlist (
    id {identity},
    digest {bytes} NOT NULL UNIQUE,
    kind {text} NOT NULL,
    entries {integer} NOT NULL,
    shortest {integer},
    data {bytes} NOT NULL,
    created {time} NOT NULL
);

-- Where to look for a prefix: the blocks of addresses in which a list that is in use has entries. No foreign key: a first
-- run notes tens of thousands of blocks. Whoever removes a list removes its blocks first.
CREATE TABLE peering_irrblock (
    block {bytes} NOT NULL,
    list_id {integer} NOT NULL,
    PRIMARY KEY (block, list_id)
);
CREATE INDEX peering_irrblock_list ON peering_irrblock (list_id);

-- What became of an autonomous system's lists in one run that changed any of them; kind by kind the list, if any.
CREATE TABLE peering_irrgeneration (
    id {identity},
    autonomous_system_id {integer} NOT NULL REFERENCES peering_autonomoussystem (id) ON DELETE CASCADE,
    number {integer} NOT NULL,
    time {time} NOT NULL,
    ipv6_id {integer} REFERENCES peering_irrlist (id),
    ipv4_id {integer} REFERENCES peering_irrlist (id),
    as_list_id {integer} REFERENCES peering_irrlist (id),
    details {json} NOT NULL,
    UNIQUE (autonomous_system_id, number)
);
CREATE INDEX peering_irrgeneration_ipv6 ON peering_irrgeneration (ipv6_id);
CREATE INDEX peering_irrgeneration_ipv4 ON peering_irrgeneration (ipv4_id);
CREATE INDEX peering_irrgeneration_as_list ON peering_irrgeneration (as_list_id);

-- Where each list stands now. list_id is the newest one that was taken, whether or not it is shown; found is how many
-- prefixes or AS numbers were behind it, or behind the answer that was too long.
CREATE TABLE peering_irrstate (
    autonomous_system_id {integer} NOT NULL REFERENCES peering_autonomoussystem (id) ON DELETE CASCADE,
    kind {text} NOT NULL,
    state {text} NOT NULL,
    list_id {integer} REFERENCES peering_irrlist (id),
    found {integer} NOT NULL DEFAULT 0,
    too_long {integer},
    taken {time},
    checked {time} NOT NULL,
    failure {text},
    held_id {integer} REFERENCES peering_irrlist (id),
    held_found {integer},
    held_reason {text},
    held_since {time},
    held_details {json},
    PRIMARY KEY (autonomous_system_id, kind)
);
CREATE INDEX peering_irrstate_list ON peering_irrstate (list_id);
CREATE INDEX peering_irrstate_held ON peering_irrstate (held_id);
