//! The portable conversion, and the definition of the others.

/// Converts a `side` x `side` region of BGR bytes, rows `stride` bytes apart, to three planes.
pub(super) fn to_planes_scalar(pixels: &[u8], stride: usize, side: usize, planes: &mut [f32]) {
    let (blue, rest) = planes.split_at_mut(side * side);
    let (green, red) = rest.split_at_mut(side * side);
    let rows = blue
        .chunks_exact_mut(side)
        .zip(green.chunks_exact_mut(side))
        .zip(red.chunks_exact_mut(side))
        .zip(pixels.chunks(stride));
    for (((blue, green), red), row) in rows {
        let targets = blue.iter_mut().zip(green).zip(red);
        for (((b, g), r), pixel) in targets.zip(row.as_chunks::<3>().0) {
            *b = f32::from(pixel[0]) / 255.0;
            *g = f32::from(pixel[1]) / 255.0;
            *r = f32::from(pixel[2]) / 255.0;
        }
    }
}
