#!/usr/bin/env bash
# Records what each server logs for every column type in SERVER.binlog, and beside it, in SERVER.tsv, what the server's own
# SELECT prints of the same values. The statements are in sql/.
#
#   record.sh                 every server of scripts/fetch-servers
#   record.sh mysql-9.7 ...   only these
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cache=${TWINLOG_SERVERS:-$("$here/../../../../scripts/fetch-servers" --print-dir)}

# What the server prints is compared in this form: numbers and times as they are, strings as their bytes.
readonly FORM="CASE
  WHEN DATA_TYPE IN ('bit', 'enum', 'set') THEN CONCAT('CAST(\`', COLUMN_NAME, '\` AS UNSIGNED)')
  WHEN DATA_TYPE = 'float' THEN CONCAT('\`', COLUMN_NAME, '\` * 1e0')
  WHEN DATA_TYPE IN ('char', 'varchar', 'binary', 'varbinary', 'tinytext', 'text', 'mediumtext', 'longtext', 'tinyblob',
    'blob', 'mediumblob', 'longblob', 'geometry', 'point', 'linestring', 'polygon', 'geometrycollection', 'geomcollection',
    'vector') THEN CONCAT('HEX(\`', COLUMN_NAME, '\`)')
  ELSE CONCAT('\`', COLUMN_NAME, '\`') END"

dir=
pid=
cleanup() {
    if [[ -n $pid ]]; then
        kill -KILL "$pid" 2>/dev/null || :
        wait "$pid" 2>/dev/null || :
        pid=
    fi
    [[ -z $dir ]] || rm -rf "$dir"
    dir=
}
trap cleanup EXIT

# Makes the data directory $dir/data of server $1, whose tree is $2, and sets `run` to the command that starts it.
prepare() {
    local name=$1 tree=$2
    local bare=(--no-defaults --user="$(id -un)" --datadir="$dir/data" --log-error="$dir/log")
    mkdir "$dir/data"
    case $name in
    mysql-5.6)
        run=("$tree/bin/mysqld" "${bare[@]}" --basedir="$tree" --lc-messages-dir="$tree/share")
        mkdir "$dir/data/mysql" "$dir/data/test"
        {
            echo 'use mysql;'
            cat "$tree/share/mysql_system_tables.sql" "$tree/share/mysql_system_tables_data.sql"
        } | "${run[@]}" --bootstrap >"$dir/init" 2>&1
        run+=(--explicit-defaults-for-timestamp=ON)
        ;;
    mysql-*)
        run=("$tree/usr/sbin/mysqld" "${bare[@]}" --basedir="$tree/usr" --secure-file-priv=)
        "${run[@]}" --initialize-insecure >"$dir/init" 2>&1
        run+=(--mysqlx=OFF --binlog-row-metadata=FULL)
        ;;
    mariadb-*)
        "$tree/usr/bin/mariadb-install-db" --no-defaults --user="$(id -un)" --datadir="$dir/data" --basedir="$tree/usr" \
            --auth-root-authentication-method=normal --skip-test-db >"$dir/init" 2>&1
        run=("$tree/usr/sbin/mariadbd" "${bare[@]}" --basedir="$tree/usr" --binlog-row-metadata=FULL)
        ;;
    esac
    run+=(--skip-networking --socket="$dir/socket" --log-bin="$dir/data/bin" --server-id=1 --binlog-format=ROW
        --binlog-row-image=FULL --default-time-zone=+00:00 --sql-mode=ALLOW_INVALID_DATES
        --character-set-server=utf8mb4)
}

# Runs SQL from standard input.
sql() {
    "$client" --no-defaults --user=root --socket="$dir/socket" --default-character-set=utf8mb4 --batch --skip-column-names \
        --raw "$@"
}

start() {
    "${run[@]}" >"$dir/out" 2>&1 &
    pid=$!
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        if sql <<<'DO 1' 2>/dev/null; then return; fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$dir/log" >&2
    return 1
}

record() {
    local name=$1 tree=$cache/$1 run client
    dir=$(mktemp -d)
    case $name in
    mysql-5.6) client=$cache/mariadb-10.11/usr/bin/mariadb ;;
    mysql-*) client=$tree/usr/bin/mysql ;;
    mariadb-*) client=$tree/usr/bin/mariadb ;;
    esac
    prepare "$name" "$tree"
    start
    sql <<<'CREATE DATABASE types DEFAULT CHARACTER SET utf8mb4; FLUSH LOGS'
    {
        cat "$here/sql/common.sql"
        case $name in mariadb-*) cat "$here/sql/mariadb.sql" ;; esac
        cat "$here/sql/$name.sql"
    } | sql types
    sql <<<'FLUSH LOGS'
    cp "$dir/data/bin.000002" "$here/$name.binlog"
    chmod 644 "$here/$name.binlog"
    {
        printf '# table\tcolumn\ttype\tid\twhat SELECT prints. By record.sh.\n'
        sql <<<"SELECT CONCAT('SELECT ''', TABLE_NAME, ''', ''', COLUMN_NAME, ''', ''', COLUMN_TYPE_, ''', id, ', $FORM,
            ' FROM types.\`', TABLE_NAME, '\` ORDER BY id;')
            FROM (SELECT TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, DATA_TYPE,
                IF(COLUMN_TYPE LIKE '%unsigned%', CONCAT(DATA_TYPE, ' unsigned'), DATA_TYPE) COLUMN_TYPE_
              FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'types') c
            ORDER BY TABLE_NAME, ORDINAL_POSITION" | sql
    } >"$here/$name.tsv"
    kill -TERM "$pid"
    wait "$pid" || :
    pid=
    cleanup
    printf '%s: %s bytes of log, %s values\n' "$name" "$(stat -c %s "$here/$name.binlog")" \
        "$(wc -l <"$here/$name.tsv")"
}

if (($# == 0)); then
    set -- mysql-9.7 mysql-5.6 mariadb-10.11 mariadb-11.8
fi
for name; do
    record "$name"
done
