//! Audio features that cannot be used.

use crate::support::{Workplace, features, npy};

#[test]
fn refused_by_name() {
    let work = Workplace::new();
    let row = [0; 4 * 512];
    let nan: Vec<u8> =
        (0..1024).flat_map(|i| (if i == 519 { f32::NAN } else { 0.5 }).to_le_bytes()).collect();
    let cut = features(3);
    let cases: [(Vec<u8>, &[&str]); 11] = [
        (npy("<i4", "False", "(1, 512)", &row), &["dtype <i4", "expected little-endian float32"]),
        (npy("<f2", "False", "(1, 512)", &row[..1024]), &["dtype <f2", "float32"]),
        (npy("<f4", "True", "(1, 512)", &row), &["fortran_order is True", "expected C order"]),
        (npy("<f4", "False", "(512,)", &row), &["shape [512]", "expected [T, 512]"]),
        (npy("<f4", "False", "(1, 1, 512)", &row), &["shape [1, 1, 512]", "expected [T, 512]"]),
        (npy("<f4", "False", "(0, 512)", &[]), &["shape [0, 512]", "T at least 1"]),
        (npy("<f4", "False", "(18446744073709551615, 512)", &row), &["overflows", "[T, 512]"]),
        (npy("<f4", "False", "(36028797018963967, 512)", &row), &["overflows", "[T, 512]"]),
        (npy("<f4", "False", "(2, 512)", &nan), &["row 1, column 7 is NaN", "finite numbers"]),
        (cut[..cut.len() / 2].to_vec(), &["cut short", "expected 6144"]),
        (b"not numpy".to_vec(), &["not a .npy file", "numpy.save"]),
    ];
    for (bytes, parts) in cases {
        work.write("bad.npy", &bytes);
        let parts = [&["error: bad.npy: "], parts].concat();
        work.assert_render_refused(&["--features", "bad.npy"], &parts);
    }
    // The package's own are held to the same.
    work.halve("pkg/aud_ave.npy");
    work.assert_render_refused(&[], &["error: pkg/aud_ave.npy: cut short"]);
}

#[test]
fn more_frames_than_rows() {
    let work = Workplace::new();
    work.assert_render_refused(
        &["--frames", "7"],
        &["--frames is 7", "pkg/aud_ave.npy has 6 feature rows"],
    );
    work.write("four.npy", features(4));
    work.assert_render_refused(
        &["--features", "four.npy", "--frames", "5"],
        &["--frames is 5", "four.npy has 4 feature rows"],
    );
}
