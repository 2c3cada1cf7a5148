-- The objects that people keep, as the descriptions in src/objects/models/ say; `cargo run -p pm-store --example tables`
-- prints such statements. The word now in braces is the time at which the
-- migration runs.

CREATE TABLE extras_tag (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL UNIQUE,
    slug {text} NOT NULL UNIQUE,
    color {text} NOT NULL DEFAULT '9e9e9e',
    description {text} NOT NULL DEFAULT ''
);
CREATE TABLE extras_taggeditem (
    tag_id {integer} NOT NULL REFERENCES extras_tag (id) ON DELETE CASCADE,
    content_type {text} NOT NULL,
    object_id {integer} NOT NULL,
    PRIMARY KEY (content_type, object_id, tag_id)
);
CREATE INDEX extras_taggeditem_tag ON extras_taggeditem (tag_id);

CREATE TABLE extras_configcontext (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL UNIQUE,
    description {text} NOT NULL DEFAULT '',
    is_active {boolean} NOT NULL DEFAULT TRUE,
    data {json} NOT NULL
);

CREATE TABLE extras_exporttemplate (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    content_type {text} NOT NULL,
    name {text} NOT NULL,
    description {text} NOT NULL DEFAULT '',
    template {text} NOT NULL,
    jinja2_trim {boolean} NOT NULL DEFAULT FALSE,
    jinja2_lstrip {boolean} NOT NULL DEFAULT FALSE,
    UNIQUE (content_type, name)
);

CREATE TABLE extras_ixapi (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL,
    api_url {text} NOT NULL,
    api_key {text} NOT NULL,
    api_secret {text} NOT NULL,
    identity {text} NOT NULL,
    access_token {text},
    access_token_expiration {time},
    refresh_token {text},
    refresh_token_expiration {time},
    UNIQUE (api_url, api_key)
);

CREATE TABLE bgp_community (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL UNIQUE,
    slug {text} NOT NULL UNIQUE,
    description {text} NOT NULL DEFAULT '',
    local_context_data {json},
    value {text} NOT NULL,
    type {text}
);

CREATE TABLE bgp_relationship (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL UNIQUE,
    slug {text} NOT NULL UNIQUE,
    description {text} NOT NULL DEFAULT '',
    local_context_data {json},
    color {text} NOT NULL DEFAULT '9e9e9e'
);

CREATE TABLE peering_routingpolicy (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL UNIQUE,
    slug {text} NOT NULL UNIQUE,
    description {text} NOT NULL DEFAULT '',
    local_context_data {json},
    type {text} NOT NULL DEFAULT 'import-policy',
    weight {integer} NOT NULL DEFAULT 0,
    address_family {integer} NOT NULL DEFAULT 0
);
CREATE TABLE peering_routingpolicy_communities (
    routingpolicy_id {integer} NOT NULL REFERENCES peering_routingpolicy (id) ON DELETE CASCADE,
    community_id {integer} NOT NULL REFERENCES bgp_community (id) ON DELETE CASCADE,
    PRIMARY KEY (routingpolicy_id, community_id)
);
CREATE INDEX routingpolicy_communities_other ON peering_routingpolicy_communities (community_id);

CREATE TABLE net_bfd (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL UNIQUE,
    slug {text} NOT NULL UNIQUE,
    description {text} NOT NULL DEFAULT '',
    local_context_data {json},
    minimum_transmit_interval {integer} NOT NULL DEFAULT 300,
    minimum_receive_interval {integer} NOT NULL DEFAULT 300,
    detection_multiplier {integer} NOT NULL DEFAULT 3,
    hold_time {integer} NOT NULL DEFAULT 0
);

CREATE TABLE devices_platform (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL UNIQUE,
    slug {text} NOT NULL UNIQUE,
    description {text} NOT NULL DEFAULT '',
    local_context_data {json},
    napalm_driver {text} NOT NULL DEFAULT '',
    napalm_args {json},
    password_algorithm {text} NOT NULL DEFAULT ''
);

