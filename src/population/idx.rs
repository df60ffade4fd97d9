//! Files in idx format, the one that MNIST came in, plain or compressed with gzip.
//!
//! Two zero bytes, a byte for the type of numbers, a byte for how many sizes follow, the sizes (32 bits, most significant
//! byte first), the numbers, as the page of MNIST describes it. Only bytes are read here: data sets of images hold no others.
//! Written by hand: the reader of candle's data sets knows neither gzip nor other names, and takes a header at its word.
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::cache::stamp;
use crate::digest;
use crate::error::{Error, Result};
use crate::storage;

/// Numbers of a file and how they are laid out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Idx {
    /// Sizes, slowest first.
    pub(super) sizes: Vec<usize>,
    /// The numbers.
    pub(super) bytes: Vec<u8>,
    /// SHA-256 of the content, header included, after decompression: gzip files of the same content differ.
    pub(super) sha256: String,
}

/// Most numbers of a file: a batch of 64 bit numbers cannot hold more.
const MOST_NUMBERS: u64 = 1 << 28;
/// Most sizes of an array.
const MOST_SIZES: u8 = 4;
/// No byte of a gzip file stands for more than this many (RFC 1951 allows 258 bytes for two bits, beside headers).
const MOST_GAIN: u64 = 1040;
/// What a compressed file starts with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Idx> {
    // Says no to folders and devices before anything is read.
    stamp(path)?;
    parse(&storage::read(path, MOST_NUMBERS + 64)?).map_err(|why| Error::file(path, why))
}

/// Reads the bytes of a file, compressed or not.
pub(super) fn parse(file: &[u8]) -> Result<Idx, String> {
    let length = file.len() as u64;
    if file.starts_with(&GZIP) {
        parse_content(MultiGzDecoder::new(file), length.saturating_mul(MOST_GAIN))
    } else {
        parse_content(file, length)
    }
}

/// Reads the content of a file, which cannot be longer than `room`.
fn parse_content(mut content: impl Read, room: u64) -> Result<Idx, String> {
    let mut hash = Sha256::new();
    let mut magic = [0; 4];
    let cut = |_| "it ends within its header".to_owned();
    content.read_exact(&mut magic).map_err(cut)?;
    hash.update(magic);
    let [0, 0, kind, n_sizes] = magic else {
        return Err("not a file in idx format: it starts with two zero bytes".to_owned());
    };
    let kind = match kind {
        0x08 => None,
        0x09 => Some("signed bytes"),
        0x0b => Some("16 bit integers"),
        0x0c => Some("32 bit integers"),
        0x0d => Some("32 bit floats"),
        0x0e => Some("64 bit floats"),
        _ => Some("numbers of an unknown type"),
    };
    if let Some(kind) = kind {
        return Err(format!("it holds {kind}; only bytes are read"));
    }
    if n_sizes == 0 || n_sizes > MOST_SIZES {
        return Err(format!("it has {n_sizes} sizes; from 1 to {MOST_SIZES} are read"));
    }
    let mut sizes = Vec::new();
    for _ in 0..n_sizes {
        let mut size = [0; 4];
        content.read_exact(&mut size).map_err(cut)?;
        hash.update(size);
        sizes.push(u32::from_be_bytes(size));
    }
    let claimed = sizes.iter().try_fold(1_u64, |n, size| n.checked_mul(u64::from(*size)));
    let claimed = claimed.filter(|n| (1..=room.min(MOST_NUMBERS)).contains(n)).ok_or_else(|| {
        format!(
            "its header claims {sizes:?} numbers; it can hold {room}, and from 1 to {MOST_NUMBERS} are read"
        )
    })?;
    let mut bytes = Vec::new();
    let read = content.take(claimed + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("it cannot be decompressed ({error})"))?;
    if bytes.len() as u64 != claimed {
        let how = if bytes.len() as u64 > claimed { "more" } else { "fewer" };
        return Err(format!("it holds {how} than the {claimed} numbers that its header claims"));
    }
    hash.update(&bytes);
    let sizes = sizes.into_iter().map(|size| size as usize).collect();
    Ok(Idx { sizes, bytes, sha256: digest::hex(hash) })
}

