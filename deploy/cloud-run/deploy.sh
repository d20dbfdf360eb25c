#!/usr/bin/env bash
# Deploys the orchestrator to Cloud Run with everything it needs: service accounts, permissions, secret, service,
# scheduler jobs, Firestore indexes. It can be run again at any time and leaves alone what is already right.
set -euo pipefail

# Generated from the catalogue by `UPDATE=1 cargo test --test it tidy`.
# providers:start
service_urls=(TIINGO_SERVICE_URL FINNHUB_SERVICE_URL POLYGON_SERVICE_URL ALPHAVANTAGE_SERVICE_URL)
# providers:end

usage() {
  local urls="${service_urls[*]}"
  cat <<TEXT
Usage: deploy/cloud-run/deploy.sh [--dry-run]

  --dry-run   show every command that would change something, and the service definition; change nothing

Settings, from the environment:
  PROJECT                Google Cloud project (required)
  IMAGE                  image to run, preferably by digest: REGION-docker.pkg.dev/…/orchestrator@sha256:… (required)
  ${urls// /, }
                         addresses of the provider services (required)
  REGION                 region of the service and the scheduler jobs [us-east1]
  DATABASE               Firestore database [(default)]
  LOG_LEVEL              [info]
  PROVIDER_AUTH          id_token if the providers require one, otherwise none [id_token]
  PROVIDER_SERVICES      Cloud Run services of the providers, in the same region, that the orchestrator may call
  INBOUND_AUTH           who authenticates callers: platform (Cloud Run IAM) or oidc (the component; anybody can
                         reach the service) [platform]
  OPERATOR_TOKEN_VERSION version of the secret with the operator token [latest]
  NOTIFY_WEBHOOK_ORIGIN, HEARTBEAT_ORIGIN
                         origins (scheme://host[:port]) of the addresses in the secrets orchestrator-notify-webhook and
                         orchestrator-heartbeat-url [none]
  DASHBOARD_URL          address at which people open the dashboard, for links in notifications [none]
TEXT
}

dry_run=
for argument in "$@"; do
  case "$argument" in
    --dry-run) dry_run=yes ;;
    -h | --help) usage; exit ;;
    *) usage >&2; exit 2 ;;
  esac
done

for name in PROJECT IMAGE "${service_urls[@]}"; do
  if [[ -z "${!name:-}" ]]; then
    echo "error: $name is not set; see --help" >&2
    exit 2
  fi
done
: "${REGION:=us-east1}" "${DATABASE:=(default)}" "${LOG_LEVEL:=info}" "${PROVIDER_AUTH:=id_token}"
: "${PROVIDER_SERVICES:=}" "${INBOUND_AUTH:=platform}" "${OPERATOR_TOKEN_VERSION:=latest}"
: "${NOTIFY_WEBHOOK_ORIGIN:=}" "${HEARTBEAT_ORIGIN:=}" "${DASHBOARD_URL:=}"
case "$INBOUND_AUTH" in
  platform | oidc) ;;
  *) echo "error: INBOUND_AUTH is '$INBOUND_AUTH'; it must be platform or oidc" >&2; exit 2 ;;
esac

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
runtime="orchestrator-run@$PROJECT.iam.gserviceaccount.com"
scheduler="orchestrator-scheduler@$PROJECT.iam.gserviceaccount.com"
secret=orchestrator-operator-token
# The audience of every token that the scheduler gets, and that the component expects. It is a name, not an address, so
# that it is known before the service exists.
AUDIENCE="https://orchestrator.$PROJECT.internal"
export CLOUDSDK_CORE_PROJECT="$PROJECT" CLOUDSDK_CORE_DISABLE_PROMPTS=1

step() { echo "== $*"; }

# Shows a command and, unless this is a dry run, runs it.
change() {
  printf '   %s\n' "${*@Q}"
  [[ -n "$dry_run" ]] || "$@" >/dev/null
}

# Whether gcloud finds something.
exists() { gcloud "$@" >/dev/null 2>&1; }

step "APIs"
change gcloud services enable run.googleapis.com firestore.googleapis.com cloudscheduler.googleapis.com \
  secretmanager.googleapis.com

step "service accounts: one runs the service, one calls it"
for account in orchestrator-run orchestrator-scheduler; do
  exists iam service-accounts describe "$account@$PROJECT.iam.gserviceaccount.com" ||
    change gcloud iam service-accounts create "$account" --display-name="$account"
