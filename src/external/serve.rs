//! The other end of the pipe: answers rows on a stream in either protocol, as a program has to.
use std::io::{BufRead, BufReader, Read, Write};

use super::{Protocol, block};
use crate::data::{Batch, Shape};
use crate::error::{Error, Result};

/// Answers everything that comes in on `input` with `answer`, until it ends: the reference for programs that want to be
/// suspects. `shape` is what `answer` maps; rows of other widths are errors. Each answer is flushed before more is waited for.
///
/// ```
/// use absolve::data::Shape;
/// use absolve::external::{Protocol, serve};
///
/// let shape = Shape { inputs: 2, outputs: 1 };
/// let mut out = Vec::new();
/// serve(Protocol::Jsonl, shape, &b"[1, 2]\n[3, 4.5]\n"[..], &mut out, &mut |xs| {
///     Ok(xs.sum_axis(ndarray::Axis(1)).insert_axis(ndarray::Axis(1)))
/// })?;
/// assert_eq!(out, b"[3.0]\n[7.5]\n");
/// # Ok::<(), absolve::error::Error>(())
/// ```
pub fn serve(
    protocol: Protocol,
    shape: Shape,
    input: impl Read,
    output: &mut dyn Write,
    answer: &mut dyn FnMut(&Batch) -> Result<Batch>,
) -> Result<()> {
    let mut input = BufReader::new(input);
    let at = |why: String| Error::Spec { place: "standard input".to_owned(), why };
    let mut asked = 0_usize;
    loop {
        let xs = match protocol {
            Protocol::Jsonl => line(&mut input, shape.inputs),
            Protocol::Npy => array(&mut input, shape.inputs),
        };
        let xs = xs.map_err(|why| {
            let why = if why == block::ENDED { "it ends within an array".to_owned() } else { why };
            at(format!("row {asked}: {why}"))
        })?;
        let Some(xs) = xs else { return Ok(()) };
        asked += xs.nrows();
        let answers = answer(&xs)?;
        crate::data::check("answers", &answers, shape.outputs)?;
        let bytes = match protocol {
            Protocol::Jsonl => block::to_lines(&answers.view()),
            Protocol::Npy => block::to_npy(&answers.view()).map_err(at)?,
        };
        let mut written = output.write_all(&bytes);
        if input.buffer().is_empty() {
            written = written.and_then(|()| output.flush());
        }
        match written {
            // Nobody listens any more.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            written => {
                let place = std::path::Path::new("standard output");
                written.map_err(Error::io("write to", place))?;
            }
        }
    }
}

/// The row in the next line; `None` at the end.
fn line(input: &mut impl BufRead, width: usize) -> Result<Option<Batch>, String> {
    let longest = block::longest_line(width);
    let mut line = Vec::new();
    let limit = longest as u64 + 1;
    input.take(limit).read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() > longest {
        return Err(format!("it has more than the {longest} bytes that a line may have"));
    }
    let row = block::from_line(&line, width)?;
    Ok(Some(crate::data::stack(width, [row])))
}

/// The next array; `None` at the end.
fn array(input: &mut impl Read, width: usize) -> Result<Option<Batch>, String> {
    let Some(header) = block::npy_header(input)? else { return Ok(None) };
    let (rows, columns) = header.dims;
    if columns != width {
        return Err(format!("rows of {width} numbers wanted, got {columns}"));
    }
    crate::data::check_size("rows", rows, width).map_err(|error| error.to_string())?;
    block::npy_numbers(input, header).map(Some)
}
