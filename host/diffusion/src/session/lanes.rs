//! Sessions of one graph that calls share.

use std::sync::{Condvar, Mutex, PoisonError};

use ort::session::Session;

/// A session serves one call at a time; a call takes an idle one or waits for one.
pub(crate) struct Lanes {
    idle: Mutex<Vec<Session>>,
    returned: Condvar,
}

impl Lanes {
    pub(crate) fn new(sessions: Vec<Session>) -> Self {
        Self { idle: Mutex::new(sessions), returned: Condvar::new() }
    }

    /// What `call` makes of a session.
    pub(crate) fn with<T>(&self, call: impl FnOnce(&mut Session) -> T) -> T {
        let mut session = self.borrow();
        let result = call(&mut session);
        // A lane goes back even after a failed call: sessions keep no state between calls.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        self.returned.notify_one();
        result
    }

    fn borrow(&self) -> Session {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match idle.pop() {
                Some(session) => return session,
                None => idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}
