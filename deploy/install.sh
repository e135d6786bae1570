#!/usr/bin/env bash
# Snapcore Forwarder on a plain Debian or Ubuntu server: HTTPS by nginx, one systemd service.
#
#   sudo deploy/install.sh install      asks four questions; --yes takes the answers of the options
#   sudo deploy/install.sh update       a backup, then the release this script lies in instead of the running one; back
#                                       again, the database too, if it does not come up
#   sudo deploy/install.sh rollback     the release before the last update, and the database as that one knows it
#   sudo deploy/install.sh uninstall    everything but the data; --purge: the data too
#
# Options: --host NAME            the name people use, such as forward.example.org
#          --email ADDRESS        for a certificate by ACME (Let's Encrypt), renewed by certbot's own timer
#          --certificate FILE --key FILE   your own certificate instead; or --self-signed, for a first look
#          --firewall yes|no      ufw: SSH, 80 and 443 only
#          --ssh-keys-only yes|no no passwords over SSH (refused while root and you have no key)
#          --dry-run              say every step, take none
#
# INSTALL_ROOT=DIR in the environment: everything below DIR, for a look at what an update would do.
# What lies where: /opt/snapcore-forwarder/releases/<id> (code, owned by root), …/current; /etc/snapcore-forwarder
# (environment, tls); /var/lib/snapcore-forwarder (all data: back this up).
set -euo pipefail

NAME=snapcore-forwarder
HERE="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"
INSTALL_ROOT="${INSTALL_ROOT:-}"
BASE=$INSTALL_ROOT/opt/$NAME
ETC=$INSTALL_ROOT/etc/$NAME
DATA=$INSTALL_ROOT/var/lib/$NAME
ACME=$INSTALL_ROOT/var/lib/$NAME-acme
OWNER=forwarder
DOOR=127.0.0.1:8080
COMES_UP_S=180
MOST_RESTARTS=3 # what died so often at its start will not come up

HOST="" EMAIL="" CERTIFICATE="" KEY="" FIREWALL="" KEYS_ONLY="" SELF_SIGNED=0 YES=0 DRY_RUN=0 PURGE=0

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Every change of the machine goes through here, so that --dry-run shows exactly what would be done.
act() {
  if ((DRY_RUN)); then printf 'would run: %s\n' "$*"; else "$@"; fi
}

# write FILE MODE: standard input becomes the file, whole or not at all.
write() {
  if ((DRY_RUN)); then
    printf 'would write: %s (%s)\n' "$1" "$2"
    cat >/dev/null
    return
  fi
  install -d -m 0755 "$(dirname "$1")"
  cat >"$1.new"
  chmod "$2" "$1.new"
  mv "$1.new" "$1"
}

has_systemd() { [[ -d /run/systemd/system ]]; }

# --- the four questions ----------------------------------------------------------------------------------------------

ask() { # ask VARIABLE QUESTION DEFAULT
  local answer
  [[ -n "${!1}" ]] && return
  if ((YES)); then
    printf -v "$1" '%s' "$3"
    return
  fi
  read -r -p "$2${3:+ [$3]}: " answer || die "no answer; give the options, or --yes"
  printf -v "$1" '%s' "${answer:-$3}"
}

ask_all() {
  ask HOST "Under which name is this server reached" ""
  [[ "$HOST" =~ ^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$ ]] || die "'$HOST' is no host name"
  if [[ -z "$CERTIFICATE" ]] && ! ((SELF_SIGNED)); then
    ask EMAIL "E-mail address for the certificate (empty: a self-signed one for now)" ""
    [[ -n "$EMAIL" ]] || SELF_SIGNED=1
  fi
  if [[ -n "$CERTIFICATE" ]]; then
    [[ -r "$CERTIFICATE" && -r "$KEY" ]] || die "--certificate and --key must both name files"
  fi
  ask FIREWALL "Close every port but SSH, 80 and 443 with ufw (yes/no)" no
  ask KEYS_ONLY "Let nobody in over SSH by password (yes/no)" no
}

# --- the parts of an installation ------------------------------------------------------------------------------------

