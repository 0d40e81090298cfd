//! The schedulers by name.

use std::fmt;
use std::str::FromStr;

use super::SchedulerError;

/// The schedulers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `ddim`
    Ddim,
    /// `pndm`
    Pndm,
    /// `euler`
    Euler,
    /// `euler-ancestral`
    EulerAncestral,
    /// `dpmpp-2m`: DPM-Solver as the configuration says, which without settings is the second-order multistep
    /// DPM-Solver++.
    Dpm,
    /// `dpmpp-2m-karras`: the same with Karras' noise levels.
    DpmKarras,
    /// `lcm`
    Lcm,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Ddim, Self::Pndm, Self::Euler, Self::EulerAncestral, Self::Dpm, Self::DpmKarras, Self::Lcm];

    /// The name that suites use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ddim => "ddim",
            Self::Pndm => "pndm",
            Self::Euler => "euler",
            Self::EulerAncestral => "euler-ancestral",
            Self::Dpm => "dpmpp-2m",
            Self::DpmKarras => "dpmpp-2m-karras",
            Self::Lcm => "lcm",
        }
    }

    /// diffusers' class, which suites may write too. Two names share `DPMSolverMultistepScheduler`; it means
    /// [`Kind::Dpm`].
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Ddim => "DDIMScheduler",
            Self::Pndm => "PNDMScheduler",
            Self::Euler => "EulerDiscreteScheduler",
            Self::EulerAncestral => "EulerAncestralDiscreteScheduler",
            Self::Dpm | Self::DpmKarras => "DPMSolverMultistepScheduler",
            Self::Lcm => "LCMScheduler",
        }
    }

    /// The one that a class of diffusers means.
    #[must_use]
    pub fn of_class(class: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.class() == class)
    }

    /// All names, for messages.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = SchedulerError;

    /// Reads a name or a class of diffusers.
    fn from_str(name: &str) -> Result<Self, SchedulerError> {
        let named = Self::ALL.into_iter().find(|kind| kind.name() == name);
        named.or_else(|| Self::of_class(name)).ok_or_else(|| SchedulerError::UnknownName { name: name.to_owned() })
    }
}
