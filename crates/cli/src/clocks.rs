//! Whether this host's clock and the database server's tell the same time: leases and signs of life are written with the clock of one
//! host and judged with that of another.

use chrono::{DateTime, TimeDelta, Utc};
use pm_store::jobs::Level;
use pm_store::{Store, StoreError, health};
use pm_tasks::{Clock as _, SystemClock, Watch};

/// Clocks that are further apart than this are named. A process counts as vanished after 45 seconds of silence.
const MOST: TimeDelta = TimeDelta::seconds(10);

/// How far they are apart, in a sentence without its full stop, if that is too far.
pub(crate) async fn apart(store: &Store) -> Result<Option<String>, StoreError> {
    // The first question may have to wait for a connection.
    health::server_time(store).await?;
    let before = SystemClock.now();
    let Some(server) = health::server_time(store).await? else { return Ok(None) };
    Ok(too_far(server, before, SystemClock.now()))
}

/// Says it to whoever watches a process that begins.
pub(crate) async fn tell(store: &Store, watch: &dyn Watch) {
    match apart(store).await {
        Ok(Some(apart)) => watch.say(Level::Warning, &apart),
        Ok(None) => {}
        Err(error) => tracing::debug!(%error, "the clock of the server is not known"),
    }
}

/// The server was asked at some moment between two others.
fn too_far(server: DateTime<Utc>, before: DateTime<Utc>, after: DateTime<Utc>) -> Option<String> {
    let ahead = before - server;
    let behind = server - after;
    let (by, which) = if ahead > behind { (ahead, "ahead of") } else { (behind, "behind") };
    (by > MOST).then(|| {
        format!(
            "This host's clock is {} s {which} the database server's: jobs that run on other hosts may be taken for lost. See \
             that all hosts keep the same time (NTP)",
            by.num_seconds()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_clock_that_goes_wrong() {
        let at = |seconds: i64| DateTime::from_timestamp(1_767_225_600 + seconds, 0).unwrap_or_default();
        assert_eq!(too_far(at(5), at(0), at(60)), None);
        assert_eq!(too_far(at(70), at(0), at(60)), None);
        assert_eq!(too_far(at(-10), at(0), at(60)), None);
        assert!(too_far(at(75), at(0), at(60)).is_some_and(|text| text.contains("15 s behind the database")));
        assert!(
            too_far(at(-50), at(0), at(60)).is_some_and(|text| text.contains("50 s ahead of the database"))
        );
    }
}
