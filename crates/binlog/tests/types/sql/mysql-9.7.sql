-- What only MySQL has.
CREATE TABLE jsons (id INT PRIMARY KEY, j JSON);
INSERT INTO jsons VALUES (1,NULL), (2,'null'), (3,'true'), (4,'false'), (5,'0'), (6,'-1'), (7,'32767'), (8,'-32768'), (9,'32768'), (10,'65535'), (11,'65536'),
  (12,'2147483647'), (13,'-2147483648'), (14,'4294967295'), (15,'4294967296'), (16,'9223372036854775807'), (17,'-9223372036854775808'), (18,'18446744073709551615'), (19,'18446744073709551616'),
  (20,'1.0'), (21,'1.5'), (22,'-0.0'), (23,'1e100'), (24,'1e15'), (25,'1e14'), (26,'123456789012345680000'), (27,'1e-5'), (28,'1e-14'), (29,'1e-15'), (30,'1e-16'), (31,'1.7976931348623157e308'),
  (32,'5e-324'), (33,'3.141592653589793'), (34,'0.1'), (35,'100000.5'), (36,'12345678901234567.5'), (37,'1.2345e-14'), (38,'123456789012345.6'), (39,'1234567890123456.7'), (40,'1.5e16');
INSERT INTO jsons VALUES (50,'""'), (51,'"abc"'), (52,'"é 😀 中文"'), (53,'"\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\\u0080\\u2028"'), (54,JSON_QUOTE(REPEAT('x',127))), (55,JSON_QUOTE(REPEAT('x',128))),
  (56,JSON_QUOTE(REPEAT('y',20000))), (57,'[]'), (58,'{}'), (59,'[1, -1, 70000, -70000, 5000000000, 1.5, "a", null, true, false, [], {}]'), (60,'{"b": 1, "a": 2, "aa": 3, "": 4, "é": 5, "a\\"b": 6}'),
  (61,'{"a": {"b": {"c": [1, [2, [3, {"d": null}]]]}}}'), (62,'[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]'), (63,'{"i16": -5, "u16": 40000, "i32": -70000, "u32": 4000000000, "i64": -5000000000, "u64": 18446744073709551615}');
-- Large forms: more than 64 KiB in one array and one object, with numbers of 32 bits in their entries.
INSERT INTO jsons VALUES (70,JSON_ARRAY(REPEAT('a',66000),-70000,4000000000,1,'end',JSON_OBJECT('k','v'))), (71,JSON_OBJECT('k',REPEAT('b',66000),'n',-70000,'u',4000000000,'a',JSON_ARRAY(1,2)));
-- The server's own types in JSON.
INSERT INTO jsons VALUES (80,CAST(CAST('123.4500' AS DECIMAL(10,4)) AS JSON)), (81,CAST(CAST('-99999999999999999999999999999999999.999999999999999999999999999999' AS DECIMAL(65,30)) AS JSON)),
  (82,CAST(CAST('2015-01-15' AS DATE) AS JSON)), (83,CAST(CAST('2015-01-15 23:24:25.123456' AS DATETIME(6)) AS JSON)), (84,CAST(CAST('2015-01-15 23:24:25' AS DATETIME) AS JSON)),
  (85,CAST(CAST('23:24:25.5' AS TIME(1)) AS JSON)), (86,CAST(CAST('-838:59:59' AS TIME) AS JSON)), (87,CAST(CAST('-00:00:00.000001' AS TIME(6)) AS JSON)), (88,CAST(TIMESTAMP'2015-01-15 23:24:25.12' AS JSON)),
  (89,CAST(X'' AS JSON)), (90,CAST(X'00' AS JSON)), (91,CAST(X'0001' AS JSON)), (92,CAST(X'000102' AS JSON)), (93,CAST(REPEAT(X'FF',57) AS JSON)), (94,CAST(REPEAT(X'FF',58) AS JSON)), (95,CAST(REPEAT(X'AB',300) AS JSON)),
  (96,CAST(b'1010' AS JSON)), (97,CAST(ST_GeomFromText('POINT(1 2)') AS JSON)), (98,JSON_ARRAY(CAST('1.10' AS DECIMAL(5,2)),CAST('2015-01-15' AS DATE),NOW() < '1990-01-01',X'CAFE')), (99,JSON_OBJECT('t',CAST('10:11:12' AS TIME),'y',CAST(2020 AS YEAR)));
INSERT INTO jsons SELECT 100, JSON_ARRAY(b64, b9) FROM bits WHERE id = 2;
INSERT INTO jsons SELECT 101, JSON_ARRAY(b1, b2, b3, b4) FROM texts WHERE id = 2;
INSERT INTO jsons SELECT 102, JSON_ARRAY(b, vb) FROM strings WHERE id = 2;
INSERT INTO jsons SELECT 103, JSON_ARRAY(s6, s0) FROM timestamps WHERE id = 4;
INSERT INTO jsons SELECT 104, JSON_ARRAY(d6, e, eu, s1) FROM datetimes JOIN enums USING (id) WHERE id = 2;
INSERT INTO jsons SELECT 105, JSON_ARRAY(f, d) FROM floats WHERE id = 3;
-- Changed in place: the document keeps gaps.
INSERT INTO jsons VALUES (110,'{"a": "a long string to be replaced", "b": [1, 2, 3], "c": 7}');
UPDATE jsons SET j = JSON_SET(j, '$.a', 'short', '$.c', 8) WHERE id = 110;
UPDATE jsons SET j = JSON_REMOVE(j, '$.b') WHERE id = 110;
SET SESSION sql_mode = '';
CREATE TABLE jsons_not_null (id INT PRIMARY KEY, j JSON NOT NULL);
INSERT IGNORE INTO jsons_not_null VALUES (1, '1'), (2, NULL);

CREATE TABLE vectors (id INT PRIMARY KEY, v VECTOR(3), w VECTOR(2048));
INSERT INTO vectors VALUES (1,STRING_TO_VECTOR('[1,-2.5,3e10]'),STRING_TO_VECTOR('[1,2]')), (2,NULL,NULL), (3,X'0000803F',X'0000803F000080BF');

CREATE TABLE srids (id INT PRIMARY KEY, p POINT SRID 4326, g GEOMETRY);
INSERT INTO srids VALUES (1,ST_GeomFromText('POINT(48 16)',4326),ST_GeomFromText('POINT(48 16)',4326)), (2,NULL,ST_GeomFromText('GEOMETRYCOLLECTION EMPTY'));

CREATE TABLE with_generated (id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL, s INT AS (a + 2) STORED, hidden INT INVISIBLE DEFAULT 9, j JSON, e INT DEFAULT (7),
  INDEX ((a * 2)), INDEX (v), INDEX many ((CAST(j->'$.n' AS UNSIGNED ARRAY))));
INSERT INTO with_generated (id, a, j) VALUES (1, 10, '{"n": [1, 2, 3]}'), (2, NULL, NULL);
