//! Who may do what, and what is not there.

use difftest_remote::{Error, Remote, unwatched};

use crate::server::Who;
use crate::{author, recording, remote, start};

#[test]
fn a_reader_pulls_and_cannot_push() {
    let server = start();
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path(), "r", 5000);
    let push =
        |who| remote(&server.address, who).push_recording("g", "shard-01-of-01", &path, &author(), &mut unwatched);
    push(Who::Writer).unwrap();
    let into = tempfile::tempdir().unwrap();
    let reader = remote(&server.address, Who::Reader);
    reader.check().unwrap();
    let pulled = reader.pull_recordings(Some("g"), into.path(), &mut unwatched).unwrap();
    assert_eq!(std::fs::read(pulled[0].path.as_ref().unwrap()).unwrap(), std::fs::read(&path).unwrap());

    let other = recording(folder.path(), "other", 5001);
    let error = reader.push_recording("g", "shard-01-of-01", &other, &author(), &mut unwatched).unwrap_err();
    assert!(matches!(&error, Error::Refused { writing: true, .. }), "{error:?}");
    assert!(error.to_string().contains("the policy of this bucket"), "{error}");
    assert!(error.hint().unwrap().contains("reading needs none"));
}

#[test]
fn a_wrong_secret_is_refused_and_not_printed() {
    let server = start();
    let error = remote(&server.address, Who::Impostor).check().unwrap_err();
    assert!(matches!(&error, Error::Refused { writing: false, .. }), "{error:?}");
    assert!(error.to_string().contains("SignatureDoesNotMatch"), "{error}");
    assert!(!format!("{error:?}").contains("not the writer's"), "{error:?}");
}

#[test]
fn a_bucket_that_is_not_there() {
    let server = start();
    let remote = Remote::open("s3://buckets/project", &server.environment(Who::Writer)).unwrap();
    let error = remote.check().unwrap_err();
    assert!(matches!(&error, Error::NoStore { .. }), "{error:?}");
    assert!(error.to_string().contains("s3://buckets/project"), "{error}");
}
