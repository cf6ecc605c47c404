//! The two ways to the host: a callback, and a queue from which it pulls.

use std::sync::Arc;

use crossbeam_channel::{Sender, select_biased};
use engine::frame::OutputFrame;
use engine::pipeline::CancelToken;
use engine::sink::{Sink, SinkError};

use crate::callback::Inside;
use crate::run::Run;

/// Takes each frame and its time stamp in seconds; what goes wrong is said in words.
pub(crate) type Deliver = Box<dyn FnMut(&OutputFrame, f64) -> Result<(), String> + Send>;

/// Calls the host, until the run is cancelled.
pub(crate) struct CallbackSink {
    pub(crate) deliver: Deliver,
    pub(crate) seconds_per_frame: f64,
    pub(crate) run: Arc<Run>,
}

impl Sink for CallbackSink {
    fn write(&mut self, frame: OutputFrame) -> Result<(), SinkError> {
        if self.run.token().is_cancelled() {
            return Ok(());
        }
        let _inside = Inside::enter();
        let seconds = frame.index as f64 * self.seconds_per_frame;
        match (self.deliver)(&frame, seconds) {
            Ok(()) => {
                self.run.delivered();
                Ok(())
            }
            Err(why) => {
                let index = frame.index;
                self.run
                    .callback_failed(format!("the frame callback failed at frame {index}: {why}"));
                Err(SinkError::Closed)
            }
        }
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Queues frames for the host; gives them up once the run is cancelled.
pub(crate) struct QueueSink {
    pub(crate) queue: Sender<OutputFrame>,
    pub(crate) token: CancelToken,
}

impl Sink for QueueSink {
    fn write(&mut self, frame: OutputFrame) -> Result<(), SinkError> {
        select_biased! {
            recv(self.token.signal()) -> _ => Ok(()),
            send(self.queue, frame) -> sent => sent.map_err(|_| SinkError::Closed),
        }
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}
