//! Follows through a template what its names are, as far as that can be told without running it, and reports attributes
//! that these objects do not have. What it cannot tell it lets pass.

use std::collections::HashMap;
use std::rc::Rc;

use crate::ast::{CallArgs, Expr, FilterCall, MacroDef, Stmt, StmtKind, Target};
use crate::check::{About, Finding, nearest};
use crate::model::{Kind, Model, Models};
use crate::names::{DELETED_SESSION, DELETED_SESSIONS};
use crate::value::Value;

/// What an expression gives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    /// It cannot be told.
    Unknown,
    /// An object of this model, or none.
    Record(u16),
    /// Several of them.
    Set(u16),
}

const SYSTEM: &str = "peering.autonomoussystem";
const EXCHANGE: &str = "peering.internetexchange";
const GROUP: &str = "peering.bgpgroup";
const DIRECT: &str = "peering.directpeeringsession";
const IXP_SESSION: &str = "peering.internetexchangepeeringsession";
const ROUTER: &str = "devices.router";
const POLICY: &str = "peering.routingpolicy";
const COMMUNITY: &str = "bgp.community";
const PORT: &str = "peeringdb.networkixlan";

/// Properties of objects beside their fields.
const PROPERTIES: &[(&str, &[&str])] = &[
    (
        SYSTEM,
        &[
            "is_private",
            "peeringdb_network",
            "general_policy",
            "peeringdb_contacts",
            "can_receive_email",
            "prefixes_updated",
            "contacts",
            "journal_entries",
        ],
    ),
    (EXCHANGE, &["linked_to_peeringdb", "has_connected_routers", "peeringdb_prefixes", "contacts"]),
    ("net.connection", &["linked_to_peeringdb", "name"]),
    (DIRECT, &["enabled", "bgp_role_code", "remote_bgp_role"]),
    (IXP_SESSION, &["enabled", "exists_in_peeringdb", "is_abandoned", "bgp_role_code", "remote_bgp_role"]),
    (COMMUNITY, &["kind", "is_ingress", "is_egress"]),
    (PORT, &["cidr4", "cidr6", "is_remote_peer"]),
    ("peeringdb.hiddenpeer", &["is_expired"]),
];

fn model(name: &str) -> Option<u16> {
    Models::get().index(name)
}

fn set(name: &str) -> Type {
    model(name).map_or(Type::Unknown, Type::Set)
}

fn record(name: &str) -> Type {
    model(name).map_or(Type::Unknown, Type::Record)
}

fn described(index: u16) -> &'static Model {
    &Models::get().all()[usize::from(index)]
}

type Names = HashMap<Rc<str>, Type>;

pub(crate) struct Checker {
    about: About,
    line: usize,
    /// Every name that the template gives to something, anywhere.
    given: Vec<Rc<str>>,
    findings: Vec<Finding>,
}

/// Attributes that cannot be, in a parsed template.
pub(crate) fn check(body: &[Stmt], about: &About) -> Vec<Finding> {
    let mut checker = Checker { about: about.clone(), line: 0, given: Vec::new(), findings: Vec::new() };
    let mut names = checker.context();
    checker.body(body, &mut names);
    checker.findings
}

fn join(a: Type, b: Type) -> Type {
    if a == b { a } else { Type::Unknown }
}

impl Checker {
    fn context(&self) -> Names {
        let mut names: Names = HashMap::new();
        let mut give = |name: &str, kind: Type| {
            names.insert(name.into(), kind);
        };
        if matches!(self.about, About::Configuration | About::Anything) {
            give("router", record(ROUTER));
            give("local_as", record(SYSTEM));
            give("bgp_groups", set(GROUP));
            give("internet_exchange_points", set(EXCHANGE));
            give("communities", set(COMMUNITY));
            give(DELETED_SESSIONS, set(DELETED_SESSION));
            give("routing_policies", set(POLICY));
        }
        if self.about == About::Configuration {
            give("autonomous_systems", set(SYSTEM));
        }
        if matches!(self.about, About::Mail | About::Anything) {
            give("autonomous_system", record(SYSTEM));
            give("affiliated_autonomous_systems", set(SYSTEM));
        }
        if let About::Export(model) = &self.about {
            give("dataset", set(model));
        }
        names
    }

