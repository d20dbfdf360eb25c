//! Runs tasks in virtual time, in an order that the seed determines.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::channel::oneshot;

use super::dice::Dice;

/// What a task belongs to and dies with.
pub(crate) type Owner = u32;
/// The world itself, which never dies.
pub(crate) const WORLD: Owner = 0;

pub(crate) type TaskId = u64;

/// Polls after which a world counts as never coming to rest.
const POLLS_MAX: u64 = 3_000_000;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Task {
    owner: Owner,
    work: Work,
    waker: Waker,
}

#[derive(Default)]
struct State {
    now: Duration,
    next_task: TaskId,
    next_timer: u64,
    timers: BTreeMap<(Duration, u64), Waker>,
    /// Woken tasks, without duplicates.
    ready: Vec<TaskId>,
    spawned: Vec<(TaskId, Owner, Work)>,
    current: TaskId,
    /// Remaining steps of each owner's life.
    lives: BTreeMap<Owner, u64>,
    dead: BTreeSet<Owner>,
    /// Whether tasks of dead owners remain to be dropped.
    unburied: bool,
    /// Who is notified of an owner's death.
    mourners: Vec<(Owner, oneshot::Sender<()>)>,
}

/// A handle to the executor for everything that runs on it.
#[derive(Clone)]
pub(crate) struct Handle {
    state: Arc<Mutex<State>>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handle")
    }
}

impl Handle {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the world's beginning.
    pub(crate) fn now(&self) -> Duration {
        self.state().now
    }

    /// The task that is running.
    pub(crate) fn current(&self) -> TaskId {
        self.state().current
    }

    pub(crate) fn sleep(&self, length: Duration) -> Sleep {
        Sleep { until: self.now() + length, handle: self.clone(), timer: None }
    }

    pub(crate) fn spawn(&self, owner: Owner, work: impl Future<Output = ()> + Send + 'static) -> TaskId {
        let mut state = self.state();
        state.next_task += 1;
        let id = state.next_task;
        if !state.dead.contains(&owner) {
            state.spawned.push((id, owner, Box::pin(work)));
        }
        id
    }

    /// Ends an owner with all its tasks, wherever they wait.
    pub(crate) fn kill(&self, owner: Owner) {
        let mut state = self.state();
        state.lives.remove(&owner);
        state.dead.insert(owner);
        state.unburied = true;
        let mourners = std::mem::take(&mut state.mourners);
        let (notified, rest): (Vec<_>, Vec<_>) = mourners.into_iter().partition(|(of, _)| *of == owner);
        state.mourners = rest;
        drop(state);
        for (_, mourner) in notified {
            // The receiver may have stopped listening.
            let _ = mourner.send(());
        }
    }

    /// Lets an owner live for this many more steps.
    pub(crate) fn kill_after(&self, owner: Owner, steps: u64) {
        self.state().lives.insert(owner, steps);
    }

    pub(crate) fn is_dead(&self, owner: Owner) -> bool {
        self.state().dead.contains(&owner)
    }

    /// Resolves when the owner dies.
    pub(crate) fn death_of(&self, owner: Owner) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.state().mourners.push((owner, sender));
        receiver
    }

    /// Counts a step of the owner; its last one kills it.
    fn age(&self, owner: Owner) {
        let mut state = self.state();
        let Some(left) = state.lives.get_mut(&owner) else { return };
        *left = left.saturating_sub(1);
        if *left == 0 {
            drop(state);
            self.kill(owner);
        }
    }
}

/// The executor.
pub(crate) struct Executor {
    handle: Handle,
    dice: Dice,
    tasks: BTreeMap<TaskId, Task>,
}

impl Executor {
    pub(crate) fn new(dice: Dice) -> Self {
        Self { handle: Handle { state: Arc::default() }, dice, tasks: BTreeMap::new() }
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until `main` is done; an error if that will never happen.
    pub(crate) fn run<T: Send + 'static>(
        &mut self,
        main: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, &'static str> {
        let result = Arc::new(Mutex::new(None));
        let slot = result.clone();
        self.handle.spawn(WORLD, async move {
            let value = main.await;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        });
        for _ in 0..POLLS_MAX {
            self.adopt();
            if !self.step() && !self.advance() {
                return Err("every task waits for something that will never happen");
            }
            if let Some(value) = result.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return Ok(value);
            }
        }
        Err("the world never comes to rest: too many steps")
    }

    /// Adds the spawned tasks.
    fn adopt(&mut self) {
        let spawned = std::mem::take(&mut self.handle.state().spawned);
        for (id, owner, work) in spawned {
            let waker = Waker::from(Arc::new(TaskWaker { id, handle: self.handle.clone() }));
            self.tasks.insert(id, Task { owner, work, waker });
            self.handle.state().ready.push(id);
        }
    }

    /// Polls one ready task; false if there is none.
    fn step(&mut self) -> bool {
        let id = {
            let mut state = self.handle.state();
            if state.ready.is_empty() {
                return false;
            }
            let at = self.dice.below(state.ready.len());
            let id = state.ready.swap_remove(at);
            state.current = id;
            id
        };
        let Some(mut task) = self.tasks.remove(&id) else { return true };
        let waker = task.waker.clone();
        if task.work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            let owner = task.owner;
            self.tasks.insert(id, task);
            self.handle.age(owner);
        }
        drop(waker);
        self.bury();
        true
    }

    /// Drops the tasks of dead owners.
    fn bury(&mut self) {
        while std::mem::take(&mut self.handle.state().unburied) {
            self.bury_all();
        }
    }

    fn bury_all(&mut self) {
        loop {
            let dead = {
                let state = self.handle.state();
                let is_dead = |(_, task): &(&TaskId, &Task)| state.dead.contains(&task.owner);
                self.tasks.iter().find(is_dead).map(|(id, _)| *id)
            };
            // Dropped outside the lock, because dropping wakes other tasks.
            let Some(id) = dead else { return };
            drop(self.tasks.remove(&id));
        }
    }

    /// Jumps to the next timer; false if there is none.
    fn advance(&mut self) -> bool {
        let waker = {
            let mut state = self.handle.state();
            let Some(((at, _), waker)) = state.timers.pop_first() else { return false };
            state.now = state.now.max(at);
            waker
        };
        waker.wake();
        true
    }
}

struct TaskWaker {
    id: TaskId,
    handle: Handle,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut state = self.handle.state();
        if !state.ready.contains(&self.id) {
            state.ready.push(self.id);
        }
    }
}

/// Waits for a point of virtual time.
pub(crate) struct Sleep {
    until: Duration,
    handle: Handle,
    timer: Option<(Duration, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let handle = self.handle.clone();
        let mut state = handle.state();
        if let Some(timer) = self.timer.take() {
            state.timers.remove(&timer);
        }
        if state.now >= self.until {
            return Poll::Ready(());
        }
        state.next_timer += 1;
        let timer = (self.until, state.next_timer);
        state.timers.insert(timer, context.waker().clone());
        self.timer = Some(timer);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.handle.state().timers.remove(&timer);
        }
    }
}
