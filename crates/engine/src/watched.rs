//! The runtime as a node's parts see it: its journals are watched.
//!
//! The engine's actors panic when a journal fails. So a failure never returns to them: the watch takes it,
//! which ends the engine in order, and whoever asked waits until it is gone. Everything else is passed on.

use std::convert::Infallible;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use commonware_runtime::signal::Signal;
use commonware_runtime::telemetry::metrics::{Metric, Registered};
use commonware_runtime::{
    Blob, BlobVersion, Clock, Error, Handle, IoBufs, IoBufsMut, Metrics, Name, ReadOptions, Spawner, Storage,
    Supervisor, WriteOptions,
};
use futures::Stream;
use governor::clock::{Clock as GovernorClock, ReasonablyRealtime};
use rand_core::{TryCryptoRng, TryRng};

use crate::fault::{EngineError, Fault};
use crate::runtime::Runtime;
use crate::tasks::Alive;

/// What looks at a runtime's journals.
pub(crate) trait Watch: Clone + Send + Sync + 'static {
    /// Whether [`lag`](Self::lag) is ever more than nothing.
    const LAGS: bool = false;

    /// How much later than the disk says a sync, or a call that may block, ends.
    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    /// A journal is opened.
    fn opens(&self, _partition: &str) {}

    /// A task begins; what is returned is dropped with it.
    fn spawned(&self) -> Option<Alive> {
        None
    }

    /// Takes a failure of the journals' disk; `false`: it goes to whoever asked.
    fn takes(&self, operation: &str, file: &str, error: &Error) -> bool;
}

/// Production's watch: a disk that fails ends the engine.
impl Watch for Fault {
    fn takes(&self, operation: &str, file: &str, error: &Error) -> bool {
        let failed = matches!(
            error,
            Error::Io(_)
                | Error::BlobOpenFailed(..)
                | Error::BlobResizeFailed(..)
                | Error::BlobSyncFailed(..)
                | Error::PartitionCreationFailed(_)
                | Error::WriteFailed
        );
        if failed {
            self.raise(EngineError::journal(format!("{operation} {file}"), error));
        }
        failed
    }
}

/// A runtime whose journals are watched.
pub(crate) struct Watched<E, W> {
    inner: E,
    watch: W,
    may_block: bool,
}

impl<E: Runtime, W: Watch> Watched<E, W> {
    pub(crate) fn new(inner: E, watch: W) -> Self {
        Self { inner, watch, may_block: false }
    }

    async fn watched<T>(&self, operation: &str, file: &str, result: Result<T, Error>) -> Result<T, Error> {
        match result {
            Err(error) if self.watch.takes(operation, file, &error) => futures::future::pending().await,
            result => result,
        }
    }
}

impl<E: Runtime, W: Watch> Supervisor for Watched<E, W> {
    fn name(&self) -> Name {
        self.inner.name()
    }

    fn child(&self, label: &'static str) -> Self {
        Self::new(self.inner.child(label), self.watch.clone())
    }

    fn with_attribute(self, key: &'static str, value: impl fmt::Display) -> Self {
        Self { inner: self.inner.with_attribute(key, value), ..self }
    }
}

