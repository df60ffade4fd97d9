//! What becomes of tables, good and bad.
use super::*;
use crate::data::{Labeled, Target};
use crate::population::Cursor;

fn family() -> CsvFamily {
    toml::from_str("path = \"t.csv\"\ntarget = \"y\"").unwrap()
}

fn read(text: impl AsRef<[u8]>, family: &CsvFamily) -> Result<Columns> {
    read::read_from(text.as_ref(), family)
}

fn refused(text: impl AsRef<[u8]>, family: &CsvFamily) -> String {
    read(text, family).unwrap_err().to_string()
}

/// The whole table, with the scales of the rows `train`.
fn rows(columns: Columns, train: &[usize], clip: f64) -> Labeled {
    use crate::population::split::Rows;
    let all: Vec<usize> = (0..columns.n_rows).collect();
    Standardised::new(Arc::new(columns), train, clip).take(&all)
}

#[test]
fn numbers_are_standardised_and_categories_spread_by_the_training_rows_alone() {
    let family = CsvFamily { categorical: vec!["c".into()], ..family() };
    let text = "a,c,y\n1,red,0.5\n3,blue,1.5\n7,green,2.5\n";
    // Training rows 0 and 1 of column a: mean 2, deviation 1. Levels in order: blue, green, red.
    let all = rows(read(text, &family).unwrap(), &[0, 1], 4.0);
    let want = ndarray::array![[-1., 0., 0., 1.], [1., 1., 0., 0.], [4., 0., 0., 0.]];
    assert!((&all.xs - &want).iter().all(|d| d.abs() < 1e-12), "{}", all.xs);
    assert_eq!(all.ys.column(0).to_vec(), [0.5, 1.5, 2.5]);
}

#[test]
fn every_spelling_of_missing_is_refused_with_its_place_unless_it_is_said_what_to_do() {
    for word in ["", "NA", "NaN", "?", " n/a ", "NULL", "-nan", "+NaN"] {
        let text = format!("a,b,y\n1,2,0\n{word},4,1\n5,{word},1\n7,9,0\n");
        let why = refused(&text, &family());
        assert!(why.contains("line 3, column \"a\""), "{why}");
        assert!(why.contains("first of 2 in 2 rows") && why.contains("\"drop\""), "{why}");
        let dropped = CsvFamily { missing: Missing::Drop, ..family() };
        let why = refused(&text, &dropped);
        assert!(why.contains("2 usable rows"), "{why}");
        let columns = read(text + "8,8,1\n", &dropped).unwrap();
        assert_eq!(columns.n_rows, 3);
        assert!(columns.notes[0].contains("2 rows with missing values"), "{:?}", columns.notes);
    }
}

#[test]
fn missing_values_become_the_training_mean_or_the_usual_level() {
    let family = CsvFamily { missing: Missing::Mean, categorical: vec!["c".into()], ..family() };
    let text = "a,c,y\n1,u,0\n3,v,1\n?,v,0\n9,,1\n";
    // Of rows 0 to 2, column a has mean 2 and deviation 1, and v is the most frequent level.
    let all = rows(read(text, &family).unwrap(), &[0, 1, 2], 100.0);
    let want = ndarray::array![[-1., 1., 0.], [1., 0., 1.], [0., 0., 1.], [7., 0., 1.]];
    assert!((&all.xs - &want).iter().all(|d| d.abs() < 1e-12), "{}", all.xs);
    let why = refused("a,c,y\n1,u,0\n3,v,\n", &family);
    assert!(why.contains("line 3: the target is missing"), "{why}");
}

#[test]
fn a_large_offset_hides_no_change() {
    let text = "1000000000000000,0\n1000000000000001,1\n1000000000000002,2\n1000000000000003,3\n";
    let all = rows(read("a,y\n".to_owned() + text, &family()).unwrap(), &[0, 1, 2, 3], 9.0);
    // 0, 1, 2, 3 have mean 1.5 and variance 1.25.
    for (i, x) in all.xs.iter().enumerate() {
        assert!((x - (i as f64 - 1.5) / 1.25_f64.sqrt()).abs() < 1e-12, "{x}");
    }
}

