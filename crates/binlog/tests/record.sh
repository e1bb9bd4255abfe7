#!/bin/sh
# Records the binary logs that the tests decode, one file per subject, on a server that it starts for that.
#
#   record.sh NAME SERVER_DIR [CLIENT]
#
# NAME        what the files begin with: mysql-9.7, mysql-5.6, mariadb-10.11, mariadb-11.8
# SERVER_DIR  an unpacked server: usr/sbin/{mysqld,mariadbd}, or for MySQL 5.6 bin/mysqld or package/server/mysqld
# CLIENT      a client program, where the server has none of its own (MySQL 5.6)
#
# GTIDs of MySQL have the server's UUID, and all have times: after recording anew, the snapshots have to be read again.
set -eu

name=$1
server=$(cd "$2" && pwd)
logs=$(cd "$(dirname "$0")" && pwd)/logs
work=$(mktemp -d)
pid=
trap 'test -z "$pid" || kill "$pid" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
data=$work/data
mkdir -p "$logs"

common="--no-defaults --datadir=$data --user=$(id -un)"
run="--socket=$work/s --skip-networking --pid-file=$work/pid --server-id=7 --log-bin=$data/binlog --binlog-format=ROW
     --binlog-row-event-max-size=1024 --innodb-buffer-pool-size=64M --log-error=$work/error.log"
case $name in
mysql-5.6)
    mysqld=$(ls "$server/bin/mysqld" "$server/package/server/mysqld" 2>/dev/null | head -n 1)
    base=$(dirname "$mysqld")
    test -d "$base/share" || base=$server
    common="$common --basedir=$base --lc-messages-dir=$base/share --character-sets-dir=$base/share/charsets"
    mkdir -p "$data/mysql" "$data/test"
    { echo 'use mysql;'; cat "$base/share/mysql_system_tables.sql" "$base/share/mysql_system_tables_data.sql"; } |
        "$mysqld" $common --bootstrap >"$work/init.log" 2>&1
    run="$run --gtid-mode=ON --enforce-gtid-consistency --log-slave-updates"
    client="$3 --no-defaults --skip-ssl"
    ;;
mysql-*)
    mysqld=$server/usr/sbin/mysqld
    common="$common --basedir=$server/usr --secure-file-priv="
    "$mysqld" $common --initialize-insecure >"$work/init.log" 2>&1
    run="$run --mysqlx=OFF --gtid-mode=ON --enforce-gtid-consistency=ON --binlog-row-metadata=FULL"
    client="${3:-$server/usr/bin/mysql} --no-defaults"
    ;;
mariadb-*)
    mysqld=$server/usr/sbin/mariadbd
    share=$(ls -d "$server/usr/share/mariadb" "$server/usr/share/mysql" 2>/dev/null | head -n 1)
    common="$common --basedir=$server/usr --lc-messages-dir=$share --plugin-dir=$server/usr/lib/mysql/plugin"
    mkdir -p "$data/mysql"
    sql=$(ls "$share"/m*_system_tables.sql | head -n 1)
    { echo 'use mysql;'; cat "$sql" "${sql%.sql}_data.sql"; } |
        "$mysqld" $common --bootstrap --skip-grant-tables >"$work/init.log" 2>&1
    run="$run --skip-grant-tables --gtid-domain-id=3 --binlog-row-metadata=FULL --binlog-checksum=CRC32"
    client="${3:-$server/usr/bin/mariadb} --no-defaults"
    ;;
*)
    echo "unknown server: $name" >&2
    exit 2
    ;;
esac

"$mysqld" $common $run --secure-file-priv= >"$work/out.log" 2>&1 &
pid=$!

# Statements from standard input. --force: a statement that a server does not know is passed over, where that is meant.
sql() {
    $client --socket="$work/s" --user=root --default-character-set=utf8 "$@" 2>>"$work/sql.log"
}
tries=0
until echo 'SELECT 1' | sql >/dev/null; do
    tries=$((tries + 1))
    if test $tries -gt 300; then cat "$work/error.log" "$work/sql.log" >&2; exit 1; fi
    sleep 0.1
done
: >"$work/sql.log"

