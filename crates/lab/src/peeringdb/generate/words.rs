//! Where invented names, places and prose come from. Everything but the cities is made up.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// A city as facilities and exchanges state it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) city: &'static str,
    pub(super) country: &'static str,
    pub(super) state: &'static str,
    pub(super) region: &'static str,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

const fn place(
    city: &'static str,
    country: &'static str,
    state: &'static str,
    region: &'static str,
    latitude: f64,
    longitude: f64,
) -> Place {
    Place { city, country, state, region, latitude, longitude }
}

pub(super) const PLACES: &[Place] = &[
    place("Amsterdam", "NL", "NH", "Europe", 52.37, 4.89),
    place("Frankfurt am Main", "DE", "HE", "Europe", 50.11, 8.68),
    place("London", "GB", "", "Europe", 51.51, -0.13),
    place("Paris", "FR", "", "Europe", 48.86, 2.35),
    place("Zürich", "CH", "ZH", "Europe", 47.37, 8.54),
    place("Wien", "AT", "", "Europe", 48.21, 16.37),
    place("Warszawa", "PL", "", "Europe", 52.23, 21.01),
    place("Kraków", "PL", "", "Europe", 50.06, 19.94),
    place("Київ", "UA", "", "Europe", 50.45, 30.52),
    place("Stockholm", "SE", "", "Europe", 59.33, 18.07),
    place("København", "DK", "", "Europe", 55.68, 12.57),
    place("Madrid", "ES", "", "Europe", 40.42, -3.7),
    place("Lisboa", "PT", "", "Europe", 38.72, -9.14),
    place("Milano", "IT", "MI", "Europe", 45.46, 9.19),
    place("București", "RO", "", "Europe", 44.43, 26.1),
    place("Ashburn", "US", "VA", "North America", 39.04, -77.49),
    place("New York", "US", "NY", "North America", 40.71, -74.01),
    place("Chicago", "US", "IL", "North America", 41.88, -87.63),
    place("Dallas", "US", "TX", "North America", 32.78, -96.8),
    place("Seattle", "US", "WA", "North America", 47.61, -122.33),
    place("San Jose", "US", "CA", "North America", 37.34, -121.89),
    place("Montréal", "CA", "QC", "North America", 45.5, -73.57),
    place("Toronto", "CA", "ON", "North America", 43.65, -79.38),
    place("Ciudad de México", "MX", "", "North America", 19.43, -99.13),
    place("São Paulo", "BR", "SP", "South America", -23.55, -46.63),
    place("Rio de Janeiro", "BR", "RJ", "South America", -22.91, -43.17),
    place("Bogotá", "CO", "", "South America", 4.71, -74.07),
    place("Buenos Aires", "AR", "", "South America", -34.6, -58.38),
    place("東京", "JP", "", "Asia Pacific", 35.68, 139.69),
    place("Osaka", "JP", "", "Asia Pacific", 34.69, 135.5),
    place("Singapore", "SG", "", "Asia Pacific", 1.35, 103.82),
    place("Hong Kong", "HK", "", "Asia Pacific", 22.32, 114.17),
    place("Jakarta", "ID", "", "Asia Pacific", -6.21, 106.85),
    place("Mumbai", "IN", "MH", "Asia Pacific", 19.08, 72.88),
    place("서울", "KR", "", "Asia Pacific", 37.57, 126.98),
    place("Sydney", "AU", "NSW", "Australia", -33.87, 151.21),
    place("Melbourne", "AU", "VIC", "Australia", -37.81, 144.96),
    place("Auckland", "NZ", "", "Australia", -36.85, 174.76),
    place("Dubai", "AE", "", "Middle East", 25.2, 55.27),
    place("تهران", "IR", "", "Middle East", 35.69, 51.39),
    place("Tel Aviv", "IL", "", "Middle East", 32.09, 34.78),
    place("Nairobi", "KE", "", "Africa", -1.29, 36.82),
    place("Johannesburg", "ZA", "GP", "Africa", -26.2, 28.05),
    place("Lagos", "NG", "", "Africa", 6.52, 3.38),
];