#[test]
fn columns_that_do_not_vary_say_nothing() {
    let text = "a,same,y\n1,0.1,0\n2,0.1,1\n3,0.1,0\n4,0.1,1\n";
    let columns = read(text, &family()).unwrap();
    assert_eq!(columns.width(), 1);
    assert!(columns.notes[0].contains("\"same\" is the same in every row"), "{:?}", columns.notes);
    // Constant in the training rows 0 to 2 only: 0 there and elsewhere, also where rounding makes a tiny deviation.
    let columns = read("a,b,y\n1,0.1,0\n2,0.1,1\n3,0.1,0\n4,7,1\n", &family()).unwrap();
    let all = rows(columns, &[0, 1, 2], 5.0);
    assert_eq!(all.xs.column(1).to_vec(), [0.0; 4]);
    let why = refused("a,y\n1,0\n1,1\n1,0\n", &family());
    assert!(why.contains("no input column varies"), "{why}");
}

#[test]
fn huge_and_tiny_numbers_are_standardised_without_overflow() {
    let text = "a,b,y\n1e300,1e-310,0\n-1e300,2e-310,1\n1e300,1e-310,0\n-1e300,2e-310,1\n";
    let all = rows(read(text, &family()).unwrap(), &[0, 1, 2, 3], 5.0);
    let want = [[1., -1.], [-1., 1.], [1., -1.], [-1., 1.]];
    for (got, want) in all.xs.rows().into_iter().zip(want) {
        // The small ones have few digits left.
        assert!(got.iter().zip(want).all(|(x, w)| (x - w).abs() < 1e-6), "{got}");
    }
}

#[test]
fn bad_tables_are_refused_with_line_column_and_value() {
    let f = family();
    for (text, said) in [
        (
            "a,y\n1,0\nfive,1\n",
            "line 3, column \"a\": \"five\" is no number; list the column under `categorical`",
        ),
        ("a,y\n1,0\ninf,1\n", "line 3, column \"a\": inf is not finite"),
        ("a,y\n1,0\n1e999,1\n", "not finite"),
        (
            "a,y\n1,0\n",
            "1 usable rows; a split into training, clean and test data needs at least 3",
        ),
        ("a,y\n", "0 usable rows"),
        ("", "0 column"),
        ("y\n1\n", "1 column; a target and at least one input are needed"),
        ("a;y\n1;2\n", "`separator`"),
        ("a,a,y\n", "two columns are called \"a\""),
        ("a,,y\n", "column 2 has no name"),
        ("a,y\n1,0\n1,2,3\n", "line 3 has 3 fields, the header 2"),
        ("a,y\n1,0\n1\n", "line 3 has 1 fields, the header 2"),
    ] {
        let why = refused(text, &f);
        assert!(why.contains(said), "{text:?}: {why}");
    }
    let why = refused(b"a,y\n1,0\n\xff,1\n", &f);
    assert!(why.contains("line 3, column \"a\": not text in UTF-8"), "{why}");
    assert!(refused(b"\xff,y\n1,0\n", &f).contains("column 1 is not text in UTF-8"));
    let many = (0..2000).fold(String::new(), |text, i| text + &format!("n{i},1\n"));
    let names = CsvFamily { categorical: vec!["a".into()], ..f.clone() };
    assert!(refused(format!("a,y\n{many}"), &names).contains("too many for a category"));
    for (over, said) in [
        (CsvFamily { target: "prize".into(), ..f.clone() }, "known are: a, y"),
        (CsvFamily { ignore: vec!["y".into()], ..f.clone() }, "cannot be left out"),
        (CsvFamily { categorical: vec!["aa".into()], ..f.clone() }, "did you mean \"a\""),
        (
            CsvFamily { categorical: vec!["a".into()], ignore: vec!["a".into()], ..f.clone() },
            "both categorical and ignored",
        ),
    ] {
        let why = refused("a,y\n1,0\n", &over);
        assert!(why.contains(said), "{why}");
    }
}

