//! Requests and answers: whole up to the bound, refused above it, and few at once.

use cairn_network::{NetworkEvent, REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX, Reply, ReplyError, RequestError};

use crate::harness::{Node, config, mesh, peer};

async fn request_to(node: &mut Node) -> (Vec<u8>, Reply) {
    node.wait_for("a request", |event| match event {
        NetworkEvent::Request { bytes, reply, .. } => Ok((bytes, reply)),
        other => Err(other),
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_five_megabytes_arrives_whole_and_one_above_the_bound_is_refused() {
    let mut nodes = mesh(2).await;
    let (asker, answerer) = nodes.split_at_mut(1);
    let (asker, answerer) = (&asker[0].handle, &mut answerer[0]);
    let cases = [(0, true), (5 * 1024 * 1024, true), (RESPONSE_BYTES_MAX, true), (RESPONSE_BYTES_MAX + 1, false)];
    for (length, possible) in cases {
        let question = vec![9; REQUEST_BYTES_MAX];
        let answer = async {
            let (asked, reply) = request_to(answerer).await;
            assert_eq!(asked, question);
            let sent = reply.send(vec![3; length]);
            let expected = ReplyError::Size { bytes: length, max: RESPONSE_BYTES_MAX };
            assert_eq!(sent, if possible { Ok(()) } else { Err(expected) });
        };
        let start = std::time::Instant::now();
        let (answered, ()) = tokio::join!(asker.request(peer(2), question.clone()), answer);
        println!("an answer of {length} bytes took {:?}", start.elapsed());
        if possible {
            assert!(answered.expect("an answer within the bound arrives") == vec![3; length], "{length} bytes");
        } else {
            assert_eq!(answered, Err(RequestError::Refused), "the asker learns at once, not by a timeout");
        }
    }
    let too_long = vec![0; REQUEST_BYTES_MAX + 1];
    assert!(matches!(asker.request(peer(2), too_long).await, Err(RequestError::Size { .. })));
    assert_eq!(asker.request(peer(9), vec![]).await, Err(RequestError::NotConnected { peer: peer(9) }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fifth_request_to_one_peer_is_told_to_wait() {
    let mut nodes = mesh(2).await;
    let asker = nodes[0].handle.clone();
    let mut asked = Vec::new();
    for number in 0..4u8 {
        let asker = asker.clone();
        asked.push(tokio::spawn(async move { asker.request(peer(2), vec![number]).await }));
    }
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(request_to(&mut nodes[1]).await);
    }
    assert_eq!(asker.request(peer(2), vec![4]).await, Err(RequestError::Busy));
    for (question, reply) in open {
        reply.send(question).expect("the asker waits");
    }
    for (number, asked) in asked.into_iter().enumerate() {
        assert_eq!(asked.await.expect("no panic"), Ok(vec![number as u8]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_never_answers_is_given_up_and_one_who_goes_is_noticed() {
    let mut silent = Node::start(1, config([1, 2], vec![])).await;
    let mut hasty = config([1, 2], vec![silent.address()]);
    hasty.limits.request_timeout = std::time::Duration::from_millis(200);
    let mut hasty = Node::start(2, hasty).await;
    hasty.sees_connected(peer(1)).await;
    assert_eq!(hasty.handle.request(peer(1), vec![1]).await, Err(RequestError::TimedOut));

    let asked = tokio::spawn({
        let handle = hasty.handle.clone();
        async move { handle.request(peer(1), vec![2]).await }
    });
    let (_, first) = request_to(&mut silent).await;
    let (_, second) = request_to(&mut silent).await;
    assert_eq!(first.send(vec![]).and(Ok(())), Ok(()), "too late, but nobody can know that yet");
    silent.stop().await;
    drop(second);
    assert!(asked.await.expect("no panic").is_err());
}
