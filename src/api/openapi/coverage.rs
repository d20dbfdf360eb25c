//! The routes of coverage.

use serde_json::{Value as Json, json};

use super::{parameter, read, with_parameters};
use crate::api::coverage::query::{SESSIONS_DEFAULT, SESSIONS_MAX};
use crate::api::coverage::{FLAGS_MAX, NAMED_MAX};
use crate::catalogue;

pub(super) fn operations() -> [(&'static str, &'static str, Json); 5] {
    let grid = format!(
        "Coverage of a dataset: how many tickers are in which state, at most {SESSIONS_MAX} sessions at once"
    );
    let day = format!("Coverage of one day: tickers by state, at most {NAMED_MAX} each");
    let verify = "Counts the documents of one session and corrects its coverage";
    let flags = format!("Stored records of doubtful quality, at most {FLAGS_MAX}");
    let ticker = "One ticker in all datasets: newest session, missing ones of the last 60, last failure";
    let of_day = |operation| with_parameters(operation, &[dataset("path"), date()]);
    [
        ("/coverage", "get", of_range(read("coverage", &grid, "CoverageGrid", &[422]))),
        (
            "/coverage/{dataset}/{date}",
            "get",
            of_day(read("coverageOfDay", &day, "DayCoverage", &[404, 422])),
        ),
        (
            "/coverage/{dataset}/{date}/verify",
            "post",
            of_day(read("verifyCoverage", verify, "Verification", &[404, 422])),
        ),
        ("/flags", "get", of_range(read("flags", &flags, "FlagList", &[422]))),
        (
            "/tickers/{ticker}",
            "get",
            with_parameters(
                read("ticker", ticker, "TickerView", &[422]),
                &[parameter("ticker", "path", "Symbol", &json!({"$ref": "#/components/schemas/Ticker"}))],
            ),
        ),
    ]
}

fn of_range(operation: Json) -> Json {
    let day = |name: &str, default: &str| {
        let description = format!("YYYY-MM-DD, from 2010 to 2099; by default {default}");
        parameter(name, "query", &description, &json!({"type": "string", "format": "date"}))
    };
    let from = day("from", &format!("as many as make {SESSIONS_DEFAULT} sessions, or days"));
    let to = day("to", "the latest that a run has been due for");
    with_parameters(operation, &[dataset("query"), from, to])
}

fn dataset(place: &str) -> Json {
    let names: Vec<_> = catalogue::datasets().map(|dataset| dataset.name).collect();
    let mut dataset = parameter("dataset", place, "Dataset", &json!({"type": "string", "enum": names}));
    if let Json::Object(members) = &mut dataset {
        members.insert("required".to_owned(), true.into());
    }
    dataset
}

fn date() -> Json {
    let description = "A session; any day if the dataset has none. YYYY-MM-DD";
    parameter("date", "path", description, &json!({"type": "string", "format": "date"}))
}
