//! The frames that wait to be sent to one peer.
//!
//! Knows no stream. At its bound, in frames or in bytes, it drops the oldest: consensus needs the newest most.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

/// A queue of frames with one reader.
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    ready: Notify,
    frames_max: usize,
    bytes_max: usize,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Arc<Vec<u8>>>,
    bytes: usize,
}

impl Outbox {
    pub(crate) fn new(frames_max: usize, bytes_max: usize) -> Self {
        Self { queue: Mutex::default(), ready: Notify::new(), frames_max, bytes_max }
    }

    /// Adds a frame. Returns how many were dropped for it.
    pub(crate) fn push(&self, frame: Arc<Vec<u8>>) -> usize {
        let mut dropped = 0;
        {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.bytes += frame.len();
            queue.frames.push_back(frame);
            while queue.frames.len() > self.frames_max || queue.bytes > self.bytes_max {
                if queue.pop().is_none() {
                    break;
                }
                dropped += 1;
            }
        }
        self.ready.notify_one();
        dropped
    }

    /// The oldest frame, if there is one.
    pub(crate) fn try_take(&self) -> Option<Arc<Vec<u8>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// The oldest frame, as soon as there is one. May be dropped while waiting; nothing is lost by it.
    pub(crate) async fn take(&self) -> Arc<Vec<u8>> {
        loop {
            // A push between these two lines leaves its notification behind.
            if let Some(frame) = self.try_take() {
                return frame;
            }
            self.ready.notified().await;
        }
    }

    /// How many frames wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).frames.len()
    }
}

impl Queue {
    fn pop(&mut self) -> Option<Arc<Vec<u8>>> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_either_bound_the_oldest_frame_goes() {
        let outbox = Outbox::new(3, 100);
        for byte in 1..=3u8 {
            assert_eq!(outbox.push(Arc::new(vec![byte; 10])), 0);
        }
        assert_eq!(outbox.push(Arc::new(vec![4; 10])), 1, "a fourth frame");
        assert_eq!(outbox.push(Arc::new(vec![5; 90])), 2, "101 bytes and more");
        assert_eq!(outbox.try_take().expect("two remain")[0], 4);
        assert_eq!(outbox.try_take().expect("one remains")[0], 5);
        assert_eq!(outbox.try_take(), None);
        assert_eq!(outbox.len(), 0);
    }
}
