//! Company news, from Finnhub.

use super::{Kind, Schema, Shape, article, optional, text};
use crate::firestore::write::Mode;

pub(super) static SCHEMA: Schema = Schema {
    name: "finnhub_news",
    collection: |collections| &collections.news,
    api_name: "company-news",
    mode: Mode::Overwrite,
    shape: Shape::List,
    fields: &[
        optional("article_id", Kind::FreeText),
        optional("headline", Kind::FreeText),
        optional("summary", Kind::FreeText),
        optional("url", Kind::FreeText),
        optional("original_source", Kind::FreeText),
        optional("category", Kind::FreeText),
        optional("datetime", Kind::UnixTime),
        optional("image", Kind::FreeText),
        optional("related", Kind::FreeText),
    ],
    identify: |fields| article::identify(fields, "finnhub", &["url", "headline", "datetime"]),
    apart: |fields| Some(article::content(fields)),
    id: |fields| format!("{}_{}", text(fields, "ticker"), text(fields, "article_id")),
};