done

step "the service may read and write one Firestore database"
condition="expression=resource.name==\"projects/$PROJECT/databases/$DATABASE\",title=orchestrator-database"
change gcloud projects add-iam-policy-binding "$PROJECT" --member="serviceAccount:$runtime" \
  --role=roles/datastore.user --condition="$condition"

step "the operator token"
exists secrets describe "$secret" || change gcloud secrets create "$secret" --replication-policy=automatic
if ! exists secrets versions describe latest --secret="$secret"; then
  if [[ -n "$dry_run" ]]; then
    echo "   (a random token becomes the secret's first version)"
  else
    head -c 32 /dev/urandom | base64 | tr -d '\n' | gcloud secrets versions add "$secret" --data-file=- >/dev/null
  fi
fi
change gcloud secrets add-iam-policy-binding "$secret" --member="serviceAccount:$runtime" \
  --role=roles/secretmanager.secretAccessor

step "who is told about alerts: secrets, blank until somebody adds a version"
for name in notify-webhook notify-slack notify-pagerduty heartbeat-url; do
  name="orchestrator-$name"
  exists secrets describe "$name" || change gcloud secrets create "$name" --replication-policy=automatic
  if ! exists secrets versions describe latest --secret="$name"; then
    if [[ -n "$dry_run" ]]; then
      echo "   (a blank line becomes the first version of $name)"
    else
      echo | gcloud secrets versions add "$name" --data-file=- >/dev/null
    fi
  fi
  change gcloud secrets add-iam-policy-binding "$name" --member="serviceAccount:$runtime" \
    --role=roles/secretmanager.secretAccessor
done

step "the service may call the providers"
for service in $PROVIDER_SERVICES; do
  change gcloud run services add-iam-policy-binding "$service" --region="$REGION" \
    --member="serviceAccount:$runtime" --role=roles/run.invoker
done

step "the service"
rendered=$(mktemp)
trap 'rm -f "$rendered"' EXIT
text=$(<"$here/service.yaml")
for name in PROJECT IMAGE DATABASE "${service_urls[@]}" LOG_LEVEL INBOUND_AUTH AUDIENCE OPERATOR_TOKEN_VERSION \
  PROVIDER_AUTH NOTIFY_WEBHOOK_ORIGIN HEARTBEAT_ORIGIN DASHBOARD_URL; do
  # All values are inside quotes. None may change the document around it.
  if [[ ! "${!name}" =~ ^[A-Za-z0-9()._~:/@%,+=-]*$ ]]; then
    echo "error: $name contains characters that are not allowed: ${!name}" >&2
    exit 2
  fi
  text=${text//"\${$name}"/"${!name}"}
done
printf '%s\n' "$text" >"$rendered"
[[ -z "$dry_run" ]] || sed 's/^/   | /' "$rendered"
change gcloud run services replace "$rendered" --region="$REGION"

step "who may call: the scheduler$([[ "$INBOUND_AUTH" == platform ]] || echo ', and everybody the component accepts')"
change gcloud run services add-iam-policy-binding orchestrator --region="$REGION" \
  --member="serviceAccount:$scheduler" --role=roles/run.invoker
if [[ "$INBOUND_AUTH" == oidc ]]; then
  change gcloud run services add-iam-policy-binding orchestrator --region="$REGION" --member=allUsers \
    --role=roles/run.invoker
fi

step "scheduler jobs and Firestore indexes"
url=$(gcloud run services describe orchestrator --region="$REGION" --format='value(status.url)' 2>/dev/null) || true
if [[ -z "$url" ]]; then
  [[ -n "$dry_run" ]] || { echo "error: the service has no address yet" >&2; exit 1; }
  url=https://orchestrator.example.com
fi
mode=--apply
[[ -z "$dry_run" ]] || mode=--dry-run
# With IAM in front the audience must be the service's own address.
audience=$url
[[ "$INBOUND_AUTH" == platform ]] || audience=$AUDIENCE
(
  cd "$here/../.."
  cargo xtask scheduler "$mode" --project "$PROJECT" --location "$REGION" --url "$url" --audience "$audience" \
    --service-account "$scheduler"
  cargo xtask indexes "$mode" --project "$PROJECT" --database "$DATABASE"
)

step "done${dry_run:+: nothing was changed}${url:+, $url}"
