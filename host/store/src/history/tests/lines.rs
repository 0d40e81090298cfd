//! What is kept, and the lines that it is shown in.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Recording is a union: any order, any number of times, the same history.
    #[test]
    fn any_order_gives_the_same_history(order in prop::collection::vec(0..5_usize, 0..12)) {
        let runs = some_runs();
        let (_dir, expected) = history(&runs);
        let (_other, mut mixed) = history(&[]);
        for index in order.into_iter().chain(0..5) {
            mixed.record(&runs[index].record()).unwrap();
        }
        prop_assert_eq!(seen(&mixed), seen(&expected));
        let broken: i64 = mixed.connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
        prop_assert_eq!(broken, 0);
    }
}

#[test]
fn numbers_and_texts_come_back_as_they_were() {
    let (_dir, history) = history(&[Run::new("r1", [0.1 + 0.2, f64::MIN_POSITIVE, -0.0, 1e300, 5e-324, 1.0 / 3.0])]);
    let mut out = Vec::new();
    history.export(Format::JsonLines, &mut out).unwrap();
    let rows: Vec<serde_json::Value> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 7, "six scores and one over the set");
    let bits = |case: &str| rows.iter().find(|row| row["case"] == case).unwrap()["value"].as_f64().unwrap().to_bits();
    assert_eq!(bits("s::t[p0,seed=0]"), (0.1_f64 + 0.2).to_bits());
    assert_eq!(bits("s::t[p1,seed=0]"), 0.0_f64.to_bits(), "SQLite keeps no sign of zero");
    assert_eq!(bits("s::t[p2,seed=0]"), 5e-324_f64.to_bits());
    assert!(rows.iter().any(|row| row["seed"] == u64::MAX && row["prompt"] == PROMPTS[2]));
    let mut csv = Vec::new();
    history.export(Format::Csv, &mut csv).unwrap();
    assert!(String::from_utf8(csv).unwrap().contains("\"größe, \"\"quoted\"\"\nsecond line\""));
}

#[test]
fn lines_never_mix_variants_environments_models_or_images() {
    let mut runs = some_runs();
    runs.push(Run { model: "other", ..Run::new("r6", [0.1; 4]) });
    runs.push(Run::new("r7", [0.9; 2]));
    let (_dir, history) = history(&runs);
    let all = series(&history, |_| {});
    let names = |series: &Series| series.points.iter().map(|point| point.run.clone()).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<_> = all.iter().map(names).collect();
    lines.sort();
    assert_eq!(lines, ["r1 r2 r5", "r3", "r4", "r6", "r7"]);
    let main = all.iter().find(|series| series.points.len() == 3).unwrap();
    assert_eq!(means(main), [(0.25 + (0.1 + 0.2) + 0.5 + 0.75) / 4.0, 0.5, (0.25 + (0.1 + 0.2) + 0.5 + 0.75) / 4.0]);
    assert_eq!((main.scores, main.better), (4, "higher"));
    assert_eq!(main.points[2].label.as_deref(), Some("candidate"));
    assert_eq!(series(&history, |filter| filter.environment = Some("cuda".into())).len(), 1);
    assert_eq!(series(&history, |filter| filter.model = Some("oth".into())).len(), 1);
    assert_eq!(series(&history, |filter| filter.suite = Some("none".into())).len(), 0);
    let last = series(&history, |filter| filter.last = Some(2));
    assert!(last.iter().any(|series| names(series) == "r2 r5"));
    // Over some of the cases, from the scores themselves.
    let some = series(&history, |filter| filter.cases = Some(Expression::parse("p1").unwrap()));
    let line = some.iter().find(|series| names(series) == "r1 r2 r5").unwrap();
    assert_eq!(means(line), [0.625, 0.5, 0.625]);
    let set = Filter { metric: "diversity".to_owned(), ..Filter::default() };
    assert_eq!(history.series(&set).unwrap().iter().map(|series| series.points.len()).sum::<usize>(), 7);
    let unknown = history.series(&Filter { metric: "clip_scor".to_owned(), ..Filter::default() }).unwrap_err();
    assert!(unknown.hint().unwrap().contains("did you mean `clip_score`"));
}
