//! An S3 server on the loopback interface, for tests of remotes: `difftest-s3-loopback FOLDER [PORT]`.
//!
//! The protocol is the `s3s` crate's: signatures are checked, errors are S3's. Buckets are the folders in FOLDER, objects the files in
//! them, so that what was stored outlives a kill, and a test can look at it and damage it.
//!
//! What remotes rely on and the sample store of `s3s-fs` leaves open is closed here:
//!
//! - `If-None-Match: *` is decided under a lock that is held until the object stands under its name: of any number of writers exactly
//!   one is told that it made the object, and the others get 412. A body is received before that, so the first to *finish* wins, as on
//!   the real thing.
//! - `If-None-Match: ETAG` on a read is answered with 304.
//!
//! Two keys are known: [`WRITER`], and [`READER`], whom a policy forbids to change anything (403).
//!
//! The one line on standard output is the address.

mod store;

use std::io::Write as _;
use std::path::Path;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s::{S3Result, s3_error};

use crate::store::Store;

/// Access key and secret of one who may do everything.
const WRITER: [&str; 2] = ["loopback-writer", "a secret of the writer"];

/// Access key and secret of one who may only read.
const READER: [&str; 2] = ["loopback-reader", "a secret of the reader"];

/// Who may do what.
struct Policy;

#[async_trait::async_trait]
impl S3Access for Policy {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = request.s3_op().name();
        let reads = ["Get", "Head", "List"].iter().any(|verb| operation.starts_with(verb));
        match request.credentials() {
            Some(who) if who.access_key == WRITER[0] => Ok(()),
            Some(_) if reads => Ok(()),
            Some(_) => Err(s3_error!(AccessDenied, "the policy of this bucket lets you read only")),
            None => Err(s3_error!(AccessDenied, "anonymous access is forbidden")),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: difftest-s3-loopback FOLDER [PORT]")?;
    let port: u16 = arguments.next().map_or(Ok(0), |port| port.parse())?;
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(serve(&folder, port))
}

async fn serve(folder: &str, port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let mut auth = SimpleAuth::new();
    for [access, secret] in [WRITER, READER] {
        auth.register(access.into(), secret.into());
    }
    let mut service =
        S3ServiceBuilder::new(Store::open(Path::new(folder)).map_err(|error| format!("{folder}: {error:?}"))?);
    service.set_auth(auth);
    service.set_access(Policy);
    let service = service.build();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", listener.local_addr()?)?;
    stdout.flush()?;
    loop {
        let (socket, _) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            // a client that goes away is the client's business
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
