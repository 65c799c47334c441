//! MD5 (RFC 1321) for `md5()`, and the SHA-2 family (FIPS 180-4) for `sha224()` to `sha512()`.

use num_bigint::BigUint;
use std::sync::LazyLock;

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The message with its padding, in blocks of 64 bytes.
fn padded(message: &[u8], length: [u8; 8]) -> Vec<u8> {
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend(length);
    padded
}

pub fn md5(message: &[u8]) -> [u8; 16] {
    let sines: [u32; 64] = std::array::from_fn(|i| (((i + 1) as f64).sin().abs() * 4_294_967_296.0) as u32);
    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded(message, (message.len() as u64 * 8).to_le_bytes()).chunks_exact(64) {
        let word = |i: usize| u32::from_le_bytes([block[i * 4], block[i * 4 + 1], block[i * 4 + 2], block[i * 4 + 3]]);
        let [mut a, mut b, mut c, mut d] = state;
        for (i, sine) in sines.iter().enumerate() {
            let (f, g) = match i / 16 {
                0 => ((b & c) | (!b & d), i),
                1 => ((d & b) | (!d & c), (5 * i + 1) % 16),
                2 => (b ^ c ^ d, (3 * i + 5) % 16),
                _ => (c ^ (b | !d), (7 * i) % 16),
            };
            let sum = a.wrapping_add(f).wrapping_add(*sine).wrapping_add(word(g));
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4]));
        }
        for (s, v) in state.iter_mut().zip([a, b, c, d]) {
            *s = s.wrapping_add(v);
        }
    }
    let mut out = [0; 16];
    for (chunk, word) in out.chunks_exact_mut(4).zip(state) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    out
}

pub fn md5_hex(message: &[u8]) -> String {
    md5(message).iter().map(|b| format!("{b:02x}")).collect()
}

/// The first 32 bits of the fractional parts of the `root`th roots of the first primes.
fn prime_roots<const N: usize>(root: impl Fn(f64) -> f64) -> [u32; N] {
    let mut primes = (2u32..).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0));
    std::array::from_fn(|_| {
        let prime = primes.next().unwrap_or(2);
        (root(f64::from(prime)).fract() * 4_294_967_296.0) as u32
    })
}

/// The first 64 bits of the fractional parts of the square or cube roots of `count` primes from the `skip`th on.
fn long_roots(skip: usize, count: usize, root: u32) -> Vec<u64> {
    let primes = (2u64..).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0));
    let bits = |prime: u64| {
        let scaled = (BigUint::from(prime) << (64 * root)).nth_root(root);
        scaled.iter_u64_digits().next().unwrap_or(0)
    };
    primes.skip(skip).take(count).map(bits).collect()
}

pub fn sha512(message: &[u8]) -> Vec<u8> {
    static START: LazyLock<Vec<u64>> = LazyLock::new(|| long_roots(0, 8, 2));
    sha2_long(message, START.clone())
}

pub fn sha384(message: &[u8]) -> Vec<u8> {
    let mut digest = sha2_long(message, long_roots(8, 8, 2));
    digest.truncate(48);
    digest
}

fn sha2_long(message: &[u8], mut state: Vec<u64>) -> Vec<u8> {
    static CONSTANTS: LazyLock<Vec<u64>> = LazyLock::new(|| long_roots(0, 80, 3));
    let constants: &[u64] = &CONSTANTS;
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 128 != 112 {
        padded.push(0);
    }
    padded.extend((message.len() as u128 * 8).to_be_bytes());
    for block in padded.chunks_exact(128) {
        let mut w: Vec<u64> =
            block.chunks_exact(8).map(|c| c.iter().fold(0u64, |word, byte| word << 8 | u64::from(*byte))).collect();
        for i in 16..80 {
            let s0 = w[i - 15].rotate_right(1) ^ w[i - 15].rotate_right(8) ^ (w[i - 15] >> 7);
            let s1 = w[i - 2].rotate_right(19) ^ w[i - 2].rotate_right(61) ^ (w[i - 2] >> 6);
            w.push(w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1));
        }
        let mut v = state.clone();
        for i in 0..80 {
            let s1 = v[4].rotate_right(14) ^ v[4].rotate_right(18) ^ v[4].rotate_right(41);
            let choice = (v[4] & v[5]) ^ (!v[4] & v[6]);
            let t1 = v[7].wrapping_add(s1).wrapping_add(choice).wrapping_add(constants[i]).wrapping_add(w[i]);
            let s0 = v[0].rotate_right(28) ^ v[0].rotate_right(34) ^ v[0].rotate_right(39);
            let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
            v.rotate_right(1);
            v[4] = v[4].wrapping_add(t1);
            v[0] = t1.wrapping_add(s0.wrapping_add(majority));
        }
        for (s, v) in state.iter_mut().zip(v) {
            *s = s.wrapping_add(v);
        }
    }
    state.iter().flat_map(|w| w.to_be_bytes()).collect()
}

pub fn sha256(message: &[u8]) -> Vec<u8> {
    sha2_short(message, prime_roots(f64::sqrt))
}

pub fn sha224(message: &[u8]) -> Vec<u8> {
    let roots = long_roots(8, 8, 2);
    let mut digest = sha2_short(message, std::array::from_fn(|i| roots[i] as u32));
    digest.truncate(28);
    digest
}

fn sha2_short(message: &[u8], mut state: [u32; 8]) -> Vec<u8> {
    let constants: [u32; 64] = prime_roots(f64::cbrt);
    for block in padded(message, (message.len() as u64 * 8).to_be_bytes()).chunks_exact(64) {
        let mut w = [0u32; 64];
        for (i, word) in w.iter_mut().take(16).enumerate() {
            *word = u32::from_be_bytes([block[i * 4], block[i * 4 + 1], block[i * 4 + 2], block[i * 4 + 3]]);
        }
        for i in 16..64 {
            let s0 = w[i - 15].rotate_right(7) ^ w[i - 15].rotate_right(18) ^ (w[i - 15] >> 3);
            let s1 = w[i - 2].rotate_right(17) ^ w[i - 2].rotate_right(19) ^ (w[i - 2] >> 10);
            w[i] = w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1);
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for i in 0..64 {
            let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let choice = (e & f) ^ (!e & g);
            let t1 = h.wrapping_add(s1).wrapping_add(choice).wrapping_add(constants[i]).wrapping_add(w[i]);
            let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let majority = (a & b) ^ (a & c) ^ (b & c);
            let t2 = s0.wrapping_add(majority);
            (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
        }
        for (s, v) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *s = s.wrapping_add(v);
        }
    }
    state.iter().flat_map(|w| w.to_be_bytes()).collect()
}
