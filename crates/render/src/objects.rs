//! Objects of the world as templates see them: fields, relations, properties and methods.
//!
//! Only what stands here can be reached. Names that change something are known, so that a template that tests for them
//! behaves as before, but calling them is refused.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use crate::args::Args;
use crate::context::Cx;
use crate::environment::MissingPrefixes;
use crate::error::{Fault, Res};
use crate::model::Kind;
use crate::queryset::{Manager, ManagerKind, QuerySet};
use crate::value::{Dict, Key, MacForm, Prefixes, Value};
use crate::world::{Data, Lazy, PrefixList, PrefixLists, Row, Unavailable};

const WRITES: &[&str] = &[
    "save",
    "delete",
    "full_clean",
    "clean",
    "refresh_from_db",
    "snapshot",
    "to_objectchange",
    "poll",
    "poll_bgp_sessions",
    "import_sessions",
    "link_to_peeringdb",
    "synchronise_with_peeringdb",
    "update_data_from_irr",
    "render_configuration",
];

fn short(cx: &Cx, row: Row) -> &'static str {
    &cx.world.model(row.model).name
}

/// Methods of a model, besides those all have.
pub(crate) fn methods(model: &str) -> &'static [&'static str] {
    match model {
        "peering.autonomoussystem" => crate::methods::AUTONOMOUS_SYSTEM,
        "peering.bgpgroup" => crate::methods::GROUP,
        "peering.internetexchange" => crate::methods::EXCHANGE,
        "peering.directpeeringsession" | "peering.internetexchangepeeringsession" => crate::methods::SESSION,
        "devices.router" => crate::methods::ROUTER,
        "devices.platform" => crate::methods::PLATFORM,
        _ => &[],
    }
}

fn display_field(name: &str) -> Option<&str> {
    name.strip_prefix("get_")?.strip_suffix("_display")
}

pub(crate) fn is_method(cx: &Cx, row: Row, name: &str) -> bool {
    is_method_of(cx.world.model(row.model), name)
}

/// Whether objects of this model have a method of that name.
pub(crate) fn is_method_of(model: &crate::model::Model, name: &str) -> bool {
    if methods(&model.name).contains(&name) || WRITES.contains(&name) {
        return true;
    }
    if name == "get_absolute_url" {
        return model.url.is_some();
    }
    if name == "get_config_context" {
        return model.contextual;
    }
    display_field(name)
        .and_then(|field| model.field(field))
        .is_some_and(|field| !model.fields[field].choices.is_empty())
}

/// A field, relation or property. `None`: there is none of that name.
pub(crate) fn attribute(cx: &Cx, row: Row, name: &str) -> Res<Option<Value>> {
    let model = cx.world.model(row.model);
    if let Some(at) = model.field(name) {
        let field = &model.fields[at];
        let target = field.target.unwrap_or_default();
        return Ok(Some(match field.kind {
            Kind::ForeignKey => cx.world.target_at(row, at).map_or(Value::None, Value::Record),
            Kind::ManyToMany => {
                let kind = if name == "tags" { ManagerKind::Tags } else { ManagerKind::Many };
                manager(QuerySet::new(target, cx.world.many(row, at)), kind)
            }
            _ => cx.stored(row, at)?,
        }));
    }
    if matches!(name, "id" | "pk") {
        return Ok(Some(Value::Int(cx.world.id(row).into())));
    }
    if let Some(at) = name.strip_suffix("_id").and_then(|bare| model.field(bare))
        && let Data::Reference(id) = cx.world.value(row, at)
    {
        return Ok(Some(Value::Int((*id).into())));
    }
    if let Some(reverse) = model.reverse.iter().find(|reverse| *reverse.name == *name) {
        let rows = cx.world.referring(reverse.model, reverse.field, cx.world.id(row));
        return Ok(Some(manager(QuerySet::new(reverse.model, rows), ManagerKind::Reverse)));
    }
    let generic = |model: &str| {
        let set = QuerySet::new(cx.world.index(model), cx.world.hanging(model, row));
        manager(set, ManagerKind::Generic)
    };
    let owner = matches!(&*model.name, "peering.autonomoussystem" | "peering.internetexchange");
    Ok(match name {
        "config_contexts" if model.contextual => Some(generic("extras.configcontextassignment")),
        "contacts" if owner => Some(generic("messaging.contactassignment")),
        "journal_entries" if &*model.name == "peering.autonomoussystem" => {
            Some(generic("extras.journalentry"))
        }
        "config_context" if model.contextual => Some(cx.config_context(row)?),
        "docs_url" if model.contextual => {
            let path = model.name.replace('.', "/");
            Some(Value::str(&format!("/static/docs/models/{path}/")))
        }
        "object" | "assigned_object" => hung_on(cx, row),
        _ => crate::methods::property(cx, row, name)?,
    })
}

