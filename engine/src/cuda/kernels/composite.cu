// Predictions into patches: each frame's prediction inside its resident crop, resized to its
// rectangle (composite/cpu/scalar.rs). Only the patch leaves the device.

// The crop with the prediction inside it, without it being anywhere.
template <class T> struct Patched {
    const u8 *crop;
    const T *prediction;
    u32 side;
    u32 border;

    __device__ u32 at(u32 x, u32 y, u32 channel) const {
        // Outside of the prediction these wrap around and are too large.
        const u32 px = x - border;
        const u32 py = y - border;
        if (px < side && py < side)
            return predicted(as_float(prediction[((u64)channel * side + py) * side + px]));
        return crop[((u64)y * (side + 2 * border) + x) * 3 + channel];
    }
};

// Grid: x over the quads of the largest rectangle, y over the frames.
template <class T>
__device__ void composite(const Job *jobs, const T *predictions, u8 *patches, Sizes sizes) {
    const Job &job = jobs[blockIdx.y];
    const u32 quads = (job.width + QUAD - 1) / QUAD;
    const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
    const u32 y = thread / quads;
    const u32 x = thread % quads * QUAD;
    if (y >= job.height) return;
    const u32 count = job.width - x < QUAD ? job.width - x : QUAD;

    const u64 prediction = 3 * (u64)sizes.side * sizes.side;
    const Patched<T> source = {job.crop, predictions + blockIdx.y * prediction, sizes.side,
                               sizes.border};
    const Taps row = job.rows[y];
    u32 bytes[3 * QUAD];
    // Loops over all of a quad are unrolled, so that its bytes stay in registers.
    for (u32 p = 0; p < QUAD; ++p) {
        if (p >= count) break;
        const Taps column = job.columns[x + p];
        for (u32 c = 0; c < 3; ++c) {
            int sums[2];
            for (u32 r = 0; r < 2; ++r)
                sums[r] = across(column, source.at(column.index[0], row.index[r], c),
                                 source.at(column.index[1], row.index[r], c));
            bytes[3 * p + c] = down(row, sums[0], sums[1]);
        }
    }

    // Rows begin with a word.
    u8 *const out = patches + job.patch + (u64)y * ((3 * job.width + 3) / 4 * 4) + 3 * x;
    if (count == QUAD) {
        for (u32 w = 0; w < 3; ++w)
            ((u32 *)out)[w] =
                packed(bytes[4 * w], bytes[4 * w + 1], bytes[4 * w + 2], bytes[4 * w + 3]);
    } else {
        for (u32 b = 0; b < 3 * QUAD; ++b)
            if (b < 3 * count) out[b] = (u8)bytes[b];
    }
}

extern "C" __global__ void composite_f32(const Job *jobs, const float *predictions, u8 *patches,
                                         Sizes sizes) {
    composite(jobs, predictions, patches, sizes);
}

extern "C" __global__ void composite_f16(const Job *jobs, const half_bits *predictions,
                                         u8 *patches, Sizes sizes) {
    composite(jobs, predictions, patches, sizes);
}