CREATE TABLE devices_configuration (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL,
    template {text} NOT NULL,
    jinja2_trim {boolean} NOT NULL DEFAULT FALSE,
    jinja2_lstrip {boolean} NOT NULL DEFAULT FALSE,
    description {text} NOT NULL DEFAULT '',
    comments {text} NOT NULL DEFAULT '',
    local_context_data {json}
);

CREATE TABLE messaging_email (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL,
    template {text} NOT NULL,
    jinja2_trim {boolean} NOT NULL DEFAULT FALSE,
    jinja2_lstrip {boolean} NOT NULL DEFAULT FALSE,
    description {text} NOT NULL DEFAULT '',
    comments {text} NOT NULL DEFAULT '',
    local_context_data {json},
    subject {text} NOT NULL
);

CREATE TABLE messaging_contactrole (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL UNIQUE,
    slug {text} NOT NULL UNIQUE,
    description {text} NOT NULL DEFAULT '',
    local_context_data {json}
);

CREATE TABLE messaging_contact (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    description {text} NOT NULL DEFAULT '',
    comments {text} NOT NULL DEFAULT '',
    local_context_data {json},
    name {text} NOT NULL,
    title {text} NOT NULL DEFAULT '',
    phone {text} NOT NULL DEFAULT '',
    email {text} NOT NULL DEFAULT '',
    address {text} NOT NULL DEFAULT ''
);

CREATE TABLE peering_autonomoussystem_import_routing_policies (
    autonomoussystem_id {integer} NOT NULL REFERENCES peering_autonomoussystem (id) ON DELETE CASCADE,
    routingpolicy_id {integer} NOT NULL REFERENCES peering_routingpolicy (id) ON DELETE CASCADE,
    PRIMARY KEY (autonomoussystem_id, routingpolicy_id)
);
CREATE INDEX autonomoussystem_import_routing_policies_other ON peering_autonomoussystem_import_routing_policies (routingpolicy_id);
CREATE TABLE peering_autonomoussystem_export_routing_policies (
    autonomoussystem_id {integer} NOT NULL REFERENCES peering_autonomoussystem (id) ON DELETE CASCADE,
    routingpolicy_id {integer} NOT NULL REFERENCES peering_routingpolicy (id) ON DELETE CASCADE,
    PRIMARY KEY (autonomoussystem_id, routingpolicy_id)
);
CREATE INDEX autonomoussystem_export_routing_policies_other ON peering_autonomoussystem_export_routing_policies (routingpolicy_id);
CREATE TABLE peering_autonomoussystem_communities (
    autonomoussystem_id {integer} NOT NULL REFERENCES peering_autonomoussystem (id) ON DELETE CASCADE,
    community_id {integer} NOT NULL REFERENCES bgp_community (id) ON DELETE CASCADE,
    PRIMARY KEY (autonomoussystem_id, community_id)
);
CREATE INDEX autonomoussystem_communities_other ON peering_autonomoussystem_communities (community_id);

CREATE TABLE peering_bgpgroup (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL UNIQUE,
    slug {text} NOT NULL UNIQUE,
    description {text} NOT NULL DEFAULT '',
    local_context_data {json},
    status {text} NOT NULL DEFAULT 'enabled'
);
CREATE TABLE peering_bgpgroup_import_routing_policies (
    bgpgroup_id {integer} NOT NULL REFERENCES peering_bgpgroup (id) ON DELETE CASCADE,
    routingpolicy_id {integer} NOT NULL REFERENCES peering_routingpolicy (id) ON DELETE CASCADE,
    PRIMARY KEY (bgpgroup_id, routingpolicy_id)
);
CREATE INDEX bgpgroup_import_routing_policies_other ON peering_bgpgroup_import_routing_policies (routingpolicy_id);
CREATE TABLE peering_bgpgroup_export_routing_policies (
    bgpgroup_id {integer} NOT NULL REFERENCES peering_bgpgroup (id) ON DELETE CASCADE,
    routingpolicy_id {integer} NOT NULL REFERENCES peering_routingpolicy (id) ON DELETE CASCADE,
    PRIMARY KEY (bgpgroup_id, routingpolicy_id)
);
CREATE INDEX bgpgroup_export_routing_policies_other ON peering_bgpgroup_export_routing_policies (routingpolicy_id);
CREATE TABLE peering_bgpgroup_communities (
    bgpgroup_id {integer} NOT NULL REFERENCES peering_bgpgroup (id) ON DELETE CASCADE,
    community_id {integer} NOT NULL REFERENCES bgp_community (id) ON DELETE CASCADE,
    PRIMARY KEY (bgpgroup_id, community_id)
);
CREATE INDEX bgpgroup_communities_other ON peering_bgpgroup_communities (community_id);

