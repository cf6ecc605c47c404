//! Draws a frame: a person in front of a softly lit wall.

use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LinearGradient, Paint, Path, PathBuilder, Pixmap,
    PixmapMut, Point, RadialGradient, Rect, Shader, SpreadMode, Stroke, Transform,
};

use crate::frame::Size;

use super::face;
use super::motion::Pose;

const WALL: [u32; 3] = [0x9db9b8, 0x5f8388, 0x24383f];
const LAMP: u32 = 0xffd9a0;
const SHIRT: [u32; 2] = [0xd9824a, 0xa2512f];
const SHIRT_SEAM: u32 = 0x8a4228;
const NECK: [u32; 2] = [0xb9775b, 0xdb9b78];

/// Draws frames of one size. What does not move is drawn once.
pub(super) struct Painter {
    size: Size,
    background: Pixmap,
}

impl Painter {
    pub(super) fn new(size: Size) -> Self {
        let Some(mut background) = Pixmap::new(size.width as u32, size.height as u32) else {
            unreachable!("frame sizes are checked before anything is drawn")
        };
        draw_wall(&mut Brush::new(&mut background.as_mut(), Transform::identity()), size);
        Self { size, background }
    }

    /// The frame of a pose, packed BGR.
    pub(super) fn paint(&self, pose: &Pose) -> Vec<u8> {
        let mut canvas = self.background.clone();
        let mut pixels = canvas.as_mut();
        let scale = Transform::from_scale(pose.unit, pose.unit);
        let body = scale.post_translate(pose.body.0, pose.body.1);
        let head = scale.post_translate(pose.head.0, pose.head.1);
        // The head leans around the top of the neck.
        let head = head.pre_concat(Transform::from_rotate_at(pose.tilt, 0.0, 0.8));

        face::draw_back_hair(&mut Brush::new(&mut pixels, head));
        draw_body(&mut Brush::new(&mut pixels, body));
        face::draw(&mut Brush::new(&mut pixels, head), pose);

        let mut bgr = Vec::with_capacity(self.size.bytes());
        bgr.extend(canvas.data().chunks_exact(4).flat_map(|rgba| [rgba[2], rgba[1], rgba[0]]));
        bgr
    }
}

/// Draws with coordinates of its own.
pub(super) struct Brush<'a, 'p> {
    pixels: &'a mut PixmapMut<'p>,
    transform: Transform,
}

impl<'a, 'p> Brush<'a, 'p> {
    pub(super) fn new(pixels: &'a mut PixmapMut<'p>, transform: Transform) -> Self {
        Self { pixels, transform }
    }

    /// Fills a shape; where its outlines overlap an even number of times it has a hole.
    pub(super) fn fill(&mut self, path: &Path, shader: Shader<'static>) {
        let paint = Paint { shader, anti_alias: true, ..Paint::default() };
        self.pixels.fill_path(path, &paint, FillRule::EvenOdd, self.transform, None);
    }

    /// Draws a line with round ends.
    pub(super) fn stroke(&mut self, path: &Path, width: f32, shader: Shader<'static>) {
        let paint = Paint { shader, anti_alias: true, ..Paint::default() };
        let stroke = Stroke { width, line_cap: LineCap::Round, ..Stroke::default() };
        self.pixels.stroke_path(path, &paint, &stroke, self.transform, None);
    }
}

/// One colour, 0xRRGGBB, `alpha` 0 to 1.
pub(super) fn plain(rgb: u32, alpha: f32) -> Shader<'static> {
    Shader::SolidColor(color(rgb, alpha))
}

/// Colours in even steps along a line.
pub(super) fn along(from: (f32, f32), to: (f32, f32), colors: &[u32]) -> Shader<'static> {
    let last = (colors.len() - 1) as f32;
    let stops = colors.iter().enumerate();
    let stops = stops.map(|(i, &rgb)| GradientStop::new(i as f32 / last, color(rgb, 1.0)));
    let gradient = LinearGradient::new(
        Point::from_xy(from.0, from.1),
        Point::from_xy(to.0, to.1),
        stops.collect(),
        SpreadMode::Pad,
        Transform::identity(),
    );
    gradient.unwrap_or_else(|| plain(colors[0], 1.0))
}

/// One colour that fades out from a point.
pub(super) fn glow(center: (f32, f32), radius: f32, rgb: u32, alpha: f32) -> Shader<'static> {
    let stops = [(0.0, alpha), (0.35, alpha * 0.62), (0.7, alpha * 0.16), (1.0, 0.0)];
    radial(center, radius, stops.map(|(at, alpha)| (at, color(rgb, alpha))))
        .unwrap_or_else(|| plain(rgb, 0.0))
}

fn radial<const N: usize>(
    center: (f32, f32),
    radius: f32,
    stops: [(f32, Color); N],
) -> Option<Shader<'static>> {
    let center = Point::from_xy(center.0, center.1);
    let stops = stops.map(|(at, color)| GradientStop::new(at, color)).to_vec();
    RadialGradient::new(center, center, radius, stops, SpreadMode::Pad, Transform::identity())
}

fn color(rgb: u32, alpha: f32) -> Color {
    let channel = |shift: u32| ((rgb >> shift) & 0xff) as u8;
    Color::from_rgba8(channel(16), channel(8), channel(0), (alpha * 255.0) as u8)
}