/// The file `name`, as it is or with the other spelling, compressed or not, if it is in the folder:
/// `train-images-idx3-ubyte`, `train-images.idx3-ubyte`, and each with `.gz`.
pub fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let other = name.replace("-idx", ".idx");
    [name.to_owned(), format!("{name}.gz"), other.clone(), format!("{other}.gz")]
        .into_iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;

    /// A file of bytes.
    pub(in super::super) fn idx(sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
        let mut file = vec![0, 0, 8, sizes.len() as u8];
        sizes.iter().for_each(|size| file.extend(size.to_be_bytes()));
        file.extend(bytes);
        file
    }

    pub(in super::super) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn plain_and_compressed_files_are_the_same_data_with_the_same_hash() {
        let file = idx(&[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        let plain = parse(&file).unwrap();
        assert_eq!(plain.sizes, [2, 1, 3]);
        assert_eq!(plain.bytes, [1, 2, 3, 4, 5, 6]);
        assert_eq!(parse(&gzip(&file)).unwrap(), plain);
        // sha256sum of these 22 bytes.
        let mut hash = Sha256::new();
        hash.update(&file);
        assert_eq!(plain.sha256, digest::hex(hash));
    }

    #[test]
    fn every_truncation_and_every_tail_is_refused() {
        let file = idx(&[2, 2], &[1, 2, 3, 4]);
        for whole in [file.clone(), gzip(&file)] {
            for cut in 0..whole.len() {
                assert!(parse(&whole[..cut]).is_err(), "{cut} bytes of {}", whole.len());
            }
            let mut longer = whole;
            longer.push(0);
            assert!(parse(&longer).is_err());
        }
        let twice = [gzip(&file), gzip(&file)].concat();
        assert!(parse(&twice).unwrap_err().contains("more than the 4 numbers"));
    }

    #[test]
    fn headers_that_claim_too_much_are_refused_before_memory_is_asked_for() {
        for (sizes, said) in [
            (vec![1 << 30, 1 << 30], "claims"),
            (vec![u32::MAX; 4], "claims"),
            (vec![0, 28, 28], "claims"),
            (vec![1 << 20], "claims"),
            (vec![1; 5], "5 sizes"),
            (vec![], "0 sizes"),
        ] {
            for file in [idx(&sizes, &[0; 8]), gzip(&idx(&sizes, &[0; 8]))] {
                let why = parse(&file).unwrap_err();
                assert!(why.contains(said), "{sizes:?}: {why}");
            }
        }
        let mut floats = idx(&[1], &[0; 4]);
        floats[2] = 0x0d;
        assert!(parse(&floats).unwrap_err().contains("32 bit floats"));
        assert!(parse(b"PK\x03\x04").unwrap_err().contains("not a file in idx format"));
    }

    #[test]
    fn a_gzip_bomb_is_refused_after_the_claimed_bytes() {
        let mut bomb = idx(&[4], &[]);
        bomb.resize(1 << 24, 0);
        let why = parse(&gzip(&bomb)).unwrap_err();
        assert!(why.contains("more than the 4 numbers"), "{why}");
    }

    #[test]
    fn files_are_found_under_their_usual_names() {
        let dir = tempfile::TempDir::new().unwrap();
        let name = "train-images-idx3-ubyte";
        assert_eq!(find(dir.path(), name), None);
        for there in ["train-images.idx3-ubyte.gz", "train-images-idx3-ubyte.gz", name] {
            std::fs::write(dir.path().join(there), "").unwrap();
            assert_eq!(find(dir.path(), name), Some(dir.path().join(there)));
        }
    }
}
