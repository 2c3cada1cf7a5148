//! The way in: settings, limits, the templates there are, and what can be rendered.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::{DateTime, Utc};

use crate::check::{About, Finding};
use crate::context::Cx;
use crate::error::{Fault, Frame, Res, TemplateError};
use crate::parser::{Extensions, Flags};
use crate::queryset::QuerySet;
use crate::scope::Scope;
use crate::value::Value;
use crate::world::{Row, World};

/// How lists of config contexts are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListMerge {
    /// The higher weight wins.
    #[default]
    Replace,
    /// The lower weight wins.
    Keep,
    /// Higher behind lower.
    Append,
    /// Higher before lower.
    Prepend,
    /// As `Append`, without what the higher has too.
    AppendUnique,
    /// As `Prepend`, without what the higher has too.
    PrependUnique,
}

impl ListMerge {
    /// By the name the setting has: `replace`, `keep`, `append`, `prepend`, `append_rp`, `prepend_rp`.
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "replace" => Self::Replace,
            "keep" => Self::Keep,
            "append" => Self::Append,
            "prepend" => Self::Prepend,
            "append_rp" => Self::AppendUnique,
            "prepend_rp" => Self::PrependUnique,
            _ => return None,
        })
    }

    /// The joined list; an inner error tells that one list stands, and whether it is the lower.
    pub(crate) fn join(self, cx: &Cx, lower: &[Value], upper: &[Value]) -> Res<Result<Vec<Value>, bool>> {
        let kept = || -> Res<Vec<Value>> {
            let mut kept = Vec::new();
            for item in lower {
                if cx.position(upper, item)?.is_none() {
                    kept.push(item.clone());
                }
            }
            Ok(kept)
        };
        Ok(Ok(match self {
            Self::Replace => return Ok(Err(false)),
            Self::Keep => return Ok(Err(true)),
            Self::Append => lower.iter().chain(upper).cloned().collect(),
            Self::Prepend => upper.iter().chain(lower).cloned().collect(),
            Self::AppendUnique => kept()?.into_iter().chain(upper.iter().cloned()).collect(),
            Self::PrependUnique => upper.iter().cloned().chain(kept()?).collect(),
        }))
    }
}

/// What becomes of prefix lists that are used but missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingPrefixes {
    /// Using one is an error.
    #[default]
    Error,
    /// It is an empty list, and using it a warning.
    Empty,
}

/// What the filter `max_prefix` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MaxPrefix {
    /// The autonomous system's field as it is.
    #[default]
    Plain,
    /// A limit that is fit for a router.
    Guarded {
        /// Prefixes added to what came from `PeeringDB`.
        headroom: u32,
        /// Per cent added to the sum.
        percent: u32,
        /// Highest limit for what came from `PeeringDB`, and the limit where there is none: IPv4 and IPv6.
        ceilings: [u32; 2],
    },
}

/// Makes of a password the text that routers show, or the other way round, given the name of the notation, the text and
/// a key; `None` for what means nothing in that notation.
pub type PasswordForm = fn(&str, &str, &str) -> Option<String>;

/// What of the program's settings templates depend on.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Settings {
    /// IANA name of the zone of `now()`.
    pub time_zone: String,
    /// The tag `do`.
    pub do_tag: bool,
    /// The tags `break` and `continue`.
    pub loop_controls: bool,
    /// Whether config contexts are merged below their first level.
    pub recursive_merge: bool,
    /// What becomes of lists.
    pub list_merge: ListMerge,
    /// Whether a community's `kind` is worked out.
    pub validate_communities: bool,
    /// Names of IRR sources that are cut off AS-SETs.
    pub irr_sources: Vec<String>,
    /// Addresses to send copies of e-mails to, with a name or none.
    pub cc_contacts: Vec<(String, String)>,
    /// What paths of pages begin with, such as `peering/`.
    pub base_path: String,
    /// What becomes of prefix lists that are missing.
    pub missing_prefixes: MissingPrefixes,
    /// What the filter `max_prefix` gives.
    pub max_prefix: MaxPrefix,
    /// `encrypt_password` of platforms.
    pub encrypt_password: Option<PasswordForm>,
    /// `decrypt_password` of platforms.
    pub decrypt_password: Option<PasswordForm>,
}