# record SUBJECT: the statements from standard input, in a log file of their own, and the start of the next one.
record() {
    echo 'FLUSH BINARY LOGS' | sql
    file=$(ls "$data" | grep '^binlog\.[0-9]*$' | tail -n 1)
    sql --force -D t || true
    echo 'FLUSH BINARY LOGS' | sql
    cp "$data/$file" "$logs/$name-$1.binlog"
    chmod 644 "$logs/$name-$1.binlog"
}
maria() { case $name in mariadb-*) cat ;; *) cat >/dev/null ;; esac; }
modern() { case $name in mysql-5.6) cat >/dev/null ;; mysql-*) cat ;; *) cat >/dev/null ;; esac; }

echo 'CREATE DATABASE t DEFAULT CHARACTER SET utf8' | sql

record rows <<'SQL'
CREATE TABLE a (id INT UNSIGNED NOT NULL, y YEAR, n TINYINT UNSIGNED, s SMALLINT, d DECIMAL(10,3) UNSIGNED, f FLOAT, g DOUBLE UNSIGNED,
  v VARCHAR(300) CHARACTER SET latin1, c CHAR(10), u CHAR(100) CHARACTER SET utf8, b VARBINARY(20), x TEXT, z BLOB,
  e ENUM('x','yy','z,z'), m SET('a','b') CHARACTER SET latin1, t3 TIME(3), dt DATETIME(6), ts TIMESTAMP NULL, bi BIT(11),
  PRIMARY KEY (id));
CREATE TABLE p (a VARCHAR(20), b INT, c TEXT NOT NULL, d BIGINT UNSIGNED, PRIMARY KEY (c(10), b), UNIQUE KEY (d));
CREATE TABLE my (id INT PRIMARY KEY, v INT) ENGINE=MyISAM;
INSERT INTO a (id, y, n, v, e, m) VALUES (1, 2024, 200, 'one', 'yy', 'a,b'), (2, NULL, 1, 'two', NULL, ''), (4000000000, 1999, 0, NULL, 'x', 'b');
UPDATE a SET n = n + 1, c = 'c' WHERE id < 3;
DELETE FROM a WHERE id = 2;
BEGIN; INSERT INTO p VALUES ('a', 1, 'text', 18446744073709551615); UPDATE a SET s = -5 WHERE id = 1; DELETE FROM p WHERE b = 9; COMMIT;
BEGIN; INSERT INTO p VALUES ('b', 2, 'b', 2); SAVEPOINT s1; INSERT INTO p VALUES ('c', 3, 'c', 3); ROLLBACK TO s1; INSERT INTO p VALUES ('d', 4, 'd', 4); COMMIT;
BEGIN; INSERT INTO p VALUES ('e', 5, 'e', 5); SAVEPOINT `S ``2`; INSERT INTO my VALUES (1, 1); INSERT INTO p VALUES ('f', 6, 'f', 6); ROLLBACK TO `S ``2`; COMMIT;
INSERT INTO my VALUES (2, 2), (3, 3);
BEGIN; INSERT INTO p VALUES ('g', 7, 'g', 7); ROLLBACK;
UPDATE a, p SET a.v = 'both', p.a = 'both' WHERE a.id = 1 AND p.b = 2;
REPLACE INTO p VALUES ('h', 1, 'text', 2);
CREATE TEMPORARY TABLE tmp (i INT);
INSERT INTO tmp VALUES (1);
INSERT INTO p SELECT 'tmp', i + 100, 'tmp', i + 100 FROM tmp;
DROP TEMPORARY TABLE tmp;
CREATE VIEW v AS SELECT * FROM a;
TRUNCATE TABLE my;
ALTER TABLE p ADD COLUMN j INT;
DROP TABLE my;
DROP VIEW v;
SQL

record big <<'SQL'
CREATE TABLE big (id INT PRIMARY KEY, v VARCHAR(1000), b LONGTEXT);
INSERT INTO big VALUES (1, REPEAT('a', 400), NULL), (2, REPEAT('b', 400), ''), (3, REPEAT('c', 400), NULL), (4, 'd', REPEAT('x', 9000)), (5, REPEAT('e', 900), NULL);
UPDATE big SET v = CONCAT(v, '!') WHERE id <> 4;
DELETE FROM big;
SQL

record xa <<'SQL'
CREATE TABLE x (id INT PRIMARY KEY, v INT);
XA START 'one'; INSERT INTO x VALUES (1, 1); XA END 'one'; XA PREPARE 'one'; XA COMMIT 'one';
XA START 'g\'2','b',3; INSERT INTO x VALUES (2, 2); XA END 'g\'2','b',3; XA PREPARE 'g\'2','b',3; XA ROLLBACK 'g\'2','b',3;
XA START 'four'; INSERT INTO x VALUES (4, 4); XA END 'four'; XA COMMIT 'four' ONE PHASE;
XA START 'empty'; XA END 'empty'; XA PREPARE 'empty'; XA COMMIT 'empty';
INSERT INTO x VALUES (5, 5);
SQL

