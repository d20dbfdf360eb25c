//! The network: requests and responses arrive or are lost, and requests are carried out or not.
//!
//! A message is a task of the world. It continues when its sender has given up or died, so something may happen without
//! the sender knowing it.

use std::time::Duration;

use bytes::Bytes;
use futures::channel::oneshot;
use futures::future::{Either, select};
use http::StatusCode;
use orchestrator::base::ports::{BoxFuture, InboundResponse, OutboundRequest, Transport, TransportError};
use serde_json::Value as Json;
use sim::endpoint::{Endpoint, Service};
use sim::receivers::Kind;

use super::instance::Identity;
use super::provider::{self, Fetch};
use super::scenario::Poison;
use super::stage::Stage;
use super::storm::{Break, Fault, Target};
use super::{alarms, breaker_watch, ledger_watch, order_watch, record_watch, stream};
use crate::world::executor::WORLD;
use sim::firestore::memory::{Refusal, Reply};

type Answer = Result<InboundResponse, TransportError>;

/// How long a message without a response is kept.
const NEVER: Duration = Duration::from_secs(7 * 24 * 3600);

/// The transport of one instance.
pub(super) struct Wire {
    pub(super) stage: Stage,
    pub(super) from: Identity,
}

/// The target of a request.
enum Route {
    Firestore,
    Provider(Fetch),
    Receiver(Kind),
}

impl Transport for Wire {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Answer> {
        let (stage, from) = (self.stage.clone(), self.from.clone());
        Box::pin(async move {
            let timeout = request.timeout;
            let (sender, receiver) = oneshot::channel();
            let call = match route(&request) {
                Route::Firestore => {
                    stage
                        .handle
                        .spawn(WORLD, to_firestore(stage.clone(), from.clone(), request.clone(), sender));
                    None
                }
                Route::Receiver(kind) => {
                    let path = split(&request.url).1.to_owned();
                    let told = alarms::to_receiver(stage.clone(), kind, path, request.clone(), sender);
                    stage.handle.spawn(WORLD, told);
                    None
                }
                Route::Provider(fetch) => {
                    breaker_watch::check_call(&stage, &from, &fetch);
                    order_watch::check_call(&stage, &fetch);
                    let now = stage.civil();
                    let call = stage.journal().begin_call(stage.handle.current(), &fetch, now);
                    stage.handle.spawn(WORLD, to_provider(stage.clone(), fetch, sender));
                    Some(call)
                }
            };
            let waiting = call.map(|call| Waiting { stage: stage.clone(), call });
            let answer = match select(receiver, stage.handle.sleep(timeout)).await {
                Either::Left((Ok(answer), _)) => answer,
                Either::Left((Err(_), _)) => Err(TransportError::Connection("simulated break".to_owned())),
                Either::Right(_) => Err(TransportError::Timeout(timeout)),
            };
            drop(waiting);
            match call {
                Some(call) => {
                    stage.tell(format!("{} gets {} for call {call}", from.name(), outcome(&answer)));
                    stage.journal().end_call(call, &answer);
                }
                None => breaker_watch::learn(&stage, &from, &request, &answer),
            }
            answer
        })
    }
}

/// An instance waiting for a call's response; it has stopped waiting when this is dropped.
struct Waiting {
    stage: Stage,
    call: usize,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.stage.journal().drop_call(self.call);
    }
}

fn outcome(answer: &Answer) -> String {
    match answer {
        Ok(answer) => format!("{} ({} bytes)", answer.status.as_u16(), answer.body.len()),
        Err(error) => error.to_string(),
    }
}

fn route(request: &OutboundRequest) -> Route {
    let (host, path) = split(&request.url);
    let service = Service::ALL.into_iter().find(|service| host == format!("{service}.test"));
    match service {
        Some(service) => {
            let endpoint = Endpoint::find(service, path).expect("the component calls endpoints that exist");
            Route::Provider(Fetch::parse(endpoint, &request.body))
        }
        None => alarms::receiver(host).map_or(Route::Firestore, Route::Receiver),
    }
}

/// Host and path of a URL.
fn split(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or((rest, "/"), |at| rest.split_at(at))
}

/// Never answers.
async fn silence(stage: &Stage, answer: oneshot::Sender<Answer>) {
    stage.handle.sleep(NEVER).await;
    drop(answer);
}

fn deliver(sender: oneshot::Sender<Answer>, answer: Answer) {
    // The sender may have given up or died.
    let _ = sender.send(answer);
}

