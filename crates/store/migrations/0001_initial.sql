-- The first schema. Types in braces are named in src/schema.rs; {identity} is an integer key that counts itself.
-- A released migration is never edited: a change is a new file.

CREATE TABLE auth_user (
    id {identity},
    username {text} NOT NULL UNIQUE,
    first_name {text} NOT NULL DEFAULT '',
    last_name {text} NOT NULL DEFAULT '',
    email {text} NOT NULL DEFAULT '',
    password {text} NOT NULL,
    is_staff {boolean} NOT NULL DEFAULT FALSE,
    is_active {boolean} NOT NULL DEFAULT TRUE,
    is_superuser {boolean} NOT NULL DEFAULT FALSE,
    date_joined {time} NOT NULL,
    last_login {time}
);

CREATE TABLE users_session (
    id {text} PRIMARY KEY,
    user_id {integer} REFERENCES auth_user (id) ON DELETE CASCADE,
    data {text} NOT NULL,
    expires {time} NOT NULL
);
CREATE INDEX users_session_expires ON users_session (expires);

CREATE TABLE core_job (
    id {identity},
    job_id {text} NOT NULL UNIQUE,
    name {text} NOT NULL,
    task {text} NOT NULL,
    arguments {json} NOT NULL,
    object_type {text},
    object_id {integer},
    user_id {integer} REFERENCES auth_user (id) ON DELETE SET NULL,
    status {text} NOT NULL,
    outcome {text},
    error {text},
    output {text} NOT NULL DEFAULT '',
    data {json},
    created {time} NOT NULL,
    started {time},
    completed {time},
    heartbeat {time},
    owner {text},
    progress_done {integer},
    progress_total {integer},
    progress_label {text}
);
CREATE INDEX core_job_created ON core_job (created);
CREATE INDEX core_job_status ON core_job (status);

CREATE TABLE core_joblog (
    job_id {integer} NOT NULL REFERENCES core_job (id) ON DELETE CASCADE,
    line {integer} NOT NULL,
    time {time} NOT NULL,
    level {text} NOT NULL,
    object {text},
    message {text} NOT NULL,
    PRIMARY KEY (job_id, line)
);

CREATE TABLE core_lock (
    key {text} PRIMARY KEY,
    owner {text},
    job_id {integer},
    fence {integer} NOT NULL,
    acquired {time} NOT NULL,
    expires {time} NOT NULL
);

CREATE TABLE core_objectchange (
    id {identity},
    time {time} NOT NULL,
    user_id {integer} REFERENCES auth_user (id) ON DELETE SET NULL,
    user_name {text} NOT NULL,
    request_id {text} NOT NULL,
    action {text} NOT NULL,
    changed_object_type {text} NOT NULL,
    changed_object_id {integer} NOT NULL,
    related_object_type {text},
    related_object_id {integer},
    object_repr {text} NOT NULL,
    prechange_data {json},
    postchange_data {json}
);
CREATE INDEX core_objectchange_time ON core_objectchange (time);
CREATE INDEX core_objectchange_object ON core_objectchange (changed_object_type, changed_object_id);

CREATE TABLE core_release (
    id {integer} PRIMARY KEY CHECK (id = 1),
    version {text} NOT NULL,
    url {text} NOT NULL,
    checked {time} NOT NULL
);

CREATE TABLE peering_autonomoussystem (
    id {identity},
    created {time} NOT NULL,
    updated {time} NOT NULL,
    description {text} NOT NULL DEFAULT '',
    comments {text} NOT NULL DEFAULT '',
    local_context_data {json},
    asn {integer} NOT NULL UNIQUE,
    name {text} NOT NULL,
    name_peeringdb_sync {boolean} NOT NULL DEFAULT TRUE,
    irr_as_set {text},
    irr_as_set_peeringdb_sync {boolean} NOT NULL DEFAULT TRUE,
    ipv6_max_prefixes {integer} DEFAULT 0,
    ipv6_max_prefixes_peeringdb_sync {boolean} NOT NULL DEFAULT TRUE,
    ipv4_max_prefixes {integer} DEFAULT 0,
    ipv4_max_prefixes_peeringdb_sync {boolean} NOT NULL DEFAULT TRUE,
    retrieve_prefixes {boolean} NOT NULL DEFAULT TRUE,
    retrieve_as_list {boolean} NOT NULL DEFAULT TRUE,
    irr_sources_override {text} NOT NULL DEFAULT '',
    irr_ipv6_prefixes_args_override {text} NOT NULL DEFAULT '',
    irr_ipv4_prefixes_args_override {text} NOT NULL DEFAULT '',
    affiliated {boolean} NOT NULL DEFAULT FALSE,
    prefixes {json},
    as_list {json}
);

