//! plotters' backend that writes SVG paths with classes instead of colours and fonts, so that drawings follow the theme.

use super::ink::Ink;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};
use std::{convert::Infallible, fmt::Write};

/// Units across every plot, whatever its width on the screen.
pub const WIDTH: u32 = 10_000;
/// Units in one CSS pixel of height. plotters' coordinates are whole numbers: lines need more than pixels.
pub const FINE: u32 = 10;

/// Collects the paths of one plot.
pub struct Canvas<'a> {
    paths: &'a mut String,
    height: u32,
}

impl<'a> Canvas<'a> {
    /// `height` in CSS pixels.
    pub fn new(paths: &'a mut String, height: u32) -> Canvas<'a> {
        Canvas { paths, height: height * FINE }
    }

    /// Relative steps: half the bytes of absolute ones, and there are thousands of them in a page.
    fn path(&mut self, color: BackendColor, points: impl IntoIterator<Item = BackendCoord>, closed: bool) {
        let Some(ink) = Ink::of(color.rgb).filter(|_| color.alpha > 0.0) else { return };
        let mut points = points.into_iter();
        let Some(mut last) = points.next() else { return };
        let mut d = format!("M{} {}", last.0, last.1);
        let mut steps = 0;
        for point in points {
            let (dx, dy) = (point.0 - last.0, point.1 - last.1);
            let command = if steps == 0 {
                "l"
            } else if dx < 0 {
                ""
            } else {
                " "
            };
            let gap = if dy < 0 { "" } else { " " };
            // Writing to a String cannot fail.
            let _ = write!(d, "{command}{dx}{gap}{dy}");
            last = point;
            steps += 1;
        }
        if steps == 0 {
            // A measurement between two holes: a path without length shows as a dot where line caps are round.
            d.push_str("h0");
        }
        if closed {
            d.push('Z');
        }
        let _ = write!(self.paths, "<path class=\"{}\" d=\"{d}\"/>", ink.class());
    }
}

type Done = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (WIDTH, self.height)
    }

    fn ensure_prepared(&mut self) -> Done {
        Ok(())
    }

    fn present(&mut self) -> Done {
        Ok(())
    }

    fn draw_pixel(&mut self, _: BackendCoord, _: BackendColor) -> Done {
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Done {
        self.path(style.color(), [from, to], false);
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(&mut self, _: BackendCoord, _: BackendCoord, _: &S, _: bool) -> Done {
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Done {
        self.path(style.color(), path, false);
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Done {
        self.path(style.color(), vert, true);
        Ok(())
    }

    /// None is drawn. Without these two the trait brings a rasterizer along.
    fn draw_circle<S: BackendStyle>(&mut self, _: BackendCoord, _: u32, _: &S, _: bool) -> Done {
        Ok(())
    }

    fn blit_bitmap(&mut self, _: BackendCoord, _: (u32, u32), _: &[u8]) -> Done {
        Ok(())
    }

    /// Texts stand outside the stretched box; none is drawn, and none is measured: a browser's fonts and the
    /// server's would lay out two different charts.
    fn draw_text<T: BackendTextStyle>(&mut self, _: &str, _: &T, _: BackendCoord) -> Done {
        Ok(())
    }

    fn estimate_text_size<T: BackendTextStyle>(
        &self,
        _: &str,
        _: &T,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        Ok((0, 0))
    }
}
