//! References between cached records: there is no foreign key, so this is where a missing parent is noticed.

use super::staging::{RENOTED, count};
use super::tables::{CacheTable, TABLES, table_of};
use crate::{Session, StoreError};

/// Marks records whose required parent is missing, unmarks those whose parent has come, and notes the former under
/// the run. Gives the number of dangling records per namespace afterwards.
///
/// A record can only have become dangling if the run touched it or deleted a parent; so unless `whole` is asked for,
/// only those are looked at.
pub async fn check(
    session: &mut Session<'_>,
    run: i64,
    whole: bool,
) -> Result<Vec<(&'static str, i64)>, StoreError> {
    let mut dangling = Vec::new();
    for table in TABLES {
        let (name, namespace) = (table.table, table.namespace);
        let suspects = if whole { "NOT c.dangling".to_owned() } else { suspects_sql(&table, run) };
        let Some(orphans) = orphans_sql(&table, &suspects) else { continue };
        let lost = session
            .execute(
                &format!(
                    "INSERT INTO peeringdb_synchronisationrecord (synchronisation_id, namespace, record_id, action, label) \
                     SELECT CAST(? AS BIGINT), '{namespace}', t.id, 'dangling', {} FROM {name} t \
                     WHERE t.id IN ({orphans}) AND NOT t.dangling {RENOTED}",
                    table.label_sql("t")
                ),
                vec![run.into()],
            )
            .await?;
        if lost > 0 {
            let mark = format!("UPDATE {name} SET dangling = TRUE WHERE id IN ({orphans}) AND NOT dangling");
            session.execute(&mark, vec![]).await?;
        }
        let marked = count(session, &format!("{name} t WHERE t.dangling")).await?;
        if marked > 0
            && let Some(still) = orphans_sql(&table, "c.dangling")
        {
            let unmark = format!("UPDATE {name} SET dangling = FALSE WHERE dangling AND id NOT IN ({still})");
            let found = session.execute(&unmark, vec![]).await?;
            let left = marked - found.cast_signed();
            if left > 0 {
                dangling.push((namespace, left));
            }
        }
    }
    Ok(dangling)
}

/// Query for the ids of a table's rows that lack a required parent, among those for which a condition on `c` holds;
/// `None` when the table has no parents. Joins, because neither engine makes one out of several `NOT EXISTS`.
fn orphans_sql(table: &CacheTable, among: &str) -> Option<String> {
    let (mut joins, mut absent) = (Vec::new(), Vec::new());
    for (place, parent) in table.parents.iter().filter(|parent| parent.required).enumerate() {
        let to = table_of(parent.namespace)?.table;
        joins.push(format!("LEFT JOIN {to} p{place} ON p{place}.id = c.{}", parent.column));
        absent.push(format!("p{place}.id IS NULL"));
    }
    let (joins, missing) = (joins.join(" "), absent.join(" OR "));
    (!absent.is_empty())
        .then(|| format!("SELECT c.id FROM {} c {joins} WHERE ({missing}) AND ({among})", table.table))
}

/// Condition on `c` that holds for rows which the run touched or took a parent from.
fn suspects_sql(table: &CacheTable, run: i64) -> String {
    let noted = |namespace: &str, actions: &str| {
        format!(
            "(SELECT record_id FROM peeringdb_synchronisationrecord WHERE synchronisation_id = {run} \
             AND namespace = '{namespace}' AND action IN ({actions}))"
        )
    };
    let mut parts = vec![format!("c.id IN {}", noted(table.namespace, "'created', 'updated'"))];
    for parent in table.parents.iter().filter(|parent| parent.required) {
        parts.push(format!("c.{} IN {}", parent.column, noted(parent.namespace, "'deleted'")));
    }
    parts.join(" OR ")
}
