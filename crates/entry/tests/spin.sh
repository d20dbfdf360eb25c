#!/bin/sh
# Stands for Spin 4.1: refuses the arguments that the parsers of its HTTP trigger (clap 4; exit code 2) and of `spin up`
# (the same; exit code 1) refuse, notes what it is given and says when it is told to end. A test holds it to the real one
# where there is one.

code=2
refuse() {
    echo "error: $1" >&2
    exit $code
}

words="$*"
[ "$1" = up ] || refuse "unrecognized subcommand '$1'"
printf '%s\n' "$@" > arguments
shift
seen=
while [ $# -gt 0 ]; do
    option=${1%%=*} many=
    case "$option" in
        --insecure|-k|--direct-mounts|--build|--truncate-logs|--disable-cache|--disable-pooling|--debug-info|--quiet|-q|\
        --find-free-port|--allow-transient-write|--experimental-wasi-otel) kind=flag ;;
        --env|-e|--component-id|-c|--follow|--variable|--key-value|--sqlite) kind=text many=yes ;;
        --from|-f|--from-registry|--profile|--format|--state-dir) kind=text ;;
        --from-file|--file|--temp|--tmp|--cache-dir|--log-dir|-L|--cache|--runtime-config-file|--tls-cert|--tls-key) kind=path ;;
        --listen) kind=address ;;
        --request-timeout|--idle-instance-timeout) kind=time ;;
        --http1-max-buf-size|--max-instance-memory|--max-instance-reuse-count|--max-instance-concurrent-reuse-count) kind=number ;;
        *) refuse "unexpected argument '$1' found" ;;
    esac
    case "$option" in
        --env|-e|--component-id|-c|--from|-f|--from-registry|--from-file|--file|--profile|--insecure|-k|--temp|--tmp|\
        --cache-dir|--direct-mounts|--build) code=1 ;;
        *) code=2 ;;
    esac
    case "$many $seen " in " "*" $option "*) refuse "the argument '$option' cannot be used multiple times" ;; esac
    seen="$seen $option"
    case "$kind $1" in
        flag*=*) refuse "unexpected value for '$option' found" ;;
        flag*) shift; continue ;;
        *=*) value=${1#*=}; shift ;;
        *)
            [ $# -gt 1 ] || refuse "a value is required for '$option' but none was supplied"
            case "$2" in -*) refuse "a value is required for '$option' but none was supplied" ;; esac
            value=$2; shift 2 ;;
    esac
    case "$kind $value" in
        time*s) digits=${value%s}; digits=${digits%[mun]} ;;
        time*|number*) digits=$value ;;
        *) digits=1 ;;
    esac
    case "$digits" in ''|*[!0-9]*) refuse "invalid value '$value' for '$option'" ;; esac
    case "$kind $value" in
        "path ") refuse "a value is required for '$option' but none was supplied" ;;
        address*:*[0-9]) ;;
        address*) refuse "invalid value '$value' for '$option'" ;;
    esac
done
case "$words" in *--disable-cache*--cache\ *|*--cache\ *--disable-cache*) refuse "'--disable-cache' cannot be used with '--cache'" ;; esac

# Said when everything is noted, so that nobody needs to wait.
env | grep '^SPIN_VARIABLE_' | sort > variables
trap 'echo told; exit 7' TERM
echo started
while :; do sleep 0.05; done