/// A shape from a list of curves; empty shapes become a dot.
pub(super) fn shape(build: impl FnOnce(&mut PathBuilder)) -> Path {
    let mut builder = PathBuilder::new();
    build(&mut builder);
    match builder.finish() {
        Some(path) => path,
        None => unreachable!("every shape has curves of finite length"),
    }
}

/// An ellipse around a point.
pub(super) fn ellipse(center: (f32, f32), radius: (f32, f32)) -> Path {
    shape(|path| push_ellipse(path, center, radius))
}

/// Adds an ellipse to a shape.
pub(super) fn push_ellipse(path: &mut PathBuilder, center: (f32, f32), radius: (f32, f32)) {
    let (x, y) = (center.0 - radius.0, center.1 - radius.1);
    if let Some(bounds) = Rect::from_xywh(x, y, 2.0 * radius.0, 2.0 * radius.1) {
        path.push_oval(bounds);
    }
}

fn draw_wall(brush: &mut Brush<'_, '_>, size: Size) {
    let (width, height) = (size.width as f32, size.height as f32);
    let everything = shape(|path| {
        if let Some(bounds) = Rect::from_xywh(0.0, 0.0, width, height) {
            path.push_rect(bounds);
        }
    });
    let light = (0.36 * width, 0.30 * height);
    let stops = [(0.0, WALL[0]), (0.45, WALL[1]), (1.0, WALL[2])];
    let wall = radial(light, 0.80 * width, stops.map(|(at, rgb)| (at, color(rgb, 1.0))));
    brush.fill(&everything, wall.unwrap_or_else(|| plain(WALL[1], 1.0)));

    // Daylight through a window: four leaning panes.
    let pane = |column: f32, row: f32| {
        let x = width * (0.055 + 0.105 * column) + height * 0.02 * row;
        let (y, w, h) = (height * (0.10 + 0.27 * row), width * 0.092, height * 0.24);
        shape(|path| {
            path.move_to(x, y);
            path.line_to(x + w, y + 0.02 * height);
            path.line_to(x + w + 0.02 * height, y + 0.02 * height + h);
            path.line_to(x + 0.02 * height, y + h);
            path.close();
        })
    };
    for (column, row) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        brush.fill(&pane(column, row), plain(0xf4fbf5, 0.16));
    }

    // A lamp, and lights far out of focus.
    let lamp = (0.86 * width, 0.30 * height);
    brush.fill(&everything, glow(lamp, 0.34 * width, LAMP, 0.55));
    for (x, y, radius, alpha) in [
        (0.80, 0.24, 0.030, 0.10),
        (0.875, 0.33, 0.045, 0.16),
        (0.93, 0.22, 0.034, 0.12),
        (0.835, 0.44, 0.022, 0.10),
        (0.955, 0.45, 0.028, 0.08),
    ] {
        let radius = radius * width;
        brush.fill(&ellipse((x * width, y * height), (radius, radius)), plain(LAMP, alpha));
    }
    let behind = (0.5 * width, 0.52 * height);
    brush.fill(&everything, glow(behind, 0.42 * width, 0xcfe3dc, 0.28));
}

/// Shoulders and neck. The unit is the width of the face, the origin its upper edge.
fn draw_body(brush: &mut Brush<'_, '_>) {
    let shoulders = shape(|path| {
        path.move_to(-0.30, 1.12);
        path.cubic_to(-0.62, 1.28, -1.16, 1.30, -1.42, 1.72);
        path.cubic_to(-1.62, 2.10, -1.70, 2.90, -1.75, 4.20);
        path.line_to(1.75, 4.20);
        path.cubic_to(1.70, 2.90, 1.62, 2.10, 1.42, 1.72);
        path.cubic_to(1.16, 1.30, 0.62, 1.28, 0.30, 1.12);
        path.close();
    });
    brush.fill(&shoulders, along((-1.3, 1.2), (1.5, 2.6), &SHIRT));
    for side in [-1.0, 1.0] {
        let sleeve = shape(|path| {
            path.move_to(side * 1.06, 2.05);
            path.cubic_to(side * 1.10, 2.50, side * 1.12, 3.10, side * 1.10, 4.20);
        });
        brush.stroke(&sleeve, 0.022, plain(SHIRT_SEAM, 0.45));
    }

    let neck = shape(|path| {
        path.move_to(-0.25, 0.45);
        path.cubic_to(-0.25, 0.85, -0.24, 1.02, -0.40, 1.17);
        path.cubic_to(-0.22, 1.42, 0.22, 1.42, 0.40, 1.17);
        path.cubic_to(0.24, 1.02, 0.25, 0.85, 0.25, 0.45);
        path.close();
    });
    brush.fill(&neck, along((0.0, 0.86), (0.0, 1.22), &NECK));
    let collar = shape(|path| {
        path.move_to(-0.405, 1.13);
        path.cubic_to(-0.24, 1.42, 0.24, 1.42, 0.405, 1.13);
        path.line_to(0.475, 1.18);
        path.cubic_to(0.27, 1.52, -0.27, 1.52, -0.475, 1.18);
        path.close();
    });
    brush.fill(&collar, plain(SHIRT[1], 1.0));
}
