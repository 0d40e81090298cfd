//! Several writers at once, each a process.

use std::process::Command;

use difftest_remote::store::Put;
use difftest_remote::{Remote, unwatched};

use crate::server::Who;
use crate::{author, recording, start};

const RUNS: usize = 6;

#[test]
fn of_racing_processes_each_finds_its_work_again() {
    let server = start();
    let mut writers: Vec<_> = (0..3)
        .map(|writer| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "racing::writer", "--nocapture"]).env("DIFFTEST_TEST_WRITER", writer.to_string());
            command.envs(server.environment(Who::Writer)).env("NO_PROXY", "*").spawn().unwrap()
        })
        .collect();
    for writer in &mut writers {
        assert!(writer.wait().unwrap().success());
    }
    let remote = crate::remote(&server.address, Who::Reader);
    let names = remote.list("ref/run/group/shard-01-of-01/").unwrap();
    assert_eq!(names.len(), 3 * RUNS, "{names:?}");
    assert!(names.iter().enumerate().all(|(n, name)| name.ends_with(&format!("{:010}.json", n + 1))), "{names:?}");
    let newest = &remote.recordings(Some("group")).unwrap()[0];
    assert_eq!(newest.pointer.number, 3 * RUNS as u64);
}

/// What each of the processes above does.
#[test]
fn writer() {
    let Ok(writer) = std::env::var("DIFFTEST_TEST_WRITER") else { return };
    let remote = Remote::open("s3://bucket/project", &std::env::vars().collect()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for n in 0..RUNS {
        let path = recording(folder.path(), "r", 1000 + n + 100 * writer.parse::<usize>().unwrap());
        let (_, put) = remote.push_recording("group", "shard-01-of-01", &path, &author(), &mut unwatched).unwrap();
        assert_eq!(put, Put::Made);
    }
}
