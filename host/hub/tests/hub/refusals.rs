//! Models that are not there, or not for everyone, and names that lead elsewhere.

use difftest_hub::{Error, Hub, ModelId, Settings, Token};
use difftest_hub_loopback::Fault;

use crate::support::{CONFIG, MODEL, WEIGHTS, World, id};

fn list(world: &World, name: &str) -> Error {
    let id: ModelId = name.parse().unwrap();
    world.client().list(&id, &()).unwrap_err()
}

#[test]
fn model_revision_and_file_are_told_apart() {
    let world = World::new();
    let error = list(&world, "acme/none");
    assert!(matches!(error, Error::NoModel { token: false, .. }), "{error}");
    assert!(error.hint().unwrap().contains("HF_TOKEN"));
    let error = list(&world, "acme/tiny@v9");
    assert!(matches!(error, Error::NoRevision { ref revision, .. } if revision == "v9"), "{error}");
    let error = world.fetch(&["vae/config.json"]).unwrap_err();
    assert!(matches!(error, Error::NoFile { ref file, .. } if file == "vae/config.json"), "{error}");
    // Python's client reads this note
    let note = world.cache.path().join("models--acme--tiny/.no_exist").join(&world.commit).join("vae/config.json");
    assert!(note.is_file());
    // listed, and then not there
    world.hub.fault("/resolve/", 1, Fault::Status(404, vec![("X-Error-Code".into(), "EntryNotFound".into())]));
    let error = world.fetch(&[CONFIG]).unwrap_err();
    assert!(matches!(error, Error::NoFile { .. }), "{error}");
    for error in [list(&world, "acme/none"), list(&world, "acme/tiny@v9")] {
        assert_eq!(error.kind(), "hub-not-found");
    }
}

#[test]
fn gated_private_and_forbidden_models_say_what_to_do() {
    let world = World::new();
    world.hub.make_gated(MODEL, "hf_member");
    let error = world.fetch(&[CONFIG]).unwrap_err();
    assert!(matches!(error, Error::Gated { token: false, .. }), "{error}");
    assert!(error.hint().unwrap().contains("conditions"));
    let with = |token: &str| Hub::new(Settings { token: Token::new(token), ..world.settings() }).unwrap();
    let error = world.fetch_with(&with("hf_stranger"), &[CONFIG], &()).unwrap_err();
    assert!(matches!(error, Error::Gated { token: true, .. }), "{error}");
    world.fetch_with(&with("hf_member"), &[CONFIG, WEIGHTS], &()).unwrap();

    let world = World::new();
    world.hub.make_private(MODEL, "hf_member");
    assert!(matches!(list(&world, MODEL), Error::NoModel { token: false, .. }));
    let with = |token: &str| Hub::new(Settings { token: Token::new(token), ..world.settings() }).unwrap();
    let error = with("hf_stranger").list(&id(), &()).unwrap_err();
    assert!(matches!(error, Error::NoModel { token: true, .. }), "{error}");
    with("hf_member").list(&id(), &()).unwrap();

    let bad = ("X-Error-Message".to_owned(), "Invalid credentials in Authorization header".to_owned());
    world.hub.fault("/revision/", 1, Fault::Status(401, vec![bad]));
    let error = with("hf_old").list(&id(), &()).unwrap_err();
    assert!(matches!(error, Error::BadToken { .. }), "{error}");
    let why = ("X-Error-Message".to_owned(), "Access to this resource is disabled.\u{1b}[31m".to_owned());
    world.hub.fault("/revision/", 1, Fault::Status(403, vec![(why.0, why.1.replace('\u{1b}', "ESC"))]));
    let error = world.client().list(&id(), &()).unwrap_err();
    assert!(matches!(error, Error::Forbidden { .. }) && error.to_string().contains("disabled"), "{error}");
}

#[test]
fn names_that_lead_out_of_the_cache_are_refused() {
    let world = World::new();
    for path in ["../../../evil", "/evil", "unet/../../evil"] {
        world.hub.commit(MODEL, "main", &[(CONFIG, b"{}".to_vec()), (path, b"evil".to_vec())]);
        let error = world.fetch(&[CONFIG]).unwrap_err();
        assert!(matches!(error, Error::UnsafePath { path: ref found, .. } if found == path), "{error}");
    }
    assert!(!world.cache.path().join("models--acme--tiny").exists(), "nothing was written");
    let files = format!(r#"{{"sha":"../../../evil","siblings":[{{"rfilename":"{CONFIG}"}}]}}"#);
    world.hub.fault("/revision/", 1, Fault::Body(files.into_bytes()));
    assert!(matches!(world.fetch(&[CONFIG]).unwrap_err(), Error::Protocol { .. }));
}

#[test]
fn a_full_disk_is_known_before_anything_comes() {
    let world = World::new();
    // a listing that says so: a petabyte
    let digest = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    let listing = format!(
        r#"{{"sha":"{}","siblings":[{{"rfilename":"{WEIGHTS}","lfs":{{"sha256":"{digest}","size":1000000000000000}}}}]}}"#,
        world.commit
    );
    world.hub.fault("/revision/", 1, Fault::Body(listing.into_bytes()));
    let error = world.fetch(&[WEIGHTS]).unwrap_err();
    assert!(matches!(error, Error::Space { needed: 1_000_000_000_000_000, .. }), "{error}");
    assert!(error.to_string().contains("1000000.0 GB more") && error.to_string().contains("free"), "{error}");
    assert!(!world.cache.path().join("models--acme--tiny").exists());
}
