//! `ix import-from-peeringdb`: exchanges and connections where the cache says that we are.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;
use pm_store::Session;
use pm_store::objects::models::{connection, internet_exchange};
use pm_store::objects::problems::{ObjectError, Rules};
use pm_store::objects::query::Query;
use pm_store::objects::record::{Draft, Record};
use pm_store::objects::write;
use pm_store::peeringdb::peers::{Lan, Port, lans, ports_of};
use serde::Serialize;

use crate::{Editor, systems};

/// What was done, or would be.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Imported {
    /// The network.
    pub asn: i64,
    /// Names of exchanges that were made.
    pub exchanges: Vec<String>,
    /// Connections that were made.
    pub connections: Vec<NewConnection>,
    /// How many ports had a connection already.
    pub present: usize,
    /// A sentence per port that was passed over.
    pub skipped: Vec<String>,
}

/// A connection that was made.
#[derive(Clone, Debug, Serialize)]
pub struct NewConnection {
    /// The exchange's name.
    pub exchange: String,
    /// PeeringDB's id of the port.
    pub netixlan: i64,
    /// Address with the length of the LAN's prefix.
    pub ipv6_address: Option<IpNet>,
    /// Address with the length of the LAN's prefix.
    pub ipv4_address: Option<IpNet>,
    /// Mbit/s.
    pub speed: Option<i64>,
}

/// Makes an exchange for each LAN on which our network has ports, and a connection for each port, unless they are there:
/// all in one transaction. Routers and interfaces are not known to PeeringDB and are left open.
///
/// # Errors
/// [`ObjectError::Question`] when it is not clear which network is ours; what the rules of the objects forbid.
pub async fn import(editor: &Editor, asn: Option<i64>, dry_run: bool) -> Result<Imported, ObjectError> {
    let mut transaction = editor.store.begin().await?;
    let mut session = transaction.session();
    let own = systems::own(&mut session, asn).await?;
    let asn = own.integer("asn").unwrap_or_default();
    let mut imported = Imported { asn, ..Imported::default() };
    let ports = ports_of(&mut session, asn, editor.now).await?;
    let ids: BTreeSet<i64> = ports.iter().map(|port| port.ixlan).collect();
    let lans = lans(&mut session, &ids.into_iter().collect::<Vec<_>>()).await?;
    let exchanges = Query::of(&internet_exchange::MODEL).list(&mut session).await?;
    let connections = Query::of(&connection::MODEL).list(&mut session).await?;
    let (present, mut wanted): (Vec<Port>, Vec<Port>) =
        ports.into_iter().partition(|port| connections.iter().any(|one| is_of(one, port)));
    imported.present = present.len();
    wanted.retain(|port| {
        let usable = port.ipv4.is_some() || port.ipv6.is_some();
        if !usable {
            imported.skipped.push(format!("netixlan {} has no address in PeeringDB", port.id));
        }
        usable
    });
    let mut numbers: HashMap<i64, (i64, String)> = exchanges
        .iter()
        // Another of our networks on the same LAN has an exchange of its own.
        .filter(|one| one.integer("local_autonomous_system") == Some(own.id))
        .filter_map(|one| Some((one.integer("peeringdb_ixlan")?, (one.id, one.text("name").to_owned()))))
        .collect();
    let mut drafts = Vec::new();
    for lan in &lans {
        if numbers.contains_key(&lan.id) || !wanted.iter().any(|port| port.ixlan == lan.id) {
            continue;
        }
        match new_exchange(lan, &lans, &exchanges, &own) {
            Ok(draft) => drafts.push(draft),
            Err(why) => imported.skipped.push(why),
        }
    }
    let writing = editor.writing(Rules { checked: true, ..editor.rules });
    for exchange in write::create(&mut session, writing, &drafts).await? {
        let name = exchange.text("name").to_owned();
        if let Some(lan) = exchange.integer("peeringdb_ixlan") {
            numbers.insert(lan, (exchange.id, name.clone()));
        }
        imported.exchanges.push(name);
    }
    let mut drafts = Vec::new();
    for port in &wanted {
        let lan = lans.iter().find(|lan| lan.id == port.ixlan);
        let (Some((exchange, name)), Some(lan)) = (numbers.get(&port.ixlan), lan) else {
            imported
                .skipped
                .push(format!("netixlan {}: its LAN {} has no exchange here", port.id, port.ixlan));
            continue;
        };
        let (ipv6, ipv4) = (within(port.ipv6, lan), within(port.ipv4, lan));
        drafts.push(
            Draft::new(&connection::MODEL)
                .with("internet_exchange_point", *exchange)
                .with("peeringdb_netixlan", port.id)
                .with("ipv6_address", ipv6)
                .with("ipv4_address", ipv4),
        );
        imported.connections.push(NewConnection {
            exchange: name.clone(),
            netixlan: port.id,
            ipv6_address: ipv6,
            ipv4_address: ipv4,
            speed: port.speed,
        });
    }
    write::create(&mut session, writing, &drafts).await?;
    if dry_run {
        transaction.rollback().await?;
    } else {
        transaction.commit().await?;
    }
    Ok(imported)
}

