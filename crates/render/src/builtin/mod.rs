//! Jinja2's own filters, by name.

mod markup;
mod number;
mod order;
mod sequence;
mod text;

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::strings;
use crate::value::{Key, Value};

fn flag(cx: &Cx, value: Option<&Value>, default: bool) -> Res<bool> {
    value.map_or(Ok(default), |value| cx.truth(value))
}

fn int(value: Option<&Value>, default: i128) -> i128 {
    value.and_then(Value::as_int).unwrap_or(default)
}

/// What a filter makes from text: marked as escaped if the text was.
fn like(value: &Value, text: String) -> Value {
    if matches!(value, Value::Markup(_)) { Value::Markup(text.into()) } else { Value::Str(text.into()) }
}

impl Cx {
    /// Applies a filter by name.
    pub(crate) fn filter(&self, name: &str, value: &Value, args: Args) -> Res<Value> {
        self.burn(1)?;
        if crate::names::OWN_FILTERS.contains(&name) {
            let made = crate::filters::apply(self, name, value, args)?;
            return self.paid(made);
        }
        match self.builtin(name, value, args)? {
            Some(made) => self.paid(made),
            None => Err(Fault::runtime(format!("No filter named '{name}' found."))),
        }
    }

    fn builtin(&self, name: &str, value: &Value, args: Args) -> Res<Option<Value>> {
        Ok(Some(match name {
            "upper" => like(value, self.text(value)?.to_uppercase()),
            "lower" => like(value, self.text(value)?.to_lowercase()),
            "capitalize" => like(value, strings::capitalize(&self.text(value)?)),
            "title" => like(value, text::title(&self.text(value)?)),
            "string" => match value {
                Value::Markup(_) => value.clone(),
                _ => Value::Str(self.text(value)?.into()),
            },
            "trim" => text::trim(self, value, args)?,
            "center" => text::center(self, value, args)?,
            "replace" => text::replace(self, value, args)?,
            "format" => text::format(self, value, args)?,
            "wordcount" => Value::int(text::words(&self.text(value)?)),
            "wordwrap" => text::wordwrap(self, value, args)?,
            "truncate" => text::truncate(self, value, args)?,
            "e" | "escape" => Value::Markup(self.escaped(value)?.into()),
            "forceescape" => Value::Markup(markup::escape(&self.text(value)?).into()),
            "safe" => Value::Markup(self.text(value)?.into()),
            "striptags" => Value::Str(markup::striptags(&self.text(value)?).into()),
            "tojson" => markup::tojson(self, value, args)?,
            "urlencode" => Value::Str(self.urlencode(value)?.into()),
            "urlize" => Value::Str(self.text(value)?.into()),
            "xmlattr" => markup::xmlattr(self, value, args)?,
            "default" | "d" => {
                let [default, boolean] = args.bind("do_default", ["default_value", "boolean"], 0, 1)?;
                let default = default.unwrap_or_else(|| Value::str(""));
                let use_default =
                    value.is_undefined() || (flag(self, boolean.as_ref(), false)? && !self.truth(value)?);
                if use_default { default } else { value.clone() }
            }
            "int" => number::integer(value, args)?,
            "float" => number::float(value, args)?,
            "abs" => number::absolute(self, value)?,
            "round" => number::rounded(self, value, args)?,
            "filesizeformat" => number::file_size(self, value, args)?,
            "list" => Value::list(self.items(value)?),
            "items" => sequence::items(value)?,
            "first" => sequence::first(self, value)?,
            "last" => sequence::last(self, value)?,
            "random" => sequence::random(self, value)?,
            "reverse" => sequence::reverse(self, value)?,
            "join" => sequence::join(self, value, args)?,
            "sum" => sequence::sum(self, value, args)?,
            "batch" => sequence::batch(self, value, args)?,
            "slice" => sequence::slice(self, value, args)?,
            "map" => self.map(value, args)?,
            "select" | "reject" | "selectattr" | "rejectattr" => self.select(name, value, args)?,
            "attr" => sequence::attr(self, value, args)?,
            "min" | "max" => order::extreme(self, name, value, args)?,
            "sort" => order::sort(self, value, args)?,
            "unique" => order::unique(self, value, args)?,
            "groupby" => order::groupby(self, value, args)?,
            "dictsort" => order::dictsort(self, value, args)?,
            "pprint" => match crate::ops::as_dict(value) {
                Some(mut pairs) => {
                    let mut keys: Vec<Value> = pairs.keys().map(|key| key.0.clone()).collect();
                    self.sort(&mut keys, false)?;
                    let sorted =
                        keys.into_iter().filter_map(|key| pairs.shift_remove_entry(&Key(key))).collect();
                    Value::Str(self.repr(&Value::dict(sorted))?.into())
                }
                None => Value::Str(self.repr(value)?.into()),
            },
            _ => return Ok(None),
        }))
    }
}
