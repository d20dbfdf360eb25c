//! The settings of the calendar. The room itself lies below this one, so they are read here.

use super::read::Reader;
use crate::calendar::Calendar;
use crate::catalogue::Ticks;

/// Reads the settings.
pub fn read(r: &mut Reader<'_>) -> Option<Ticks> {
    let name = "calendar_overrides";
    let text = r.text(name);
    let calendar = match Calendar::with_overrides(&text) {
        Ok(calendar) => Some(calendar),
        Err(error) => r.error(name, &error),
    };
    let skip = r.choice("closed_days", &[("skip", true), ("run", false)]);
    Some(Ticks { calendar: calendar?, skip: skip? })
}
