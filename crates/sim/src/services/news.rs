//! Parts shared by the articles of all services.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::dice::Dice;
use crate::endpoint::DayRange;

/// Headlines in several scripts, to catch code that counts bytes instead of characters.
pub(super) const HEADLINES: [&str; 8] = [
    "beats expectations — shares rise 5%",
    "in talks with Société Générale, says Frankfurter Börse",
    "東京市場で買収を発表",
    "объявляет результаты квартала",
    "\u{1F680} to the moon? Analysts disagree \u{1F4C9}",
    "توسّع أعمالها في الشرق الأوسط",
    "to split its stock \"2 for 1\" \\ dividend kept",
    "names naïve café owner to its board",
];
pub(super) const AUTHORS: [&str; 4] = ["Ana López", "J. O'Neil", "李小龙", "Staff"];
/// Articles of one ticker on one past day, at most.
pub(super) const ARTICLES_A_DAY: usize = 3;
pub(super) const CATEGORIES: [&str; 3] = ["company", "earnings", "merger"];

/// The first of a thousand numbers that are unlikely to occur in another answer.
pub(super) fn first_id(dice: &mut Dice) -> u64 {
    u64::from(dice.between(1_000, 999_999)) * 1_000
}

/// The articles' numbers and publication times, newest first: one a minute, so that ten are newer than any tick before.
pub(super) fn times(count: usize, at: DateTime<Utc>) -> impl Iterator<Item = (u64, DateTime<Utc>)> {
    std::iter::successors(Some(at), |time| time.checked_sub_signed(TimeDelta::minutes(1)))
        .zip(0..)
        .take(count)
        .map(|(time, number)| (number, time))
}

/// The publication times of a day's articles that are out by `at`: around noon in New York, newest first.
pub(super) fn times_of(
    count: usize,
    (from, to): DayRange,
    at: DateTime<Utc>,
) -> impl Iterator<Item = (NaiveDate, u64, DateTime<Utc>)> {
    let days = from.iter_days().take_while(move |day| *day <= to);
    days.flat_map(move |day| {
        let noon = day.and_hms_opt(17, 0, 0).map_or(at, |noon| noon.and_utc());
        times(count, noon).map(move |(number, time)| (day, number, time))
    })
    .filter(move |(_, _, time)| *time <= at)
}

pub(super) fn summary(dice: &mut Dice) -> String {
    let sentences = dice.between(1, 4);
    (0..sentences).flat_map(|_| ["It ", dice.pick(&HEADLINES), ". "]).collect()
}
