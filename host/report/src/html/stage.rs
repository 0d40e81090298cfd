//! The pictures of a case. A comparison has more than one; the script lays them over one another.

use std::io::{self, Write};

use difftest_core::visual::Comparison;

use super::markup::Text;
use super::page;
use super::pictures::{Pictures, Role, Slot, file};
use super::view::{Case, View};
use crate::evidence::percent;
use crate::json::SuiteResult;

/// What the colours of a difference mean.
const LEGEND: &str = "<small class=\"legend\"><i class=\"differs\"></i>red differs <i class=\"edge\"></i>yellow soft edge \
    <i class=\"ignored\"></i>lilac ignored <i class=\"same\"></i>grey same</small>";
/// What those of a heat map mean.
const HEAT: &str = "<small class=\"legend\">black the same, then red, yellow, white: differs more</small>";

pub(super) fn write(view: &View<'_>, index: usize, pictures: &Pictures, out: &mut dyn Write) -> io::Result<()> {
    let case = &view.cases[index];
    let Some(image) = &case.result.image else {
        return writeln!(out, "<div class=\"stage\"><span class=\"gone\"><b>no image</b></span></div>");
    };
    let comparison = case.result.comparison.as_ref();
    writeln!(out, "<div class=\"stage\">")?;
    let expected = comparison.and_then(|comparison| comparison.expected.as_ref());
    let size = |(width, height): (u32, u32)| format!(" · {width} × {height}");
    let names = [
        (Role::Expected, "expected", expected.map(|image| size((image.width, image.height))), ""),
        (Role::Actual, "actual", Some(size((image.width, image.height))), ""),
        (Role::Difference, "difference", comparison.and_then(differing), LEGEND),
        (Role::Heatmap, "heatmap", None, HEAT),
    ];
    for (role, name, about, legend) in names {
        let slot = pictures.slot(index, role);
        if matches!(slot, Slot::Absent) {
            continue;
        }
        write!(out, "<figure class=\"{name}\">")?;
        // what has no larger picture shows its thumbnail instead
        let small = role == Role::Actual && matches!(slot, Slot::SameAsThumbnail | Slot::LeftOut);
        if small && matches!(pictures.slot(index, Role::Thumbnail), Slot::Shown(_)) {
            write!(out, "<a class=\"borrowed\" href=\"#t{index}\">in the contact sheet</a>")?;
        } else if small {
            page::picture(view, case, pictures.slot(index, Role::Thumbnail), role, out)?;
        } else {
            page::picture(view, case, slot, role, out)?;
        }
        let label = match role {
            Role::Heatmap => "heat map".to_owned(),
            Role::Expected if comparison.is_none() => baseline(view.groups[case.group].suite),
            _ => name.to_owned(),
        };
        let less = if small && matches!(slot, Slot::LeftOut) { " · thumbnail: the picture was left out" } else { "" };
        let legend = if matches!(slot, Slot::Shown(_)) { legend } else { "" };
        writeln!(
            out,
            "<figcaption>{}{}{less}{legend}</figcaption></figure>",
            Text(&label),
            Text(&about.unwrap_or_default())
        )?;
    }
    writeln!(out, "</div>")?;
    unchanged(view, case, out)
}

/// Why there is no image of the baseline, where there is no need for it.
fn unchanged(view: &View<'_>, case: &Case<'_>, out: &mut dyn Write) -> io::Result<()> {
    if case.result.comparison.is_some() || case.result.baseline.is_none() || file(case, Role::Expected).is_some() {
        return Ok(());
    }
    let suite = view.groups[case.group].suite;
    writeln!(out, "<p class=\"beside\">the same pixels as in {}</p>", Text(&baseline(suite)))
}

fn baseline(suite: &SuiteResult) -> String {
    suite.baseline.as_ref().map_or_else(|| "baseline".to_owned(), |baseline| format!("baseline {}", baseline.name))
}

/// ` · 1234 pixels (2.1 %) differ`.
fn differing(comparison: &Comparison) -> Option<String> {
    let detail = |name: &str| comparison.details.iter().find(|detail| detail.name == name).map(|detail| detail.value);
    let pixels = detail("differing")?;
    let share = detail("share").map(|share| match percent(share) {
        small if small == "0 %" && share > 0.0 => " (less than 0.1 %)".to_owned(),
        share => format!(" ({share})"),
    });
    let (noun, verb) = if pixels == 1.0 { ("pixel", "differs") } else { ("pixels", "differ") };
    Some(format!(" · {pixels} {noun}{} {verb}", share.unwrap_or_default()))
}