impl Default for Settings {
    fn default() -> Self {
        let sources = "RPKI,RIPE,ARIN,APNIC,AFRINIC,LACNIC,RIPE-NONAUTH,RADB,ALTDB,NTTCOM,LEVEL3,TC";
        Self {
            time_zone: "UTC".into(),
            do_tag: false,
            loop_controls: false,
            recursive_merge: true,
            list_merge: ListMerge::Replace,
            validate_communities: true,
            irr_sources: sources.split(',').map(str::to_owned).collect(),
            cc_contacts: Vec::new(),
            base_path: String::new(),
            missing_prefixes: MissingPrefixes::Error,
            max_prefix: MaxPrefix::Plain,
            encrypt_password: None,
            decrypt_password: None,
        }
    }
}

/// How much a template may do.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Steps: statements, expressions, items.
    pub fuel: u64,
    /// Bytes of output, and of any one text. Of texts and lists in all, twice as much may be made, and always 512 MB.
    pub output: usize,
    /// Depth of macros, includes and blocks.
    pub recursion: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fuel: 200_000_000, output: 256 << 20, recursion: 60 }
    }
}

/// Whether using a name that is not there is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Undefined {
    /// It prints nothing and is false, as in the original.
    #[default]
    Lenient,
    /// It is an error, except in `is defined` and `default`.
    Strict,
}

impl Undefined {
    /// What a template says of itself in a comment such as `{# undefined: lenient #}`; the first one counts. The error is
    /// a word that says nothing.
    pub fn declared(text: &str) -> Result<Option<Self>, String> {
        for comment in text.split("{#").skip(1).filter_map(|rest| rest.split_once("#}")) {
            let words = comment.0.trim_matches(|c: char| matches!(c, '-' | '+') || c.is_whitespace());
            let Some(rest) = words.strip_prefix("undefined") else { continue };
            let Some(word) = rest.trim_start().strip_prefix([':', '=']) else { continue };
            return match word.trim() {
                "strict" => Ok(Some(Self::Strict)),
                "lenient" => Ok(Some(Self::Lenient)),
                other => Err(other.to_owned()),
            };
        }
        Ok(None)
    }
}

/// A template as someone wrote it.
#[derive(Debug, Clone)]
pub struct Source {
    /// Name in error messages.
    pub name: String,
    /// Text.
    pub text: String,
    /// Remove the first line break after a tag.
    pub trim: bool,
    /// Remove blanks before a tag at the start of a line.
    pub lstrip: bool,
    /// What becomes of names that are not there.
    pub undefined: Undefined,
}

