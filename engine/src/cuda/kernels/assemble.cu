// The network's image input from resident bytes: three planes of the roi, three of the masked roi
// (batch/assembler.rs).

// The four values that lie side by side in a plane, stored at once.
struct alignas(16) FloatQuad {
    float value[QUAD];
};
struct alignas(8) HalfQuad {
    half_bits value[QUAD];
};

template <class T> struct QuadOf;
template <> struct QuadOf<float> {
    typedef FloatQuad type;
};
template <> struct QuadOf<half_bits> {
    typedef HalfQuad type;
};

// The bytes of `count` pixels from `from` on. Four of them that begin with a word are three words.
// All loops over a quad are unrolled, so that its bytes stay in registers.
__device__ inline void load_quad(const u8 *from, u32 count, u8 (&bytes)[3 * QUAD]) {
    if (count == QUAD && ((u64)from & 3u) == 0) {
        const u32 *words = (const u32 *)from;
        for (u32 w = 0; w < 3; ++w) {
            const u32 word = words[w];
            for (u32 b = 0; b < 4; ++b) bytes[4 * w + b] = (u8)(word >> 8 * b);
        }
    } else {
        for (u32 b = 0; b < 3 * QUAD; ++b) bytes[b] = b < 3 * count ? from[b] : 0;
    }
}

// Grid: x over the quads of an image, y over the roi and the masked roi, z over the frames.
template <class T> __device__ void assemble(const Job *jobs, T *planes, Sizes sizes) {
    const u32 side = sizes.side;
    const u32 quads = (side + QUAD - 1) / QUAD;
    const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
    const u32 y = thread / quads;
    const u32 x = thread % quads * QUAD;
    if (y >= side) return;
    const u32 count = side - x < QUAD ? side - x : QUAD;

    const Job &job = jobs[blockIdx.z];
    const bool is_masked = blockIdx.y == 1;
    const bool blacken = is_masked && job.masked == nullptr;
    const bool stored = is_masked && !blacken;
    const u8 *image = stored ? job.masked : job.roi;
    const u32 stride = stored ? job.masked_stride : job.roi_stride;
    u8 bytes[3 * QUAD];
    load_quad(image + (u64)y * stride + 3 * x, count, bytes);
    if (blacken && y >= sizes.mask_y1 && y < sizes.mask_y2)
        for (u32 p = 0; p < QUAD; ++p)
            if (x + p >= sizes.mask_x1 && x + p < sizes.mask_x2)
                for (u32 c = 0; c < 3; ++c) bytes[3 * p + c] = 0;

    const u64 plane = (u64)side * side;
    T *const first = planes + (6 * (u64)blockIdx.z + 3 * blockIdx.y) * plane + (u64)y * side + x;
    for (u32 c = 0; c < 3; ++c) {
        T *const out = first + c * plane;
        if (side % QUAD == 0) {
            typename QuadOf<T>::type quad;
            for (u32 p = 0; p < QUAD; ++p) quad.value[p] = input<T>(bytes[3 * p + c]);
            *(typename QuadOf<T>::type *)out = quad;
        } else {
            for (u32 p = 0; p < QUAD; ++p)
                if (p < count) out[p] = input<T>(bytes[3 * p + c]);
        }
    }
}

extern "C" __global__ void assemble_f32(const Job *jobs, float *planes, Sizes sizes) {
    assemble(jobs, planes, sizes);
}

extern "C" __global__ void assemble_f16(const Job *jobs, half_bits *planes, Sizes sizes) {
    assemble(jobs, planes, sizes);
}
