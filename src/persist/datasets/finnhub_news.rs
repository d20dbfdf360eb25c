//! Company news, from Finnhub.

use super::{Kind, Schema, Shape, optional, required, text};
use crate::firestore::write::Mode;

pub(super) static SCHEMA: Schema = Schema {
    name: "finnhub_news",
    collection: |collections| &collections.news,
    mode: Mode::Overwrite,
    shape: Shape::List,
    fields: &[
        required("article_id", Kind::Text),
        required("headline", Kind::FreeText),
        optional("summary", Kind::FreeText),
        optional("url", Kind::FreeText),
        optional("original_source", Kind::FreeText),
        optional("category", Kind::FreeText),
        optional("datetime", Kind::UnixSeconds),
        optional("image", Kind::FreeText),
        optional("related", Kind::FreeText),
    ],
    id: |fields| format!("{}_{}", text(fields, "ticker"), text(fields, "article_id")),
};
