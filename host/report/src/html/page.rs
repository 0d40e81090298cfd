//! The file from its first byte to its last.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::encode::Encoded;
use super::markup::{Text, cut};
use super::pictures::{Pictures, Role, Slot};
use super::view::{Case, View};
use super::{GENERATOR, case, data, overview, test};

const STYLE: &str = concat!(include_str!("assets/page.css"), include_str!("assets/case.css"));

/// One function around all of it: nothing is left in the global scope.
const SCRIPT: &str = concat!(
    "(() => {\n\"use strict\";\n",
    include_str!("assets/data.js"),
    include_str!("assets/filter.js"),
    include_str!("assets/marks.js"),
    include_str!("assets/sheet.js"),
    include_str!("assets/compare.js"),
    include_str!("assets/case.js"),
    include_str!("assets/keys.js"),
    include_str!("assets/main.js"),
    "})();\n"
);

/// How much of a prompt an alternative text has.
const ALTERNATIVE: usize = 200;

pub(super) fn render(view: &View<'_>, pictures: &Pictures, out: &mut dyn Write) -> io::Result<()> {
    head(view, out)?;
    overview::write(view, pictures, out)?;
    out.write_all(b"<section id=\"sheets\" aria-label=\"tests\">\n")?;
    for &group in &view.groups_worst_first {
        test::write(view, group, pictures, out)?;
    }
    out.write_all(b"</section>\n")?;
    overview::environments(view, out)?;
    out.write_all(
        b"</main>\n<section id=\"cases\" aria-label=\"cases\">\n<h2 class=\"plain\">Cases, the worst first</h2>\n",
    )?;
    for &index in &view.worst_first {
        case::write(view, index, pictures, out)?;
    }
    out.write_all(b"</section>\n")?;
    foot(view, out)
}

fn head(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    let run = if view.options.stable { "" } else { view.results.run.as_str() };
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{GENERATOR}{}\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data: blob:; \
         style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{} · difftest {}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#sheets\">to the images</a>\n<main>\n",
        Text(&view.results.difftest),
        hash(STYLE),
        hash(SCRIPT),
        overview::conclusion(view.results).0,
        Text(run)
    )
}

fn foot(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<footer>difftest {} · Scores were computed on the original files. Larger pictures are JPEG of quality 90 here; \
         small ones are exact, and so are the differences and heat maps that the run has drawn.</footer>",
        Text(&view.results.difftest)
    )?;
    data::write(view, out)?;
    write!(out, "<script>{SCRIPT}</script>\n</body>\n</html>\n")
}

/// A picture, or what stands in its place.
pub(super) fn picture(
    view: &View<'_>,
    case: &Case<'_>,
    slot: &Slot,
    role: Role,
    out: &mut dyn Write,
) -> io::Result<()> {
    let prompt = cut(&case.result.prompt.text, ALTERNATIVE);
    let alternative = match role {
        Role::Thumbnail | Role::Actual => prompt,
        Role::Expected => format!("baseline of: {prompt}"),
        Role::Difference => format!("what differs from the baseline in: {prompt}"),
        Role::Heatmap => format!("how much differs from the baseline in: {prompt}"),
    };
    let file = super::pictures::file(case, role).map(|(path, _)| path.display().to_string());
    let file = file.filter(|_| !view.options.stable).map(|file| format!(": {file}")).unwrap_or_default();
    match slot {
        Slot::Shown(Encoded { media_type, base64, width, height, exact }) => write!(
            out,
            "<img alt=\"{}\" width=\"{width}\" height=\"{height}\"{} src=\"data:{media_type};base64,{base64}\">",
            Text(&alternative),
            if *exact { " data-exact" } else { "" },
        ),
        Slot::LeftOut => write!(
            out,
            "<span class=\"gone\" role=\"img\" aria-label=\"{}\"><b>left out</b><small>to keep this page small{}</small></span>",
            Text(&alternative),
            Text(&file)
        ),
        Slot::Unreadable(reason) => write!(
            out,
            "<span class=\"gone\" role=\"img\" aria-label=\"{}\"><b>no picture</b><small>{}{}</small></span>",
            Text(&alternative),
            Text(reason),
            Text(&file)
        ),
        Slot::Absent | Slot::SameAsThumbnail => Ok(()),
    }
}
