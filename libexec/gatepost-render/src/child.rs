//! The loop: a frame in, and for a render request one frame out.

use std::process::ExitCode;
use std::sync::Arc;

use render::{Limits, Renderer, Unavailable};
use wire::frames::{FrameError, read_frame, write_frame};
use wire::rendering::{
    Engine, MESSAGES_A_FRAME, RenderRequest, Rendered, Reply, Request, TemplateError,
};

use crate::complain;
use crate::shut;
use crate::watch::{Answers, Watch};

/// Bytes of a frame: a bundle or a notice with its escapes.
const FRAME_BYTES: usize = 32 << 20;
/// sysexits: what came in is no request.
const BAD_INPUT: u8 = 65;
/// sysexits: the kernel can't do what we need.
const NO_ISOLATION: u8 = 71;
/// sysexits: stdin or stdout broke.
pub(crate) const BROKEN_PIPE: u8 = 74;

/// Serves until its input ends, or until it is spent.
pub(crate) fn run(engine: Engine) -> ExitCode {
    let landlock = shut::first_half();
    let Ok(watch) = Watch::start() else {
        return complain(NO_ISOLATION, "the watching thread can't be started");
    };
    if shut::second_half(landlock).is_open() {
        return complain(
            NO_ISOLATION,
            "this kernel offers neither Landlock nor seccomp: templates would not be contained",
        );
    }
    match serve(engine, &watch) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Broken::Request(why)) => complain(BAD_INPUT, &why),
        Err(Broken::Stream(error)) => complain(BROKEN_PIPE, &error.to_string()),
    }
}

enum Broken {
    Request(String),
    Stream(FrameError),
}

fn serve(engine: Engine, watch: &Arc<Watch>) -> Result<(), Broken> {
    let mut renderer = Renderer::new(engine, Limits::default());
    let mut stdin = std::io::stdin().lock();
    while let Some(frame) = read_frame(&mut stdin, FRAME_BYTES).map_err(Broken::Stream)? {
        let request =
            Request::parse(&frame).map_err(|error| Broken::Request(notice::chain(&error)))?;
        match (request, &mut renderer) {
            (Request::Render(messages), renderer) => {
                let reply = answer(renderer, &messages, watch);
                write_frame(&mut Answers, &reply.to_bytes()).map_err(Broken::Stream)?;
                if reply.last {
                    return Ok(());
                }
            }
            (Request::Bundle(hash, bundle), Ok(renderer)) => renderer.tell_bundle(hash, bundle),
            (Request::Notice(hash, form, text), Ok(renderer)) => {
                renderer.tell_notice(hash, form, text);
            }
            (Request::Bundle(..) | Request::Notice(..), Err(Unavailable)) => {}
        }
    }
    Ok(())
}

/// The messages of one frame, as many as fit into a reply.
fn answer(
    renderer: &mut Result<Renderer, Unavailable>,
    messages: &[RenderRequest],
    watch: &Watch,
) -> Reply {
    watch.begin_frame();
    for message in messages.iter().take(MESSAGES_A_FRAME) {
        watch.begin_message(&message.id);
        let rendered = match renderer {
            Ok(renderer) => renderer.render(message),
            Err(unavailable) => refused(message, *unavailable),
        };
        if !watch.end_message(rendered) {
            break;
        }
    }
    let last = renderer.as_ref().is_ok_and(Renderer::is_spent);
    Reply { messages: watch.end_frame(), last }
}

fn refused(message: &RenderRequest, unavailable: Unavailable) -> Rendered {
    let error = TemplateError { message: unavailable.to_string(), ..TemplateError::default() };
    Rendered { id: message.id.clone(), result: Err(error) }
}
