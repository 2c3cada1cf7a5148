//! Questions: which objects, in which order. However many objects an answer has, it takes as many statements as the model
//! has lists of references, and one.
//!
//! A condition is a path of field names with `__` between them, through references and lists of references, and a lookup
//! at its end:
//!
//! | Lookup | Holds where the field |
//! | --- | --- |
//! | none | is one of the values |
//! | `ie`, `ic`, `isw`, `iew` | is, contains, begins with, ends with one, whatever the case of ASCII letters |
//! | `lt`, `lte`, `gt`, `gte` | is less …; an address by family, address and length |
//! | `isnull` | is empty (`true`) or not (`false`) |
//! | `family` | is an address of this IP version |
//! | `host` | is this address, whatever its length |
//! | `within` | is an address in this network |
//! | `n`, `nie`, `nic`, `nisw`, `niew` | the contrary, with the empty ones |

use crate::Session;

use super::data::Data;
use super::model::Model;
use super::problems::ObjectError;
use super::read;
use super::record::Record;
use super::sql::Scope;

/// Conditions of which one has to hold.
type Alternatives = Vec<(String, Vec<Data>)>;

/// A question for objects of one model.
#[derive(Clone, Debug)]
pub struct Query {
    model: &'static Model,
    conditions: Vec<Alternatives>,
    ids: Option<Vec<i64>>,
    order: Option<Vec<String>>,
    limit: Option<u32>,
    offset: u32,
    hold: bool,
    lists: bool,
}

impl Query {
    /// All of them, in their default order.
    pub fn of(model: &'static Model) -> Self {
        Self {
            model,
            conditions: Vec::new(),
            ids: None,
            order: None,
            limit: None,
            offset: 0,
            hold: false,
            lists: true,
        }
    }

    /// Only those for which the condition holds too. Text is taken for what the field holds: `"64500"` for a number.
    #[must_use]
    pub fn filter(self, path: &str, value: impl Into<Data>) -> Self {
        self.filter_any(path, vec![value.into()])
    }

    /// As [`Query::filter`], with several values of which one has to do.
    #[must_use]
    pub fn filter_any(mut self, path: &str, values: Vec<Data>) -> Self {
        self.conditions.push(vec![(path.to_owned(), values)]);
        self
    }

    /// Only those for which the condition holds on one of these paths.
    #[must_use]
    pub fn search(mut self, paths: &[&str], text: &str) -> Self {
        let alternative = |path: &&str| ((*path).to_owned(), vec![text.into()]);
        self.conditions.push(paths.iter().map(alternative).collect());
        self
    }

    /// Only those with these numbers, as far as they are there.
    #[must_use]
    pub fn ids(mut self, ids: Vec<i64>) -> Self {
        self.ids = Some(ids);
        self
    }

    /// In this order; `-` in front turns a field round. A reference sorts as what it refers to.
    #[must_use]
    pub fn order(mut self, fields: &[&str]) -> Self {
        self.order = Some(fields.iter().map(|field| (*field).to_owned()).collect());
        self
    }

    /// So many at most.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Without the first so many.
    #[must_use]
    pub fn offset(mut self, offset: u32) -> Self {
        self.offset = offset;
        self
    }

    /// Held still until the transaction ends.
    #[must_use]
    pub(crate) fn hold(mut self) -> Self {
        self.hold = true;
        self
    }

    /// Without lists of references and tags, which then seem empty: for looking at single values, never for storing.
    #[must_use]
    pub fn without_lists(mut self) -> Self {
        self.lists = false;
        self
    }

    /// The objects.
    ///
    /// # Errors
    /// [`ObjectError::Question`] for paths, lookups and values that the model does not have.
    pub async fn list(&self, session: &mut Session<'_>) -> Result<Vec<Record>, ObjectError> {
        let mut scope = self.scope(session)?;
        let order: Vec<&str> = match &self.order {
            Some(order) => order.iter().map(String::as_str).collect(),
            None => self.model.order.to_vec(),
        };
        let order = scope.order(self.model, &order)?;
        let columns = read::columns(self.model, "t0");
        let mut sql =
            format!("SELECT {columns} FROM {} t0{} ORDER BY {order}", self.model.table, scope.tail());
        if self.limit.is_some() || self.offset > 0 {
            // PostgreSQL takes an offset alone, SQLite does not.
            let limit = self.limit.map_or(i64::MAX, i64::from);
            let page = format!(" LIMIT {limit} OFFSET {}", self.offset);
            sql.push_str(&page);
        }
        if self.hold && session.engine() == crate::Engine::Postgres {
            // A SQLite transaction that writes is alone anyway.
            sql.push_str(" FOR UPDATE OF t0");
        }
        let mut records = read::records(session, self.model, &sql, scope.into_values()).await?;
        if self.lists {
            read::lists(session, self.model, &mut records).await?;
        }
        Ok(records)
    }

    /// The first of them.
    ///
    /// # Errors
    /// As [`Query::list`].
    pub async fn first(self, session: &mut Session<'_>) -> Result<Option<Record>, ObjectError> {
        Ok(self.limit(1).list(session).await?.pop())
    }

    /// How many there are, whatever the limit.
    ///
    /// # Errors
    /// As [`Query::list`].
    pub async fn count(&self, session: &mut Session<'_>) -> Result<i64, ObjectError> {
        let scope = self.scope(session)?;
        let sql = format!("SELECT COUNT(*) AS count FROM {} t0{}", self.model.table, scope.tail());
        let row = session.row(&sql, scope.into_values()).await?;
        Ok(row.map_or(Ok(0), |row| row.get("count"))?)
    }

    fn scope(&self, session: &Session<'_>) -> Result<Scope, ObjectError> {
        let mut scope = Scope::new(session.engine());
        if let Some(ids) = &self.ids {
            scope.only(ids);
        }
        for alternatives in &self.conditions {
            scope.any(self.model, alternatives)?;
        }
        Ok(scope)
    }
}
