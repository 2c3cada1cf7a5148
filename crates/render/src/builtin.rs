//! Jinja2's own filters.

use std::fmt::Write as _;

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::ops::undefined;
use crate::strings;
use crate::value::{Dict, Key, Value};

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

/// Sorts, stable. The standard library's sort may panic where a comparison fails or knows no order, as with `nan`.
fn merged<T>(mut items: Vec<T>, less: &mut dyn FnMut(&T, &T) -> Res<bool>) -> Res<Vec<T>> {
    if items.len() < 2 {
        return Ok(items);
    }
    let right = items.split_off(items.len() / 2);
    let mut left = merged(items, less)?.into_iter().peekable();
    let mut right = merged(right, less)?.into_iter().peekable();
    let mut out = Vec::with_capacity(left.len() + right.len());
    while let (Some(earlier), Some(later)) = (left.peek(), right.peek()) {
        out.extend(if less(later, earlier)? { right.next() } else { left.next() });
    }
    out.extend(left);
    out.extend(right);
    Ok(out)
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

    /// `str(value)` escaped for HTML, unless it already is.
    pub(crate) fn escaped(&self, value: &Value) -> Res<String> {
        let text = self.text(value)?;
        if matches!(value, Value::Markup(_)) {
            return Ok(text);
        }
        Ok(escape(&text))
    }

    /// Sorts as `sorted` does; stable, also when reversed.
    pub(crate) fn sort(&self, items: &mut [Value], reverse: bool) -> Res<()> {
        self.sort_by(items, reverse, &|_, value| Ok(value.clone()))
    }

    fn sort_by(
        &self,
        items: &mut [Value],
        reverse: bool,
        key: &dyn Fn(&Self, &Value) -> Res<Value>,
    ) -> Res<()> {
        let mut keyed = Vec::with_capacity(items.len());
        for item in items.iter() {
            keyed.push((key(self, item)?, item.clone()));
        }
        self.burn(items.len() as u64)?;
        // Python compares the later item with the earlier one.
        let keyed = merged(keyed, &mut |(later, _), (earlier, _)| {
            let (a, b) = if reverse { (earlier, later) } else { (later, earlier) };
            Ok(self.order(a, b, "<")?.is_lt())
        })?;
        for (slot, (_, item)) in items.iter_mut().zip(keyed) {
            *slot = item;
        }
        Ok(())
    }

    /// `a.b.0` of an item, as `attribute=` arguments mean it.
    fn path(&self, item: &Value, path: &Value, default: Option<&Value>) -> Res<Value> {
        if let Value::Int(_) = path {
            return self.get_item(item, path);
        }
        let path = self.text(path)?;
        let mut value = item.clone();
        for step in path.split('.') {
            let key = match step.parse::<i128>() {
                Ok(number) if step.bytes().all(|b| b.is_ascii_digit()) => Value::Int(number),
                _ => Value::str(step),
            };
            value = match &key {
                Value::Str(name) => self.by_name(&value, name)?,
                key => self.get_item(&value, key)?,
            };
            if value.is_undefined()
                && let Some(default) = default
            {
                value = default.clone();
            }
        }
        Ok(value)
    }

    /// The environment's `getitem`: a member, else an attribute.
    fn by_name(&self, value: &Value, name: &str) -> Res<Value> {
        self.get_item(value, &Value::str(name))
    }

    fn fold_case(value: Value, case_sensitive: bool) -> Value {
        match &value {
            Value::Str(text) | Value::Markup(text) if !case_sensitive => Value::str(&text.to_lowercase()),
            _ => value,
        }
    }

    /// The key by which `sort`, `unique`, `min`, `max` and `groupby` compare.
    fn sort_key(
        &self,
        item: &Value,
        attribute: Option<&Value>,
        case_sensitive: bool,
        default: Option<&Value>,
    ) -> Res<Value> {
        let value = match attribute {
            None | Some(Value::None) => item.clone(),
            Some(path) => self.path(item, path, default)?,
        };
        Ok(Self::fold_case(value, case_sensitive))
    }

    #[expect(clippy::too_many_lines, reason = "one arm per filter")]
    fn builtin(&self, name: &str, value: &Value, args: Args) -> Res<Option<Value>> {
        let text = || self.text(value);
        Ok(Some(match name {
            "upper" => like(value, text()?.to_uppercase()),
            "lower" => like(value, text()?.to_lowercase()),
            "capitalize" => like(value, strings::capitalize(&text()?)),
            "title" => like(value, title(&text()?)),
            "string" => match value {
                Value::Markup(_) => value.clone(),
                _ => Value::Str(text()?.into()),
            },
            "trim" => {
                let [chars] = args.bind("do_trim", ["chars"], 0, 1)?;
                let pos = chars.filter(|chars| !chars.is_none()).into_iter().collect();
                strings::call(self, &text()?, "strip", Args::of(pos))?
            }
            "center" => {
                let [width] = args.bind("do_center", ["width"], 0, 1)?;
                Value::Str(strings::center(self, &text()?, int(width.as_ref(), 80))?.into())
            }
            "replace" => {
                let [old, new, count] = args.bind("do_replace", ["old", "new", "count"], 2, 2)?;
                let (old, new) = (old.unwrap_or(Value::None), new.unwrap_or(Value::None));
                let count = int(count.as_ref(), -1);
                like(value, strings::replace(self, &text()?, &self.text(&old)?, &self.text(&new)?, count)?)
            }
            "e" | "escape" => Value::Markup(self.escaped(value)?.into()),
            "forceescape" => Value::Markup(escape(&text()?).into()),
            "safe" => Value::Markup(text()?.into()),
            "striptags" => Value::Str(striptags(&text()?).into()),
            "format" => {
                if !args.kw.is_empty() && !args.pos.is_empty() {
                    return Err(Fault::new(
                        "jinja2.exceptions.FilterArgumentError",
                        "can't handle positional and keyword arguments at the same time",
                    ));
                }
                let values = if args.kw.is_empty() {
                    Value::Tuple(args.pos.into())
                } else {
                    Value::dict(args.kw.into_iter().map(|(name, value)| (Key::str(&name), value)).collect())
                };
                Value::Str(crate::format::percent(self, &text()?, &values)?.into())
            }
            "wordcount" => Value::int(words(&text()?)),
            "wordwrap" => {
                let [width, long, mark, hyphens] = args.bind(
                    "do_wordwrap",
                    ["width", "break_long_words", "wrapstring", "break_on_hyphens"],
                    0,
                    2,
                )?;
                let width = usize::try_from(int(width.as_ref(), 79)).unwrap_or(1).max(1);
                let mark = mark
                    .filter(|mark| !mark.is_none())
                    .map_or(Ok("\n".to_owned()), |mark| self.text(&mark))?;
                let (long, hyphens) = (flag(self, long.as_ref(), true)?, flag(self, hyphens.as_ref(), true)?);
                let text = text()?;
                // A word that is longer than a line is cut again and again.
                for line in text.lines() {
                    self.burn((line.len() as u64).saturating_pow(2) / width as u64 / 64)?;
                }
                Value::Str(crate::wrap::wordwrap(&text, width, long, hyphens, &mark).into())
            }
            "truncate" => {
                let [length, kill, end, leeway] =
                    args.bind("do_truncate", ["length", "killwords", "end", "leeway"], 0, 2)?;
                let end = end.map_or(Ok("...".to_owned()), |end| self.text(&end))?;
                let leeway = int(leeway.as_ref(), 5);
                truncate(
                    value,
                    &text()?,
                    int(length.as_ref(), 255),
                    flag(self, kill.as_ref(), false)?,
                    &end,
                    leeway,
                )?
            }
            "default" | "d" => {
                let [default, boolean] = args.bind("do_default", ["default_value", "boolean"], 0, 1)?;
                let default = default.unwrap_or_else(|| Value::str(""));
                let use_default =
                    value.is_undefined() || (flag(self, boolean.as_ref(), false)? && !self.truth(value)?);
                if use_default { default } else { value.clone() }
            }
            "int" => {
                let [default, base] = args.bind("do_int", ["default", "base"], 0, 1)?;
                to_int(value, default.unwrap_or(Value::Int(0)), int(base.as_ref(), 10))?
            }
            "float" => {
                let [default] = args.bind("do_float", ["default"], 0, 1)?;
                to_float(value, default.unwrap_or(Value::Float(0.0)))?
            }
            "abs" => match value {
                Value::Float(number) => Value::Float(number.abs()),
                Value::Undefined(missing) => return Err(undefined(missing)),
                other => {
                    if let Some(number) = other.as_int() {
                        Value::Int(number.checked_abs().ok_or_else(crate::ops::too_large)?)
                    } else {
                        let name = crate::repr::type_name(self, other);
                        return Err(Fault::type_error(format!("bad operand type for abs(): '{name}'")));
                    }
                }
            },
            "round" => {
                let [precision, method] = args.bind("do_round", ["precision", "method"], 0, 1)?;
                let method = method.map_or(Ok("common".to_owned()), |method| self.text(&method))?;
                round(self, value, int(precision.as_ref(), 0), &method)?
            }
            "list" => Value::list(self.items(value)?),
            "items" => match crate::ops::as_dict(value) {
                Some(pairs) => Value::iter(
                    pairs.into_iter().map(|(key, value)| Value::Tuple([key.0, value].into())).collect(),
                ),
                None if value.is_undefined() => Value::iter(Vec::new()),
                None => return Err(Fault::type_error("Can only get item pairs from a mapping.")),
            },
            "first" => match value {
                Value::Iter(items, _) => items.borrow_mut().next(),
                Value::Query(query) if query.plain() => {
                    query.rows.first().map(|index| Value::Record(query.row(*index)))
                }
                _ => self.items(value)?.into_iter().next(),
            }
            .unwrap_or_else(|| Value::undefined("No first item, sequence was empty.")),
            "last" => {
                let items = self.reversible(value)?;
                items
                    .into_iter()
                    .last()
                    .unwrap_or_else(|| Value::undefined("No last item, sequence was empty."))
            }
            "random" => {
                let items = self.items(value)?;
                // Nothing here is left to chance: the same template gives the same text.
                items
                    .into_iter()
                    .next()
                    .unwrap_or_else(|| Value::undefined("No random item, sequence was empty."))
            }
            "reverse" => match value {
                Value::Str(text) | Value::Markup(text) => {
                    self.burn_length(text.len())?;
                    like(value, text.chars().rev().collect())
                }
                _ => Value::iter(self.reversible(value)?.into_iter().rev().collect()),
            },
            "join" => {
                let [sep, attribute] = args.bind("do_join", ["d", "attribute"], 0, 2)?;
                self.join(value, sep.as_ref(), attribute.as_ref())?
            }
            "sum" => {
                let [attribute, start] = args.bind("do_sum", ["attribute", "start"], 0, 2)?;
                let mut sum = start.unwrap_or(Value::Int(0));
                for item in self.items(value)? {
                    let item = match &attribute {
                        None | Some(Value::None) => item,
                        Some(path) => self.path(&item, path, None)?,
                    };
                    sum = self.binary(crate::ast::BinOp::Add, &sum, &item)?;
                }
                sum
            }
            "min" | "max" => {
                let [case, attribute] = args.bind(name, ["case_sensitive", "attribute"], 0, 2)?;
                let case = flag(self, case.as_ref(), false)?;
                let mut best: Option<(Value, Value)> = None;
                for item in self.items(value)? {
                    let key = self.sort_key(&item, attribute.as_ref(), case, None)?;
                    let better = match &best {
                        None => true,
                        Some((_, known)) if name == "min" => self.order(&key, known, "<")?.is_lt(),
                        Some((_, known)) => self.order(&key, known, ">")?.is_gt(),
                    };
                    if better {
                        best = Some((item, key));
                    }
                }
                best.map_or_else(
                    || Value::undefined("No aggregated item, sequence was empty."),
                    |(item, _)| item,
                )
            }
            "sort" => {
                let [reverse, case, attribute] =
                    args.bind("do_sort", ["reverse", "case_sensitive", "attribute"], 0, 2)?;
                let case = flag(self, case.as_ref(), false)?;
                let mut items = self.items(value)?;
                let paths = attribute
                    .as_ref()
                    .filter(|path| !path.is_none())
                    .map(|path| self.text(path))
                    .transpose()?;
                self.sort_by(&mut items, flag(self, reverse.as_ref(), false)?, &|cx, item| match &paths {
                    None => Ok(Self::fold_case(item.clone(), case)),
                    Some(paths) => {
                        let keys: Res<Vec<Value>> = paths
                            .split(',')
                            .map(|path| Ok(Self::fold_case(cx.path(item, &Value::str(path), None)?, case)))
                            .collect();
                        Ok(Value::Tuple(keys?.into()))
                    }
                })?;
                Value::list(items)
            }
            "unique" => {
                let [case, attribute] = args.bind("do_unique", ["case_sensitive", "attribute"], 0, 2)?;
                let case = flag(self, case.as_ref(), false)?;
                #[expect(clippy::mutable_key_type, reason = "only what cannot change is a key")]
                let mut seen = std::collections::HashSet::new();
                let mut kept = Vec::new();
                for item in self.items(value)? {
                    let key = self.sort_key(&item, attribute.as_ref(), case, None)?;
                    self.hashable(&key)?;
                    if seen.insert(Key(key)) {
                        kept.push(item);
                    }
                }
                Value::iter(kept)
            }
            "groupby" => {
                let [attribute, default, case] =
                    args.bind("do_groupby", ["attribute", "default", "case_sensitive"], 1, 2)?;
                self.groupby(value, attribute.as_ref(), default.as_ref(), flag(self, case.as_ref(), false)?)?
            }
            "dictsort" => {
                let [case, by, reverse] =
                    args.bind("do_dictsort", ["case_sensitive", "by", "reverse"], 0, 1)?;
                let by = by.map_or(Ok("key".to_owned()), |by| self.text(&by))?;
                let case = flag(self, case.as_ref(), false)?;
                let Some(pairs) = crate::ops::as_dict(value) else {
                    let name = crate::repr::type_name(self, value);
                    return Err(Fault::attribute(format!("'{name}' object has no attribute 'items'")));
                };
                let mut items: Vec<Value> =
                    pairs.into_iter().map(|(key, value)| Value::Tuple([key.0, value].into())).collect();
                let at = i128::from(by == "value");
                self.sort_by(&mut items, flag(self, reverse.as_ref(), false)?, &|cx, item| {
                    Ok(Self::fold_case(cx.get_item(item, &Value::Int(at))?, case))
                })?;
                Value::list(items)
            }
            "batch" => {
                let [count, fill] = args.bind("do_batch", ["linecount", "fill_with"], 1, 1)?;
                let count = usize::try_from(int(count.as_ref(), 1)).unwrap_or(1).max(1);
                let mut batches: Vec<Vec<Value>> =
                    self.items(value)?.chunks(count).map(<[Value]>::to_vec).collect();
                if let (Some(last), Some(fill)) = (batches.last_mut(), fill.filter(|fill| !fill.is_none())) {
                    self.burn_length(count)?;
                    last.resize(count, fill);
                }
                Value::iter(batches.into_iter().map(Value::list).collect())
            }
            "slice" => {
                let [count, fill] = args.bind("do_slice", ["slices", "fill_with"], 1, 1)?;
                let count = usize::try_from(int(count.as_ref(), 1)).unwrap_or(1).clamp(1, 100_000);
                Value::iter(slices(&self.items(value)?, count, fill.as_ref()))
            }
            "map" => self.map(value, args)?,
            "select" | "reject" | "selectattr" | "rejectattr" => self.select(name, value, args)?,
            "attr" => {
                let [name] = args.bind("do_attr", ["name"], 1, 2)?;
                let name = self.text(&name.unwrap_or(Value::None))?;
                if let Value::Undefined(missing) = value {
                    return Err(undefined(missing));
                }
                if name.starts_with('_') {
                    return self.get_attr(value, &name).map(Some);
                }
                if let Some(found) = self.attribute(value, &name)? {
                    found
                } else {
                    let of = crate::repr::object_name(self, value);
                    Value::undefined(format!("'{of}' has no attribute '{name}'"))
                }
            }
            "tojson" => {
                let [indent] = args.bind("do_tojson", ["indent"], 0, 2)?;
                let indent = indent.and_then(|indent| indent.as_int());
                let style = crate::serialise::JsonStyle { indent, sort: true };
                let json = crate::serialise::json(self, value, &style)?;
                let json = json.replace('<', "\\u003c").replace('>', "\\u003e");
                Value::Markup(json.replace('&', "\\u0026").replace('\'', "\\u0027").into())
            }
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
            "filesizeformat" => {
                let [binary] = args.bind("do_filesizeformat", ["binary"], 0, 1)?;
                let bytes = to_float(value, Value::Float(0.0))?.as_float().unwrap_or(0.0);
                Value::Str(filesize(bytes, flag(self, binary.as_ref(), false)?).into())
            }
            "urlencode" => Value::Str(self.urlencode(value)?.into()),
            "urlize" => Value::Str(text()?.into()),
            "xmlattr" => {
                let [space] = args.bind("do_xmlattr", ["autospace"], 0, 2)?;
                let mut parts = Vec::new();
                for (key, value) in crate::ops::as_dict(value).unwrap_or_default() {
                    if !value.is_none() && !value.is_undefined() {
                        parts.push(format!("{}=\"{}\"", self.escaped(&key.0)?, self.escaped(&value)?));
                    }
                }
                let joined = parts.join(" ");
                let space = flag(self, space.as_ref(), true)? && !joined.is_empty();
                Value::Str(if space { format!(" {joined}") } else { joined }.into())
            }
            _ => return Ok(None),
        }))
    }

    fn reversible(&self, value: &Value) -> Res<Vec<Value>> {
        match value {
            Value::Iter(..) => {
                let name = crate::repr::type_name(self, value);
                Err(Fault::type_error(format!("'{name}' object is not reversible")))
            }
            _ => self.items(value),
        }
    }

    fn join(&self, value: &Value, sep: Option<&Value>, attribute: Option<&Value>) -> Res<Value> {
        let items = self.items(value)?;
        let escaping = self.autoescape.get();
        let sep = match sep {
            Some(sep) if escaping => self.escaped(sep)?,
            Some(sep) => self.text(sep)?,
            None => String::new(),
        };
        let mut out = String::new();
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push_str(&sep);
            }
            let found;
            let item = match attribute {
                None | Some(Value::None) => item,
                Some(path) => {
                    found = self.path(item, path, None)?;
                    &found
                }
            };
            if escaping {
                out.push_str(&self.escaped(item)?);
            } else {
                self.write_text(item, &mut out)?;
            }
            self.guard_output(out.len())?;
        }
        self.burn_length(out.len())?;
        Ok(if escaping { Value::Markup(out.into()) } else { Value::Str(out.into()) })
    }

    fn groupby(
        &self,
        value: &Value,
        attribute: Option<&Value>,
        default: Option<&Value>,
        case: bool,
    ) -> Res<Value> {
        let mut items = self.items(value)?;
        self.sort_by(&mut items, false, &|cx, item| cx.sort_key(item, attribute, case, default))?;
        let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
        for item in items {
            let key = self.sort_key(&item, attribute, case, default)?;
            match groups.last_mut() {
                Some((known, _, members)) if self.equal(known, &key)? => members.push(item),
                _ => {
                    let shown = self.sort_key(&item, attribute, true, default)?;
                    groups.push((key, shown, vec![item]));
                }
            }
        }
        let tuples =
            groups.into_iter().map(|(_, key, members)| Value::Tuple([key, Value::list(members)].into()));
        Ok(Value::list(tuples.collect()))
    }

    fn map(&self, value: &Value, mut args: Args) -> Res<Value> {
        let items = self.items(value)?;
        let mut out = Vec::with_capacity(items.len());
        if args.pos.is_empty()
            && let Some(path) = args.take("attribute")
        {
            let default = args.take("default");
            if let Some((name, _)) = args.kw.first() {
                let message = format!("Unexpected keyword argument '{name}'");
                return Err(Fault::new("jinja2.exceptions.FilterArgumentError", message));
            }
            for item in items {
                self.burn(1)?;
                out.push(self.path(&item, &path, default.as_ref())?);
            }
            return Ok(Value::iter(out));
        }
        if args.pos.is_empty() {
            return Err(Fault::new(
                "jinja2.exceptions.FilterArgumentError",
                "map requires a filter argument",
            ));
        }
        let name = self.text(&args.pos.remove(0))?;
        if !crate::names::exists(crate::names::Kind::Filter, &name) {
            return Err(Fault::runtime(format!("No filter named '{name}'.")));
        }
        for item in items {
            out.push(self.filter(&name, &item, args.clone())?);
        }
        Ok(Value::iter(out))
    }

    fn select(&self, name: &str, value: &Value, mut args: Args) -> Res<Value> {
        let wanted = name.starts_with("select");
        let path = if name.ends_with("attr") {
            if args.pos.is_empty() {
                return Err(Fault::new(
                    "jinja2.exceptions.FilterArgumentError",
                    "Missing parameter for attribute name",
                ));
            }
            Some(args.pos.remove(0))
        } else {
            None
        };
        let test = if args.pos.is_empty() { None } else { Some(self.text(&args.pos.remove(0))?) };
        if let Some(test) = &test
            && !crate::names::exists(crate::names::Kind::Test, test)
        {
            return Err(Fault::runtime(format!("No test named '{test}'.")));
        }
        let mut out = Vec::new();
        for item in self.items(value)? {
            self.burn(1)?;
            let subject = match &path {
                None => item.clone(),
                Some(path) => self.path(&item, path, None)?,
            };
            let holds = match &test {
                None => self.truth(&subject)?,
                Some(test) => self.test(test, &subject, args.clone())?,
            };
            if holds == wanted {
                out.push(item);
            }
        }
        Ok(Value::iter(out))
    }

    fn urlencode(&self, value: &Value) -> Res<String> {
        let pairs = match value {
            Value::Dict(_) | Value::Prefix(..) => crate::ops::as_dict(value).unwrap_or_default(),
            Value::List(_) | Value::Tuple(_) => {
                let mut pairs = Dict::new();
                for pair in self.items(value)? {
                    if let [key, value] = &*self.items(&pair)? {
                        self.hashable(key)?;
                        pairs.insert(Key(key.clone()), value.clone());
                    }
                }
                pairs
            }
            _ => return Ok(quoted(&self.text(value)?, true)),
        };
        let mut parts = Vec::new();
        for (key, value) in &pairs {
            let value = quoted(&self.text(value)?, false).replace("%20", "+");
            parts.push(format!("{}={value}", quoted(&self.text(&key.0)?, false).replace("%20", "+")));
        }
        Ok(parts.join("&"))
    }
}