install_packages() {
  local wanted=(bash ca-certificates curl ffmpeg git nginx openssl python3 python3-venv)
  [[ -z "$EMAIL" ]] || wanted+=(certbot)
  [[ "$FIREWALL" != yes ]] || wanted+=(ufw)
  act env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  act env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}"
}

make_owner() {
  getent passwd "$OWNER" >/dev/null \
    || act useradd --system --home-dir "$DATA" --shell /usr/sbin/nologin --user-group "$OWNER"
  act install -d -o "$OWNER" -g "$OWNER" -m 0700 "$DATA"
  act install -d -o root -g "$OWNER" -m 0750 "$ETC"
}

# lay_out RELEASE: this tree, its packages and its compiled code under releases/, owned by root.
lay_out() {
  local target="$BASE/releases/$1"
  [[ ! -f "$target/.complete" ]] || return 0
  say "release $1"
  act rm -rf "$target"
  act install -d -m 0755 "$target"
  act tar -C "$HERE" --exclude=./.git --exclude=./.venv --exclude=./.cache --exclude=./.env \
    --exclude=./secrets --exclude=./data -cf "$target.tar" .
  act tar -C "$target" --no-same-owner -xf "$target.tar"
  act rm -f "$target.tar"
  act "$target/run" setup
  act "$target/.venv/bin/python" -m compileall -q "$target/forwarder_core" "$target/forwarder_pipelines" "$target/admin_app"
  act chmod -R go-w,a+rX "$target"
  act touch "$target/.complete"
}

release_id() { # the code's own hash: the same tree is the same release
  printf '%s-%s\n' "$(sed -n 's/^version = "\(.*\)"/\1/p' "$HERE/pyproject.toml")" \
    "$(cd "$HERE" && find run forwarder_core forwarder_pipelines admin_app requirements.lock -type f \
      ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-10)"
}

switch_to() { # switch_to RELEASE: one rename, so that there is always a current release
  act ln -sfn "releases/$1" "$BASE/current.new"
  act mv -T "$BASE/current.new" "$BASE/current"
}

current_release() { [[ -L "$BASE/current" ]] && basename "$(readlink "$BASE/current")"; }

write_environment() {
  [[ ! -e "$ETC/environment" ]] || { say "keeping $ETC/environment"; return; }
  write "$ETC/environment" 0640 <<TEXT
# Settings of Snapcore Forwarder; every one is in $BASE/current/.env.example. Restart the service after a change.
FORWARDER_HOME=$DATA
FORWARDER_BIND=$DOOR
FORWARDER_PUBLIC_URL=https://$HOST
TEXT
  act chown "root:$OWNER" "$ETC/environment"
}

install_units() { # install_units TREE
  write "/etc/systemd/system/$NAME.service" 0644 <"$1/deploy/systemd/$NAME.service"
  if has_systemd; then
    act systemctl daemon-reload
    act systemctl enable --quiet "$NAME.service"
  else
    say "systemd does not run here: start '$BASE/current/run up' as the user $OWNER with $ETC/environment yourself"
  fi
}

# --- HTTPS -----------------------------------------------------------------------------------------------------------

self_signed() {
  act openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 397 -subj "/CN=$HOST" \
    -addext "subjectAltName=DNS:$HOST" -keyout "$ETC/tls/key.pem" -out "$ETC/tls/certificate.pem"
}

install_certificate() {
  act install -d -m 0700 "$ETC/tls"
  if [[ -n "$CERTIFICATE" ]]; then
    act install -m 0644 "$CERTIFICATE" "$ETC/tls/certificate.pem"
    act install -m 0600 "$KEY" "$ETC/tls/key.pem"
  elif [[ ! -e "$ETC/tls/certificate.pem" ]]; then
    self_signed # nginx needs one before the first real one can be had
  fi
}

obtain_certificate() {
  [[ -n "$EMAIL" ]] || return 0
  act install -d -m 0755 "$ACME"
  act certbot certonly --non-interactive --agree-tos --webroot -w "$ACME" -d "$HOST" -m "$EMAIL" --keep-until-expiring
  act ln -sf "/etc/letsencrypt/live/$HOST/fullchain.pem" "$ETC/tls/certificate.pem"
  act ln -sf "/etc/letsencrypt/live/$HOST/privkey.pem" "$ETC/tls/key.pem"
  write "/etc/letsencrypt/renewal-hooks/deploy/$NAME" 0755 <<'TEXT'
#!/bin/sh
exec systemctl reload nginx
TEXT
  reload_nginx
}