/// What a contact, context or journal entry is assigned to.
fn hung_on(cx: &Cx, row: Row) -> Option<Value> {
    let model = cx.world.model(row.model);
    let (kind, id) = [("content_type", "object_id"), ("assigned_object_type", "assigned_object_id")]
        .into_iter()
        .find(|(kind, _)| model.field(kind).is_some())?;
    let id = u64::try_from(cx.world.int(row, id)?).ok()?;
    let found = cx.world.find(cx.world.index(cx.world.text(row, kind)), id);
    Some(found.map_or(Value::None, Value::Record))
}

fn manager(query: QuerySet, kind: ManagerKind) -> Value {
    Value::Manager(Rc::new(Manager { query, kind }))
}

pub(crate) fn call(cx: &Cx, row: Row, name: &str, args: Args) -> Res<Value> {
    let model = cx.world.model(row.model);
    if WRITES.contains(&name) {
        let shown = cx.repr(&Value::Record(row))?;
        return Err(Fault::security(format!(
            "<bound method {}.{name} of {shown}> is not safely callable",
            model.class
        )));
    }
    if name == "get_absolute_url" {
        let url = model.url.as_deref().unwrap_or_default().replace("{}", &cx.world.id(row).to_string());
        return Ok(Value::str(&format!("/{}{}", cx.settings.base_path, url.trim_start_matches('/'))));
    }
    if name == "get_config_context" {
        return cx.config_context(row);
    }
    if let Some(at) = display_field(name).and_then(|field| model.field(field)) {
        let value = cx.stored(row, at)?;
        let text = cx.text(&value)?;
        let label = model.fields[at].choices.iter().find(|(known, _)| **known == *text);
        return Ok(label.map_or(value, |(_, label)| Value::str(label)));
    }
    crate::methods::call(cx, row, name, args)
}

/// JSON as a template's lists and dictionaries, with keys in the order in which the database gives them.
pub(crate) fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::None,
        serde_json::Value::Bool(flag) => Value::Bool(*flag),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number.into()),
            None => number
                .as_u64()
                .map_or_else(|| Value::Float(number.as_f64().unwrap_or(0.0)), |n| Value::Int(n.into())),
        },
        serde_json::Value::String(text) => Value::str(text),
        serde_json::Value::Array(items) => Value::list(items.iter().map(from_json).collect()),
        serde_json::Value::Object(pairs) => {
            let mut pairs: Vec<_> = pairs.iter().collect();
            pairs.sort_by(|(a, _), (b, _)| (a.len(), a.as_bytes()).cmp(&(b.len(), b.as_bytes())));
            Value::dict(pairs.into_iter().map(|(key, value)| (Key::str(key), from_json(value))).collect())
        }
    }
}

