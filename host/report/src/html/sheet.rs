//! The contact sheet of a test: prompts down, those with the worst images first, seeds across.

use std::io::{self, Write};

use super::markup::{Text, cut};
use super::page;
use super::pictures::{Pictures, Role};
use super::view::{Group, View};
use crate::text;

/// A longer prompt is folded.
const PROMPT: usize = 240;
/// Up to so many seeds, prompts stand side by side.
const FEW: usize = 3;
/// Of the column of prompts, in pixels.
const PROMPT_WIDTH: usize = 250;
/// Of the column of a seed: a thumbnail and some air.
const SEED_WIDTH: usize = 156;

pub(super) fn write(view: &View<'_>, group: &Group<'_>, pictures: &Pictures, out: &mut dyn Write) -> io::Result<()> {
    if group.cases.is_empty() {
        return Ok(());
    }
    // widths that are known before the rows: a browser lays out each row once, and a filter moves no column
    let width = PROMPT_WIDTH + SEED_WIDTH * group.seeds.len();
    // with few seeds a prompt and its images are a card, and cards stand side by side
    let few = if group.seeds.len() <= FEW { format!(" few seeds-{}", group.seeds.len()) } else { String::new() };
    write!(out, "<div class=\"sheet{few}\"><table width=\"{width}\"><colgroup><col width=\"{PROMPT_WIDTH}\">")?;
    group.seeds.iter().try_for_each(|_| write!(out, "<col width=\"{SEED_WIDTH}\">"))?;
    write!(out, "</colgroup><thead><tr><th scope=\"col\">prompt</th>")?;
    for seed in &group.seeds {
        write!(out, "<th scope=\"col\">seed {seed}</th>")?;
    }
    writeln!(out, "</tr></thead><tbody>")?;
    for &place in &group.rows_worst_first {
        let row = &group.rows[place];
        write!(out, "<tr data-row=\"{place}\"><th scope=\"row\">")?;
        prompt(view.prompts[row.prompt], out)?;
        write!(out, "</th>")?;
        for (cell, seed) in row.cells.iter().zip(&group.seeds) {
            write!(out, "<td data-seed=\"seed {seed}\">")?;
            cell.iter().try_for_each(|&index| thumbnail(view, index, pictures, out))?;
            write!(out, "</td>")?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody></table></div>")
}

/// All of a prompt, whatever its length and direction.
pub(super) fn prompt(prompt: &str, out: &mut dyn Write) -> io::Result<()> {
    if prompt.chars().nth(PROMPT).is_none() {
        return write!(out, "<bdi class=\"prompt\" dir=\"auto\">{}</bdi>", Text(prompt));
    }
    write!(
        out,
        "<details class=\"long\"><summary><bdi class=\"prompt\" dir=\"auto\">{}</bdi> <small>{} characters</small></summary>\
         <bdi class=\"prompt\" dir=\"auto\">{}</bdi></details>",
        Text(&cut(prompt, PROMPT)),
        prompt.chars().count(),
        Text(prompt)
    )
}

fn thumbnail(view: &View<'_>, index: usize, pictures: &Pictures, out: &mut dyn Write) -> io::Result<()> {
    let case = &view.cases[index];
    let status = case.status;
    write!(out, "<a class=\"thumb {}\" id=\"t{index}\" href=\"#c{index}\" data-case=\"{index}\">", status.word())?;
    if case.result.image.is_some() {
        page::picture(view, case, pictures.slot(index, Role::Thumbnail), Role::Thumbnail, out)?;
    } else {
        write!(out, "<span class=\"gone\"><b>no image</b></span>")?;
    }
    write!(out, "<span class=\"said\"><i>{}</i> {}", status.sign(), Text(&case.said()))?;
    if let Some(value) = case.score() {
        write!(out, " <b>{}</b>", text::score(value))?;
    }
    write!(out, "</span></a>")
}