/// Templates that others can include, by kind.
#[derive(Debug, Default)]
pub struct Templates {
    named: HashMap<(&'static str, String), Vec<u64>>,
    stored: HashMap<(&'static str, u64), (Arc<str>, String)>,
}

pub(crate) enum Found {
    Nothing,
    Source(Arc<str>),
    Export { source: Arc<str>, model: String },
}

const KINDS: [(&str, &str); 3] = [
    ("configuration", "devices.configuration"),
    ("email", "messaging.email"),
    ("exporttemplate", "extras.exporttemplate"),
];

impl Templates {
    /// Those the world holds.
    pub fn of(world: &World) -> Self {
        let mut templates = Self::default();
        for (kind, model) in KINDS {
            let model = world.index(model);
            for index in world.all(model) {
                let row = Row { model, index };
                let id = world.id(row);
                let name = world.text(row, "name").to_owned();
                templates.named.entry((kind, name)).or_default().push(id);
                let about = world.text(row, "content_type").to_owned();
                templates.stored.insert((kind, id), (world.text(row, "template").into(), about));
            }
        }
        templates
    }

    /// By loader name, `kind::id` or `kind::name`.
    pub(crate) fn find(&self, name: &str) -> Res<Found> {
        let Some((kind, identifier)) = name.split_once("::") else {
            return Err(Fault::type_error(format!("`{name}` is no loader name: it has no `::`")));
        };
        // An export template is included as what it renders to, and imported as it is written.
        let (kind, written) = kind.strip_suffix(".raw").map_or((kind, false), |kind| (kind, true));
        let Some(kind) = KINDS.iter().map(|(known, _)| *known).find(|known| *known == kind) else {
            return Ok(Found::Source("".into()));
        };
        let id = match identifier.trim().parse::<u64>() {
            Ok(id) => Some(id),
            Err(_) => match self.named.get(&(kind, identifier.to_owned())).map(Vec::as_slice) {
                Some([id]) => Some(*id),
                Some(several @ [_, ..]) => {
                    let (class, module) = match kind {
                        "configuration" => ("Configuration", "devices.models"),
                        "email" => ("Email", "messaging.models"),
                        _ => ("ExportTemplate", "extras.models.models"),
                    };
                    let count = several.len();
                    return Err(Fault::new(
                        &format!("{module}.{class}.MultipleObjectsReturned"),
                        format!("get() returned more than one {class} -- it returned {count}!"),
                    ));
                }
                _ => None,
            },
        };
        let found = id.and_then(|id| self.stored.get(&(kind, id)));
        Ok(match found {
            None => Found::Nothing,
            Some((source, model)) if kind == "exporttemplate" && !written => {
                Found::Export { source: source.clone(), model: model.clone() }
            }
            Some((source, _)) => Found::Source(source.clone()),
        })
    }
}

/// What a template gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// What the author should know, though it is no error.
    pub warnings: Vec<String>,
    /// The secrets that the template has seen, in order, whether or not they stand in the text.
    pub secrets: Vec<Arc<str>>,
}

/// Renders templates over one world.
#[derive(Clone)]
pub struct Environment {
    world: Arc<World>,
    templates: Arc<Templates>,
    settings: Arc<Settings>,
    limits: Limits,
    now: DateTime<Utc>,
    stop: Arc<AtomicBool>,
}

impl Environment {
    /// An environment; `now` is what the function `now()` and expiry dates go by.
    pub fn new(
        world: Arc<World>,
        templates: Templates,
        settings: Settings,
        limits: Limits,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            world,
            templates: Arc::new(templates),
            settings: Arc::new(settings),
            limits,
            now,
            stop: Arc::default(),
        }
    }

