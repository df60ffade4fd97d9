//! Arrays, whole and broken, and what their labels mean.
use std::io::Write;

use ndarray::{Array1, Array2, Array3};
use ndarray_npy::WriteNpyExt;

use super::*;

fn npy<A: WriteNpyExt>(array: &A) -> Vec<u8> {
    let mut bytes = Vec::new();
    array.write_npy(&mut bytes).unwrap();
    bytes
}

fn at() -> &'static Path {
    Path::new("a.npy")
}

/// An archive of one member, its bytes deflated if they are said to be.
fn archive(name: &str, content: &[u8], deflated: bool) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let packed = if deflated {
        let level = flate2::Compression::best();
        let mut out = flate2::write::DeflateEncoder::new(Vec::new(), level);
        out.write_all(content).unwrap();
        out.finish().unwrap()
    } else {
        content.to_vec()
    };
    // PKWARE's APPNOTE 4.3: a local header with the data, a central header, the end of the directory.
    let u16s = |numbers: &[u16]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
    let u32s = |numbers: &[u32]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
    let method = if deflated { 8 } else { 0 };
    let facts = [
        u16s(&[20, 0, method, 0, 33]),
        u32s(&[crc.sum(), packed.len() as u32, content.len() as u32]),
        u16s(&[name.len() as u16, 0]),
    ]
    .concat();
    let local = [&b"PK\x03\x04"[..], &facts, name.as_bytes(), &packed].concat();
    let central = [
        &b"PK\x01\x02"[..],
        &u16s(&[20]),
        &facts,
        &u16s(&[0, 0, 0]),
        &u32s(&[0, 0]),
        name.as_bytes(),
    ]
    .concat();
    let end = [
        b"PK\x05\x06".to_vec(),
        u16s(&[0, 0, 1, 1]),
        u32s(&[central.len() as u32, local.len() as u32]),
        u16s(&[0]),
    ]
    .concat();
    [local, central, end].concat()
}

#[test]
fn arrays_of_every_type_and_depth_are_read_as_rows() {
    let deep = Array3::<u8>::from_shape_fn((2, 2, 3), |(i, j, k)| (6 * i + 3 * j + k) as u8);
    let rows = as_rows(parse(&npy(&deep), at()).unwrap());
    assert_eq!(rows, ndarray::array![[0., 1., 2., 3., 4., 5.], [6., 7., 8., 9., 10., 11.]]);
    // Column-major files hold the same numbers in another order.
    let table = ndarray::array![[1.5_f32, 2.], [3., 4.], [5., 6.]];
    let turned = npy(&table.t().as_standard_layout().into_owned().reversed_axes());
    assert!(String::from_utf8_lossy(&turned).contains("'fortran_order': True"));
    assert_eq!(as_rows(parse(&turned, at()).unwrap()), table.mapv(f64::from));
    let truths = npy(&Array1::from(vec![true, false]));
    assert_eq!(as_rows(parse(&truths, at()).unwrap()).column(0).to_vec(), [1., 0.]);
}

