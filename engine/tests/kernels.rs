//! The kernels against the code for the CPU: compiled by NVRTC for real GPUs, and run as C++ on the
//! host, from the same source.
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

use engine::batch::Converter;
use engine::composite::{Compositor, CompositorChoice, Interpolation, patch_stride};
use engine::cuda::kernels::{self, Job, Sizes, Taps};
use engine::cuda::{Compiler, CudaError};
use engine::dataset::Features;
use engine::frame::{ModelGeometry, Rect, Size};
use engine_doubles::{Parameter, run_kernel};
use half::f16;
use proptest::prelude::*;

const BLOCK: [u32; 3] = [64, 1, 1];

/// Bytes without a pattern.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Values in and around [0, 1], and the odd ones.
fn predictions(seed: u64, len: usize) -> Vec<f32> {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1.0, 1e-40, -3.0, 7.5];
    let bytes = noise(seed, 2 * len);
    let value = |pair: &[u8]| match pair[0] {
        0 => odd[usize::from(pair[1]) % odd.len()],
        _ => f32::from(u16::from_le_bytes([pair[0], pair[1]])) / 60_000.0 - 0.02,
    };
    bytes.chunks_exact(2).map(value).collect()
}

/// A kernel's output begins with a word, as on the device.
fn bytes_of(words: &mut [u32]) -> &mut [u8] {
    bytemuck::cast_slice_mut(words)
}

#[test]
fn every_kernel_compiles_for_every_gpu() {
    let compiler = match Compiler::find() {
        Err(CudaError::NoCompiler { reason }) => {
            eprintln!("SKIPPED: {reason}");
            return;
        }
        compiler => compiler.unwrap(),
    };
    for architecture in [80, 89, 90, 120] {
        let device = (architecture / 10, architecture % 10);
        assert_eq!(compiler.architecture(device), Ok(architecture));
        let ptx = compiler.compile(kernels::SOURCE, architecture).unwrap().into_string().unwrap();
        assert!(ptx.contains(&format!(".target sm_{architecture}")), "{architecture}");
        for name in ["assemble_f32", "assemble_f16", "composite_f32", "composite_f16"] {
            assert!(ptx.contains(&format!(".visible .entry {name}(")), "{name}: {architecture}");
        }
        assert!(!ptx.contains(".local"), "a kernel keeps something outside of registers");
        assert!(!ptx.contains("fma."), "a fused operation rounds once where the CPU rounds twice");
        for wide in ["st.global.v4.f32", "st.global.v4.u16"] {
            assert!(ptx.contains(wide), "no {wide} for {architecture}");
        }
    }
}

#[test]
fn a_compiler_says_what_it_does_not_take() {
    let Ok(compiler) = Compiler::find() else {
        eprintln!("SKIPPED: no NVRTC; run scripts/fetch-nvrtc");
        return;
    };
    let error = compiler.compile("__global__ void f() { nothing(); }", 90).unwrap_err().to_string();
    assert!(error.contains("libnvrtc") && error.contains("\"nothing\" is undefined"), "{error}");
    let old = compiler.architecture((1, 0)).unwrap_err().to_string();
    assert!(old.contains("the GPU has 1.0"), "{old}");
    // PTX for an older GPU runs on one that nobody knows yet.
    assert!(compiler.architecture((99, 0)).unwrap() >= 120);
}

#[test]
fn what_is_no_compiler_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("libnvrtc.so.13");
    std::fs::write(&text, "no library").unwrap();
    let driver = engine_doubles::cuda_dir().join("libcuda.so");
    for (file, part) in [(&text, "libnvrtc.so.13: "), (&driver, "is not NVRTC")] {
        let error = Compiler::load(file).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with("the kernels cannot be compiled: "), "{error}");
        assert!(error.contains(part), "{error}");
    }
    let real = Compiler::find().map(|compiler| compiler.path().to_owned());
    if let Ok(real) = real {
        let cut = folder.path().join("cut.so");
        let bytes = std::fs::read(real).unwrap();
        std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
        let error = Compiler::load(&cut).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("is cut short"), "{error}");
    }
}

/// The six planes of one frame as the CPU assembles them.
fn planes(geometry: ModelGeometry, [roi, masked]: [(&[u8], usize); 2], blacken: bool) -> Vec<f32> {
    let side = geometry.side();
    let mut planes = vec![0.0; geometry.image_len()];
    let converter = Converter::scalar();
    let (first, second) = planes.split_at_mut(geometry.prediction_len());
    converter.to_planes(roi.0, roi.1, side, first);
    converter.to_planes(masked.0, masked.1, side, second);
    if blacken {
        let mask = geometry.mask();
        for plane in second.chunks_exact_mut(side * side) {
            for row in plane.chunks_exact_mut(side).take(mask.y2).skip(mask.y1) {
                row[mask.x1..mask.x2].fill(0.0);
            }
        }
    }
    planes
}

