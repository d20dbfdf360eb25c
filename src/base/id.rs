//! Generated names: random, or derived from content.

use super::world::World;

/// A version 7 UUID (RFC 9562): sorts by time.
pub fn new_uuid(world: &World) -> String {
    let millis = u64::try_from(world.clock.now().timestamp_millis()).unwrap_or_default();
    let (high, low) = (world.entropy.next_u64().to_be_bytes(), world.entropy.next_u64().to_be_bytes());
    let mut random = [0; 10];
    for (into, from) in random.iter_mut().zip(high.iter().chain(&low)) {
        *into = *from;
    }
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()
}

/// FNV-1a with 128 bits (RFC 9923): distinguishes different contents, but is no defence against forgery.
pub fn fnv1a_128(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}
