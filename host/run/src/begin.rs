//! How the stages of a suite begin, and that their end is told whatever becomes of them.

use std::io;
use std::thread::{Builder, Scope};

use crossbeam_channel::Sender;
use difftest_core::generate::GenerateError;

use crate::stages::{Message, Stages};

/// Says that the cases are done when it goes, also by a panic: who waits for that would wait for ever.
struct Done(Sender<Message>);

impl Drop for Done {
    fn drop(&mut self) {
        drop(self.0.send(Message::CasesDone));
    }
}

impl<'a> Stages<'a> {
    /// Runs every case on a thread of its own. The last message is [`Message::CasesDone`], whatever happens.
    pub(crate) fn begin(self, threads: &'a Scope<'a, '_>, messages: Sender<Message>) {
        let done = Done(messages.clone());
        let work = move || {
            // all of it, and not its field: it goes with this thread
            let done = done;
            if let Err(error) = self.run(&done.0) {
                drop(done.0.send(no_thread(&error)));
            }
        };
        if let Err(error) = Builder::new().name("stages".to_owned()).spawn_scoped(threads, work) {
            drop(messages.send(no_thread(&error)));
        }
    }
}

fn no_thread(error: &io::Error) -> Message {
    Message::Fatal(GenerateError {
        kind: "threads".to_owned(),
        message: format!("the system gives this process no more threads: {error}"),
        hint: Some("raise its limits (`ulimit -u`, `ulimit -v`, the container's), or run with `-j 1`".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::unbounded;

    use super::*;

    #[test]
    fn who_waits_for_the_cases_is_told_of_a_panic_too() {
        let (messages, incoming) = unbounded();
        let work = std::thread::spawn(move || {
            let _done = Done(messages);
            std::panic::resume_unwind(Box::new("a stage broke"));
        });
        let told: Vec<Message> = incoming.into_iter().collect();
        assert!(matches!(told[..], [Message::CasesDone]));
        assert!(work.join().is_err());
    }
}
