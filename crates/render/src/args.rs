//! The arguments of a call.

use std::rc::Rc;

use crate::error::{Fault, Res};
use crate::value::Value;

/// Positional and keyword arguments.
#[derive(Clone, Default)]
pub(crate) struct Args {
    pub(crate) pos: Vec<Value>,
    pub(crate) kw: Vec<(Rc<str>, Value)>,
}

impl Args {
    pub(crate) fn of(pos: Vec<Value>) -> Self {
        Self { pos, kw: Vec::new() }
    }
    /// Takes a keyword argument out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.kw.iter().position(|(known, _)| **known == *name)?;
        Some(self.kw.remove(at).1)
    }
    pub(crate) fn kw(&self, name: &str) -> Option<&Value> {
        self.kw.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
    }

    /// The arguments of a Python function by the names of its parameters; `required` of them must be there.
    /// `skip` parameters stand before these and count in messages.
    pub(crate) fn bind<const N: usize>(
        mut self,
        function: &str,
        names: [&str; N],
        required: usize,
        skip: usize,
    ) -> Res<[Option<Value>; N]> {
        if self.pos.len() > N {
            let (most, given) = (N + skip, self.pos.len() + skip);
            let plural = if most == 1 { "" } else { "s" };
            let range =
                if required == N { format!("{most}") } else { format!("from {} to {most}", required + skip) };
            let message =
                format!("{function}() takes {range} positional argument{plural} but {given} were given");
            return Err(Fault::type_error(message));
        }
        let mut bound = [const { None }; N];
        for (slot, value) in bound.iter_mut().zip(self.pos.drain(..)) {
            *slot = Some(value);
        }
        for (name, value) in self.kw {
            let Some(at) = names.iter().position(|known| **known == *name) else {
                return Err(Fault::type_error(format!(
                    "{function}() got an unexpected keyword argument '{name}'"
                )));
            };
            if bound[at].is_some() {
                return Err(Fault::type_error(format!(
                    "{function}() got multiple values for argument '{name}'"
                )));
            }
            bound[at] = Some(value);
        }
        let absent: Vec<String> = names
            .iter()
            .zip(&bound)
            .take(required)
            .filter(|(_, v)| v.is_none())
            .map(|(n, _)| format!("'{n}'"))
            .collect();
        if !absent.is_empty() {
            let plural = if absent.len() == 1 { "" } else { "s" };
            let list = absent.join(" and ");
            let count = absent.len();
            let message =
                format!("{function}() missing {count} required positional argument{plural}: {list}");
            return Err(Fault::type_error(message));
        }
        Ok(bound)
    }
}
