//! Which service a token must be for.

use super::*;

#[test]
fn neither_host_nor_target_chooses_the_audience() {
    let setup = setup(&[AUDIENCE]);
    let ask = |audience: &str, uri: &str, host: &str| {
        let token = format!("Bearer {}", signed(&with("aud", json!(audience))));
        let request = Request::builder().uri(uri).header("host", host).header("authorization", token);
        let (head, ()) = request.body(()).unwrap().into_parts();
        let answer = setup.auth.authenticate(&head).now_or_never().expect("nothing waits");
        answer.err().map(|refusal| refusal.status().as_u16())
    };
    for uri in ["/tiingo/daily-prices", "/tiingo/daily-prices?source=cron", "/tiingo/daily-prices/"] {
        for host in ["us.example", "staging.example"] {
            assert_eq!(ask(AUDIENCE, uri, host), None, "{uri} at {host}");
            for audience in [format!("https://{host}"), format!("https://{host}{uri}")] {
                assert_eq!(ask(&audience, uri, host), Some(401), "{audience}: {uri} at {host}");
            }
        }
    }
    // The configuration does not come to this; the door would be closed.
    let without = super::setup(&[]);
    assert_eq!(
        without.ask_bearer(&signed(&with("aud", json!("https://us.example/tiingo/daily-prices")))),
        Some(401)
    );
}
