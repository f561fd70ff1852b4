//! Comparing passwords: on a thread that may block, and only so many at once, because each costs memory and time by intent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidemill_access::password::{Verdict, verify};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::AccessError;

/// So many are compared or hashed at once: at 19 MiB each, a flood of tries takes no more than this.
const AT_ONCE: usize = 2;

/// Compares and hashes.
#[derive(Debug)]
pub(crate) struct Hasher {
    places: Arc<Semaphore>,
    compared: Arc<AtomicU64>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            compared: Arc::default(),
        }
    }
}

impl Hasher {
    /// How many were compared so far.
    pub(crate) fn compared(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.compared)
    }

    /// Whether a password is the one with this hash.
    pub(crate) async fn compare(
        &self,
        password: &str,
        stored: Option<Arc<str>>,
    ) -> Result<Verdict, AccessError> {
        self.compared.fetch_add(1, Ordering::Relaxed);
        let password = password.to_owned();
        self.blocking(move || verify(&password, stored.as_deref()))
            .await
    }

    /// The hash of a password.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, AccessError> {
        let password = password.to_owned();
        let hashed = self
            .blocking(move || tidemill_access::password::hash(&password))
            .await?;
        hashed.map_err(|error| AccessError::Broken(error.to_string()))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AccessError> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|error| AccessError::Broken(error.to_string()))?;
        let done = spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        done.await
            .map_err(|error| AccessError::Broken(format!("hash a password: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// Those who are at it, the most there ever were, and what they all wait for.
    #[derive(Default)]
    struct Watched {
        now: AtomicUsize,
        most: AtomicUsize,
        open: Mutex<bool>,
        opened: Condvar,
    }

    impl Watched {
        fn work(&self) {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            let shut = self.open.lock().unwrap();
            drop(self.opened.wait_while(shut, |open| !*open).unwrap());
            self.now.fetch_sub(1, Ordering::SeqCst);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_a_hundred_at_once_only_two_are_worked_out_and_each_gets_an_answer() {
        let (hasher, watched) = (Arc::new(Hasher::default()), Arc::new(Watched::default()));
        let one = |nth: usize| {
            let (hasher, watched) = (Arc::clone(&hasher), Arc::clone(&watched));
            tokio::spawn(async move {
                let done = hasher.blocking(move || {
                    watched.work();
                    nth
                });
                done.await.unwrap()
            })
        };
        let all: Vec<_> = (0..100).map(one).collect();
        while watched.now.load(Ordering::SeqCst) < AT_ONCE {
            tokio::task::yield_now().await;
        }
        assert_eq!(hasher.places.available_permits(), 0);
        *watched.open.lock().unwrap() = true;
        watched.opened.notify_all();
        for (nth, one) in all.into_iter().enumerate() {
            assert_eq!(one.await.unwrap(), nth);
        }
        assert_eq!(watched.most.load(Ordering::SeqCst), AT_ONCE);
        assert_eq!(hasher.places.available_permits(), AT_ONCE);
    }
}
