//! Company news, from Polygon.

use super::{Field, Kind, Schema, Shape, optional, required, text};
use crate::firestore::write::Mode;

/// The fields of every article of this provider.
pub(super) const ARTICLE: &[Field] = &[
    required("article_id", Kind::Text),
    required("title", Kind::FreeText),
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
    mode: Mode::Overwrite,
    shape: Shape::List,
    fields: ARTICLE,
    id: |fields| format!("{}_{}", text(fields, "ticker"), text(fields, "article_id")),
};
