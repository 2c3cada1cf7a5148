//! Every key, once. To add one, add an entry here; to build the part that uses it, turn `Later` into `Used`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::IpNet;
use secrecy::SecretString;

use crate::address::{HttpUrl, SecretUrl};
use crate::choices::{IrrBackend, ListMerge, LogFormat, LogLevel, MaxPrefixRule, MissingPrefixes, Undefined};
use crate::key::settings;
use crate::value::{CcContact, DeviceArguments};

settings! {
    keys {
        /// Where everything is kept: `sqlite:` with a path, or `postgres://user:password@host:port/name`. Without
        /// `/var/lib/peering-manager` the default is `peering-manager.db` in the current directory.
        Used database_url: SecretUrl = SecretUrl::new("sqlite:///var/lib/peering-manager/peering-manager.db"),
            variables ["DATABASE_URL"];

        /// Encrypts the stored passwords of routers and sessions, and will sign browser sessions. At least 50 random
        /// characters. Without it a key is made beside a SQLite database when the first password is stored.
        Used secret_key: Option<SecretString> = None;

        /// Earlier values of `secret_key`, one per line, so that what they encrypted can still be read until
        /// `secrets rotate` has encrypted it anew.
        Used secret_key_previous: Option<SecretString> = None;

        /// Address of the PeeringDB API.
        Used peeringdb_api: HttpUrl = HttpUrl::fixed("https://www.peeringdb.com/api");

        /// PeeringDB API key. Without it PeeringDB shows only public contacts and answers fewer requests.
        Used peeringdb_api_key: Option<SecretString> = None, variables ["PEERINGDB_API_KEY"];

        /// PeeringDB user name, for basic authentication without an API key.
        Used peeringdb_username: Option<String> = None, variables ["PEERINGDB_USERNAME"],
            deprecated "create an API key and set `peeringdb_api_key`";

        /// PeeringDB password, for basic authentication without an API key.
        Used peeringdb_password: Option<SecretString> = None, variables ["PEERINGDB_PASSWORD"],
            deprecated "create an API key and set `peeringdb_api_key`";

        /// PeeringDB's published full copy, which the first synchronisation starts from. Empty: never use it.
        Used peeringdb_cache_url: Option<HttpUrl> = Some(HttpUrl::fixed("https://public.peeringdb.com"));

        /// Days between synchronisations that compare every record instead of only those changed since the last
        /// one. 0: never compare in full.
        Used peeringdb_full_compare_days: u32 = 7, in 0..=36_500;

        /// Seconds that the clock is set back when asking for changes since the last synchronisation, so that a
        /// record saved while it ran is not missed.
        Used peeringdb_overlap: u32 = 300, in 0..=604_800;

        /// Seconds a request to PeeringDB may take, from connecting to the last byte.
        Used peeringdb_timeout: u32 = 300, in 1..=86_400;

        /// Seconds to wait for a connection to PeeringDB.
        Used peeringdb_connect_timeout: u32 = 10, in 1..=3_600;

        /// How often a request to PeeringDB that failed in passing is sent again.
        Used peeringdb_retries: u32 = 3, in 0..=100;

        /// Seconds to wait at most when PeeringDB asks to come back later; if it asks for more, the run fails.
        Used peeringdb_max_retry_after: u32 = 300, in 0..=86_400;

        /// Largest answer accepted from PeeringDB, in MiB, after decompression.
        Used peeringdb_max_body_mb: u32 = 512, in 1..=65_536;

        /// Requests per minute sent to PeeringDB. 0: as many as PeeringDB allows, 40 with an API key, 20 without.
        Used peeringdb_requests_per_minute: u32 = 0, in 0..=100_000;

        /// Percentage of a kind of PeeringDB records that one synchronisation may delete before it refuses.
        Used sync_max_delete_percent: u8 = 20, in 0..=100;

        /// PEM file with certificate authorities that every HTTPS client trusts beside the usual ones.
        Used ca_file: Option<PathBuf> = None;

        /// Proxy URL per scheme (`http`, `https`) for requests to the outside. `HTTPS_PROXY` and its like in the
        /// environment are not read.
        Used http_proxies: BTreeMap<String, SecretUrl> = BTreeMap::new();

        /// `User-Agent` of HTTP requests.
        Used requests_user_agent: String = concat!(
            "PeeringManager/", env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR")
        ).to_owned();

        /// Days a change-log entry is kept. 0: for ever.
        Used changelog_retention: u32 = 90, in 0..=36_500;

        /// Days a finished job is kept. 0: for ever.
        Used job_retention: u32 = 90, in 0..=36_500, was ["jobresult_retention"];

        /// Days the report of a synchronisation is kept. 0: for ever.
        Used sync_report_retention: u32 = 90, in 0..=36_500;

        /// Days the history of polled BGP sessions is kept. 0: for ever.
        Used poll_history_retention: u32 = 90, in 0..=36_500;

        /// Days deployments and their plans are kept; a router's last one by each template always stays. 0: for ever.
        Used deployment_retention: u32 = 365, in 0..=36_500;
        /// Days a deleted session is remembered on a router that is not polled. 0: for ever.
        Used deleted_session_retention: u32 = 90, in 0..=36_500;

        /// Rows that housekeeping deletes in one transaction.
        Used housekeeping_batch: u32 = 10_000, in 1..=1_000_000;

        /// Seconds a browser session lasts.
        Later login_timeout: u32 = 1_209_600, in 60..=315_360_000;

        /// List of releases, in the form of the GitHub API, that housekeeping looks at for a newer version.
        /// Empty: do not look.
        Used release_check_url: Option<HttpUrl> = None;

        /// Seconds after which the lock of a process that no longer answers may be taken over. A process that was held up for
        /// longer finds its work taken from it, so less than 30 is of use for tests only.
        Used lock_lease: u32 = 120, in 3..=86_400;

        /// Shape of the log lines: `text` or `json`.
        Used log_format: LogFormat = LogFormat::Text;

        /// Least important log lines that are written: `error`, `warn`, `info`, `debug` or `trace`.
        Used log_level: LogLevel = LogLevel::Info;

        /// Time zone in which times are shown and schedules are read, as an IANA name.
        Used time_zone: String = "UTC".to_owned();

        /// Host names under which the web pages may be asked for; `*` stands for any.
        Later allowed_hosts: Vec<String> = Vec::new();

        /// Path below which the web pages are served.
        Used base_path: String = String::new();

        /// CGI name and value of the request header that marks a request as HTTPS; an empty list trusts none.
        Later secure_proxy_ssl_header: Vec<String> = vec!["HTTP_X_FORWARDED_PROTO".to_owned(), "https".to_owned()];

        /// Take the host name from `X-Forwarded-Host`.
        Later use_x_forwarded_host: bool = true;

        /// Serve metrics for Prometheus, under `/metrics` where a command has `--listen`.
        Used metrics_enabled: bool = false;

        /// Seconds after the last synchronisation from which the PeeringDB cache counts as stale. 0: never.
        Used peeringdb_stale_after: u32 = 93_600, in 0..=31_536_000;

        /// Seconds after the last answers for all prefix lists but a tenth from which they count as stale. 0: never.
        Used irr_stale_after: u32 = 93_600, in 0..=31_536_000;

        /// Seconds after the last run of housekeeping from which it counts as overdue. 0: never.
        Used housekeeping_stale_after: u32 = 93_600, in 0..=31_536_000;

        /// Show nothing to visitors who have not logged in.
        Later login_required: bool = false;

        /// Let a browser session start anew at every request.
        Later login_persistence: bool = false;

        /// Leave user name and password out of the login page.
        Later login_form_hidden: bool = false;

        /// HTML above the login form.
        Later banner_login: String = String::new();

        /// Name of the session cookie.
        Later session_cookie_name: String = "sessionid".to_owned();

        /// Send the session cookie over HTTPS only.
        Later session_cookie_secure: bool = false;

        /// Trust a request header that names the user.
        Later remote_auth_enabled: bool = false;

        /// CGI name of the header with the user name.
        Later remote_auth_header: String = "HTTP_REMOTE_USER".to_owned();

        /// Create users named by the header.
        Later remote_auth_auto_create_user: bool = false;

        /// Create groups named by the group header.
        Later remote_auth_auto_create_groups: bool = false;

        /// Groups of a newly created user.
        Later remote_auth_default_groups: Vec<String> = Vec::new();

        /// Permissions of a newly created user, as `app.codename`.
        Later remote_auth_default_permissions: Vec<String> = Vec::new();

        /// Make a user's groups those of the group header at every login.
        Later remote_auth_group_sync_enabled: bool = false;

        /// CGI name of the header with the groups.
        Later remote_auth_group_header: String = "HTTP_REMOTE_USER_GROUP".to_owned();

        /// What separates the groups in that header.
        Later remote_auth_group_separator: String = "|".to_owned();

        /// Groups whose members are superusers.
        Later remote_auth_superuser_groups: Vec<String> = Vec::new();

        /// Users who are superusers.
        Later remote_auth_superusers: Vec<String> = Vec::new();

        /// Groups whose members are staff.
        Later remote_auth_staff_groups: Vec<String> = Vec::new();

        /// Users who are staff.
        Later remote_auth_staff_users: Vec<String> = Vec::new();

        /// CGI name of the header with the e-mail address.
        Later remote_auth_user_email: String = "HTTP_REMOTE_USER_EMAIL".to_owned();

        /// CGI name of the header with the first name.
        Later remote_auth_user_first_name: String = "HTTP_REMOTE_USER_FIRST_NAME".to_owned();

        /// CGI name of the header with the last name.
        Later remote_auth_user_last_name: String = "HTTP_REMOTE_USER_LAST_NAME".to_owned();

        /// Seconds a background job may run before a worker ends it. Synchronisations and IRR data may take longer.
        Used job_timeout: u32 = 3_600, in 1..=604_800, was ["rq_default_timeout"];

        /// Jobs that a worker runs at the same time.
        Used worker_concurrency: u32 = 2, in 1..=64;

        /// Seconds that a worker which is told to stop gives its jobs to finish. What runs for longer is cancelled, and waits
        /// again if it can be repeated.
        Used worker_stop_seconds: u32 = 60, in 0..=86_400;

        /// How often a background job that failed in passing is asked for again by itself, after 1, 5 and then 15 minutes. 0:
        /// never.
        Used job_retries: u32 = 3, in 0..=20;

        /// Seconds a router's neighbour detail is kept. 0: not at all.
        Later cache_bgp_detail_timeout: u32 = 900, in 0..=2_592_000;

        /// Seconds the answer for a prefix list is kept. 0: not at all.
        Later cache_prefix_list_timeout: u32 = 3_600, in 0..=2_592_000;

        /// Rows on a page, and in an answer of the API, when none are asked for.
        Later paginate_count: u32 = 20, in 1..=10_000;

        /// Most rows in an answer of the API. 0: no limit.
        Later max_page_size: u32 = 1_000, in 0..=1_000_000;

        /// Preferences of a newly created user.
        Later default_user_preferences: toml::Table = toml::Table::new();

        /// Merge nested tables of configuration contexts instead of replacing them.
        Used config_context_recursive_merge: bool = true;

        /// Merge of lists in configuration contexts: `replace`, `keep`, `append`, `prepend`, `append_rp` or
        /// `prepend_rp`.
        Used config_context_list_merge: ListMerge = ListMerge::Replace;

        /// Extensions of the template language: `jinja2.ext.do` and `jinja2.ext.loopcontrols`. Others are Python modules
        /// and cannot be used.
        Used jinja2_template_extensions: Vec<String> = Vec::new();

        /// What using a name that is not there does in templates that do not say so themselves: `strict`, it is an error,
        /// or `lenient`, it prints nothing and is a warning.
        Used template_undefined: Undefined = Undefined::Strict;

        /// What using a prefix list that is missing (never fetched, over a limit) does in templates: `error`, or `empty`,
        /// an empty list and a warning.
        Used prefix_list_missing: MissingPrefixes = MissingPrefixes::Error;

        /// What the filter `max_prefix` gives in templates: `guarded`, a limit that came from PeeringDB with headroom and up
        /// to a ceiling, one set by hand as it is, and the ceiling and a warning where there is none; or `plain`, the
        /// autonomous system's field as it is, 0 included.
        Used max_prefix_rule: MaxPrefixRule = MaxPrefixRule::Guarded;

        /// Prefixes added to a limit that came from PeeringDB, before the percentage.
        Used max_prefix_headroom: u32 = 100, in 0..=1_000_000;

        /// Percentage added to a limit that came from PeeringDB.
        Used max_prefix_headroom_percent: u32 = 15, in 0..=1_000;

        /// Highest limit of IPv4 prefixes that a peer's own word can lead to, and the limit where nobody named one.
        Used max_prefix_ceiling_ipv4: u32 = 500_000, in 1..=10_000_000;

        /// Highest limit of IPv6 prefixes that a peer's own word can lead to, and the limit where nobody named one.
        Used max_prefix_ceiling_ipv6: u32 = 200_000, in 1..=10_000_000;

        /// Steps that a template may take: statements, expressions, members of lists.
        Used render_fuel: u32 = 200_000_000, in 1_000..=4_000_000_000;

        /// Largest text that a template may make, in MiB.
        Used render_max_output_mb: u32 = 256, in 1..=4_096;

        /// Levels of includes, macros and blocks inside each other that a template may use.
        Used render_max_depth: u32 = 60, in 1..=200;

        /// User name for routers that have none of their own.
        Used napalm_username: Option<String> = None, variables ["NAPALM_USERNAME"];

        /// Password for routers that have none of their own.
        Used napalm_password: Option<SecretString> = None, variables ["NAPALM_PASSWORD"];

        /// Seconds to wait for a router that has no timeout of its own.
        Used napalm_timeout: u32 = 30, in 1..=3_600;

        /// Optional arguments for every router, overlaid by those of the platform and of the router.
        Used napalm_args: DeviceArguments = DeviceArguments::default();

        /// File of host keys that routers are known by, in the form of OpenSSH's `known_hosts`. A router whose arguments have
        /// a `host_key` (`SHA256:…`) is known by that instead.
        Used ssh_known_hosts: PathBuf = PathBuf::from("/etc/ssh/ssh_known_hosts");

        /// Python with NAPALM, for routers that have no driver of our own.
        Used napalm_python: PathBuf = PathBuf::from("python3");

        /// Routers that are talked to at the same time.
        Used router_concurrency: u32 = 32, in 1..=1_000;

        /// Seconds after which what the last poll of a router said counts as stale. Twice the time between polls is right.
        Used poll_stale_after: u32 = 7_200, in 1..=31_536_000;

        /// Percentage of the sessions of a router's last deployment that a new configuration may lack, beside those that were
        /// disabled or deleted here. One or two may always be lacking. 100: any number.
        Used config_max_removed_percent: u8 = 20, in 0..=100;

        /// Seconds after which a router undoes a commit that nobody confirms, rounded up to what its platform takes.
        Used commit_confirm_seconds: u32 = 300, in 5..=86_400;

        /// Seconds after a commit before its sessions are looked at.
        Used post_check_min_seconds: u32 = 15, in 0..=3_600;

        /// Seconds after a commit until which sessions may come back, and a router may be reached again, before the commit
        /// is undone.
        Used post_check_seconds: u32 = 60, in 0..=3_600;

        /// Sessions that may be lost by a commit without its being undone.
        Used post_check_max_lost: u32 = 0, in 0..=1_000_000;

        /// Deployments that may go wrong on routers before a run begins no more. 0: any number.
        Used deploy_max_failures: u32 = 1, in 0..=1_000_000;

        /// Program that expands AS-SETs when `irr_backend` asks for one. Left as it is, it is the one that
        /// `irr_backend` names.
        Used bgpq3_path: String = "bgpq3".to_owned();

        /// IRR server, `host` or `host:port`; several, separated by commas, are tried in this order.
        Used bgpq3_host: String = "rr.ntt.net".to_owned();

        /// IRR sources, separated by commas; the first that knows an AS-SET answers, prefixes come from all of them.
        /// Empty: those that the server takes by itself.
        Used bgpq3_sources: String =
            "RPKI,RIPE,ARIN,APNIC,AFRINIC,LACNIC,RIPE-NONAUTH,RADB,ALTDB,NTTCOM,LEVEL3,TC".to_owned();

        /// Arguments for prefix lists per address family, `ipv6` and `ipv4`: `-A`, `-r`, `-R`, `-m`, `-S`, `-h`.
        Used bgpq3_args: BTreeMap<String, Vec<String>> = BTreeMap::from([
            ("ipv6".to_owned(), ["-A", "-r", "16", "-R", "48"].map(str::to_owned).to_vec()),
            ("ipv4".to_owned(), ["-A", "-r", "8", "-R", "24"].map(str::to_owned).to_vec()),
        ]);

        /// Read the AS-SET of `SOURCE::AS-SET` in that source; otherwise the source is dropped. The members of the set
        /// are always read in `bgpq3_sources`.
        Used bgpq4_keep_source_in_set: bool = false;

        /// Who asks the IRR server: `native`, or the program `bgpq4` or `bgpq3`, once per AS-SET and family.
        Used irr_backend: IrrBackend = IrrBackend::Native;

        /// Connections to the IRR server at once, or programs when `irr_backend` is one. A server has few places.
        Used irr_connections: u32 = 4, in 1..=4;

        /// Seconds to wait for a connection to an IRR server.
        Used irr_connect_timeout: u32 = 10, in 1..=3_600;

        /// Seconds an IRR server may be silent while an answer is due, before the next server is asked.
        Used irr_idle_timeout: u32 = 60, in 1..=3_600;

        /// Seconds a run may ask IRR servers in all.
        Used irr_timeout: u32 = 3_600, in 1..=86_400;

        /// Largest answer accepted from an IRR server, in MiB.
        Used irr_max_answer_mb: u32 = 64, in 1..=4_096;

        /// Levels of AS-SETs inside AS-SETs that are followed where the server does not expand them itself; a set that
        /// goes deeper keeps its old list.
        Used irr_max_depth: u32 = 64, in 1..=1_000;

        /// AS numbers and AS-SETs that an AS-SET may bring together where the server does not expand it itself; one that
        /// has more keeps its old list.
        Used irr_max_members: u32 = 100_000, in 1..=10_000_000;

        /// Prefixes that an AS-SET may bring together per family; one that has more keeps its old list.
        Used irr_max_prefixes: u32 = 2_000_000, in 1..=100_000_000;

        /// Generations of prefix and AS lists that are kept per autonomous system.
        Used irr_generations_keep: u32 = 10, in 1..=10_000;

        /// Percentage of its prefixes that a list may lose before it is held back for review. 100: only a list that
        /// becomes empty is held back.
        Used prefix_shrink_limit_percent: u8 = 50, in 1..=100;

        /// How many times as long a list may become before it is held back for review. 0: any number.
        Used prefix_growth_limit: u32 = 10, in 0..=1_000_000;

        /// Address of NetBox.
        Later netbox_api: Option<HttpUrl> = None, variables ["NETBOX_API"];

        /// NetBox API token.
        Later netbox_api_token: Option<SecretString> = None, variables ["NETBOX_API_TOKEN"];

        /// Fetch pages from NetBox in parallel.
        Later netbox_api_threading: bool = false;

        /// Verify NetBox's certificate.
        Later netbox_api_verify_ssl: bool = true;

        /// Roles of the NetBox devices that can become routers; none: every role.
        Later netbox_device_roles: Vec<String> = vec!["router".to_owned(), "firewall".to_owned()];

        /// Tags of the NetBox devices that can become routers; none: with and without tags.
        Later netbox_tags: Vec<String> = Vec::new();

        /// Author of commits to git data sources.
        Used git_commit_author: String = "Peering Manager <no-reply@peering-manager.net>".to_owned();

        /// Message of commits to git data sources.
        Used git_commit_message: String = "Committed using Peering Manager".to_owned();

        /// Refuse BGP communities that are not well formed.
        Used validate_bgp_community_value: bool = true;

        /// Long date, in Django's format letters.
        Later date_format: String = "jS F, Y".to_owned();

        /// Short date, in Django's format letters.
        Later short_date_format: String = "Y-m-d".to_owned();

        /// Time, in Django's format letters.
        Later time_format: String = "G:i".to_owned();

        /// Time with seconds, in Django's format letters.
        Later short_time_format: String = "H:i:s".to_owned();

        /// Long date and time, in Django's format letters.
        Later datetime_format: String = "jS F, Y G:i".to_owned();

        /// Short date and time, in Django's format letters.
        Later short_datetime_format: String = "Y-m-d H:i".to_owned();

        /// SMTP server; the mail server of this host if empty.
        Used email_server as "email.server": Option<String> = None;

        /// SMTP port.
        Used email_port as "email.port": u16 = 25, in 1..=65_535;

        /// SMTP user name.
        Used email_username as "email.username": Option<String> = None;

        /// SMTP password.
        Used email_password as "email.password": Option<SecretString> = None;

        /// Seconds to wait for the SMTP server.
        Used email_timeout as "email.timeout": u32 = 10, in 1..=3_600;

        /// Sender of every message.
        Used email_from_address as "email.from_address": Option<String> = None;

        /// What the subject of every notification begins with, such as `[peering]`.
        Used email_subject_prefix as "email.subject_prefix": Option<String> = None;

        /// Speak TLS from the first byte; not together with `email.use_tls`.
        Used email_use_ssl as "email.use_ssl": bool = false;

        /// Switch to TLS with STARTTLS; not together with `email.use_ssl`.
        Used email_use_tls as "email.use_tls": bool = false;

        /// Key of the client certificate.
        Used email_ssl_keyfile as "email.ssl_keyfile": Option<PathBuf> = None;

        /// Client certificate.
        Used email_ssl_certfile as "email.ssl_certfile": Option<PathBuf> = None;

        /// Networks and addresses to which webhooks may go although they are loopback, link-local or the like.
        Used webhook_allowed_targets: Vec<IpNet> = Vec::new();

        /// Seconds a request to a webhook may take, from looking its name up to the end of the answer.
        Used webhook_timeout: u32 = 10, in 1..=300;

        /// How often a webhook or e-mail is tried at most before it is given up.
        Used notification_attempts: u32 = 6, in 1..=100;

        /// Webhooks and e-mails that are sent at the same time.
        Used notification_concurrency: u32 = 16, in 1..=256;

        /// Addresses that can be put in copy, each an address or a list of address and name.
        Used email_cc_contacts as "email.cc_contacts": Vec<CcContact> = Vec::new();
    }

    ignored {
        "admins": "nothing is sent to administrators by name";
        "auth_ldap_*": "there is no LDAP login";
        "census_reporting_enabled": "this program reports to nobody";
        "cors_*": "other sites are never given access to the API";
        "csrf_*": "forms are protected without a cookie or a list of origins";
        "database": "set `database_url`";
        "debug": "there is no debug mode; set `log_level`";
        "internal_ips": "there is no debug toolbar";
        "ldap_*": "there is no LDAP login";
        "logging": "set `log_level` and `log_format`";
        "my_asn": "affiliated autonomous systems took its place";
        "radius_*": "there is no RADIUS login";
        "redis": "this program keeps its queue in the database";
        "remote_auth_backend": "login back ends are Python modules";
        "session_file_path": "sessions are kept in the database";
        "social_auth_*": "single sign-on back ends are Python modules";
    }
}
