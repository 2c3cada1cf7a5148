//! How Python prints values.

use std::fmt::Write as _;

use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::value::{Key, MacForm, Value};

/// A number with a point, as Python prints it.
pub(crate) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    if number == 0.0 {
        return if number.is_sign_negative() { "-0.0" } else { "0.0" }.into();
    }
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{number}");
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Whether Python prints the character as itself inside quotes.
fn printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    !(c.is_control()
        || (c.is_whitespace())
        || matches!(c, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0001}'..='\u{e007f}' | '\u{f0000}'..='\u{10ffff}'))
}

/// Text in quotes.
pub(crate) fn string(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if printable(c) => out.push(c),
            c => {
                let code = c as u32;
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
    out
}

/// A literal's text, for names of templates.
pub(crate) fn display_plain(value: &Value) -> String {
    match value {
        Value::Str(text) | Value::Markup(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => float(*number),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::None => "None".into(),
        _ => String::new(),
    }
}

pub(crate) fn mac(bytes: [u8; 6], form: MacForm) -> String {
    let hex: String = bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    });
    match form {
        MacForm::Bare => hex.to_uppercase(),
        MacForm::Cisco => format!("{}.{}.{}", &hex[..4], &hex[4..8], &hex[8..]),
        MacForm::Unix | MacForm::Stored => {
            let parts: Vec<&str> = (0..6).map(|at| &hex[2 * at..2 * at + 2]).collect();
            parts.join(":")
        }
    }
}

pub(crate) fn time(at: &chrono::DateTime<chrono::FixedOffset>) -> String {
    let micros = at.timestamp_subsec_micros();
    let base = at.format("%Y-%m-%d %H:%M:%S");
    let zone = at.format("%:z");
    if micros == 0 { format!("{base}{zone}") } else { format!("{base}.{micros:06}{zone}") }
}

impl Cx {
    /// `str(value)`.
    pub(crate) fn text(&self, value: &Value) -> Res<String> {
        let mut out = String::new();
        self.write_text(value, &mut out)?;
        self.burn(out.len() as u64 / 16)?;
        Ok(out)
    }

    pub(crate) fn write_text(&self, value: &Value, out: &mut String) -> Res<()> {
        match value {
            Value::Str(text) | Value::Markup(text) => out.push_str(text),
            Value::Undefined(missing) => {
                if self.strict() && missing.reason == crate::value::Reason::Name {
                    return Err(Fault::undefined(missing.message.clone()));
                }
                if missing.reason == crate::value::Reason::Name {
                    self.warn(format!("{}, and nothing is printed for it", missing.message));
                }
            }
            Value::Int(number) => {
                let _ = write!(out, "{number}");
            }
            Value::Address(address) => {
                let _ = write!(out, "{}", crate::address::Host(*address));
            }
            Value::Interface(interface) => {
                let _ = write!(out, "{interface}");
            }
            Value::Network(network) => {
                let _ = write!(out, "{network}");
            }
            Value::Mac(bytes, form) => {
                let text = mac(*bytes, form.get());
                out.push_str(&if form.get() == MacForm::Stored { text } else { text.to_uppercase() });
            }
            Value::Time(at) => out.push_str(&time(at)),
            Value::Record(row) => out.push_str(&self.display(*row)?),
            Value::Module(module) => out.push_str(&module.text),
            _ => self.write_repr(value, out, 0)?,
        }
        Ok(())
    }

    /// `repr(value)`.
    pub(crate) fn repr(&self, value: &Value) -> Res<String> {
        let mut out = String::new();
        self.write_repr(value, &mut out, 0)?;
        self.burn(out.len() as u64 / 16)?;
        Ok(out)
    }

