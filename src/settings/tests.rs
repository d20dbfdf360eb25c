use super::*;

/// The configuration for the emulator, with some settings changed.
pub(crate) fn parse(settings: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let local = [
        ("google_cloud_project", "p"),
        ("firestore_emulator_host", "127.0.0.1:8080"),
        ("inbound_auth", "none"),
    ];
    Config::parse(|name| {
        let mut all = settings.iter().chain(&local);
        all.find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    })
}

fn errors(settings: &[(&str, &str)]) -> Vec<String> {
    parse(settings).map(drop).unwrap_err().0
}

#[test]
fn mistakes_do_not_show_credentials() {
    for (name, value) in [
        ("tiingo_service_url", "http://me:hidden@host/"),
        ("tiingo_service_url", "http://me:hidden@host:port"),
        ("tiingo_service_url", "ftp://me:hidden@host"),
        ("tiingo_service_url", "ftp://host/?api_key=hidden"),
        ("tiingo_service_url", "http://host/?api_key=hidden"),
        ("tiingo_service_url", "//host?token=hidden"),
        ("firestore_emulator_host", "me:hidden@host:8080"),
        ("gcp_service_account_key", "hidden"),
    ] {
        let errors = errors(&[(name, value), ("gcp_credentials", "service_account_key")]).join("; ");
        assert!(errors.contains(name) && !errors.contains("hidden"), "{errors}");
    }
}

#[test]
fn addresses_that_spin_would_refuse_are_mistakes() {
    for name in [
        "tiingo_service_url",
        "finnhub_service_url",
        "polygon_service_url",
        "alphavantage_service_url",
        "google_certs_url",
        "google_oauth_url",
        "google_metadata_url",
    ] {
        let [error] = errors(&[(name, "https://gateway.example/base")]).try_into().unwrap();
        let expect = format!("{name} `https://gateway.example/base` has the path `/base`: Spin only accepts");
        assert!(error.starts_with(&expect), "{error}");
    }
    let emulator = |host| errors(&[("firestore_emulator_host", host)]);
    assert!(emulator(" ").contains(&"firestore_emulator_host is only whitespace: leave it empty".to_owned()));
    assert_eq!(emulator("localhost"), ["firestore_emulator_host must be host:port, not `localhost`"]);
    for host in ["*:8080", "self:8080"] {
        let [error] = emulator(host).try_into().unwrap();
        assert!(error.starts_with(&format!("firestore_emulator_host `http://{host}` ")), "{error}");
    }
}

#[test]
fn the_defaults_with_an_emulator_are_valid() {
    let config = parse(&[]).unwrap();
    assert_eq!(config.firestore.endpoint, "http://127.0.0.1:8080/v1");
    assert_eq!(config.firestore.database, "projects/p/databases/(default)");
    let size = |name| config.provider(Provider::parse(name).unwrap()).batch_size;
    let sizes = ["tiingo", "finnhub", "polygon", "alphavantage"].map(size);
    assert_eq!((config.credentials, config.firestore.ramp), (Credentials::Emulator, None));
    assert_eq!(sizes, [50, 50, 5, 2]);
}

#[test]
fn all_mistakes_are_told_together() {
    let settings = [
        ("google_cloud_project", ""),
        ("tiingo_service_url", "localhost:8001"),
        ("batch_size_polygon", "0"),
        ("log_level", "loud"),
        ("retry_max_ms", "100"),
        ("breaker_min_calls", "30"),
        ("cors_allow_origins", "https://a.example/path"),
    ];
    let expect = [
        "log_level must be one of error, warn, warning, info, debug, not `loud`",
        "cors_allow_origins `https://a.example/path` is not an origin such as https://example.com",
        "google_cloud_project is empty",
        "tiingo_service_url `localhost:8001` must be an http or https URL",
        "batch_size_polygon must be a whole number from 1 to 1000, not `0`",
        "retry_max_ms is less than the base delay: 100 ms, base 500 ms",
        "breaker_min_calls 30 is more than breaker_window, 20",
    ];
    assert_eq!(errors(&settings), expect);
}

