// The network's audio input from resident feature rows: for each frame the rows that it hears, one
// after another (dataset/features.rs).

// Values in a row, and rows in a window.
constexpr u32 ROW = 512;
constexpr u32 WINDOW_ROWS = 16;

// Grid: x over the quads of a window, y over the frames. The rows are in a ring of `slots`, a power of
// two.
extern "C" __global__ void windows_f32(const Job *jobs, const float *rows, float *audio, u32 slots) {
    const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
    const u32 quads = ROW / QUAD;
    const u32 row = thread / quads;
    if (row >= WINDOW_ROWS) return;
    const u64 slot = (jobs[blockIdx.y].window + row) & (slots - 1);
    const FloatQuad *const from = (const FloatQuad *)(rows + slot * ROW);
    FloatQuad *const to = (FloatQuad *)(audio + blockIdx.y * (u64)(WINDOW_ROWS * ROW));
    to[thread] = from[thread % quads];
}
