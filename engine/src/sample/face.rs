//! Draws the head. The unit is the width of the face, the origin the middle of the crop's upper
//! edge, just above the eyes.

use tiny_skia::{Path, Shader};

use super::draw::{Brush, along, ellipse, glow, plain, push_ellipse, shape};
use super::motion::Pose;

const SKIN: [u32; 3] = [0xf3bd98, 0xe9ab86, 0xcf8a68];
const SKIN_SHADE: u32 = 0xb56b4e;
const BLUSH: u32 = 0xe2705a;
const HAIR: [u32; 3] = [0x5a3a2b, 0x412719, 0x2a1810];
const HAIR_SHINE: u32 = 0x9a6a48;
const BROW: u32 = 0x3d2417;
const LASHES: u32 = 0x2b1810;
const EYE_WHITE: u32 = 0xfaf4ee;
const IRIS: [u32; 2] = [0x3c5f55, 0x6d9a82];
const PUPIL: u32 = 0x14100e;
const LIPS: [u32; 2] = [0xb95650, 0xc96a60];
const MOUTH: u32 = 0x4a1517;
const TEETH: u32 = 0xfbf3ea;
const TONGUE: u32 = 0xb5505a;

/// How far the features move when the head turns.
const TURN: f32 = 0.035;

/// The hair behind neck and shoulders.
pub(super) fn draw_back_hair(brush: &mut Brush<'_, '_>) {
    let hair = shape(|path| {
        path.move_to(0.0, -0.70);
        path.cubic_to(-0.46, -0.72, -0.66, -0.36, -0.62, 0.10);
        path.cubic_to(-0.60, 0.45, -0.68, 0.72, -0.52, 0.98);
        path.cubic_to(-0.30, 1.06, 0.30, 1.06, 0.52, 0.98);
        path.cubic_to(0.68, 0.72, 0.60, 0.45, 0.62, 0.10);
        path.cubic_to(0.66, -0.36, 0.46, -0.72, 0.0, -0.70);
        path.close();
    });
    brush.fill(&hair, along((-0.5, 0.0), (0.6, 0.2), &HAIR[1..]));
}

/// Everything else of the head, back to front.
pub(super) fn draw(brush: &mut Brush<'_, '_>, pose: &Pose) {
    let turn = TURN * pose.turn;
    draw_head(brush);
    draw_nose(brush, 1.4 * turn);
    draw_mouth(brush, turn, pose.mouth);
    for side in [-1.0, 1.0] {
        draw_eye(brush, (side * 0.205 + turn, 0.075), side, pose);
        draw_brow(brush, side, turn, -0.022 * pose.brows);
    }
    draw_front_hair(brush);
}

/// Light comes from the left.
fn skin() -> Shader<'static> {
    along((-0.45, 0.0), (0.52, 0.25), &SKIN)
}

fn draw_head(brush: &mut Brush<'_, '_>) {
    // The chin's shadow on the neck.
    brush.fill(&ellipse((0.02, 0.90), (0.27, 0.12)), glow((0.02, 0.90), 0.27, 0x7d4630, 0.55));
    let face = shape(|path| {
        path.move_to(0.0, -0.56);
        path.cubic_to(-0.33, -0.56, -0.485, -0.28, -0.475, 0.06);
        path.cubic_to(-0.47, 0.36, -0.40, 0.60, -0.21, 0.80);
        path.cubic_to(-0.12, 0.895, -0.06, 0.92, 0.0, 0.92);
        path.cubic_to(0.06, 0.92, 0.12, 0.895, 0.21, 0.80);
        path.cubic_to(0.40, 0.60, 0.47, 0.36, 0.475, 0.06);
        path.cubic_to(0.485, -0.28, 0.33, -0.56, 0.0, -0.56);
        path.close();
    });
    brush.fill(&face, skin());
    for (x, alpha) in [(-0.27, 0.30), (0.27, 0.24)] {
        let center = (x, 0.36);
        brush.fill(&ellipse(center, (0.17, 0.17)), glow(center, 0.17, BLUSH, alpha));
    }
}

