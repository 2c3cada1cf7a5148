//! Filters that compare items: sorted, grouped, without doubles, the least and the greatest.

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::value::{Key, Value};

use super::flag;

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
}

/// `min` or `max`.
pub(super) fn extreme(cx: &Cx, name: &str, value: &Value, args: Args) -> Res<Value> {
    let [case, attribute] = args.bind(name, ["case_sensitive", "attribute"], 0, 2)?;
    let case = flag(cx, case.as_ref(), false)?;
    let mut best: Option<(Value, Value)> = None;
    for item in cx.items(value)? {
        let key = cx.sort_key(&item, attribute.as_ref(), case, None)?;
        let better = match &best {
            None => true,
            Some((_, known)) if name == "min" => cx.order(&key, known, "<")?.is_lt(),
            Some((_, known)) => cx.order(&key, known, ">")?.is_gt(),
        };
        if better {
            best = Some((item, key));
        }
    }
    Ok(best.map_or_else(|| Value::undefined("No aggregated item, sequence was empty."), |(item, _)| item))
}

pub(super) fn sort(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [reverse, case, attribute] =
        args.bind("do_sort", ["reverse", "case_sensitive", "attribute"], 0, 2)?;
    let case = flag(cx, case.as_ref(), false)?;
    let mut items = cx.items(value)?;
    let paths = attribute.as_ref().filter(|path| !path.is_none()).map(|path| cx.text(path)).transpose()?;
    cx.sort_by(&mut items, flag(cx, reverse.as_ref(), false)?, &|cx, item| match &paths {
        None => Ok(Cx::fold_case(item.clone(), case)),
        Some(paths) => {
            let keys: Res<Vec<Value>> = paths
                .split(',')
                .map(|path| Ok(Cx::fold_case(cx.path(item, &Value::str(path), None)?, case)))
                .collect();
            Ok(Value::Tuple(keys?.into()))
        }
    })?;
    Ok(Value::list(items))
}

pub(super) fn unique(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [case, attribute] = args.bind("do_unique", ["case_sensitive", "attribute"], 0, 2)?;
    let case = flag(cx, case.as_ref(), false)?;
    #[expect(clippy::mutable_key_type, reason = "only what cannot change is a key")]
    let mut seen = std::collections::HashSet::new();
    let mut kept = Vec::new();
    for item in cx.items(value)? {
        let key = cx.sort_key(&item, attribute.as_ref(), case, None)?;
        cx.hashable(&key)?;
        if seen.insert(Key(key)) {
            kept.push(item);
        }
    }
    Ok(Value::iter(kept))
}

pub(super) fn groupby(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [attribute, default, case] =
        args.bind("do_groupby", ["attribute", "default", "case_sensitive"], 1, 2)?;
    cx.groupby(value, attribute.as_ref(), default.as_ref(), flag(cx, case.as_ref(), false)?)
}

pub(super) fn dictsort(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [case, by, reverse] = args.bind("do_dictsort", ["case_sensitive", "by", "reverse"], 0, 1)?;
    let by = by.map_or(Ok("key".to_owned()), |by| cx.text(&by))?;
    let case = flag(cx, case.as_ref(), false)?;
    let Some(pairs) = crate::ops::as_dict(value) else {
        let name = crate::repr::type_name(cx, value);
        return Err(Fault::attribute(format!("'{name}' object has no attribute 'items'")));
    };
    let mut items: Vec<Value> =
        pairs.into_iter().map(|(key, value)| Value::Tuple([key.0, value].into())).collect();
    let at = i128::from(by == "value");
    cx.sort_by(&mut items, flag(cx, reverse.as_ref(), false)?, &|cx, item| {
        Ok(Cx::fold_case(cx.get_item(item, &Value::Int(at))?, case))
    })?;
    Ok(Value::list(items))
}