CREATE TABLE devices_router (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    description {text} NOT NULL DEFAULT '',
    comments {text} NOT NULL DEFAULT '',
    local_context_data {json},
    name {text} NOT NULL UNIQUE,
    hostname {text} NOT NULL,
    local_autonomous_system_id {integer} REFERENCES peering_autonomoussystem (id) ON DELETE CASCADE,
    platform_id {integer} REFERENCES devices_platform (id),
    status {text} NOT NULL DEFAULT 'enabled',
    encrypt_passwords {boolean} NOT NULL DEFAULT FALSE,
    poll_bgp_sessions_state {boolean} NOT NULL DEFAULT FALSE,
    poll_bgp_sessions_last_updated {time},
    configuration_template_id {integer} REFERENCES devices_configuration (id) ON DELETE SET NULL,
    netbox_device_id {integer} NOT NULL DEFAULT 0,
    napalm_username {text},
    napalm_password {text},
    napalm_timeout {integer} NOT NULL DEFAULT 0,
    napalm_args {json}
);
CREATE INDEX devices_router_local_autonomous_system ON devices_router (local_autonomous_system_id);
CREATE INDEX devices_router_platform ON devices_router (platform_id);
CREATE INDEX devices_router_configuration_template ON devices_router (configuration_template_id);
CREATE TABLE devices_router_communities (
    router_id {integer} NOT NULL REFERENCES devices_router (id) ON DELETE CASCADE,
    community_id {integer} NOT NULL REFERENCES bgp_community (id) ON DELETE CASCADE,
    PRIMARY KEY (router_id, community_id)
);
CREATE INDEX router_communities_other ON devices_router_communities (community_id);

CREATE TABLE peering_internetexchange (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    name {text} NOT NULL UNIQUE,
    slug {text} NOT NULL UNIQUE,
    description {text} NOT NULL DEFAULT '',
    local_context_data {json},
    status {text} NOT NULL DEFAULT 'enabled',
    local_autonomous_system_id {integer} REFERENCES peering_autonomoussystem (id) ON DELETE CASCADE,
    peeringdb_ixlan {integer},
    ixapi_endpoint_id {integer} REFERENCES extras_ixapi (id) ON DELETE SET NULL
);
CREATE INDEX peering_internetexchange_local_autonomous_system ON peering_internetexchange (local_autonomous_system_id);
CREATE INDEX peering_internetexchange_peeringdb_ixlan ON peering_internetexchange (peeringdb_ixlan);
CREATE INDEX peering_internetexchange_ixapi_endpoint ON peering_internetexchange (ixapi_endpoint_id);
CREATE TABLE peering_internetexchange_import_routing_policies (
    internetexchange_id {integer} NOT NULL REFERENCES peering_internetexchange (id) ON DELETE CASCADE,
    routingpolicy_id {integer} NOT NULL REFERENCES peering_routingpolicy (id) ON DELETE CASCADE,
    PRIMARY KEY (internetexchange_id, routingpolicy_id)
);
CREATE INDEX internetexchange_import_routing_policies_other ON peering_internetexchange_import_routing_policies (routingpolicy_id);
CREATE TABLE peering_internetexchange_export_routing_policies (
    internetexchange_id {integer} NOT NULL REFERENCES peering_internetexchange (id) ON DELETE CASCADE,
    routingpolicy_id {integer} NOT NULL REFERENCES peering_routingpolicy (id) ON DELETE CASCADE,
    PRIMARY KEY (internetexchange_id, routingpolicy_id)
);
CREATE INDEX internetexchange_export_routing_policies_other ON peering_internetexchange_export_routing_policies (routingpolicy_id);
CREATE TABLE peering_internetexchange_communities (
    internetexchange_id {integer} NOT NULL REFERENCES peering_internetexchange (id) ON DELETE CASCADE,
    community_id {integer} NOT NULL REFERENCES bgp_community (id) ON DELETE CASCADE,
    PRIMARY KEY (internetexchange_id, community_id)
);
CREATE INDEX internetexchange_communities_other ON peering_internetexchange_communities (community_id);

