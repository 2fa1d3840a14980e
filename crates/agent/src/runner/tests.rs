use std::time::Duration;

use model::TaskState::{self, *};
use proptest::prelude::*;
use tokio::task::JoinHandle;

use super::*;
use crate::fake::{self, Fake};
use crate::runtime::Phase;

const PATIENCE: Duration = Duration::from_secs(10);

/// A task whose runner works on a scripted host.
struct Story {
    fake: Arc<Fake>,
    task: TaskId,
    orders: Option<watch::Sender<Order>>,
    reports: mpsc::UnboundedReceiver<Report>,
    running: JoinHandle<()>,
}

impl Story {
    fn begin(words: &str) -> Self {
        Self::on(Arc::default(), words)
    }

    fn on(fake: Arc<Fake>, words: &str) -> Self {
        let order = fake::order(words);
        let (task, status) = (order.task.id, order.task.status.clone());
        let (sender, orders) = watch::channel(order);
        let (out, reports) = mpsc::unbounded_channel();
        let permits = Arc::new(Semaphore::new(1));
        let runner =
            Runner { runtime: fake.clone(), orders, status, reports: out, permits, clock: || Timestamp(1) };
        Self { fake, task, orders: Some(sender), reports, running: tokio::spawn(runner.run()) }
    }

    fn wish(&self, desired: TaskState) {
        self.orders.as_ref().unwrap().send_modify(|order| {
            let mut task = (*order.task).clone();
            task.desired = task.desired.max(desired);
            order.task = task.into();
        });
    }

    /// Returns the next report: state, message and error.
    async fn says(&mut self) -> String {
        let report = tokio::time::timeout(PATIENCE, self.reports.recv()).await.expect("a report in time");
        let TaskStatus { state, message, err, .. } = report.expect("the runner is there").status;
        let err = if err.is_empty() { String::new() } else { format!(": {err}") };
        format!("{} {message}{err}", state.as_str())
    }

    async fn says_all(&mut self, expected: &[&str]) {
        for expected in expected {
            assert_eq!(self.says().await, *expected);
        }
    }

    async fn called(&self, name: &str) {
        let called = self.fake.until(|fake| fake.calls().contains(&name));
        tokio::time::timeout(PATIENCE, called).await.unwrap_or_else(|_| panic!("{name} is called"));
    }

    async fn withdrawn(mut self) -> Arc<Fake> {
        self.orders = None;
        tokio::time::timeout(PATIENCE, self.running).await.expect("the runner ends").unwrap();
        self.fake
    }
}

const UP_TO_READY: &[&str] = &["accepted accepted", "preparing preparing", "ready prepared"];
const UP_TO_RUNNING: &[&str] =
    &["accepted accepted", "preparing preparing", "ready prepared", "starting starting", "running started"];

#[tokio::test]
async fn a_container_that_ends_tells_how() {
    let cases = [
        (0, false, "complete finished"),
        (3, false, "failed started: task: non-zero exit (3)"),
        (137, true, "failed started: task: non-zero exit (137): it used more memory than its limit"),
    ];

    for (code, out_of_memory, expected) in cases {
        let mut story = Story::begin("1→a assigned");
        story.says_all(UP_TO_RUNNING).await;
        story.fake.exit(story.task, code, out_of_memory);
        story.says_all(&[expected]).await;

        assert!(story.fake.phase(story.task).is_some(), "its log stays until the task is forgotten");
        assert!(story.withdrawn().await.is_clean());
    }
}

#[tokio::test]
async fn a_wish_for_ready_waits_for_the_wish_to_run() {
    let mut story = Story::begin("1→a assigned to-ready");

    story.says_all(UP_TO_READY).await;
    assert_eq!(story.fake.calls(), ["prepare"]);
    story.wish(Running);

    story.says_all(&["starting starting", "running started"]).await;
}

#[tokio::test]
async fn what_cannot_be_prepared_is_rejected_and_what_cannot_start_has_failed() {
    let mut story = Story::begin("1→a assigned to-ready");
    story.fake.script(|script| script.prepare_fails = Some("No such image: img".into()));
    story.says_all(&["accepted accepted", "preparing preparing"]).await;
    story.says_all(&["rejected preparing: No such image: img"]).await;
    assert!(story.withdrawn().await.is_clean());

    let mut story = Story::begin("1→a assigned");
    story.fake.script(|script| script.start_fails = Some("no such file".into()));
    story.says_all(UP_TO_READY).await;
    story.says_all(&["starting starting", "failed starting: no such file"]).await;
    assert!(story.withdrawn().await.is_clean());
}

