//! The engine: cells in parallel, records on disk as soon as they are known, and the same bytes at the end whatever happened.
//!
//! While a study runs, `records.jsonl` grows by one line a finished cell, in the order in which cells finish, each flushed
//! to the disk before the next begins. A kill loses at most the cell it interrupts; a line that it cut short is dropped on
//! resuming. When all cells are there, the file is replaced by the same lines in plan order.
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::cell::run_model;
use super::plan::Plan;
use super::record::{Cell, Record, VERSION};
use super::summary::{Summary, rows};
use crate::error::{Error, Result};
use crate::storage::{self, Readers};

/// Files of a study, in its folder.
pub const RECORDS: &str = "records.jsonl";
/// The specification with every default filled in.
pub const SPEC: &str = "study.toml";
/// The numbers of the table.
pub const SUMMARY: &str = "summary.json";
/// Seconds a cell; kept apart, because clocks are not reproducible.
pub const TIMINGS: &str = "timings.jsonl";
/// Largest record file that is read.
const MAX_BYTES: u64 = 1 << 32;

/// Called after every cell with (cells done, cells in all).
pub type Progress<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// Runs `plan` in the folder `dir` with `jobs` threads, going on from the records that are already there.
///
/// # Errors
/// If the folder cannot be written, is in use by another run, or holds records of another plan.
pub fn run(plan: &Plan, dir: &Path, jobs: usize, progress: &Progress<'_>) -> Result<Summary> {
    fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let _lock = lock(dir)?;
    let path = dir.join(RECORDS);
    let cells = plan.cells();
    let known = load_partial(&path, plan)?;
    storage::replace(&dir.join(SPEC), plan.spec.to_toml()?.as_bytes(), Readers::Everyone)?;
    let done: BTreeMap<Cell, Record> = known.into_iter().map(|r| (r.cell.clone(), r)).collect();
    progress(done.len(), cells.len());
    let out = Mutex::new(Out::open(dir, &path, done)?);

    let models: Vec<(usize, u32)> = (0..plan.spec.models)
        .flat_map(|model| (0..plan.tasks.len()).map(move |task| (task, model)))
        .collect();
    on_threads(jobs, &models, &|&(task, model)| {
        let wanted = |cell: &Cell| out.lock().is_ok_and(|out| !out.done.contains_key(cell));
        let mut since = Instant::now();
        run_model(plan, &plan.tasks[task], model, &wanted, &mut |record| {
            let seconds = since.elapsed().as_secs_f64();
            since = Instant::now();
            let mut out =
                out.lock().map_err(|_| Error::Training("another cell panicked".to_owned()))?;
            out.keep(record, seconds)?;
            progress(out.done.len(), cells.len());
            Ok(())
        })
    })?;

    let mut done =
        out.into_inner().map_err(|_| Error::Training("a cell panicked".to_owned()))?.done;
    let records: Vec<Record> = cells.iter().filter_map(|cell| done.remove(cell)).collect();
    let lines = records.iter().map(line_of).collect::<Result<String>>()?;
    storage::replace(&path, lines.as_bytes(), Readers::Everyone)?;
    let summary = summarise(plan, &records);
    let mut text = serde_json::to_string_pretty(&summary).map_err(|e| Error::file(dir, e))?;
    text.push('\n');
    storage::replace(&dir.join(SUMMARY), text.as_bytes(), Readers::Everyone)?;
    Ok(summary)
}

/// Does `work` on every item, in order of the list as threads become free; stops early and returns the first error.
///
/// Threads of its own, and not a pool: a worker of a pool that waits for a part of one item may start another item on top
/// of it, which piles up memory and stack.
fn on_threads<T: Sync>(
    n_threads: usize,
    items: &[T],
    work: &(dyn Fn(&T) -> Result<()> + Sync),
) -> Result<()> {
    /// The tensor library's backward pass recurses along the graph.
    const STACK: usize = 16 << 20;
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let worker = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = work(item) {
                next.store(items.len(), Ordering::Relaxed);
                if let Ok(mut failure) = failure.lock() {
                    failure.get_or_insert(error);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..n_threads.min(items.len()) {
            let thread = std::thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, worker).map_err(|error| {
                // Those that did start are not to run the whole study before anybody hears of it.
                next.store(items.len(), Ordering::Relaxed);
                Error::parameter("jobs", n_threads, format!("a thread could not start: {error}"))
            })?;
        }
        Ok::<(), Error>(())
    })?;
    failure.into_inner().ok().flatten().map_or(Ok(()), Err)
}