impl Cx {
    /// A stored value as a template's.
    pub(crate) fn stored(&self, row: Row, field: usize) -> Res<Value> {
        Ok(match self.world.value(row, field) {
            Data::Lazy(lazy) => return self.opened(row, field, &**lazy),
            Data::Null => Value::None,
            Data::Bool(flag) => Value::Bool(*flag),
            Data::Int(number) => Value::Int((*number).into()),
            Data::Float(number) => Value::Float(*number),
            Data::Text(text) => Value::Str(text.clone()),
            Data::Ip(address) => Value::Address(*address),
            Data::Interface(interface) => Value::Interface(*interface),
            Data::Network(network) => Value::Network(*network),
            Data::Mac(bytes) => {
                let mut forms = self.mac_forms.borrow_mut();
                let form = forms.entry((row, field)).or_insert_with(|| Rc::new(Cell::new(MacForm::Stored)));
                Value::Mac(*bytes, form.clone())
            }
            Data::Time(time) => Value::Time(time.fixed_offset()),
            Data::Reference(id) => Value::Int((*id).into()),
            Data::References(ids) => Value::list(ids.iter().map(|id| Value::Int((*id).into())).collect()),
            Data::Json(json) => {
                let mut documents = self.documents.borrow_mut();
                documents.entry((row, field)).or_insert_with(|| from_json(json)).clone()
            }
            Data::Prefixes(lists) => {
                if let Some(made) = self.documents.borrow().get(&(row, field)) {
                    return Ok(made.clone());
                }
                let both_missing =
                    matches!((&lists.ipv4, &lists.ipv6), (PrefixList::Missing(_), PrefixList::Missing(_)));
                let may_be_missing = self.settings.missing_prefixes == MissingPrefixes::Empty;
                let made = if both_missing && may_be_missing {
                    // What an autonomous system without lists has in the original.
                    Value::None
                } else {
                    self.both_lists(row, lists, may_be_missing)?
                };
                self.documents.borrow_mut().insert((row, field), made.clone());
                made
            }
        })
    }

    fn both_lists(&self, row: Row, lists: &PrefixLists, may_be_missing: bool) -> Res<Value> {
        let asn: Arc<str> = format!("AS{}", self.world.int(row, "asn").unwrap_or_default()).into();
        let mut pairs = Dict::new();
        for (key, family, list) in [("ipv4", "IPv4", &lists.ipv4), ("ipv6", "IPv6", &lists.ipv6)] {
            if let PrefixList::Known(source) = list {
                source
                    .check()
                    .map_err(|error| Fault::runtime(format!("the {family} prefix list of {asn}: {error}")))?;
            }
            let list = Prefixes::new((asn.clone(), family), list.clone(), may_be_missing);
            pairs.insert(Key::str(key), Value::Prefixes(list));
        }
        Ok(Value::dict(pairs))
    }

    /// The two prefix lists of an autonomous system, with a say about missing ones, if it has any.
    pub(crate) fn prefix_lists(&self, row: Row, allowing: Option<bool>) -> Res<Option<Value>> {
        let Data::Prefixes(lists) = self.world.get(row, "prefixes") else { return Ok(None) };
        let stored = self.stored_by_name(row, "prefixes")?;
        let Value::Dict(items) = &stored else {
            if allowing == Some(false) {
                return self.both_lists(row, lists, false).map(Some);
            }
            if let PrefixList::Missing(why) = &lists.ipv6 {
                let asn = self.world.int(row, "asn").unwrap_or_default();
                self.warn(format!("AS{asn} has no prefix lists and empty ones are used: {why}"));
            }
            return Ok(None);
        };
        let Some(allowing) = allowing else { return Ok(Some(stored)) };
        let with = |value: &Value| match value {
            Value::Prefixes(list) => Value::Prefixes(list.allowing(allowing)),
            other => other.clone(),
        };
        let pairs = items.borrow().iter().map(|(key, value)| (key.clone(), with(value))).collect();
        Ok(Some(Value::dict(pairs)))
    }

