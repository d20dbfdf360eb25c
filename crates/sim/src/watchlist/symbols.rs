//! Ticker symbols: well-known ones first, then as many generated ones as needed.

/// The symbols that count as indices by name.
pub(super) const INDICES: [&str; 8] = ["SPY", "QQQ", "IWM", "DIA", "VTI", "VEA", "VWO", "BND"];

const KNOWN: [&str; 64] = [
    "AAPL", "MSFT", "GOOGL", "AMZN", "NVDA", "META", "TSLA", "BRK.B", "JPM", "V", "UNH", "XOM", "JNJ", "PG",
    "MA", "HD", "CVX", "MRK", "ABBV", "LLY", "PEP", "KO", "AVGO", "COST", "BAC", "WMT", "TMO", "MCD", "CSCO",
    "ACN", "ABT", "DHR", "ADBE", "CRM", "NFLX", "AMD", "INTC", "QCOM", "TXN", "HON", "UPS", "LOW", "IBM",
    "CAT", "GE", "BA", "GS", "MS", "AXP", "BLK", "SPGI", "ISRG", "MDT", "PLD", "AMT", "T", "VZ", "DIS",
    "NKE", "SBUX", "BF.B", "PM", "ORCL", "F",
];

/// The first `count` ordinary symbols.
pub(super) fn ordinary(count: usize) -> Vec<String> {
    KNOWN.iter().map(|symbol| (*symbol).to_owned()).chain((0..).map(generated)).take(count).collect()
}

/// `X` and four letters: no real symbol has this form.
fn generated(number: u32) -> String {
    let letter = |power: u32| char::from(b'A' + u8::try_from(number / 26_u32.pow(power) % 26).unwrap_or(0));
    ['X', letter(3), letter(2), letter(1), letter(0)].into_iter().collect()
}
