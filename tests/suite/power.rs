//! Power cuts: workers are killed at every point, and what was not synced goes with them. What an enqueue has returned
//! is there; claims and outcomes may be undone where `worker_sync` is normal, and not where it is full (queue 3.4).

use crate::disk::{Chance, Disk, Luck};
use crate::judge::{Case, Played, Verdict, judge};
use crate::shim;
use crate::stage::{Entry, Stage, notify};
use gatepost_kit::ledger::{DeliveryPath, KILL_POINTS, POWER_FULL, POWER_NORMAL, rounds};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

/// Messages queued before a worker starts, and while it runs.
const BEFORE: u32 = 6;
const MEANWHILE: u32 = 2;
const RECORD: &str = "record";
/// The state of a row that a worker has in hand.
const SENDING: i64 = 1;

/// An installation whose power goes now and then.
struct Mains {
    stage: Stage,
    chance: Chance,
    wishes: Vec<(&'static str, &'static str)>,
    messages: u32,
    /// What each cut may have doubled: a task, and which cut. The notes have gone with the power, so that is whatever
    /// was in hand by the database (queue 3.1), and what the database has forgotten.
    window: BTreeSet<(i64, i64)>,
    /// Tasks that were handed over by a claim that a cut has undone.
    forgotten: BTreeSet<i64>,
    /// How much of what was not synced survives; None: as it comes.
    luck: Option<Luck>,
    dropped: usize,
    rounds: u32,
    /// Rounds whose record the kill has torn.
    torn: u32,
}

impl Mains {
    fn new(mut stage: Stage, sync: &str) -> Self {
        stage.set(&[("queue.poison_crashes", "1000"), ("worker_sync", &format!("\"{sync}\""))]);
        assert!(shim::is_built(&stage), "the ledger needs cc");
        let (window, forgotten) = (BTreeSet::new(), BTreeSet::new());
        let wishes = vec![("FAULTS_RECORD", RECORD)];
        let chance = Chance(0x2545_f491_4f6c_dd1d);
        Self {
            stage,
            chance,
            wishes,
            messages: 0,
            window,
            forgotten,
            luck: None,
            dropped: 0,
            rounds: 0,
            torn: 0,
        }
    }

    /// A round: queue, start a worker that dies at this point, queue beside it, cut.
    fn work_until_the_cut(&mut self, word: &str) {
        let before = self.stage.ledger().len();
        let _ = std::fs::remove_file(self.stage.host.path(RECORD));
        // from here on nobody touches the database but through the shim
        let mut disk = Disk::of(self.stage.host.root());
        self.queue(BEFORE);
        let process = ["--command", "process", "--force"];
        let wishes = [&self.wishes[..], &[("GATEPOST_KILL_AT", word)]].concat();
        let mut worker = shim::command(&self.stage, "notify/ntemail", (&process, &wishes));
        let mut worker = worker.stderr(Stdio::null()).spawn().unwrap();
        // whoever queues syncs what the worker has written, too: every other time nobody does
        if self.rounds.is_multiple_of(2) {
            self.queue(MEANWHILE);
        }
        worker.wait().unwrap();
        self.stage.let_gates_leave();
        if disk.play(&std::fs::read(self.stage.host.path(RECORD)).unwrap()) {
            let luck = self.luck.unwrap_or_else(|| Luck::any(&mut self.chance));
            let left = disk.cut(luck, &mut self.chance);
            left.lay_out(self.stage.host.root());
            self.dropped += left.dropped;
        } else {
            // nothing is cut: it goes on as after a kill
            self.torn += 1;
        }
        self.rounds += 1;
        self.look(before);
    }

    fn queue(&mut self, messages: u32) {
        let from = self.messages + 1;
        let notifies: Vec<_> = (from..from + messages).map(|number| notify(number, 1)).collect();
        let file = self.stage.host.path("var/from-a-producer.xml");
        std::fs::write(&file, format!("<doc>{}</doc>", notifies.concat())).unwrap();
        let words = ["enqueue", file.to_str().unwrap(), "--module", "ntemail"];
        let mut command = shim::command(&self.stage, "bin/gatepost", (&words, &self.wishes));
        assert!(command.output().unwrap().status.success());
        self.messages += messages;
    }

