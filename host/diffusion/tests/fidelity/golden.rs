//! The recorded families and cases.

use std::path::{Path, PathBuf};

use difftest_core::generate::{Request, Settings};
use difftest_diffusion::lora::Adapters;
use safetensors::SafeTensors;
use serde_json::{Value, json};

/// The texts of `golden/families/cases.py`.
const STAR: &str = "a small green star, left of a white heart!";
const AGAINST: &str = "a blurred, ugly square";

/// One family: a model folder, and what diffusers made with it.
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) cases: Vec<Case>,
    folder: PathBuf,
    /// LoRA files and their weights.
    loras: Vec<(PathBuf, f64)>,
    tensors: Vec<u8>,
}

/// One recorded run.
pub(crate) struct Case {
    pub(crate) name: String,
    /// The scheduler as suites name it; the model's own where there is none.
    pub(crate) scheduler: Option<String>,
    pub(crate) request: Request,
}

impl Family {
    /// All of them, in the order of the index.
    pub(crate) fn all() -> Vec<Self> {
        let index: Value = serde_json::from_slice(&std::fs::read(root().join("index.json")).unwrap()).unwrap();
        let families: Vec<_> = index["families"].as_array().unwrap().iter().map(Self::read).collect();
        assert!(families.len() >= 8);
        families
    }

    fn read(family: &Value) -> Self {
        let name = family["family"].as_str().unwrap().to_owned();
        let cases = family["cases"].as_array().unwrap().iter().map(|case| Case::read(&name, case)).collect();
        let tensors = std::fs::read(root().join(format!("{name}.safetensors"))).unwrap();
        Self { cases, folder: root().join(&name), loras: Vec::new(), tensors, name }
    }

    /// Two of them with LoRA files: whole runs only, the networks are looked at elsewhere.
    pub(crate) fn with_loras() -> [Self; 2] {
        let guided = json!({"name": "guided", "prompt": STAR, "negative": AGAINST});
        let with = |case: &Value, more: Value| {
            let mut case = case.as_object().unwrap().clone();
            case.extend(more.as_object().unwrap().clone());
            Value::Object(case)
        };
        let lcm = json!({
            "name": "lcm", "prompt": STAR, "scheduler": "LCMScheduler", "steps": 4, "guidance": 1.0, "seed": 4
        });
        let one = with(&guided, json!({"scheduler": "DDIMScheduler", "steps": 5, "guidance": 7.5, "seed": 3}));
        let xl = with(&guided, json!({"steps": 3, "guidance": 5.0, "seed": 5}));
        [
            Self::adapted("sd1", "sd1/two", &[("sd1/kohya", 0.7), ("sd1/locon", -0.3)], &[one, lcm]),
            Self::adapted("sdxl", "sdxl/one", &[("sdxl/ldm", 0.8)], &[xl]),
        ]
    }

    fn adapted(model: &str, recorded: &str, loras: &[(&str, f64)], cases: &[Value]) -> Self {
        let name = format!("{model} + LoRA");
        let file = |name: &str| root().join("../lora").join(format!("{name}.safetensors"));
        Self {
            cases: cases.iter().map(|case| Case::read(&name, case)).collect(),
            folder: root().join(model),
            loras: loras.iter().map(|(name, weight)| (file(name), *weight)).collect(),
            tensors: std::fs::read(file(recorded)).unwrap(),
            name,
        }
    }

    /// The model.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is added to it.
    pub(crate) fn adapters(&self) -> Adapters {
        Adapters::read(&self.loras).unwrap()
    }

    /// Whether something of that name was recorded.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.file().tensor(name).is_ok()
    }

    /// Recorded numbers.
    pub(crate) fn values(&self, name: &str) -> Vec<f32> {
        self.bytes(name).as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    }

    /// Recorded bytes.
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        self.file().tensor(name).unwrap().data().to_vec()
    }

    /// The shape of something recorded.
    pub(crate) fn shape(&self, name: &str) -> [usize; 4] {
        self.file().tensor(name).unwrap().shape().try_into().unwrap()
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.tensors).unwrap()
    }
}

impl Case {
    fn read(family: &str, case: &Value) -> Self {
        let text = |key: &str| case.get(key).and_then(Value::as_str).map(str::to_owned);
        let whole = |key: &str| case.get(key).and_then(Value::as_u64);
        let name = text("name").unwrap();
        let scheduler = text("scheduler").map(|class| named(&class, case.get("karras").is_some()).to_owned());
        let settings = Settings {
            scheduler: scheduler.clone(),
            steps: whole("steps").map(|steps| steps as u32),
            guidance: case.get("guidance").and_then(Value::as_f64),
            size: case.get("size").map(|size| (size[0].as_u64().unwrap() as u32, size[1].as_u64().unwrap() as u32)),
            clip_skip: whole("clip_skip").map(|layers| layers as u32),
            noise: text("noise").map(|dtype| stream(&dtype).to_owned()),
            ..Settings::default()
        };
        let request = Request {
            id: format!("{family} {name}"),
            prompt: text("prompt").unwrap(),
            negative_prompt: text("negative"),
            seed: whole("seed").unwrap_or(0),
            settings,
        };
        Self { name, scheduler, request }
    }
}

/// How suites name a class of diffusers.
fn named(class: &str, karras: bool) -> &'static str {
    match (class, karras) {
        ("DDIMScheduler", false) => "ddim",
        ("PNDMScheduler", false) => "pndm",
        ("EulerDiscreteScheduler", false) => "euler",
        ("EulerAncestralDiscreteScheduler", false) => "euler-ancestral",
        ("DPMSolverMultistepScheduler", false) => "dpmpp-2m",
        ("DPMSolverMultistepScheduler", true) => "dpmpp-2m-karras",
        ("LCMScheduler", false) => "lcm",
        _ => panic!("no scheduler here is {class}, karras {karras}"),
    }
}

/// The stream that draws in a type of torch.
fn stream(dtype: &str) -> &'static str {
    match dtype {
        "float16" => "torch-cpu-f16",
        "bfloat16" => "torch-cpu-bf16",
        _ => panic!("no stream draws in {dtype}"),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families")
}

/// The largest difference.
pub(crate) fn worst(ours: &[f32], theirs: &[f32]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    // `max` would pass over NaN
    let off = ours.iter().zip(theirs).map(|(a, b)| f64::from(a - b).abs());
    off.fold(0.0, |worst, off| if off > worst || off.is_nan() { off } else { worst })
}
