//! Whoever does not read what they are sent is cut off: a connection that takes nothing for a while keeps its place from
//! others, and what waits for it in memory.

use std::io::{Error, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// A stream that fails once nobody takes anything for so long. What is read is not looked at.
#[derive(Debug)]
pub(super) struct Unread<S> {
    stream: S,
    within: Duration,
    /// Until when something has to be taken; only set while something waits.
    until: Pin<Box<Sleep>>,
    waits: bool,
}

impl<S> Unread<S> {
    pub(super) fn new(stream: S, within: Duration) -> Self {
        Self {
            stream,
            within,
            until: Box::pin(sleep(within)),
            waits: false,
        }
    }

    /// What became of a write. One that waits has until the deadline, which begins with the first that does.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        wrote: Poll<Result<T, Error>>,
    ) -> Poll<Result<T, Error>> {
        if wrote.is_ready() {
            self.waits = false;
            return wrote;
        }
        if !self.waits {
            self.waits = true;
            self.until.as_mut().reset(Instant::now() + self.within);
        }
        if self.until.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        let says = format!(
            "nothing of what was sent was taken for {} s",
            self.within.as_secs()
        );
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, says)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unread<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_read(context, to)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unread<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        let wrote = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch(context, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, shut)
    }
}