CREATE TABLE peeringdb_synchronisation (
    id {identity},
    job_id {integer} REFERENCES core_job (id) ON DELETE SET NULL,
    time {time} NOT NULL,
    started {time} NOT NULL,
    kind {text} NOT NULL,
    created {integer} NOT NULL,
    updated {integer} NOT NULL,
    deleted {integer} NOT NULL,
    drift {integer} NOT NULL,
    details {json} NOT NULL
);
CREATE INDEX peeringdb_synchronisation_time ON peeringdb_synchronisation (time);

-- No foreign key: a first synchronisation notes a quarter of a million records, and checking each costs a third of the
-- time. Whoever removes a synchronisation removes its records first.
CREATE TABLE peeringdb_synchronisationrecord (
    synchronisation_id {integer} NOT NULL,
    namespace {text} NOT NULL,
    record_id {integer} NOT NULL,
    action {text} NOT NULL,
    label {text},
    asn {integer},
    changes {json},
    PRIMARY KEY (synchronisation_id, namespace, record_id, action)
);

CREATE TABLE peeringdb_watermark (
    namespace {text} PRIMARY KEY,
    since {integer} NOT NULL,
    access {text} NOT NULL,
    synchronised {time} NOT NULL,
    compared {time}
);

CREATE TABLE peeringdb_organization (
    id {integer} PRIMARY KEY,
    status {text} NOT NULL,
    created {time} NOT NULL,
    updated {time} NOT NULL,
    extra {json},
    hash {integer} NOT NULL,
    name {text},
    aka {text},
    name_long {text},
    website {text},
    social_media {json},
    notes {text},
    require_2fa {boolean},
    logo {text},
    address1 {text},
    address2 {text},
    city {text},
    country {text},
    state {text},
    zipcode {text},
    floor {text},
    suite {text},
    latitude {float},
    longitude {float},
    dangling {boolean} NOT NULL DEFAULT FALSE
);
CREATE INDEX peeringdb_organization_dangling ON peeringdb_organization (id) WHERE dangling;

CREATE TABLE peeringdb_campus (
    id {integer} PRIMARY KEY,
    status {text} NOT NULL,
    created {time} NOT NULL,
    updated {time} NOT NULL,
    extra {json},
    hash {integer} NOT NULL,
    org_id {integer},
    org_name {text},
    name {text},
    name_long {text},
    notes {text},
    aka {text},
    website {text},
    social_media {json},
    country {text},
    city {text},
    zipcode {text},
    state {text},
    logo {text},
    dangling {boolean} NOT NULL DEFAULT FALSE
);
CREATE INDEX peeringdb_campus_dangling ON peeringdb_campus (id) WHERE dangling;

CREATE TABLE peeringdb_facility (
    id {integer} PRIMARY KEY,
    status {text} NOT NULL,
    created {time} NOT NULL,
    updated {time} NOT NULL,
    extra {json},
    hash {integer} NOT NULL,
    org_id {integer},
    org_name {text},
    campus_id {integer},
    name {text},
    aka {text},
    name_long {text},
    website {text},
    social_media {json},
    clli {text},
    rencode {text},
    npanxx {text},
    notes {text},
    net_count {integer},
    ix_count {integer},
    carrier_count {integer},
    sales_email {text},
    sales_phone {text},
    tech_email {text},
    tech_phone {text},
    available_voltage_services {json},
    diverse_serving_substations {boolean},
    property {text},
    region_continent {text},
    status_dashboard {text},
    logo {text},
    address1 {text},
    address2 {text},
    city {text},
    country {text},
    state {text},
    zipcode {text},
    floor {text},
    suite {text},
    latitude {float},
    longitude {float},
    dangling {boolean} NOT NULL DEFAULT FALSE
);
CREATE INDEX peeringdb_facility_dangling ON peeringdb_facility (id) WHERE dangling;
CREATE INDEX peeringdb_facility_org_id ON peeringdb_facility (org_id);

