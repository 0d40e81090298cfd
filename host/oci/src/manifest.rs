//! What is pushed, byte for byte the same for the same component, and the judgement of what is pulled.

use std::collections::BTreeMap;

use difftest_core::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::reference::{Reference, parse_digest};
use crate::session::shown;

/// Media type of manifests.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of the config of a WebAssembly artifact.
pub const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// Media type of its one layer: the component.
pub const LAYER_TYPE: &str = "application/wasm";

/// Metadata by name, such as `org.opencontainers.image.licenses`; sorted, so that its bytes are always the same.
pub type Annotations = BTreeMap<String, String>;

/// A component to push.
#[derive(Clone, Debug)]
pub struct Artifact<'a> {
    /// The file.
    pub wasm: &'a [u8],
    /// Names of what it imports, for indexes and people.
    pub imports: Vec<String>,
    /// Names of what it exports.
    pub exports: Vec<String>,
    /// The world it was written for, where that is known.
    pub target: Option<String>,
    /// Metadata.
    pub annotations: Annotations,
}

/// Something a manifest points to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<Annotations>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: [Descriptor; 1],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a Annotations,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    created: &'static str,
    author: Option<&'a str>,
    architecture: &'static str,
    os: &'static str,
    layer_digests: [String; 1],
    component: Component<'a>,
}

#[derive(Serialize)]
struct Component<'a> {
    exports: &'a [String],
    imports: &'a [String],
    target: Option<&'a str>,
}

/// The three contents of an artifact; pushing the same component with the same metadata gives the same digests, today and in a year.
pub(crate) struct Packed {
    pub(crate) config: Vec<u8>,
    pub(crate) config_digest: Digest,
    pub(crate) layer_digest: Digest,
    pub(crate) manifest: Vec<u8>,
    pub(crate) manifest_digest: Digest,
}

impl Artifact<'_> {
    pub(crate) fn pack(&self) -> Result<Packed, serde_json::Error> {
        let layer_digest = Digest::of(self.wasm);
        let config = serde_json::to_vec(&Config {
            // readers of the layout want a time; the clock's would make every push another artifact
            created: "1970-01-01T00:00:00Z",
            author: self.annotations.get("org.opencontainers.image.authors").map(String::as_str),
            architecture: "wasm",
            os: "wasip2",
            layer_digests: [format!("sha256:{layer_digest}")],
            component: Component { exports: &self.exports, imports: &self.imports, target: self.target.as_deref() },
        })?;
        let config_digest = Digest::of(&config);
        let descriptor = |media_type: &str, digest: Digest, size: usize| Descriptor {
            media_type: media_type.to_owned(),
            digest: format!("sha256:{digest}"),
            size: size as u64,
            annotations: None,
        };
        let manifest = serde_json::to_vec(&Manifest {
            schema_version: 2,
            media_type: MANIFEST_TYPE,
            config: descriptor(CONFIG_TYPE, config_digest, config.len()),
            layers: [descriptor(LAYER_TYPE, layer_digest, self.wasm.len())],
            annotations: &self.annotations,
        })?;
        let manifest_digest = Digest::of(&manifest);
        Ok(Packed { config, config_digest, layer_digest, manifest, manifest_digest })
    }
}

/// A manifest as it comes, of whatever kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Anything {
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<serde_json::Value>,
    annotations: Option<Annotations>,
}

/// A manifest that is a plugin's.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) layer: Digest,
    pub(crate) size: u64,
    pub(crate) annotations: Annotations,
}