async fn to_provider(stage: Stage, fetch: Fetch, sender: oneshot::Sender<Answer>) {
    let place = Service::ALL.iter().position(|service| *service == fetch.endpoint.service());
    let fault = stage.fault(Target::Provider(place.expect("one of the four")));
    let names = fetch.tickers.join(",");
    stage.tell(format!("{:?} is asked for {names}: {fault:?}", fetch.endpoint));
    stage.handle.sleep(stage.dice.millis(1, 20)).await;
    match fault {
        Some(Fault::Refused) => return deliver(sender, Err(TransportError::Connect("simulated".to_owned()))),
        Some(Fault::LostBefore | Fault::LostAfter) => return drop(sender),
        Some(Fault::Hang) => return silence(&stage, sender).await,
        Some(Fault::Late(delay)) => stage.handle.sleep(delay).await,
        _ => {}
    }
    let tickers = u64::try_from(fetch.tickers.len()).expect("fits");
    let pause = stage.scenario.pacing.map_or(Duration::ZERO, |pacing| pacing.pause);
    let work = pause * u32::try_from(tickers).expect("fits");
    stage.handle.sleep(work + stage.dice.millis(20, 200 + 20 * tickers)).await;
    let poison = |kind| fetch.poisoned_by(&stage.scenario, kind, stage.now()).is_some();
    if poison(Poison::Hang) {
        return silence(&stage, sender).await;
    }
    if poison(Poison::Reset) {
        return drop(sender);
    }
    deliver(sender, provider::answer(&stage, &fetch, fault));
}

async fn to_firestore(
    stage: Stage,
    from: Identity,
    request: OutboundRequest,
    sender: oneshot::Sender<Answer>,
) {
    let fault = stage.fault(Target::Firestore);
    let (_, path) = split(&request.url);
    let action = path.rsplit_once("/documents").map_or(path, |(_, action)| action);
    stage.tell(format!("{} {} {action}: {fault:?}", from.name(), request.method));
    stage.handle.sleep(stage.dice.millis(1, 10)).await;
    match fault {
        Some(Fault::Refused) => return deliver(sender, Err(TransportError::Connect("simulated".to_owned()))),
        Some(Fault::LostBefore) => return drop(sender),
        Some(Fault::Hang) => return silence(&stage, sender).await,
        Some(Fault::Late(delay)) => stage.handle.sleep(delay).await,
        Some(Fault::Status(status, _)) => return deliver(sender, Ok(refused(status))),
        _ => {}
    }
    let reply = carry_out(&stage, &from, &request, path, fault);
    stage.handle.sleep(stage.dice.millis(1, 30)).await;
    match fault {
        Some(Fault::LostAfter) => drop(sender),
        Some(Fault::HangAfter) => silence(&stage, sender).await,
        Some(Fault::StatusAfter) => deliver(sender, Ok(refused(503))),
        Some(Fault::Stream(how)) if stream::is_stream(path) => {
            let response = to_response(stream::spoil(reply, how, &stage.dice));
            let cut = how == Break::Truncated;
            deliver(sender, Ok(if cut { stream::truncate(response, &stage.dice) } else { response }));
        }
        _ => deliver(sender, Ok(to_response(reply))),
    }
}

/// Carries out a request on the store and checks its writes to the ledger.
fn carry_out(
    stage: &Stage,
    from: &Identity,
    request: &OutboundRequest,
    path: &str,
    fault: Option<Fault>,
) -> Reply {
    let now = stage.civil();
    let some_writes = fault == Some(Fault::SomeWrites) && path.ends_with(":batchWrite");
    let reply = if some_writes {
        write_some(stage, request, path)
    } else {
        stage.store().handle(now, &request.method, path, &request.body)
    };
    let written = stage.store().take_written();
    order_watch::learn(stage, &written);
    ledger_watch::check_written(stage, from, &written);
    alarms::check_written(stage, &written);
    record_watch::check_written(stage, &written);
    reply
}

/// Refuses a random half of a batch's writes with a retryable error and carries out the rest.
fn write_some(stage: &Stage, request: &OutboundRequest, path: &str) -> Reply {
    let mut body: Json = serde_json::from_slice(&request.body).expect("the component sends JSON");
    let Some(Json::Array(writes)) = body.get_mut("writes").map(Json::take) else {
        return Refusal::new("ABORTED", "simulated").into_reply();
    };
    let refused: Vec<bool> = writes.iter().map(|_| stage.dice.chance(50)).collect();
    let kept = writes.into_iter().zip(&refused).filter(|(_, refused)| !**refused).map(|(write, _)| write);
    body["writes"] = Json::Array(kept.collect());
    let now = stage.civil();
    let mut reply = stage.store().handle(now, &request.method, path, body.to_string().as_bytes());
    if !reply.status.is_success() {
        return reply;
    }
    let mut carried = reply.body["status"].as_array().cloned().unwrap_or_default().into_iter();
    let code = stage.dice.pick(&["UNAVAILABLE", "ABORTED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"]);
    let status = |refused| {
        if refused {
            Refusal::new(code, "simulated").into_write_status()
        } else {
            carried.next().expect("a status for each write")
        }
    };
    reply.body["status"] = refused.into_iter().map(status).collect();
    reply
}

fn refused(status: u16) -> InboundResponse {
    let name = match status {
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    };
    to_response(Refusal::new(name, "simulated").into_reply())
}

fn to_response(reply: Reply) -> InboundResponse {
    let Reply { status, body } = reply;
    debug_assert_ne!(status, StatusCode::NO_CONTENT);
    InboundResponse { status, headers: http::HeaderMap::new(), body: Bytes::from(body.to_string()) }
}