CREATE TABLE net_connection (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    description {text} NOT NULL DEFAULT '',
    comments {text} NOT NULL DEFAULT '',
    local_context_data {json},
    status {text} NOT NULL DEFAULT 'enabled',
    internet_exchange_point_id {integer} REFERENCES peering_internetexchange (id) ON DELETE CASCADE,
    router_id {integer} REFERENCES devices_router (id) ON DELETE SET NULL,
    interface {text} NOT NULL DEFAULT '',
    peeringdb_netixlan {integer},
    vlan {integer},
    mac_address {text},
    ipv6_address {address},
    ipv4_address {address}
);
CREATE INDEX net_connection_internet_exchange_point ON net_connection (internet_exchange_point_id);
CREATE INDEX net_connection_router ON net_connection (router_id);
CREATE INDEX net_connection_peeringdb_netixlan ON net_connection (peeringdb_netixlan);

CREATE TABLE peering_directpeeringsession (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    description {text} NOT NULL DEFAULT '',
    comments {text} NOT NULL DEFAULT '',
    local_context_data {json},
    service_reference {text},
    autonomous_system_id {integer} NOT NULL REFERENCES peering_autonomoussystem (id) ON DELETE CASCADE,
    status {text} NOT NULL DEFAULT 'enabled',
    password {text},
    encrypted_password {text},
    multihop_ttl {integer} NOT NULL DEFAULT 1,
    passive {boolean} NOT NULL DEFAULT FALSE,
    bgp_role {text},
    bfd_id {integer} REFERENCES net_bfd (id) ON DELETE SET NULL,
    bgp_state {text},
    received_prefix_count {integer} NOT NULL DEFAULT 0,
    accepted_prefix_count {integer} NOT NULL DEFAULT 0,
    advertised_prefix_count {integer} NOT NULL DEFAULT 0,
    last_established_state {time},
    local_autonomous_system_id {integer} REFERENCES peering_autonomoussystem (id) ON DELETE CASCADE,
    local_ip_address {address},
    ip_address {address} NOT NULL,
    bgp_group_id {integer} REFERENCES peering_bgpgroup (id) ON DELETE SET NULL,
    relationship_id {integer} NOT NULL REFERENCES bgp_relationship (id),
    router_id {integer} REFERENCES devices_router (id) ON DELETE SET NULL,
    connection_id {integer} REFERENCES net_connection (id) ON DELETE SET NULL
);
CREATE INDEX peering_directpeeringsession_autonomous_system ON peering_directpeeringsession (autonomous_system_id);
CREATE INDEX peering_directpeeringsession_bfd ON peering_directpeeringsession (bfd_id);
CREATE INDEX peering_directpeeringsession_local_autonomous_system ON peering_directpeeringsession (local_autonomous_system_id);
CREATE INDEX peering_directpeeringsession_bgp_group ON peering_directpeeringsession (bgp_group_id);
CREATE INDEX peering_directpeeringsession_relationship ON peering_directpeeringsession (relationship_id);
CREATE INDEX peering_directpeeringsession_router ON peering_directpeeringsession (router_id);
CREATE INDEX peering_directpeeringsession_connection ON peering_directpeeringsession (connection_id);
CREATE TABLE peering_directpeeringsession_import_routing_policies (
    directpeeringsession_id {integer} NOT NULL REFERENCES peering_directpeeringsession (id) ON DELETE CASCADE,
    routingpolicy_id {integer} NOT NULL REFERENCES peering_routingpolicy (id) ON DELETE CASCADE,
    PRIMARY KEY (directpeeringsession_id, routingpolicy_id)
);
CREATE INDEX directpeeringsession_import_routing_policies_other ON peering_directpeeringsession_import_routing_policies (routingpolicy_id);
CREATE TABLE peering_directpeeringsession_export_routing_policies (
    directpeeringsession_id {integer} NOT NULL REFERENCES peering_directpeeringsession (id) ON DELETE CASCADE,
    routingpolicy_id {integer} NOT NULL REFERENCES peering_routingpolicy (id) ON DELETE CASCADE,
    PRIMARY KEY (directpeeringsession_id, routingpolicy_id)
);
CREATE INDEX directpeeringsession_export_routing_policies_other ON peering_directpeeringsession_export_routing_policies (routingpolicy_id);
CREATE TABLE peering_directpeeringsession_communities (
    directpeeringsession_id {integer} NOT NULL REFERENCES peering_directpeeringsession (id) ON DELETE CASCADE,
    community_id {integer} NOT NULL REFERENCES bgp_community (id) ON DELETE CASCADE,
    PRIMARY KEY (directpeeringsession_id, community_id)
);
CREATE INDEX directpeeringsession_communities_other ON peering_directpeeringsession_communities (community_id);

