//! The three pipes of a running program.
//!
//! Each has a thread of its own, so that neither side can wait for the other for ever: one writes what is asked, one reads
//! what is answered, one keeps the end of standard error. The caller waits for answers with a limit.
use std::io::{ErrorKind, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::ArrayView2;

use super::{Program, Protocol, block};
use crate::data::Batch;

/// Bytes that are read from the program at once.
const CHUNK: usize = 1 << 16;
/// Chunks that wait to be looked at; a program that talks on is held up by its full pipe, not stored.
const WAITING: usize = 16;
/// How much of the end of standard error is kept.
const TAIL: usize = 4096;
/// How long a program may take to end once its input has ended, and how often it is looked at.
const GRACE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct Pipes {
    child: Child,
    /// To the writer; gone once the input is to end.
    asked: Option<Sender<Vec<u8>>>,
    answered: Receiver<Vec<u8>>,
    complaints: Receiver<Vec<u8>>,
    /// What was read, of which all before `start` is used.
    left: Vec<u8>,
    start: usize,
}

impl Pipes {
    pub(super) fn open(name: &str, arguments: &[String]) -> std::io::Result<Self> {
        let mut child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (asked, to_write) = channel();
        let (read, answered) = sync_channel(WAITING);
        let (said, complaints) = channel();
        if let Some(stdin) = child.stdin.take() {
            thread::spawn(move || write_all(stdin, &to_write));
        }
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || read_all(stdout, &read));
        }
        if let Some(stderr) = child.stderr.take() {
            thread::spawn(move || drop(said.send(end_of(stderr))));
        }
        Ok(Self { child, asked: Some(asked), answered, complaints, left: Vec::new(), start: 0 })
    }

    /// The answers to a block of rows; the error says what went wrong, and then the pipes are of no more use.
    pub(super) fn ask(
        &mut self,
        rows: &ArrayView2<'_, f64>,
        program: &Program,
    ) -> Result<Batch, String> {
        let bytes = match program.protocol {
            Protocol::Jsonl => block::to_lines(rows),
            Protocol::Npy => block::to_npy(rows)?,
        };
        self.silent()?;
        // A writer that is gone has a reason, which the reader will find.
        if let Some(to) = &self.asked {
            drop(to.send(bytes));
        }
        let mut source = Source { pipes: self, deadline: Instant::now() + program.timeout };
        let answers = match program.protocol {
            Protocol::Jsonl => source.lines(rows.nrows(), program.shape.outputs),
            Protocol::Npy => block::npy_answer(&mut source, rows.nrows(), program.shape),
        };
        let answers = answers.and_then(|answers| self.silent().map(|()| answers));
        answers.map_err(|why| {
            if why == LATE {
                format!(
                    "no answer to {} rows within {:?}; it was stopped",
                    rows.nrows(),
                    program.timeout
                )
            } else {
                why
            }
        })
    }

    /// Checks that nothing has come that was not asked for: it would be taken for the next answer.
    fn silent(&mut self) -> Result<(), String> {
        if self.start == self.left.len() {
            (self.left, self.start) = (Vec::new(), 0);
            self.left.extend(self.answered.try_recv().unwrap_or_default());
        }
        if self.start == self.left.len() {
            return Ok(());
        }
        let text: String =
            String::from_utf8_lossy(&self.left[self.start..]).chars().take(60).collect();
        Err(format!("it said more than it was asked: {text:?}"))
    }

    /// Ends the program's input; what it then still says was not asked for.
    pub(super) fn end(&mut self) -> Result<(), String> {
        self.silent()?;
        self.asked = None;
        match self.answered.recv_timeout(GRACE) {
            Ok(chunk) => {
                self.left.extend(chunk);
                self.silent()
            }
            Err(_) => Ok(()),
        }
    }

    /// Ends the program, and adds to `why` how it ended.
    pub(super) fn stop(&mut self, why: &str) -> String {
        self.asked = None;
        // A program that ended by itself is given the time to say how; one that goes on talking is not.
        let ended = why == block::ENDED;
        let status = if ended { self.wait(GRACE) } else { None };
        let status = status.or_else(|| {
            drop(self.child.kill());
            let status = self.child.wait().ok();
            status.filter(|_| !ended)
        });
        let mut why = why.to_owned();
        if ended {
            why += &status.map_or_else(
                || " while it was running on".to_owned(),
                |status| format!(" before all was answered ({status})"),
            );
        }
        // A grandchild may hold the pipe open, so this wait has an end, too.
        let said = self.complaints.recv_timeout(GRACE).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        if let Some(last) = said.lines().rev().map(str::trim).find(|line| !line.is_empty()) {
            let last: String = last.chars().filter(|c| !c.is_control()).take(200).collect();
            why += &format!("; it said: {last}");
        }
        why
    }

    /// Waits for the program to end, no longer than `limit`.
    fn wait(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(None) if Instant::now() < deadline => thread::sleep(LOOK),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Pipes {
    /// Ends the program: by the end of its input, and by force if that does not do.
    fn drop(&mut self) {
        self.asked = None;
        if self.wait(GRACE).is_none() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// What a read says when the time is over.
const LATE: &str = "too late";

/// The program's answers as a source of bytes with a deadline.
struct Source<'a> {
    pipes: &'a mut Pipes,
    deadline: Instant,
}

impl Source<'_> {
    /// Waits for more bytes; `false` at the end.
    fn more(&mut self) -> Result<bool, String> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.pipes.answered.recv_timeout(left) {
            Ok(chunk) => {
                self.pipes.left.drain(..self.pipes.start);
                self.pipes.start = 0;
                self.pipes.left.extend(chunk);
                Ok(true)
            }
            Err(RecvTimeoutError::Disconnected) => Ok(false),
            Err(RecvTimeoutError::Timeout) => Err(LATE.to_owned()),
        }
    }

    fn lines(&mut self, rows: usize, width: usize) -> Result<Batch, String> {
        let longest = block::longest_line(width);
        let too_long =
            |row| format!("answer {row} has more than the {longest} bytes that a line may have");
        let mut numbers = Vec::new();
        for row in 0..rows {
            let mut looked_at = 0;
            let length = loop {
                let new = &self.pipes.left[self.pipes.start..];
                if let Some(at) = new[looked_at..].iter().position(|byte| *byte == b'\n') {
                    break looked_at + at + 1;
                }
                looked_at = new.len();
                if looked_at > longest {
                    return Err(too_long(row));
                }
                if !self.more()? {
                    return Err(block::ENDED.to_owned());
                }
            };
            if length > longest {
                return Err(too_long(row));
            }
            let line = &self.pipes.left[self.pipes.start..self.pipes.start + length];
            let read = block::from_line(line, width);
            numbers.extend(read.map_err(|why| format!("answer {row} of {rows}: {why}"))?);
            self.pipes.start += length;
        }
        Batch::from_shape_vec((rows, width), numbers).map_err(|error| error.to_string())
    }
}

