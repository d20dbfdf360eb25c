//! Articles: company news (finnhub, polygon) and market news (polygon).

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Dice, Spec, ingested, stamp};

/// Headlines in several scripts, so that nothing on the way may count bytes where it means characters.
const HEADLINES: [&str; 8] = [
    "beats expectations — shares rise 5%",
    "in talks with Société Générale, says Frankfurter Börse",
    "東京市場で買収を発表",
    "объявляет результаты квартала",
    "\u{1F680} to the moon? Analysts disagree \u{1F4C9}",
    "توسّع أعمالها في الشرق الأوسط",
    "to split its stock \"2 for 1\" \\ dividend kept",
    "names naïve café owner to its board",
];
const AUTHORS: [&str; 4] = ["Ana López", "J. O'Neil", "李小龙", "Staff"];
const CATEGORIES: [&str; 3] = ["company", "earnings", "merger"];

/// Company news as finnhub's service shapes it.
pub(super) fn finnhub(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Vec<Value> {
    let mut dice = Dice::new(spec.seed, &["finnhub news", ticker, &stamp(at)]);
    let first = first_id(&mut dice);
    let article = |(number, published): (u64, DateTime<Utc>)| {
        let id = first + number;
        json!({
            "ticker": ticker,
            "article_id": format!("finnhub_{id}"),
            "headline": format!("{ticker} {}", dice.pick(&HEADLINES)),
            "summary": summary(&mut dice),
            "url": format!("https://news.example.com/{id}"),
            "original_source": "Example Wire",
            "category": dice.pick(&CATEGORIES),
            "datetime": published.timestamp(),
            "image": dice.chance(80).then_some(""),
            "related": ticker,
            "source": "finnhub",
            "ingested_at": ingested(at),
        })
    };
    times(spec.records_per_ticker, at).map(article).collect()
}

/// Company news as polygon's service shapes it.
pub(super) fn polygon(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Vec<Value> {
    let mut dice = Dice::new(spec.seed, &["polygon news", ticker, &stamp(at)]);
    let first = first_id(&mut dice);
    times(spec.records_per_ticker, at)
        .map(|(number, published)| {
            let id = format!("polygon_{}", first + number);
            polygon_article(&mut dice, Some(ticker), &id, published, at)
        })
        .collect()
}

/// Market news: articles of no single ticker.
pub(super) fn market(spec: &Spec, at: DateTime<Utc>) -> Vec<Value> {
    let mut dice = Dice::new(spec.seed, &["polygon market", &stamp(at)]);
    let first = first_id(&mut dice);
    times(spec.market_articles, at)
        .map(|(number, published)| {
            let id = format!("polygon_market_{}", first + number);
            polygon_article(&mut dice, None, &id, published, at)
        })
        .collect()
}

fn polygon_article(
    dice: &mut Dice,
    ticker: Option<&str>,
    id: &str,
    published: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Value {
    let mentioned = ticker.map_or_else(|| vec!["SPY", "QQQ"], |ticker| vec![ticker, "SPY"]);
    let url = format!("https://news.example.com/{id}");
    json!({
        "ticker": ticker,
        "article_id": id,
        "title": format!("{} {}", ticker.unwrap_or("The market"), dice.pick(&HEADLINES)),
        "description": summary(dice),
        "url": url,
        "author": dice.pick(&AUTHORS),
        "published_utc": stamp(published),
        "amp_url": dice.chance(50).then(|| format!("{url}/amp")),
        "image_url": dice.chance(70).then(|| format!("{url}.jpg")),
        "keywords": ["markets", "économie"],
        "tickers": mentioned,
        "source": "polygon",
        "ingested_at": ingested(at),
    })
}

/// The first of a thousand numbers that no other answer is likely to use.
fn first_id(dice: &mut Dice) -> u64 {
    u64::from(dice.between(1_000, 999_999)) * 1_000
}

/// The articles' numbers with the times of their publication: one every 17 minutes, newest first.
fn times(count: usize, at: DateTime<Utc>) -> impl Iterator<Item = (u64, DateTime<Utc>)> {
    std::iter::successors(Some(at), |time| time.checked_sub_signed(TimeDelta::minutes(17)))
        .zip(0..)
        .take(count)
        .map(|(time, number)| (number, time))
}

fn summary(dice: &mut Dice) -> String {
    let sentences = dice.between(1, 4);
    (0..sentences).flat_map(|_| ["It ", dice.pick(&HEADLINES), ". "]).collect()
}