    /// The same, with a flag: soon after it is set, what is being rendered ends with an error.
    #[must_use]
    pub fn stopped_by(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..self }
    }

    /// The world templates see.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    fn cx(&self, source: &Source) -> Cx {
        let extensions =
            Extensions { do_tag: self.settings.do_tag, loop_controls: self.settings.loop_controls };
        let flags = Flags { trim: source.trim, lstrip: source.lstrip, extensions };
        let strict = source.undefined == Undefined::Strict;
        Cx::new(
            self.world.clone(),
            self.settings.clone(),
            self.templates.clone(),
            self.limits,
            self.now,
            flags,
            strict,
        )
        .stopped_by(self.stop.clone())
    }

    fn render(
        &self,
        source: &Source,
        fill: impl FnOnce(&Cx, &Scope) -> Res<()>,
    ) -> Result<Rendered, TemplateError> {
        let cx = self.cx(source);
        let name: Rc<str> = source.name.as_str().into();
        let run = || -> Res<String> {
            let root = Scope::root();
            fill(&cx, &root)?;
            let template = Rc::new(crate::parser::parse(&name, &source.text, cx.flags)?);
            let mut out = String::new();
            cx.run_template(&template, &root, &mut out)?;
            Ok(out)
        };
        match run() {
            Ok(text) => {
                let warnings =
                    cx.warnings.take().into_iter().map(|text| cx.without_secrets("", text)).collect();
                let mut secrets: Vec<Arc<str>> = cx.secrets.take().into_iter().collect();
                secrets.sort();
                Ok(Rendered { text, warnings, secrets })
            }
            Err(fault) => Err(self.placed(&cx, source, fault)),
        }
    }

    /// An error with the names, lines and texts of its places.
    fn placed(&self, cx: &Cx, source: &Source, fault: Fault) -> TemplateError {
        let inner = *fault.0;
        let line_of = |template: &str, line: usize| -> String {
            let at = line.saturating_sub(1);
            let pick = |text: &str| {
                crate::lexer::normalise(text).lines().nth(at).unwrap_or_default().trim().to_owned()
            };
            if template == source.name {
                return pick(&source.text);
            }
            if let Some(parsed) = cx.parsed.borrow().get(template) {
                return pick(&parsed.source);
            }
            match self.templates.find(template) {
                Ok(Found::Source(text) | Found::Export { source: text, .. }) => pick(&text),
                _ => String::new(),
            }
        };
        let frames = inner.frames.iter().rev().map(|(template, line)| Frame {
            template: template.to_string(),
            line: *line,
            text: crate::error::without_literals(&line_of(template, *line)),
        });
        TemplateError {
            kind: inner.kind,
            class: inner.class.to_string(),
            message: cx.without_secrets(&inner.class, inner.message.clone()),
            frames: frames.collect(),
        }
    }

    /// The configuration of a router.
    pub fn render_configuration(&self, router: Row, source: &Source) -> Result<Rendered, TemplateError> {
        self.render(source, |cx, root| {
            let world = &cx.world;
            let method = |name: &str| crate::methods::call(cx, router, name, crate::args::Args::default());
            let communities = world.index("bgp.community");
            let local = world.target(router, "local_autonomous_system").map_or(Value::None, Value::Record);
            cx.router.set(Some(router));
            root.set(&"router".into(), Value::Record(router));
            root.set(&"local_as".into(), local);
            root.set(&"autonomous_systems".into(), method("get_autonomous_systems")?);
            root.set(&"bgp_groups".into(), method("get_bgp_groups")?);
            root.set(&"internet_exchange_points".into(), method("get_internet_exchange_points")?);
            root.set(&"communities".into(), QuerySet::new(communities, world.all(communities)).value());
            root.set(&"routing_policies".into(), method("get_routing_policies")?);
            Ok(())
        })
    }

    /// An e-mail's subject or body, written to an autonomous system.
    pub fn render_mail(&self, system: Row, source: &Source) -> Result<Rendered, TemplateError> {
        self.render(source, |cx, root| {
            let model = cx.world.index("peering.autonomoussystem");
            let own = cx
                .world
                .all(model)
                .into_iter()
                .filter(|index| cx.world.flag(Row { model, index: *index }, "affiliated"));
            root.set(&"autonomous_system".into(), Value::Record(system));
            let own: Vec<u32> = own.collect();
            root.set(&"affiliated_autonomous_systems".into(), QuerySet::new(model, own).value());
            Ok(())
        })
    }

    /// An e-mail's subject or body, written from an own system to a network that is no peer yet.
    pub fn render_network_mail(
        &self,
        own: Row,
        network: Row,
        source: &Source,
    ) -> Result<Rendered, TemplateError> {
        self.render(source, |_, root| {
            let both = vec![Value::Record(own), Value::Record(network)];
            root.set(&"autonomous_systems".into(), Value::list(both));
            Ok(())
        })
    }

    /// An export of all objects of a model, such as `peering.autonomoussystem`.
    pub fn render_export(&self, model: &str, source: &Source) -> Result<Rendered, TemplateError> {
        self.render(source, |cx, root| {
            root.set(&"dataset".into(), dataset(cx, model));
            Ok(())
        })
    }

    /// A template over plain values instead of objects, such as the body of a webhook: each member of `values` is a name.
    pub fn render_values(
        &self,
        values: &serde_json::Map<String, serde_json::Value>,
        source: &Source,
    ) -> Result<Rendered, TemplateError> {
        self.render(source, |_, root| {
            for (name, value) in values {
                root.set(&name.as_str().into(), crate::objects::from_json(value));
            }
            Ok(())
        })
    }

    /// What is wrong with a template, without rendering it.
    pub fn check(&self, source: &Source, about: &About) -> Vec<Finding> {
        crate::check::check(&self.cx(source), source, about)
    }
}

fn dataset(cx: &Cx, model: &str) -> Value {
    let model = cx.world.index(model);
    QuerySet::new(model, cx.world.all(model)).value()
}

/// The text of an export template that another template includes. It is rendered alone and without flags.
pub(crate) fn export(cx: &Cx, source: &str, model: &str) -> Res<String> {
    let name: Rc<str> = "exporttemplate".into();
    let flags = Flags { extensions: cx.flags.extensions, ..Flags::default() };
    let template = Rc::new(crate::parser::parse(&name, source, flags)?);
    let root = Scope::root();
    root.set(&"dataset".into(), dataset(cx, model));
    let mut out = String::new();
    cx.run_template(&template, &root, &mut out)?;
    Ok(out)
}