    /// The machine is up again: the workers' rows are of another boot. What was handed over since `before` by a claim
    /// that is in the queue no more has been forgotten.
    fn look(&mut self, before: usize) {
        let host = &self.stage.host;
        assert_eq!(host.sql("PRAGMA integrity_check"), "ok");
        host.sql("UPDATE notifyworker SET boot_id='before the power cut'");
        let mut in_hand = BTreeSet::new();
        let mut attempts: BTreeMap<i64, i64> = BTreeMap::new();
        for row in host.sql("SELECT id||' '||attempt||' '||state FROM notifytask").lines() {
            let words: Vec<i64> = row.split(' ').map(|word| word.parse().unwrap()).collect();
            attempts.insert(words[0], words[1]);
            if words[2] == SENDING {
                in_hand.insert(words[0]);
            }
        }
        let is_forgotten = |entry: &Entry| {
            attempts.get(&entry.task).is_some_and(|attempt| {
                !in_hand.contains(&entry.task) || i64::from(entry.attempt) > *attempt
            })
        };
        let handed = self.stage.ledger().split_off(before);
        let forgotten: BTreeSet<i64> =
            handed.iter().filter(|entry| is_forgotten(entry)).map(|entry| entry.task).collect();
        let cut = i64::from(self.rounds);
        self.window.extend(in_hand.union(&forgotten).map(|task| (*task, cut)));
        self.forgotten.extend(forgotten);
    }

    fn verdict(&self) -> Verdict {
        self.stage.drain();
        self.stage.let_gates_leave();
        let ledger = self.stage.ledger();
        let case = Case { messages: self.messages, ledger: &ledger, in_doubt: &self.window };
        let mut verdict = judge(&case);
        // whoever forgot the first hand-over can't tell of it
        verdict.untold.retain(|task| !self.forgotten.contains(task));
        verdict
    }
}

fn cut_again_and_again(path: DeliveryPath, sync: &str) -> Mains {
    let mut mains = Mains::new(Stage::on(path, 2), sync);
    let cuts = rounds().max(u32::try_from(KILL_POINTS.len()).unwrap());
    for (cut, point) in (0..cuts).zip(KILL_POINTS.iter().cycle()) {
        let word = match *point {
            "random" => "random:150".to_owned(),
            point => format!("{point}:{}", 1 + cut % 5),
        };
        mains.work_until_the_cut(&word);
    }
    mains
}

/// Judges, and keeps the row.
fn assert_kept(path: DeliveryPath, (point, sync): (&'static str, &str)) -> Mains {
    let mains = cut_again_and_again(path, sync);
    let verdict = mains.verdict();
    Played { path, point, rounds: mains.rounds - mains.torn }.keep(mains.messages, &verdict);
    assert!(verdict.is_kept(), "{}: {verdict:?}", path.word());
    let sent = "SELECT count(DISTINCT contact) FROM notifylog WHERE outcome='sent'";
    assert_eq!(mains.stage.number(sent), u64::from(mains.messages), "each is sent in the end");
    mains
}

#[test]
fn what_enqueue_has_returned_survives_a_power_cut() {
    let all = DeliveryPath::ALL.map(|path| assert_kept(path, (POWER_NORMAL, "normal")));
    assert!(all.iter().any(|mains| mains.dropped > 0), "something went with the power");
}

#[test]
fn where_each_turn_is_synced_a_power_cut_undoes_no_claim_and_no_outcome() {
    for path in DeliveryPath::ALL {
        let mains = assert_kept(path, (POWER_FULL, "full"));
        assert_eq!(mains.forgotten, BTreeSet::new(), "{}", path.word());
    }
}

#[test]
fn an_outcome_is_undone_where_only_its_commit_is_awaited_and_kept_where_its_sync_is() {
    for (sync, is_undone) in [("normal", true), ("full", false)] {
        let mut mains = Mains::new(Stage::with_ledger(2), sync);
        (mains.luck, mains.rounds) = (Some(Luck::Nothing), 1);
        mains.work_until_the_cut("after_finish");
        assert_eq!(!mains.forgotten.is_empty(), is_undone, "{sync}: {:?}", mains.forgotten);
        let verdict = mains.verdict();
        assert!(verdict.is_kept(), "{sync}: {verdict:?}");
    }
}

#[test]
fn the_harness_is_red_on_a_disk_that_only_says_that_it_syncs() {
    let mut mains = Mains::new(Stage::with_ledger(2), "full");
    mains.wishes.push(("FAULTS_DEAF", "1"));
    mains.luck = Some(Luck::Nothing);
    mains.work_until_the_cut("before_claim");
    let lost = mains.verdict().lost;
    assert_eq!(lost.len(), mains.messages as usize, "{lost:?}");
}
