//! What a model is: its name and fields. The models themselves are in `models.txt`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// What a field can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// True or false.
    Bool,
    /// A number with a point.
    Float,
    /// Anything JSON.
    Json,
    /// An address without prefix length.
    Ip,
    /// An address with prefix length.
    Interface,
    /// A prefix.
    Network,
    /// A MAC address.
    Mac,
    /// A time.
    Time,
    /// Prefix lists, IPv6 and IPv4.
    Prefixes,
    /// A list of numbers or texts.
    List,
    /// One object of another model, or none.
    ForeignKey,
    /// Any number of objects of another model.
    ManyToMany,
}

/// Values and their labels.
pub type Choices = Vec<(Arc<str>, Arc<str>)>;

/// A field of a model.
#[derive(Debug)]
pub struct Field {
    /// Name in templates and in the database.
    pub name: Arc<str>,
    /// What it holds.
    pub kind: Kind,
    /// For relations: index of the other model.
    pub target: Option<u16>,
    /// Values and their labels, if only certain values are allowed.
    pub choices: Choices,
    /// Whether it came after the forms in which whole objects are written out, and is not in them.
    pub later: bool,
    target_name: String,
    reverse: Option<String>,
}

/// A relation seen from its other end.
#[derive(Debug)]
pub struct Reverse {
    /// Name in templates.
    pub name: Arc<str>,
    /// Name in look-ups.
    pub query_name: Arc<str>,
    /// The model that has the field.
    pub model: u16,
    /// The field.
    pub field: usize,
}

/// A kind of object.
#[derive(Debug)]
pub struct Model {
    /// Such as `peering.autonomoussystem`.
    pub name: Arc<str>,
    /// The original's class, as error messages and debug forms show it.
    pub class: Arc<str>,
    /// The original's Python module.
    pub module: Arc<str>,
    /// Fields, in the order in which an object is written out.
    pub fields: Vec<Field>,
    /// Default order: fields and whether descending.
    pub order: Vec<(usize, bool)>,
    /// Relations of other models to this one.
    pub reverse: Vec<Reverse>,
    /// Path of an object's page, with `{}` for its id.
    pub url: Option<Arc<str>>,
    /// Has tags.
    pub tagged: bool,
    /// Has config contexts.
    pub contextual: bool,
    by_name: HashMap<Arc<str>, usize>,
    order_names: Vec<String>,
}

impl Model {
    /// Index of a field.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

/// All models.
pub struct Models {
    all: Vec<Model>,
    by_name: HashMap<Arc<str>, u16>,
}

static MODELS: LazyLock<Models> = LazyLock::new(|| Models::read(include_str!("models.txt")));

const SYNCHRONISED: &str =
    "data_source int;data_file int;data_path text;auto_synchronisation_enabled bool;data_synchronised time";
const PUSHED: &str = "data_source int;data_file int;data_path text;data_pushed time";
const ADDRESS: &str = "address1 text;address2 text;city text;state text;zipcode text;country text;suite text;floor text;latitude float;longitude float";

impl Models {
    /// The models of this program.
    pub fn get() -> &'static Self {
        &MODELS
    }
    /// All of them; an object's `model` is an index here.
    pub fn all(&self) -> &[Model] {
        &self.all
    }
    /// Index by name.
    pub fn index(&self, name: &str) -> Option<u16> {
        self.by_name.get(name).copied()
    }