#[test]
fn assembly_gives_the_values_of_the_cpu() {
    // Whole quads and not; rows that begin with a word and not.
    for side in [16, 19, 32, 37, 160] {
        let geometry = ModelGeometry::new(side).unwrap();
        let (roi_stride, crop_stride) = (geometry.roi().stride(), geometry.crop().stride());
        let inner = ModelGeometry::BORDER * (crop_stride + 3);
        let frames: Vec<[Vec<u8>; 3]> = (0..3)
            .map(|k| {
                let image = |kind: u64, size: Size| noise(100 * k + kind + 1, size.bytes());
                [image(0, geometry.crop()), image(1, geometry.roi()), image(2, geometry.roi())]
            })
            .collect();
        let mut jobs = Vec::new();
        let mut expected = Vec::new();
        for (k, [crop, roi, masked]) in frames.iter().enumerate() {
            // One after the other, stored and derived.
            let stored = k != 1;
            jobs.push(match stored {
                true => Job {
                    roi: roi.as_ptr() as u64,
                    masked: masked.as_ptr() as u64,
                    roi_stride: roi_stride as u32,
                    masked_stride: roi_stride as u32,
                    ..Job::default()
                },
                false => Job {
                    roi: crop[inner..].as_ptr() as u64,
                    roi_stride: crop_stride as u32,
                    ..Job::default()
                },
            });
            let inside = (&crop[inner..], crop_stride);
            expected.extend(match stored {
                true => planes(geometry, [(roi, roi_stride), (masked, roi_stride)], false),
                false => planes(geometry, [inside, inside], true),
            });
        }
        let grid = [(side.div_ceil(4) * side).div_ceil(64) as u32, 2, 3];
        let sizes = Sizes::of(geometry);
        let run = |name: &str, out: &mut [u8]| {
            let jobs = Parameter::Read(bytemuck::cast_slice(&jobs));
            let sizes = Parameter::Value(bytemuck::bytes_of(&sizes));
            run_kernel(name, grid, BLOCK, &mut [jobs, Parameter::Write(out), sizes]);
        };
        let mut floats = vec![f32::NAN; expected.len()];
        run("assemble_f32", bytemuck::cast_slice_mut(&mut floats));
        assert!(floats == expected, "side {side}");
        let mut halves = vec![0_u32; expected.len().div_ceil(2)];
        run("assemble_f16", bytes_of(&mut halves));
        let halves: &[u16] = &bytemuck::cast_slice(&halves)[..expected.len()];
        let rounded = expected.iter().map(|&value| f16::from_f32(value).to_bits());
        assert!(rounded.eq(halves.iter().copied()), "side {side}");
    }
}

#[test]
fn windows_are_those_of_the_cpu_wherever_the_ring_ends() {
    let values: Vec<f32> = (0..24 * 512).map(|i| (i as f32).sqrt()).collect();
    // Row k of the sequence is in slot k + 24 modulo 32, so that the ring ends behind row 7; the 8
    // rows before and after all of them are silent.
    let mut ring = vec![0.0_f32; 32 * 512];
    for (row, values) in values.chunks_exact(512).enumerate() {
        let slot = (row + 24) % 32;
        ring[512 * slot..512 * (slot + 1)].copy_from_slice(values);
    }
    let features = Features::from_rows(values);
    let frames = [0_u32, 1, 7, 8, 12, 16, 23];
    let job = |frame: u32| Job { window: (frame + 16) % 32, ..Job::default() };
    let jobs = frames.map(job);
    let mut expected = vec![0.0; frames.len() * Features::WINDOW_LEN];
    for (k, window) in frames.iter().zip(expected.chunks_exact_mut(Features::WINDOW_LEN)) {
        features.window(u64::from(*k), window);
    }
    let mut found = vec![f32::NAN; expected.len()];
    let grid = [(Features::WINDOW_LEN / 4).div_ceil(64) as u32, frames.len() as u32, 1];
    let parameters = &mut [
        Parameter::Read(bytemuck::cast_slice(&jobs)),
        Parameter::Read(bytemuck::cast_slice(&ring)),
        Parameter::Write(bytemuck::cast_slice_mut(&mut found)),
        Parameter::Value(bytemuck::bytes_of(&32_u32)),
    ];
    run_kernel("windows_f32", grid, BLOCK, parameters);
    assert!(found == expected);
}

