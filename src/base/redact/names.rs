//! Names whose values are credentials.

/// How such names end, in lower case and without word separators: `access_token`, `X-Api-Key`, `clientSecret`.
const ENDINGS: [&[u8]; 17] = [
    b"apikey",
    b"apikeys",
    b"token",
    b"secret",
    b"password",
    b"passwd",
    b"passphrase",
    b"authorization",
    b"accesskey",
    b"accesskeyid",
    b"secretkey",
    b"privatekey",
    b"authkey",
    b"subscriptionkey",
    b"credential",
    b"credentials",
    b"cookie",
];
/// Names that may also mean something else: their values must look like a key.
const WHOLE: [&[u8]; 7] = [b"key", b"auth", b"bearer", b"jwt", b"pwd", b"sig", b"signature"];
/// Longest name that is examined, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 64;
/// Shortest value of an ambiguous name that is treated as a key.
const KEY_BYTES_MIN: usize = 16;

/// What a name says about its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// It is a credential.
    Credential,
    /// It is one if it looks like one.
    Perhaps,
}

/// The last three letters of [`ENDINGS`] and [`WHOLE`].
const TAILS: [[u8; 3]; 18] = [
    *b"key", *b"eys", *b"ken", *b"ret", *b"ord", *b"swd", *b"ase", *b"ion", *b"yid", *b"ial", *b"als",
    *b"kie", *b"uth", *b"rer", *b"jwt", *b"pwd", *b"sig", *b"ure",
];

/// The last three letters or digits of a name, in lower case; none if it has fewer.
fn tail(name: &[u8]) -> Option<[u8; 3]> {
    let mut letters = name.iter().rev().filter(|byte| byte.is_ascii_alphanumeric());
    let mut next = || letters.next().map(u8::to_ascii_lowercase);
    let (last, middle, first) = (next()?, next()?, next()?);
    Some([first, middle, last])
}

/// What a name says about its value, if anything.
pub(super) fn says(name: &[u8]) -> Option<Says> {
    // Every member of every record is checked here, and most names do not end like the name of a credential.
    if name.len() > NAME_BYTES_MAX || !TAILS.contains(&tail(name)?) {
        return None;
    }
    let letters = || name.iter().rev().filter(|byte| byte.is_ascii_alphanumeric());
    let ends_with = |end: &&[u8]| {
        let mut letters = letters();
        end.iter()
            .rev()
            .all(|expect| letters.next().is_some_and(|letter| letter.eq_ignore_ascii_case(expect)))
    };
    if ENDINGS.iter().any(&ends_with) {
        return Some(Says::Credential);
    }
    let is_whole = |whole: &&[u8]| ends_with(whole) && letters().count() == whole.len();
    WHOLE.iter().any(is_whole).then_some(Says::Perhaps)
}

impl Says {
    /// Whether the value, a text, must be redacted.
    pub(super) fn fits(self, value: &[u8]) -> bool {
        self == Self::Credential || looks_like_a_key(value, KEY_BYTES_MIN)
    }
}

/// Whether a text is not a natural-language word: only token characters, with a digit among them.
pub(super) fn looks_like_a_key(value: &[u8], bytes_min: usize) -> bool {
    value.len() >= bytes_min
        && value.iter().all(|byte| super::is_token(*byte))
        && value.iter().any(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_one_of_the_tails_and_every_tail_a_name() {
        let names = || ENDINGS.iter().chain(&WHOLE);
        assert!(names().all(|name| TAILS.contains(&tail(name).unwrap())));
        assert!(TAILS.iter().all(|known| names().any(|name| tail(name).as_ref() == Some(known))));
    }
}
