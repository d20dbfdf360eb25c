//! Market-wide news, from Polygon: articles that belong to no ticker.

use super::polygon_news::ARTICLE;
use super::{Schema, Shape, text};
use crate::firestore::write::Mode;

pub(super) static SCHEMA: Schema = Schema {
    name: "market_news",
    collection: |collections| &collections.news,
    mode: Mode::Overwrite,
    shape: Shape::Bare,
    fields: ARTICLE,
    id: |fields| format!("market_{}", text(fields, "article_id")),
};
