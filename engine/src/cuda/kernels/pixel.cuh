// Arithmetic of one value or one pixel, shared by the kernels. In all of it the CPU's scalar code is
// the definition: every function here gives its bits.
//
// This file and the kernels are one program: they are compiled in the order of their names in
// kernels/mod.rs, by NVRTC for the device, and by the tests as C++ for the host. So there are no
// includes, and no types but the language's own.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// The bits of a half-precision number. Conversions are spelled out, so that the host has the same.
struct half_bits {
    u16 bits;
};

__device__ inline float as_float(float value) { return value; }

// Exact. The exponent's bias differs by 112, which a product puts right also where the number is so
// small that it has fewer bits; only what is not finite has an exponent of its own.
__device__ inline float as_float(half_bits value) {
    const u32 magnitude = (value.bits & 0x7fffu) << 13;
    const float finite = __uint_as_float(magnitude) * 5192296858534827628530496329220096.0f;
    const u32 bits = magnitude >= 0x0f800000u ? magnitude | 0x7f800000u : __float_as_uint(finite);
    return __uint_as_float(bits | (value.bits & 0x8000u) << 16);
}

// The input value of a byte: its fraction of 255 (batch/convert/scalar.rs).
template <class T> __device__ T input(u32 byte);

template <> __device__ inline float input<float>(u32 byte) { return (float)byte / 255.0f; }

// Rounded to the nearest, and of two to the even one. No byte but 0 is so small that its half has
// fewer bits, so that adding to the bits of the float does it.
template <> __device__ inline half_bits input<half_bits>(u32 byte) {
    half_bits result = {0};
    if (byte != 0) {
        const u32 bits = __float_as_uint(input<float>(byte)) - (112u << 23);
        result.bits = (u16)((bits + 0xfffu + (bits >> 13 & 1u)) >> 13);
    }
    return result;
}

// The byte of a predicted value: its fraction of 255, truncated; NaN is 0 (composite/cpu/scalar.rs).
__device__ inline u32 predicted(float value) {
    const float scaled = value * 255.0f;
    // The first comparison is false for NaN.
    return !(scaled > 0.0f) ? 0u : scaled < 255.0f ? (u32)scaled : 255u;
}

// Which two source columns or rows make an output column or row, and what each counts: 2048 is 1
// (composite/plan.rs).
struct Taps {
    u16 index[2];
    short weight[2];
};

// Two source values of a row into one; the first of two passes.
__device__ inline int across(Taps taps, u32 left, u32 right) {
    return (int)left * taps.weight[0] + (int)right * taps.weight[1];
}

// Two rows into one. Four bits are dropped before the second product and sixteen after it, and the
// last two are rounded, as OpenCV does it (linear_row in composite/cpu/scalar.rs).
__device__ inline u32 down(Taps taps, int top, int bottom) {
    const int sum = ((taps.weight[0] * (top >> 4)) >> 16) + ((taps.weight[1] * (bottom >> 4)) >> 16);
    const int value = (sum + 2) >> 2;
    return value < 0 ? 0u : value > 255 ? 255u : (u32)value;
}

// Four bytes as one number, the first lowest.
__device__ inline u32 packed(u32 a, u32 b, u32 c, u32 d) { return a | b << 8 | c << 16 | d << 24; }

// Pixels that one thread takes: twelve bytes, which are three words where a row begins with one.
constexpr u32 QUAD = 4;

// One frame of a batch, as the host describes it (Job in kernels/mod.rs).
struct Job {
    // Where the pixels of the network's inputs begin, BGR, with their strides in bytes. Without a
    // masked one it is the other with the mask blackened.
    const u8 *roi;
    const u8 *masked;
    u32 roi_stride;
    u32 masked_stride;
    // The crop, (side + 2 border) pixels square without gaps.
    const u8 *crop;
    // Taps of the rectangle's columns and rows.
    const Taps *columns;
    const Taps *rows;
    // The rectangle, and where its pixels go, counted in bytes from the beginning of the output; its
    // rows are padded to whole words.
    u32 width;
    u32 height;
    u64 patch;
    // The slot of the first feature row that it hears.
    u32 window;
    u32 unused;
};

// What is the same for all frames (Sizes in kernels/mod.rs).
struct Sizes {
    // Side of the network's images, and pixels around them in a crop.
    u32 side;
    u32 border;
    // The mask: columns and rows from the first to before the last.
    u32 mask_x1, mask_y1, mask_x2, mask_y2;
};
