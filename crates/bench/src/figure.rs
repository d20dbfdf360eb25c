//! The measured figures, each compared with another one from the same run.

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use serde::Serialize;

/// Lines above and below, and one under the header.
const TABLE_STYLE: TableStyle = TableStyle::new()
    .top_border(LineStyle::none().fill('─').junction('─'))
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .bottom_border(LineStyle::none().fill('─').junction('─'));

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    /// What it is compared with, measured in the same run and in the same unit.
    pub against: String,
    pub reference: f64,
    /// `value / reference`.
    pub ratio: f64,
    /// The goal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<Goal>,
    /// A second comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
}

/// A second comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Beside {
    pub against: &'static str,
    pub reference: f64,
    pub ratio: f64,
}

/// The goal of a figure.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The ratio is at most this.
    RatioAtMost(f64),
    /// The value is at most this.
    ValueAtMost(f64),
}

impl Figure {
    pub fn new(
        what: impl Into<String>,
        (value, unit): (f64, &'static str),
        against: impl Into<String>,
        reference: f64,
    ) -> Self {
        let ratio = value / reference;
        Self {
            what: what.into(),
            value,
            unit,
            against: against.into(),
            reference,
            ratio,
            goal: None,
            beside: None,
        }
    }

    #[must_use]
    pub fn goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }

    #[must_use]
    pub fn beside(self, against: &'static str, reference: f64) -> Self {
        let ratio = self.value / reference;
        Self { beside: Some(Beside { against, reference, ratio }), ..self }
    }

    fn verdict(&self) -> String {
        let (figure, limit, sign) = match self.goal {
            None => return String::new(),
            Some(Goal::RatioAtMost(limit)) => (self.ratio, limit, "ratio ≤"),
            Some(Goal::ValueAtMost(limit)) => (self.value, limit, "≤"),
        };
        format!("{sign} {}: {}", shown(limit), if figure <= limit { "met" } else { "missed" })
    }
}

/// All figures as one table.
pub fn table(figures: &[Figure]) -> Table {
    let mut table = Table::new();
    table.load_style(TABLE_STYLE).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "what",
        "measured",
        "",
        "against",
        "measured",
        "ratio",
        "goal",
        "same exchanges, bare",
        "ratio",
    ]);
    for figure in figures {
        table.add_row([
            figure.what.clone(),
            shown(figure.value),
            figure.unit.to_owned(),
            figure.against.clone(),
            shown(figure.reference),
            format!("{:.2}", figure.ratio),
            figure.verdict(),
            figure.beside.as_ref().map(|beside| shown(beside.reference)).unwrap_or_default(),
            figure.beside.as_ref().map(|beside| format!("{:.2}", beside.ratio)).unwrap_or_default(),
        ]);
    }
    for column in [1, 4, 5, 7, 8] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Three significant digits.
fn shown(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// The median; of an even number of values the lower of the middle two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    percentile(&values, 50)
}

/// The value below which this percentage of sorted values lies.
pub fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// A number of things as a figure.
#[expect(clippy::cast_precision_loss, reason = "all counts here are far below 2^52")]
pub fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let sorted: Vec<_> = (1..=200).map(f64::from).collect();
        let found = [50, 95, 99, 100].map(|percent| shown(percentile(&sorted, percent)));
        assert_eq!(found, ["100", "190", "198", "200"]);
        assert_eq!(shown(median(vec![3.0, 1.0, 2.0])), "2.00");
        assert!(percentile(&[], 50).is_nan());
    }

    #[test]
    fn a_missed_goal_is_shown() {
        let figure = Figure::new("x", (12.0, "ms"), "y", 10.0);
        assert_eq!(figure.clone().goal(Goal::RatioAtMost(1.15)).verdict(), "ratio ≤ 1.15: missed");
        assert_eq!(figure.goal(Goal::ValueAtMost(64.0)).verdict(), "≤ 64.0: met");
    }
}