install_nginx() {
  sed -e "s|\${FORWARDER_HOST}|$HOST|g" -e "s|\${FORWARDER_UPSTREAM}|$DOOR|g" -e "s|\${FORWARDER_TLS}|$ETC/tls|g" \
    "$HERE/deploy/nginx/forwarder.conf.template" | write "/etc/nginx/conf.d/$NAME.conf" 0644
  # The distribution's welcome page would answer for every other name.
  [[ ! -L /etc/nginx/sites-enabled/default ]] || act rm /etc/nginx/sites-enabled/default
  act nginx -t -q
  reload_nginx
}

reload_nginx() {
  if has_systemd; then act systemctl reload-or-restart nginx; else say "start nginx, or have it read its configuration again"; fi
}

# --- who may come near -----------------------------------------------------------------------------------------------

close_ports() {
  [[ "$FIREWALL" == yes ]] || return 0
  local ssh_port
  ssh_port="$({ sshd -T 2>/dev/null || true; } | sed -n 's/^port //p' | head -n 1)"
  act ufw allow "${ssh_port:-22}/tcp" # first of all: whoever is working here must stay in
  act ufw allow 80/tcp
  act ufw allow 443/tcp
  act ufw --force enable
}

keys_only() {
  [[ "$KEYS_ONLY" == yes ]] || return 0
  local who home
  who="${SUDO_USER:-root}"
  home="$(getent passwd "$who" | cut -d: -f6)"
  [[ -s "$home/.ssh/authorized_keys" ]] || die "$who has no SSH key here: passwords stay allowed, or you lock yourself out"
  write "/etc/ssh/sshd_config.d/50-$NAME.conf" 0644 <<'TEXT'
PasswordAuthentication no
KbdInteractiveAuthentication no
TEXT
  ! has_systemd || act systemctl reload ssh
}

# --- starting and watching -------------------------------------------------------------------------------------------

answers() { curl -fsS -m 3 -o /dev/null "http://$DOOR/api/health/simple" 2>/dev/null; }

stop_service() { if has_systemd || ((DRY_RUN)); then act systemctl stop "$NAME"; fi; }

restarts_of_service() { systemctl show --property=NRestarts --value "$NAME"; }

start_and_wait() {
  if ((DRY_RUN)); then act systemctl restart "$NAME"; return; fi
  has_systemd || return 0
  systemctl restart "$NAME"
  local waited=0 restarts
  restarts="$(restarts_of_service)"
  until answers; do
    ((waited < COMES_UP_S && $(restarts_of_service) < restarts + MOST_RESTARTS)) || return 1
    systemctl is-failed --quiet "$NAME" && return 1
    sleep 2
    waited=$((waited + 2))
  done
}

# --- the commands ----------------------------------------------------------------------------------------------------

run_install() {
  [[ ! -L "$BASE/current" ]] || die "it is installed already; use: $0 update"
  ask_all
  local release
  release="$(release_id)"
  install_packages
  make_owner
  lay_out "$release"
  switch_to "$release"
  write_environment
  install_units "$HERE"
  install_certificate
  install_nginx
  close_ports
  keys_only
  start_and_wait || die "it does not come up; see: journalctl -u $NAME"
  obtain_certificate
  say ""
  say "URL: https://$HOST"
  say "User: admin"
  if [[ -r "$DATA/admin-password" ]]; then say "Password: $(<"$DATA/admin-password")"; else say "Password: see $DATA/admin-password"; fi
}

run_update() {
  local before release
  before="$(current_release)" || die "it is not installed; use: $0 install"
  release="$(release_id)"
  [[ "$before" != "$release" ]] || { say "$release is running already"; return; }
  lay_out "$release"
  stop_service
  keep_way_back "$before" || { start_and_wait || true; die "no backup could be taken; $before goes on as it was"; }
  switch_to "$release"
  install_units "$HERE"
  if start_and_wait; then
    say "updated: $before → $release"
  else
    say "$release does not come up; going back to $before"
    run_rollback
    exit 1
  fi
}

