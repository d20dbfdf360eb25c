//! The setting of the calendar. The room itself lies below this one, so the setting is read here.

use super::read::Reader;
use crate::calendar::Calendar;

/// Reads the setting.
pub fn read(r: &mut Reader<'_>) -> Option<Calendar> {
    let name = "calendar_overrides";
    let text = r.text(name);
    match Calendar::with_overrides(&text) {
        Ok(calendar) => Some(calendar),
        Err(error) => r.error(name, &error),
    }
}