    fn write_items(&self, items: &[Value], out: &mut String, depth: usize) -> Res<()> {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            self.write_repr(item, out, depth + 1)?;
        }
        self.guard_output(out.len())
    }

    #[expect(clippy::too_many_lines, reason = "one arm per type")]
    fn write_repr(&self, value: &Value, out: &mut String, depth: usize) -> Res<()> {
        if depth > 40 {
            out.push_str("...");
            return Ok(());
        }
        self.burn(1)?;
        match value {
            Value::None => out.push_str("None"),
            Value::Bool(flag) => out.push_str(if *flag { "True" } else { "False" }),
            Value::Float(number) => out.push_str(&float(*number)),
            Value::Str(text) => out.push_str(&string(text)),
            Value::Markup(text) => {
                let _ = write!(out, "Markup({})", string(text));
            }
            Value::List(items) => {
                out.push('[');
                let items = items.borrow().clone();
                self.write_items(&items, out, depth)?;
                out.push(']');
            }
            Value::Prefixes(_) => {
                out.push('[');
                let items = self.items(value)?;
                self.write_items(&items, out, depth)?;
                out.push(']');
            }
            Value::Tuple(items) => {
                out.push('(');
                self.write_items(items, out, depth)?;
                if items.len() == 1 {
                    out.push(',');
                }
                out.push(')');
            }
            Value::Dict(items) => {
                let items = items.borrow().clone();
                self.write_pairs(&items, out, depth)?;
            }
            Value::Prefix(list, at) => self.write_pairs(&crate::prefixes::entry(list, *at), out, depth)?,
            Value::Range(start, end, step) => {
                let _ = if *step == 1 {
                    write!(out, "range({start}, {end})")
                } else {
                    write!(out, "range({start}, {end}, {step})")
                };
            }
            Value::Record(row) => {
                let _ = write!(out, "<{}: {}>", self.world.model(row.model).class, self.display(*row)?);
            }
            Value::Query(query) => {
                out.push_str("<QuerySet [");
                let items = query.items(self)?;
                self.write_items(&items[..items.len().min(20)], out, depth)?;
                if items.len() > 20 {
                    out.push_str(", '...(remaining elements truncated)...'");
                }
                out.push_str("]>");
            }
            Value::Manager(manager) => {
                let model = self.world.model(manager.query.model);
                let app = model.name.split('.').next().unwrap_or_default();
                let _ = write!(out, "{app}.{}.None", model.class);
            }
            Value::Address(address) => {
                let version = crate::address::version(*address);
                let _ = write!(out, "IPv{version}Address('{}')", crate::address::Host(*address));
            }
            Value::Interface(interface) => {
                let version = crate::address::version(interface.address);
                let _ = write!(out, "IPv{version}Interface('{interface}')");
            }
            Value::Network(network) => {
                let version = crate::address::version(network.address);
                let _ = write!(out, "IPv{version}Network('{network}')");
            }
            Value::Mac(..) => {
                let _ = write!(out, "EUI('{}')", self.text(value)?);
            }
            Value::Time(at) => out.push_str(&crate::datetime::repr(at)),
            Value::Undefined(_) => out.push_str("Undefined"),
            Value::Namespace(items) => {
                let pairs: crate::value::Dict =
                    items.borrow().iter().map(|(k, v)| (Key(Value::Str(k.clone())), v.clone())).collect();
                out.push_str("<Namespace ");
                self.write_pairs(&pairs, out, depth)?;
                out.push('>');
            }
            Value::Macro(found) => {
                let _ =
                    write!(out, "<Macro {}>", found.def.name.as_deref().map_or("anonymous".into(), string));
            }
            Value::Module(module) => {
                let _ = write!(out, "<TemplateModule '{}'>", module.name);
            }
            Value::Loop(found) => {
                let _ = write!(out, "<LoopContext {}/{}>", found.at.get() + 1, found.items.len());
            }
            Value::Function(name) => {
                let _ = write!(out, "<function {name}>");
            }
            Value::Method(method) => {
                let _ = write!(out, "<bound method {}>", method.1);
            }
            Value::Iter(_, kind) => {
                let _ = write!(out, "<{kind} object>");
            }
            Value::Blocks => out.push_str("<TemplateReference>"),
            Value::Block(name, _) => {
                let _ = write!(out, "<BlockReference {name}>");
            }
            Value::Cycler(_) => out.push_str("<Cycler>"),
            Value::Joiner(_) => out.push_str("<Joiner>"),
            Value::Slice(_) => out.push_str("slice"),
            Value::Int(_) => self.write_text(value, out)?,
        }
        Ok(())
    }

    fn write_pairs(&self, items: &crate::value::Dict, out: &mut String, depth: usize) -> Res<()> {
        out.push('{');
        for (at, (key, item)) in items.iter().enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            self.write_repr(&key.0, out, depth + 1)?;
            out.push_str(": ");
            self.write_repr(item, out, depth + 1)?;
        }
        out.push('}');
        self.guard_output(out.len())
    }
}

/// The name of a value's type, as messages give it.
pub(crate) fn type_name(cx: &Cx, value: &Value) -> String {
    match value {
        Value::Undefined(_) => "Undefined",
        Value::None => "NoneType",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Str(_) => "str",
        Value::Markup(_) => "Markup",
        Value::List(_) | Value::Prefixes(_) => "list",
        Value::Tuple(_) => "tuple",
        Value::Dict(_) | Value::Prefix(..) => "dict",
        Value::Range(..) => "range",
        Value::Record(row) => return cx.world.model(row.model).class.to_string(),
        Value::Query(_) => "QuerySet",
        Value::Manager(manager) => manager.kind.class(),
        Value::Address(address) => return format!("IPv{}Address", crate::address::version(*address)),
        Value::Interface(interface) => {
            return format!("IPv{}Interface", crate::address::version(interface.address));
        }
        Value::Network(network) => return format!("IPv{}Network", crate::address::version(network.address)),
        Value::Mac(..) => "EUI",
        Value::Time(_) => "datetime",
        Value::Iter(_, kind) => kind,
        Value::Namespace(_) => "Namespace",
        Value::Macro(_) => "Macro",
        Value::Module(_) => "TemplateModule",
        Value::Function(_) => "function",
        Value::Method(_) => "method",
        Value::Loop(_) => "LoopContext",
        Value::Blocks => "TemplateReference",
        Value::Block(..) => "BlockReference",
        Value::Cycler(_) => "Cycler",
        Value::Joiner(_) => "Joiner",
        Value::Slice(_) => "slice",
    }
    .to_owned()
}

/// How Jinja2 names an object that lacks something.
pub(crate) fn object_name(cx: &Cx, value: &Value) -> String {
    let name = type_name(cx, value);
    let module = match value {
        Value::None => return "None".into(),
        Value::Record(row) => cx.world.model(row.model).module.to_string(),
        Value::Query(_) => "django.db.models.query".into(),
        Value::Manager(_) => "django.db.models.fields.related_descriptors".into(),
        Value::Address(_) | Value::Interface(_) | Value::Network(_) => "ipaddress".into(),
        Value::Mac(..) => "netaddr.eui".into(),
        Value::Time(_) => "datetime".into(),
        Value::Namespace(_) | Value::Cycler(_) | Value::Joiner(_) => "jinja2.utils".into(),
        Value::Markup(_) => "markupsafe".into(),
        Value::Macro(_) | Value::Loop(_) | Value::Blocks | Value::Block(..) | Value::Undefined(_) => {
            "jinja2.runtime".into()
        }
        Value::Module(_) => "jinja2.environment".into(),
        _ => return format!("{name} object"),
    };
    format!("{module}.{name} object")
}