fn draw_nose(brush: &mut Brush<'_, '_>, dx: f32) {
    let side = shape(|path| {
        path.move_to(0.035 + dx, 0.08);
        path.cubic_to(0.045 + dx, 0.20, 0.075 + dx, 0.30, 0.085 + dx, 0.355);
        path.cubic_to(0.085 + dx, 0.40, 0.03 + dx, 0.41, 0.0 + dx, 0.405);
        path.cubic_to(0.03 + dx, 0.36, 0.02 + dx, 0.20, 0.035 + dx, 0.08);
        path.close();
    });
    brush.fill(&side, plain(SKIN_SHADE, 0.30));
    let tip = (-0.012 + dx, 0.345);
    brush.fill(&ellipse(tip, (0.05, 0.05)), glow(tip, 0.05, 0xfff0e0, 0.55));
    let under = shape(|path| {
        path.move_to(-0.075 + dx, 0.375);
        path.cubic_to(-0.07 + dx, 0.405, -0.045 + dx, 0.395, -0.03 + dx, 0.402);
        path.cubic_to(-0.01 + dx, 0.415, 0.02 + dx, 0.415, 0.035 + dx, 0.402);
        path.cubic_to(0.05 + dx, 0.395, 0.08 + dx, 0.405, 0.085 + dx, 0.37);
    });
    brush.stroke(&under, 0.013, plain(SKIN_SHADE, 0.85));
}

/// The mouth alone, on a patch of skin that hides the one below wherever the head is turned.
pub(super) fn draw_mouth_patch(brush: &mut Brush<'_, '_>, open: f32) {
    brush.fill(&ellipse((0.0, 0.585), (0.25, 0.10)), skin());
    draw_mouth(brush, 0.0, open);
}

/// `open` 0 to 1.
fn draw_mouth(brush: &mut Brush<'_, '_>, dx: f32, open: f32) {
    let (x, y) = (dx, 0.575);
    // A hint of a smile.
    let corner = y - 0.014 * (1.0 - open);
    let half = 0.165 - 0.035 * open;
    let drop = 0.16 * open;
    // Inner edges of the lips; they meet in the corners.
    let (upper, lower) = (y - 0.010 * open, y + 0.006 + drop);
    let cavity = shape(|path| {
        path.move_to(x - half, corner);
        path.cubic_to(
            x - 0.5 * half,
            upper - 0.006,
            x + 0.5 * half,
            upper - 0.006,
            x + half,
            corner,
        );
        path.cubic_to(x + 0.6 * half, lower + 0.02, x - 0.6 * half, lower + 0.02, x - half, corner);
        path.close();
    });
    let lower_lip = shape(|path| {
        path.move_to(x - half - 0.008, corner);
        path.cubic_to(
            x - 0.55 * half,
            lower + 0.105,
            x + 0.55 * half,
            lower + 0.105,
            x + half + 0.008,
            corner,
        );
        path.close();
    });
    let upper_lip = shape(|path| {
        path.move_to(x - half - 0.012, corner + 0.002);
        path.cubic_to(x - 0.6 * half, y - 0.035, x - 0.3 * half, y - 0.062, x - 0.035, y - 0.062);
        path.cubic_to(x - 0.02, y - 0.06, x - 0.01, y - 0.048, x, y - 0.048);
        path.cubic_to(x + 0.01, y - 0.048, x + 0.02, y - 0.06, x + 0.035, y - 0.062);
        path.cubic_to(
            x + 0.3 * half,
            y - 0.062,
            x + 0.6 * half,
            y - 0.035,
            x + half + 0.012,
            corner + 0.002,
        );
        path.cubic_to(
            x + 0.5 * half,
            y + 0.008,
            x - 0.5 * half,
            y + 0.008,
            x - half - 0.012,
            corner,
        );
        path.close();
    });
    brush.fill(&lower_lip, plain(LIPS[1], 1.0));
    brush.fill(&upper_lip, plain(LIPS[0], 1.0));
    let gloss = (x - 0.02, lower + 0.05);
    brush.fill(&ellipse(gloss, (0.06, 0.02)), glow(gloss, 0.06, 0xffd8d0, 0.45));
    if open < 0.06 {
        let line = shape(|path| {
            path.move_to(x - half, corner);
            path.cubic_to(x - 0.4 * half, y + 0.008, x + 0.4 * half, y + 0.008, x + half, corner);
        });
        brush.stroke(&line, 0.010, plain(MOUTH, 0.9));
        return;
    }
    brush.fill(&cavity, plain(MOUTH, 1.0));
    draw_inside_of_mouth(brush, (x, upper), half, drop);
    let shade = shape(|path| {
        path.move_to(x - 0.5 * half, lower + 0.105);
        path.cubic_to(
            x - 0.2 * half,
            lower + 0.12,
            x + 0.2 * half,
            lower + 0.12,
            x + 0.5 * half,
            lower + 0.105,
        );
    });
    brush.stroke(&shade, 0.012, plain(SKIN_SHADE, 0.35));
}