# keep_way_back RELEASE: which release and which revision of the database to go back to, and a backup, while nothing runs.
keep_way_back() {
  local file revision
  file="$DATA/backups/before-update-$(date -u +%Y%m%dT%H%M%SZ).backup"
  act as_owner mkdir -p "$DATA/backups" || return 1
  act as_owner "$BASE/current/run" backup "$file" || return 1
  if ((DRY_RUN)); then revision=REVISION; else revision="$(as_owner "$BASE/current/run" migrate | sed -n 's/^Revision: //p')"; fi
  [[ -n "$revision" ]] || return 1
  write "$BASE/previous" 0644 <<<"$1 $revision"
  say "backup: $file"
}

# as_owner COMMAND…: as the service's user with the service's settings. They stand in no command line.
as_owner() (
  local line value
  while IFS= read -r line; do
    [[ "$line" =~ ^[A-Z_][A-Z0-9_]*= ]] || continue
    value="${line#*=}"
    if [[ "$value" =~ ^\"(.*)\"$ || "$value" =~ ^\'(.*)\'$ ]]; then value="${BASH_REMATCH[1]}"; fi
    export "${line%%=*}=$value"
  done <"$ETC/environment"
  export HOME="$DATA" PYTHONDONTWRITEBYTECODE=1
  cd "$BASE/current"
  exec runuser -u "$OWNER" -- "$@"
)

# The database goes back by steps that drop what only the newer release keeps; what was published stays known. The
# backup is not put back by itself: restoring asks the platforms for everything published since.
run_rollback() {
  local previous revision
  read -r previous revision <"$BASE/previous" 2>/dev/null || die "there is no release to go back to"
  [[ -d "$BASE/releases/$previous" ]] || die "release $previous is gone"
  stop_service
  act as_owner "$BASE/current/run" migrate --to "$revision" || die "the database cannot be led back to $revision; its backup is in $DATA/backups"
  switch_to "$previous"
  install_units "$BASE/releases/$previous"
  start_and_wait || die "$previous does not come up; see: journalctl -u $NAME"
  say "running: $previous"
}

run_uninstall() {
  if has_systemd; then act systemctl disable --now --quiet "$NAME.service" || true; fi
  act rm -f "/etc/systemd/system/$NAME.service" "/etc/nginx/conf.d/$NAME.conf" \
    "/etc/letsencrypt/renewal-hooks/deploy/$NAME"
  ! has_systemd || act systemctl daemon-reload
  reload_nginx
  act rm -rf "$BASE"
  if ((PURGE)); then
    act rm -rf "$DATA" "$ETC" "$ACME"
    ! getent passwd "$OWNER" >/dev/null || act userdel "$OWNER"
  else
    say "kept: $DATA and $ETC"
  fi
}

main() {
  local command="${1:-}"
  shift || true
  while (($#)); do
    case "$1" in
      --host) HOST="$2"; shift ;;
      --email) EMAIL="$2"; shift ;;
      --certificate) CERTIFICATE="$2"; shift ;;
      --key) KEY="$2"; shift ;;
      --firewall) FIREWALL="$2"; shift ;;
      --ssh-keys-only) KEYS_ONLY="$2"; shift ;;
      --self-signed) SELF_SIGNED=1 ;;
      --yes) YES=1 ;;
      --dry-run) DRY_RUN=1 ;;
      --purge) PURGE=1 ;;
      *) die "unknown option $1" ;;
    esac
    shift
  done
  ((DRY_RUN)) || [[ "$(id -u)" == 0 ]] || die "run it as root"
  case "$command" in
    install) run_install ;;
    update) run_update ;;
    rollback) run_rollback ;;
    uninstall) run_uninstall ;;
    *)
      sed -n '2,/^set -euo/p' "${BASH_SOURCE[0]}" | sed -n 's/^# \{0,1\}//p'
      exit 2
      ;;
  esac
}

main "$@"