CREATE TABLE peering_internetexchangepeeringsession (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    description {text} NOT NULL DEFAULT '',
    comments {text} NOT NULL DEFAULT '',
    local_context_data {json},
    service_reference {text},
    autonomous_system_id {integer} NOT NULL REFERENCES peering_autonomoussystem (id) ON DELETE CASCADE,
    status {text} NOT NULL DEFAULT 'enabled',
    password {text},
    encrypted_password {text},
    multihop_ttl {integer} NOT NULL DEFAULT 1,
    passive {boolean} NOT NULL DEFAULT FALSE,
    bgp_role {text},
    bfd_id {integer} REFERENCES net_bfd (id) ON DELETE SET NULL,
    bgp_state {text},
    received_prefix_count {integer} NOT NULL DEFAULT 0,
    accepted_prefix_count {integer} NOT NULL DEFAULT 0,
    advertised_prefix_count {integer} NOT NULL DEFAULT 0,
    last_established_state {time},
    ixp_connection_id {integer} REFERENCES net_connection (id) ON DELETE CASCADE,
    ip_address {address} NOT NULL,
    is_route_server {boolean} NOT NULL DEFAULT FALSE,
    UNIQUE (ixp_connection_id, ip_address)
);
CREATE INDEX peering_internetexchangepeeringsession_autonomous_system ON peering_internetexchangepeeringsession (autonomous_system_id);
CREATE INDEX peering_internetexchangepeeringsession_bfd ON peering_internetexchangepeeringsession (bfd_id);
CREATE INDEX peering_internetexchangepeeringsession_ixp_connection ON peering_internetexchangepeeringsession (ixp_connection_id);
CREATE TABLE peering_internetexchangepeeringsession_import_routing_policies (
    internetexchangepeeringsession_id {integer} NOT NULL REFERENCES peering_internetexchangepeeringsession (id) ON DELETE CASCADE,
    routingpolicy_id {integer} NOT NULL REFERENCES peering_routingpolicy (id) ON DELETE CASCADE,
    PRIMARY KEY (internetexchangepeeringsession_id, routingpolicy_id)
);
CREATE INDEX internetexchangepeeringsession_import_routing_policies_other ON peering_internetexchangepeeringsession_import_routing_policies (routingpolicy_id);
CREATE TABLE peering_internetexchangepeeringsession_export_routing_policies (
    internetexchangepeeringsession_id {integer} NOT NULL REFERENCES peering_internetexchangepeeringsession (id) ON DELETE CASCADE,
    routingpolicy_id {integer} NOT NULL REFERENCES peering_routingpolicy (id) ON DELETE CASCADE,
    PRIMARY KEY (internetexchangepeeringsession_id, routingpolicy_id)
);
CREATE INDEX internetexchangepeeringsession_export_routing_policies_other ON peering_internetexchangepeeringsession_export_routing_policies (routingpolicy_id);
CREATE TABLE peering_internetexchangepeeringsession_communities (
    internetexchangepeeringsession_id {integer} NOT NULL REFERENCES peering_internetexchangepeeringsession (id) ON DELETE CASCADE,
    community_id {integer} NOT NULL REFERENCES bgp_community (id) ON DELETE CASCADE,
    PRIMARY KEY (internetexchangepeeringsession_id, community_id)
);
CREATE INDEX internetexchangepeeringsession_communities_other ON peering_internetexchangepeeringsession_communities (community_id);

