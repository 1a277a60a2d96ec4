//! What a stroke or a surface means. plotters knows colours only, so the meaning travels as one.

use plotters::style::RGBColor;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Grid,
    Target,
    /// The headline line of streaming.
    Sse,
    /// A second line of streaming.
    SseThin,
    /// Surface between two percentiles.
    Band,
    /// Surface under a line of streaming.
    Fill,
    Poll,
    /// A line that belongs to neither side: memory, CPU, what publishers do.
    Neutral,
    NeutralFill,
    /// The same in the range before.
    Before,
}

impl Ink {
    const ALL: [Ink; 10] = [
        Ink::Grid,
        Ink::Target,
        Ink::Sse,
        Ink::SseThin,
        Ink::Band,
        Ink::Fill,
        Ink::Poll,
        Ink::Neutral,
        Ink::NeutralFill,
        Ink::Before,
    ];

    pub fn class(self) -> &'static str {
        match self {
            Ink::Grid => "mesh",
            Ink::Target => "rule target",
            Ink::Sse => "line sse",
            Ink::SseThin => "line sse thin",
            Ink::Band => "band sse",
            Ink::Fill => "fill sse",
            Ink::Poll => "line poll",
            Ink::Neutral => "line ink",
            Ink::NeutralFill => "fill ink",
            Ink::Before => "line before",
        }
    }

    pub fn color(self) -> RGBColor {
        RGBColor(self as u8, 0, 0)
    }

    pub fn of(rgb: (u8, u8, u8)) -> Option<Ink> {
        Ink::ALL.get(usize::from(rgb.0)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::Ink;

    #[test]
    fn the_meaning_survives_as_a_colour() {
        for ink in Ink::ALL {
            let color = ink.color();
            assert_eq!(Ink::of((color.0, color.1, color.2)), Some(ink));
        }
    }
}