#[test]
fn the_cloud_is_the_default_and_fails_closed() {
    let cloud = [("firestore_emulator_host", ""), ("inbound_auth", "oidc")];
    assert_eq!(
        errors(&cloud),
        [
            "scheduler_service_account is empty: inbound_auth = oidc requires at least one account",
            "oidc_audience is empty: inbound_auth = oidc requires at least one audience",
        ]
    );
    let open = [("firestore_emulator_host", "")];
    assert_eq!(
        errors(&open),
        ["inbound_auth `none` requires firestore_emulator_host or allow_unauthenticated = true"]
    );
    let config = parse(&[("firestore_emulator_host", ""), ("allow_unauthenticated", "true")]).unwrap();
    assert_eq!(config.firestore.endpoint, "https://firestore.googleapis.com/v1");
    assert!(config.firestore.ramp.is_some());
}

#[test]
fn credentials_are_found_in_their_order() {
    let with = |settings: &[(&str, &str)]| {
        let cloud = [("firestore_emulator_host", ""), ("inbound_auth", "platform")];
        parse(&[&cloud, settings].concat()).map(|config| config.credentials.name()).map_err(|errors| errors.0)
    };
    assert_eq!(with(&[]), Ok("metadata"));
    assert_eq!(with(&[("gcp_access_token", "t")]), Ok("access_token"));
    assert_eq!(with(&[("gcp_access_token", "t"), ("gcp_credentials", "metadata")]), Ok("metadata"));
    let emulator = with(&[("gcp_credentials", "emulator")]).unwrap_err();
    assert_eq!(emulator, ["gcp_credentials `emulator` requires firestore_emulator_host"]);
}

#[test]
fn a_bad_key_is_named_without_what_is_in_it() {
    let with =
        |key: &str| errors(&[("gcp_credentials", "service_account_key"), ("gcp_service_account_key", key)]);
    assert_eq!(with("{\"s3cret\""), ["gcp_service_account_key is not a JSON key file (line 1, column 9)"]);
    assert_eq!(
        with(r#"{"private_key": "-----BEGIN s3cret", "client_email": "a", "token_uri": "b"}"#),
        ["gcp_service_account_key has a `private_key` that is not an RSA key in PEM format"]
    );
}

#[test]
fn a_secret_never_shows() {
    let config = parse(&[("gcp_credentials", "access_token"), ("gcp_access_token", "s3cret")]).unwrap();
    let text = format!("{config:?}");
    assert!(text.contains("[redacted]") && !text.contains("s3cret"), "{text}");
}

#[test]
fn a_threshold_may_differ_for_single_jobs() {
    let config = parse(&[("alert_run_seconds", "600, polygon-news-universe = 3600")]).unwrap();
    let limits = config.alerts.run_seconds;
    assert_eq!((limits.of("polygon-news-universe"), limits.of("tiingo-daily-prices")), (3600, 600));
    for (text, expect) in [
        ("polygon-news-universe=5", "alert_run_seconds has no default for all jobs"),
        ("5, 6", "alert_run_seconds sets the default for all jobs twice: `6`"),
        ("5, other=6", "alert_run_seconds names an unknown job: `other=6`"),
        (
            "5, polygon-news-universe=0",
            "alert_run_seconds must contain whole numbers from 1 to 86400, not `polygon-news-universe=0`",
        ),
    ] {
        assert_eq!(errors(&[("alert_run_seconds", text)]), [expect]);
    }
}

#[test]
fn the_calendar_takes_the_operators_days() {
    let config = parse(&[("calendar_overrides", "2027-01-08=closed")]).unwrap();
    assert!(config.ticks.calendar.session("2027-01-08".parse().unwrap()).is_none());
    let [error] = errors(&[("calendar_overrides", "2027-01-08=shut")]).try_into().unwrap();
    let expect = "calendar_overrides must contain entries such as 2027-01-08=closed, ";
    assert!(error.starts_with(expect) && error.ends_with("not `2027-01-08=shut`"), "{error}");
}