    fn body(&mut self, body: &[Stmt], names: &mut Names) {
        for statement in body {
            self.line = statement.line;
            self.statement(&statement.kind, names);
        }
    }

    /// A part that may or may not be run: afterwards a name is only what it is either way.
    fn maybe(&mut self, body: &[Stmt], names: &mut Names) {
        let mut inner = names.clone();
        self.body(body, &mut inner);
        for (name, kind) in inner {
            let before = names.get(&name).copied();
            names.insert(name, before.map_or(kind, |before| join(before, kind)));
        }
    }

    fn scoped(&mut self, body: &[Stmt], names: &Names) {
        let mut inner = names.clone();
        self.body(body, &mut inner);
    }

    fn give(&mut self, target: &Target, kind: Type, names: &mut Names) {
        match target {
            Target::Name(name) => {
                self.given.push(name.clone());
                names.insert(name.clone(), kind);
            }
            Target::Attr(..) => {}
            Target::Tuple(parts) => parts.iter().for_each(|part| self.give(part, Type::Unknown, names)),
        }
    }

    fn statement(&mut self, statement: &StmtKind, names: &mut Names) {
        match statement {
            StmtKind::Text(_) | StmtKind::Break | StmtKind::Continue => {}
            StmtKind::Print(expr) | StmtKind::Do(expr) | StmtKind::Extends(expr) => {
                self.expr(expr, names);
            }
            StmtKind::PrintAll(all) => all.iter().for_each(|expr| {
                self.expr(expr, names);
            }),
            StmtKind::For(found) => {
                let item = match self.expr(&found.iter, names) {
                    Type::Set(model) => Type::Record(model),
                    _ => Type::Unknown,
                };
                let mut inner = names.clone();
                inner.insert("loop".into(), Type::Unknown);
                // A recursive loop goes through other things too.
                self.give(&found.target, if found.recursive { Type::Unknown } else { item }, &mut inner);
                if let Some(test) = &found.test {
                    self.expr(test, &inner);
                }
                self.body(&found.body, &mut inner);
                self.scoped(&found.otherwise, names);
            }
            StmtKind::If(parts, otherwise) => {
                for (test, body) in parts {
                    self.expr(test, names);
                    self.maybe(body, names);
                }
                self.maybe(otherwise, names);
            }
            StmtKind::Set(target, expr) => {
                let kind = self.expr(expr, names);
                self.give(target, kind, names);
            }
            StmtKind::SetBlock(target, filters, body) => {
                self.filters(filters, names);
                self.scoped(body, names);
                self.give(target, Type::Unknown, names);
            }
            StmtKind::With(pairs, body) => {
                let mut inner = names.clone();
                for (target, expr) in pairs {
                    let kind = self.expr(expr, names);
                    self.give(target, kind, &mut inner);
                }
                self.body(body, &mut inner);
            }
            StmtKind::FilterBlock(filters, body) => {
                self.filters(filters, names);
                self.scoped(body, names);
            }
            StmtKind::Macro(found) => {
                self.macro_body(found, names);
                if let Some(name) = &found.name {
                    self.give(&Target::Name(name.clone()), Type::Unknown, names);
                }
            }
            StmtKind::Call(call, found) => {
                self.expr(call, names);
                self.macro_body(found, names);
            }
            StmtKind::Include { template, .. } => {
                self.expr(template, names);
            }
            StmtKind::Import { template, target, .. } => {
                self.expr(template, names);
                self.give(&Target::Name(target.clone()), Type::Unknown, names);
            }
            StmtKind::FromImport { template, names: imported, .. } => {
                self.expr(template, names);
                for (_, name) in imported {
                    self.give(&Target::Name(name.clone()), Type::Unknown, names);
                }
            }
            StmtKind::Block(block) => self.scoped(&block.body, names),
            StmtKind::Autoescape(expr, body) => {
                self.expr(expr, names);
                self.scoped(body, names);
            }
        }
    }

