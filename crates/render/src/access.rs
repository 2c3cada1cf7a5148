//! Attributes and methods of values, as far as templates may reach them.

use std::rc::Rc;

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::repr::type_name;
use crate::value::{Key, Loop, Value};

const LIST_METHODS: &[&str] =
    &["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];
const DICT_METHODS: &[&str] =
    &["clear", "copy", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"];
const QUERY_METHODS: &[&str] = &[
    "all",
    "filter",
    "exclude",
    "get",
    "first",
    "last",
    "count",
    "exists",
    "none",
    "order_by",
    "reverse",
    "distinct",
    "contains",
    "union",
    "values",
    "values_list",
    "iterator",
    "select_related",
    "prefetch_related",
    "defer",
    "only",
    "using",
];
/// Methods that change the database: there, and never to be called.
const QUERY_WRITES: &[&str] = &[
    "update",
    "delete",
    "create",
    "bulk_create",
    "bulk_update",
    "get_or_create",
    "update_or_create",
    "add",
    "remove",
    "set",
    "clear",
];
const TIME_METHODS: &[&str] =
    &["strftime", "isoformat", "date", "time", "timestamp", "weekday", "isoweekday", "replace"];

impl Cx {
    /// Whether `name` is a method, so that calling it need not make a value of it first.
    pub(crate) fn is_method(&self, value: &Value, name: &str) -> bool {
        match value {
            Value::Str(_) | Value::Markup(_) => crate::strings::METHODS.contains(&name),
            Value::List(_) | Value::Prefixes(_) => LIST_METHODS.contains(&name),
            Value::Dict(_) | Value::Prefix(..) => DICT_METHODS.contains(&name),
            Value::Tuple(_) => matches!(name, "count" | "index"),
            Value::Query(_) => QUERY_METHODS.contains(&name) || QUERY_WRITES.contains(&name),
            Value::Manager(manager) => {
                QUERY_METHODS.contains(&name)
                    || QUERY_WRITES.contains(&name)
                    || (manager.kind == crate::queryset::ManagerKind::Tags
                        && matches!(name, "names" | "slugs"))
            }
            Value::Record(row) => crate::objects::is_method(self, *row, name),
            Value::Loop(_) => matches!(name, "cycle" | "changed"),
            Value::Cycler(_) => matches!(name, "next" | "reset"),
            Value::Time(_) => TIME_METHODS.contains(&name),
            Value::Network(_) => matches!(name, "hosts" | "subnets" | "supernet" | "overlaps" | "subnet_of"),
            Value::Int(_) => matches!(name, "bit_length"),
            Value::Float(_) => matches!(name, "is_integer"),
            _ => false,
        }
    }

    /// `getattr(value, name)`; `None` where Python raises `AttributeError`.
    pub(crate) fn attribute(&self, value: &Value, name: &str) -> Res<Option<Value>> {
        if self.is_method(value, name) {
            return Ok(Some(Value::Method(Rc::new((value.clone(), name.into())))));
        }
        Ok(match value {
            Value::Record(row) => crate::objects::attribute(self, *row, name)?,
            Value::Namespace(items) => items.borrow().get(name).cloned(),
            // What `groupby` gives.
            Value::Tuple(pair) if pair.len() == 2 && matches!(pair[1], Value::List(_)) => match name {
                "grouper" => Some(pair[0].clone()),
                "list" => Some(pair[1].clone()),
                _ => None,
            },
            Value::Address(_) | Value::Interface(_) | Value::Network(_) => address_attribute(value, name),
            Value::Loop(state) => loop_attribute(state, name),
            Value::Time(at) => time_attribute(at, name),
            Value::Macro(found) => {
                let def = &found.def;
                Some(match name {
                    "name" => def.name.as_deref().map_or(Value::None, Value::str),
                    "arguments" => Value::Tuple(def.args.iter().map(|arg| Value::str(arg)).collect()),
                    "catch_varargs" => Value::Bool(def.uses_varargs),
                    "catch_kwargs" => Value::Bool(def.uses_kwargs),
                    "caller" => Value::Bool(def.uses_caller),
                    _ => return Ok(None),
                })
            }
            Value::Module(module) => module.scope.own(name),
            Value::Blocks => {
                let known = self.blocks.borrow().get_key_value(name).map(|(name, _)| name.clone());
                known.map(|name| Value::Block(name, 0))
            }
            Value::Block(block, level) if name == "super" => Some(Value::Block(block.clone(), level + 1)),
            Value::Cycler(cycler) => match name {
                "current" => cycler.0.get(cycler.1.get()).cloned(),
                "items" => Some(Value::Tuple(cycler.0.clone().into())),
                "pos" => Some(Value::int(cycler.1.get())),
                _ => None,
            },
            Value::Int(_) | Value::Bool(_) => match name {
                "real" | "numerator" => value.as_int().map(Value::Int),
                "imag" => Some(Value::Int(0)),
                "denominator" => Some(Value::Int(1)),
                _ => None,
            },
            Value::Float(number) => match name {
                "real" => Some(Value::Float(*number)),
                "imag" => Some(Value::Float(0.0)),
                _ => None,
            },
            Value::Query(query) if name == "ordered" => Some(Value::Bool(query.ordered)),
            Value::Range(start, end, step) => match name {
                "start" => Some(Value::Int(*start)),
                "stop" => Some(Value::Int(*end)),
                "step" => Some(Value::Int(*step)),
                _ => None,
            },
            _ => None,
        })
    }

    pub(crate) fn call_method(&self, value: &Value, name: &str, args: Args) -> Res<Value> {
        let made = self.method_result(value, name, args)?;
        self.paid(made)
    }

    fn method_result(&self, value: &Value, name: &str, args: Args) -> Res<Value> {
        match value {
            Value::Str(text) | Value::Markup(text) => crate::strings::call(self, text, name, args),
            Value::List(items) => crate::containers::list(self, items, name, args),
            Value::Prefixes(_) => {
                let items = Rc::new(std::cell::RefCell::new(self.items(value)?));
                crate::containers::list(self, &items, name, args)
            }
            Value::Tuple(items) => {
                let items = Rc::new(std::cell::RefCell::new(items.to_vec()));
                crate::containers::list(self, &items, name, args)
            }
            Value::Dict(items) => crate::containers::dict(self, items, name, args),
            Value::Prefix(list, at) => {
                let items = Rc::new(std::cell::RefCell::new(crate::prefixes::entry(list, *at)));
                crate::containers::dict(self, &items, name, args)
            }
            Value::Query(query) => self.query_method(query, value, name, &args),
            Value::Manager(manager) => self.query_method(&manager.query, value, name, &args),
            Value::Record(row) => crate::objects::call(self, *row, name, args),
            Value::Loop(state) if name == "cycle" => {
                if args.pos.is_empty() {
                    return Err(Fault::type_error("no items for cycling given"));
                }
                Ok(args.pos[state.at.get() % args.pos.len()].clone())
            }
            Value::Loop(state) => {
                let same = match &*state.changed.borrow() {
                    Some(last) => self.equal_items(last, &args.pos)?,
                    None => false,
                };
                state.changed.replace(Some(args.pos));
                Ok(Value::Bool(!same))
            }
            Value::Cycler(cycler) => {
                let at = cycler.1.get();
                if name == "reset" {
                    cycler.1.set(0);
                    return Ok(Value::None);
                }
                cycler.1.set((at + 1) % cycler.0.len());
                Ok(cycler.0[at].clone())
            }
            Value::Time(at) => time_method(self, at, name, &args),
            Value::Network(network) => network_method(self, *network, name, &args),
            Value::Int(number) => Ok(Value::Int((128 - number.unsigned_abs().leading_zeros()).into())),
            Value::Float(number) => Ok(Value::Bool(number.fract() == 0.0)),
            other => Err(Fault::attribute(format!(
                "'{}' object has no attribute '{name}'",
                type_name(self, other)
            ))),
        }
    }

    fn query_method(
        &self,
        query: &crate::queryset::QuerySet,
        value: &Value,
        name: &str,
        args: &Args,
    ) -> Res<Value> {
        if QUERY_WRITES.contains(&name) {
            return Err(Fault::security(format!(
                "<bound method {} of {}> is not safely callable",
                self.bound_name(value, name),
                self.bound_to(value)?
            )));
        }
        match query.call(self, name, &args.pos, &args.kw)? {
            Some(found) => Ok(found),
            None => Err(Fault::attribute(format!("'QuerySet' object has no attribute '{name}'"))),
        }
    }

    fn bound_name(&self, value: &Value, name: &str) -> String {
        match value {
            Value::Manager(_) => {
                let class = type_name(self, value);
                format!("create_forward_many_to_many_manager.<locals>.{class}.{name}")
            }
            _ => format!("QuerySet.{name}"),
        }
    }

    fn bound_to(&self, value: &Value) -> Res<String> {
        match value {
            Value::Manager(_) => {
                let class = type_name(self, value);
                let path = "django.db.models.fields.related_descriptors.create_forward_many_to_many_manager";
                Ok(format!("<{path}.<locals>.{class} object at 0x<address>>"))
            }
            _ => self.repr(value),
        }
    }
}

fn address_attribute(value: &Value, name: &str) -> Option<Value> {
    let (address, length, network) = match value {
        Value::Address(address) => (*address, crate::address::width(*address), None),
        Value::Interface(interface) => (interface.address, interface.length, Some(interface.network())),
        Value::Network(network) => (network.address, network.length, Some(*network)),
        _ => return None,
    };
    let v4 = address.is_ipv4();
    let bits = crate::address::bits(address);
    let mask = crate::address::mask(length, v4);
    let host = if v4 { u128::from(u32::MAX) & !mask } else { !mask };
    let at = |bits: u128| Value::Address(crate::address::from_bits(bits, v4));
    let exploded = |address: std::net::IpAddr| match address {
        std::net::IpAddr::V4(v4) => v4.to_string(),
        std::net::IpAddr::V6(v6) => {
            v6.segments().iter().map(|part| format!("{part:04x}")).collect::<Vec<_>>().join(":")
        }
    };
    let is_address = matches!(value, Value::Address(_));
    Some(match name {
        "version" => Value::Int(crate::address::version(address).into()),
        "max_prefixlen" => Value::Int(crate::address::width(address).into()),
        "compressed" if is_address => Value::str(&crate::address::Host(address).to_string()),
        "compressed" => Value::str(&format!("{}/{length}", crate::address::Host(address))),
        "exploded" if is_address => Value::str(&exploded(address)),
        "exploded" => Value::str(&format!("{}/{length}", exploded(address))),
        "is_multicast" => Value::Bool(address.is_multicast()),
        "is_loopback" => Value::Bool(address.is_loopback()),
        "is_unspecified" => Value::Bool(address.is_unspecified()),
        "is_link_local" => Value::Bool(match address {
            std::net::IpAddr::V4(v4) => v4.is_link_local(),
            std::net::IpAddr::V6(v6) => (v6.segments()[0] & 0xffc0) == 0xfe80,
        }),
        "is_private" => Value::Bool(is_private(address)),
        "is_global" => Value::Bool(!is_private(address)),
        "reverse_pointer" => Value::str(&reverse_pointer(address)),
        "ip" if matches!(value, Value::Interface(_)) => Value::Address(address),
        "network" if matches!(value, Value::Interface(_)) => Value::Network(network?),
        "with_prefixlen" if !is_address => Value::str(&format!("{}/{length}", crate::address::Host(address))),
        "with_netmask" if !is_address => {
            let mask = crate::address::from_bits(mask, v4);
            Value::str(&format!("{}/{}", crate::address::Host(address), crate::address::Host(mask)))
        }
        "with_hostmask" if !is_address => {
            let mask = crate::address::from_bits(host, v4);
            Value::str(&format!("{}/{}", crate::address::Host(address), crate::address::Host(mask)))
        }
        "netmask" if !is_address => at(mask),
        "hostmask" if !is_address => at(host),
        "prefixlen" if matches!(value, Value::Network(_)) => Value::Int(length.into()),
        "network_address" if matches!(value, Value::Network(_)) => Value::Address(address),
        "broadcast_address" if matches!(value, Value::Network(_)) => at(bits | host),
        "num_addresses" if matches!(value, Value::Network(_)) => {
            Value::Int(i128::try_from(host).ok()?.checked_add(1)?)
        }
        _ => return None,
    })
}

fn is_private(address: std::net::IpAddr) -> bool {
    const BLOCKS: &[&str] = &[
        "0.0.0.0/8",
        "10.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/29",
        "192.0.0.170/31",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        "255.255.255.255/32",
        "::1/128",
        "::/128",
        "::ffff:0:0/96",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "fc00::/7",
        "fe80::/10",
    ];
    BLOCKS
        .iter()
        .filter_map(|block| crate::address::Interface::parse(block))
        .any(|b| b.network().contains(address))
}

fn reverse_pointer(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        std::net::IpAddr::V6(v6) => {
            let hex: String = format!("{:032x}", u128::from(v6));
            let digits: Vec<String> = hex.chars().rev().map(String::from).collect();
            format!("{}.ip6.arpa", digits.join("."))
        }
    }
}

fn network_method(cx: &Cx, network: crate::address::Network, name: &str, args: &Args) -> Res<Value> {
    let other = match args.pos.first() {
        Some(Value::Network(other)) => Some(*other),
        _ => None,
    };
    Ok(match (name, other) {
        ("hosts", _) => {
            let mut items = cx.items(&Value::Network(network))?;
            if items.len() > 2 {
                items.remove(0);
                if network.address.is_ipv4() {
                    items.pop();
                }
            }
            Value::iter(items)
        }
        ("overlaps", Some(other)) => {
            Value::Bool(network.contains(other.address) || other.contains(network.address))
        }
        ("subnet_of", Some(other)) => {
            Value::Bool(other.contains(network.address) && network.length >= other.length)
        }
        _ => return Err(Fault::runtime(format!("`{name}` of a network is not supported"))),
    })
}

fn loop_attribute(state: &Rc<Loop>, name: &str) -> Option<Value> {
    let (at, length) = (state.at.get(), state.items.len());
    let or_none = |found: Option<&Value>, what: &str| {
        Some(found.cloned().unwrap_or_else(|| Value::undefined(format!("there is no {what} item"))))
    };
    Some(match name {
        "index" => Value::int(at + 1),
        "index0" => Value::int(at),
        "revindex" => Value::int(length - at),
        "revindex0" => Value::int(length - at - 1),
        "first" => Value::Bool(at == 0),
        "last" => Value::Bool(at + 1 == length),
        "length" => Value::int(length),
        "depth" => Value::int(state.depth + 1),
        "depth0" => Value::int(state.depth),
        "previtem" => return or_none(at.checked_sub(1).and_then(|at| state.items.get(at)), "previous"),
        "nextitem" => return or_none(state.items.get(at + 1), "next"),
        _ => return None,
    })
}

fn time_attribute(at: &chrono::DateTime<chrono::FixedOffset>, name: &str) -> Option<Value> {
    use chrono::{Datelike as _, Timelike as _};
    Some(Value::Int(match name {
        "year" => at.year().into(),
        "month" => at.month().into(),
        "day" => at.day().into(),
        "hour" => at.hour().into(),
        "minute" => at.minute().into(),
        "second" => at.second().into(),
        "microsecond" => at.timestamp_subsec_micros().into(),
        "tzinfo" => return Some(Value::str("UTC")),
        _ => return None,
    }))
}

fn time_method(cx: &Cx, at: &chrono::DateTime<chrono::FixedOffset>, name: &str, args: &Args) -> Res<Value> {
    use chrono::Datelike as _;
    Ok(match name {
        "strftime" => {
            let format = match args.pos.first().or_else(|| args.kw("format")) {
                Some(format) => cx.text(format)?,
                None => {
                    return Err(Fault::type_error("strftime() missing required argument 'format' (pos 1)"));
                }
            };
            Value::str(&crate::datetime::strftime(at, &format, "UTC"))
        }
        "isoformat" => {
            let text = crate::datetime::iso(at);
            match args.pos.first().or_else(|| args.kw("sep")) {
                Some(sep) => Value::str(&text.replacen('T', &cx.text(sep)?, 1)),
                None => Value::str(&text),
            }
        }
        "date" => Value::str(&at.format("%Y-%m-%d").to_string()),
        "time" => Value::str(&at.format("%H:%M:%S").to_string()),
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are small")]
        "timestamp" => Value::Float(at.timestamp_micros() as f64 / 1e6),
        "weekday" => Value::Int(at.weekday().num_days_from_monday().into()),
        "isoweekday" => Value::Int(at.weekday().number_from_monday().into()),
        _ => {
            let _ = Key::str(name);
            return Err(Fault::runtime(format!("`{name}` of a time is not supported")));
        }
    })
}
