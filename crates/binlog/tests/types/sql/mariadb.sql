-- What only MariaDB has.
CREATE TABLE compressed (id INT PRIMARY KEY, v VARCHAR(300) COMPRESSED, vb VARBINARY(3000) COMPRESSED, t TEXT COMPRESSED, l LONGBLOB COMPRESSED, n TINYTEXT COMPRESSED);
INSERT INTO compressed VALUES (1,'','','','',''), (2,'short',X'00FF','x','y','z'), (3,REPEAT('ab',150),REPEAT(X'00FF',1500),REPEAT('text ',1000),REPEAT('😀',2000),REPEAT('n',254)), (4,NULL,NULL,NULL,NULL,NULL),
  (5,REPEAT('a',300),'0',REPEAT('x',255),REPEAT('y',256),'');
SET SESSION column_compression_zlib_wrap = 1;
INSERT INTO compressed VALUES (6,REPEAT('ab',150),REPEAT(X'00FF',1500),REPEAT('text ',1000),REPEAT('😀',200),REPEAT('n',254));

CREATE TABLE addresses (id INT PRIMARY KEY, i4 INET4, i6 INET6, u UUID);
INSERT INTO addresses VALUES (1,'0.0.0.0','::','00000000-0000-0000-0000-000000000000'), (2,'255.255.255.255','ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff','ffffffff-ffff-ffff-7fff-ffffffffffff'),
  (3,'10.0.0.0','::1','123e4567-e89b-12d3-a456-426655440000'), (4,'192.168.1.10','::ffff:192.168.1.10','018f3f6a-7c2e-7cc0-98c4-dc0c0c07398f'), (5,'1.2.3.4','::1.2.3.4','6ccd780c-baba-1026-9564-5b8c656024db'),
  (6,NULL,NULL,NULL), (7,'1.2.3.0','2001:db8:0:1:1:1:1:1','6ccd780c-baba-4026-9564-5b8c65602400'), (8,'0.0.0.1','2001:db8::','6ccd780c-baba-6026-9564-5b8c65602400'), (9,'1.1.1.1','1:0:0:2:0:0:0:3','10000000-0000-0000-0000-000000000000'),
  (10,'1.1.1.1','1:0:0:2:0:0:3:4',NULL), (11,'1.1.1.1','::1:2',NULL), (12,'1.1.1.1','::ffff:0:1',NULL), (13,'1.1.1.1','64:ff9b::1.2.3.4',NULL), (14,'1.1.1.1','::2:0:0:0',NULL);

CREATE TABLE maria_jsons (id INT PRIMARY KEY, j JSON);
INSERT INTO maria_jsons VALUES (1,'{"b": 1,  "a": [1.50]}'), (2,NULL);

CREATE TABLE scales (id INT PRIMARY KEY, d DECIMAL(65,38), e DECIMAL(38,38));
INSERT INTO scales VALUES (1,-123456789012345678901234567.12345678901234567890123456789012345678,0.00000000000000000000000000000000000001), (2,NULL,-0.99999999999999999999999999999999999999);

CREATE TABLE with_generated (id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL, s INT AS (a + 2) STORED, hidden INT INVISIBLE DEFAULT 9);
INSERT INTO with_generated (id, a) VALUES (1, 10), (2, NULL);

-- The forms of before MySQL 5.6.4, of tables that were never rebuilt. (Those of MariaDB 5.3 with a fraction cannot be decoded.)
SET GLOBAL mysql56_temporal_format = OFF;
CREATE TABLE old_forms (id INT PRIMARY KEY, t TIME, d DATETIME, s TIMESTAMP NULL);
SET GLOBAL mysql56_temporal_format = ON;
INSERT INTO old_forms VALUES (1,'-838:59:59','1000-01-01','1970-01-01 00:00:01'), (2,'838:59:59','9999-12-31 23:59:59','2038-01-19 03:14:07'), (3,'0','0000-00-00','0000-00-00'), (4,'-00:00:01','2020-02-31 12:34:56','2000-02-29 23:59:59'), (5,NULL,NULL,NULL);