    /// A macro is run later, when names may have become something else: only what is never given anew is known.
    fn macro_body(&mut self, found: &MacroDef, names: &Names) {
        let mut inner: Names = names
            .iter()
            .filter(|(name, _)| !self.given.contains(name))
            .map(|(name, kind)| (name.clone(), *kind))
            .collect();
        for name in &found.args {
            inner.insert(name.clone(), Type::Unknown);
        }
        for expr in &found.defaults {
            self.expr(expr, names);
        }
        let line = self.line;
        self.body(&found.body, &mut inner);
        self.line = line;
    }

    fn filters(&mut self, filters: &[FilterCall], names: &Names) {
        for filter in filters {
            self.args(&filter.args, names);
        }
    }

    fn args(&mut self, args: &CallArgs, names: &Names) {
        let keyword = args.kw.iter().map(|(_, expr)| expr);
        let rest = args.star.iter().chain(&args.star_star).map(|expr| &**expr);
        for expr in args.pos.iter().chain(keyword).chain(rest) {
            self.expr(expr, names);
        }
    }

    fn expr(&mut self, expr: &Expr, names: &Names) -> Type {
        match expr {
            Expr::Const(_) => Type::Unknown,
            Expr::Name(name) => names.get(name).copied().unwrap_or(Type::Unknown),
            Expr::List(items) | Expr::Tuple(items) | Expr::Concat(items) => {
                for item in items {
                    self.expr(item, names);
                }
                Type::Unknown
            }
            Expr::Dict(pairs) => {
                for (key, value) in pairs {
                    self.expr(key, names);
                    self.expr(value, names);
                }
                Type::Unknown
            }
            Expr::Bin(_, a, b) => {
                self.expr(a, names);
                self.expr(b, names);
                Type::Unknown
            }
            Expr::Neg(inner) | Expr::Pos(inner) | Expr::Not(inner) => {
                self.expr(inner, names);
                Type::Unknown
            }
            Expr::And(a, b) | Expr::Or(a, b) => {
                let (a, b) = (self.expr(a, names), self.expr(b, names));
                join(a, b)
            }
            Expr::Compare(first, rest) => {
                self.expr(first, names);
                for (_, other) in rest {
                    self.expr(other, names);
                }
                Type::Unknown
            }
            Expr::Cond(test, yes, no) => {
                self.expr(test, names);
                let yes = self.expr(yes, names);
                match no {
                    Some(no) => join(yes, self.expr(no, names)),
                    None => yes,
                }
            }
            Expr::Attr(base, name) => {
                let base = self.expr(base, names);
                self.attribute(base, name)
            }
            Expr::Item(base, index) => {
                let base = self.expr(base, names);
                self.expr(index, names);
                match (base, &**index) {
                    (Type::Set(model), Expr::Slice(..)) => Type::Set(model),
                    (Type::Set(model), Expr::Const(Value::Int(_))) => Type::Record(model),
                    (Type::Record(_), Expr::Const(Value::Str(name))) => self.attribute(base, name),
                    _ => Type::Unknown,
                }
            }
            Expr::Slice(a, b, c) => {
                for part in [a, b, c].into_iter().flatten() {
                    self.expr(part, names);
                }
                Type::Unknown
            }
            Expr::Call(function, args) => {
                self.args(args, names);
                match &**function {
                    Expr::Attr(base, name) => {
                        let base = self.expr(base, names);
                        self.attribute(base, name);
                        called(base, name)
                    }
                    other => {
                        self.expr(other, names);
                        Type::Unknown
                    }
                }
            }
            Expr::Filter(base, filter) => {
                self.args(&filter.args, names);
                // These ask whether there is something.
                let base = match (&*filter.name, &**base) {
                    ("default" | "d", Expr::Attr(inner, _)) => {
                        self.expr(inner, names);
                        Type::Unknown
                    }
                    (_, base) => self.expr(base, names),
                };
                self.filtered(base, filter)
            }
            Expr::Test(base, test) => {
                self.args(&test.args, names);
                match (&*test.name, &**base) {
                    ("defined" | "undefined", Expr::Attr(inner, _)) => self.expr(inner, names),
                    (_, base) => self.expr(base, names),
                };
                Type::Unknown
            }
        }
    }

