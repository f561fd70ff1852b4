//! `FarmHash`'s `Fingerprint64`, as published by Google.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;

fn at64(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn at32(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u64::from(u32::from_le_bytes(word))
}

fn shift_mix(v: u64) -> u64 {
    v ^ (v >> 47)
}

fn mix(u: u64, v: u64, mul: u64) -> u64 {
    let a = shift_mix((u ^ v).wrapping_mul(mul));
    shift_mix((v ^ a).wrapping_mul(mul)).wrapping_mul(mul)
}

fn short(s: &[u8]) -> u64 {
    let len = s.len();
    let length = len as u64;
    if len >= 8 {
        let mul = K2.wrapping_add(length * 2);
        let a = at64(s, 0).wrapping_add(K2);
        let b = at64(s, len - 8);
        let c = b.rotate_right(37).wrapping_mul(mul).wrapping_add(a);
        let d = a.rotate_right(25).wrapping_add(b).wrapping_mul(mul);
        return mix(c, d, mul);
    }
    if len >= 4 {
        let mul = K2.wrapping_add(length * 2);
        return mix(length.wrapping_add(at32(s, 0) << 3), at32(s, len - 4), mul);
    }
    if len > 0 {
        let (a, b, c) = (
            u64::from(s[0]),
            u64::from(s[len >> 1]),
            u64::from(s[len - 1]),
        );
        let y = a.wrapping_add(b << 8);
        let z = length.wrapping_add(c << 2);
        return shift_mix(y.wrapping_mul(K2) ^ z.wrapping_mul(K0)).wrapping_mul(K2);
    }
    K2
}

fn middle(s: &[u8]) -> u64 {
    let len = s.len();
    let mul = K2.wrapping_add(len as u64 * 2);
    let a = at64(s, 0).wrapping_mul(K1);
    let b = at64(s, 8);
    let c = at64(s, len - 8).wrapping_mul(mul);
    let d = at64(s, len - 16).wrapping_mul(K2);
    mix(
        a.wrapping_add(b)
            .rotate_right(43)
            .wrapping_add(c.rotate_right(30))
            .wrapping_add(d),
        a.wrapping_add(b.wrapping_add(K2).rotate_right(18))
            .wrapping_add(c),
        mul,
    )
}

fn longer(s: &[u8]) -> u64 {
    let len = s.len();
    let mul = K2.wrapping_add(len as u64 * 2);
    let a = at64(s, 0).wrapping_mul(K2);
    let b = at64(s, 8);
    let c = at64(s, len - 8).wrapping_mul(mul);
    let d = at64(s, len - 16).wrapping_mul(K2);
    let y = a
        .wrapping_add(b)
        .rotate_right(43)
        .wrapping_add(c.rotate_right(30))
        .wrapping_add(d);
    let z = mix(
        y,
        a.wrapping_add(b.wrapping_add(K2).rotate_right(18))
            .wrapping_add(c),
        mul,
    );
    let e = at64(s, 16).wrapping_mul(mul);
    let f = at64(s, 24);
    let g = y.wrapping_add(at64(s, len - 32)).wrapping_mul(mul);
    let h = z.wrapping_add(at64(s, len - 24)).wrapping_mul(mul);
    mix(
        e.wrapping_add(f)
            .rotate_right(43)
            .wrapping_add(g.rotate_right(30))
            .wrapping_add(h),
        e.wrapping_add(f.wrapping_add(a).rotate_right(18))
            .wrapping_add(g),
        mul,
    )
}

fn weak(s: &[u8], at: usize, a: u64, b: u64) -> (u64, u64) {
    let (w, x, y, z) = (
        at64(s, at),
        at64(s, at + 8),
        at64(s, at + 16),
        at64(s, at + 24),
    );
    let a = a.wrapping_add(w);
    let b = b.wrapping_add(a).wrapping_add(z).rotate_right(21);
    let c = a;
    let a = a.wrapping_add(x).wrapping_add(y);
    let b = b.wrapping_add(a.rotate_right(44));
    (a.wrapping_add(z), b.wrapping_add(c))
}

/// The fingerprint of bytes.
#[expect(
    clippy::too_many_lines,
    reason = "one loop over the state of the published algorithm"
)]
pub(super) fn fingerprint(s: &[u8]) -> u64 {
    let len = s.len();
    match len {
        0..=16 => return short(s),
        17..=32 => return middle(s),
        33..=64 => return longer(s),
        _ => {}
    }
    let seed = 81_u64;
    let mut x = seed;
    let mut y = seed.wrapping_mul(K1).wrapping_add(113);
    let mut z = shift_mix(y.wrapping_mul(K2).wrapping_add(113)).wrapping_mul(K2);
    let (mut v, mut w) = ((0_u64, 0_u64), (0_u64, 0_u64));
    x = x.wrapping_mul(K2).wrapping_add(at64(s, 0));
    let end = (len - 1) / 64 * 64;
    let last = end + ((len - 1) & 63) - 63;
    let mut at = 0;
    while at < end {
        x = x
            .wrapping_add(y)
            .wrapping_add(v.0)
            .wrapping_add(at64(s, at + 8))
            .rotate_right(37)
            .wrapping_mul(K1);
        y = y
            .wrapping_add(v.1)
            .wrapping_add(at64(s, at + 48))
            .rotate_right(42)
            .wrapping_mul(K1);
        x ^= w.1;
        y = y.wrapping_add(v.0).wrapping_add(at64(s, at + 40));
        z = z.wrapping_add(w.0).rotate_right(33).wrapping_mul(K1);
        v = weak(s, at, v.1.wrapping_mul(K1), x.wrapping_add(w.0));
        w = weak(
            s,
            at + 32,
            z.wrapping_add(w.1),
            y.wrapping_add(at64(s, at + 16)),
        );
        std::mem::swap(&mut z, &mut x);
        at += 64;
    }
    let mul = K1.wrapping_add((z & 0xff) << 1);
    at = last;
    w.0 = w.0.wrapping_add((len as u64 - 1) & 63);
    v.0 = v.0.wrapping_add(w.0);
    w.0 = w.0.wrapping_add(v.0);
    x = x
        .wrapping_add(y)
        .wrapping_add(v.0)
        .wrapping_add(at64(s, at + 8))
        .rotate_right(37)
        .wrapping_mul(mul);
    y = y
        .wrapping_add(v.1)
        .wrapping_add(at64(s, at + 48))
        .rotate_right(42)
        .wrapping_mul(mul);
    x ^= w.1.wrapping_mul(9);
    y = y
        .wrapping_add(v.0.wrapping_mul(9))
        .wrapping_add(at64(s, at + 40));
    z = z.wrapping_add(w.0).rotate_right(33).wrapping_mul(mul);
    v = weak(s, at, v.1.wrapping_mul(mul), x.wrapping_add(w.0));
    w = weak(
        s,
        at + 32,
        z.wrapping_add(w.1),
        y.wrapping_add(at64(s, at + 16)),
    );
    std::mem::swap(&mut z, &mut x);
    mix(
        mix(v.0, w.0, mul)
            .wrapping_add(shift_mix(y).wrapping_mul(K0))
            .wrapping_add(z),
        mix(v.1, w.1, mul).wrapping_add(x),
        mul,
    )
}
