//! The token stays with the hub.

use difftest_hub::{Hub, Settings, Token};
use difftest_hub_loopback::{Fault, Loopback};

use crate::support::{CONFIG, Diary, WEIGHTS, World};

const SECRET: &str = "hf_mustNotLeak";

fn client(world: &World) -> Hub {
    Hub::new(Settings { token: Token::new(SECRET), ..world.settings() }).unwrap()
}

#[test]
fn it_goes_to_the_hub_and_not_along_a_redirect() {
    let world = World::new();
    world.fetch_with(&client(&world), &[CONFIG, WEIGHTS], &()).unwrap();
    let requests = world.hub.requests();
    let (storage, hub): (Vec<_>, Vec<_>) = requests.iter().partition(|request| request.to_storage);
    assert!(!storage.is_empty() && storage.iter().all(|request| request.header("authorization").is_none()));
    let bearer = format!("Bearer {SECRET}");
    assert!(hub.len() >= 4 && hub.iter().all(|request| request.header("authorization") == Some(&bearer)));
}

#[test]
fn not_along_a_redirect_of_a_listing_either() {
    let world = World::new();
    let thief = Loopback::start();
    let there = format!("{}/api/models/acme/tiny/revision/main", thief.url());
    world.hub.fault("/revision/", 1, Fault::Status(302, vec![("Location".into(), there)]));
    world.fetch_with(&client(&world), &[CONFIG], &()).unwrap_err();
    let requests = thief.requests();
    assert!(!requests.is_empty() && requests.iter().all(|request| request.header("authorization").is_none()));
    // and not again once it was elsewhere, though the way leads back
    let back = format!("{}/api/models/acme/tiny/revision/main?back=1", world.hub.url());
    thief.fault("/revision/", 1, Fault::Status(302, vec![("Location".into(), back)]));
    let there = format!("{}/api/models/acme/tiny/revision/main", thief.url());
    world.hub.fault("/revision/", 1, Fault::Status(302, vec![("Location".into(), there)]));
    world.hub.forget();
    world.fetch_with(&client(&world), &[CONFIG], &()).unwrap();
    let requests = world.hub.requests();
    let returned = requests.iter().find(|request| request.path.contains("back=1")).unwrap();
    assert_eq!(returned.header("authorization"), None);
}

#[test]
fn it_is_in_no_message() {
    let world = World::new();
    let diary = Diary::default();
    world.hub.fault("/storage/", 99, Fault::Cut(10));
    let client = client(&world);
    let error = world.fetch_with(&client, &[CONFIG, WEIGHTS], &diary).unwrap_err();
    let everything = format!("{error} {error:?} {:?} {:?} {:?}", error.hint(), client.settings(), diary.lines());
    assert!(!everything.contains("mustNotLeak"));
    // signed URLs are secrets too
    assert!(!everything.contains("signature"), "{everything}");
}

#[test]
fn redirects_end() {
    let world = World::new();
    let again = format!("{}/api/models/acme/tiny/revision/main", world.hub.url());
    world.hub.fault("/revision/", 99, Fault::Status(302, vec![("Location".into(), again)]));
    let error = world.fetch(&[CONFIG]).unwrap_err();
    assert!(error.to_string().contains("redirects without end"), "{error}");
    let world = World::new();
    world.hub.fault("/revision/", 1, Fault::Status(302, vec![("Location".into(), "file:///etc/passwd".into())]));
    assert!(world.fetch(&[CONFIG]).unwrap_err().to_string().contains("no URL"));
}