fn draw_inside_of_mouth(brush: &mut Brush<'_, '_>, at: (f32, f32), half: f32, drop: f32) {
    let (x, y) = at;
    let tongue = shape(|path| {
        path.move_to(x - 0.52 * half, y + 0.82 * drop);
        path.cubic_to(
            x - 0.3 * half,
            y + 0.48 * drop,
            x + 0.3 * half,
            y + 0.48 * drop,
            x + 0.52 * half,
            y + 0.82 * drop,
        );
        path.cubic_to(
            x + 0.3 * half,
            y + 1.0 * drop,
            x - 0.3 * half,
            y + 1.0 * drop,
            x - 0.52 * half,
            y + 0.82 * drop,
        );
        path.close();
    });
    brush.fill(&tongue, plain(TONGUE, 1.0));
    let height = 0.045_f32.min(0.4 * drop);
    let teeth = shape(|path| {
        path.move_to(x - 0.80 * half, y + 0.004);
        path.cubic_to(
            x - 0.4 * half,
            y - 0.003,
            x + 0.4 * half,
            y - 0.003,
            x + 0.80 * half,
            y + 0.004,
        );
        path.cubic_to(
            x + 0.66 * half,
            y + 1.15 * height,
            x - 0.66 * half,
            y + 1.15 * height,
            x - 0.80 * half,
            y + 0.004,
        );
        path.close();
    });
    brush.fill(&teeth, plain(TEETH, 1.0));
}

/// `side` is -1 for the eye on the left of the picture.
fn draw_eye(brush: &mut Brush<'_, '_>, center: (f32, f32), side: f32, pose: &Pose) {
    let (x, y) = center;
    let open = 1.0 - pose.blink;
    let (inner, outer) = (x - side * 0.105, x + side * 0.115);
    // The upper lid falls onto the lower one.
    let upper = y + 0.022 - 0.088 * open;
    let lower = y + 0.048;
    let lids = shape(|path| {
        push_ellipse(path, (x, y), (0.155, 0.105));
        path.move_to(inner, y + 0.018);
        path.cubic_to(inner + side * 0.05, upper, outer - side * 0.06, upper, outer, y);
        path.cubic_to(outer - side * 0.05, lower, inner + side * 0.06, lower, inner, y + 0.018);
        path.close();
    });
    let gaze = (x + 0.018 * pose.turn, y - 0.004);
    brush.fill(&ellipse((x, y), (0.125, 0.062)), plain(EYE_WHITE, 1.0));
    brush.fill(&ellipse((x, y - 0.05), (0.12, 0.04)), plain(0x9a8a86, 0.30));
    brush.fill(&ellipse(gaze, (0.056, 0.056)), plain(IRIS[0], 1.0));
    brush.fill(&ellipse((gaze.0, gaze.1 + 0.008), (0.043, 0.043)), plain(IRIS[1], 1.0));
    brush.fill(&ellipse(gaze, (0.026, 0.026)), plain(PUPIL, 1.0));
    brush.fill(&ellipse((gaze.0 - 0.020, gaze.1 - 0.020), (0.013, 0.013)), plain(0xffffff, 0.95));
    // The lids are a ring of skin around the opening and hide the rest of the eyeball.
    brush.fill(&lids, skin());

    brush.stroke(
        &lash_line((inner, y + 0.018), (outer, y), upper, side),
        0.017,
        plain(LASHES, 1.0),
    );
    let crease = lash_line((inner, y - 0.012), (outer, y - 0.03), upper - 0.042 * open, side);
    brush.stroke(&crease, 0.009, plain(SKIN_SHADE, 0.55));
}