#[tokio::test]
async fn a_running_container_is_stopped_and_its_code_told() {
    let mut story = Story::begin("1→a assigned");
    story.says_all(UP_TO_RUNNING).await;
    story.fake.script(|script| script.stop_hangs = true);
    story.wish(Shutdown);
    story.called("stop").await;
    assert!(story.reports.try_recv().is_err(), "nothing is said before it has ended");

    story.fake.script(|script| script.stop_hangs = false);

    let report = story.reports.recv().await.unwrap();
    let container = report.status.container.unwrap();
    assert_eq!((report.status.state, container.exit_code, container.pid), (Shutdown, 143, 0));
    assert_eq!(story.fake.phase(story.task), Some(Phase::Exited(Exit { code: 143, out_of_memory: false })));
    assert!(story.withdrawn().await.is_clean());
}

#[tokio::test]
async fn a_task_that_is_not_wanted_before_it_began_is_given_up() {
    for desired in ["to-shutdown", "to-remove"] {
        let mut story = Story::begin(&format!("1→a assigned {desired}"));

        story.says_all(&["shutdown shutdown"]).await;

        assert_eq!(story.fake.calls(), [""; 0]);
        assert!(story.withdrawn().await.is_clean());
    }
}

#[tokio::test]
async fn a_stop_while_the_image_is_fetched_gives_it_up() {
    let mut story = Story::begin("1→a assigned");
    story.fake.script(|script| script.prepare_hangs = true);
    story.says_all(&["accepted accepted", "preparing preparing"]).await;
    story.called("prepare").await;

    story.wish(Shutdown);

    story.says_all(&["shutdown shutdown"]).await;
    assert!(story.withdrawn().await.is_clean());
}

#[tokio::test]
async fn a_container_that_appears_after_the_wish_to_stop_is_stopped() {
    let mut story = Story::begin("1→a assigned");
    story.fake.script(|script| script.prepare_hangs = true);
    story.says_all(&["accepted accepted", "preparing preparing"]).await;
    story.called("prepare").await;

    story.wish(Shutdown);
    tokio::task::yield_now().await;
    story.fake.script(|script| script.prepare_hangs = false);

    story.says_all(&["shutdown shutdown"]).await;
    assert!(!matches!(story.fake.phase(story.task), Some(Phase::Created | Phase::Running(_))));
    assert!(story.withdrawn().await.is_clean());
}

#[tokio::test]
async fn a_withdrawn_task_is_stopped_before_it_is_removed() {
    let mut story = Story::begin("1→a assigned");
    story.says_all(UP_TO_RUNNING).await;

    let fake = story.withdrawn().await;

    let calls = fake.calls();
    let place = |name| calls.iter().position(|call| *call == name).unwrap();
    assert!(place("stop") < place("remove"), "{calls:?}");
    assert!(fake.is_clean());
}

#[tokio::test]
async fn a_busy_container_is_removed_later() {
    let mut story = Story::begin("1→a assigned");
    story.says_all(UP_TO_RUNNING).await;
    story.fake.script(|script| script.removes_fail = 2);

    assert!(story.withdrawn().await.is_clean());
}

#[tokio::test]
async fn a_container_nobody_can_watch_is_stopped_and_counts_as_failed() {
    let mut story = Story::begin("1→a assigned");
    story.says_all(UP_TO_RUNNING).await;

    story.fake.script(|script| script.wait_fails = Some("the shim is gone".into()));

    story.says_all(&["failed started: the shim is gone"]).await;
    assert!(!matches!(story.fake.phase(story.task), Some(Phase::Running(_))));
}

#[tokio::test]
async fn a_task_runs_once_it_is_well() {
    let mut story = Story::begin("1→a assigned");
    story.fake.script(|script| script.is_starting = true);
    story.says_all(&UP_TO_RUNNING[..UP_TO_RUNNING.len() - 1]).await;

    story.fake.script(|script| script.is_starting = false);

    story.says_all(&UP_TO_RUNNING[UP_TO_RUNNING.len() - 1..]).await;
}

