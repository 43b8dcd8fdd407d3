//! Faults that a running service can be told to have. They are ordinary code paths: a slow call really waits, an error
//! is really returned, memory is really kept.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What can go wrong, as `binnacle demo fault SERVICE KIND VALUE` names it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Faults {
    /// Every request waits this long first, milliseconds.
    pub(crate) latency_ms: u64,
    /// Percent of requests that fail, 0 to 100.
    pub(crate) error_percent: u8,
    /// Every database query takes this much longer, milliseconds.
    pub(crate) slow_database_ms: u64,
    /// Every request leaks this many bytes.
    pub(crate) leak_bytes: usize,
    /// The process exits this long after its start, milliseconds; 0 is never.
    pub(crate) crash_after_ms: u64,
}

/// Most memory that the leak fault takes; a demonstration must not bring its host down.
const LEAK_BYTES_MAX: usize = 96 << 20;

/// The faults of this process, shared by its handlers.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultState {
    faults: Arc<Mutex<Faults>>,
    leaked: Arc<Mutex<Vec<Vec<u8>>>>,
    requests: Arc<std::sync::atomic::AtomicU64>,
}

impl FaultState {
    /// The faults now.
    pub(crate) fn now(&self) -> Faults {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Suffers the request faults; `false` when the request must fail.
    pub(crate) async fn suffer(&self) -> bool {
        let faults = self.now();
        if faults.latency_ms > 0 {
            tokio::time::sleep(Duration::from_millis(faults.latency_ms)).await;
        }
        if faults.leak_bytes > 0 {
            let mut leaked = self.leaked.lock().unwrap_or_else(PoisonError::into_inner);
            if leaked.iter().map(Vec::len).sum::<usize>() < LEAK_BYTES_MAX {
                leaked.push(vec![1; faults.leak_bytes]);
            }
        }
        let n = self.requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // Multiplying by a number coprime to 100 spreads the failures evenly over the requests.
        (n * 37 + 11) % 100 >= u64::from(faults.error_percent)
    }

    fn set(&self, faults: Faults) {
        if faults.leak_bytes == 0 {
            self.leaked.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        if faults.crash_after_ms > 0 {
            let after = Duration::from_millis(faults.crash_after_ms);
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                crate::telemetry::error("out of file descriptors, giving up", serde_json::json!({}));
                std::process::exit(134);
            });
        }
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }
}

/// `POST /admin/faults`: replaces all faults of this process.
pub(crate) async fn set(State(state): State<FaultState>, Json(faults): Json<Faults>) -> StatusCode {
    state.set(faults);
    StatusCode::NO_CONTENT
}

/// Turns `KIND VALUE` from the command line into faults.
pub(crate) fn parse(kind: &str, value: Option<&str>) -> Result<Faults, String> {
    let mut faults = Faults::default();
    match kind {
        "off" => {}
        "latency" => faults.latency_ms = millis(value.unwrap_or("3s"))?,
        "errors" => faults.error_percent = percent(value.unwrap_or("20%"))?,
        "slow-database" => faults.slow_database_ms = millis(value.unwrap_or("400ms"))?,
        "memory-leak" => faults.leak_bytes = 64 << 10,
        "crash-loop" => faults.crash_after_ms = millis(value.unwrap_or("5s"))?,
        _ => {
            return Err(format!(
                "no fault {kind:?}: use latency 3s, errors 20%, slow-database 400ms, memory-leak, crash-loop, n-plus-one or off"
            ));
        }
    }
    Ok(faults)
}

fn millis(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no duration: write 300ms or 3s");
    let (digits, factor) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1.0),
        None => (text.strip_suffix('s').ok_or_else(wrong)?, 1000.0),
    };
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let seconds = number * factor / 1000.0;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|duration| u64::try_from(duration.as_millis()).ok())
        .filter(|ms| *ms <= 60_000)
        .ok_or_else(|| format!("{text:?} must be between 0 and 60s"))
}

fn percent(text: &str) -> Result<u8, String> {
    let digits = text.strip_suffix('%').unwrap_or(text);
    digits.parse().ok().filter(|percent| *percent <= 100).ok_or_else(|| format!("{text:?} is no percentage"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_as_people_write_them() {
        assert_eq!(parse("latency", Some("1.5s")).map(|f| f.latency_ms), Ok(1500));
        assert_eq!(parse("errors", Some("35%")).map(|f| f.error_percent), Ok(35));
        assert_eq!(parse("slow-database", None).map(|f| f.slow_database_ms), Ok(400));
        assert_eq!(parse("off", None), Ok(Faults::default()));
        for (kind, value) in
            [("latency", "3"), ("latency", "-1s"), ("latency", "2000s"), ("errors", "101%"), ("x", "")]
        {
            assert!(parse(kind, Some(value)).is_err(), "{kind} {value}");
        }
    }

    #[tokio::test]
    async fn the_share_of_failures_is_what_was_asked() {
        let state = FaultState::default();
        state.set(Faults { error_percent: 20, ..Faults::default() });
        let mut failed = 0;
        for _ in 0..1000 {
            failed += usize::from(!state.suffer().await);
        }
        assert_eq!(failed, 200);
    }
}
