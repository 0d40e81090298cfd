//! Work on numbered things, shared out to some threads: whoever is free takes the next number.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::Result;

/// Room for the frames of a plugin's call.
const STACK: usize = 8 << 20;

/// What `one` makes of each number under `count`, in order, and the seconds that all of them took. The first number is worked on once
/// before, which does not count.
pub(crate) fn each<T: Send>(
    count: usize,
    threads: usize,
    one: impl Fn(usize) -> Result<T> + Sync,
) -> Result<(Vec<T>, f64)> {
    one(0)?;
    let next = AtomicUsize::new(0);
    let work = || -> std::result::Result<Vec<(usize, T)>, String> {
        let numbers =
            std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|number| *number < count);
        numbers.map(|number| Ok((number, one(number).map_err(|error| error.to_string())?))).collect()
    };
    let began = Instant::now();
    let mut done = std::thread::scope(|scope| {
        let builder = || std::thread::Builder::new().stack_size(STACK);
        let threads = (0..threads).map(|_| builder().spawn_scoped(scope, work)).collect::<std::io::Result<Vec<_>>>()?;
        let mut all = Vec::with_capacity(count);
        for thread in threads {
            all.extend(thread.join().map_err(|_| "a thread panicked")??);
        }
        Result::Ok(all)
    })?;
    let seconds = began.elapsed().as_secs_f64();
    done.sort_by_key(|(number, _)| *number);
    Ok((done.into_iter().map(|(_, made)| made).collect(), seconds))
}