fn is_of(connection: &Record, port: &Port) -> bool {
    let same = |own: Option<IpAddr>, theirs: Option<IpAddr>| own.is_some() && own == theirs;
    connection.integer("peeringdb_netixlan") == Some(port.id)
        || same(connection.host("ipv4_address"), port.ipv4)
        || same(connection.host("ipv6_address"), port.ipv6)
}

/// The address with the length of the LAN's prefix that it lies in; a host, if there is none.
/// The exchange of this slug, name or number.
///
/// # Errors
/// [`ObjectError::Question`] when there is none, or when several have this name.
pub(crate) async fn exchange_named(session: &mut Session<'_>, name: &str) -> Result<Record, ObjectError> {
    let missing = || ObjectError::Question(format!("there is no Internet exchange {name}"));
    find_exchange(session, name).await?.ok_or_else(missing)
}

/// As [`exchange_named`], and `None` when there is none.
pub(crate) async fn find_exchange(
    session: &mut Session<'_>,
    name: &str,
) -> Result<Option<Record>, ObjectError> {
    let all = || Query::of(&internet_exchange::MODEL);
    let ways = [
        Some(all().filter("slug", name)),
        Some(all().filter("name__ie", name)),
        name.parse().ok().map(|id| all().ids(vec![id])),
    ];
    for query in ways.into_iter().flatten() {
        let mut found = query.list(session).await?;
        if found.len() > 1 {
            let count = found.len();
            let text = format!("{count} Internet exchanges are called {name}; name one by its slug");
            return Err(ObjectError::Question(text));
        }
        if let Some(exchange) = found.pop() {
            return Ok(Some(exchange));
        }
    }
    Ok(None)
}

fn within(address: Option<IpAddr>, lan: &Lan) -> Option<IpNet> {
    let address = address?;
    let length = lan.prefixes.iter().filter(|prefix| prefix.contains(&address)).map(IpNet::prefix_len).max();
    length.and_then(|length| IpNet::new(address, length).ok()).or_else(|| Some(IpNet::from(address)))
}

fn new_exchange(lan: &Lan, lans: &[Lan], exchanges: &[Record], own: &Record) -> Result<Draft, String> {
    // Two LANs of one exchange are two exchanges here.
    let several = lans.iter().filter(|other| other.ix_id == lan.ix_id).count() > 1;
    let name = match (several, lan.name.as_str()) {
        (false, _) => lan.ix.clone(),
        (true, "") => format!("{} {}", lan.ix, lan.id),
        (true, part) => format!("{} {part}", lan.ix),
    };
    let called = |name: &str| exchanges.iter().find(|exchange| exchange.text("name") == name);
    let mut name: String = name.chars().take(85).collect();
    if called(&name).is_some_and(|other| other.integer("peeringdb_ixlan") == Some(lan.id)) {
        name = format!("{name} AS{}", own.integer("asn").unwrap_or_default());
    }
    if let Some(other) = called(&name) {
        return Err(format!(
            "there is an Internet exchange {name} ({}) that is not linked with LAN {}: set its peeringdb_ixlan, or give it \
             another name",
            other.text("slug"),
            lan.id
        ));
    }
    Ok(Draft::new(&internet_exchange::MODEL)
        .with("slug", slug(&name, lan.ix_id))
        .with("name", name)
        .with("local_autonomous_system", own.id)
        .with("peeringdb_ixlan", lan.id))
}

/// Name and id in ASCII letters, digits and hyphens.
fn slug(name: &str, id: i64) -> String {
    let mut slug = String::new();
    for letter in format!("{name} {id}").chars() {
        if letter.is_ascii_alphanumeric() || letter == '_' {
            slug.push(letter.to_ascii_lowercase());
        } else if (letter == '-' || letter.is_whitespace()) && !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    if slug.len() > 100 { id.to_string() } else { slug }
}
