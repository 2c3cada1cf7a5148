-- What a community is for, and whether it is published; BGP roles by the names that the original gives them.

ALTER TABLE bgp_community ADD COLUMN category {text};
ALTER TABLE bgp_community ADD COLUMN private {boolean} NOT NULL DEFAULT FALSE;

UPDATE peering_directpeeringsession SET bgp_role = 'rs' WHERE bgp_role = 'route-server';
UPDATE peering_directpeeringsession SET bgp_role = 'rs-client' WHERE bgp_role = 'route-server-client';
UPDATE peering_internetexchangepeeringsession SET bgp_role = 'rs' WHERE bgp_role = 'route-server';
UPDATE peering_internetexchangepeeringsession SET bgp_role = 'rs-client' WHERE bgp_role = 'route-server-client';