/// Puts the records of a plan together.
pub fn summarise(plan: &Plan, records: &[Record]) -> Summary {
    let place: BTreeMap<Cell, usize> =
        plan.cells().into_iter().enumerate().map(|(place, cell)| (cell, place)).collect();
    let mut records = records.to_vec();
    records.sort_by_key(|record| place.get(&record.cell).copied());
    Summary {
        version: VERSION,
        plan: plan.hash.clone(),
        name: plan.spec.name.clone(),
        question: plan.spec.question.clone(),
        rows: rows(&records),
    }
}

/// Reads the records of a finished or interrupted study, in the order of the file.
pub fn load(path: &Path) -> Result<Vec<Record>> {
    let bytes = storage::read(path, MAX_BYTES)?;
    // What a kill cut short has no line end, and may stop in the middle of a character.
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let whole =
        std::str::from_utf8(&bytes[..end]).map_err(|_| Error::file(path, "not text in UTF-8"))?;
    let read = |(number, line): (usize, &str)| {
        let bad = |why: String| Error::file(path, format!("line {}: {why}", number + 1));
        let value: serde_json::Value =
            serde_json::from_str(line).map_err(|e| bad(e.to_string()))?;
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {
                serde_json::from_value(value).map_err(|e| bad(e.to_string()))
            }
            other => Err(bad(format!("a record of version {VERSION} wanted, got {other:?}"))),
        }
    };
    whole.lines().enumerate().map(read).collect()
}

/// Reads records and checks that each belongs to a cell of `plan`, once.
pub fn load_of_plan(path: &Path, plan: &Plan) -> Result<Vec<Record>> {
    let records = load(path)?;
    let cells: BTreeSet<Cell> = plan.cells().into_iter().collect();
    let mut seen = BTreeSet::new();
    for (number, record) in records.iter().enumerate() {
        let bad = |why: String| Err(Error::file(path, format!("line {}: {why}", number + 1)));
        if record.plan != plan.hash {
            let short = |hash: &str| hash.chars().take(12).collect::<String>();
            let (theirs, ours) = (short(&record.plan), short(&plan.hash));
            return bad(format!(
                "a record of another plan ({theirs}…, this one is {ours}…); name another folder with --out, or remove it"
            ));
        }
        if !cells.contains(&record.cell) {
            return bad(format!("{:?} is no cell of this plan", record.cell));
        }
        if !seen.insert(&record.cell) {
            return bad(format!("{:?} stands there twice", record.cell));
        }
    }
    Ok(records)
}

/// The records that are there already; the file is cut back to whole lines.
fn load_partial(path: &Path, plan: &Plan) -> Result<Vec<Record>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let records = load_of_plan(path, plan)?;
    let bytes = storage::read(path, MAX_BYTES)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < bytes.len() {
        storage::replace(path, &bytes[..whole], Readers::Everyone)?;
    }
    Ok(records)
}

fn line_of(record: &Record) -> Result<String> {
    let mut line = serde_json::to_string(record)
        .map_err(|error| Error::Training(format!("a record cannot be written: {error}")))?;
    line.push('\n');
    Ok(line)
}

/// Keeps two runs out of one folder. The lock goes with the process, however it ends.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(".lock");
    let file = File::create(&path).map_err(Error::io("write", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(Error::file(dir, "another run is writing to this folder")),
    }
}

struct Out {
    records: File,
    timings: File,
    records_path: PathBuf,
    timings_path: PathBuf,
    done: BTreeMap<Cell, Record>,
    broken: bool,
}

impl Out {
    fn open(dir: &Path, records_path: &Path, done: BTreeMap<Cell, Record>) -> Result<Self> {
        let append = |path: &Path| {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.map_err(Error::io("write", path))
        };
        let timings_path = dir.join(TIMINGS);
        Ok(Self {
            records: append(records_path)?,
            timings: append(&timings_path)?,
            records_path: records_path.to_owned(),
            timings_path,
            done,
            broken: false,
        })
    }

    fn keep(&mut self, record: Record, seconds: f64) -> Result<()> {
        // After a line that failed half way no other may follow it.
        if self.broken {
            return Err(Error::file(&self.records_path, "an earlier record could not be written"));
        }
        self.broken = true;
        storage::append_line(&mut self.records, &self.records_path, line_of(&record)?.trim_end())?;
        let timing = serde_json::json!({ "cell": record.cell, "seconds": seconds });
        storage::append_line(&mut self.timings, &self.timings_path, &timing.to_string())?;
        self.done.insert(record.cell.clone(), record);
        self.broken = false;
        Ok(())
    }
}
