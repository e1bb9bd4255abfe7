//! Compressed events: MariaDB's (`log_bin_compress`) and MySQL's (`binlog_transaction_compression`).

use std::{fmt, io::Read};

use bytes::Bytes;

use crate::{Fault, cursor::Cursor, header::MAX_EVENT_BYTES};

/// The most bytes that one TRANSACTION_PAYLOAD_EVENT may become. The events inside are kept in memory until the transaction
/// ends, and a few bytes of zstd can become any number: this is where it stops.
pub const MAX_PAYLOAD_BYTES: usize = 1024 * 1024 * 1024;

/// Deflate makes at most 1032 bytes of one (zlib's technical details): who says more is wrong.
const MAX_DEFLATE_RATIO: usize = 1032;
/// What is allocated before any byte was decompressed, at most: the rest grows with what is really there.
const FIRST_BYTES: usize = 1024 * 1024;

/// What decompresses, and not to the length that was said.
const OTHER_LEN: Fault = Fault::Malformed("the compressed bytes are not as many as they say");

/// Set in the first byte of what MariaDB compressed.
const MARIADB_MARK: u8 = 0x80;
/// The algorithm in that byte; zlib is 0, and the only one.
const MARIADB_ALGORITHM: u8 = 0x70;
/// How many bytes of length follow.
const MARIADB_LEN_BYTES: u8 = 0x07;

/// What `binlog_buf_compress` of MariaDB wrote: a byte with the algorithm and the number of bytes of the length, the length
/// (the high byte first), and a zlib stream.
pub(crate) fn mariadb(compressed: &Bytes) -> Result<Bytes, Fault> {
    let mut it = Cursor::new(compressed);
    let mark = it.u8("compression header")?;
    let len_bytes = usize::from(mark & MARIADB_LEN_BYTES);
    if mark & MARIADB_MARK == 0 || mark & MARIADB_ALGORITHM != 0 || !(1..=4).contains(&len_bytes) {
        return Err(Fault::Malformed("the compression header is not known"));
    }
    let len = it
        .take(len_bytes, "compression header")?
        .iter()
        .fold(0_usize, |len, &byte| (len << 8) | usize::from(byte));
    if len > MAX_EVENT_BYTES {
        return Err(Fault::Limit {
            what: "bytes of an event before it was compressed",
            has: len as u64,
            limit: MAX_EVENT_BYTES as u64,
        });
    }
    let stream = it.rest();
    if len / MAX_DEFLATE_RATIO > stream.len() {
        return Err(Fault::Malformed("so few bytes cannot become so many"));
    }
    exactly(flate2::read::ZlibDecoder::new(&stream[..]), len)
}

/// zstd's memory for decompressing, kept from one transaction to the next: to make it takes longer than to decompress a small
/// transaction.
#[derive(Default)]
pub(crate) struct Zstd(Option<zstd::bulk::Decompressor<'static>>);

impl fmt::Debug for Zstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Zstd")
    }
}

impl Zstd {
    fn decompress(&mut self, stream: &[u8], len: usize) -> Result<Bytes, Fault> {
        // At once takes the memory first: only for as much as can be given away on a lie.
        if len > FIRST_BYTES {
            let decoder = zstd::stream::read::Decoder::with_buffer(stream);
            return exactly(decoder.map_err(broken)?, len);
        }
        let zstd = match &mut self.0 {
            Some(zstd) => zstd,
            none => none.insert(zstd::bulk::Decompressor::new().map_err(broken)?),
        };
        let bytes = zstd.decompress(stream, len).map_err(broken)?;
        if bytes.len() == len {
            Ok(bytes.into())
        } else {
            Err(OTHER_LEN)
        }
    }
}

/// The bytes of the events in a TRANSACTION_PAYLOAD_EVENT, one after the other.
pub(crate) fn payload(zstd: &mut Zstd, body: &Bytes) -> Result<Bytes, Fault> {
    const END: u64 = 0;
    const SIZE: u64 = 1;
    const COMPRESSION: u64 = 2;
    const UNCOMPRESSED_SIZE: u64 = 3;
    const ZSTD: u64 = 0;
    const NONE: u64 = 255;
    const WHAT: &str = "payload header";

    let mut it = Cursor::new(body);
    let (mut size, mut compression, mut uncompressed) = (None, NONE, None);
    loop {
        let field = it.packed(WHAT)?;
        if field == END {
            break;
        }
        let len = it.packed_len(WHAT)?;
        let value = it.slice(len, WHAT)?;
        let mut value = Cursor::new(&value);
        match field {
            SIZE => size = Some(value.packed(WHAT)?),
            COMPRESSION => compression = value.packed(WHAT)?,
            UNCOMPRESSED_SIZE => uncompressed = Some(value.packed(WHAT)?),
            _ => {}
        }
    }
    let payload = it.rest();
    if size.is_some_and(|size| size != payload.len() as u64) {
        return Err(Fault::Malformed("the payload is not of the length it says"));
    }
    match compression {
        NONE => Ok(payload),
        ZSTD => {
            let len = uncompressed.ok_or(Fault::Malformed("the payload's length is missing"))?;
            let len = usize::try_from(len)
                .ok()
                .filter(|&len| len <= MAX_PAYLOAD_BYTES)
                .ok_or(Fault::Limit {
                    what: "bytes of a compressed transaction",
                    has: len,
                    limit: MAX_PAYLOAD_BYTES as u64,
                })?;
            zstd.decompress(&payload, len)
        }
        _ => Err(Fault::Malformed("the payload's compression is not known")),
    }
}

/// Reads `len` bytes, which must be all.
fn exactly(stream: impl Read, len: usize) -> Result<Bytes, Fault> {
    let mut bytes = Vec::with_capacity(len.min(FIRST_BYTES));
    let limit = len as u64 + 1;
    stream.take(limit).read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() == len {
        Ok(bytes.into())
    } else {
        Err(Fault::Malformed(
            "the compressed bytes are not as many as they say",
        ))
    }
}

fn broken(error: std::io::Error) -> Fault {
    Fault::Compressed(error.to_string())
}
