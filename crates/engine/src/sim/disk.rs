//! A runtime on a slow disk: journals, store and machine answer late, in simulated time.

use std::convert::Infallible;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use commonware_runtime::deterministic::Context;
use commonware_runtime::signal::Signal;
use commonware_runtime::telemetry::metrics::{Metric, Registered};
use commonware_runtime::{
    Blob, BlobVersion, Clock, Error, Handle, IoBufs, IoBufsMut, Metrics, Name, ReadOptions, Spawner, Storage,
    Supervisor, WriteOptions,
};
use governor::clock::{Clock as GovernorClock, ReasonablyRealtime};
use rand_core::{TryCryptoRng, TryRng};

/// How long a node's disk lets it wait, asked each time that something is made durable or may block.
#[derive(Clone, Default)]
pub struct Disk(Option<Arc<dyn Fn() -> Duration + Send + Sync>>);

impl Disk {
    /// A disk that takes as long as `lag` says. Its answers must follow from a seed.
    pub fn slow(lag: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(lag)))
    }

    fn lag(&self) -> Duration {
        self.0.as_ref().map(|lag| lag()).unwrap_or_default()
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Disk(slow)" } else { "Disk" })
    }
}

/// The deterministic runtime as a node with a certain disk sees it.
///
/// What a node gives to threads that may block (builds, checks, commits, syncs of the store) ends late; so do
/// syncs of its journals. A node that is killed meanwhile never learns that they ended.
pub(super) struct Machine {
    inner: Context,
    disk: Disk,
    may_block: bool,
}

impl Machine {
    pub(super) fn new(inner: Context, disk: Disk) -> Self {
        Self { inner, disk, may_block: false }
    }
}

impl Supervisor for Machine {
    fn name(&self) -> Name {
        self.inner.name()
    }

    fn child(&self, label: &'static str) -> Self {
        Self::new(self.inner.child(label), self.disk.clone())
    }

    fn with_attribute(self, key: &'static str, value: impl fmt::Display) -> Self {
        Self { inner: self.inner.with_attribute(key, value), ..self }
    }
}

impl Spawner for Machine {
    fn shared(self, may_block: bool) -> Self {
        Self { inner: self.inner.shared(may_block), disk: self.disk, may_block }
    }

    fn dedicated(self) -> Self {
        Self { inner: self.inner.dedicated(), ..self }
    }

    fn spawn<F, Fut, T>(self, f: F) -> Handle<T>
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let Self { inner, disk, may_block } = self;
        let lag = if may_block { disk.lag() } else { Duration::ZERO };
        inner.spawn(move |inner| {
            let clock = (!lag.is_zero()).then(|| inner.child("lag"));
            let task = f(Self::new(inner, disk));
            async move {
                let outcome = task.await;
                if let Some(clock) = clock {
                    clock.sleep(lag).await;
                }
                outcome
            }
        })
    }

    async fn stop(self, value: i32, timeout: Option<Duration>) -> Result<(), Error> {
        self.inner.stop(value, timeout).await
    }

    fn stopped(&self) -> Signal {
        self.inner.stopped()
    }
}

impl Metrics for Machine {
    fn register<N: Into<String>, H: Into<String>, M: Metric>(
        &self,
        name: N,
        help: H,
        metric: M,
    ) -> Registered<M> {
        self.inner.register(name, help, metric)
    }

    fn encode(&self) -> String {
        self.inner.encode()
    }
}

impl GovernorClock for Machine {
    type Instant = SystemTime;

    fn now(&self) -> SystemTime {
        self.inner.current()
    }
}

impl ReasonablyRealtime for Machine {}

impl Clock for Machine {
    fn current(&self) -> SystemTime {
        self.inner.current()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.inner.sleep(duration)
    }

    fn sleep_until(&self, deadline: SystemTime) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.inner.sleep_until(deadline)
    }
}

impl TryRng for Machine {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.inner.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.inner.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.inner.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for Machine {}

impl Storage for Machine {
    type Blob = File;

    async fn open_versioned(
        &self,
        partition: &str,
        name: &[u8],
        versions: RangeInclusive<BlobVersion>,
    ) -> Result<(File, u64, BlobVersion), Error> {
        let (inner, length, version) = self.inner.open_versioned(partition, name, versions).await?;
        let file = File { inner, disk: self.disk.clone(), clock: self.inner.child("file") };
        Ok((file, length, version))
    }

    async fn remove(&self, partition: &str, name: Option<&[u8]>) -> Result<(), Error> {
        self.inner.remove(partition, name).await
    }

    async fn scan(&self, partition: &str) -> Result<Vec<Vec<u8>>, Error> {
        self.inner.scan(partition).await
    }
}

/// A file of a journal on a slow disk.
pub(super) struct File {
    inner: <Context as Storage>::Blob,
    disk: Disk,
    clock: Context,
}

impl Blob for File {
    async fn read_at_buf(
        &self,
        offset: u64,
        len: usize,
        bufs: impl Into<IoBufsMut> + Send,
        options: ReadOptions,
    ) -> Result<IoBufsMut, Error> {
        self.inner.read_at_buf(offset, len, bufs, options).await
    }

    async fn read_at(&self, offset: u64, len: usize, options: ReadOptions) -> Result<IoBufsMut, Error> {
        self.inner.read_at(offset, len, options).await
    }

    async fn write_at(
        &self,
        offset: u64,
        bufs: impl Into<IoBufs> + Send,
        options: WriteOptions,
    ) -> Result<(), Error> {
        self.inner.write_at(offset, bufs, options).await
    }

    async fn resize(&self, len: u64) -> Result<(), Error> {
        self.inner.resize(len).await
    }

    async fn sync(&self) -> Result<(), Error> {
        self.inner.sync().await?;
        self.wait().await;
        Ok(())
    }

    async fn start_sync(&self) -> Handle<()> {
        let under_way = self.inner.start_sync().await;
        let lag = self.disk.lag();
        if lag.is_zero() {
            return under_way;
        }
        let clock = self.clock.child("sync");
        clock.spawn(move |clock| async move {
            under_way.await.expect("the simulated disk never fails");
            clock.sleep(lag).await;
        })
    }
}

impl File {
    async fn wait(&self) {
        let lag = self.disk.lag();
        if !lag.is_zero() {
            self.clock.sleep(lag).await;
        }
    }
}
