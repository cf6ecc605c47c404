//! The portable conversion, and the definition of the others.

/// Converts a row of BGR bytes to a row of each plane.
pub(super) fn convert_row(pixels: &[u8], [blue, green, red]: [&mut [f32]; 3]) {
    let targets = blue.iter_mut().zip(green).zip(red);
    for (((b, g), r), pixel) in targets.zip(pixels.as_chunks::<3>().0) {
        *b = f32::from(pixel[0]) / 255.0;
        *g = f32::from(pixel[1]) / 255.0;
        *r = f32::from(pixel[2]) / 255.0;
    }
}
