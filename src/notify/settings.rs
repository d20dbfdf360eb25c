//! Who is told about alerts: the settings.

use url::Url;

use super::target::Target;
use crate::config::Secret;
use crate::config::read::Reader;

/// Where messages go. What is not set is off.
#[derive(Clone, Debug)]
pub struct NotifyConfig {
    pub webhook: Option<Secret>,
    pub slack: Option<Secret>,
    pub pagerduty: Option<PagerDuty>,
    pub heartbeat: Option<Secret>,
    /// Where people open the dashboard, without a trailing slash.
    pub dashboard: Option<String>,
}

/// PagerDuty's Events API.
#[derive(Clone, Debug)]
pub struct PagerDuty {
    pub url: String,
    pub routing_key: Secret,
}

impl NotifyConfig {
    /// The targets that are set.
    pub fn targets(&self) -> Vec<Target> {
        let is_set = |target: &Target| match target {
            Target::Webhook => self.webhook.is_some(),
            Target::Slack => self.slack.is_some(),
            Target::PagerDuty => self.pagerduty.is_some(),
        };
        Target::ALL.into_iter().filter(is_set).collect()
    }
}

/// Reads the settings.
pub fn read(r: &mut Reader<'_>) -> Option<NotifyConfig> {
    let webhook = r.secret_url("notify_webhook", "notify_webhook_origin");
    let slack = r.secret_url("notify_slack", "notify_slack_origin");
    let pagerduty = pagerduty(r);
    let heartbeat = r.secret_url("heartbeat_url", "heartbeat_origin");
    let dashboard = dashboard(r);
    Some(NotifyConfig {
        webhook: webhook?,
        slack: slack?,
        pagerduty: pagerduty?,
        heartbeat: heartbeat?,
        dashboard: dashboard?,
    })
}

#[expect(clippy::option_option, reason = "as the reader's: none is an error, none inside it is off")]
fn pagerduty(r: &mut Reader<'_>) -> Option<Option<PagerDuty>> {
    let origin = r.origin("notify_pagerduty_origin")?;
    let key = r.text("notify_pagerduty");
    if key.is_empty() {
        return Some(None);
    }
    if key.chars().any(|c| !c.is_ascii_alphanumeric()) {
        return r.error("notify_pagerduty", "contains characters that are not part of a routing key");
    }
    let Some(origin) = origin else {
        return r.error("notify_pagerduty", "requires notify_pagerduty_origin, which is empty");
    };
    Some(Some(PagerDuty { url: format!("{origin}/v2/enqueue"), routing_key: Secret::new(key) }))
}

#[expect(clippy::option_option, reason = "likewise")]
fn dashboard(r: &mut Reader<'_>) -> Option<Option<String>> {
    let text = r.text("dashboard_url");
    if text.is_empty() {
        return Some(None);
    }
    let is_link = |url: &Url| {
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
    };
    match Url::parse(&text).ok().filter(is_link) {
        Some(url) => Some(Some(url.as_str().trim_end_matches('/').to_owned())),
        None => r.error("dashboard_url", "must be an http or https URL without credentials"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(settings: &[(&str, &str)]) -> Result<NotifyConfig, Vec<String>> {
        let lookup =
            |name: &str| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let mut reader = Reader::new(&lookup);
        let config = read(&mut reader);
        config.ok_or_else(|| reader.finish())
    }

    #[test]
    fn what_is_empty_is_off() {
        let config = parse(&[]).unwrap();
        assert!(config.targets().is_empty() && config.heartbeat.is_none() && config.dashboard.is_none());
    }

    #[test]
    fn an_address_and_its_origin_make_a_target() {
        let config = parse(&[
            ("notify_webhook", "http://hook.test:81/a?token=x#top"),
            ("notify_webhook_origin", "http://hook.test:81/"),
            ("notify_slack", "https://hooks.slack.com/services/T/B/x"),
            ("notify_pagerduty", "0123456789abcdef0123456789abcdef"),
            ("heartbeat_url", "https://beat.test/ping/x"),
            ("heartbeat_origin", "https://beat.test"),
            ("dashboard_url", "https://orchestrator.test/ingest/"),
        ])
        .unwrap();
        assert_eq!(config.targets(), Target::ALL);
        assert_eq!(config.webhook.unwrap().expose(), "http://hook.test:81/a?token=x");
        assert_eq!(config.pagerduty.unwrap().url, "https://events.pagerduty.com/v2/enqueue");
        assert_eq!(config.heartbeat.unwrap().expose(), "https://beat.test/ping/x");
        assert_eq!(config.dashboard.as_deref(), Some("https://orchestrator.test/ingest"));
    }

    #[test]
    fn mistakes_name_both_settings_and_never_the_secret() {
        let origin = "`https://hooks.slack.com`";
        for (settings, expect) in [
            (
                &[("notify_webhook", "https://s3cret.test/s3cret")][..],
                "notify_webhook requires notify_webhook_origin, its scheme://host[:port]: the runtime allows no other calls".to_owned(),
            ),
            (
                &[("notify_slack", "https://s3cret.test/s3cret")],
                format!("notify_slack does not have the origin that notify_slack_origin allows, {origin}"),
            ),
            (
                &[("notify_slack", "http://hooks.slack.com/s3cret")],
                format!("notify_slack does not have the origin that notify_slack_origin allows, {origin}"),
            ),
            (&[("notify_slack", "s3cret")], "notify_slack is not an http or https URL".to_owned()),
            (
                &[("notify_slack", "https://s3cret@hooks.slack.com/")],
                "notify_slack must have no user name or password in front of its host".to_owned(),
            ),
            (
                &[("notify_pagerduty", "s3cret key")],
                "notify_pagerduty contains characters that are not part of a routing key".to_owned(),
            ),
            (
                &[("notify_pagerduty", "s3cret"), ("notify_pagerduty_origin", "")],
                "notify_pagerduty requires notify_pagerduty_origin, which is empty".to_owned(),
            ),
            (&[("heartbeat_origin", " ")], "heartbeat_origin is only whitespace: leave it empty".to_owned()),
            (
                &[("dashboard_url", "https://s3cret@x.test")],
                "dashboard_url must be an http or https URL without credentials".to_owned(),
            ),
        ] {
            assert_eq!(parse(settings).unwrap_err(), [expect]);
        }
        // A wrong origin would invalidate the runtime's whole list, whether or not its address is set.
        let errors = parse(&[("notify_webhook_origin", "https://x.test/path")]).unwrap_err();
        assert!(
            errors[0].starts_with("notify_webhook_origin `https://x.test/path` has the path"),
            "{errors:?}"
        );
    }

    #[test]
    fn no_secret_is_printed() {
        let config = parse(&[
            ("notify_webhook", "https://hook.test/s3cret"),
            ("notify_webhook_origin", "https://hook.test"),
            ("notify_slack", "https://hooks.slack.com/s3cret"),
            ("notify_pagerduty", "s3cret"),
            ("heartbeat_url", "https://hook.test/s3cret"),
            ("heartbeat_origin", "https://hook.test"),
        ]);
        let printed = format!("{:?}", config.unwrap());
        assert!(printed.contains("[redacted]") && !printed.contains("s3cret"), "{printed}");
    }
}
