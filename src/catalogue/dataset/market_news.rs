//! Market-wide news, from Polygon: articles that belong to no ticker.

use super::polygon_news::ARTICLE;
use super::{Schema, Shape, article, text};
use crate::firestore::write::Mode;

pub(super) static SCHEMA: Schema = Schema {
    name: "market_news",
    collection: |collections| &collections.news,
    api_name: "market-news",
    mode: Mode::Overwrite,
    shape: Shape::Bare,
    fields: ARTICLE,
    identify: |fields| article::identify(fields, "polygon_market", &["url", "title", "published_utc"]),
    apart: |fields| Some(article::content(fields)),
    id: |fields| format!("market_{}", text(fields, "article_id")),
};
