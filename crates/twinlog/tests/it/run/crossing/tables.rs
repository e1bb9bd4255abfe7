//! Writes that cross within one table.

use super::{Case, ROWS, THREE, THREE_UNIQUE, TWO_UNIQUE, UNIQUE};

/// Rows of one table, by their primary key and by others.
pub(super) const ROWS_OF_ONE: &[Case] = &[
    Case {
        name: "update_update",
        start: &[ROWS, THREE],
        a: &["UPDATE {t} SET v = '~a~' WHERE id = 1"],
        b: &["UPDATE {t} SET v = '~b~' WHERE id = 1"],
    },
    Case {
        name: "insert_insert",
        start: &[ROWS],
        a: &["INSERT INTO {t} VALUES (9, '~a~')"],
        b: &["INSERT INTO {t} VALUES (9, '~b~')"],
    },
    Case {
        name: "insert_insert_of_one_unique_value",
        start: &[UNIQUE, THREE_UNIQUE],
        a: &["INSERT INTO {t} VALUES (5, 77, '~a~')"],
        b: &["INSERT INTO {t} VALUES (4, 77, '~b~')"],
    },
    Case {
        name: "update_update_to_one_unique_value",
        start: &[UNIQUE, THREE_UNIQUE],
        a: &["UPDATE {t} SET u = 7, v = '~a~' WHERE id = 1"],
        b: &["UPDATE {t} SET u = 7, v = '~b~' WHERE id = 2"],
    },
    Case {
        name: "a_transaction_that_is_applied_in_part",
        start: &[UNIQUE, THREE_UNIQUE],
        a: &[
            "BEGIN",
            "INSERT INTO {t} VALUES (10, 10, '~a10~')",
            "UPDATE {t} SET u = 7, v = '~a1~' WHERE id = 1",
            "UPDATE {t} SET v = '~a3~' WHERE id = 3",
            "COMMIT",
        ],
        b: &["UPDATE {t} SET u = 7, v = '~b2~' WHERE id = 2"],
    },
    Case {
        name: "a_statement_that_is_applied_in_part",
        start: &[UNIQUE, THREE_UNIQUE],
        a: &["UPDATE {t} SET u = u + 100, v = ELT(id, '~a1~', '~a2~', '~a3~')"],
        b: &["UPDATE {t} SET u = 101, v = '~b3~' WHERE id = 3"],
    },
    Case {
        name: "update_delete",
        start: &[ROWS, THREE],
        a: &["UPDATE {t} SET v = '~a~' WHERE id = 3"],
        b: &["DELETE FROM {t} WHERE id = 3"],
    },
    Case {
        name: "update_of_all_delete_of_one",
        start: &[ROWS, THREE],
        a: &["UPDATE {t} SET v = ELT(id, '~a1~', '~a2~', '~a3~')"],
        b: &["DELETE FROM {t} WHERE id = 2"],
    },
    Case {
        name: "delete_delete",
        start: &[ROWS, THREE],
        a: &["DELETE FROM {t} WHERE id = 3"],
        b: &["DELETE FROM {t} WHERE id = 3"],
    },
    Case {
        name: "delete_delete_among_others",
        start: &[ROWS, THREE],
        a: &[
            "BEGIN",
            "DELETE FROM {t} WHERE id = 3",
            "UPDATE {t} SET v = '~a~' WHERE id = 1",
            "COMMIT",
        ],
        b: &["DELETE FROM {t} WHERE id = 3"],
    },
    Case {
        name: "move_update",
        start: &[ROWS, THREE],
        a: &["UPDATE {t} SET id = 11, v = '~a~' WHERE id = 1"],
        b: &["UPDATE {t} SET v = '~b~' WHERE id = 1"],
    },
    Case {
        name: "move_move",
        start: &[ROWS, THREE],
        a: &["UPDATE {t} SET id = 11, v = '~a~' WHERE id = 1"],
        b: &["UPDATE {t} SET id = 12, v = '~b~' WHERE id = 1"],
    },
    Case {
        name: "move_insert",
        start: &[ROWS, THREE],
        a: &["UPDATE {t} SET id = 11, v = '~a~' WHERE id = 1"],
        b: &["INSERT INTO {t} VALUES (11, '~b~')"],
    },
    Case {
        name: "insert_of_one_row",
        start: &[ROWS],
        a: &["INSERT INTO {t} VALUES (9, '~same~')"],
        b: &["INSERT INTO {t} VALUES (9, '~same~')"],
    },
    Case {
        name: "update_to_one_value",
        start: &[ROWS, THREE],
        a: &["UPDATE {t} SET v = '~same~' WHERE id = 1"],
        b: &["UPDATE {t} SET v = '~same~' WHERE id = 1"],
    },
    Case {
        name: "update_to_one_value_among_others",
        start: &[ROWS, THREE],
        a: &[
            "BEGIN",
            "UPDATE {t} SET v = '~same~' WHERE id = 1",
            "UPDATE {t} SET v = '~a~' WHERE id = 2",
            "COMMIT",
        ],
        b: &["UPDATE {t} SET v = '~same~' WHERE id = 1"],
    },
    Case {
        name: "one_insert_in_the_way_of_two",
        start: &[TWO_UNIQUE],
        a: &["INSERT INTO {t} VALUES (3, 3, 30, '~a~')"],
        b: &[
            "BEGIN",
            "INSERT INTO {t} VALUES (4, 4, 30, '~b4~')",
            "INSERT INTO {t} VALUES (5, 3, 50, '~b5~')",
            "COMMIT",
        ],
    },
    Case {
        name: "insert_update_delete_against_insert",
        start: &[ROWS],
        a: &[
            "BEGIN",
            "INSERT INTO {t} VALUES (5, 'new')",
            "UPDATE {t} SET v = 'newer' WHERE id = 5",
            "DELETE FROM {t} WHERE id = 5",
            "COMMIT",
        ],
        b: &["INSERT INTO {t} VALUES (5, '~b~')"],
    },
    Case {
        name: "swap_of_keys_against_update",
        start: &[ROWS, THREE],
        a: &[
            "BEGIN",
            "UPDATE {t} SET id = -1, v = '~a2~' WHERE id = 1",
            "UPDATE {t} SET id = 1, v = '~a1~' WHERE id = 2",
            "UPDATE {t} SET id = 2 WHERE id = -1",
            "COMMIT",
        ],
        b: &["UPDATE {t} SET v = '~b~' WHERE id = 1"],
    },
    Case {
        name: "replace_against_on_duplicate_key",
        start: &[UNIQUE, THREE_UNIQUE],
        a: &["REPLACE INTO {t} VALUES (7, 1, '~a~')"],
        b: &["INSERT INTO {t} VALUES (8, 1, 'x') ON DUPLICATE KEY UPDATE v = '~b~'"],
    },
    Case {
        name: "chains_on_both_sides",
        start: &[ROWS, THREE],
        a: &[
            "UPDATE {t} SET v = 'a1' WHERE id = 1",
            "DELETE FROM {t} WHERE id = 1",
            "INSERT INTO {t} VALUES (1, 'a2')",
            "UPDATE {t} SET v = '~a3~' WHERE id = 1",
        ],
        b: &[
            "UPDATE {t} SET v = 'b1' WHERE id = 1",
            "UPDATE {t} SET id = 4 WHERE id = 1",
            "UPDATE {t} SET v = '~b2~' WHERE id = 4",
        ],
    },
];

