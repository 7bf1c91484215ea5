//! What an auditor was not given shows, and so does a device that says two things.

use std::fs;
use std::path::Path;
use std::time::Instant;

use cairn_proofs::lookup::{Answer, Question};
use cairn_proofs::verdict::{Gap, PresentStream, Silence, StreamStanding, Verdict, gaps};
use cairn_tests::calls;
use cairn_tests::network::PATIENCE;
use cairn_tests::stage::{Meter, Said, Stage};
use cairn_types::ClaimedTime;
use serde_json::{Value, json};

/// Pieces of a day, and days.
const PIECES: usize = 4;
const DAYS: usize = 3;

/// A piece of data that the device attested.
struct Piece {
    name: String,
    content: Vec<u8>,
    said: Said,
}

/// The files that an auditor has: all pieces but those of these numbers.
fn hand_over(pieces: &[Piece], without: &[usize], directory: &Path) {
    fs::create_dir_all(directory).expect("a directory can be made");
    for (_, piece) in pieces.iter().enumerate().filter(|(number, _)| !without.contains(number)) {
        fs::write(directory.join(&piece.name), &piece.content).expect("a file can be written");
    }
}

/// What the command says of a directory of files.
fn audit(stage: &Stage, meter: &Meter, directory: &Path) -> (i32, Value) {
    let directory = directory.to_str().expect("a temporary directory's path is a text");
    stage.command(&["audit", "stream", &meter.stream().to_string(), "--dir", directory])
}

/// A run of missing numbers as the command tells it.
fn run(part: &str, first: usize, last: usize) -> Value {
    json!({ "part": part, "first": first.to_string(), "last": last.to_string() })
}