#[test]
fn marks_quotes_spaces_and_other_separators_are_read() {
    let plain = read("a,y\n1,0\n2,1\n3,1\n", &family()).unwrap();
    let plain = rows(plain, &[0, 1], 5.0);
    let same = |text: &str, family: &CsvFamily| {
        assert_eq!(rows(read(text, family).unwrap(), &[0, 1], 5.0), plain, "{text:?}");
    };
    same("\u{feff}a,y\r\n1,0\r\n2,1\r\n3,1\r\n", &family());
    same("\"a\",\"y\"\n\"1\",0\n2,\"1\"\n3,1", &family());
    same(" a , y\n 1 ,0\n2, 1\n3,1\n\n", &family());
    same(
        "a;y;note\n1;0;x\n2;1;\"b;\n\"\n3;1;\n",
        &CsvFamily { separator: ';', ignore: vec!["note".into()], ..family() },
    );
}

#[test]
fn parameters_out_of_range_are_refused_before_the_file_is_looked_for() {
    for over in [
        CsvFamily { clip: f64::NAN, ..family() },
        CsvFamily { clip: 0.5, ..family() },
        CsvFamily { cutoff: Some(0.0), ..family() },
        CsvFamily { separator: '"', ..family() },
        CsvFamily { separator: 'é', ..family() },
    ] {
        let error = over.source().unwrap_err();
        assert!(matches!(error, Error::Parameter { .. }), "{error}");
    }
    assert!(matches!(family().source().unwrap_err(), Error::Io { .. }));
}

#[test]
fn parts_of_a_file_do_not_overlap_and_lie_in_the_domain_that_everybody_knows() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("t.csv");
    let line = |i: i32| format!("{i},{},{}\n", i * i % 17, i % 2);
    let lines = (0..200).fold(String::new(), |text, i| text + &line(i));
    std::fs::write(&path, format!("a,b,y\n{lines}")).unwrap();
    let family = CsvFamily { path: path.clone(), ignore: vec!["b".into()], ..family() };
    let world = family.source().unwrap().world().unwrap();
    assert_eq!(world.target, Target::Classes(2));
    let mut seen = Vec::new();
    let population = family.source().unwrap().build(Seed::new(1)).unwrap();
    assert_eq!(*population.world(), world);
    for (part, n) in [(Part::Train, 120), (Part::Clean, 40), (Part::Test, 40)] {
        assert_eq!(population.available(part), Some(n));
        let mut cursor = Cursor::new(Seed::new(2).stream("draw"));
        let drawn = population.draw(part, n, &mut cursor).unwrap();
        assert!(drawn.xs.rows().into_iter().all(|x| world.domain.contains(&x.to_vec())));
        // Stratified, and 20 divides every part: classes are exactly even.
        assert_eq!(drawn.ys.column(0).sum() as usize, n / 2);
        seen.extend(drawn.xs.column(0).iter().map(|x| x.to_bits()));
        assert!(population.draw(part, 1, &mut cursor).is_err());
        if part == Part::Train {
            // Mean 0 and deviation 1 on the training rows, up to rounding.
            assert!(drawn.xs.mean().unwrap().abs() < 1e-12);
            assert!((drawn.xs.var(0.0) - 1.0).abs() < 1e-12);
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 200, "every row is in one part");
    // Another seed, another split; the same data, the same fingerprint.
    let before = family.source().unwrap().fingerprint();
    std::fs::write(&path, format!("a,b,y\n{lines}1,1,1\n")).unwrap();
    assert_ne!(family.source().unwrap().fingerprint(), before, "the file was changed");
}
