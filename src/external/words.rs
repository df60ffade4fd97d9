//! A command line as words.
use crate::error::{Error, Result};

/// Splits a command line at its blanks. Quotes keep blanks: in '…' all is literal, in "…" a backslash keeps the next
/// character, as it does outside. No shell is asked, so nothing else is special.
///
/// ```
/// use absolve::external::words;
/// assert_eq!(words(r#"python3 'my model.py' --name "a \"b\"""#)?, ["python3", "my model.py", "--name", r#"a "b""#]);
/// assert!(words("python3 'f.py").is_err());
/// # Ok::<(), absolve::error::Error>(())
/// ```
pub fn words(line: &str) -> Result<Vec<String>> {
    let open = || Error::parameter("command", line, "a quote or a backslash in it has no end");
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or_else(open)? {
                        end if end == c => break,
                        '\\' if c == '"' => word.push(characters.next().ok_or_else(open)?),
                        other => word.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(characters.next().ok_or_else(open)?),
            blank if blank.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    if words.is_empty() {
        return Err(Error::parameter("command", line, "the name of a program is needed"));
    }
    Ok(words)
}
