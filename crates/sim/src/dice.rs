//! Repeatable random numbers: the same seed and words give the same numbers on every machine.

/// A random number generator seeded with a number and a few words.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// FNV-1a over the words, mixed with the seed.
    pub(crate) fn new(seed: u64, words: &[&str]) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed;
        for word in words {
            // 0xff separates the words, so that "ab","c" differs from "a","bc": it never occurs in UTF-8.
            for byte in word.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Self(hash)
    }

    /// The next 64 bits (`SplitMix64`).
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// An integer in `low..=high`.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        let span = u64::from(high.saturating_sub(low)) + 1;
        low.saturating_add(u32::try_from(self.bits() % span).unwrap_or(0))
    }

    /// A decimal with two digits in `low..=high`, both given in hundredths.
    pub(crate) fn cents(&mut self, low: u32, high: u32) -> f64 {
        f64::from(self.between(low, high)) / 100.0
    }

    /// True `percent` times out of 100.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of `choices`, which must not be empty.
    pub(crate) fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let last = u32::try_from(choices.len()).unwrap_or(u32::MAX).saturating_sub(1);
        choices[self.between(0, last) as usize]
    }
}

/// `bytes` characters of text that hardly compresses, to fill large bodies.
pub(crate) fn filler(seed: u64, bytes: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut dice = Dice::new(seed, &["filler"]);
    let mut text = String::with_capacity(bytes + 10);
    while text.len() < bytes {
        let bits = dice.bits();
        text.extend((0..10).map(|sextet| char::from(ALPHABET[(bits >> (6 * sextet) & 63) as usize])));
    }
    text.truncate(bytes);
    text
}

/// Rounded to two digits, as prices are.
pub(crate) fn round2(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throws_stay_inside_their_limits() {
        let mut dice = Dice::new(7, &["a"]);
        for _ in 0..1_000 {
            assert!((3..=9).contains(&dice.between(3, 9)));
            assert!((1.0..=2.0).contains(&dice.cents(100, 200)));
        }
    }

    #[test]
    fn words_are_kept_apart() {
        assert_ne!(Dice::new(1, &["ab", "c"]).bits(), Dice::new(1, &["a", "bc"]).bits());
    }

    #[test]
    fn filler_has_the_length_asked_for() {
        assert_eq!(filler(1, 12_345).len(), 12_345);
    }
}
