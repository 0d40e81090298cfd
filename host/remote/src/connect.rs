//! From a location to the client of its store.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use crate::error::Error;
use crate::location::{Kind, Location};

/// To be found and connected to.
const CONNECT: Duration = Duration::from_secs(5);

/// Between two pieces of an answer.
const STALL: Duration = Duration::from_secs(30);

/// For a whole request: a piece of 16 MiB at 64 KiB a second.
const REQUEST: Duration = Duration::from_secs(256);

/// A request that failed for no fault of its own is sent again this often, and not after [`AGAIN`].
const RETRIES: usize = 3;

const AGAIN: Duration = Duration::from_secs(45);

/// The client, with bounded time and retries.
pub(crate) fn connect(location: &Location) -> Result<Arc<dyn ObjectStore>, Error> {
    // one provider for the process; where the program has chosen one already, that one stays
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT)
        .with_read_timeout(STALL)
        .with_timeout(REQUEST)
        .with_user_agent(object_store::HeaderValue::from_static(concat!("difftest/", env!("CARGO_PKG_VERSION"))));
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: RETRIES,
        retry_timeout: AGAIN,
    };
    let refuse = |error: object_store::Error| Error::Usage {
        message: format!(
            "the remote {} cannot be set up: {}",
            location.shown(),
            location.secrets.scrub(&error.to_string())
        ),
        hint: "check its options: `difftest push --help` names the variables".into(),
    };
    /// The builders have the same methods and no trait in common.
    macro_rules! built {
        ($builder:ty, $key:ty, $bucket:ident) => {{
            let mut builder = <$builder>::new().with_client_options(client).with_retry(retry).$bucket(&location.bucket);
            for (key, value) in &location.options {
                // checked when the location was read
                if let Ok(key) = <$key>::from_str(key) {
                    builder = builder.with_config(key, value);
                }
            }
            Arc::new(builder.build().map_err(refuse)?)
        }};
    }
    Ok(match location.kind {
        Kind::S3 => built!(AmazonS3Builder, AmazonS3ConfigKey, with_bucket_name),
        Kind::Google => built!(GoogleCloudStorageBuilder, GoogleConfigKey, with_bucket_name),
        Kind::Azure => built!(MicrosoftAzureBuilder, AzureConfigKey, with_container_name),
        Kind::Folder => {
            let store = LocalFileSystem::new_with_prefix(&location.path).map_err(|_| Error::NoStore {
                remote: location.shown().to_owned(),
                reason: "there is no such folder".into(),
            })?;
            Arc::new(store.with_fsync(true))
        }
    })
}
