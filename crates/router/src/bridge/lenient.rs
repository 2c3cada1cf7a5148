//! JSON of which nobody knows what stands where: what is of another kind than expected counts as missing.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

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

/// A dictionary with some fields; empty if it is none.
#[derive(Default)]
pub(super) struct Fields<T>(pub(super) T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Fields<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Any<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
                pass_over(list).map(|()| T::default())
            }
            fn visit_str<E>(self, _: &str) -> Result<T, E> {
                Ok(T::default())
            }
            fn visit_i64<E>(self, _: i64) -> Result<T, E> {
                Ok(T::default())
            }
            fn visit_u64<E>(self, _: u64) -> Result<T, E> {
                Ok(T::default())
            }
            fn visit_f64<E>(self, _: f64) -> Result<T, E> {
                Ok(T::default())
            }
            fn visit_bool<E>(self, _: bool) -> Result<T, E> {
                Ok(T::default())
            }
            fn visit_unit<E>(self) -> Result<T, E> {
                Ok(T::default())
            }
        }
        deserializer.deserialize_any(Any(PhantomData)).map(Self)
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
        struct Any<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Any<T> {
            type Value = Dictionary<'de, T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a dictionary")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some((name, value)) = map.next_entry::<Said<'de>, T>()? {
                    if let Said::Text(name) = name {
                        all.push((name, value));
                    }
                }
                Ok(Dictionary(all))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Dictionary::default())
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}
