//! Many at once, and places where nothing can be written.

use super::*;

#[test]
fn two_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<&'static str> = (0..40).map(|n| &*Box::leak(format!("r{n:02}").into_boxed_str())).collect();
    std::thread::scope(|scope| {
        let root = dir.path();
        for half in names.chunks(10) {
            // Opened by all at once: the first to come makes the tables.
            scope.spawn(move || {
                for name in half {
                    History::open(root).unwrap().record(&Run::new(name, [0.5; 6]).record()).unwrap();
                }
            });
        }
    });
    let history = History::open(dir.path()).unwrap();
    assert_eq!(history.names().unwrap(), names);
    assert_eq!(series(&history, |_| {})[0].points.len(), 40);
}

#[test]
fn where_nothing_can_be_written_it_is_still_read() {
    let (dir, history) = history(&some_runs());
    let before = seen(&history);
    drop(history);
    // Root may write anywhere; a file opened as immutable stands for what a reader without the right finds.
    let path = dir.path().join(FILE);
    let (connection, _) = schema::open(&path).unwrap();
    drop(connection);
    let history = History {
        connection: schema::open_to_read(&path).unwrap(),
        root: dir.path().into(),
        notes: vec![],
        read_only: true,
    };
    assert_eq!(seen(&history), before);
    let mut history = history;
    assert!(matches!(history.record(&Run::new("r9", [0.5]).record()), Err(HistoryError::ReadOnly(_))));
    assert!(matches!(History::open(Path::new("/proc/nowhere")), Err(HistoryError::Files(_))));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_history_as_it_was() {
    let (dir, history) = history(&[Run::new("r1", [0.5; 6])]);
    let before = seen(&history);
    drop(history);
    // A limit on file size stands in for the disk's end: 40 blocks of 1024 bytes.
    let script =
        "ulimit -f 40; trap '' XFSZ; exec \"$0\" --exact history::tests::sharing::record_a_large_run --nocapture";
    let output = std::process::Command::new("bash")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env("DIFFTEST_TEST_ROOT", dir.path())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("cannot use the history"), "{output:?}");
    let mut history = History::open(dir.path()).unwrap();
    assert_eq!(seen(&history), before);
    assert!(history.record(&Run::new("r2", [0.5; 6]).record()).unwrap(), "with room again");
}

/// The other half of the test above: runs in a process that may only write small files.
#[test]
fn record_a_large_run() {
    if let Some(root) = std::env::var_os("DIFFTEST_TEST_ROOT") {
        // More than the limit, whatever SQLite's pages need.
        let label = Some(&*"x".repeat(100_000).leak());
        let run = Run { label, ..Run::new("r2", [0.5; 6]) };
        let recorded = History::open(Path::new(&root)).and_then(|mut history| history.record(&run.record()));
        #[allow(clippy::print_stdout)]
        {
            println!("{}", recorded.unwrap_err());
        }
    }
}
