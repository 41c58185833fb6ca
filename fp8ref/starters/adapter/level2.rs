use std::io::{self, BufRead, Read, Write};

fn e4m3fn_of_f32(x: u32) -> u8 {
    let (sign, magnitude) = ((x >> 24) as u8 & 0x80, x & 0x7FFF_FFFF);
    match magnitude {
        0x7F80_0001.. => return 0x7F,        // NaN
        0x43E0_0000.. => return sign | 0x7E, // 448 and beyond
        0..=0x3A7F_FFFF => return sign,      // below half of the least subnormal
        _ => {}
    }
    let exponent = (magnitude >> 23) as i32 - 127;
    let cut = if exponent < -6 { 14 - exponent } else { 20 };
    let significand = magnitude & 0x7F_FFFF | 0x80_0000;
    let (kept, rest, half) = (significand >> cut, significand & ((1 << cut) - 1), 1 << (cut - 1));
    let kept = kept + (rest > half || rest == half && kept & 1 == 1) as u32;
    sign | if exponent < -6 { kept as u8 } else { (kept as i32 + (exponent + 6) * 8) as u8 }
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().unwrap())
}

fn main() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    input.read_line(&mut String::new())?; // the hello
    writeln!(
        output,
        r#"{{"fp8ref":"hello","protocol":1,"level":2,"name":"level2.rs","operations":["convert/f32/e4m3fn/rne.sat"]}}"#
    )?;
    output.flush()?;
    let mut length = [0; 4];
    while input.read_exact(&mut length).is_ok() {
        let mut frame = vec![0; u32::from_le_bytes(length) as usize]; // id, operation, cases, codes
        input.read_exact(&mut frame)?;
        let codes: Vec<u8> = frame[12..].chunks_exact(4).map(|x| e4m3fn_of_f32(word(x))).collect();
        output.write_all(&(8 + codes.len() as u32).to_le_bytes())?;
        output.write_all(&frame[..4])?; // the id
        output.write_all(&0u32.to_le_bytes())?; // answered
        output.write_all(&codes)?;
        output.flush()?;
    }
    Ok(())
}