const HEADS: &[&str] = &[
    "Nor", "Bal", "Kel", "Tra", "Ves", "Mon", "Lum", "Ost", "Fer", "Quil", "Sar", "Dov", "Hel", "Ira",
    "Juno", "Pal", "Ren", "Tor", "Ula", "Wex", "Zan", "Bri", "Cor", "Elm", "Gra", "Hy", "Kor", "Mer",
];
const MIDDLES: &[&str] = &["", "", "da", "li", "ne", "ro", "ti", "va", "mi", "so", "be", "cu"];
const TAILS: &[&str] = &[
    "net", "tel", "com", "via", "link", "wave", "nox", "ria", "gard", "berg", "mar", "dyn", "sys", "con",
    "lan", "port",
];
const TRADES: &[&str] = &[
    "Networks",
    "Telecom",
    "Hosting",
    "Online",
    "Fiber",
    "Internet Services",
    "Cloud",
    "Datacenters",
    "Communications",
    "Broadband",
    "Wireless",
    "Interactive",
    "Research Network",
    "Holdings",
];
const FORMS: &[&str] =
    &["", "", "", "", " Ltd", " GmbH", " B.V.", " Inc.", " S.A.", " LLC", " AB", " Ltda", " s.r.o."];

/// Names as people outside ASCII write them; `{}` stands for the stem.
const ABROAD: &[&str] = &[
    "株式会社{}",
    "{}有限公司",
    "{} 네트웍스",
    "شبكة {}",
    "{} رایانه",
    "רשת {}",
    "ООО «{}»",
    "{} Österreich",
    "{} Télécom",
    "{} Comunicações",
    "Cœur {}",
    "{} İletişim",
    "{} 🚀",
    "{} — Łącza",
];

/// A pronounceable stem, such as `Kelvanox`.
pub(super) fn stem(rng: &mut StdRng) -> String {
    format!("{}{}{}", one(rng, HEADS), one(rng, MIDDLES), one(rng, TAILS))
}

/// A company's name around a stem; one in fifty is not in plain Latin letters.
pub(super) fn company(rng: &mut StdRng, stem: &str) -> String {
    if rng.random_ratio(1, 50) {
        one(rng, ABROAD).replace("{}", stem)
    } else {
        format!("{stem} {}{}", one(rng, TRADES), one(rng, FORMS))
    }
}

/// The ASCII part of a name in lower case, fit for a host name.
pub(super) fn host(name: &str) -> String {
    let host: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).take(24).collect();
    if host.is_empty() { "example".to_owned() } else { host }
}

pub(super) const FIRST_NAMES: &[&str] = &[
    "Ada", "Bjørn", "Chidi", "Dilnoza", "Emre", "Fatima", "Grzegorz", "Hanae", "Inês", "Jürgen", "Kwame",
    "Léa", "Mihai", "Nguyễn", "Olena", "Paulo", "Qiu", "Rahul", "Siobhán", "Tomáš", "علی", "美咲",
];

const SENTENCES: &[&str] = &[
    "Please send all peering requests by e-mail and include the exchanges you are present at.",
    "We peer with everyone at every location that we have in common.",
    "Sessions over the route servers are preferred below 1 Gbps of traffic.",
    "Set a maximum prefix limit as stated above and leave some room for growth.",
    "Our NOC answers around the clock; abuse complaints go to the abuse contact only.",
    "We announce more specific routes at some locations for reasons of traffic engineering.",
    "RPKI: we drop invalid routes on all sessions and sign all of our own prefixes.",
    "MD5 passwords are possible but not needed. BFD on request.",
    "A private interconnect needs a minimum of 5 Gbps at the ninety-fifth percentile.",
    "BGP communities:\r\n\r\n* `{asn}:100` learned from peers\r\n* `{asn}:200` learned from customers\r\n* `{asn}:666` blackhole",
    "Wir freuen uns über jede Anfrage — auch auf Deutsch.",
    "ピアリングのご希望はメールでご連絡ください。",
    "نرحب بطلبات الربط من جميع الشبكات.",
    "🌍 Anycast from all locations.",
];

/// `count` sentences, with `{asn}` filled in.
pub(super) fn prose(rng: &mut StdRng, count: usize, asn: u64) -> String {
    let chosen: Vec<&str> = (0..count).map(|_| one(rng, SENTENCES)).collect();
    chosen.join(" ").replace("{asn}", &asn.to_string())
}

/// One of the values. The lists here are constants and not empty.
pub(super) fn one<T: Copy + Default>(rng: &mut StdRng, values: &[T]) -> T {
    values.choose(rng).copied().unwrap_or_default()
}

/// One of the values, each as likely as its weight says.
pub(super) fn weighted<T: Copy + Default>(rng: &mut StdRng, values: &[(T, u32)]) -> T {
    let total: u32 = values.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.random_range(0..total.max(1));
    for (value, weight) in values {
        if left < *weight {
            return *value;
        }
        left -= weight;
    }
    T::default()
}
