//! A coarse clock for each worker thread, and alarms that cost next to nothing to set: a request moves its deadline
//! several times, and nearly none is ever reached.

use std::cell::RefCell;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How often the clock ticks, and by how much an alarm may be late.
pub(crate) const TICK: Duration = Duration::from_millis(100);

thread_local! {
    static CLOCK: RefCell<Clock> = RefCell::new(Clock {
        begin: Instant::now(),
        now: 0,
        alarms: Vec::new(),
        free: Vec::new(),
    });
}

/// Is a moment, counted in ticks of a worker's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

struct Clock {
    begin: Instant,
    now: u64,
    alarms: Vec<Set>,
    /// Places in `alarms` that nobody uses.
    free: Vec<u32>,
}

/// Is an alarm as the clock knows it.
struct Set {
    deadline: u64,
    waker: Option<Waker>,
    kind: Kind,
}

/// Says what is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Something that is under way.
    Work,
    /// Somebody who may or may not want something.
    Idle,
}

/// Rings when its deadline has passed.
pub(crate) struct Alarm {
    place: u32,
}

/// Looks at the time and wakes whose deadline has passed; called by a worker every [`TICK`].
pub(crate) fn tick() {
    let due: Vec<Waker> = CLOCK.with_borrow_mut(|clock| {
        clock.now = clock.begin.elapsed().as_millis() as u64 / TICK.as_millis() as u64;
        let now = clock.now;
        let due = clock.alarms.iter_mut().filter(|alarm| alarm.deadline <= now);
        due.filter_map(|alarm| alarm.waker.take()).collect()
    });
    due.into_iter().for_each(Waker::wake);
}

/// Rings for an eighth of those who wait idly, for the ones that would be first anyway, as others need their room.
pub(crate) fn hurry_idle() {
    let hurried: Vec<Waker> = CLOCK.with_borrow_mut(|clock| {
        let now = clock.now;
        let mut idle: Vec<&mut Set> =
            clock.alarms.iter_mut().filter(|set| set.kind == Kind::Idle && set.deadline > now).collect();
        idle.sort_unstable_by_key(|set| set.deadline);
        let count = idle.len().div_ceil(8);
        let hurry = |set: &mut Set| {
            set.deadline = now;
            set.waker.take()
        };
        idle.into_iter().take(count).filter_map(hurry).collect()
    });
    hurried.into_iter().for_each(Waker::wake);
}

/// Returns the time of the last tick.
pub(crate) fn now() -> Moment {
    CLOCK.with_borrow(|clock| Moment(clock.now))
}

impl Moment {
    /// Returns how long ago it was.
    pub(crate) fn elapsed(self) -> Duration {
        TICK * u32::try_from(now().0.saturating_sub(self.0)).unwrap_or(u32::MAX)
    }
}

impl Alarm {
    /// Sets an alarm for somebody who may or may not want something.
    pub(crate) fn idle(delay: Duration) -> Alarm {
        CLOCK.with_borrow_mut(|clock| {
            let set = Set { deadline: clock.after(delay), waker: None, kind: Kind::Idle };
            if let Some(place) = clock.free.pop() {
                clock.alarms[place as usize] = set;
                return Alarm { place };
            }
            clock.alarms.push(set);
            Alarm { place: (clock.alarms.len() - 1) as u32 }
        })
    }

    /// Sets it anew, for work that is under way.
    pub(crate) fn set_work(&mut self, delay: Duration) {
        self.set(delay, Kind::Work);
    }

    /// Sets it anew, for somebody who may or may not want something.
    pub(crate) fn set_idle(&mut self, delay: Duration) {
        self.set(delay, Kind::Idle);
    }

    fn set(&mut self, delay: Duration, kind: Kind) {
        CLOCK.with_borrow_mut(|clock| {
            let deadline = clock.after(delay);
            let set = &mut clock.alarms[self.place as usize];
            (set.deadline, set.kind) = (deadline, kind);
        });
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        CLOCK.with_borrow_mut(|clock| {
            let now = clock.now;
            let set = &mut clock.alarms[self.place as usize];
            if set.deadline <= now {
                return Poll::Ready(());
            }
            if !set.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                set.waker = Some(context.waker().clone());
            }
            Poll::Pending
        })
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // After the thread's end there is no clock to tell.
        let _ = CLOCK.try_with(|clock| {
            let clock = &mut *clock.borrow_mut();
            clock.alarms[self.place as usize] = Set { deadline: u64::MAX, waker: None, kind: Kind::Work };
            clock.free.push(self.place);
        });
    }
}

impl Clock {
    /// Returns the tick by which a delay has passed for certain: the one under way counts for nothing.
    fn after(&self, delay: Duration) -> u64 {
        self.now + delay.as_millis().div_ceil(TICK.as_millis()) as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn alarm_rings_once_its_delay_has_passed() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let ticking = async {
                loop {
                    tokio::time::sleep(TICK / 10).await;
                    tick();
                }
            };
            let mut moved = Alarm::idle(Duration::from_millis(1));
            moved.set_work(Duration::from_secs(60));
            let mut alarm = Alarm::idle(Duration::from_millis(150));
            let begin = Instant::now();

            tokio::select! {
                () = poll_fn(|context| moved.poll(context)) => panic!("rang before its time"),
                () = poll_fn(|context| alarm.poll(context)) => {}
                () = ticking => {}
            }

            assert!(begin.elapsed() >= Duration::from_millis(150));
        });
    }

    #[test]
    fn places_are_used_again() {
        let first = Alarm::idle(Duration::ZERO).place;
        assert_eq!(Alarm::idle(Duration::ZERO).place, first);
    }

    #[test]
    fn hurry_rings_for_those_who_waited_longest_and_for_no_work() {
        let mut alarms: Vec<Alarm> = (1..=16).map(|number| Alarm::idle(TICK * number)).collect();
        let mut context = Context::from_waker(Waker::noop());
        alarms[0].set_work(TICK);

        hurry_idle();

        let rung: Vec<bool> = alarms.iter_mut().map(|alarm| alarm.poll(&mut context).is_ready()).collect();
        assert_eq!(rung[..4], [false, true, true, false]);
        assert_eq!(rung.iter().filter(|rung| **rung).count(), 2);
    }
}