    /// A value that is made when it is asked for, once.
    fn opened(&self, row: Row, field: usize, lazy: &dyn Lazy) -> Res<Value> {
        if let Some(made) = self.documents.borrow().get(&(row, field)) {
            return Ok(made.clone());
        }
        let name = &self.world.model(row.model).fields[field].name;
        let made = lazy.open();
        if let Ok(made) = &made {
            self.secrets.borrow_mut().extend(lazy.secrets(made));
        }
        let made = match made {
            Ok(Data::Text(text)) => Value::Str(text),
            Ok(Data::Json(json)) => from_json(&json),
            Ok(_) => Value::None,
            Err(Unavailable::Missing(why)) => {
                let of = self.display(row)?;
                if self.settings.missing_prefixes == MissingPrefixes::Error {
                    return Err(Fault::new("MissingPrefixes", format!("{of} has no {name}: {why}")));
                }
                self.warn(format!("{of} has no {name} and an empty one is used: {why}"));
                Value::list(Vec::new())
            }
            Err(Unavailable::Broken(why)) => {
                return Err(Fault::runtime(format!("{name} of {}: {why}", self.display(row)?)));
            }
        };
        self.documents.borrow_mut().insert((row, field), made.clone());
        Ok(made)
    }

    pub(crate) fn stored_by_name(&self, row: Row, field: &str) -> Res<Value> {
        self.world.model(row.model).field(field).map_or(Ok(Value::None), |at| self.stored(row, at))
    }

    /// An object's string form.
    pub(crate) fn display(&self, row: Row) -> Res<String> {
        self.burn(1)?;
        let world = &self.world;
        let of = |field: &str| world.target(row, field);
        let shown = |field: &str, row: Option<Row>| match row {
            Some(row) => self.display(row),
            None => Ok(format!("no {field}")),
        };
        let system = |field: &str| of(field).and_then(|row| world.int(row, "asn")).unwrap_or(0);
        let address = || self.text(&self.stored_by_name(row, "ip_address")?);
        Ok(match short(self, row) {
            "peering.autonomoussystem" | "peeringdb.network" => {
                format!("AS{} - {}", world.int(row, "asn").unwrap_or(0), world.text(row, "name"))
            }
            "peering.directpeeringsession" => {
                let relationship = shown("relationship", of("relationship"))?;
                format!("{relationship} - AS{} - IP {}", system("autonomous_system"), address()?)
            }
            "peering.internetexchangepeeringsession" => {
                let exchange =
                    of("ixp_connection").and_then(|row| world.target(row, "internet_exchange_point"));
                let before = exchange.map_or(String::new(), |row| format!("{} - ", world.text(row, "name")));
                format!("{before}AS{} - IP {}", system("autonomous_system"), address()?)
            }
            crate::names::DELETED_SESSION => {
                format!("AS{} - IP {}", world.int(row, "remote_asn").unwrap_or(0), address()?)
            }
            "net.connection" => self.connection_name(row),
            "messaging.contactassignment" => shown("contact", of("contact"))?,
            "extras.configcontextassignment" => shown("config context", of("config_context"))?,
            "extras.journalentry" => {
                let created = match world.get(row, "created") {
                    Data::Time(time) => {
                        crate::datetime::now(*time, "%Y-%m-%d %H:%M", &self.settings.time_zone)?
                    }
                    _ => String::new(),
                };
                let kind = self.text(&call(self, row, "get_kind_display", Args::default())?)?;
                format!("{created} ({kind})")
            }
            "peeringdb.ixlan" => {
                let exchange = shown("exchange", of("ix"))?;
                let name = world.text(row, "name");
                if name.is_empty() { exchange } else { format!("{exchange} - {name}") }
            }
            "peeringdb.ixlanprefix" => {
                let prefix = self.text(&self.stored_by_name(row, "prefix")?)?;
                format!("{} - {prefix}", shown("LAN", of("ixlan"))?)
            }
            "peeringdb.networkcontact" => {
                let (name, email) = (world.text(row, "name"), world.text(row, "email"));
                if email.is_empty() { name.to_owned() } else { format!("{name} <{email}>") }
            }
            "peeringdb.networkfacility" => {
                format!("{} at {}", shown("network", of("net"))?, shown("facility", of("fac"))?)
            }
            "peeringdb.internetexchangefacility" => {
                format!("{} at {}", shown("exchange", of("ix"))?, shown("facility", of("fac"))?)
            }
            "peeringdb.networkixlan" => {
                format!("{} on {}", shown("network", of("net"))?, shown("LAN", of("ixlan"))?)
            }
            "peeringdb.hiddenpeer" => {
                let copy = |field: &str| self.text(&self.stored_by_name(row, field)?);
                let network = match of("peeringdb_network") {
                    Some(row) => self.display(row)?,
                    None => format!("Network ID {}", copy("peeringdb_network_id_copy")?),
                };
                let lan = match of("peeringdb_ixlan") {
                    Some(row) => self.display(row)?,
                    None => format!("IX LAN ID {}", copy("peeringdb_ixlan_id_copy")?),
                };
                format!("{network} hidden on {lan}")
            }
            _ => world.text(row, "name").to_owned(),
        })
    }

