//! Sizes and rectangles, in pixels.

use std::fmt;

/// Width and height of an image in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Size {
    /// A size of `width` x `height` pixels.
    pub const fn new(width: usize, height: usize) -> Self {
        Self { width, height }
    }

    /// A square of `side` x `side` pixels.
    pub const fn square(side: usize) -> Self {
        Self::new(side, side)
    }

    /// Bytes in one packed BGR row.
    pub const fn stride(self) -> usize {
        self.width * 3
    }

    /// Bytes of a packed BGR image of this size.
    pub const fn bytes(self) -> usize {
        self.stride() * self.height
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A rectangle in frame coordinates: columns `x1..x2`, rows `y1..y2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rect {
    /// First column.
    pub x1: usize,
    /// First row.
    pub y1: usize,
    /// One past the last column.
    pub x2: usize,
    /// One past the last row.
    pub y2: usize,
}

impl Rect {
    /// Width and height.
    pub const fn size(self) -> Size {
        Size::new(self.x2 - self.x1, self.y2 - self.y1)
    }

    /// Whether the rectangle has pixels and all of them lie inside a frame of `frame` pixels.
    pub const fn fits(self, frame: Size) -> bool {
        self.x1 < self.x2 && self.y1 < self.y2 && self.x2 <= frame.width && self.y2 <= frame.height
    }
}

impl fmt::Display for Rect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}, {}, {}]", self.x1, self.y1, self.x2, self.y2)
    }
}

/// The square sizes that follow from the side S of the network's image input.
///
/// A crop is 8 pixels wider than the region inside it (the *roi*), which the network sees: 320 in
/// 328, 160 in 168. The masked roi is black where the mouth will be painted: columns 5 to S-6 and
/// rows 5 to S-11, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModelGeometry {
    side: usize,
}

impl ModelGeometry {
    /// Pixels between a crop's edge and its roi, on each side.
    pub const BORDER: usize = 4;
    /// First masked column and row of the roi.
    pub const MASK_START: usize = 5;
    /// Largest side that is accepted; larger ones are taken for damaged models.
    pub const MAX_SIDE: usize = 2048;

    /// Geometry for a network whose image input is `side` x `side`; `None` when the side is outside
    /// 16 to [`Self::MAX_SIDE`].
    pub const fn new(side: usize) -> Option<Self> {
        if side < 16 || side > Self::MAX_SIDE { None } else { Some(Self { side }) }
    }

    /// Side S of the roi, the network's input and its output.
    pub const fn side(self) -> usize {
        self.side
    }

    /// Side of the crop.
    pub const fn crop_side(self) -> usize {
        self.side + 2 * Self::BORDER
    }

    /// Size of the roi.
    pub const fn roi(self) -> Size {
        Size::square(self.side)
    }

    /// Size of the crop.
    pub const fn crop(self) -> Size {
        Size::square(self.crop_side())
    }

    /// The black rectangle of the masked roi, in roi coordinates.
    pub const fn mask(self) -> Rect {
        Rect { x1: Self::MASK_START, y1: Self::MASK_START, x2: self.side - 5, y2: self.side - 10 }
    }

    /// Floats in one frame's image input (6 planes).
    pub const fn image_len(self) -> usize {
        6 * self.side * self.side
    }

    /// Floats in one frame's prediction (3 planes).
    pub const fn prediction_len(self) -> usize {
        3 * self.side * self.side
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mask_follows_the_training_code() {
        let mask = ModelGeometry::new(320).unwrap().mask();
        assert_eq!(mask, Rect { x1: 5, y1: 5, x2: 315, y2: 310 });
        let small = ModelGeometry::new(160).unwrap().mask();
        assert_eq!(small, Rect { x1: 5, y1: 5, x2: 155, y2: 150 });
    }

    #[test]
    fn rectangles_must_have_pixels_inside_the_frame() {
        let frame = Size::new(10, 8);
        assert!(Rect { x1: 0, y1: 0, x2: 10, y2: 8 }.fits(frame));
        assert!(!Rect { x1: 3, y1: 0, x2: 3, y2: 8 }.fits(frame));
        assert!(!Rect { x1: 5, y1: 0, x2: 3, y2: 8 }.fits(frame));
        assert!(!Rect { x1: 0, y1: 0, x2: 11, y2: 8 }.fits(frame));
    }
}
