//! temporary
#![allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::print_stdout)]
use difftest_core::image::Image;
use difftest_core::metric::{AnyMetric, Item, Metric, Sample};
use difftest_plugin::{Limits, Registry};
use std::sync::Arc;
use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (plugin, n) = (&args[1], args[2].parse::<usize>().unwrap());
    let read = |p: &str| Image::new(512, 512, std::fs::read(p).unwrap()).unwrap();
    let (a, b) = (read("/tmp/ssimw/a.rgb"), read("/tmp/ssimw/b.rgb"));
    let registry = Registry::discover(
        &[std::path::PathBuf::from("target/wasm32-wasip2/release")
            .join(plugin.split('/').next().unwrap().to_owned() + ".wasm")],
        Limits::default(),
    )
    .unwrap();
    let m: Arc<dyn Metric> = match registry.metric(plugin, &serde_json::Value::Null, None).unwrap() {
        AnyMetric::Each(m) => m,
        _ => panic!(),
    };
    let s =
        Sample { id: "bench".into(), prompt: String::new(), negative_prompt: None, seed: 0, attributes: Vec::new() };
    let mut t = vec![];
    let mut last = None;
    for _ in 0..n {
        let item = Item {
            image: Image::new(512, 512, a.rgb8().to_vec()).unwrap(),
            reference: Some(b.clone()),
            sample: s.clone(),
        };
        let t0 = Instant::now();
        let v = m.measure(std::slice::from_ref(&item)).pop().unwrap().unwrap();
        t.push(t0.elapsed().as_secs_f64() * 1e3);
        last = Some(v);
    }
    t.sort_by(f64::total_cmp);
    println!("{last:?}\nsandbox ms min {:.2} median {:.2}", t[0], t[n / 2]);
}