fn quoted(text: &str, slash: bool) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) || (slash && byte == b'/') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('>', "&gt;")
        .replace('<', "&lt;")
        .replace('\'', "&#39;")
        .replace('"', "&#34;")
}

/// Jinja2's `title`: words begin after blanks, hyphens and brackets.
fn title(text: &str) -> String {
    let mut out = String::new();
    let mut begin = true;
    for c in text.chars() {
        if c.is_ascii() {
            out.push(if begin { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
        } else if begin {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        begin = c == '-' || c.is_whitespace() || "({[<".contains(c);
    }
    out
}

fn words(text: &str) -> usize {
    text.split(|c: char| c != '_' && !c.is_alphanumeric()).filter(|word| !word.is_empty()).count()
}

fn striptags(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    let plain = out.split_whitespace().collect::<Vec<_>>().join(" ");
    plain
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

fn truncate(value: &Value, text: &str, length: i128, kill: bool, end: &str, leeway: i128) -> Res<Value> {
    let size = end.chars().count() as i128;
    if length < size {
        return Err(Fault::new("AssertionError", format!("expected length >= {size}, got {length}")));
    }
    if text.chars().count() as i128 <= length.saturating_add(leeway) {
        return Ok(value.clone());
    }
    let keep = usize::try_from(length - size).unwrap_or(0);
    let cut: String = text.chars().take(keep).collect();
    if kill {
        return Ok(like(value, format!("{cut}{end}")));
    }
    let cut = cut.rsplit_once(' ').map_or(cut.as_str(), |(before, _)| before);
    Ok(like(value, format!("{cut}{end}")))
}

fn to_int(value: &Value, default: Value, base: i128) -> Res<Value> {
    if let Value::Undefined(missing) = value {
        return Err(undefined(missing));
    }
    if let Some(text) = value.as_str() {
        let clean = text.trim().replace('_', "");
        let radix = u32::try_from(base).unwrap_or(10);
        let (negative, digits) = clean.strip_prefix('-').map_or((false, clean.as_str()), |rest| (true, rest));
        let digits = digits.strip_prefix('+').unwrap_or(digits);
        let digits = match radix {
            16 => digits.trim_start_matches("0x"),
            8 => digits.trim_start_matches("0o"),
            2 => digits.trim_start_matches("0b"),
            _ => digits,
        };
        if (2..=36).contains(&radix)
            && let Ok(number) = i128::from_str_radix(digits, radix)
            && !digits.starts_with(['+', '-'])
        {
            return if negative { number.checked_neg() } else { Some(number) }
                .map(Value::Int)
                .ok_or_else(crate::ops::too_large);
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "as Python cuts")]
    match to_float(value, Value::None)? {
        Value::Float(number) if number.is_finite() => {
            Ok(Value::Int(value.as_int().unwrap_or(number.trunc() as i128)))
        }
        _ => Ok(default),
    }
}

fn to_float(value: &Value, default: Value) -> Res<Value> {
    if let Value::Undefined(missing) = value {
        return Err(undefined(missing));
    }
    if let Some(text) = value.as_str() {
        return Ok(text.trim().replace('_', "").parse().map_or(default, Value::Float));
    }
    Ok(value.as_float().map_or(default, Value::Float))
}

fn round(cx: &Cx, value: &Value, precision: i128, method: &str) -> Res<Value> {
    let Some(number) = value.as_float() else {
        if let Value::Undefined(missing) = value {
            return Err(undefined(missing));
        }
        let name = crate::repr::type_name(cx, value);
        return Err(Fault::type_error(format!("type {name} doesn't define __round__ method")));
    };
    let digits = i32::try_from(precision).unwrap_or(0).clamp(-300, 300);
    let scale = 10_f64.powi(digits);
    let rounded = match method {
        "ceil" => (number * scale).ceil() / scale,
        "floor" => (number * scale).floor() / scale,
        "common" => {
            if let Some(whole) = value.as_int() {
                let Ok(places) = u32::try_from(precision.saturating_neg()) else {
                    return Ok(Value::Int(whole));
                };
                let Some(unit) = 10_i128.checked_pow(places) else { return Ok(Value::Int(0)) };
                let (down, rest) = (whole.div_euclid(unit), whole.rem_euclid(unit));
                let up = rest > unit - rest || (rest == unit - rest && down % 2 != 0);
                let rounded = (down + i128::from(up)).checked_mul(unit);
                return rounded.map(Value::Int).ok_or_else(crate::ops::too_large);
            }
            match usize::try_from(precision) {
                // Printing rounds to the nearest, halves of what is really stored to even.
                Ok(places) => format!("{number:.places$}").parse().unwrap_or(number),
                Err(_) => (number * scale).round_ties_even() / scale,
            }
        }
        _ => {
            return Err(Fault::new(
                "jinja2.exceptions.FilterArgumentError",
                "method must be common, ceil or floor",
            ));
        }
    };
    Ok(Value::Float(rounded))
}

fn slices(items: &[Value], count: usize, fill: Option<&Value>) -> Vec<Value> {
    let (per, extra) = (items.len() / count, items.len() % count);
    let mut at = 0;
    (0..count)
        .map(|slice| {
            let size = per + usize::from(slice < extra);
            let mut part = items[at..at + size].to_vec();
            at += size;
            if let Some(fill) = fill.filter(|fill| !fill.is_none())
                && slice >= extra
                && extra > 0
            {
                part.push(fill.clone());
            }
            Value::list(part)
        })
        .collect()
}

fn filesize(bytes: f64, binary: bool) -> String {
    let base = if binary { 1024.0 } else { 1000.0 };
    #[expect(clippy::float_cmp, reason = "exactly one")]
    if bytes == 1.0 {
        return "1 Byte".into();
    }
    if bytes < base {
        return format!("{} Bytes", bytes.trunc());
    }
    let units = if binary {
        ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]
    } else {
        ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
    };
    let mut unit = base;
    for (at, name) in units.iter().enumerate() {
        unit *= base;
        if bytes < unit || at + 1 == units.len() {
            return format!("{:.1} {name}", base * bytes / unit);
        }
    }
    String::new()
}