    /// What a filter gives. Also looks at the attributes that it is told by name.
    fn filtered(&mut self, base: Type, filter: &FilterCall) -> Type {
        let name = &*filter.name;
        let plain = filter.args.pos.is_empty() && filter.args.kw.is_empty();
        let literal = |at: usize, keyword: &str| {
            let named = filter.args.kw.iter().find(|(name, _)| &**name == keyword).map(|(_, expr)| expr);
            match named.or_else(|| {
                if keyword == "attribute" && name == "map" { None } else { filter.args.pos.get(at) }
            }) {
                Some(Expr::Const(Value::Str(text))) => Some(text.clone()),
                _ => None,
            }
        };
        let told = match name {
            "map" | "groupby" | "sort" | "unique" | "sum" | "min" | "max" | "join" => {
                literal(usize::MAX, "attribute")
            }
            "selectattr" | "rejectattr" | "iterate" | "unique_items" => literal(0, "field"),
            _ => None,
        };
        if let (Some(path), Type::Set(model)) = (told, base)
            && let Some(first) = path.split(['.', ',']).next()
            && !first.contains("__")
            && first.parse::<usize>().is_err()
        {
            self.attribute(Type::Record(model), first);
        }
        let is = |kind: Type, names: &[&str]| match kind {
            Type::Record(index) => names.contains(&&*described(index).name),
            _ => false,
        };
        match (name, base) {
            ("direct_sessions", _) => set(DIRECT),
            ("ixp_sessions" | "route_server", _) => set(IXP_SESSION),
            ("sessions", base) if is(base, &[GROUP]) => set(DIRECT),
            ("sessions", base) if is(base, &[EXCHANGE]) => set(IXP_SESSION),
            ("connections", _) => set("net.connection"),
            ("tags", _) => set("extras.tag"),
            ("direct_peers" | "ixp_peers", _) => set(SYSTEM),
            ("ixps" | "shared_ixps", _) => set(EXCHANGE),
            ("shared_facilities", _) => set("peeringdb.facility"),
            ("missing_sessions", _) => set(PORT),
            ("relationships", _) => set("bgp.relationship"),
            ("bfds", _) => set("net.bfd"),
            ("iter_export_policies" | "iter_import_policies" | "routing_policies", _) if plain => set(POLICY),
            ("merge_export_policies" | "merge_import_policies", _) => set(POLICY),
            ("communities", _)
                if plain
                    || filter.args.kw.iter().all(|(name, _)| &**name == "direction")
                        && filter.args.pos.is_empty() =>
            {
                set(COMMUNITY)
            }
            ("merge_communities", _) => set(COMMUNITY),
            ("contact", _) if filter.args.pos.len() + filter.args.kw.len() == 1 => {
                record("messaging.contact")
            }
            (
                "filter" | "unique_items" | "sort" | "reverse" | "list" | "unique" | "select" | "reject"
                | "selectattr" | "rejectattr",
                base @ Type::Set(_),
            )
            | ("fresh", base) => base,
            ("first" | "last" | "random", Type::Set(model)) => Type::Record(model),
            _ => Type::Unknown,
        }
    }