printf '1\tone\n2\ttwo\n' >"$work/load.txt"
chmod 755 "$work"
record statement <<SQL
CREATE TABLE s (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(50), my DOUBLE);
CREATE TABLE n (id INT PRIMARY KEY, v INT) ENGINE=MyISAM;
SET SESSION binlog_format = 'STATEMENT';
INSERT INTO s (v, my) VALUES ('a', RAND()), ('b', 2);
SET @u = 'user', @i = 7;
INSERT INTO s (v, my) VALUES (@u, @i);
UPDATE s SET v = 'c' WHERE id = 1;
BEGIN; UPDATE s SET v = 'd' WHERE id = 1; SAVEPOINT s1; DELETE FROM s WHERE id = 2; ROLLBACK TO s1; COMMIT;
INSERT INTO n VALUES (1, 1);
BEGIN; INSERT INTO n VALUES (2, 2); ROLLBACK;
LOAD DATA INFILE '$work/load.txt' INTO TABLE s (my, v);
SET SESSION binlog_format = 'ROW';
LOAD DATA INFILE '$work/load.txt' INTO TABLE s (my, v);
SQL

{
    maria <<'SQL'
SET GLOBAL log_bin_compress = ON, log_bin_compress_min_len = 10;
SQL
    modern <<'SQL'
SET SESSION binlog_transaction_compression = ON;
SQL
    cat <<'SQL'
CREATE TABLE c (id INT PRIMARY KEY, v VARCHAR(1000), comment_that_makes_it_long_enough INT COMMENT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO c VALUES (1, REPEAT('a', 900), 1), (2, REPEAT('b', 900), 2), (3, REPEAT('c', 300), 3);
UPDATE c SET v = REPEAT('d', 800) WHERE id < 3;
DELETE FROM c WHERE id > 1;
BEGIN; INSERT INTO c VALUES (10, REPEAT('x', 100), 1); INSERT INTO c VALUES (11, REPEAT('y', 100), 1); COMMIT;
SET SESSION binlog_format = 'STATEMENT';
INSERT INTO c VALUES (20, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 3);
SET SESSION binlog_format = 'ROW';
SQL
    maria <<'SQL'
SET GLOBAL log_bin_compress = OFF;
SQL
} | record compressed

# The other forms of optional metadata: keys with and without prefixes, few and many character sets.
{
    cat <<'SQL'
CREATE TABLE m1 (a INT, b VARCHAR(10) CHARACTER SET latin1, c VARCHAR(10) CHARACTER SET latin1, d VARCHAR(10) CHARACTER SET utf8,
  e ENUM('p','q') CHARACTER SET latin1, f ENUM('r') CHARACTER SET utf8, g BIGINT UNSIGNED, PRIMARY KEY (g, a));
CREATE TABLE m2 (a VARCHAR(10) CHARACTER SET latin1, b TEXT CHARACTER SET utf8, c BLOB, d CHAR(5) CHARACTER SET ucs2, o INT UNSIGNED);
CREATE TABLE m3 (a POINT, b GEOMETRY, c INT NOT NULL, UNIQUE KEY (c));
INSERT INTO m1 VALUES (1, 'b', 'c', 'd', 'q', 'r', 1);
INSERT INTO m2 VALUES ('a', 'b', 'c', 'd', 4000000000);
INSERT INTO m3 VALUES (NULL, NULL, 1);
CREATE TABLE m6 (bi BIT(3), p POINT NOT NULL, v VARCHAR(5) CHARACTER SET latin1, y YEAR, w TEXT CHARACTER SET utf8, n INT UNSIGNED,
  x CHAR(3) CHARACTER SET ucs2, e ENUM('a'), b BLOB, d DATE, m MEDIUMINT);
INSERT INTO m6 (p) VALUES (POINT(1, 2));
SQL
    modern <<'SQL'
CREATE TABLE m4 (a INT UNSIGNED INVISIBLE, b INT, c JSON, d VECTOR(3), g INT GENERATED ALWAYS AS (b + 1) STORED, PRIMARY KEY (b));
INSERT INTO m4 (b, c) VALUES (1, '{"a": 1}');
CREATE TABLE m7 (j JSON, ve VECTOR(2), p POINT NOT NULL, v VARCHAR(5) CHARACTER SET latin1, w VARCHAR(5) CHARACTER SET utf8, x CHAR(3) CHARACTER SET ucs2);
INSERT INTO m7 (p) VALUES (POINT(1, 2));
SET SESSION binlog_rows_query_log_events = ON;
INSERT INTO m4 (b, c) VALUES (2, '[]');
SET GLOBAL binlog_row_metadata = MINIMAL;
INSERT INTO m1 VALUES (2, 'b', 'c', 'd', 'q', 'r', 2);
SET GLOBAL binlog_row_metadata = FULL;
SQL
    maria <<'SQL'
CREATE TABLE m4 (a INT UNSIGNED INVISIBLE, b INT, c JSON, d INET6, u UUID, g INT AS (b + 1) PERSISTENT, PRIMARY KEY (b));
INSERT INTO m4 (b, c) VALUES (1, '{"a": 1}');
CREATE TABLE m7 (a VARCHAR(2000) COMPRESSED CHARACTER SET latin1, b TEXT COMPRESSED CHARACTER SET ucs2, c VARBINARY(200) COMPRESSED, u UUID,
  e VARCHAR(3) CHARACTER SET utf8, n INT UNSIGNED);
INSERT INTO m7 VALUES (REPEAT('a', 300), REPEAT('b', 300), 'c', UUID(), 'e', 4000000000);
CREATE TABLE m8 (v VECTOR(2) NOT NULL, a VARCHAR(3) CHARACTER SET latin1);
INSERT INTO m8 VALUES (VEC_FromText('[1,2]'), 'a');
SET GLOBAL mysql56_temporal_format = OFF;
CREATE TABLE m9 (t TIME, d DATETIME, s TIMESTAMP NULL, n INT UNSIGNED);
INSERT INTO m9 VALUES ('11:12:13', '2024-05-06 07:08:09', '2024-05-06 07:08:09', 4000000000);
SET GLOBAL mysql56_temporal_format = ON;
SET SESSION binlog_annotate_row_events = OFF;
INSERT INTO m4 (b, c) VALUES (2, '[]');
SET GLOBAL binlog_row_metadata = MINIMAL;
INSERT INTO m1 VALUES (2, 'b', 'c', 'd', 'q', 'r', 2);
SET GLOBAL binlog_row_metadata = NO_LOG;
INSERT INTO m1 VALUES (3, 'b', 'c', 'd', 'q', 'r', 2);
SET GLOBAL binlog_row_metadata = FULL;
SET SESSION binlog_alter_two_phase = ON;
ALTER TABLE m2 ADD COLUMN z INT;
ALTER TABLE m1 ADD UNIQUE KEY (b);
SET SESSION binlog_alter_two_phase = OFF;
CREATE TABLE m5 (PRIMARY KEY (b)) AS SELECT b, c FROM m4;
CREATE SEQUENCE sq;
SELECT NEXTVAL(sq);
SQL
} | record metadata

case $name in
mysql-5.6) ;;
mysql-*)
    record tagged <<'SQL'