/// Runs the kernel for frames of one network: (crop, prediction, rectangle's size) each.
fn patches<T: bytemuck::Pod>(
    name: &str,
    geometry: ModelGeometry,
    frames: &[(Vec<u8>, Vec<T>, Size)],
) -> Vec<Vec<u8>> {
    let tables: Vec<[Vec<Taps>; 2]> =
        frames.iter().map(|(.., size)| kernels::taps(geometry.crop_side(), *size)).collect();
    let stride = |size: &Size| patch_stride(size.width);
    let mut end = 0;
    let mut jobs = Vec::new();
    for ((crop, _, size), [columns, rows]) in frames.iter().zip(&tables) {
        jobs.push(Job {
            crop: crop.as_ptr() as u64,
            columns: columns.as_ptr() as u64,
            rows: rows.as_ptr() as u64,
            width: size.width as u32,
            height: size.height as u32,
            patch: end as u64,
            ..Job::default()
        });
        end += stride(size) * size.height;
    }
    let predictions: Vec<T> = frames.iter().flat_map(|(_, p, _)| p.iter().copied()).collect();
    let most = |of: fn(&Size) -> usize| frames.iter().map(|(.., size)| of(size)).max().unwrap();
    let threads = most(|size| size.width.div_ceil(4)) * most(|size| size.height);
    let mut words = vec![0xeeee_eeee_u32; end / 4 + 1];
    run_kernel(
        name,
        [threads.div_ceil(64) as u32, frames.len() as u32, 1],
        BLOCK,
        &mut [
            Parameter::Read(bytemuck::cast_slice(&jobs)),
            Parameter::Read(bytemuck::cast_slice(&predictions)),
            Parameter::Write(bytes_of(&mut words)),
            Parameter::Value(bytemuck::bytes_of(&Sizes::of(geometry))),
        ],
    );
    let bytes = bytes_of(&mut words);
    assert_eq!(bytes[end..], [0xee; 4], "something was written behind the last patch");
    let patch = |(job, (.., size)): (&Job, &(Vec<u8>, Vec<T>, Size))| {
        let rows = bytes[job.patch as usize..].chunks_exact(stride(size)).take(size.height);
        // What a row is padded with stays as it was.
        rows.flat_map(|row| {
            assert!(row[3 * size.width..].iter().all(|&byte| byte == 0xee));
            row[..3 * size.width].iter().copied()
        })
        .collect()
    };
    jobs.iter().zip(frames).map(patch).collect()
}

/// The same by the compositor for the CPU that is the definition.
fn composited(geometry: ModelGeometry, crop: &[u8], prediction: &[f32], size: Size) -> Vec<u8> {
    let rect = Rect { x1: 0, y1: 0, x2: size.width, y2: size.height };
    let (choice, linear) = (CompositorChoice::Scalar, Interpolation::Linear);
    let compositor = Compositor::new(choice, linear, geometry, size, &[rect]).unwrap();
    let mut frame = vec![0; size.bytes()];
    let mut scratch = compositor.scratch();
    compositor.composite(&mut scratch, prediction, crop, rect, &mut frame).unwrap();
    frame
}

fn check(side: usize, sizes: &[Size], seed: u64) {
    let geometry = ModelGeometry::new(side).unwrap();
    let frames: Vec<_> = (seed..)
        .zip(sizes)
        .map(|(seed, &size)| {
            let crop = noise(seed, geometry.crop().bytes());
            (crop, predictions(seed + 1000, geometry.prediction_len()), size)
        })
        .collect();
    let found = patches("composite_f32", geometry, &frames);
    for ((crop, prediction, size), found) in frames.iter().zip(found) {
        assert!(found == composited(geometry, crop, prediction, *size), "{side}: {size}");
    }
    let halves: Vec<_> = frames
        .iter()
        .map(|(crop, prediction, size)| {
            let halves: Vec<u16> =
                prediction.iter().map(|&value| f16::from_f32(value).to_bits()).collect();
            (crop.clone(), halves, *size)
        })
        .collect();
    let found = patches("composite_f16", geometry, &halves);
    for ((crop, prediction, size), found) in halves.iter().zip(found) {
        let widened: Vec<f32> =
            prediction.iter().map(|&bits| f16::from_bits(bits).to_f32()).collect();
        assert!(found == composited(geometry, crop, &widened, *size), "{side}: {size}, f16");
    }
}

#[test]
fn compositing_gives_the_bytes_of_the_cpu_for_every_size_from_1_to_400() {
    // Every width and every height, each batch with very different ones.
    let sizes: Vec<Size> = (1..=400).map(|n| Size::new(n, 1 + (n * 7) % 400)).collect();
    for (seed, sizes) in (1..).zip(sizes.chunks(8)) {
        check(40, sizes, 100 * seed);
    }
}

#[test]
fn compositing_gives_the_bytes_of_the_cpu_at_real_sizes() {
    check(320, &[182, 173, 189, 328, 164].map(Size::square), 7);
    check(160, &[Size::new(91, 92), Size::square(84), Size::square(168)], 8);
}

/// Every half-precision number there is, in a prediction that is not resized.
#[test]
fn every_half_becomes_the_byte_of_the_cpu() {
    let geometry = ModelGeometry::new(148).unwrap();
    let all = (0..geometry.prediction_len()).map(|i| i as u16).collect::<Vec<u16>>();
    assert!(all.len() > 65536);
    let crop = noise(1, geometry.crop().bytes());
    let frames = [(crop, all, geometry.crop())];
    let found = patches("composite_f16", geometry, &frames);
    let [(crop, all, size)] = &frames;
    let floats: Vec<f32> = all.iter().map(|&bits| f16::from_bits(bits).to_f32()).collect();
    assert!(found[0] == composited(geometry, crop, &floats, *size));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn compositing_gives_the_bytes_of_the_cpu(
        side in 16_usize..72,
        sizes in prop::collection::vec((1_usize..120, 1_usize..120), 1..6),
        seed in 0_u64..1 << 40,
    ) {
        let sizes: Vec<Size> = sizes.iter().map(|&(w, h)| Size::new(w, h)).collect();
        check(side, &sizes, seed);
    }
}
