//! JSON of which nobody knows what stands where: what is of another kind than expected counts as missing.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What stands in a field.
#[derive(Default)]
pub(super) enum Said<'a> {
    Text(Cow<'a, str>),
    Number(i64),
    Flag(bool),
    /// Nothing, a list, or a dictionary.
    #[default]
    Nothing,
}

impl Said<'_> {
    /// A text; empty if it is none.
    pub(super) fn text(self) -> String {
        if let Self::Text(text) = self { text.into_owned() } else { String::new() }
    }

    /// A number, which may come as a fraction or as text; -1 if it is none.
    pub(super) fn number(&self) -> i64 {
        match self {
            Self::Text(digits) => digits.trim().parse().unwrap_or(-1),
            Self::Number(number) => *number,
            Self::Flag(_) | Self::Nothing => -1,
        }
    }

    /// Whether it is true.
    pub(super) fn flag(&self) -> bool {
        matches!(self, Self::Flag(true))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Said<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Said<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Said<'de>, E> {
                Ok(Said::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Said<'de>, E> {
                Ok(Said::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Said<'de>, E> {
                Ok(Said::Number(number))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Said<'de>, E> {
                Ok(Said::Number(i64::try_from(number).unwrap_or(i64::MAX)))
            }
            #[expect(
                clippy::cast_possible_truncation,
                reason = "casts of floats stop at the ends of the range"
            )]
            fn visit_f64<E>(self, number: f64) -> Result<Said<'de>, E> {
                Ok(Said::Number(number as i64))
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Said<'de>, E> {
                Ok(Said::Flag(flag))
            }
            fn visit_unit<E>(self) -> Result<Said<'de>, E> {
                Ok(Said::Nothing)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Said<'de>, A::Error> {
                pass_over(list).map(|()| Said::Nothing)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Said<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Said::Nothing)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

fn pass_over<'de, A: SeqAccess<'de>>(mut list: A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

/// What is done with each entry of a dictionary as it is read.
pub(super) trait Entry<'de> {
    /// Reads the value that has this name.
    fn entry<D: Deserializer<'de>>(&mut self, name: Cow<'de, str>, value: D) -> Result<(), D::Error>;
}

/// A dictionary entry by entry, so that what is read of one is all that is held of it. Null is an empty one; anything else is
/// an error.
pub(super) struct Each<E>(pub(super) E);

impl<'de, E: Entry<'de>> DeserializeSeed<'de> for Each<E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, E: Entry<'de>> Visitor<'de> for Each<E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dictionary")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<(), A::Error> {
        each(&mut self.0, map)
    }

    fn visit_unit<F>(self) -> Result<(), F> {
        Ok(())
    }
}

fn each<'de, E: Entry<'de>, A: MapAccess<'de>>(entries: &mut E, mut map: A) -> Result<(), A::Error> {
    while let Some(name) = map.next_key::<Said<'de>>()? {
        match name {
            Said::Text(name) => map.next_value_seed(One { entries, name })?,
            _ => map.next_value::<IgnoredAny>().map(drop)?,
        }
    }
    Ok(())
}

/// The value of one entry.
struct One<'e, 'de, E> {
    entries: &'e mut E,
    name: Cow<'de, str>,
}

impl<'de, E: Entry<'de>> DeserializeSeed<'de> for One<'_, 'de, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.entries.entry(self.name, deserializer)
    }
}

/// A list item by item. Anything else is an error.
pub(super) struct Items<F, T>(F, PhantomData<T>);

impl<F: FnMut(T), T> Items<F, T> {
    /// What is done with each.
    pub(super) fn new(take: F) -> Self {
        Self(take, PhantomData)
    }
}

impl<'de, F: FnMut(T), T: Deserialize<'de>> DeserializeSeed<'de> for Items<F, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(T), T: Deserialize<'de>> Visitor<'de> for Items<F, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(item) = list.next_element()? {
            (self.0)(item);
        }
        Ok(())
    }
}

/// A dictionary with some fields; empty if it is none.
#[derive(Default)]
pub(super) struct Fields<T>(pub(super) T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Fields<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient(Whole(PhantomData))).map(Self)
    }
}

/// The fields of a dictionary entry by entry; none if it is none.
pub(super) struct EachField<E>(pub(super) E);

impl<'de, E: Entry<'de>> DeserializeSeed<'de> for EachField<E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(Lenient(self))
    }
}

/// What is made of a dictionary.
trait Make<'de> {
    type Made: Default;
    fn make<A: MapAccess<'de>>(self, map: A) -> Result<Self::Made, A::Error>;
}

struct Whole<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Make<'de> for Whole<T> {
    type Made = T;
    fn make<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

impl<'de, E: Entry<'de>> Make<'de> for EachField<E> {
    type Made = ();
    fn make<A: MapAccess<'de>>(mut self, map: A) -> Result<(), A::Error> {
        each(&mut self.0, map)
    }
}

/// Anything; only a dictionary counts.
struct Lenient<M>(M);

impl<'de, M: Make<'de>> Visitor<'de> for Lenient<M> {
    type Value = M::Made;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<M::Made, A::Error> {
        self.0.make(map)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<M::Made, A::Error> {
        pass_over(list).map(|()| M::Made::default())
    }
    fn visit_str<E>(self, _: &str) -> Result<M::Made, E> {
        Ok(M::Made::default())
    }
    fn visit_i64<E>(self, _: i64) -> Result<M::Made, E> {
        Ok(M::Made::default())
    }
    fn visit_u64<E>(self, _: u64) -> Result<M::Made, E> {
        Ok(M::Made::default())
    }
    fn visit_f64<E>(self, _: f64) -> Result<M::Made, E> {
        Ok(M::Made::default())
    }
    fn visit_bool<E>(self, _: bool) -> Result<M::Made, E> {
        Ok(M::Made::default())
    }
    fn visit_unit<E>(self) -> Result<M::Made, E> {
        Ok(M::Made::default())
    }
}

/// A dictionary with names that nobody knows before. Null is an empty one; anything else is an error.
pub(super) struct Dictionary<'a, T>(pub(super) Vec<(Cow<'a, str>, T)>);

impl<T> Default for Dictionary<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Dictionary<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut all = Self::default();
        Each(&mut all).deserialize(deserializer)?;
        Ok(all)
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Entry<'de> for &mut Dictionary<'a, T> {
    fn entry<D: Deserializer<'de>>(&mut self, name: Cow<'de, str>, value: D) -> Result<(), D::Error> {
        self.0.push((name, T::deserialize(value)?));
        Ok(())
    }
}