SET SESSION gtid_next = 'AUTOMATIC:some_tag';
CREATE TABLE g (id INT PRIMARY KEY);
INSERT INTO g VALUES (1);
SET SESSION gtid_next = 'f0f1f2f3-0001-ff00-8081-fffefdfcfbfa:other:123456789012';
INSERT INTO g VALUES (2);
SET SESSION gtid_next = 'f0f1f2f3-0001-ff00-8081-fffefdfcfbfa:77';
INSERT INTO g VALUES (3);
SET SESSION gtid_next = 'f0f1f2f3-0001-ff00-8081-fffefdfcfbfa:empty:1';
BEGIN; COMMIT;
SET SESSION gtid_next = 'AUTOMATIC';
CREATE TABLE g2 AS SELECT * FROM g;
SQL
    ;;
esac

# A change of the algorithm starts a file of its own.
echo "SET GLOBAL binlog_checksum = 'NONE'" | sql
record none <<'SQL'
CREATE TABLE none (id INT PRIMARY KEY);
INSERT INTO none VALUES (1), (2);
DELETE FROM none WHERE id = 1;
SQL

kill "$pid"
wait "$pid" || true
pid=
if test -s "$work/sql.log"; then echo "$name refused:" >&2; sort "$work/sql.log" | uniq -c >&2; fi
ls -l "$logs/$name"-*