#[test]
fn every_truncation_is_an_error_and_no_claim_is_believed() {
    let whole = npy(&Array2::<f64>::ones((3, 2)));
    assert!(parse(&whole, at()).is_ok());
    for cut in 0..whole.len() {
        assert!(parse(&whole[..cut], at()).is_err(), "{cut}");
    }
    for claim in ["(1152921504606846976, 2)", "(4294967296, 4294967296, 4294967296)"] {
        let mut text = String::from_utf8_lossy(&whole[10..128]).replace("(3, 2)", claim);
        text.truncate(118);
        let lie = [&whole[..10], text.as_bytes(), &whole[128..]].concat();
        let why = parse(&lie, at()).unwrap_err().to_string();
        assert!(why.contains("its header claims"), "{why}");
    }
    // Version 2, with a header that claims 4 GiB.
    let mut long = whole.clone();
    long[6] = 2;
    long[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    let why = parse(&long, at()).unwrap_err().to_string();
    assert!(why.contains("longer than the file"), "{why}");
}

#[test]
fn archives_are_read_plain_and_deflated_and_checked() {
    let content = npy(&Array2::<f64>::zeros((100, 10)));
    for deflated in [false, true] {
        let whole = archive("x.npy", &content, deflated);
        let array = member(&whole, at(), Path::new("x")).unwrap();
        assert_eq!(array.shape(), [100, 10]);
        let why = member(&whole, at(), Path::new("xx")).unwrap_err().to_string();
        assert!(why.contains("did you mean \"x\"?"), "{why}");
        for cut in (0..whole.len()).step_by(7) {
            assert!(member(&whole[..cut], at(), Path::new("x")).is_err(), "{cut}");
        }
    }
    let mut damaged = archive("x.npy", &content, false);
    damaged[200] ^= 1;
    let why = member(&damaged, at(), Path::new("x")).unwrap_err().to_string();
    assert!(why.contains("damaged"), "{why}");
    // A member that claims four GiB of itself: both headers say so.
    let mut bomb = archive("x.npy", &content, true);
    let claim = (content.len() as u32).to_le_bytes();
    for at in (0..bomb.len() - 4).rev() {
        if bomb[at..at + 4] == claim {
            bomb[at..at + 4].copy_from_slice(&(u32::MAX - 1).to_le_bytes());
        }
    }
    let why = member(&bomb, at(), Path::new("x")).unwrap_err().to_string();
    assert!(why.contains("claims 4294967294 bytes"), "{why}");
}

#[test]
fn what_labels_mean_is_seen_from_them_or_said() {
    let column = |values: &[f64]| crate::data::column(values.to_vec());
    let target = |values: &[f64], labelling| labels(column(values), labelling).map(|(t, _)| t);
    assert_eq!(target(&[0., 2., 1.], None), Ok(Target::Classes(3)));
    assert_eq!(target(&[-1., 1.], None), Ok(Target::Sign));
    assert_eq!(target(&[0., 20.], None), Ok(Target::Real));
    assert_eq!(target(&[0., 20.], Some(Labelling::Classes)), Ok(Target::Classes(21)));
    assert_eq!(target(&[0., 1.], Some(Labelling::Real)), Ok(Target::Real));
    assert!(target(&[0., 1.], Some(Labelling::Sign)).is_err());
    assert!(target(&[0.5, 1.], Some(Labelling::Classes)).is_err());
    assert!(target(&[0., 0.], None).is_err());
    let rows = ndarray::array![[0., 1., 0.], [1., 0., 0.]];
    assert_eq!(labels(rows.clone(), None), Ok((Target::Classes(3), rows)));
    let why = labels(ndarray::array![[0., 1.], [1., 1.]], None).unwrap_err();
    assert!(why.contains("row 1 of the labels is not one-hot"), "{why}");
}

#[test]
fn a_pair_of_files_is_split_and_a_pair_that_does_not_fit_refused() {
    let dir = tempfile::TempDir::new().unwrap();
    let write = |name: &str, bytes: Vec<u8>| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let family = |rows: usize| NpyFamily {
        npz: None,
        xs: write("x.npy", npy(&Array2::from_shape_fn((rows, 2), |(i, j)| (2 * i + j) as f64))),
        ys: write("y.npy", npy(&Array1::from_shape_fn(10, |i| (i % 2) as i64))),
        task: None,
        train: Some(6),
        clean: None,
        cutoff: None,
    };
    let good = family(10);
    let world = good.source().unwrap().world().unwrap();
    assert_eq!(world.domain, Domain::Range { n: 2, low: 0.0, high: 19.0 });
    let population = good.source().unwrap().build(Seed::new(1)).unwrap();
    let mut seen: Vec<f64> = Vec::new();
    for (part, n) in [(Part::Train, 6), (Part::Clean, 2), (Part::Test, 2)] {
        let mut cursor = super::super::Cursor::new(Seed::new(2).stream("draw"));
        let drawn = population.draw(part, n, &mut cursor).unwrap();
        // The label is the parity of the row.
        for (x, y) in drawn.xs.rows().into_iter().zip(drawn.ys.rows()) {
            assert_eq!(argmax(&y.to_vec()), (x[0] as usize / 2) % 2);
        }
        seen.extend(drawn.xs.column(0));
    }
    seen.sort_by(f64::total_cmp);
    assert_eq!(seen, (0..10).map(|i| f64::from(2 * i)).collect::<Vec<_>>());
    let why = family(11).source().unwrap_err().to_string();
    assert!(why.contains("10 labels for 11 inputs"), "{why}");
}
