//! Company news, from Polygon.

use super::{Field, Kind, Schema, Shape, article, optional, text};
use crate::firestore::write::Mode;

/// The fields of every article of this provider.
pub(super) const ARTICLE: &[Field] = &[
    optional("article_id", Kind::FreeText),
    optional("title", Kind::FreeText),
    optional("description", Kind::FreeText),
    optional("url", Kind::FreeText),
    optional("author", Kind::FreeText),
    optional("published_utc", Kind::FreeText),
    optional("amp_url", Kind::FreeText),
    optional("image_url", Kind::FreeText),
    optional("keywords", Kind::Texts),
    optional("tickers", Kind::Texts),
];

pub(super) static SCHEMA: Schema = Schema {
    name: "polygon_news",
    collection: |collections| &collections.news,
    api_name: "company-news",
    mode: Mode::Overwrite,
    shape: Shape::List,
    fields: ARTICLE,
    identify: |fields| article::identify(fields, "polygon", &["url", "title", "published_utc"]),
    apart: |fields| Some(article::content(fields)),
    id: |fields| format!("{}_{}", text(fields, "ticker"), text(fields, "article_id")),
};
