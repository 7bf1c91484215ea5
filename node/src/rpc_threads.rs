//! Threads of their own for JSON-RPC.
//!
//! A method computes its answer on the thread that took the call, some of them for many milliseconds. If those were the
//! threads that also move the network's bytes, whoever asks expensive questions all day would delay votes. Here the
//! system's scheduler stands between the two: threads that mostly wait, as the network's do, run when they wake.
//!
//! It does not know what is asked. Dropped, it lets go of what is still at work.

use std::io;
use std::sync::Arc;

use cairn_rpc::{Backend, RpcConfig, RpcServer, ServeError};
use tokio::runtime::{Builder, Runtime};

/// Fewest threads: with one, a single long answer would keep all others waiting.
const THREADS_MIN: usize = 2;

/// See the module.
pub(crate) struct RpcThreads(Option<Runtime>);

impl RpcThreads {
    /// Starts half as many threads as there are cores.
    ///
    /// # Errors
    /// The system has no threads left.
    pub(crate) fn start() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(THREADS_MIN, usize::from);
        let threads = (cores / 2).max(THREADS_MIN);
        let runtime = Builder::new_multi_thread().worker_threads(threads).thread_name("rpc").enable_all().build()?;
        Ok(Self(Some(runtime)))
    }

    /// Serves on these threads.
    ///
    /// # Errors
    /// [`ServeError`], as [`cairn_rpc::serve`] has it.
    pub(crate) async fn serve<B: Backend>(&self, config: RpcConfig, backend: Arc<B>) -> Result<RpcServer, ServeError> {
        let runtime = self.0.as_ref().expect("the runtime is there until this is dropped");
        let serving = runtime.spawn(cairn_rpc::serve(config, backend));
        serving.await.expect("listening does not panic, and nothing cancels it")
    }
}

impl Drop for RpcThreads {
    fn drop(&mut self) {
        // Waiting for threads is not allowed where other tasks run.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