    fn read(text: &str) -> Self {
        let mut choices: HashMap<&str, Choices> = HashMap::new();
        let mut all: Vec<Model> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match (word, all.last_mut()) {
                ("choices", _) => {
                    let (name, values) = rest.split_once(' ').unwrap_or((rest, ""));
                    let values = values.split('|').filter_map(|pair| pair.split_once('='));
                    choices.insert(name, values.map(|(value, label)| (value.into(), label.into())).collect());
                }
                ("model", _) => all.push(Model::begin(rest)),
                ("order", Some(model)) => model.order_names = rest.split(' ').map(str::to_owned).collect(),
                ("url", Some(model)) => model.url = Some(rest.into()),
                (_, Some(model)) => model.add(word, rest, &choices),
                _ => {}
            }
        }
        let by_name: HashMap<Arc<str>, u16> =
            (0_u16..).zip(&all).map(|(at, model)| (model.name.clone(), at)).collect();
        let mut models = Self { all, by_name };
        models.link();
        models
    }

    fn link(&mut self) {
        let mut reverse: Vec<(u16, Reverse)> = Vec::new();
        for (at, model) in (0_u16..).zip(&mut self.all) {
            let short: Arc<str> = model.name.split('.').nth(1).unwrap_or_default().into();
            for (field_at, field) in model.fields.iter_mut().enumerate() {
                field.target = self.by_name.get(field.target_name.as_str()).copied();
                let (Some(target), Some(name)) = (field.target, &field.reverse) else { continue };
                let (name, query_name) = match name.as_str() {
                    "+" => continue,
                    "" => (format!("{short}_set").into(), short.clone()),
                    given => (Arc::from(given), Arc::from(given)),
                };
                reverse.push((target, Reverse { name, query_name, model: at, field: field_at }));
            }
            model.order = model
                .order_names
                .iter()
                .filter_map(|name| {
                    let bare = name.trim_start_matches('-');
                    model.by_name.get(bare).map(|field| (*field, bare.len() < name.len()))
                })
                .collect();
        }
        for (target, relation) in reverse {
            self.all[usize::from(target)].reverse.push(relation);
        }
    }
}

impl Model {
    fn begin(rest: &str) -> Self {
        let mut words = rest.split(' ');
        let mut word = || words.next().unwrap_or_default();
        let (name, class, module) = (word().into(), word().into(), word().into());
        let features: Vec<&str> = words.collect();
        let has = |feature: &str| features.contains(&feature);
        let full = has("primary") || has("organisational") || has("template");
        let mut model = Self {
            name,
            class,
            module,
            fields: Vec::new(),
            order: Vec::new(),
            reverse: Vec::new(),
            url: None,
            tagged: full || has("tagged"),
            contextual: full,
            by_name: HashMap::new(),
            order_names: Vec::new(),
        };
        let mut base = vec!["created time;updated time"];
        for (feature, fields) in [
            ("address", ADDRESS),
            ("full", "local_context_data json"),
            ("pushed", PUSHED),
            ("synchronised", SYNCHRONISED),
            ("primary", "description text;comments text"),
            ("organisational", "name text;slug text;description text"),
            (
                "template",
                "description text;comments text;name text;template text;jinja2_trim bool;jinja2_lstrip bool",
            ),
        ] {
            if has(feature) || (feature == "full" && full) {
                base.push(fields);
            }
        }
        for field in base.iter().flat_map(|fields| fields.split(';')) {
            let (name, kind) = field.split_once(' ').unwrap_or((field, "text"));
            model.add(name, kind, &HashMap::new());
        }
        if model.tagged {
            model.add("tags", "m2m extras.tag reverse=+", &HashMap::new());
        }
        model
    }

    fn add(&mut self, name: &str, rest: &str, choices: &HashMap<&str, Choices>) {
        let mut words = rest.split(' ');
        let kind = match words.next().unwrap_or_default() {
            "int" => Kind::Int,
            "bool" => Kind::Bool,
            "float" => Kind::Float,
            "json" => Kind::Json,
            "ip" => Kind::Ip,
            "interface" => Kind::Interface,
            "network" => Kind::Network,
            "mac" => Kind::Mac,
            "time" => Kind::Time,
            "prefixes" => Kind::Prefixes,
            "list" => Kind::List,
            "fk" => Kind::ForeignKey,
            "m2m" => Kind::ManyToMany,
            _ => Kind::Text,
        };
        let relation = matches!(kind, Kind::ForeignKey | Kind::ManyToMany);
        let mut field = Field {
            name: name.into(),
            kind,
            target: None,
            choices: Vec::new(),
            later: false,
            target_name: if relation { words.next().unwrap_or_default().to_owned() } else { String::new() },
            reverse: relation.then(String::new),
        };
        for word in words {
            match word.split_once('=') {
                Some(("choices", set)) => field.choices = choices.get(set).cloned().unwrap_or_default(),
                Some(("reverse", reverse)) => field.reverse = Some(reverse.to_owned()),
                None if word == "later" => field.later = true,
                _ => {}
            }
        }
        self.by_name.insert(field.name.clone(), self.fields.len());
        self.fields.push(field);
    }
}