/// Whether `bytes` are the manifest of a plugin: exactly one layer, of the type `application/wasm`. The config may have another type,
/// since general tools write general ones; nothing of it is used.
pub(crate) fn judge(bytes: &[u8], reference: &Reference) -> Result<Judged, Error> {
    let not = |reason: String| Error::NotAPlugin { reference: reference.to_string(), reason };
    let manifest: Anything = serde_json::from_slice(bytes)
        .map_err(|error| not(format!("its manifest is not one ({})", shown(&error.to_string()))))?;
    let index = |kind: &str| kind.contains("image.index") || kind.contains("manifest.list");
    if manifest.manifests.is_some() || manifest.media_type.as_deref().is_some_and(index) {
        return Err(not("it is an image index, one name for several platforms, as container images have".into()));
    }
    let config = manifest.config.map(|config| config.media_type).unwrap_or_default();
    let layers = manifest.layers.unwrap_or_default();
    match &layers[..] {
        [layer] if layer.media_type == LAYER_TYPE => Ok(Judged {
            layer: parse_digest(&layer.digest).map_err(|reason| not(format!("of its layer, {reason}")))?,
            size: layer.size,
            annotations: manifest.annotations.unwrap_or_default(),
        }),
        _ if config.contains("container.image") || config.contains("oci.image.config") => {
            Err(not("it is a container image".into()))
        }
        _ if config.contains("helm") => Err(not("it is a Helm chart".into())),
        [] => Err(not("it has no layer".into())),
        [layer] => Err(not(format!(
            "its layer is of the type `{}`, a component's is `{LAYER_TYPE}`",
            shown(&layer.media_type)
        ))),
        more => Err(not(format!("it has {} layers, a plugin has one", more.len()))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn judged(json: &str) -> Result<Judged, String> {
        judge(json.as_bytes(), &"oci://ghcr.io/a:1".parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_same_component_packs_to_the_same_bytes() {
        let annotations = [("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())].into();
        let artifact =
            Artifact { wasm: b"\0asm", imports: vec![], exports: vec!["x".into()], target: None, annotations };
        let (one, two) = (artifact.pack().unwrap(), artifact.clone().pack().unwrap());
        assert_eq!((&one.manifest, &one.config), (&two.manifest, &two.config));
        // a change of these bytes is a change of every digest that was ever signed
        assert_eq!(
            String::from_utf8(one.config).unwrap(),
            "{\"created\":\"1970-01-01T00:00:00Z\",\"author\":null,\"architecture\":\"wasm\",\"os\":\"wasip2\",\"layerDigests\":\
             [\"sha256:cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f\"],\
             \"component\":{\"exports\":[\"x\"],\"imports\":[],\"target\":null}}"
        );
        assert!(
            String::from_utf8(one.manifest.clone()).unwrap().ends_with("\"annotations\":{\"a\":\"1\",\"b\":\"2\"}}")
        );
        let judged = judge(&one.manifest, &"oci://ghcr.io/a:1".parse().unwrap()).unwrap();
        assert_eq!((judged.layer, judged.size), (Digest::of(b"\0asm"), 4));
    }

    #[test]
    fn what_is_no_plugin_is_told_what_it_is() {
        let layer =
            |kind: &str| format!("{{\"mediaType\":\"{kind}\",\"digest\":\"sha256:{}\",\"size\":1}}", "0".repeat(64));
        let config = |kind: &str| format!("\"config\":{{\"mediaType\":\"{kind}\",\"digest\":\"x\",\"size\":1}}");
        let image = config("application/vnd.oci.image.config.v1+json");
        let wasm = config(CONFIG_TYPE);
        for (json, says) in [
            ("[]".to_owned(), "manifest is not one"),
            ("{\"manifests\":[]}".to_owned(), "image index"),
            ("{\"mediaType\":\"application/vnd.docker.distribution.manifest.list.v2+json\"}".to_owned(), "image index"),
            (
                format!("{{{image},\"layers\":[{}]}}", layer("application/vnd.oci.image.layer.v1.tar+gzip")),
                "a container image",
            ),
            (format!("{{{wasm},\"layers\":[]}}"), "no layer"),
            (format!("{{{wasm},\"layers\":[{}]}}", layer("text/\u{202e}plain")), "`text/\\u{202e}plain`"),
            (format!("{{{wasm},\"layers\":[{0},{0}]}}", layer(LAYER_TYPE)), "2 layers"),
            (
                format!("{{{wasm},\"layers\":[{{\"mediaType\":\"{LAYER_TYPE}\",\"digest\":\"md5:1\",\"size\":1}}]}}"),
                "SHA-256",
            ),
        ] {
            let error = judged(&json).unwrap_err();
            assert!(error.contains(says), "{json}: {error}");
        }
        let oras = config("application/vnd.oci.empty.v1+json");
        assert!(judged(&format!("{{{oras},\"layers\":[{}]}}", layer(LAYER_TYPE))).is_ok(), "as `oras push` writes it");
    }
}
