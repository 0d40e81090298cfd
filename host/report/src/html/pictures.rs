//! Which pictures are in the page: as many as the budget holds, those a person needs first.

use std::path::Path;

use difftest_core::digest::Digest;
use difftest_core::visual::Standing;
use rayon::prelude::*;

use super::HtmlSummary;
use super::encode::{Encoded, Form, THUMBNAIL, encode, heat};
use super::view::{Case, View};

/// Image files up to this many bytes go into the page as they are.
pub(super) const AS_IT_IS: u64 = 64 << 10;
/// What stands around a picture's data, at most.
const MARKUP: u64 = 256;
/// How many are encoded between two looks at the budget.
const AT_ONCE: usize = 64;

/// What a picture shows of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Thumbnail,
    Actual,
    Expected,
    Difference,
    Heatmap,
}

const ROLES: [Role; 5] = [Role::Thumbnail, Role::Actual, Role::Expected, Role::Difference, Role::Heatmap];

/// What there is of a picture.
pub(super) enum Slot {
    /// The case has none.
    Absent,
    /// Here it is.
    Shown(Encoded),
    /// The thumbnail shows all of it.
    SameAsThumbnail,
    /// The budget has no room for it.
    LeftOut,
    /// Why the file does not give it.
    Unreadable(String),
}

/// The pictures of all cases.
pub(super) struct Pictures(Vec<[Slot; 5]>);

/// A picture that should be in the page.
struct Wish {
    case: usize,
    role: Role,
}

impl Pictures {
    /// The page without any: every picture is left out.
    pub(super) fn none(view: &View<'_>) -> Self {
        Self(view.cases.iter().map(|case| ROLES.map(|role| initial(case, role))).collect())
    }

    /// The pictures that fit into `room` bytes of the page.
    pub(super) fn collect(view: &View<'_>, room: u64) -> Self {
        let mut pictures = Self::none(view);
        let wishes = |roles: &[Role], wanted: &dyn Fn(&Case<'_>) -> bool| -> Vec<Wish> {
            let cases = view.worst_first.iter().copied().filter(|&case| wanted(&view.cases[case]));
            let all = cases.flat_map(|case| roles.iter().map(move |&role| Wish { case, role }));
            all.filter(|wish| matches!(initial(&view.cases[wish.case], wish.role), Slot::LeftOut)).collect()
        };
        let (thumbnail, larger) = (&ROLES[..1], &ROLES[1..]);
        let used = pictures.fill(view, &wishes(thumbnail, &|_| true), room / 3 * 2);
        let mut left = room - used;
        left -= pictures.fill(view, &wishes(larger, &|case| case.status.needs_attention()), left);
        left -= pictures.fill(view, &wishes(larger, &|case| !case.status.needs_attention()), left);
        let missing = wishes(thumbnail, &|_| true);
        let missing: Vec<_> =
            missing.into_iter().filter(|w| matches!(pictures.slot(w.case, w.role), Slot::LeftOut)).collect();
        pictures.fill(view, &missing, left);
        pictures
    }

    pub(super) fn slot(&self, case: usize, role: Role) -> &Slot {
        &self.0[case][role as usize]
    }

    /// Puts in one after another until one does not fit; says how many bytes they take.
    fn fill(&mut self, view: &View<'_>, wishes: &[Wish], room: u64) -> u64 {
        let mut used = 0;
        for chunk in wishes.chunks(AT_ONCE) {
            let encoded: Vec<_> = chunk.par_iter().map(|wish| picture(view, wish)).collect();
            for (wish, encoded) in chunk.iter().zip(encoded) {
                let slot = &mut self.0[wish.case][wish.role as usize];
                match encoded {
                    Ok(encoded) => {
                        let more = encoded.base64.len() as u64 + MARKUP;
                        if used + more > room {
                            return used;
                        }
                        used += more;
                        *slot = Slot::Shown(encoded);
                    }
                    Err(reason) => *slot = Slot::Unreadable(reason),
                }
            }
        }
        used
    }

    /// Counts what is in, and what is not.
    pub(super) fn summary(&self) -> HtmlSummary {
        let mut summary = HtmlSummary::default();
        for (role, slot) in self.0.iter().flat_map(|slots| ROLES.iter().zip(slots)) {
            match slot {
                Slot::Shown(_) => summary.pictures += 1,
                Slot::LeftOut if *role == Role::Thumbnail => summary.thumbnails_left_out += 1,
                Slot::LeftOut => summary.pictures_left_out += 1,
                Slot::Unreadable(_) if *role == Role::Thumbnail || *role == Role::Expected => summary.unreadable += 1,
                Slot::Unreadable(_) | Slot::Absent | Slot::SameAsThumbnail => {}
            }
        }
        summary
    }
}

/// What a picture is before any is made.
fn initial(case: &Case<'_>, role: Role) -> Slot {
    let Some(image) = &case.result.image else { return Slot::Absent };
    let there = file(case, role).is_some() || role == Role::Heatmap && drawn(case).is_some();
    let wished = if there { Slot::LeftOut } else { Slot::Absent };
    // beside a picture to compare it with, an image stands in full
    let alone = match &case.result.comparison {
        Some(comparison) => comparison.standing == Standing::Same,
        None => file(case, Role::Expected).is_none(),
    };
    match role {
        Role::Actual if alone && image.width.max(image.height) <= THUMBNAIL => Slot::SameAsThumbnail,
        _ => wished,
    }
}

/// The file of a picture, and the digest of its pixels. A baseline of the same pixels is not shown twice.
pub(super) fn file<'a>(case: &'a Case<'_>, role: Role) -> Option<(&'a Path, Option<Digest>)> {
    let image = case.result.image.as_ref();
    let comparison = case.result.comparison.as_ref();
    match role {
        Role::Thumbnail | Role::Actual => image.map(|image| (Path::new(&image.path), Some(image.digest))),
        Role::Expected => {
            let compared = comparison.and_then(|comparison| comparison.expected.as_ref());
            let before = case.result.baseline.as_ref().filter(|_| comparison.is_none());
            let (path, digest) = compared
                .map(|expected| (&expected.path, expected.digest))
                .or_else(|| before.map(|before| (&before.path, before.digest)))?;
            let differs = image.is_none_or(|image| image.digest != digest);
            differs.then_some((path.as_path(), Some(digest)))
        }
        Role::Difference => Some((comparison?.diff.as_deref()?, None)),
        Role::Heatmap => Some((comparison?.heatmap.as_deref()?, None)),
    }
}

/// The image and its baseline's, where no run has drawn how they differ and both are here: a suite that is compared by its scores.
fn drawn<'a>(case: &'a Case<'_>) -> Option<[(&'a Path, Digest); 2]> {
    let image = case.result.image.as_ref().filter(|_| case.result.comparison.is_none())?;
    let (path, digest) = file(case, Role::Expected)?;
    Some([(Path::new(&image.path), image.digest), (path, digest?)])
}

fn picture(view: &View<'_>, wish: &Wish) -> Result<Encoded, String> {
    let case = &view.cases[wish.case];
    if let Some(both) = drawn(case).filter(|_| wish.role == Role::Heatmap) {
        let [image, before] = both.map(|(path, digest)| (view.find(path), digest));
        return heat(&image, &before, AS_IT_IS);
    }
    let (path, digest) = file(case, wish.role).ok_or("there is no file")?;
    let form = match wish.role {
        Role::Thumbnail => Form::Thumbnail,
        Role::Actual | Role::Expected => Form::Picture { as_it_is: AS_IT_IS },
        Role::Difference | Role::Heatmap => Form::File,
    };
    encode(&view.find(path), digest, form)
}