fn numbers(without: &[usize]) -> Vec<String> {
    without.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn scenario_a_stream_that_loses_its_tail_a_middle_or_a_day_shows_it_and_a_fork_is_proved() {
    let stage = Stage::open(&[]).await;
    let owner = stage.works();
    let grant = stage.zone_grant(owner, "plant").await;
    let device = stage.register(81, owner, "plant/pump").await;
    let mut meter = stage.stream(81, device, "readings", Some(1), grant).await;
    let mut pieces = Vec::new();
    for number in 0..PIECES * DAYS {
        let name = format!("day-{}-{}.csv", number / PIECES + 1, number % PIECES);
        let content = format!("time,flow\n{name},{number}.5\n").into_bytes();
        let said = stage.attest(&mut meter, &content).await;
        pieces.push(Piece { name, content, said });
    }
    missing_files_show(&stage, &meter, &pieces);
    a_day_that_was_never_attested_shows(&stage, &meter).await;
    missing_bundles_show(&stage, &meter, &pieces).await;
    silence_shows(&stage, &meter, &pieces).await;
    a_fork_is_proved(&stage, meter, &pieces).await;
    stage.close();
}

/// A tail, a middle, a whole day, and all of them: the command names each number.
fn missing_files_show(stage: &Stage, meter: &Meter, pieces: &[Piece]) {
    let room = tempfile::tempdir().expect("a temporary directory can be made");
    let all = room.path().join("all");
    hand_over(pieces, &[], &all);
    let (status, told) = audit(stage, meter, &all);
    assert_eq!((status, &told["complete"]), (0, &json!(true)), "{told}");
    let day: Vec<usize> = (PIECES..2 * PIECES).collect();
    // What is lost, and how the command calls each run of it.
    let losses: [(&str, Vec<usize>, Value); 4] = [
        ("tail", vec![10, 11], json!([run("tail", 10, 11)])),
        ("middle", vec![2], json!([run("middle", 2, 2)])),
        ("day", day, json!([run("middle", 4, 7)])),
        (
            "everything",
            vec![2, 4, 5, 6, 7, 10, 11],
            json!([run("middle", 2, 2), run("middle", 4, 7), run("tail", 10, 11)]),
        ),
    ];
    for (what, without, runs) in losses {
        let directory = room.path().join(what);
        hand_over(pieces, &without, &directory);
        let (status, told) = audit(stage, meter, &directory);
        assert_eq!((status, &told["complete"]), (1, &json!(false)), "{what}: {told}");
        assert_eq!((&told["missing"], &told["missingRuns"]), (&json!(numbers(&without)), &runs), "{what}: {told}");
        assert_eq!(told["notInStream"], json!([]), "{what}: {told}");
    }
    // What was made up instead is not in the stream.
    let forged = room.path().join("forged");
    hand_over(pieces, &[2], &forged);
    fs::write(forged.join("day-1-2.csv"), b"made up").expect("a file can be written");
    let (status, told) = audit(stage, meter, &forged);
    assert_eq!((status, &told["missing"]), (1, &json!(["2"])), "{told}");
    let strange: Vec<_> = told["notInStream"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert!(matches!(strange.as_slice(), [one] if one.ends_with("day-1-2.csv")), "{told}");
}

/// A device that attests day by day, and leaves one out: no number is missing, but nobody claims that day.
async fn a_day_that_was_never_attested_shows(stage: &Stage, meter: &Meter) {
    const DAY_MS: i64 = 86_400_000;
    let grant = meter.writing.authority;
    let mut daily = stage.stream(meter.seed, meter.device.clone(), "daily", Some(86_399), grant).await;
    let room = tempfile::tempdir().expect("a temporary directory can be made");
    for day in [0, 1, 3] {
        let content = format!("the flow of day {day}");
        let claimed = Some(ClaimedTime { from_ms: day * DAY_MS, to_ms: (day + 1) * DAY_MS });
        let tip = stage.node().tip().await;
        let attested = daily.writing.attest_claiming(stage.chain(), &daily.device, tip, content.as_bytes(), claimed);
        let said = stage.finalize(&attested).await;
        let verdict = stage.valid(&content, said, content.as_bytes()).await;
        assert_eq!(verdict.statement.expect("reached").claimed, claimed);
        fs::write(room.path().join(format!("day-{day}")), content).expect("a file can be written");
    }
    let (_, told) = audit(stage, &daily, room.path());
    assert_eq!((&told["missing"], &told["complete"]), (&json!([]), &json!(true)), "{told}");
    let (from_ms, to_ms) = ((2 * DAY_MS).to_string(), (3 * DAY_MS).to_string());
    let left_out = json!([{ "after": "1", "before": "2", "fromMs": from_ms, "toMs": to_ms }]);
    assert_eq!(told["unclaimed"], left_out, "{told}");
}

/// The same from bundles alone: no node is trusted.
async fn missing_bundles_show(stage: &Stage, meter: &Meter, pieces: &[Piece]) {
    let mut verdicts: Vec<Verdict> = Vec::new();
    for number in [0, 1, 3, 8, 9] {
        let piece = &pieces[number];
        verdicts.push(stage.valid(&piece.name, piece.said, &piece.content).await);
    }
    let gap = |from, to| Gap { stream: meter.stream(), from, to };
    assert_eq!(gaps(&verdicts), [gap(2, 3), gap(4, 8), gap(10, 12)], "a middle, a day and the tail");
}

/// A device that falls silent for longer than it declared shows too.
async fn silence_shows(stage: &Stage, meter: &Meter, pieces: &[Piece]) {
    let last = pieces.last().expect("some");
    let began = Instant::now();
    let mut clockwork = stage.clockwork().await;
    loop {
        let height = stage.now().await.height.get();
        stage.run_to(&mut clockwork, height + 10).await;
        let verdict = stage.valid("the last before the silence", last.said, &last.content).await;
        if let Silence::Silent { since_ms } = verdict.stream.expect("reached").silence {
            assert_eq!(since_ms, verdict.bounds.expect("reached").before.time_ms);
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the silence does not show");
    }
    let room = tempfile::tempdir().expect("a temporary directory can be made");
    hand_over(pieces, &[], room.path());
    let (_, told) = audit(stage, meter, room.path());
    let silences = told["silences"].as_array().expect("a list");
    assert_eq!(silences.last().expect("it is silent")["after"], json!((pieces.len() - 1).to_string()), "{told}");
}

/// Two readings with one sequence.
async fn a_fork_is_proved(stage: &Stage, mut meter: Meter, pieces: &[Piece]) {
    let number = meter.writing.sequence;
    let tip = stage.node().tip().await;
    let hidden = meter.writing.clone().attest(stage.chain(), &meter.device, tip, b"flow 99.9");
    let shown = meter.writing.attest(stage.chain(), &meter.device, tip, b"flow 1.3");
    let shown_at = stage.finalize(&shown).await;
    let after = stage.attest(&mut meter, b"flow 1.4").await;
    assert_eq!(stage.refused_transaction(&hidden).await.data.name, "SequenceNotNext");
    stage.valid("shown, and nobody knows", shown_at, b"flow 1.3").await;

    // Anyone who has both can prove it, and nobody proves what is none.
    let none = stage.refused(stage.auditor(), calls::report_fork(&shown, &shown), &[]).await;
    assert_eq!(none.data.name, "ForkNotShown");
    stage.say(stage.auditor(), calls::report_fork(&shown, &hidden), &[]).await;
    let again = stage.refused(stage.maker(), calls::report_fork(&shown, &hidden), &[]).await;
    assert_eq!(again.data.name, "ForkKnown");

    let before = pieces.last().expect("some");
    let verdict = stage.valid("said before the fork", before.said, &before.content).await;
    assert_eq!(verdict.present.expect("reached").stream, PresentStream::Forked);
    for (said, content) in [(shown_at, b"flow 1.3"), (after, b"flow 1.4")] {
        let verdict = stage.doubtful("said at the fork or after it", said, content, "stream_forked").await;
        assert_eq!(verdict.stream.expect("reached").standing, StreamStanding::Forked { at: number });
    }
    assert_eq!(stage.attest_refused(&meter, b"flow 1.5").await.data.name, "StreamEnded");
    let room = tempfile::tempdir().expect("a temporary directory can be made");
    hand_over(pieces, &[], room.path());
    fs::write(room.path().join("shown"), b"flow 1.3").expect("a file can be written");
    fs::write(room.path().join("after"), b"flow 1.4").expect("a file can be written");
    let (status, told) = audit(stage, &meter, room.path());
    assert_eq!((status, &told["forkedAt"]), (1, &json!(number.to_string())), "{told}");
    let Answer::Stream(Some(record)) = stage.look_up(Question::Stream(meter.stream())).await else {
        panic!("the stream is known")
    };
    assert_eq!((record.forked_at, record.count), (Some(number), number + 2));
}
