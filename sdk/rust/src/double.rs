//! What answers for the host in an author's unit tests: a double that lasts as long as one closure, on its thread.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread::LocalKey;

/// Where a double stands while it is in use.
pub(crate) type Slot<T> = RefCell<Option<Rc<T>>>;

/// Runs `body` with the double in its slot; what stood there before returns afterwards, also after a panic.
pub(crate) fn with<T: ?Sized, R>(slot: &'static LocalKey<Slot<T>>, double: Rc<T>, body: impl FnOnce() -> R) -> R {
    struct Restore<T: ?Sized + 'static>(&'static LocalKey<Slot<T>>, Option<Rc<T>>);
    impl<T: ?Sized + 'static> Drop for Restore<T> {
        fn drop(&mut self) {
            self.0.set(self.1.take());
        }
    }
    let _restore = Restore(slot, slot.replace(Some(double)));
    body()
}

/// The double, if there is one.
pub(crate) fn get<T: ?Sized>(slot: &'static LocalKey<Slot<T>>) -> Option<Rc<T>> {
    slot.with_borrow(Clone::clone)
}
