//! Many concurrent requests: the portfolio's quotes, compared with a bare client that makes the same exchanges.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use chrono::SecondsFormat;
use futures::stream::{self, StreamExt, TryStreamExt};
use reqwest::Method;
use serde_json::json;
use sim::data::Spec;
use sim::firestore::proxy::Exchange;
use sim::scheduler::Job;

use crate::bare::Bare;
use crate::figure::{Figure, count, percentile};
use crate::recording::{Call, Recording, without_preconditions};
use crate::scene::{Scene, tick_time};

/// The most frequent job.
const JOB: &str = "finnhub-quote-portfolio";
/// Positions in the portfolio.
const TICKERS: usize = 50;
/// The bare client keeps no limit: with the usual one, of four calls at once, the figures would be of the wait for it.
const LIMIT: (&str, &str) = ("max_concurrency_finnhub", "64");
/// Concurrent requests, and total requests.
const LOADS: [(usize, usize); 3] = [(1, 200), (16, 400), (100, 800)];
/// Number of alternating rounds of the orchestrator and the bare client.
const ROUNDS: usize = 4;

pub async fn measure(scene: &Scene) -> Result<Vec<Figure>> {
    let job = Job::find(JOB).context("no such job")?;
    let spec = Spec::default();
    let (recording, reply) = scene.record(job, TICKERS, spec).await?;
    let run_id = reply.body["data"]["run_id"].as_str().context("no run id")?;
    let script = Script::new(&recording, run_id)?;
    let system = scene.system(TICKERS, &[LIMIT]).await?;
    scene.answers(spec, Duration::ZERO);
    let route = format!("{}{}", system.orchestrator.url(), job.route);
    let mut figures = Vec::new();
    let mut number = 0;
    for (at_once, requests) in LOADS {
        let (mut ours, mut bare) = (Load::default(), Load::default());
        // Alternating, because the emulator keeps getting faster.
        for _ in 0..ROUNDS {
            system.reset().await?;
            let run = async |number| {
                let time = time(number);
                let body = json!({"scope": "active_symbols", "job": JOB, "run_time": time}).to_string();
                let answer = scene.bare.send(Method::POST, &route, Bytes::from(body)).await?;
                ensure!(answer.starts_with(br#"{"status":"ok""#), "{}", String::from_utf8_lossy(&answer));
                Ok(())
            };
            ours.drive(at_once, requests / ROUNDS, &mut number, run).await?;
            scene.providers.clear();
            system.reset().await?;
            let play = async |number| script.play(&scene.bare, number).await;
            bare.drive(at_once, requests / ROUNDS, &mut number, play).await?;
            scene.providers.clear();
        }
        let what = |what: &str| format!("{JOB}, {TICKERS} tickers, {at_once} at once: {what}");
        let against = "a bare client with the same exchanges";
        let mut add = |figure: Figure| {
            crate::tell(&figure);
            figures.push(figure);
        };
        add(Figure::new(what("throughput"), (ours.per_second(), "requests/s"), against, bare.per_second()));
        for percent in [50, 95, 99] {
            let of = |load: &Load| load.percentile_ms(percent);
            add(Figure::new(what(&format!("p{percent}")), (of(&ours), "ms"), against, of(&bare)));
        }
    }
    system.stop().await?;
    Ok(figures)
}

/// The result of a load.
#[derive(Default)]
struct Load {
    took: Duration,
    latencies_ms: Vec<f64>,
}

impl Load {
    /// Sends `requests` more requests, `at_once` concurrently, each with a unique number.
    async fn drive(
        &mut self,
        at_once: usize,
        requests: usize,
        number: &mut i64,
        send: impl AsyncFn(i64) -> Result<()>,
    ) -> Result<()> {
        let from = *number;
        *number += i64::try_from(requests)?;
        let send = &send;
        let start = Instant::now();
        let sent = stream::iter(from..*number).map(|number| async move {
            let start = Instant::now();
            send(number).await?;
            Ok::<_, anyhow::Error>(start.elapsed().as_secs_f64() * 1000.0)
        });
        let latencies_ms: Vec<f64> = sent.buffer_unordered(at_once).try_collect().await?;
        self.took += start.elapsed();
        self.latencies_ms.extend(latencies_ms);
        Ok(())
    }

    fn per_second(&self) -> f64 {
        count(self.latencies_ms.len()) / self.took.as_secs_f64()
    }

    fn percentile_ms(&self, percent: usize) -> f64 {
        let mut sorted = self.latencies_ms.clone();
        sorted.sort_by(f64::total_cmp);
        percentile(&sorted, percent)
    }
}

/// One run's exchanges, to be repeated with another run's id and time.
struct Script {
    before: Vec<Exchange>,
    call: Call,
    after: Vec<Exchange>,
    run_id: String,
    run_time: String,
}

impl Script {
    fn new(recording: &Recording, run_id: &str) -> Result<Self> {
        let call = recording.calls.first().context("no call")?.clone();
        let body: serde_json::Value = serde_json::from_slice(&call.body)?;
        let run_time = body["run_time"].as_str().context("no run time")?.to_owned();
        let mut exchanges = recording.firestore.clone();
        for exchange in exchanges.iter_mut().filter(|exchange| exchange.address.ends_with(":commit")) {
            exchange.body = without_preconditions(&exchange.body)?;
        }
        let writes = exchanges.iter().position(|exchange| exchange.address.ends_with(":batchWrite"));
        let after = exchanges.split_off(writes.context("nothing was written")?);
        Ok(Self { before: exchanges, call, after, run_id: run_id.to_owned(), run_time })
    }

    async fn play(&self, bare: &Bare, number: i64) -> Result<()> {
        let run_id = format!("{number:0width$}", width = self.run_id.len());
        let time = time(number);
        let anew = |body: &Bytes| {
            let text = String::from_utf8_lossy(body);
            Bytes::from(text.replace(&self.run_id, &run_id).replace(&self.run_time, &time))
        };
        for exchange in &self.before {
            bare.firestore(exchange.method.clone(), &exchange.address, anew(&exchange.body)).await?;
        }
        bare.call(&Call { address: self.call.address.clone(), body: anew(&self.call.body) }).await?;
        for exchange in &self.after {
            bare.firestore(exchange.method.clone(), &exchange.address, anew(&exchange.body)).await?;
        }
        Ok(())
    }
}

/// A different run time for each request, so that no two write the same documents.
fn time(number: i64) -> String {
    tick_time(number).to_rfc3339_opts(SecondsFormat::Secs, true)
}