impl<E: Runtime, W: Watch> Spawner for Watched<E, W> {
    fn shared(self, may_block: bool) -> Self {
        Self { inner: self.inner.shared(may_block), may_block, ..self }
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
        let Self { inner, watch, may_block } = self;
        let lag = if W::LAGS && may_block { watch.lag() } else { Duration::ZERO };
        let alive = watch.spawned();
        if lag.is_zero() && alive.is_none() {
            return inner.spawn(move |inner| f(Self::new(inner, watch)));
        }
        inner.spawn(move |inner| {
            let clock = inner.child("lag");
            let task = f(Self::new(inner, watch));
            async move {
                let _alive = alive;
                let outcome = task.await;
                clock.sleep(lag).await;
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

impl<E: Runtime, W: Watch> Metrics for Watched<E, W> {
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

impl<E: Runtime, W: Watch> GovernorClock for Watched<E, W> {
    type Instant = SystemTime;

    fn now(&self) -> SystemTime {
        self.inner.current()
    }
}

impl<E: Runtime, W: Watch> ReasonablyRealtime for Watched<E, W> {}

impl<E: Runtime, W: Watch> Clock for Watched<E, W> {
    fn current(&self) -> SystemTime {
        self.inner.current()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static + use<E, W> {
        self.inner.sleep(duration)
    }

    fn sleep_until(&self, deadline: SystemTime) -> impl Future<Output = ()> + Send + 'static + use<E, W> {
        self.inner.sleep_until(deadline)
    }
}

impl<E: Runtime, W: Watch> TryRng for Watched<E, W> {
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

impl<E: Runtime, W: Watch> TryCryptoRng for Watched<E, W> {}

impl<E: Runtime, W: Watch> Storage for Watched<E, W> {
    type Blob = File<E, W>;

    async fn open_versioned(
        &self,
        partition: &str,
        name: &[u8],
        versions: RangeInclusive<BlobVersion>,
    ) -> Result<(File<E, W>, u64, BlobVersion), Error> {
        let file = format!("{partition}/{}", hex::encode(name));
        self.watch.opens(partition);
        let opened = self.inner.open_versioned(partition, name, versions).await;
        let (inner, length, version) = self.watched("open", &file, opened).await?;
        let clock = W::LAGS.then(|| self.inner.child("file"));
        Ok((File { inner, name: file, watch: self.watch.clone(), clock }, length, version))
    }

    async fn remove(&self, partition: &str, name: Option<&[u8]>) -> Result<(), Error> {
        let removed = self.inner.remove(partition, name).await;
        self.watched("remove", partition, removed).await
    }

    async fn scan(&self, partition: &str) -> Result<Vec<Vec<u8>>, Error> {
        let scanned = self.inner.scan(partition).await;
        self.watched("list", partition, scanned).await
    }
}

/// A file of a watched journal.
pub(crate) struct File<E: Runtime, W> {
    inner: E::Blob,
    name: String,
    watch: W,
    /// Where there are lags.
    clock: Option<E>,
}

impl<E: Runtime, W: Watch> File<E, W> {
    async fn watched<T>(&self, operation: &str, result: Result<T, Error>) -> Result<T, Error> {
        match result {
            Err(error) if self.watch.takes(operation, &self.name, &error) => futures::future::pending().await,
            result => result,
        }
    }

    fn lag(&self) -> impl Future<Output = ()> + Send + 'static + use<E, W> {
        let lag = self.watch.lag();
        let wait = self.clock.as_ref().filter(|_| !lag.is_zero()).map(|clock| clock.sleep(lag));
        async move {
            if let Some(wait) = wait {
                wait.await;
            }
        }
    }
}

impl<E: Runtime, W: Watch> Blob for File<E, W> {
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

    fn read_many(
        &self,
        ranges: &[(u64, usize)],
        options: ReadOptions,
    ) -> impl Stream<Item = Result<(usize, IoBufsMut), Error>> + Send {
        self.inner.read_many(ranges, options)
    }

    async fn start_read_many(&self, ranges: &[(u64, usize)], options: ReadOptions) -> Handle<Vec<IoBufsMut>> {
        self.inner.start_read_many(ranges, options).await
    }

    async fn write_at(
        &self,
        offset: u64,
        bufs: impl Into<IoBufs> + Send,
        options: WriteOptions,
    ) -> Result<(), Error> {
        let written = self.inner.write_at(offset, bufs, options).await;
        self.watched("write", written).await
    }

    async fn resize(&self, len: u64) -> Result<(), Error> {
        let resized = self.inner.resize(len).await;
        self.watched("resize", resized).await
    }

    async fn sync(&self) -> Result<(), Error> {
        let synced = self.inner.sync().await;
        self.watched("sync", synced).await?;
        self.lag().await;
        Ok(())
    }

    async fn start_sync(&self) -> Handle<()> {
        let under_way = self.inner.start_sync().await;
        let (watch, name, lag) = (self.watch.clone(), self.name.clone(), self.lag());
        Handle::from_future(async move {
            match under_way.await {
                Err(error) if watch.takes("sync", &name, &error) => futures::future::pending().await,
                result => {
                    lag.await;
                    result
                }
            }
        })
    }
}