/// Keys of all kinds.
pub(super) const KEYS: &[Case] = &[
    Case {
        name: "a_unique_key_alone",
        start: &[
            "CREATE TABLE {t} (id INT NOT NULL UNIQUE, v VARCHAR(40))",
            THREE,
        ],
        a: &["UPDATE {t} SET v = '~a~' WHERE id = 1"],
        b: &["UPDATE {t} SET v = '~b~' WHERE id = 1"],
    },
    Case {
        name: "a_part_that_is_null",
        start: &[
            "CREATE TABLE {t} (id INT PRIMARY KEY, k INT, l INT, v VARCHAR(40), UNIQUE (k, l))",
        ],
        a: &["INSERT INTO {t} VALUES (1, 5, NULL, '~a~')"],
        b: &["INSERT INTO {t} VALUES (2, 5, NULL, '~b~')"],
    },
    Case {
        name: "case_is_one",
        start: &[
            "CREATE TABLE {t} (id VARCHAR(9) PRIMARY KEY, v VARCHAR(40)) CHARACTER SET utf8mb4",
        ],
        a: &["INSERT INTO {t} VALUES ('k', '~a~')"],
        b: &["INSERT INTO {t} VALUES ('K', '~b~')"],
    },
    Case {
        name: "case_changes",
        start: &[
            "CREATE TABLE {t} (id VARCHAR(9) PRIMARY KEY, v VARCHAR(40)) CHARACTER SET utf8mb4",
            "INSERT INTO {t} VALUES ('k', 'x')",
        ],
        a: &["UPDATE {t} SET id = 'K', v = '~a~' WHERE id = 'k'"],
        b: &["UPDATE {t} SET v = '~b~' WHERE id = 'k'"],
    },
    Case {
        name: "of_many_types",
        start: &[
            "CREATE TABLE {t} (d DECIMAL(20,6), t DATETIME(6), s SET('p','q','r'), e ENUM('x','y'), b BIT(9), \
             y VARBINARY(8), f DOUBLE, v VARCHAR(40), PRIMARY KEY (d, t, s, e, b, y, f))",
            "INSERT INTO {t} VALUES (-1.000001, '2026-01-02 03:04:05.678901', 'p,r', 'y', b'101010101', x'00ff10', 0.1, 'x')",
        ],
        a: &["UPDATE {t} SET v = '~a~'"],
        b: &["UPDATE {t} SET v = '~b~'"],
    },
    Case {
        name: "computed_and_hidden_columns",
        start: &[
            "CREATE TABLE {t} (id INT PRIMARY KEY, v VARCHAR(40), w VARCHAR(50) AS (CONCAT(v, '!')) STORED, \
             n INT AS (LENGTH(v)) VIRTUAL, h INT INVISIBLE DEFAULT 3, UNIQUE (w))",
            "INSERT INTO {t} (id, v) VALUES (1, 'x'), (2, 'y')",
        ],
        a: &[
            "UPDATE {t} SET v = '~a~', h = 8 WHERE id = 1",
            "INSERT INTO {t} (id, v, h) VALUES (5, 'z', 5)",
        ],
        b: &[
            "UPDATE {t} SET v = '~b~' WHERE id = 1",
            "INSERT INTO {t} (id, v, h) VALUES (6, 'z', 6)",
        ],
    },
];
