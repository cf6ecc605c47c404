//! A network that moves its lips.

use tiny_skia::{Pixmap, Transform};

use crate::frame::{ModelGeometry, Rect};
use crate::onnx::Model;

use super::audio_encoder::LOUDNESS;
use super::draw::Brush;
use super::face;
use super::graph::GraphBuilder;
use super::{AUDIO_DIMS, Batch};

/// Pictures of the mouth, from closed to open.
const PICTURES: usize = 9;
/// The loudness up to which the mouth is closed, and that at which it is wide open.
const LOUDNESS_RANGE: (f32, f32) = (0.30, 0.52);
/// Where the mouth is: left, upper, right and lower edge, with the width of the crop as unit.
const MOUTH: [f32; 4] = [0.24, 0.48, 0.76, 0.89];
/// A picture's planes: blue, green, red, and how much of the face shows through.
const PLANES: usize = 4;

/// A network with the U-Net's inputs and outputs whose prediction is the roi with a drawn mouth, the
/// wider open the louder the sound is: made for seeing that sound arrives where it should.
///
/// It contains nine pictures of the mouth of the sample's drawn head and mixes the two that are
/// nearest. The loudness is the first of the 512 features of the frame's own row, as the sample's
/// [`audio_encoder`](super::audio_encoder) makes them; another encoder says something else there.
pub fn demo(side: usize, batch: Batch) -> Model {
    let mouth = Mouth::new(side);
    let (width, height) = (mouth.rect.x2 - mouth.rect.x1, mouth.rect.y2 - mouth.rect.y1);
    let mut graph = GraphBuilder::new("demo");
    graph.input("input", batch, &[6, side, side]);
    graph.input("audio", batch, &AUDIO_DIMS);
    graph.output("output", batch, &[3, side, side]);

    // The loudness of row 8 of the window, on the scale of the pictures' numbers.
    const VALUES: usize = AUDIO_DIMS[1] * AUDIO_DIMS[2];
    let value = 8 * 512 + LOUDNESS;
    let at = [value / VALUES, value % VALUES / AUDIO_DIMS[2], value % AUDIO_DIMS[2]];
    let last = (PICTURES - 1) as f32;
    let scale = last / (LOUDNESS_RANGE.1 - LOUDNESS_RANGE.0);
    slice(&mut graph, "audio", &[(1, at[0], 1), (2, at[1], 1), (3, at[2], 1)], "loudness");
    graph.floats("scale", &[], &[scale]);
    graph.floats("offset", &[], &[-scale * LOUDNESS_RANGE.0]);
    graph.floats("first", &[], &[0.0]);
    graph.floats("last", &[], &[last]);
    graph.node("Mul", &["loudness", "scale"], "scaled", vec![]);
    graph.node("Add", &["scaled", "offset"], "moved", vec![]);
    graph.node("Clip", &["moved", "first", "last"], "number", vec![]);

    // How much of each picture: 1 at its own number, 0 at its neighbours'.
    let numbers: Vec<f32> = (0..PICTURES).map(|number| number as f32).collect();
    graph.floats("numbers", &[1, 1, 1, PICTURES], &numbers);
    graph.floats("one", &[], &[1.0]);
    graph.node("Sub", &["number", "numbers"], "difference", vec![]);
    graph.node("Abs", &["difference"], "distance", vec![]);
    graph.node("Sub", &["one", "distance"], "nearness", vec![]);
    graph.node("Relu", &["nearness"], "share", vec![]);

    // The mixture: a sum over pictures for each pixel of each plane.
    graph.floats("pictures", &[1, PLANES, PICTURES, width * height], &mouth.pictures());
    graph.ints("picture_shape", &[0, PLANES as i64, height as i64, width as i64]);
    graph.node("MatMul", &["share", "pictures"], "mixture", vec![]);
    graph.node("Reshape", &["mixture", "picture_shape"], "picture", vec![]);
    slice(&mut graph, "picture", &[(1, 0, 3)], "paint");
    slice(&mut graph, "picture", &[(1, 3, 1)], "cover");

    // What the paint changes where the mouth is, and nothing around it.
    let Rect { x1, y1, x2, y2 } = mouth.rect;
    slice(&mut graph, "input", &[(1, 0, 3)], "roi");
    slice(&mut graph, "roi", &[(2, y1, height), (3, x1, width)], "skin");
    graph.node("Mul", &["skin", "cover"], "covered", vec![]);
    graph.node("Sub", &["paint", "covered"], "change", vec![]);
    let margins = [0, 0, y1, x1, 0, 0, side - y2, side - x2].map(|margin| margin as i64);
    graph.ints("margins", &margins);
    graph.node("Pad", &["change", "margins"], "change_in_place", vec![]);
    graph.node("Add", &["roi", "change_in_place"], "output", vec![]);
    graph.finish()
}

/// Adds a slice: of each axis, `(axis, start, length)`.
fn slice(graph: &mut GraphBuilder, input: &str, axes: &[(usize, usize, usize)], output: &str) {
    let mut constant = |what: &str, value: fn(&(usize, usize, usize)) -> usize| {
        let name = format!("{output}.{what}");
        graph.ints(&name, &axes.iter().map(|axis| value(axis) as i64).collect::<Vec<_>>());
        name
    };
    let starts = constant("starts", |&(_, start, _)| start);
    let ends = constant("ends", |&(_, start, length)| start + length);
    let axes = constant("axes", |&(axis, _, _)| axis);
    graph.node("Slice", &[input, &starts, &ends, &axes], output, vec![]);
}

/// The part of the roi that has the mouth.
struct Mouth {
    crop_side: f32,
    rect: Rect,
}

impl Mouth {
    fn new(side: usize) -> Self {
        let crop_side = (side + 2 * ModelGeometry::BORDER) as f32;
        // In a small roi the chin is already in the border around it.
        let edge =
            |of_crop: f32| ((of_crop * crop_side) as usize - ModelGeometry::BORDER).min(side);
        let [x1, y1, x2, y2] = MOUTH.map(edge);
        Self { crop_side, rect: Rect { x1, y1, x2, y2 } }
    }

    /// All pictures, `[plane, picture, pixel]`, values 0 to 1, colours already weighted.
    fn pictures(&self) -> Vec<f32> {
        let pictures: Vec<Pixmap> =
            (0..PICTURES).map(|i| self.draw(i as f32 / (PICTURES - 1) as f32)).collect();
        // Blue, green, red, alpha of pixels that have red first.
        let planes = [2, 1, 0, 3];
        let plane = |channel: usize| {
            let of = move |picture: &Pixmap| {
                picture.data().iter().skip(channel).step_by(4).copied().collect::<Vec<u8>>()
            };
            pictures.iter().flat_map(of).map(|byte| f32::from(byte) / 255.0)
        };
        planes.into_iter().flat_map(plane).collect()
    }

    fn draw(&self, open: f32) -> Pixmap {
        let Rect { x1, y1, x2, y2 } = self.rect;
        let Some(mut pixmap) = Pixmap::new((x2 - x1) as u32, (y2 - y1) as u32) else {
            unreachable!("the mouth has a size at every side there is")
        };
        // The head's unit is the crop's width, its origin the middle of the crop's upper edge.
        let border = ModelGeometry::BORDER as f32;
        let (left, top) = (x1 as f32 + border, y1 as f32 + border);
        let transform = Transform::from_scale(self.crop_side, self.crop_side)
            .post_translate(self.crop_side / 2.0 - left, -top);
        face::draw_mouth_patch(&mut Brush::new(&mut pixmap.as_mut(), transform), open);
        pixmap
    }
}