#[tokio::test]
async fn a_task_that_is_not_well_never_ran() {
    let mut story = Story::begin("1→a assigned");
    story.fake.script(|script| script.is_starting = true);
    story.says_all(&UP_TO_RUNNING[..UP_TO_RUNNING.len() - 1]).await;

    story.fake.script(|script| script.unwell = Some("unhealthy container".into()));

    story.says_all(&["failed starting: unhealthy container"]).await;
    assert!(!matches!(story.fake.phase(story.task), Some(Phase::Running(_))));
}

#[tokio::test]
async fn a_task_that_is_not_well_yet_can_be_stopped() {
    let mut story = Story::begin("1→a assigned");
    story.fake.script(|script| script.is_starting = true);
    story.says_all(&UP_TO_RUNNING[..UP_TO_RUNNING.len() - 1]).await;

    story.wish(Shutdown);

    story.says_all(&["shutdown shutdown"]).await;
}

#[tokio::test]
async fn a_stop_that_fails_is_told() {
    let mut story = Story::begin("1→a assigned");
    story.says_all(UP_TO_RUNNING).await;
    story.fake.script(|script| script.stop_fails = Some("it does not die".into()));

    story.wish(Shutdown);

    story.says_all(&["failed shutdown: it does not die"]).await;
}

#[tokio::test]
async fn long_errors_are_cut() {
    let mut story = Story::begin("1→a assigned");
    story.fake.script(|script| script.prepare_fails = Some("ß".repeat(5000)));
    story.says_all(&["accepted accepted", "preparing preparing"]).await;

    let report = story.reports.recv().await.unwrap();

    assert_eq!(report.status.err.chars().count(), ERR_CHARS_MAX);
}

/// What may happen to a task, in any order.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Wish(TaskState),
    Exit(i32),
    PrepareHangs(bool),
    PrepareFails(bool),
    StartFails(bool),
    StopHangs(bool),
    WaitFails(bool),
    Breathe,
}

fn any_happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        prop::sample::select(vec![Ready, Running, Complete, Shutdown, Remove]).prop_map(Happening::Wish),
        (0..3i32).prop_map(Happening::Exit),
        any::<bool>().prop_map(Happening::PrepareHangs),
        any::<bool>().prop_map(Happening::PrepareFails),
        any::<bool>().prop_map(Happening::StartFails),
        any::<bool>().prop_map(Happening::StopHangs),
        any::<bool>().prop_map(Happening::WaitFails),
        Just(Happening::Breathe),
        Just(Happening::Breathe),
    ]
}

async fn live(happenings: &[Happening]) {
    let mut story = Story::begin("1→a assigned to-ready");
    let text = |fails: bool| fails.then(|| "it fails".to_owned());
    for happening in happenings {
        match *happening {
            Happening::Wish(desired) => story.wish(desired),
            Happening::Exit(code) => story.fake.exit(story.task, code, false),
            Happening::PrepareHangs(hangs) => story.fake.script(|script| script.prepare_hangs = hangs),
            Happening::PrepareFails(fails) => story.fake.script(|script| script.prepare_fails = text(fails)),
            Happening::StartFails(fails) => story.fake.script(|script| script.start_fails = text(fails)),
            Happening::StopHangs(hangs) => story.fake.script(|script| script.stop_hangs = hangs),
            Happening::WaitFails(fails) => story.fake.script(|script| script.wait_fails = text(fails)),
            Happening::Breathe => {
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
            }
        }
        tokio::task::yield_now().await;
    }
    story.fake.script(|script| {
        script.prepare_hangs = false;
        script.stop_hangs = false;
    });
    let mut states = Vec::new();
    let mut reports = std::mem::replace(&mut story.reports, mpsc::unbounded_channel().1);
    let fake = story.withdrawn().await;
    while let Some(report) = reports.recv().await {
        states.push(report.status.state);
    }
    assert!(states.is_sorted(), "states only grow: {states:?}");
    assert!(states.iter().filter(|state| state.is_terminal()).count() <= 1, "it ends once: {states:?}");
    assert!(fake.is_clean(), "nothing stays behind");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens_states_grow_and_nothing_stays(
        happenings in prop::collection::vec(any_happening(), 0..16),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(live(&happenings));
    }
}
