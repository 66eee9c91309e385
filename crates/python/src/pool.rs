//! A few native threads for batches: started at the first use, kept, and started anew in a forked child.
//!
//! Threads do not survive `fork`, and a lock that one of them held stays held in the child. So a pool belongs to the process
//! that made it: a child finds another process id in it and makes one of its own without touching the old one.
use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// More threads than this bring nothing: rows are copied faster than memory takes them.
const MAX_THREADS: usize = 8;

/// Work on numbered items, handed out one by one.
struct Job {
    work: *const (dyn Fn(usize) + Sync),
    num_items: usize,
    next: AtomicUsize,
    done: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    finished: (Mutex<bool>, Condvar),
}

// SAFETY: `work` is `Sync` and is only called for an item that was handed out; `Pool::run` keeps it alive until all are done.
unsafe impl Send for Job {}
// SAFETY: as above.
unsafe impl Sync for Job {}

impl Job {
    /// Works on items until none is left.
    fn help(&self) {
        loop {
            let item = self.next.fetch_add(1, Ordering::Relaxed);
            if item >= self.num_items {
                return;
            }
            // SAFETY: the item is not done, so `Pool::run` has not returned and the closure lives.
            let work = unsafe { &*self.work };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(item))) {
                *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
            }
            if self.done.fetch_add(1, Ordering::AcqRel) + 1 == self.num_items {
                *self.finished.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
                self.finished.1.notify_all();
            }
        }
    }

    fn wait(&self) {
        let mut finished = self.finished.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*finished {
            finished = self.finished.1.wait(finished).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Pool {
    process: u32,
    num_threads: usize,
    jobs: Mutex<Vec<Arc<Job>>>,
    arrived: Condvar,
}

static CURRENT: AtomicPtr<Pool> = AtomicPtr::new(std::ptr::null_mut());

/// How many threads work on a batch, the caller's included.
pub fn num_threads() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    match COUNT.load(Ordering::Relaxed) {
        0 => {
            let count = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
            COUNT.store(count, Ordering::Relaxed);
            count
        }
        count => count,
    }
}

/// The pool of this process. A pool is never freed: at most one a process is alive.
fn current() -> &'static Pool {
    let process = std::process::id();
    let known = CURRENT.load(Ordering::Acquire);
    // SAFETY: a pool that was stored is leaked, so the pointer stays valid.
    if let Some(pool) = unsafe { known.as_ref() }.filter(|pool| pool.process == process) {
        return pool;
    }
    let fresh = Box::into_raw(Box::new(Pool {
        process,
        num_threads: num_threads(),
        jobs: Mutex::default(),
        arrived: Condvar::new(),
    }));
    match CURRENT.compare_exchange(known, fresh, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            // SAFETY: just stored, leaked from now on.
            let pool: &'static Pool = unsafe { &*fresh };
            pool.start();
            pool
        }
        Err(other) => {
            // SAFETY: nobody else has seen `fresh`; `other` was stored by this process just now, so it is its pool.
            drop(unsafe { Box::from_raw(fresh) });
            unsafe { &*other }
        }
    }
}

impl Pool {
    fn start(&'static self) {
        for _ in 1..self.num_threads {
            // Without the thread the caller does the work alone.
            let _ = std::thread::Builder::new()
                .name("penstock".to_owned())
                .spawn(move || self.serve());
        }
    }

    fn serve(&self) {
        loop {
            let job = {
                let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
                loop {
                    match jobs.last() {
                        Some(job) => break job.clone(),
                        None => jobs = self.arrived.wait(jobs).unwrap_or_else(PoisonError::into_inner),
                    }
                }
            };
            job.help();
            self.remove(&job);
        }
    }

    fn remove(&self, done: &Arc<Job>) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.retain(|job| !Arc::ptr_eq(job, done));
    }

    fn run(&self, num_items: usize, work: &(dyn Fn(usize) + Sync)) {
        // SAFETY: only the lifetime is taken away; `wait` below outlasts every call.
        let work: *const (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(work) };
        let job = Arc::new(Job {
            work,
            num_items,
            next: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            panic: Mutex::default(),
            finished: (Mutex::new(false), Condvar::new()),
        });
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).push(job.clone());
        self.arrived.notify_all();
        job.help();
        self.remove(&job);
        job.wait();
        let panic = job.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Calls `work` for every item, `chunk` neighbours by one thread; returns when all are done.
pub fn for_each<T: Send>(items: &mut [T], chunk: usize, work: impl Fn(&mut T) + Sync) {
    let chunk = chunk.max(1);
    let num_chunks = items.len().div_ceil(chunk);
    if num_chunks < 2 || num_threads() == 1 {
        return items.iter_mut().for_each(work);
    }
    let chunks: Vec<Mutex<&mut [T]>> = items.chunks_mut(chunk).map(Mutex::new).collect();
    current().run(num_chunks, &|i| {
        // Every chunk is handed out once, so its lock is always free.
        let mut part = chunks[i].lock().unwrap_or_else(PoisonError::into_inner);
        part.iter_mut().for_each(&work);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_from_many_threads_at_once() {
        std::thread::scope(|scope| {
            for size in [0usize, 1, 2, 17, 1000] {
                scope.spawn(move || {
                    for chunk in [1, 3, 2000] {
                        let mut items: Vec<usize> = (0..size).collect();
                        for_each(&mut items, chunk, |item| *item += 1);
                        assert!(items.iter().enumerate().all(|(i, &item)| item == i + 1));
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_after_the_other_items_are_done() {
        let mut items: Vec<usize> = (0..100).collect();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            for_each(&mut items, 1, |item| match *item {
                50 => panic!("item 50"),
                _ => *item = 0,
            });
        }));
        assert!(outcome.is_err());
        assert_eq!(items.iter().sum::<usize>(), 50);
    }
}