fn lash_line(inner: (f32, f32), outer: (f32, f32), height: f32, side: f32) -> Path {
    shape(|path| {
        path.move_to(inner.0, inner.1);
        path.cubic_to(
            inner.0 + side * 0.05,
            height,
            outer.0 - side * 0.06,
            height,
            outer.0,
            outer.1,
        );
    })
}

fn draw_brow(brush: &mut Brush<'_, '_>, side: f32, dx: f32, dy: f32) {
    let at = |x: f32, y: f32| (side * x + dx, y + dy);
    let brow = shape(|path| {
        let points = [
            at(0.085, -0.085),
            at(0.16, -0.135),
            at(0.26, -0.150),
            at(0.355, -0.080),
            at(0.27, -0.118),
            at(0.17, -0.100),
            at(0.09, -0.050),
        ];
        let [start, a, b, tip, c, d, end] = points;
        path.move_to(start.0, start.1);
        path.cubic_to(a.0, a.1, b.0, b.1, tip.0, tip.1);
        path.cubic_to(c.0, c.1, d.0, d.1, end.0, end.1);
        path.close();
    });
    brush.fill(&brow, plain(BROW, 0.92));
}

/// A parted fringe, and the strands beside the face.
fn draw_front_hair(brush: &mut Brush<'_, '_>) {
    let hair = shape(|path| {
        path.move_to(-0.14, -0.70);
        path.cubic_to(-0.50, -0.72, -0.68, -0.36, -0.62, 0.10);
        path.cubic_to(-0.60, 0.38, -0.64, 0.56, -0.56, 0.76);
        path.cubic_to(-0.47, 0.66, -0.45, 0.42, -0.45, 0.16);
        path.cubic_to(-0.44, -0.10, -0.34, -0.28, -0.13, -0.40);
        path.cubic_to(0.10, -0.28, 0.36, -0.20, 0.44, 0.08);
        path.cubic_to(0.47, 0.30, 0.46, 0.60, 0.56, 0.76);
        path.cubic_to(0.64, 0.56, 0.60, 0.38, 0.62, 0.10);
        path.cubic_to(0.68, -0.40, 0.44, -0.76, -0.14, -0.70);
        path.close();
    });
    brush.fill(&hair, along((-0.55, -0.4), (0.6, 0.2), &HAIR));
    for (lift, alpha) in [(0.0, 0.55), (0.055, 0.35), (0.11, 0.20)] {
        let strand = shape(|path| {
            path.move_to(-0.16, -0.49 - lift);
            path.cubic_to(0.08, -0.44 - lift, 0.34, -0.38 - lift, 0.49, -0.08 - 0.6 * lift);
        });
        brush.stroke(&strand, 0.014, plain(HAIR_SHINE, alpha));
        let strand = shape(|path| {
            path.move_to(-0.20, -0.49 - lift);
            path.cubic_to(-0.38, -0.40 - lift, -0.49, -0.22 - lift, -0.52 - 0.3 * lift, 0.06);
        });
        brush.stroke(&strand, 0.014, plain(HAIR_SHINE, alpha));
    }
}
