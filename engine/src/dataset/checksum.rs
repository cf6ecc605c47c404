//! A fast checksum that tells one decoded frame from another.

const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// A 64-bit checksum of every byte. It guards against a decoder that returns another frame than it
/// was asked for, not against an adversary.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    // Independent lanes keep the multiplier busy; one lane alone would wait for its own result.
    let mut lanes = [1u64, 2, 3, 4];
    let (chunks, rest) = bytes.as_chunks::<32>();
    for chunk in chunks {
        let (words, _) = chunk.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = mix(*lane, u64::from_le_bytes(*word));
        }
    }
    let tail = rest.iter().fold(bytes.len() as u64, |sum, &byte| mix(sum, u64::from(byte)));
    lanes.into_iter().fold(tail, mix)
}

fn mix(state: u64, word: u64) -> u64 {
    (state ^ word).wrapping_mul(MULTIPLIER).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        let mut bytes: Vec<u8> = (0..100).collect();
        let reference = checksum(&bytes);
        for i in 0..bytes.len() {
            bytes[i] ^= 1;
            assert_ne!(checksum(&bytes), reference, "byte {i}");
            bytes[i] ^= 1;
        }
        assert_eq!(checksum(&bytes), reference);
    }

    #[test]
    fn order_and_length_count() {
        let mut bytes: Vec<u8> = (0..96).collect();
        let reference = checksum(&bytes);
        bytes.rotate_left(32);
        assert_ne!(checksum(&bytes), reference);
        assert_ne!(checksum(&[0; 64]), checksum(&[0; 96]));
    }
}