CREATE TABLE peeringdb_hiddenpeer (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    peeringdb_network {integer},
    peeringdb_ixlan {integer},
    until {time},
    comments {text} NOT NULL DEFAULT '',
    UNIQUE (peeringdb_network, peeringdb_ixlan)
);
CREATE INDEX peeringdb_hiddenpeer_peeringdb_network ON peeringdb_hiddenpeer (peeringdb_network);
CREATE INDEX peeringdb_hiddenpeer_peeringdb_ixlan ON peeringdb_hiddenpeer (peeringdb_ixlan);

CREATE TABLE messaging_contactassignment (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    content_type {text} NOT NULL,
    object_id {integer} NOT NULL,
    contact_id {integer} NOT NULL REFERENCES messaging_contact (id),
    role_id {integer} NOT NULL REFERENCES messaging_contactrole (id),
    UNIQUE (content_type, object_id, contact_id, role_id)
);
CREATE INDEX messaging_contactassignment_object_id ON messaging_contactassignment (content_type, object_id);
CREATE INDEX messaging_contactassignment_contact ON messaging_contactassignment (contact_id);
CREATE INDEX messaging_contactassignment_role ON messaging_contactassignment (role_id);

CREATE TABLE extras_configcontextassignment (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    content_type {text} NOT NULL,
    object_id {integer} NOT NULL,
    config_context_id {integer} NOT NULL REFERENCES extras_configcontext (id),
    weight {integer} NOT NULL DEFAULT 1000,
    UNIQUE (content_type, object_id, config_context_id)
);
CREATE INDEX extras_configcontextassignment_object_id ON extras_configcontextassignment (content_type, object_id);
CREATE INDEX extras_configcontextassignment_config_context ON extras_configcontextassignment (config_context_id);

CREATE TABLE extras_journalentry (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    assigned_object_type {text} NOT NULL,
    assigned_object_id {integer} NOT NULL,
    created_by_id {integer} REFERENCES auth_user (id) ON DELETE SET NULL,
    kind {text} NOT NULL DEFAULT 'info',
    comments {text} NOT NULL
);
CREATE INDEX extras_journalentry_assigned_object_id ON extras_journalentry (assigned_object_type, assigned_object_id);
CREATE INDEX extras_journalentry_created_by ON extras_journalentry (created_by_id);

-- What a new database knows.
INSERT INTO devices_platform (created, updated, name, slug, napalm_driver, password_algorithm) VALUES
    ({now}, {now}, 'Arista EOS', 'arista-eos', 'eos', 'arista-type7'),
    ({now}, {now}, 'Juniper Junos', 'juniper-junos', 'junos', 'juniper-type9'),
    ({now}, {now}, 'Cisco IOS-XR', 'cisco-iosxr', 'iosxr', 'cisco-type7'),
    ({now}, {now}, 'Cisco NX-OS', 'cisco-nxos', 'nxos', 'cisco-type7'),
    ({now}, {now}, 'Cisco IOS', 'cisco-ios', 'ios', 'cisco-type7');