CREATE TABLE peeringdb_carrier (
    id {integer} PRIMARY KEY,
    status {text} NOT NULL,
    created {time} NOT NULL,
    updated {time} NOT NULL,
    extra {json},
    hash {integer} NOT NULL,
    org_id {integer},
    org_name {text},
    name {text},
    aka {text},
    name_long {text},
    website {text},
    social_media {json},
    notes {text},
    fac_count {integer},
    logo {text},
    dangling {boolean} NOT NULL DEFAULT FALSE
);
CREATE INDEX peeringdb_carrier_dangling ON peeringdb_carrier (id) WHERE dangling;

CREATE TABLE peeringdb_carrierfacility (
    id {integer} PRIMARY KEY,
    status {text} NOT NULL,
    created {time} NOT NULL,
    updated {time} NOT NULL,
    extra {json},
    hash {integer} NOT NULL,
    name {text},
    carrier_id {integer},
    fac_id {integer},
    campus_id {integer},
    dangling {boolean} NOT NULL DEFAULT FALSE
);
CREATE INDEX peeringdb_carrierfacility_dangling ON peeringdb_carrierfacility (id) WHERE dangling;
CREATE INDEX peeringdb_carrierfacility_carrier_id ON peeringdb_carrierfacility (carrier_id);

CREATE TABLE peeringdb_network (
    id {integer} PRIMARY KEY,
    status {text} NOT NULL,
    created {time} NOT NULL,
    updated {time} NOT NULL,
    extra {json},
    hash {integer} NOT NULL,
    org_id {integer},
    name {text},
    aka {text},
    name_long {text},
    website {text},
    social_media {json},
    asn {integer},
    looking_glass {text},
    route_server {text},
    irr_as_set {text},
    info_type {text},
    info_types {json},
    info_prefixes4 {integer},
    info_prefixes6 {integer},
    info_traffic {text},
    info_ratio {text},
    info_scope {text},
    info_unicast {boolean},
    info_multicast {boolean},
    info_ipv6 {boolean},
    info_never_via_route_servers {boolean},
    ix_count {integer},
    fac_count {integer},
    notes {text},
    notes_private {text},
    netixlan_updated {time},
    netfac_updated {time},
    poc_updated {time},
    policy_url {text},
    policy_general {text},
    policy_locations {text},
    policy_ratio {boolean},
    policy_contracts {text},
    allow_ixp_update {boolean},
    status_dashboard {text},
    rir_status {text},
    rir_status_updated {time},
    logo {text},
    dangling {boolean} NOT NULL DEFAULT FALSE
);
CREATE INDEX peeringdb_network_dangling ON peeringdb_network (id) WHERE dangling;
CREATE INDEX peeringdb_network_asn ON peeringdb_network (asn);

CREATE TABLE peeringdb_internetexchange (
    id {integer} PRIMARY KEY,
    status {text} NOT NULL,
    created {time} NOT NULL,
    updated {time} NOT NULL,
    extra {json},
    hash {integer} NOT NULL,
    org_id {integer},
    name {text},
    aka {text},
    name_long {text},
    city {text},
    country {text},
    region_continent {text},
    media {text},
    notes {text},
    proto_unicast {boolean},
    proto_multicast {boolean},
    proto_ipv6 {boolean},
    website {text},
    social_media {json},
    url_stats {text},
    tech_email {text},
    tech_phone {text},
    policy_email {text},
    policy_phone {text},
    sales_phone {text},
    sales_email {text},
    net_count {integer},
    fac_count {integer},
    ixf_net_count {integer},
    ixf_last_import {time},
    ixf_import_request {time},
    ixf_import_request_status {text},
    service_level {text},
    terms {text},
    status_dashboard {text},
    logo {text},
    dangling {boolean} NOT NULL DEFAULT FALSE
);
CREATE INDEX peeringdb_internetexchange_dangling ON peeringdb_internetexchange (id) WHERE dangling;

CREATE TABLE peeringdb_internetexchangefacility (
    id {integer} PRIMARY KEY,
    status {text} NOT NULL,
    created {time} NOT NULL,
    updated {time} NOT NULL,
    extra {json},
    hash {integer} NOT NULL,
    name {text},
    city {text},
    country {text},
    ix_id {integer},
    fac_id {integer},
    dangling {boolean} NOT NULL DEFAULT FALSE
);
CREATE INDEX peeringdb_internetexchangefacility_dangling ON peeringdb_internetexchangefacility (id) WHERE dangling;
CREATE INDEX peeringdb_internetexchangefacility_ix_id ON peeringdb_internetexchangefacility (ix_id);