    pub(crate) fn connection_name(&self, row: Row) -> String {
        let world = &self.world;
        let name = |field: &str| world.target(row, field).map_or("", |row| world.text(row, "name"));
        let (exchange, router, interface) =
            (name("internet_exchange_point"), name("router"), world.text(row, "interface"));
        let mut out = exchange.to_owned();
        if !router.is_empty() {
            if !out.is_empty() {
                out.push_str(" on ");
            }
            out.push_str(router);
            if !interface.is_empty() {
                out.push(' ');
                out.push_str(interface);
            }
        }
        if out.is_empty() { format!("Connection #{}", world.id(row)) } else { out }
    }

    /// The config contexts of an object, merged, and its own data on top; none if there is nothing.
    pub(crate) fn config_context(&self, row: Row) -> Res<Value> {
        let own = self.stored_by_name(row, "local_context_data")?;
        let model = self.world.index("extras.configcontextassignment");
        let assigned = self.world.hanging("extras.configcontextassignment", row);
        let mut merged = Dict::new();
        for index in assigned {
            let Some(context) = self.world.target(Row { model, index: *index }, "config_context") else {
                continue;
            };
            if let Value::Dict(data) = &self.stored_by_name(context, "data")? {
                merged = self.merge(&merged, &data.borrow(), 0)?;
            }
        }
        let has_own = self.truth(&own)?;
        Ok(match (merged.is_empty(), has_own) {
            (true, false) => Value::None,
            (true, true) => own,
            (false, false) => Value::dict(merged),
            (false, true) => match &own {
                Value::Dict(own) => Value::dict(self.merge(&merged, &own.borrow(), 0)?),
                _ => Value::dict(merged),
            },
        })
    }

    /// `over` laid on `under`, by the settings.
    fn merge(&self, under: &Dict, over: &Dict, depth: usize) -> Res<Dict> {
        self.burn(over.len() as u64 + 1)?;
        if under.is_empty() || depth > 100 {
            return Ok(over.clone());
        }
        let mut out = under.clone();
        for (key, value) in over {
            let Some(lower) = under.get(key) else {
                out.insert(key.clone(), value.clone());
                continue;
            };
            let merged = match (lower, value) {
                (Value::Dict(lower), Value::Dict(upper)) if self.settings.recursive_merge => {
                    Value::dict(self.merge(&lower.borrow(), &upper.borrow(), depth + 1)?)
                }
                (Value::List(lower), Value::List(upper)) => {
                    let joined = self.settings.list_merge.join(self, &lower.borrow(), &upper.borrow())?;
                    joined.map_or_else(
                        |keep_lower| if keep_lower { Value::List(lower.clone()) } else { value.clone() },
                        Value::list,
                    )
                }
                _ => value.clone(),
            };
            out.insert(key.clone(), merged);
        }
        Ok(out)
    }
}
