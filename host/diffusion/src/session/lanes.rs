//! Sessions of one graph that calls share.

use std::sync::{Condvar, Mutex, PoisonError};

use ort::session::Session;

use super::binding::Bound;

/// A session serves one call at a time; a call takes an idle one or waits for one.
pub(crate) struct Lanes {
    idle: Mutex<Vec<(Session, Bound)>>,
    returned: Condvar,
}

impl Lanes {
    pub(crate) fn new(sessions: Vec<Session>) -> Self {
        let idle = sessions.into_iter().map(|session| (session, Bound::default())).collect();
        Self { idle: Mutex::new(idle), returned: Condvar::new() }
    }

    /// What `call` makes of a session.
    pub(crate) fn with<T>(&self, call: impl FnOnce(&mut Session) -> T) -> T {
        self.with_bound(|session, _| call(session))
    }

    /// What `call` makes of a session and of the inputs that are bound in it.
    pub(super) fn with_bound<T>(&self, call: impl FnOnce(&mut Session, &mut Bound) -> T) -> T {
        let (mut session, mut bound) = self.borrow();
        let result = call(&mut session, &mut bound);
        // A lane goes back even after a failed call: sessions keep no state between calls.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((session, bound));
        self.returned.notify_one();
        result
    }

    fn borrow(&self) -> (Session, Bound) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match idle.pop() {
                Some(lane) => return lane,
                None => idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}