CREATE TABLE peeringdb_ixlan (
    id {integer} PRIMARY KEY,
    status {text} NOT NULL,
    created {time} NOT NULL,
    updated {time} NOT NULL,
    extra {json},
    hash {integer} NOT NULL,
    ix_id {integer},
    name {text},
    descr {text},
    mtu {integer},
    vlan {integer},
    dot1q_support {boolean},
    rs_asn {integer},
    arp_sponge {text},
    ixf_ixp_member_list_url_visible {text},
    ixf_ixp_member_list_url {text},
    ixf_ixp_import_enabled {boolean},
    dangling {boolean} NOT NULL DEFAULT FALSE
);
CREATE INDEX peeringdb_ixlan_dangling ON peeringdb_ixlan (id) WHERE dangling;
CREATE INDEX peeringdb_ixlan_ix_id ON peeringdb_ixlan (ix_id);

CREATE TABLE peeringdb_ixlanprefix (
    id {integer} PRIMARY KEY,
    status {text} NOT NULL,
    created {time} NOT NULL,
    updated {time} NOT NULL,
    extra {json},
    hash {integer} NOT NULL,
    ixlan_id {integer},
    protocol {text},
    prefix {address},
    in_dfz {boolean},
    notes {text},
    dangling {boolean} NOT NULL DEFAULT FALSE
);
CREATE INDEX peeringdb_ixlanprefix_dangling ON peeringdb_ixlanprefix (id) WHERE dangling;
CREATE INDEX peeringdb_ixlanprefix_ixlan_id ON peeringdb_ixlanprefix (ixlan_id);

CREATE TABLE peeringdb_networkfacility (
    id {integer} PRIMARY KEY,
    status {text} NOT NULL,
    created {time} NOT NULL,
    updated {time} NOT NULL,
    extra {json},
    hash {integer} NOT NULL,
    name {text},
    city {text},
    country {text},
    net_id {integer},
    fac_id {integer},
    local_asn {integer},
    avail_sonet {boolean},
    avail_ethernet {boolean},
    avail_atm {boolean},
    dangling {boolean} NOT NULL DEFAULT FALSE
);
CREATE INDEX peeringdb_networkfacility_dangling ON peeringdb_networkfacility (id) WHERE dangling;
CREATE INDEX peeringdb_networkfacility_net_id ON peeringdb_networkfacility (net_id);

CREATE TABLE peeringdb_networkixlan (
    id {integer} PRIMARY KEY,
    status {text} NOT NULL,
    created {time} NOT NULL,
    updated {time} NOT NULL,
    extra {json},
    hash {integer} NOT NULL,
    net_id {integer},
    ix_id {integer},
    name {text},
    ixlan_id {integer},
    notes {text},
    speed {integer},
    asn {integer},
    ipaddr4 {address},
    ipaddr6 {address},
    is_rs_peer {boolean},
    bfd_support {boolean},
    operational {boolean},
    net_side_id {integer},
    ix_side_id {integer},
    dangling {boolean} NOT NULL DEFAULT FALSE
);
CREATE INDEX peeringdb_networkixlan_dangling ON peeringdb_networkixlan (id) WHERE dangling;
CREATE INDEX peeringdb_networkixlan_net_id ON peeringdb_networkixlan (net_id);
CREATE INDEX peeringdb_networkixlan_ixlan_id ON peeringdb_networkixlan (ixlan_id);

CREATE TABLE peeringdb_networkcontact (
    id {integer} PRIMARY KEY,
    status {text} NOT NULL,
    created {time} NOT NULL,
    updated {time} NOT NULL,
    extra {json},
    hash {integer} NOT NULL,
    net_id {integer},
    role {text},
    visible {text},
    name {text},
    phone {text},
    email {text},
    url {text},
    dangling {boolean} NOT NULL DEFAULT FALSE
);
CREATE INDEX peeringdb_networkcontact_dangling ON peeringdb_networkcontact (id) WHERE dangling;
CREATE INDEX peeringdb_networkcontact_net_id ON peeringdb_networkcontact (net_id);
