//! The four provider services and the eight endpoints that they offer.

use std::fmt;

use serde_json::Value;

/// One of the four provider services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// End-of-day prices.
    Tiingo,
    /// Quotes, company news, fundamentals, earnings.
    Finnhub,
    /// Company and market news.
    Polygon,
    /// Technical indicators.
    Alphavantage,
}

impl Service {
    /// All four, in the order of their default ports.
    pub const ALL: [Self; 4] = [Self::Tiingo, Self::Finnhub, Self::Polygon, Self::Alphavantage];

    /// The name as it appears in paths, variables and records' `source`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tiingo => "tiingo",
            Self::Finnhub => "finnhub",
            Self::Polygon => "polygon",
            Self::Alphavantage => "alphavantage",
        }
    }

    /// The port that a default deployment gives to this service.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Tiingo => 8001,
            Self::Finnhub => 8002,
            Self::Polygon => 8003,
            Self::Alphavantage => 8004,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One path of one provider service that returns records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// End-of-day prices, a list for each ticker.
    TiingoPrices,
    /// One quote for each ticker.
    FinnhubQuotes,
    /// Company news, a list for each ticker.
    FinnhubNews,
    /// One set of figures for each ticker.
    FinnhubFundamentals,
    /// Past and coming reports, a list for each ticker.
    FinnhubEarnings,
    /// Company news, a list for each ticker.
    PolygonNews,
    /// Market news: the entries are the articles, and there are no tickers.
    PolygonMarket,
    /// Indicators by name for each ticker.
    AlphavantageIndicators,
}

impl Endpoint {
    /// All eight, by service.
    pub const ALL: [Self; 8] = [
        Self::TiingoPrices,
        Self::FinnhubQuotes,
        Self::FinnhubNews,
        Self::FinnhubFundamentals,
        Self::FinnhubEarnings,
        Self::PolygonNews,
        Self::PolygonMarket,
        Self::AlphavantageIndicators,
    ];

    /// The endpoint that `service` serves under `path`, if there is one.
    pub fn find(service: Service, path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.service() == service && endpoint.path() == path)
    }

    /// The service that offers this endpoint.
    pub const fn service(self) -> Service {
        match self {
            Self::TiingoPrices => Service::Tiingo,
            Self::FinnhubQuotes | Self::FinnhubNews | Self::FinnhubFundamentals | Self::FinnhubEarnings => {
                Service::Finnhub
            }
            Self::PolygonNews | Self::PolygonMarket => Service::Polygon,
            Self::AlphavantageIndicators => Service::Alphavantage,
        }
    }

    /// The path of this endpoint on its service.
    pub const fn path(self) -> &'static str {
        match self {
            Self::TiingoPrices | Self::FinnhubQuotes | Self::PolygonNews | Self::AlphavantageIndicators => {
                "/fetch"
            }
            Self::FinnhubNews => "/fetch/news",
            Self::FinnhubFundamentals => "/fetch/fundamentals",
            Self::FinnhubEarnings => "/fetch/earnings",
            Self::PolygonMarket => "/fetch/market",
        }
    }

    /// The Firestore collection that this endpoint's records belong in.
    pub const fn collection(self) -> &'static str {
        match self {
            Self::TiingoPrices => "prices_daily",
            Self::FinnhubQuotes => "prices_intraday",
            Self::FinnhubNews | Self::PolygonNews | Self::PolygonMarket => "news_articles",
            Self::FinnhubFundamentals => "fundamentals",
            Self::FinnhubEarnings => "earnings_calendar",
            Self::AlphavantageIndicators => "technical_indicators",
        }
    }

    /// The id of the document that holds `record`, or `None` where the record lacks a part of it.
    ///
    /// This is the plain form: an id with a character that Firestore forbids is the orchestrator's to escape.
    pub fn document_id(self, record: &Value) -> Option<String> {
        let text = |field: &str| record.get(field).and_then(Value::as_str);
        let of_ticker = |part: &str| Some(format!("{}_{part}", text("ticker")?));
        match self {
            Self::TiingoPrices => of_ticker(text("date")?),
            Self::FinnhubQuotes => {
                let seconds = record.get("timestamp").and_then(Value::as_i64)?;
                of_ticker(&crate::data::utc_second(seconds)?)
            }
            Self::FinnhubNews | Self::PolygonNews => of_ticker(text("article_id")?),
            Self::PolygonMarket => Some(format!("market_{}", text("article_id")?)),
            Self::FinnhubFundamentals => of_ticker(text("report_date")?),
            Self::FinnhubEarnings => of_ticker(text("earnings_date")?),
            Self::AlphavantageIndicators => {
                let date = record.pointer("/data/date").and_then(Value::as_str)?;
                of_ticker(&format!("{}_{date}", text("indicator")?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_endpoint_is_found_by_its_service_and_path() {
        for endpoint in Endpoint::ALL {
            assert_eq!(Endpoint::find(endpoint.service(), endpoint.path()), Some(endpoint));
        }
        assert_eq!(Endpoint::find(Service::Tiingo, "/fetch/news"), None);
    }

    #[test]
    fn a_quote_is_named_after_its_second_in_utc() {
        let quote = json!({"ticker": "AAPL", "timestamp": 1_710_518_400});
        assert_eq!(Endpoint::FinnhubQuotes.document_id(&quote).as_deref(), Some("AAPL_2024-03-15T16:00:00"));
    }

    #[test]
    fn a_record_without_its_date_has_no_document() {
        assert_eq!(Endpoint::TiingoPrices.document_id(&json!({"ticker": "AAPL"})), None);
    }
}
