//! Programs as models: a child process that reads rows and answers them, whatever it is written in.
//!
//! The program is started once and asked in blocks of rows, one block after the other. Two protocols, both on standard
//! input and standard output:
//!
//! * [`Protocol::Jsonl`]: a row is a line with a JSON array of numbers; the answer is a line with an array, or one number
//!   where there is one output. Answers come in the order of the rows.
//! * [`Protocol::Npy`]: a block is a `.npy` array of 64 bit floats in C order, rows × inputs; the answer is one of 32 or 64
//!   bit floats in C order, rows × outputs.
//!
//! The program must flush what it wrote when it has answered all it was asked, and end when its input ends. What it writes
//! to standard error is kept, and its last line quoted if it fails. A program that dies, that is silent for too long, or that
//! answers with anything but finite numbers of the right count is stopped, and every later question fails as that one did.
//!
//! What is stopped is the process that was started. Processes that it started itself, as a shell does, find their input at
//! its end, and no more is done to them; with a shell, write `exec`.
//!
//! How many operations it spends on an answer is not known, so none are charged for it.
mod block;
mod pipes;
mod serve;
mod words;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ndarray::Axis;

pub use serve::serve;
pub use words::words;

use crate::data::{Batch, Shape};
use crate::error::{Error, Result};
use pipes::Pipes;

/// Rows that are asked together, and for which there is one time-out.
const BLOCK: usize = 1024;
/// Most inputs and most outputs.
const MOST_WIDTH: usize = 1 << 20;

/// What a program speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Lines of JSON.
    #[default]
    Jsonl,
    /// Blocks in `.npy` format.
    Npy,
}

/// How a program is started and held to its word.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// The program and its arguments. No shell reads them.
    pub command: Vec<String>,
    /// Widths of its inputs and outputs, which nobody asks it for.
    pub shape: Shape,
    /// What it speaks.
    pub protocol: Protocol,
    /// Longest time for one block of at most 1,024 rows.
    pub timeout: Duration,
}

impl Program {
    /// Its command line in errors, no longer than a line has room for.
    fn shown(&self) -> String {
        const WIDTH: usize = 60;
        let line = self.command.join(" ");
        let plain = line.chars().map(|c| if c.is_control() { ' ' } else { c });
        let cut = line.chars().nth(WIDTH).map(|_| '…');
        plain.take(WIDTH).chain(cut).collect()
    }
}

/// A running program that answers rows.
///
/// ```
/// use std::time::Duration;
/// use absolve::data::Shape;
/// use absolve::external::{External, Program, Protocol};
///
/// // `cat` answers every row with itself.
/// let cat = Program {
///     command: vec!["cat".to_owned()],
///     shape: Shape { inputs: 2, outputs: 2 },
///     protocol: Protocol::Jsonl,
///     timeout: Duration::from_secs(10),
/// };
/// let rows = ndarray::array![[1.0, 0.1], [-3.5, 1e-300]];
/// assert_eq!(External::start(cat)?.ask(&rows)?, rows);
/// # Ok::<(), absolve::error::Error>(())
/// ```
#[derive(Debug)]
pub struct External {
    program: Program,
    /// The pipes while all is well; then why it is not.
    state: Mutex<Result<Pipes, String>>,
}

impl External {
    /// Starts the program.
    ///
    /// # Errors
    /// If a width or the time-out is impossible, or if the program cannot be started.
    pub fn start(program: Program) -> Result<Self> {
        let widths = [("inputs", program.shape.inputs), ("outputs", program.shape.outputs)];
        for (name, width) in widths {
            if !(1..=MOST_WIDTH).contains(&width) {
                let want = format!("from 1 to {MOST_WIDTH} are accepted");
                return Err(Error::parameter(name, width, want));
            }
        }
        if program.timeout.is_zero() || program.timeout > Duration::from_secs(86_400) {
            let want = "more than nothing and at most a day is needed";
            return Err(Error::parameter("timeout", format!("{:?}", program.timeout), want));
        }
        let Some((name, arguments)) = program.command.split_first() else {
            return Err(Error::parameter("command", "", "the name of a program is needed"));
        };
        let pipes = Pipes::open(name, arguments).map_err(|error| Error::External {
            program: program.shown(),
            why: format!("it cannot be started ({error})"),
        })?;
        Ok(Self { program, state: Mutex::new(Ok(pipes)) })
    }

    /// How it was started.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Ends its input and waits, a second at most, for it to end.
    ///
    /// # Errors
    /// If it still says something: then it answers more than it is asked, and earlier answers may belong to other rows.
    pub fn end(&self) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |why: String| Error::External { program: self.program.shown(), why };
        let left = match &mut *state {
            Ok(pipes) => pipes.end(),
            Err(why) => return Err(failed(why.clone())),
        };
        *state = Err("its input has ended".to_owned());
        left.map_err(failed)
    }

    /// Its answers, a row for a row of `xs`. One caller at a time; the others wait.
    ///
    /// # Errors
    /// If rows are of the wrong width or not finite (nothing is sent), or if the program fails, now or before.
    pub fn ask(&self, xs: &Batch) -> Result<Batch> {
        let Shape { inputs, outputs } = self.program.shape;
        crate::data::check("inputs", xs, inputs)?;
        crate::data::check_size("answers", xs.nrows(), outputs)?;
        let failed =
            |why: &String| Error::External { program: self.program.shown(), why: why.clone() };
        // A thread that panicked left a block half asked, so what comes next belongs to no question.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answers = Batch::zeros((xs.nrows(), outputs));
        let blocks = xs.axis_chunks_iter(Axis(0), BLOCK);
        for (mut out, block) in answers.axis_chunks_iter_mut(Axis(0), BLOCK).zip(blocks) {
            let pipes = state.as_mut().map_err(|why| failed(why))?;
            match pipes.ask(&block, &self.program) {
                Ok(numbers) => out.assign(&numbers),
                Err(why) => {
                    let why = pipes.stop(&why);
                    let error = failed(&why);
                    *state = Err(why);
                    return Err(error);
                }
            }
        }
        Ok(answers)
    }
}
