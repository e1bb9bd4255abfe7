//! Text for screens: columns that fit, and versions of a row side by side.

pub(crate) mod grid;
pub(crate) mod side;

use crate::output::screen_width;

/// The narrowest screen that is laid out for.
const WIDTH_MIN: u16 = 40;
/// On wider screens lines get no longer: they would be hard to read.
const WIDTH_MAX: u16 = 160;
/// Where there is no terminal to ask.
const WIDTH_DEFAULT: u16 = 100;

/// How wide a line may be, in characters.
pub(crate) fn width() -> usize {
    screen_width()
        .unwrap_or(WIDTH_DEFAULT)
        .clamp(WIDTH_MIN, WIDTH_MAX)
        .into()
}
