//! The history and the recordings that it is made of.

use super::*;

#[test]
fn runs_that_were_killed_are_taken_from_their_recordings() {
    let (dir, mut history) = history(&[Run::new("r1", [0.5; 4])]);
    Run::new("r2", [0.5; 4]).write(dir.path(), 0);
    Run::new("r3", [0.5; 4]).write(dir.path(), 150);
    Run::new("r4", [0.5; 4]).write(dir.path(), 0);
    fs::write(dir.path().join("runs/r4/events.jsonl"), "{\"event\": not\n").unwrap();
    let going_on = crate::run_folder::RunFolder::create(&dir.path().join("runs/r5")).unwrap();
    let caught = history.catch_up().unwrap();
    assert_eq!((caught.added, caught.unreadable.len()), (2, 1), "{caught:?}");
    assert_eq!(history.names().unwrap(), ["r1", "r2", "r3"]);
    let killed = history.run("r3").unwrap();
    assert_eq!((killed.run.conclusion, killed.run.seconds), (None, None));
    assert_eq!(killed.suites[0].tests[0].cases.len(), 4);
    assert_eq!(history.catch_up().unwrap().added, 0);
    drop(going_on);
}

#[test]
fn a_damaged_file_is_set_aside_and_made_again() {
    for damage in ["not a database at all, and long enough to be looked at as one", "", "page"] {
        let dir = tempfile::tempdir().unwrap();
        let runs = some_runs();
        let mut whole = History::open(dir.path()).unwrap();
        for run in &runs {
            run.write(dir.path(), 0);
            whole.record(&run.record()).unwrap();
        }
        let before = seen(&whole);
        drop(whole);
        let path = dir.path().join(FILE);
        let mut bytes = fs::read(&path).unwrap();
        match damage {
            // the first half of every page but the first
            "page" => bytes.chunks_mut(4096).skip(1).for_each(|page| page[..2048].fill(0xa5)),
            "" => bytes[..100].fill(0),
            text => bytes = text.into(),
        }
        fs::write(&path, &bytes).unwrap();
        // Some damage shows when the file is opened, some when it is asked.
        let healed = match History::open(dir.path()) {
            Ok(history) if !history.notes().is_empty() => history,
            Ok(history) => {
                let error = history.run("r1").unwrap_err();
                assert!(error.is_damage(), "{damage}: {error}");
                drop(history);
                History::heal(dir.path(), &error).unwrap()
            }
            Err(error) => panic!("{damage}: {error}"),
        };
        assert!(healed.notes()[0].contains("history.damaged-1.db"), "{:?}", healed.notes());
        assert!(healed.notes()[0].contains("5 recorded runs"), "{:?}", healed.notes());
        assert_eq!(seen(&healed), before, "{damage}");
        assert_eq!(fs::read(dir.path().join("history.damaged-1.db")).unwrap(), bytes, "nothing is thrown away");
    }
}

#[test]
fn rebuilding_changes_nothing_and_keeps_what_has_no_recording() {
    let (dir, mut history) = history(&some_runs());
    let before = seen(&history);
    for run in &some_runs()[1..] {
        run.write(dir.path(), 0);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    Run::new("r0", [0.5; 4]).write(elsewhere.path(), 0);
    let rebuilt = history.rebuild(&[]).unwrap();
    assert_eq!((rebuilt.read, rebuilt.kept, rebuilt.unreadable.len()), (4, 1, 0));
    assert_eq!(seen(&history), before);
    let rebuilt = history.rebuild(&[elsewhere.path().join("runs/r0"), elsewhere.path().join("gone")]).unwrap();
    assert_eq!((rebuilt.read, rebuilt.kept, rebuilt.unreadable.len()), (5, 1, 1));
    assert_eq!(history.names().unwrap().len(), 6);
}

#[test]
fn pruning_forgets_the_oldest_and_says_so_first() {
    let (dir, mut history) = history(&some_runs());
    some_runs().iter().for_each(|run| run.write(dir.path(), 0));
    let keep = dir.path().join("runs/r2/keep");
    fs::write(&keep, "x").unwrap();
    let dry = history.prune(2, false, true).unwrap();
    assert_eq!(dry.runs, ["r1", "r2", "r3"]);
    assert!(dry.bytes > 1000 && keep.exists() && history.names().unwrap().len() == 5);
    let only_folders = history.prune(4, true, false).unwrap();
    assert_eq!((only_folders.runs, history.names().unwrap().len()), (vec!["r1".to_owned()], 5));
    assert!(!dir.path().join("runs/r1").exists());
    history.prune(2, false, false).unwrap();
    assert_eq!(history.names().unwrap(), ["r4", "r5"]);
    assert_eq!(history.catch_up().unwrap().added, 0, "and it stays so");
    let (_other, expected) = self::history(&some_runs()[3..]);
    assert_eq!(seen(&history), seen(&expected));
    let count = |table: &str| -> i64 {
        history.connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    let left: BTreeMap<_, _> = ["metric", "sample", "run", "environment"].map(|table| (table, count(table))).into();
    assert_eq!(left, BTreeMap::from([("metric", 2), ("sample", 4), ("run", 2), ("environment", 2)]));
    history.prune(0, false, false).unwrap();
    assert!(history.names().unwrap().is_empty());
}