    fn attribute(&mut self, base: Type, name: &str) -> Type {
        let Type::Record(index) = base else { return Type::Unknown };
        if name.starts_with('_') {
            return Type::Unknown;
        }
        let model = described(index);
        if let Some(kind) = of_record(model, name) {
            return kind;
        }
        let known = names_of(model);
        let hint = nearest(name, known).map_or(String::new(), |near| format!(", did you mean `{near}`?"));
        let message = format!("{} has no attribute `{name}`{hint}", model.class);
        let finding = Finding { line: self.line, message };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
        Type::Unknown
    }
}

/// What an attribute of an object is; `None` if there is none of that name.
fn of_record(model: &Model, name: &str) -> Option<Type> {
    if let Some(at) = model.field(name) {
        let field = &model.fields[at];
        return Some(match (field.kind, field.target) {
            (Kind::ForeignKey, Some(target)) => Type::Record(target),
            // A list of references, on which a template calls `.all()`.
            (Kind::ManyToMany, Some(target)) => Type::Set(target),
            _ => Type::Unknown,
        });
    }
    if let Some(reverse) = model.reverse.iter().find(|reverse| &*reverse.name == name) {
        return Some(Type::Set(reverse.model));
    }
    if name == "peeringdb_network" && &*model.name == SYSTEM {
        return Some(record("peeringdb.network"));
    }
    if name == "contacts" && [SYSTEM, EXCHANGE].contains(&&*model.name) {
        return Some(set("messaging.contactassignment"));
    }
    if name == "config_contexts" && model.contextual {
        return Some(set("extras.configcontextassignment"));
    }
    let property = PROPERTIES.iter().any(|(of, names)| *of == &*model.name && names.contains(&name));
    let id = matches!(name, "id" | "pk")
        || name
            .strip_suffix("_id")
            .and_then(|bare| model.field(bare))
            .is_some_and(|at| model.fields[at].kind == Kind::ForeignKey);
    let everywhere = matches!(name, "object" | "assigned_object")
        || (model.contextual && matches!(name, "config_context" | "docs_url"));
    (property || id || everywhere || crate::objects::is_method_of(model, name)).then_some(Type::Unknown)
}

fn names_of(model: &Model) -> Vec<&str> {
    let mut names: Vec<&str> = model.fields.iter().map(|field| &*field.name).collect();
    names.extend(model.reverse.iter().map(|reverse| &*reverse.name));
    names.extend(crate::objects::methods(&model.name));
    names.extend(PROPERTIES.iter().filter(|(of, _)| *of == &*model.name).flat_map(|(_, names)| names.iter()));
    if model.contextual {
        names.extend(["config_context", "config_contexts"]);
    }
    names
}

/// What a method gives.
fn called(base: Type, name: &str) -> Type {
    match (base, name) {
        (Type::Set(_), "all" | "filter" | "exclude" | "order_by" | "distinct" | "reverse") => base,
        (Type::Set(model), "first" | "last" | "get" | "earliest" | "latest") => Type::Record(model),
        (Type::Record(model), _) => match (name, &*described(model).name) {
            ("get_direct_peering_sessions", _) | ("get_peering_sessions", GROUP) => set(DIRECT),
            ("get_ixp_peering_sessions", _) | ("get_peering_sessions", EXCHANGE) => set(IXP_SESSION),
            ("get_connections", _) => set("net.connection"),
            ("get_routers", _) => set(ROUTER),
            ("get_bgp_groups", _) => set(GROUP),
            ("get_internet_exchange_points" | "get_shared_internet_exchange_points", _) => set(EXCHANGE),
            (
                "get_autonomous_systems" | "get_direct_autonomous_systems" | "get_ixp_autonomous_systems",
                _,
            ) => set(SYSTEM),
            ("get_relationships", _) => set("bgp.relationship"),
            ("get_missing_peering_sessions" | "get_available_peers", _) => set(PORT),
            (
                "export_policies"
                | "import_policies"
                | "policies"
                | "merged_export_policies"
                | "merged_import_policies"
                | "get_routing_policies",
                _,
            ) => set(POLICY),
            ("merged_communities", _) => set(COMMUNITY),
            _ => Type::Unknown,
        },
        _ => Type::Unknown,
    }
}
