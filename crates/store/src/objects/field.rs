//! What a description says of one field: [`Field`], [`Kind`].

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::model::{Feature, Model};
use super::telling::Rule;
use crate::schema::ColumnKind;

/// A model that another one names. References wait for it, so that two descriptions may be made in any order.
#[derive(Clone, Copy)]
pub struct Target(pub &'static LazyLock<Model>);

impl Target {
    /// The description.
    pub fn model(self) -> &'static Model {
        self.0
    }
}

/// What happens to an object when the one it refers to is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// It is deleted too.
    Cascade,
    /// The reference becomes empty.
    SetNull,
    /// The deletion is refused.
    Protect,
}

/// A value that may be chosen, and what people see.
pub type Choice = (&'static str, &'static str);

/// What a field holds.
#[derive(Clone, Copy)]
pub enum Kind {
    /// One line, of so many characters at most.
    Text(usize),
    /// Text of any length: Markdown, a template.
    LongText,
    /// ASCII letters, digits, `-` and `_`, so many at most.
    Slug(usize),
    /// An e-mail address, of so many characters at most.
    Email(usize),
    /// Six lower-case hexadecimal digits.
    Color,
    /// A MAC address, kept as `00:00:5e:00:53:01`.
    Mac,
    /// A whole number from .. to, both included.
    Integer(i64, i64),
    /// A truth value.
    Boolean,
    /// One of these texts.
    Choice(&'static [Choice]),
    /// One of these numbers.
    Number(&'static [(i64, &'static str)]),
    /// An instant.
    Time,
    /// A JSON document.
    Json,
    /// A JSON document that has to be an object where it says anything.
    JsonObject,
    /// An address with a prefix length; of this IP version, unless 0.
    Interface(u8),
    /// An address. A prefix length is dropped.
    Host,
    /// Text that nobody may read in the database, of so many characters at most. See [`super::secrets`].
    Secret(usize),
    /// A reference to one object.
    ForeignKey(Target, OnDelete),
    /// References to any number of objects, without an order of their own: they are given in their default order.
    ManyToMany(Target),
    /// Tags. As [`Kind::ManyToMany`], in one table for all models.
    Tags,
    /// The id of a record in the PeeringDB cache, in this namespace. Nothing checks that it is there: the cache is a
    /// mirror that may be emptied and filled again.
    Cached(&'static str),
    /// A user of this program. Becomes empty with the user.
    User,
    /// The label of a model that can have this attached (any, if `None`).
    ObjectType(Option<Feature>),
    /// The id of an object, whose model the named field of the same object tells. Goes with that object.
    ObjectId(&'static str),
}

impl Kind {
    /// How the column is stored; `None` for what has no column.
    pub const fn column(self) -> Option<ColumnKind> {
        Some(match self {
            Self::Text(_)
            | Self::LongText
            | Self::Slug(_)
            | Self::Email(_)
            | Self::Color
            | Self::Mac
            | Self::Choice(_)
            | Self::Secret(_)
            | Self::ObjectType(_) => ColumnKind::Text,
            Self::Integer(..)
            | Self::Number(_)
            | Self::ForeignKey(..)
            | Self::Cached(_)
            | Self::User
            | Self::ObjectId(_) => ColumnKind::Integer,
            Self::Boolean => ColumnKind::Boolean,
            Self::Time => ColumnKind::Time,
            Self::Json | Self::JsonObject => ColumnKind::Json,
            Self::Interface(_) | Self::Host => ColumnKind::Address,
            Self::ManyToMany(_) | Self::Tags => return None,
        })
    }

    /// Whether it is text to the person who fills it in, so that empty is `""` and not null.
    pub const fn is_text(self) -> bool {
        matches!(
            self,
            Self::Text(_)
                | Self::LongText
                | Self::Slug(_)
                | Self::Email(_)
                | Self::Color
                | Self::Choice(_)
                | Self::Secret(_)
        )
    }
}

/// A value that a field has when nobody gives one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// None: it has to be given, unless it may be empty.
    None,
    /// This text.
    Text(&'static str),
    /// This number.
    Integer(i64),
    /// This truth value.
    Boolean(bool),
}

/// One field.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own, and all have names")]
pub struct Field {
    /// Name in the original's spelling. The column of a reference has `_id` behind it.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether the column may be NULL.
    pub nullable: bool,
    /// Whether people may leave it empty.
    pub optional: bool,
    /// What it is when nobody says.
    pub default: Default,
    /// Whether no two objects may have the same.
    pub unique: bool,
    /// Whether people may change it.
    pub editable: bool,
    /// Whether the change log hides it as a whole.
    pub sensitive: bool,
    /// Whether the database holds it sealed. What an earlier release stored in the clear is read all the same, until it is
    /// written again. See [`super::secrets`].
    pub sealed: bool,
    /// A sentence about it.
    pub help: &'static str,
    label: Option<&'static str>,
}

impl Field {
    /// A field that has to be given.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            nullable: false,
            optional: false,
            default: Default::None,
            unique: false,
            editable: true,
            sensitive: false,
            sealed: false,
            help: "",
            label: None,
        }
    }

    /// May be left empty: NULL, or for text that cannot be NULL `""`.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        if self.kind.is_text() && matches!(self.default, Default::None) && !self.nullable {
            self.default = Default::Text("");
        }
        self
    }

    /// May be NULL, and people may leave it empty.
    #[must_use]
    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self.optional = true;
        self
    }

    /// May be NULL in the database, but people have to give it.
    #[must_use]
    pub const fn nullable_but_required(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// Has this text unless given.
    #[must_use]
    pub const fn text(mut self, text: &'static str) -> Self {
        self.default = Default::Text(text);
        self
    }

    /// Has this number unless given.
    #[must_use]
    pub const fn number(mut self, number: i64) -> Self {
        self.default = Default::Integer(number);
        self
    }

    /// Has this truth value unless given.
    #[must_use]
    pub const fn boolean(mut self, value: bool) -> Self {
        self.default = Default::Boolean(value);
        self
    }

    /// No two objects have the same.
    #[must_use]
    pub const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// Only the program changes it.
    #[must_use]
    pub const fn fixed(mut self) -> Self {
        self.editable = false;
        self
    }

    /// The change log hides it.
    #[must_use]
    pub const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Sealed in the database: text, and JSON in which there is anything that is not known to be harmless.
    #[must_use]
    pub const fn sealed(mut self) -> Self {
        self.sealed = true;
        self
    }

    /// A sentence for people.
    #[must_use]
    pub const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    /// What people call it, where that is not its name.
    #[must_use]
    pub const fn labelled(mut self, label: &'static str) -> Self {
        self.label = Some(label);
        self
    }

    /// What people call it.
    pub fn label(&self) -> String {
        self.label.map_or_else(|| self.name.replace('_', " "), ToOwned::to_owned)
    }

    /// Its column, for what has one.
    pub fn column(&self) -> Option<String> {
        self.kind.column()?;
        Some(match self.kind {
            Kind::ForeignKey(..) | Kind::User => format!("{}_id", self.name),
            _ => self.name.to_owned(),
        })
    }

    /// Whether the database holds it sealed, as a secret or otherwise.
    pub fn is_sealed(&self) -> bool {
        self.sealed || matches!(self.kind, Kind::Secret(_))
    }

    /// Which members of its JSON are secrets.
    pub(crate) fn rule(&self) -> Rule {
        if self.sealed { Rule::Arguments } else { Rule::Telling }
    }

    /// Whether a new object must be given one.
    pub fn required(&self) -> bool {
        self.default == Default::None && !self.optional && self.kind.column().is_some()
    }

    /// The value as people choose it and what they see, for fields with choices.
    pub fn choices(&self) -> Vec<(Json, &'static str)> {
        match self.kind {
            Kind::Choice(choices) => choices.iter().map(|(value, label)| ((*value).into(), *label)).collect(),
            Kind::Number(choices) => choices.iter().map(|(value, label)| ((*value).into(), *label)).collect(),
            _ => Vec::new(),
        }
    }

    /// The model that it refers to.
    pub fn target(&self) -> Option<&'static Model> {
        match self.kind {
            Kind::ForeignKey(target, _) | Kind::ManyToMany(target) => Some(target.model()),
            Kind::Tags => Some(&super::models::tag::MODEL),
            _ => None,
        }
    }
}