impl Read for Source<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let waits = self.pipes.start == self.pipes.left.len();
        if waits && !self.more().map_err(std::io::Error::other)? {
            return Ok(0);
        }
        let there = &self.pipes.left[self.pipes.start..];
        let n = bytes.len().min(there.len());
        bytes[..n].copy_from_slice(&there[..n]);
        self.pipes.start += n;
        Ok(n)
    }
}

fn write_all(mut stdin: ChildStdin, asked: &Receiver<Vec<u8>>) {
    for bytes in asked {
        // The program does not listen: the reader finds out why.
        if stdin.write_all(&bytes).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

fn read_all(mut stdout: ChildStdout, read: &SyncSender<Vec<u8>>) {
    let mut chunk = vec![0; CHUNK];
    loop {
        match stdout.read(&mut chunk) {
            Ok(0) => return,
            Ok(n) if read.send(chunk[..n].to_vec()).is_err() => return,
            Err(error) if error.kind() != ErrorKind::Interrupted => return,
            Ok(_) | Err(_) => {}
        }
    }
}

/// Reads all of `from`, and keeps the last of it.
fn end_of(mut from: impl Read) -> Vec<u8> {
    let mut tail = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return tail,
            Ok(n) => {
                tail.extend_from_slice(&chunk[..n]);
                let over = tail.len().saturating_sub(TAIL);
                tail.drain(..over);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return tail,
        }
    }
}
